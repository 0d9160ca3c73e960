//! `indicator` of a Pyrra SLO: `ratio`, `latency`, `latencyNative`, `bool_gauge`.
//!
//! `ratio` and `latency` name plain selectors, so they are counted exactly. `latencyNative` reads a native histogram,
//! which the store has to evaluate. `bool_gauge` is a gauge that is good at 1.

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::events::{query, read_step, target_of};
use crate::spec::foreign::{Unknown, mapping, prometheus_duration, required};
use crate::spec::latency::bucket;
use crate::spec::meant::{Absent, Bound, Numerator, Sli};
use crate::spec::native::{Side, native};
use crate::spec::query::Query;
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::spec::value;
use crate::units::{Length, Step};
use crate::yaml::{NodeId, Reader, Shape};

/// An indicator as read.
#[derive(Clone, Debug)]
pub(super) struct Indicator {
    /// What is counted.
    pub(super) sli: Sli,
    /// `grouping`, sorted.
    pub(super) by: Vec<String>,
    /// The matchers that name the target.
    pub(super) target: Vec<Matcher>,
    /// Matchers of the total: its alerts carry those with `=` as labels.
    pub(super) matchers: Vec<Matcher>,
    /// Whether Pyrra makes an alert for its absence.
    pub(super) absent: bool,
}

/// The indicators in the order in which the first holds.
const KINDS: [&str; 4] = ["ratio", "latency", "latencyNative", "bool_gauge"];

/// Reads `indicator` of `spec`.
pub(super) fn read_indicator(reader: &mut Reader<'_>, spec: NodeId, slice: Step) -> Option<Indicator> {
    let document = reader.document();
    let before = reader.count();
    let node = mapping(reader, spec, "indicator", &KINDS, Unknown::Refused);
    let written: Vec<NodeId> = KINDS
        .iter()
        .filter_map(|kind| document.child(node?, kind))
        .filter(|kind| document.shape(*kind) != Shape::Nothing)
        .collect();
    let key = |node: &NodeId| document.key(*node).unwrap_or_default();
    for other in written.iter().skip(1) {
        let first = written.first().map(key).unwrap_or_default();
        let finding = if key(other) == "latency" {
            let message = "an SLO has one indicator, and this one has `ratio` and `latency`";
            Diagnostic::error(codes::BAD_SLI, message).with_help("write an SLO for each")
        } else {
            let message = format!("`{}` is ignored beside `{first}`, as Pyrra does", key(other));
            Diagnostic::warning(codes::BAD_SLI, message).with_help("write an SLO for each")
        };
        reader.report_key(*other, finding);
    }
    let Some(kind) = written.first().copied() else {
        if reader.count() == before {
            let finding = Diagnostic::error(codes::MISSING_KEY, "this SLO does not say what is counted");
            reader.report_in(
                spec,
                "indicator",
                finding.with_help("`ratio`, `latency`, `latencyNative` or `bool_gauge`"),
            );
        }
        return None;
    };
    match key(&kind) {
        "ratio" => read_ratio(reader, kind),
        "latency" => read_latency(reader, kind),
        "latencyNative" => read_native(reader, kind, slice),
        _ => read_gauge(reader, kind),
    }
}

fn read_ratio(reader: &mut Reader<'_>, node: NodeId) -> Option<Indicator> {
    mapping_of(reader, node, &["errors", "total", "grouping"]);
    let by = read_grouping(reader, node);
    let total = read_metric(reader, node, Some("total"));
    let errors = read_metric(reader, node, Some("errors"));
    let ((total, query), (events, _)) = (total?, errors?);
    let matchers = total.matchers.clone();
    let sli = Sli::Exact { numerator: Numerator::Bad, events, total };
    Some(Indicator { sli, by, target: target_of(&query), matchers, absent: true })
}

fn read_latency(reader: &mut Reader<'_>, node: NodeId) -> Option<Indicator> {
    mapping_of(reader, node, &["success", "total", "grouping"]);
    let by = read_grouping(reader, node);
    let total = read_metric(reader, node, Some("total"));
    let success = read_metric(reader, node, Some("success"));
    let bound = success.as_ref().and_then(|(success, _)| read_bound(reader, node, success));
    let ((total, query), (success, _)) = (total?, success?);
    suffix(reader, node, "success", &success, "_bucket");
    suffix(reader, node, "total", &total, "_count");
    let matchers = total.matchers.clone();
    let sli = Sli::Exact { numerator: Numerator::Good, events: at_bound(success, &total, bound?), total };
    Some(Indicator { sli, by, target: target_of(&query), matchers, absent: true })
}

/// The bound that the matcher of `le` names; noted where there is none, or it is no number.
fn read_bound(reader: &mut Reader<'_>, node: NodeId, success: &Selector) -> Option<Decimal> {
    let at = reader.document().child(node, "success").unwrap_or(node);
    let Some(le) = success.matchers.iter().find(|matcher| matcher.name == "le") else {
        let finding = Diagnostic::error(codes::BAD_SLI, "`success` has no matcher of `le`, so no bucket is chosen");
        reader.report_in(at, "metric", finding.with_help("add the threshold in seconds, such as le=\"0.5\""));
        return None;
    };
    if le.value.parse::<f64>().is_err() {
        let finding = Diagnostic::error(codes::BAD_SLI, format!("`{}` is not the bound of a bucket", le.value));
        reader.report_in(at, "metric", finding.with_help("write the threshold in seconds, such as le=\"0.5\""));
        return None;
    }
    // `+Inf` and the like have no decimals and one spelling; zero stands for them.
    Some(le.value.parse().or_else(|_| Decimal::from_scientific(&le.value)).unwrap_or_default())
}

