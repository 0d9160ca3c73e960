//! `sli.latency` on classic histograms: good is the bucket at the threshold, total is `_count` (SEMANTICS 2). What
//! `native` histograms are asked stands in its own file.
//!
//! Buckets count what is at most their bound, so `below: x` is "at most x". With `above` the bucket counts what is
//! bad; what is exactly at the threshold is counted with it, as the bucket does. The spelling of `le` differs between
//! libraries (`1`, `1.0`, `1e+00`): the store is asked by a regular expression that admits every spelling of the number,
//! and the series are told apart by its value.

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::events::{ReadSli, TARGET_LABELS, WAYS, Way, query, rate_of, read_step, useless};
use crate::spec::meant::{Numerator, Sli};
use crate::spec::native::{Side, native};
use crate::spec::query::matchers;
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::spec::value;
use crate::spec::written::{LatencyItem, is_quantile};
use crate::units::{Length, Objective, Step, decimal_to_f64};
use crate::yaml::{NodeId, Reader};

/// A latency SLI, and the objective that `p95: 300ms` states.
#[derive(Clone, Debug)]
pub struct ReadLatency {
    /// The SLI.
    pub read: ReadSli,
    /// From `p95`, with its node.
    pub objective: Option<(Objective, NodeId)>,
}

/// Reads `latency`; what is wrong is noted.
pub fn read_latency(reader: &mut Reader<'_>, node: NodeId, by: &[String], slice: Step) -> Option<ReadLatency> {
    let item: LatencyItem = reader.decode(node)?;
    if item.histogram.is_none() {
        reader.missing(node, "histogram", "a selector such as http_request_duration_seconds{job=\"checkout\"}");
    }
    let histogram = read_histogram(reader, node, item.histogram.as_deref());
    let threshold = read_threshold(reader, node, &item);
    let extra = read_good(reader, node, item.good.as_deref());
    let way = value::choice(reader, node, "mode", item.mode.as_deref(), WAYS);
    let step = read_step(reader, node, item.step.as_deref(), slice);
    let (histogram, (side, bound, objective), extra) = (histogram?, threshold?, extra?);
    if item.native.0 {
        if way == Some(Way::Exact) {
            let finding = Diagnostic::error(codes::BAD_SLI, "native histograms cannot be counted exactly");
            reader.report_in(node, "mode", finding.with_help("take `mode` out: the store counts them"));
            return None;
        }
        let sli = native(&histogram, &extra, (side, bound), by, step?);
        let target = targets(&histogram);
        return Some(ReadLatency { read: ReadSli { sli, target }, objective });
    }
    if side == Side::Above && item.good.is_some() {
        let finding = Diagnostic::error(codes::NOT_BUILT, "`good` together with `above` is not built yet");
        reader.report_in(node, "good", finding);
        return None;
    }
    let numerator = if side == Side::Below { Numerator::Good } else { Numerator::Bad };
    let events = bucket(&histogram, extra, bound)?;
    let total = Selector { metric: format!("{}_count", histogram.metric), ..histogram };
    let target = targets(&total);
    let sli = match way.unwrap_or(Way::Exact) {
        Way::Exact => {
            useless(reader, node, &["step"]);
            Sli::Exact { numerator, events, total }
        }
        Way::Pushdown => {
            let (events, total) = (rate_of(&events, by), rate_of(&total, by));
            Sli::Pushdown { numerator, events, total, step: step? }
        }
    };
    Some(ReadLatency { read: ReadSli { sli, target }, objective })
}

fn targets(selector: &Selector) -> Vec<Matcher> {
    selector.matchers.iter().filter(|matcher| is_target(matcher)).cloned().collect()
}

fn is_target(matcher: &Matcher) -> bool {
    matcher.operation == Operation::Equal && !matcher.value.is_empty() && TARGET_LABELS.contains(&matcher.name.as_str())
}

