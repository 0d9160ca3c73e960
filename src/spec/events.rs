//! `sli.events`: a numerator and a total, in exact mode where both are plain selectors, else in pushdown mode.

use crate::diag::{Diagnostic, codes};
use crate::spec::meant::{Numerator, PushdownQuery, Sli, Unit};
use crate::spec::query::Query;
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::spec::value;
use crate::spec::written::EventsItem;
use crate::units::{Length, Step};
use crate::yaml::{NodeId, Reader};

/// Labels that say which thing is scraped: equality matchers of these make the default of `alive` (SEMANTICS 3).
pub const TARGET_LABELS: &[&str] = &["job", "namespace", "instance"];

/// Pushdown step where the files name none (SEMANTICS 2): 1 min, or the next multiple of the slice.
const STEP: Length = Length::from_minutes(1);
/// Longest step: hours are kept whole.
const LONGEST_STEP: Length = Length::from_hours(1);

const PLAIN: &str = "a metric name with matchers, `sum(..)` of that, or `sum(rate(..[$window]))` of that";

/// Exact or pushdown, as forced by `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Raw samples.
    Exact,
    /// Evaluated by the store.
    Pushdown,
}

/// The ways by name.
pub const WAYS: &[(&str, Way)] = &[("exact", Way::Exact), ("pushdown", Way::Pushdown)];

/// An SLI as read, and what its total says about the thing that is scraped.
#[derive(Clone, Debug)]
pub struct ReadSli {
    /// What is counted.
    pub sli: Sli,
    /// Equality matchers of `total` on [`TARGET_LABELS`].
    pub target: Vec<Matcher>,
}

/// Reads `events`; what is wrong is noted.
pub fn read_events(reader: &mut Reader<'_>, node: NodeId, by: &[String], slice: Step) -> Option<ReadSli> {
    let item: EventsItem = reader.decode(node)?;
    let (numerator, key, text) = match (&item.bad, &item.good) {
        (Some(_), Some(_)) => {
            let finding = Diagnostic::error(codes::BAD_SLI, "`good` and `bad` both stand here");
            reader.report_in(node, "good", finding.with_help("keep one of the two; the other follows from `total`"));
            return None;
        }
        (Some(bad), None) => (Numerator::Bad, "bad", Some(bad)),
        (None, Some(good)) => (Numerator::Good, "good", Some(good)),
        (None, None) => {
            if reader.document().child(node, "good").is_none() {
                reader.missing(node, "bad", "what is counted: `bad` or `good` events");
            }
            (Numerator::Bad, "bad", None)
        }
    };
    if item.total.is_none() {
        reader.missing(node, "total", "what all events are counted by");
    }
    let way = value::choice(reader, node, "mode", item.mode.as_deref(), WAYS);
    let units = &[("rate", Unit::Rate), ("count", Unit::Count)];
    let unit = value::choice(reader, node, "unit", item.unit.as_deref(), units);
    let step = read_step(reader, node, item.step.as_deref(), slice);
    let events = query(reader, node, key, text.map(String::as_str));
    let total = query(reader, node, "total", item.total.as_deref());
    let (events, total) = (events?, total?);
    let target = target_of(&total);
    let way =
        way.unwrap_or(if events.plain().is_some() && total.plain().is_some() { Way::Exact } else { Way::Pushdown });
    let sli = match way {
        Way::Exact => {
            useless(reader, node, &["step", "unit"]);
            let events = exact(reader, node, key, &events);
            let total = exact(reader, node, "total", &total);
            Sli::Exact { numerator, events: events?, total: total? }
        }
        Way::Pushdown => {
            let events = pushdown(reader, node, key, &events, unit, by);
            let total = pushdown(reader, node, "total", &total, unit, by);
            Sli::Pushdown { numerator, events: events?, total: total?, step: step? }
        }
    };
    Some(ReadSli { sli, target })
}