/// The bucket of a histogram whose other matchers are the total's and more: any spelling of the bound. What is not
/// shaped like that is taken as written.
fn at_bound(success: Selector, total: &Selector, bound: Decimal) -> Selector {
    let base = success.metric.strip_suffix("_bucket");
    let is_equal = |matcher: &Matcher| matcher.name == "le" && matcher.operation == Operation::Equal;
    let has_bound = total.matchers.iter().any(|matcher| matcher.name == "le");
    let plain = !has_bound && success.matchers.iter().filter(|matcher| matcher.name == "le").all(is_equal);
    let shares = total.matchers.iter().all(|matcher| success.matchers.contains(matcher));
    let base = base.filter(|base| bound > Decimal::ZERO && total.metric == format!("{base}_count"));
    let (Some(base), true, true) = (base, plain, shares) else { return success };
    let histogram = Selector { metric: base.to_owned(), ..total.clone() };
    let is_extra = |matcher: &&Matcher| matcher.name != "le" && !total.matchers.contains(matcher);
    let extra: Vec<Matcher> = success.matchers.iter().filter(is_extra).cloned().collect();
    bucket(&histogram, extra, bound).unwrap_or(success)
}

/// Warns of a name that is not that of a histogram's part, as Pyrra does.
fn suffix(reader: &mut Reader<'_>, node: NodeId, key: &str, selector: &Selector, suffix: &str) {
    if !selector.metric.ends_with(suffix) {
        let message = format!("`{}` does not end in `{suffix}`", selector.metric);
        let at = reader.document().child(node, key).unwrap_or(node);
        reader.report_in(at, "metric", Diagnostic::warning(codes::BAD_SLI, message));
    }
}

fn read_native(reader: &mut Reader<'_>, node: NodeId, slice: Step) -> Option<Indicator> {
    mapping_of(reader, node, &["total", "latency", "grouping"]);
    let by = read_grouping(reader, node);
    let total = read_metric(reader, node, Some("total"));
    let latency = read_latency_bound(reader, node);
    let ((total, query), latency) = (total?, latency?);
    let seconds = Decimal::from(latency.millis()).checked_div(Decimal::ONE_THOUSAND)?;
    let sli = native(&total, &[], (Side::Below, seconds), &by, read_step(reader, node, None, slice)?);
    Some(Indicator { sli, by, target: target_of(&query), matchers: total.matchers, absent: false })
}

fn read_latency_bound(reader: &mut Reader<'_>, node: NodeId) -> Option<Length> {
    let written = required(reader, node, "latency", "the longest duration that is good, such as 200ms")?;
    let length = prometheus_duration(written).filter(|length| *length > Length::ZERO);
    if length.is_none() {
        let message = format!("`{written}` is not a duration above zero, such as 200ms");
        reader.report_in(node, "latency", Diagnostic::error(codes::BAD_DURATION, message));
    }
    length
}

fn read_gauge(reader: &mut Reader<'_>, node: NodeId) -> Option<Indicator> {
    mapping_of(reader, node, &["metric", "grouping"]);
    let by = read_grouping(reader, node);
    let (selector, query) = read_metric(reader, node, None)?;
    let sli = Sli::Gauge { query: selector.to_string(), bound: Bound::Equals(1.0), absent: Absent::Ignore };
    Some(Indicator { sli, by, target: target_of(&query), matchers: selector.matchers, absent: true })
}

fn mapping_of(reader: &mut Reader<'_>, node: NodeId, known: &[&str]) {
    super::keys(reader, node, known, Unknown::Refused);
}

/// The selector under `metric`, of the mapping under `key` if one is named.
fn read_metric(reader: &mut Reader<'_>, node: NodeId, key: Option<&str>) -> Option<(Selector, Query)> {
    let at = match key {
        None => node,
        Some(key) => {
            let before = reader.count();
            let Some(at) = mapping(reader, node, key, &["metric"], Unknown::Refused) else {
                if reader.count() == before {
                    reader.missing(node, key, "a mapping with the `metric`");
                }
                return None;
            };
            at
        }
    };
    let written = required(reader, at, "metric", "a metric name with matchers")?;
    let query = query(reader, at, "metric", Some(written))?;
    let selector = query.bare().filter(|_| !query.windowed);
    if selector.is_none() {
        let finding = Diagnostic::error(codes::BAD_SLI, "`metric` has to be a metric name with matchers");
        reader.report_in(at, "metric", finding.with_help("no function, aggregation, range or operator"));
    }
    Some((selector?, query))
}

/// `grouping`, sorted and each once, as Pyrra has it.
fn read_grouping(reader: &mut Reader<'_>, node: NodeId) -> Vec<String> {
    let document = reader.document();
    let mut by = Vec::new();
    for item in reader.items(node, "grouping") {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let label = document.text(*item).unwrap_or_default();
        if value::is_label(label) {
            by.push(label.to_owned());
        } else {
            reader.report(*item, value::bad_label(label));
        }
    }
    by.sort();
    by.dedup();
    by
}
