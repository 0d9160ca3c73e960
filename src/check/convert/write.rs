//! A native document from what a foreign one means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_decimal::Decimal;

use crate::check::convert::Part;
use crate::check::convert::policy::Policies;
use crate::check::load::Loaded;
use crate::check::rules::clashing_label;
use crate::spec::meant::{Absent, Bound, Numerator, PushdownQuery, Sli, Slo, Unit};
use crate::spec::policy::AlertSeverity;
use crate::spec::query::Query;
use crate::spec::selector::{Matcher, Selector};
use crate::spec::value::{is_http, is_label};
use crate::units::Length;

/// Shortest period that the policy of an SLO that names none fits.
const BALANCED_FROM: Length = Length::from_hours(6);

/// The native document of a foreign one; `None` where it has no SLO.
pub(super) fn document(part: &Part<'_>, loaded: &Loaded, policies: &mut Policies) -> Option<String> {
    let first = part.slos.first()?;
    let mut text = format!("version: slo/v1\nservice: {}\n", scalar(&first.id.service));
    let same = |of: fn(&Slo) -> &Option<String>| part.slos.iter().all(|slo| of(slo) == of(first));
    let shared_owner = same(|slo| &slo.owner).then(|| first.owner.clone()).flatten();
    if let Some(owner) = &shared_owner {
        text += &line("owner", owner, 0);
    }
    let labels: Vec<BTreeMap<String, String>> = part.slos.iter().map(|slo| kept_labels(slo, loaded)).collect();
    let shared: BTreeMap<String, String> = labels
        .first()
        .into_iter()
        .flatten()
        .filter(|(name, value)| labels.iter().all(|labels| labels.get(*name) == Some(value)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    text += &mapping("labels", &shared, 0);
    text += "slos:\n";
    for (slo, mut labels) in part.slos.iter().zip(labels) {
        labels.retain(|name, _| !shared.contains_key(name));
        text += &plain("- name", scalar(&slo.id.name), 2);
        if !slo.description.is_empty() {
            text += &line("description", &slo.description, 4);
        }
        if let Some(owner) = slo.owner.as_ref().filter(|_| shared_owner.is_none()) {
            text += &line("owner", owner, 4);
        }
        text += &mapping("labels", &labels, 4);
        if let Some(runbook) = page_runbook(slo).filter(|runbook| is_http(runbook)) {
            text += &plain("links", format!("{{runbook: {}}}", scalar(runbook)), 4);
        }
        text += &plain("objective", slo.objective, 4);
        text += &plain("window", slo.window, 4);
        text += &sli(&slo.sli);
        if !slo.by.is_empty() {
            text += &plain("by", format!("[{}]", slo.by.join(", ")), 4);
        }
        text += &alerting(slo, loaded, policies);
    }
    Some(text)
}

/// Labels of the SLO that a native file may have.
fn kept_labels(slo: &Slo, loaded: &Loaded) -> BTreeMap<String, String> {
    let kept = slo.labels.iter().filter(|(name, _)| why_not(name, slo, loaded).is_none());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Why a native file cannot have a label of this name, if it cannot.
pub(super) fn why_not(name: &str, slo: &Slo, loaded: &Loaded) -> Option<&'static str> {
    if clashing_label::RESERVED.contains(&name) {
        return Some("every native alert carries a label of this name");
    }
    if slo.by.iter().any(|by| by == name) {
        return Some("the group has a label of this name");
    }
    if loaded.config.as_ref().is_some_and(|config| config.server.external_labels.contains_key(name)) {
        return Some("`external_labels` adds a label of this name");
    }
    (!is_label(name)).then_some("a native label has letters, digits and `_` only")
}

/// The runbook of the page alert that is none of all alerts.
fn page_runbook(slo: &Slo) -> Option<&str> {
    let has = |of: &BTreeMap<String, String>| of.contains_key("runbook") || of.contains_key("runbook_url");
    if has(&slo.alerting.annotations) {
        return None;
    }
    let alerts = slo.alerting.foreign.as_ref()?.alerts.iter();
    let mut pages = alerts.filter(|alert| alert.severity == AlertSeverity::Page);
    pages
        .find_map(|page| page.annotations.get("runbook").or_else(|| page.annotations.get("runbook_url")))
        .map(String::as_str)
}

fn alerting(slo: &Slo, loaded: &Loaded, policies: &mut Policies) -> String {
    let mut text = "    alerting:\n".to_owned();
    let Some(policy) = policies.name_of(slo, loaded) else {
        if slo.window < BALANCED_FROM {
            text += "      policy: workbook\n";
        }
        return text + "      mode: off\n";
    };
    text += &line("policy", &policy, 6);
    let keep = |name: &&String| why_not(name, slo, loaded).is_none();
    let labels = slo.alerting.labels.iter().filter(|(name, _)| keep(name));
    text += &mapping("labels", &labels.map(|(name, value)| (name.clone(), value.clone())).collect(), 6);
    let mut annotations = slo.alerting.annotations.clone();
    annotations.retain(|name, _| is_label(name));
    if let Some(runbook) = page_runbook(slo).filter(|runbook| !is_http(runbook)) {
        annotations.insert("runbook".to_owned(), runbook.to_owned());
    }
    text + &mapping("annotations", &annotations, 6)
}

fn sli(sli: &Sli) -> String {
    let mut text = "    sli:\n".to_owned();
    match sli {
        Sli::Exact { numerator, events, total } => text += &exact(*numerator, events, total),
        Sli::Pushdown { numerator, events, total, .. } => {
            text += "      events:\n";
            text += &line(side(*numerator), &events.text, 8);
            text += &line("total", &total.text, 8);
            text += &unit([events, total]);
        }
        Sli::Gauge { query, bound, absent } => text += &gauge(query, *bound, *absent),
        Sli::Ratio { query } => text += &line("ratio", query, 6),
    }
    text
}

const fn side(numerator: Numerator) -> &'static str {
    match numerator {
        Numerator::Bad => "bad",
        Numerator::Good => "good",
    }
}

fn exact(numerator: Numerator, events: &Selector, total: &Selector) -> String {
    if let Some(latency) = events.bucket.and_then(|bound| latency(bound, events, total)) {
        return latency;
    }
    let sides = line(side(numerator), &events.to_string(), 8) + &line("total", &total.to_string(), 8);
    format!("      events:\n{sides}")
}

/// The bucket of a histogram, `le` chosen by its number.
fn latency(bound: f64, events: &Selector, total: &Selector) -> Option<String> {
    let base = total.metric.strip_suffix("_count")?;
    let histogram = Selector { metric: base.to_owned(), ..total.clone() };
    let is_extra = |matcher: &&Matcher| matcher.name != "le" && !total.matchers.contains(matcher);
    let extra: Vec<String> = events.matchers.iter().filter(is_extra).map(ToString::to_string).collect();
    let number: Decimal = bound.to_string().parse().ok()?;
    let millis = number * Decimal::ONE_THOUSAND;
    let below = if millis.is_integer() {
        Length::from_millis(millis.normalize().to_string().parse().ok()?).to_string()
    } else {
        number.to_string()
    };
    let mut text = "      latency:\n".to_owned() + &line("histogram", &histogram.to_string(), 8);
    text += &plain("below", below, 8);
    if !extra.is_empty() {
        text += &line("good", &extra.join(","), 8);
    }
    Some(text)
}

/// `unit`, where the queries do not tell it.
fn unit(sides: [&PushdownQuery; 2]) -> String {
    let told = |query: &&PushdownQuery| Query::parse(&query.text).is_ok_and(|read| read.unit() == Some(query.unit));
    if sides.iter().all(told) {
        return String::new();
    }
    let unit = if sides.iter().any(|query| query.unit == Unit::Rate) { "rate" } else { "count" };
    format!("        unit: {unit}\n")
}

fn gauge(query: &str, bound: Bound, absent: Absent) -> String {
    let is_selector = Query::parse(query).is_ok_and(|query| query.bare().is_some());
    if is_selector && bound == Bound::Equals(1.0) && absent == Absent::Ignore {
        return line("probe", query, 6);
    }
    let (key, number) = match bound {
        Bound::Below(number) => ("below", number),
        Bound::Above(number) => ("above", number),
        Bound::Equals(number) => ("equals", number),
    };
    let absent = if absent == Absent::Bad { "        absent: bad\n" } else { "" };
    format!("      gauge:\n{}        {key}: {number}\n{absent}", line("query", query, 8))
}

/// A mapping of texts, a line each; nothing where it is empty.
fn mapping(key: &str, texts: &BTreeMap<String, String>, indent: usize) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let begin = format!("{}{key}:\n", " ".repeat(indent));
    texts.iter().fold(begin, |text, (name, value)| text + &line(name, value, indent + 2))
}