/// The pushdown step; `None` where what is written does not do.
pub fn read_step(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>, slice: Step) -> Option<Length> {
    if written.is_none() {
        let slices = (STEP.millis() + slice.length().millis() - 1) / slice.length().millis();
        return Some(slice.length() * slices);
    }
    let step = value::positive_length(reader, node, "step", written)?;
    if step.is_multiple_of(slice.length()) && step <= LONGEST_STEP {
        return Some(step);
    }
    let message = format!("a step of {step} is not a multiple of the slice, {}, up to 1h", slice.length());
    reader.report_in(node, "step", Diagnostic::error(codes::BAD_DURATION, message));
    None
}

/// Warns of keys that mean nothing in exact mode.
pub fn useless(reader: &mut Reader<'_>, node: NodeId, keys: &[&str]) {
    for key in keys {
        if let Some(child) = reader.document().child(node, key) {
            let finding = Diagnostic::warning(codes::BAD_SLI, format!("`{key}` means nothing in exact mode"));
            reader.report_key(child, finding.with_help("take it out, or say `mode: pushdown`"));
        }
    }
}

/// Parses the query under `key`; an error is noted where it is, as far as that is known.
pub fn query(reader: &mut Reader<'_>, node: NodeId, key: &str, text: Option<&str>) -> Option<Query> {
    match Query::parse(text?) {
        Ok(query) => Some(query),
        Err(error) => {
            let document = reader.document();
            let value = document.child(node, key).unwrap_or(node);
            let finding = Diagnostic::error(codes::BAD_QUERY, error.message);
            match error.within {
                Some((from, to)) => reader.report_at(document.place_within(value, from, to), value, finding),
                None => reader.report(value, finding),
            }
            None
        }
    }
}

/// Equality matchers on [`TARGET_LABELS`] that every selector of a query has.
#[must_use]
pub fn target_of(total: &Query) -> Vec<Matcher> {
    let matcher = |label: &&str| {
        let value = total.common_equality(label)?;
        Matcher::new(label, Operation::Equal, &value).ok()
    };
    TARGET_LABELS.iter().filter_map(matcher).collect()
}

fn exact(reader: &mut Reader<'_>, node: NodeId, key: &str, query: &Query) -> Option<Selector> {
    let selector = query.plain().cloned();
    if selector.is_none() {
        let finding = Diagnostic::error(codes::BAD_SLI, format!("`{key}` cannot be counted exactly"));
        reader.report_in(node, key, finding.with_help(format!("exact mode takes {PLAIN}")));
    }
    selector
}

fn pushdown(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    query: &Query,
    unit: Option<Unit>,
    by: &[String],
) -> Option<PushdownQuery> {
    if let Some(selector) = query.plain() {
        return Some(rate_of(selector, by));
    }
    if !query.windowed {
        let finding =
            Diagnostic::error(codes::NO_WINDOW, format!("`{key}` is neither a plain selector nor has it `$window`"));
        let help = format!("put `$window` where a range belongs, as in rate(x[$window]), or write {PLAIN}");
        reader.report_in(node, key, finding.with_help(help));
        return None;
    }
    let unit = unit.or_else(|| query.unit());
    if unit.is_none() {
        let message = format!("it is not clear whether `{key}` is a rate or a count");
        let help = "add `unit: rate` (events a second) or `unit: count` (events in the range) beside it";
        reader.report_in(node, key, Diagnostic::error(codes::UNCLEAR_UNIT, message).with_help(help));
    }
    Some(PushdownQuery { text: query.text.clone(), unit: unit? })
}

/// The query that a plain selector is in pushdown mode.
#[must_use]
pub fn rate_of(selector: &Selector, by: &[String]) -> PushdownQuery {
    let by = if by.is_empty() { String::new() } else { format!(" by ({})", by.join(", ")) };
    PushdownQuery { text: format!("sum{by}(rate({selector}[$window]))"), unit: Unit::Rate }
}
