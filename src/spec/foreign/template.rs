//! The two sorts of Go templates in foreign files: `{{ .window }}` in Sloth's queries, and `$labels` and `$value` in
//! the labels and annotations of alerts.
//!
//! Only these are understood. Any other action is an error in a query, where it changes what is counted, and a warning
//! in an alert, where it is sent as written.

use crate::diag::{Diagnostic, codes};
use crate::spec::query::{Query, WINDOW};
use crate::yaml::{NodeId, Reader};

/// A template action: the bytes from `{{` to after `}}`, and what stands between, trim markers and blanks taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Action<'t> {
    from: usize,
    to: usize,
    inner: &'t str,
}

/// The actions of a text; `None` where one does not end.
fn actions(text: &str) -> Option<Vec<Action<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..)?.find("{{") {
        let from = at + open;
        let length = text.get(from + 2..)?.find("}}")?;
        let inner = text.get(from + 2..from + 2 + length)?;
        let to = from + 2 + length + 2;
        // `{{- x -}}`: the markers want a blank between them and the action.
        let inner = inner.strip_prefix("- ").unwrap_or(inner);
        let inner = inner.strip_suffix(" -").unwrap_or(inner);
        found.push(Action { from, to, inner: inner.trim() });
        at = to;
    }
    Some(found)
}

/// Whether `text` has the placeholder in the spelling that Sloth looks for: only blanks beside `.window`.
fn has_window(text: &str) -> bool {
    text.match_indices("{{").any(|(at, _)| {
        let rest = text.get(at + 2..).unwrap_or_default().trim_start_matches(' ');
        rest.strip_prefix(".window").is_some_and(|rest| rest.trim_start_matches(' ').starts_with("}}"))
    })
}

/// The query under `key`, a template of Sloth's, with `$window` for `{{ .window }}`; what is wrong is noted.
pub(super) fn query(reader: &mut Reader<'_>, node: NodeId, key: &str) -> Option<Query> {
    let written = super::required(reader, node, key, "PromQL with {{ .window }} where a range belongs")?;
    if !has_window(written) {
        let finding = Diagnostic::error(codes::NO_WINDOW, format!("`{key}` has no {{{{ .window }}}}"));
        reader.report_in(node, key, finding.with_help("put it where a range belongs, as in rate(x[{{ .window }}])"));
        return None;
    }
    let Some(actions) = actions(written) else {
        let finding = Diagnostic::error(codes::BAD_QUERY, "a template action `{{` is not closed by `}}`");
        reader.report_in(node, key, finding);
        return None;
    };
    if let Some(other) = actions.iter().find(|action| action.inner != ".window") {
        let message = format!("`{{{{ {} }}}}` in `{key}` is not understood", other.inner);
        let finding = Diagnostic::error(codes::FOREIGN_TEMPLATE, message);
        reader.report_in(node, key, finding.with_help("write the query out; only {{ .window }} is filled in"));
        return None;
    }
    if written.contains(WINDOW) {
        let finding = Diagnostic::error(codes::BAD_QUERY, "`$window` is not PromQL, and no placeholder of Sloth's");
        reader.report_in(node, key, finding.with_help("write {{ .window }}"));
        return None;
    }
    let simple =
        |action: &Action<'_>| matches!(written.get(action.from..action.to), Some("{{.window}}" | "{{ .window }}"));
    if actions.iter().all(simple) {
        // As written, so that the places of errors are those of the file.
        return crate::spec::events::query(reader, node, key, Some(written));
    }
    match Query::parse(&filled(written, &actions)) {
        Ok(query) => Some(query),
        Err(error) => {
            reader.report_in(node, key, Diagnostic::error(codes::BAD_QUERY, error.message));
            None
        }
    }
}

/// `text` with `$window` for its actions.
fn filled(text: &str, actions: &[Action<'_>]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut at = 0;
    for action in actions {
        filled.push_str(text.get(at..action.from).unwrap_or_default());
        filled.push_str(WINDOW);
        at = action.to;
    }
    filled.push_str(text.get(at..).unwrap_or_default());
    filled
}

/// Warns of template actions in a label or annotation that are not rendered here.
pub(super) fn check(reader: &mut Reader<'_>, value: NodeId, name: &str, text: &str) {
    let message = match actions(text) {
        None => format!("the template in `{name}` has a `{{{{` that is not closed, and is sent as written"),
        Some(actions) => match actions.iter().find(|action| !is_rendered(action.inner)) {
            Some(other) => format!("`{{{{ {} }}}}` in `{name}` is not rendered, and sent as written", other.inner),
            None => return,
        },
    };
    let finding = Diagnostic::warning(codes::FOREIGN_TEMPLATE, message);
    reader.report(
        value,
        finding.with_help("{{ $labels.NAME }}, {{ $value }} and {{ $value | humanizePercentage }} are rendered"),
    );
}

/// Whether an action is `$value`, also as a percentage, or `$labels.NAME`.
fn is_rendered(inner: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let label = inner.strip_prefix("$labels.").or_else(|| inner.strip_prefix(".Labels."));
    is_value(inner) || is_percentage(inner) || label.is_some_and(is_name)
}

/// Whether an action is the value by itself.
#[must_use]
pub fn is_value(action: &str) -> bool {
    matches!(action, "$value" | ".Value")
}

/// Whether an action is the value as a percentage, in a pipe or called.
#[must_use]
pub fn is_percentage(action: &str) -> bool {
    const FUNCTION: &str = "humanizePercentage";
    let piped = action.split_once('|').is_some_and(|(value, to)| is_value(value.trim()) && to.trim() == FUNCTION);
    let called = |rest: &str| rest.starts_with([' ', '\t']) && is_value(rest.trim());
    piped || action.strip_prefix(FUNCTION).is_some_and(called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placeholder_is_looked_for_as_sloth_does() {
        for text in ["a[{{.window}}]", "a[{{ .window }}]", "a[{{   .window}}]", "{{- .window }} {{.window }}"] {
            assert!(has_window(text), "{text}");
        }
        for text in ["a[{{- .window }}]", "a[5m]", "a[{{ .windows }}]", "a[{{\t.window}}]", "a[$window]", "{{ .window"]
        {
            assert!(!has_window(text), "{text}");
        }
    }

    #[test]
    fn every_spelling_is_filled_in() {
        let text = "a[{{.window}}] b[{{-  .window -}}] c[{{ .window}}]";
        assert_eq!(filled(text, &actions(text).unwrap()), "a[$window] b[$window] c[$window]");
        assert_eq!(actions("{{ a }} {{ b"), None);
    }

    #[test]
    fn only_labels_and_the_value_are_rendered() {
        for inner in ["$value", ".Value", "$labels.job", "$labels._x1", ".Labels.job"] {
            assert!(is_rendered(inner), "{inner}");
        }
        for inner in ["$value | humanizePercentage", ".Value|humanizePercentage", "humanizePercentage $value"] {
            assert!(is_rendered(inner), "{inner}");
        }
        for inner in ["humanizePercentage", "humanizePercentage$value", "$value | humanizePercentage | title"] {
            assert!(!is_rendered(inner), "{inner}");
        }
        for inner in ["$labels", "$labels.a-b", "$value | humanize", ".Labels", "$externalLabels.x", "$labels."] {
            assert!(!is_rendered(inner), "{inner}");
        }
    }
}
