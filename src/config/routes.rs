//! Reads `routes`: who is told of what, when, and how often (FORMATS 3).
//!
//! Labels to match stand as a mapping (`{team: web}`, equal) or as a list of matchers (`["team=~web|shop"]`); one
//! escalation may stand without a list.

use crate::config::meant::{Escalation, Grouping, Outside, Route};
use crate::config::read::section;
use crate::config::written::{EscalationItem, MatchItem, RouteItem};
use crate::diag::{Diagnostic, codes};
use crate::spec::policy::SEVERITIES;
use crate::spec::selector::{Matcher, Operation};
use crate::spec::tiers::read_active;
use crate::spec::value;
use crate::units::Length;
use crate::yaml::{NodeId, Reader, Shape};

/// From the first alert of a group to its first message (FORMATS 3): what fails together is told together.
const GROUP_WAIT: Length = Length::from_seconds(30);
/// Between two messages of a group (FORMATS 3).
const GROUP_INTERVAL: Length = Length::from_minutes(5);
/// More often a message is noise.
const SHORTEST_REPEAT: Length = Length::from_minutes(1);
/// `outside`.
const OUTSIDE: &[(&str, Outside)] = &[("wait", Outside::Wait), ("skip", Outside::Skip)];
/// Longest first, so that `=~` is not taken for `=`.
const OPERATORS: [(&str, Operation); 4] =
    [("=~", Operation::Match), ("!~", Operation::NotMatch), ("!=", Operation::NotEqual), ("=", Operation::Equal)];

/// One of `routes`; what is wrong is noted.
pub(super) fn read_route(reader: &mut Reader<'_>, node: NodeId) -> Option<Route> {
    let item: RouteItem = reader.decode(node)?;
    if item.to.as_ref().is_none_or(Vec::is_empty) {
        reader.missing(node, "to", "a list of sinks, or `owner`");
    }
    let mut route = Route {
        continue_: item.continue_.as_ref().is_some_and(|flag| flag.0),
        grouping: read_grouping(reader, node, &item),
        repeat: read_repeat(reader, node, item.repeat.as_deref()),
        escalate: read_escalations(reader, node),
        active: read_active(reader, node),
        outside: value::choice(reader, node, "outside", item.outside.as_deref(), OUTSIDE).unwrap_or_default(),
        to: item.to.unwrap_or_default(),
        ..Route::default()
    };
    if item.outside.is_some() && reader.document().child(node, "active").is_none() {
        contradiction(
            reader,
            node,
            "outside",
            "`outside` says nothing without `active`",
            "add `active`, or take it out",
        );
    }
    if let Some((node, wanted)) = section::<MatchItem>(reader, node, "match") {
        route.severity = value::choice(reader, node, "severity", wanted.severity.as_deref(), SEVERITIES);
        route.service = value::name(reader, node, "service", wanted.service);
        route.owner = value::name(reader, node, "owner", wanted.owner);
        route.slo = wanted.slo.filter(|text| !text.is_empty());
        route.labels = read_labels(reader, node);
    }
    Some(route)
}

fn contradiction(reader: &mut Reader<'_>, node: NodeId, key: &str, message: &str, help: &str) {
    reader.report_in(node, key, Diagnostic::error(codes::BAD_TIER, message).with_help(help));
}

/// `group_by`, `group_wait`, `group_interval`.
fn read_grouping(reader: &mut Reader<'_>, node: NodeId, item: &RouteItem) -> Option<Grouping> {
    let wait = value::length(reader, node, "group_wait", item.group_wait.as_deref());
    let interval = value::positive_length(reader, node, "group_interval", item.group_interval.as_deref());
    let Some(by) = &item.group_by else {
        for (key, said) in [("group_wait", &item.group_wait), ("group_interval", &item.group_interval)] {
            if said.is_some() {
                let message = format!("`{key}` says nothing without `group_by`");
                contradiction(reader, node, key, &message, "add `group_by`, or take it out");
            }
        }
        return None;
    };
    for child in reader.items(node, "group_by") {
        if let Some(text) = reader.document().text(*child).filter(|text| !value::is_label(text)) {
            let finding = value::bad_label(text);
            reader.report(*child, finding);
        }
    }
    let (wait, interval) = (wait.unwrap_or(GROUP_WAIT), interval.unwrap_or(GROUP_INTERVAL));
    Some(Grouping { by: by.clone(), wait, interval })
}

