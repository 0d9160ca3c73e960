//! `sli.gauge` and `sli.probe`: a value at each slice end that is good or bad (SEMANTICS 2, *Other kinds*).
//!
//! `probe` is short for a gauge that equals 1. The bound is a number in the metric's own unit, or a duration, which
//! stands for its seconds.

use std::str::FromStr;

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::events::{ReadSli, query, target_of};
use crate::spec::meant::{Absent, Bound, Sli};
use crate::spec::query::Query;
use crate::spec::value;
use crate::spec::written::GaugeItem;
use crate::units::{Length, decimal_to_f64};
use crate::yaml::{NodeId, Reader, Shape};

/// What `absent` may say.
const ABSENTS: &[(&str, Absent)] = &[("ignore", Absent::Ignore), ("bad", Absent::Bad)];

/// Reads `gauge`; what is wrong is noted.
pub fn read_gauge(reader: &mut Reader<'_>, node: NodeId) -> Option<ReadSli> {
    let item: GaugeItem = reader.decode(node)?;
    if item.query.is_none() {
        reader.missing(node, "query", "PromQL that gives the value, such as max(queue_length)");
    }
    let query = instant(reader, node, "query", item.query.as_deref());
    let bound = read_bound(reader, node, &item);
    let absent = value::choice(reader, node, "absent", item.absent.as_deref(), ABSENTS);
    if item.absent.is_some() && absent.is_none() {
        return None;
    }
    let query = query?;
    let target = target_of(&query);
    let sli = Sli::Gauge { query: query.text, bound: bound?, absent: absent.unwrap_or_default() };
    Some(ReadSli { sli, target })
}

/// Reads `probe`, the selector under this key of `sli`; what is wrong is noted.
pub fn read_probe(reader: &mut Reader<'_>, sli: NodeId, probe: NodeId) -> Option<ReadSli> {
    if !reader.expect(probe, Shape::Text) {
        return None;
    }
    let query = instant(reader, sli, "probe", reader.document().text(probe))?;
    // `sum(x)` counts as plain elsewhere; here it would be another value.
    if query.plain().is_none() || query.text.ends_with(')') {
        let finding = Diagnostic::error(codes::BAD_SLI, "`probe` has to be a metric name with matchers");
        reader.report(probe, finding.with_help("write `gauge` with `equals: 1` for any other query"));
        return None;
    }
    let target = target_of(&query);
    let sli = Sli::Gauge { query: query.text, bound: Bound::Equals(1.0), absent: Absent::Ignore };
    Some(ReadSli { sli, target })
}

/// A query that is evaluated at one time: it parses, and has no placeholder of a range.
fn instant(reader: &mut Reader<'_>, node: NodeId, key: &str, text: Option<&str>) -> Option<Query> {
    let query = query(reader, node, key, text)?;
    if !query.windowed {
        return Some(query);
    }
    let finding = Diagnostic::error(codes::WINDOW_IN_GAUGE, format!("`$window` means nothing in `{key}`"));
    let help = "a value is judged as it is at the end of each slice; write a range of your own, such as [5m]";
    reader.report_in(node, key, finding.with_help(help));
    None
}

/// The one of `below`, `above` and `equals` that is there.
fn read_bound(reader: &mut Reader<'_>, node: NodeId, item: &GaugeItem) -> Option<Bound> {
    let written = [("below", &item.below), ("above", &item.above), ("equals", &item.equals)];
    let mut written = written.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)));
    let Some((key, text)) = written.next() else {
        if ["above", "equals"].iter().all(|key| reader.document().child(node, key).is_none()) {
            reader.missing(node, "below", "when a value is good: `below`, `above` or `equals` a number or a duration");
        }
        return None;
    };
    if let Some((second, _)) = written.next() {
        let finding = Diagnostic::error(codes::BAD_SLI, format!("`{key}` and `{second}` both stand here"));
        reader.report_in(node, second, finding.with_help("keep one of the two"));
        return None;
    }
    let Some(bound) = number(text) else {
        let finding = Diagnostic::error(codes::BAD_NUMBER, format!("`{text}` is neither a number nor a duration"));
        reader.report_in(node, key, finding.with_help("write 0.5, or 15m for 900 seconds"));
        return None;
    };
    Some(match key {
        "below" => Bound::Below(bound),
        "above" => Bound::Above(bound),
        _ => Bound::Equals(bound),
    })
}

/// A number, or the seconds of a duration.
fn number(text: &str) -> Option<f64> {
    let seconds = || Decimal::from(text.parse::<Length>().ok()?.millis()).checked_div(1_000.into());
    let decimal = Decimal::from_str(text).ok().or_else(|| Decimal::from_scientific(text).ok()).or_else(seconds)?;
    Some(decimal_to_f64(decimal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_numbers_or_durations() {
        for (text, value) in [
            ("15m", 900.0),
            ("300ms", 0.3),
            ("0.95", 0.95),
            ("-3", -3.0),
            ("1e-3", 0.001),
            ("0", 0.0),
            ("1h30m", 5_400.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "much", "15 m", "NaN", "inf", "5%"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
