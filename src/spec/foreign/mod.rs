//! Files of other tools, read as they are: Sloth's and Pyrra's. They become the same [`Slo`](crate::spec::meant::Slo)
//! as native files, for the same engine and the same checks (FORMATS 6).
//!
//! Here is what both readers share: keys, texts and flags, durations of Prometheus, templates. What their tool
//! ignores is a warning, what it refuses is an error, and what cannot be honoured here is told by the name of its
//! field.

pub mod pyrra;
mod pyrra_alerts;
mod pyrra_indicator;
pub mod sloth;
mod sloth_alerts;
pub mod template;
pub mod windows;

use std::sync::Arc;

use crate::diag::{Diagnostic, codes};
use crate::spec::meant::Origin;
use crate::spec::policy::Policy;
use crate::spec::slos::Surroundings;
use crate::units::Length;
use crate::yaml::{NodeId, Reader, Shape, suggestion};

/// What a tool does with a key that its format does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing at all: told as a warning.
    Ignored,
    /// It refuses the file.
    Refused,
}

/// The name of a tool, as its users write it.
#[must_use]
pub const fn tool(origin: Origin) -> &'static str {
    match origin {
        Origin::Sloth => "Sloth",
        Origin::Pyrra => "Pyrra",
    }
}

/// Notes the keys of a mapping that are none of `known`; `false` where it is no mapping (noted, unless it is nothing).
pub(super) fn keys(reader: &mut Reader<'_>, node: NodeId, known: &[&str], unknown: Unknown) -> bool {
    let document = reader.document();
    if document.shape(node) == Shape::Nothing || !reader.expect(node, Shape::Mapping) {
        return false;
    }
    for child in document.children(node) {
        let Some(key) = document.key(*child).filter(|key| !known.contains(key)) else { continue };
        let mut finding = match unknown {
            Unknown::Refused => Diagnostic::error(codes::UNKNOWN_KEY, format!("unknown key `{key}`")),
            Unknown::Ignored => {
                let message = format!("unknown key `{key}`: Sloth ignores it, and everything below it");
                Diagnostic::warning(codes::UNKNOWN_KEY, message)
            }
        };
        finding.help = Some(match respelt(key, known).or_else(|| suggestion(key, known.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("known here: {}", known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", "))
            }
        });
        reader.report_key(*child, finding);
    }
    true
}

/// The key that differs only in case and underscores: `pageAlert` for `page_alert`.
fn respelt<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    known.iter().copied().find(|known| plain(known) == plain(key))
}

/// The mapping under `key`, its keys looked at; `None` where there is none.
pub(super) fn mapping(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    known: &[&str],
    unknown: Unknown,
) -> Option<NodeId> {
    let child = reader.document().child(node, key)?;
    keys(reader, child, known, unknown).then_some(child)
}

/// The text under `key`; nothing at all and an empty text are the same, as in Go.
pub(super) fn text<'a>(reader: &mut Reader<'a>, node: NodeId, key: &str) -> Option<&'a str> {
    let document = reader.document();
    let child = document.child(node, key)?;
    if document.shape(child) == Shape::Nothing || !reader.expect(child, Shape::Text) {
        return None;
    }
    document.text(child).filter(|text| !text.is_empty())
}

/// The text under `key`, which has to be there; `help` says what belongs there.
pub(super) fn required<'a>(reader: &mut Reader<'a>, node: NodeId, key: &str, help: &str) -> Option<&'a str> {
    let before = reader.count();
    let found = text(reader, node, key);
    if found.is_none() && reader.count() == before {
        let finding = Diagnostic::error(codes::MISSING_KEY, format!("`{key}` is missing")).with_help(help);
        reader.report_in(node, key, finding);
    }
    found
}

/// `true` or `false` under `key`.
pub(super) fn flag(reader: &mut Reader<'_>, node: NodeId, key: &str) -> Option<bool> {
    match text(reader, node, key)? {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            let message = format!("`{key}` has to be `true` or `false`");
            reader.report_in(node, key, Diagnostic::error(codes::SHAPE, message));
            None
        }
    }
}

/// Keys and texts of the mapping under `key`, each with its node; nothing at all is the empty text.
pub(super) fn entries<'a>(reader: &mut Reader<'a>, node: NodeId, key: &str) -> Vec<(&'a str, &'a str, NodeId)> {
    let document = reader.document();
    let Some(mapping) = document.child(node, key) else { return Vec::new() };
    if document.shape(mapping) == Shape::Nothing || !reader.expect(mapping, Shape::Mapping) {
        return Vec::new();
    }
    let mut entries = Vec::new();
    for child in document.children(mapping) {
        if document.shape(*child) == Shape::Nothing || reader.expect(*child, Shape::Text) {
            let (key, text) = (document.key(*child), document.text(*child));
            entries.push((key.unwrap_or_default(), text.unwrap_or_default(), *child));
        }
    }
    entries
}

/// A duration as Prometheus' rule files have it: `y w d h m s ms`, each once and in this order, or `0`.
#[must_use]
pub fn prometheus_duration(text: &str) -> Option<Length> {
    if text == "0" {
        return Some(Length::ZERO);
    }
    let Some((years, rest)) = text.split_once('y') else { return text.parse().ok() };
    let years: i64 = years.parse().ok().filter(|_| years.chars().all(|c| c.is_ascii_digit()))?;
    let days = years.checked_mul(365).filter(|days| *days <= 1_000_000)?;
    let rest = if rest.is_empty() { Length::ZERO } else { rest.parse().ok()? };
    Some(Length::from_days(days) + rest)
}

/// A field that means nothing to what is done here, or cannot be kept.
pub(super) fn not_honoured(message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(codes::NOT_HONOURED, message)
}

/// The source of SLOs whose files cannot name one.
pub(super) fn source(reader: &mut Reader<'_>, root: NodeId, around: &Surroundings<'_>) -> Option<String> {
    if around.source.is_none() {
        let message = "there are several sources, and this file cannot say which one answers";
        let finding = Diagnostic::error(codes::MISSING_KEY, message);
        reader.report(root, finding.with_help("call one of the sources `prometheus`"));
    }
    around.source.map(str::to_owned)
}

/// The preset of a tool, or what stands in for it.
pub(super) fn preset(name: &str, around: &Surroundings<'_>) -> Option<Arc<Policy>> {
    around.policies.get(name).or_else(|| around.policies.get("workbook")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_prometheus_reads_them() {
        for (text, length) in [
            ("1y", Length::from_days(365)),
            ("1y2w", Length::from_days(379)),
            ("4w", Length::from_days(28)),
            ("1d12h", Length::from_hours(36)),
            ("0", Length::ZERO),
        ] {
            assert_eq!(prometheus_duration(text), Some(length), "{text}");
        }
        for text in ["", "y", "2t", "1.5h", "1h1d", "-1y", "5", "99999999999999y"] {
            assert_eq!(prometheus_duration(text), None, "{text}");
        }
    }

    #[test]
    fn another_spelling_of_a_key_is_recognised() {
        assert_eq!(respelt("pageAlert", &["name", "page_alert"]), Some("page_alert"));
        assert_eq!(respelt("error_query", &["errorQuery"]), Some("errorQuery"));
        assert_eq!(respelt("pagealarm", &["page_alert"]), None);
    }
}