fn read_repeat(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> Option<Length> {
    let repeat = value::positive_length(reader, node, "repeat", written)?;
    if repeat < SHORTEST_REPEAT {
        let message = format!("a repeat every {repeat} is more often than {SHORTEST_REPEAT}");
        reader.report_in(node, "repeat", Diagnostic::error(codes::BAD_DURATION, message));
        return None;
    }
    Some(repeat)
}

/// One escalation, or a list of them with ascending `after`.
fn read_escalations(reader: &mut Reader<'_>, node: NodeId) -> Vec<Escalation> {
    let document = reader.document();
    let Some(child) = document.child(node, "escalate") else { return Vec::new() };
    let items = match document.shape(child) {
        Shape::Nothing => return Vec::new(),
        Shape::List => document.children(child).to_vec(),
        Shape::Mapping | Shape::Text => vec![child],
    };
    let mut escalations: Vec<Escalation> = Vec::new();
    for node in items {
        let Some(item) = reader.decode::<EscalationItem>(node) else { continue };
        if item.to.as_ref().is_none_or(Vec::is_empty) {
            reader.missing(node, "to", "a list of sinks, or `owner`");
        }
        if item.after.is_none() {
            reader.missing(node, "after", "how long to wait for somebody to acknowledge, such as 15m");
        }
        let after = value::positive_length(reader, node, "after", item.after.as_deref());
        let (Some(after), Some(to)) = (after, item.to) else { continue };
        if escalations.last().is_some_and(|last| last.after >= after) {
            let message = "an escalation comes no later than the one before it";
            contradiction(reader, node, "after", message, "write them in ascending order of `after`");
        }
        escalations.push(Escalation { after, to });
    }
    escalations
}

/// `labels` of `match`.
fn read_labels(reader: &mut Reader<'_>, node: NodeId) -> Vec<Matcher> {
    let document = reader.document();
    let Some(child) = document.child(node, "labels") else { return Vec::new() };
    if document.shape(child) != Shape::List {
        let labels = value::labels(reader, node, "labels");
        return labels.iter().filter_map(|(name, text)| Matcher::new(name, Operation::Equal, text).ok()).collect();
    }
    let mut matchers = Vec::new();
    for item in document.children(child) {
        if reader.expect(*item, Shape::Text)
            && let Some(text) = document.text(*item)
        {
            match matcher(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(finding) => reader.report(*item, *finding),
            }
        }
    }
    matchers
}

/// `team=~web|shop`, the value with or without quotes.
fn matcher(text: &str) -> Result<Matcher, Box<Diagnostic>> {
    const HELP: &str = "write it like team=web, team!=web, team=~\"web|shop\" or team!~web";
    let wrong = |message: String| Box::new(Diagnostic::error(codes::BAD_LABEL, message).with_help(HELP));
    let name: String = text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let rest = text.trim_start().strip_prefix(name.as_str()).unwrap_or_default().trim_start();
    let operator = OPERATORS.iter().find_map(|(sign, operation)| Some((*operation, rest.strip_prefix(sign)?)));
    let Some((operation, value)) = operator else {
        return Err(wrong(format!("`{text}` is no label matcher")));
    };
    if !value::is_label(&name) {
        return Err(Box::new(value::bad_label(&name)));
    }
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Matcher::new(&name, operation, value).map_err(|_| wrong(format!("`{value}` is no regular expression")))
}
