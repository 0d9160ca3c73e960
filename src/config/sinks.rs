//! Reads `sinks`. The types are listed here, once; what only one of them has is in its file.

pub mod email;
pub mod exec;
pub mod file;
pub mod github;
pub mod gitlab;
pub mod jira;
pub mod opsgenie;
pub mod pagerduty;
pub mod servicenow;
pub mod slack;
pub mod teams;
pub mod webhook;

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::meant::{SecretRef, SinkConfig, TemplateFile};
use crate::config::read::{secret, section};
use crate::config::sources::read_urls;
use crate::config::written::{AlertmanagerItem, SeverityNames, StdoutItem};
use crate::diag::{Diagnostic, codes};
use crate::spec::policy::AlertSeverity;
use crate::spec::value;
use crate::units::Length;
use crate::yaml::{NodeId, Reader, Shape};

/// What `type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Alertmanager,
    Webhook,
    Stdout,
    Pagerduty,
    Opsgenie,
    Slack,
    Teams,
    Email,
    Github,
    Gitlab,
    Jira,
    Servicenow,
    Exec,
    File,
}

const TYPES: &[(&str, Type)] = &[
    ("alertmanager", Type::Alertmanager),
    ("webhook", Type::Webhook),
    ("stdout", Type::Stdout),
    ("pagerduty", Type::Pagerduty),
    ("opsgenie", Type::Opsgenie),
    ("slack", Type::Slack),
    ("teams", Type::Teams),
    ("email", Type::Email),
    ("github", Type::Github),
    ("jira", Type::Jira),
    ("gitlab", Type::Gitlab),
    ("servicenow", Type::Servicenow),
    ("exec", Type::Exec),
    ("file", Type::File),
];

/// FORMATS 3.
const EXPIRES: Length = Length::from_minutes(15);
/// Alerts are sent again each minute: one missed must not end them.
const LEAST_EXPIRES: Length = Length::from_minutes(2);

const DEFAULT_URL: &str = "http://127.0.0.1:9093";

/// Reads one sink; what is wrong is noted. `None` where that leaves nothing to use.
pub(super) fn read_sink(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<SinkConfig> {
    if !reader.expect(node, Shape::Mapping) {
        return None;
    }
    let document = reader.document();
    let Some(child) = document.child(node, "type") else {
        reader.missing(node, "type", "`webhook`, `alertmanager`, `email`, `slack`, ..");
        return None;
    };
    let text = document.text(child);
    if text.is_none() {
        reader.expect(child, Shape::Text);
    }
    match value::choice(reader, node, "type", text, TYPES)? {
        Type::Alertmanager => read_alertmanager(reader, node),
        Type::Webhook => webhook::read(reader, node, folder),
        Type::Stdout => reader.decode::<StdoutItem>(node).map(|_| SinkConfig::Stdout),
        Type::Pagerduty => pagerduty::read(reader, node, folder).map(SinkConfig::Pagerduty),
        Type::Opsgenie => opsgenie::read(reader, node, folder).map(SinkConfig::Opsgenie),
        Type::Slack => slack::read(reader, node, folder).map(SinkConfig::Slack),
        Type::Teams => teams::read(reader, node, folder).map(SinkConfig::Teams),
        Type::Email => email::read(reader, node, folder).map(SinkConfig::Email),
        Type::Github => github::read(reader, node, folder).map(SinkConfig::Github),
        Type::Gitlab => gitlab::read(reader, node, folder).map(SinkConfig::Gitlab),
        Type::Jira => jira::read(reader, node, folder).map(SinkConfig::Jira),
        Type::Servicenow => servicenow::read(reader, node, folder).map(SinkConfig::Servicenow),
        Type::Exec => exec::read(reader, node, folder).map(SinkConfig::Exec),
        Type::File => file::read(reader, node, folder).map(SinkConfig::File),
    }
}

/// What our severities are called at a receiver that knows these words only; `defaults` of page, ticket and notice.
fn words_of_severities(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    words: &[&'static str],
    defaults: [&'static str; 3],
) -> BTreeMap<AlertSeverity, String> {
    let choices: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
    let written = section::<SeverityNames>(reader, node, key);
    let mut word = |name: &str, pick: fn(&SeverityNames) -> Option<&str>, default: &'static str| {
        let found =
            written.as_ref().and_then(|(node, names)| value::choice(reader, *node, name, pick(names), &choices));
        found.unwrap_or(default).to_owned()
    };
    let [page, ticket, notice] = defaults;
    BTreeMap::from([
        (AlertSeverity::Page, word("page", |names| names.page.as_deref(), page)),
        (AlertSeverity::Ticket, word("ticket", |names| names.ticket.as_deref(), ticket)),
        (AlertSeverity::Notice, word("notice", |names| names.notice.as_deref(), notice)),
    ])
}

/// The secret under `key`, which must be there.
fn required_secret(reader: &mut Reader<'_>, node: NodeId, key: &str, folder: &Path) -> Option<SecretRef> {
    if reader.document().child(node, key).is_none() {
        reader.missing(node, key, "write {env: NAME} or {file: PATH}");
        return None;
    }
    secret(reader, node, key, folder)
}

/// The labels of a ticket; one that the receiver does not take is noted and left out.
fn ticket_labels(
    reader: &mut Reader<'_>,
    node: NodeId,
    written: Option<Vec<String>>,
    takes: impl Fn(&str) -> bool,
) -> Vec<String> {
    let takes = |label: &str| !label.trim().is_empty() && !label.contains(char::is_control) && takes(label);
    let (good, bad): (Vec<String>, Vec<String>) =
        written.unwrap_or_default().into_iter().partition(|label| takes(label));
    for label in bad {
        let finding = Diagnostic::error(codes::BAD_NAME, format!("`{label}` cannot be a label there"));
        reader.report_in(node, "labels", finding);
    }
    good
}

fn read_alertmanager(reader: &mut Reader<'_>, node: NodeId) -> Option<SinkConfig> {
    let item: AlertmanagerItem = reader.decode(node)?;
    let urls = read_urls(reader, node, "urls").unwrap_or_else(|| vec![DEFAULT_URL.to_owned()]);
    let expires = value::positive_length(reader, node, "expires", item.expires.as_deref()).unwrap_or(EXPIRES);
    if expires < LEAST_EXPIRES {
        let message = format!("`expires` is below {LEAST_EXPIRES}, and alerts are sent again each minute");
        reader.report_in(node, "expires", Diagnostic::error(codes::BAD_DURATION, message));
    }
    let names = section::<SeverityNames>(reader, node, "severity").map(|(_, names)| names).unwrap_or_default();
    let severity = BTreeMap::from([
        (AlertSeverity::Page, names.page.unwrap_or_else(|| "page".to_owned())),
        (AlertSeverity::Ticket, names.ticket.unwrap_or_else(|| "ticket".to_owned())),
        (AlertSeverity::Notice, names.notice.unwrap_or_else(|| "notice".to_owned())),
    ]);
    Some(SinkConfig::Alertmanager { urls, expires, severity })
}

/// What stands in place of the built-in text; each type says by its keys whether it has one.
pub(super) fn read_template(
    reader: &mut Reader<'_>,
    node: NodeId,
    folder: &Path,
    sink: &SinkConfig,
) -> Option<TemplateFile> {
    let child = reader.document().child(node, "template")?;
    if !reader.expect(child, Shape::Text) {
        return None;
    }
    let path = folder.join(reader.document().text(child)?);
    let json = matches!(sink, SinkConfig::Webhook { shape, .. } if shape.content_type.is_none());
    Some(TemplateFile { path, json })
}