fn read_histogram(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> Option<Selector> {
    let query = query(reader, node, "histogram", written)?;
    let Some(selector) = query.plain().filter(|_| !query.windowed).cloned() else {
        let finding = Diagnostic::error(codes::BAD_SLI, "`histogram` has to be a metric name with matchers");
        reader.report_in(node, "histogram", finding);
        return None;
    };
    let suffix = ["_bucket", "_count", "_sum"].into_iter().find(|suffix| selector.metric.ends_with(suffix));
    if let Some(base) = suffix.and_then(|suffix| selector.metric.strip_suffix(suffix)) {
        let finding = Diagnostic::error(codes::BAD_SLI, format!("`{}` is a part of a histogram", selector.metric));
        reader.report_in(node, "histogram", finding.with_help(format!("write `{base}`")));
        return None;
    }
    if selector.matchers.iter().any(|matcher| matcher.name == "le") {
        let finding = Diagnostic::error(codes::BAD_SLI, "`le` is chosen by `below` or `above`");
        reader.report_in(node, "histogram", finding.with_help("take the matcher of `le` out"));
        return None;
    }
    Some(selector)
}

type Threshold = (Side, Decimal, Option<(Objective, NodeId)>);

/// The one of `below`, `above` and `p95` that is there.
fn read_threshold(reader: &mut Reader<'_>, node: NodeId, item: &LatencyItem) -> Option<Threshold> {
    let document = reader.document();
    let is_threshold =
        |child: &&NodeId| document.key(**child).is_some_and(|key| key == "below" || key == "above" || is_quantile(key));
    let written: Vec<NodeId> = document.children(node).iter().filter(is_threshold).copied().collect();
    if let Some(second) = written.get(1) {
        let finding = Diagnostic::error(codes::BAD_SLI, "there is more than one threshold");
        reader.report_key(*second, finding.with_help("keep one of `below`, `above` and `p..`"));
        return None;
    }
    let Some(only) = written.first().copied() else {
        reader.missing(node, "below", "the longest latency that is good, such as 300ms");
        return None;
    };
    let key = document.key(only)?;
    let text = document.text(only).or(item.below.as_deref()).or(item.above.as_deref());
    let bound = read_bound(reader, only, text)?;
    if !is_quantile(key) {
        return Some((if key == "above" { Side::Above } else { Side::Below }, bound, None));
    }
    match format!("{}%", key.trim_start_matches('p')).parse::<Objective>() {
        Ok(objective) => Some((Side::Below, bound, Some((objective, only)))),
        Err(error) => {
            reader.report_key(only, Diagnostic::error(codes::BAD_OBJECTIVE, error.to_string()));
            None
        }
    }
}

/// A threshold: a length, in seconds as histograms have it. A bare number may be seconds or milliseconds, and the wrong
/// one of the two would count everything as good.
fn read_bound(reader: &mut Reader<'_>, node: NodeId, text: Option<&str>) -> Option<Decimal> {
    let Some(text) = text else {
        reader.expect(node, crate::yaml::Shape::Text);
        return None;
    };
    let seconds =
        text.parse::<Length>().ok().and_then(|length| Decimal::from(length.millis()).checked_div(1_000.into()));
    let bound = seconds.filter(|bound| *bound > Decimal::ZERO);
    if bound.is_none() {
        let (message, help) = match text.parse::<Decimal>().ok().filter(|number| *number > Decimal::ZERO) {
            Some(number) => (format!("`{text}` has no unit"), unit_help(number)),
            None => (format!("`{text}` is not a threshold"), "write a duration such as 300ms".to_owned()),
        };
        reader.report(node, Diagnostic::error(codes::BAD_DURATION, message).with_help(help));
    }
    bound
}

/// What a number without a unit may mean.
fn unit_help(number: Decimal) -> String {
    let number = number.normalize();
    if number.is_integer() {
        return format!("{number}ms or {number}s? in seconds it is the bucket `le=\"{number}\"`");
    }
    let millis = number.checked_mul(1_000.into()).map(|millis| millis.normalize()).filter(Decimal::is_integer);
    millis.map_or_else(|| "write a duration such as 300ms".to_owned(), |millis| format!("did you mean {millis}ms?"))
}

fn read_good(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> Option<Vec<Matcher>> {
    let Some(text) = written else { return Some(Vec::new()) };
    match matchers(text) {
        Ok(matchers) => Some(matchers),
        Err(error) => {
            let document = reader.document();
            let value = document.child(node, "good").unwrap_or(node);
            let finding = Diagnostic::error(codes::BAD_QUERY, error.message).with_help("write it like code!~\"5..\"");
            let place =
                error.within.map_or_else(|| document.place(value), |(from, to)| document.place_within(value, from, to));
            reader.report_at(place, value, finding);
            None
        }
    }
}

/// The bucket of `histogram` at `bound`, with more matchers of its own.
#[must_use]
pub fn bucket(histogram: &Selector, extra: Vec<Matcher>, bound: Decimal) -> Option<Selector> {
    let mut matchers = histogram.matchers.clone();
    matchers.extend(extra);
    matchers.push(Matcher::new("le", Operation::Match, &spellings(bound)).ok()?);
    Some(Selector { metric: format!("{}_bucket", histogram.metric), matchers, bucket: Some(decimal_to_f64(bound)) })
}

/// A regular expression for the spellings of a number above zero: plain, with zeros behind, and with an exponent
/// after any of its digits.
///
/// Worked: 0.3 gives `0?\.30*|3(\.0*)?[eE]-0*1`, which matches `0.3`, `.3`, `0.300` and `3e-01`.
fn spellings(number: Decimal) -> String {
    let text = number.normalize().to_string();
    let (whole, part) = text.split_once('.').unwrap_or((text.as_str(), ""));
    let lead = if whole == "0" { "0?" } else { whole };
    let tail = if part.is_empty() { r"(\.0*)?".to_owned() } else { format!(r"\.{part}0*") };
    let mut alternatives = vec![format!("{lead}{tail}")];
    let all = format!("{whole}{part}");
    let digits = all.trim_start_matches('0');
    // Digits before the decimal point, were the point put before the first digit that is not zero.
    let count = |digits: &str| i64::try_from(digits.len()).unwrap_or_default();
    let point = count(whole) - count(&all) + count(digits);
    let digits = digits.trim_end_matches('0');
    for head in 1..=digits.len() {
        let (before, after) = digits.split_at(head);
        let after = if after.is_empty() { r"(\.0*)?".to_owned() } else { format!(r"\.{after}0*") };
        let exponent = point - count(before);
        let sign = if exponent < 0 { "-" } else { r"\+?" };
        alternatives.push(format!("{before}{after}[eE]{sign}0*{}", exponent.abs()));
    }
    alternatives.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_number_is_admitted_and_no_other_number() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("0.3", &["0.3", ".3", "0.30", "3e-1", "3e-01", "3.0E-01"], &["3", "0.03", "0.35", "30", "3e1", "0.03e1x"]),
            ("1", &["1", "1.0", "1.", "1e0", "1e+00", "1.0e+00"], &["10", "0.1", "1.5", "11", "1e1"]),
            ("2.5", &["2.5", "2.50", "2.5e0", "2.5e+00", "25e-1"], &["25", "0.25", "2.05", "2.5e1"]),
            ("1000000", &["1000000", "1e6", "1e+06", "1000000.0", "1.0e06"], &["100000", "1e5", "1e-6", "10000000"]),
            ("0.00025", &["0.00025", "2.5e-04", "25e-5", "2.50e-4"], &["0.0025", "2.5e-05"]),
        ];
        for (number, admitted, refused) in cases {
            let number: Decimal = number.parse().unwrap();
            let regex = regex::Regex::new(&format!("^(?:{})$", spellings(number))).unwrap();
            for text in admitted {
                assert!(regex.is_match(text), "{text} is {number}");
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), decimal_to_f64(number).to_bits());
            }
            for text in refused {
                assert!(!regex.is_match(text), "{text} is not {number}");
            }
        }
    }
}