/// A key with what needs no quotes.
fn plain(key: &str, value: impl fmt::Display, indent: usize) -> String {
    format!("{}{key}: {value}\n", " ".repeat(indent))
}

/// A key with a text: several lines are a block.
fn line(key: &str, value: &str, indent: usize) -> String {
    let (blanks, key) = (" ".repeat(indent), scalar(key));
    let is_block = value.contains('\n')
        && !value.starts_with([' ', '\n'])
        && !value.ends_with('\n')
        && value.chars().all(|c| c == '\n' || !c.is_control());
    if !is_block {
        return format!("{blanks}{key}: {}\n", scalar(value));
    }
    let indented = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{blanks}  {line}\n") };
    value.split('\n').fold(format!("{blanks}{key}: |-\n"), |text, line| text + &indented(line))
}

/// A text as YAML on one line, quoted where it has to be.
pub(super) fn scalar(text: &str) -> String {
    let words: BTreeSet<&str> = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].into();
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !words.contains(text.to_ascii_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else if text.chars().any(char::is_control) {
        // JSON's strings are YAML's.
        serde_json::to_string(text).unwrap_or_default()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{SourceText, parse};

    #[test]
    fn texts_are_read_as_they_were_written() {
        for text in [
            "shop",
            "99",
            "true",
            "",
            "it's",
            "a: b # c",
            "{{ $value }}",
            "a\nb",
            "a\n\n  b",
            " a\nb",
            "a\nb\n",
            "\ta\u{7}",
            "ä",
        ] {
            for indent in [0, 6] {
                let stream = parse(&SourceText::named("f", format!("x:\n{}", line("key", text, indent + 2))));
                let (document, findings) = &stream.documents[0];
                assert_eq!((findings.len(), &stream.stopped), (0, &None), "{text:?}");
                let node = document.find("/x/key").unwrap();
                assert_eq!(document.text(node), Some(text));
            }
        }
    }
}
