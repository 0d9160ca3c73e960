//! Rule files as text: written here and not by a serializer, so that equal rules are equal bytes for ever.
//!
//! Expressions are literal blocks, everything else that comes from files is a double-quoted scalar. Invariant: whatever
//! the text, a YAML reader gives it back as it is.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::ruler::Ruler;
use crate::units::Length;

/// Before the rules of SLOs.
pub(super) const HEAD: &str = "\
# Made from SLO files by `slo generate prometheus`; edits here are lost.
#
# Events are summed, ratios are never averaged. Windows up to 6h are counted at each evaluation; longer ones are sums of
# recorded increases, on multiples of 5m (up to 4d) or 1h. Until a window is full it holds what was recorded so far.
# What `slo run` does and rules cannot: keep an alert that lost its data (here it ends), see first values of new series,
# fold gaps of scraping, hold tickets back under a page, forecast.
";

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// What it makes.
    pub(super) makes: Makes,
    /// PromQL.
    pub(super) expression: String,
    /// Labels added to the result.
    pub(super) labels: BTreeMap<String, String>,
    /// What is to be known about it, one line each.
    pub(super) comments: Vec<String>,
}

/// What a rule makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Makes {
    /// A series of this name.
    Record(String),
    /// An alert.
    Alert {
        /// `alertname`.
        name: String,
        /// How long the expression has to hold.
        for_: Length,
        /// How long it goes on after that.
        keep_firing_for: Length,
        /// What it says.
        annotations: BTreeMap<String, String>,
    },
}

/// Rules that are evaluated together, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Unique in the file.
    pub(super) name: String,
    /// What it is for.
    pub(super) comment: String,
    /// How often.
    pub(super) interval: Length,
    /// Whether an incomplete answer is a failure; only Thanos knows incomplete answers.
    pub(super) partial_is_failure: bool,
    /// In this order.
    pub(super) rules: Vec<Rule>,
}

/// A rule file.
pub(super) fn text(ruler: Ruler, head: &str, groups: &[Group]) -> String {
    let mut text = format!("{head}#\n# Ruler: {}.\n", ruler.name());
    if ruler == Ruler::Mimir {
        text.push_str("namespace: slo\n");
    }
    if groups.is_empty() {
        text.push_str("groups: []\n");
        return text;
    }
    text.push_str("groups:\n");
    for group in groups {
        write_group(&mut text, ruler, group);
    }
    text
}

// Writing to a string cannot fail, so the results of `write!` below say nothing.

fn write_group(text: &mut String, ruler: Ruler, group: &Group) {
    let _ = writeln!(
        text,
        "  # {}\n  - name: {}\n    interval: {}",
        comment(&group.comment),
        scalar(&group.name),
        group.interval
    );
    if ruler == Ruler::Thanos {
        let strategy = if group.partial_is_failure { "abort" } else { "warn" };
        let _ = writeln!(text, "    partial_response_strategy: {strategy}");
    }
    text.push_str("    rules:\n");
    for rule in &group.rules {
        write_rule(text, rule);
    }
}

fn write_rule(text: &mut String, rule: &Rule) {
    for line in &rule.comments {
        let _ = writeln!(text, "      # {}", comment(line));
    }
    let head = match &rule.makes {
        Makes::Record(name) => format!("record: {name}"),
        Makes::Alert { name, .. } => format!("alert: {}", scalar(name)),
    };
    let _ = writeln!(text, "      - {head}\n        expr: {}", block(&rule.expression, "          "));
    if let Makes::Alert { for_, keep_firing_for, .. } = &rule.makes {
        for (key, length) in [("for", for_), ("keep_firing_for", keep_firing_for)] {
            if *length > Length::ZERO {
                let _ = writeln!(text, "        {key}: {length}");
            }
        }
    }
    write_map(text, "labels", &rule.labels);
    if let Makes::Alert { annotations, .. } = &rule.makes {
        write_map(text, "annotations", annotations);
    }
}

fn write_map(text: &mut String, key: &str, map: &BTreeMap<String, String>) {
    if map.is_empty() {
        return;
    }
    let _ = writeln!(text, "        {key}:");
    for (name, value) in map {
        let _ = writeln!(text, "          {name}: {}", scalar(value));
    }
}

/// A comment's text: on one line.
fn comment(text: &str) -> String {
    text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect()
}

/// Printable everywhere, and no line break to any reader of YAML.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A literal block; where the text has characters that a block cannot hold, a quoted scalar.
fn block(text: &str, indent: &str) -> String {
    let text = text.trim();
    if !text.chars().all(|c| c == '\n' || is_plain(c)) {
        return scalar(text);
    }
    let lines = text.lines().map(|line| if line.is_empty() { String::new() } else { format!("{indent}{line}") });
    format!("|-\n{}", lines.collect::<Vec<_>>().join("\n"))
}

/// A double-quoted scalar.
fn scalar(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if is_plain(c) => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_text_a_reader_gives_it_back() {
        for wanted in
            ["a", "", " a: b #c ", "say \"{{ $labels.x }}\"\\d+\n\ttab", "ä€\u{1f600}\u{85}\u{2028}\u{7}", "- x", "|-"]
        {
            let read: BTreeMap<String, String> = serde_yaml::from_str(&format!("{{a: {}}}", scalar(wanted))).unwrap();
            assert_eq!(read["a"], wanted);
            let rule = Rule {
                makes: Makes::Record("a".into()),
                expression: format!("x {wanted}\n\n  y"),
                labels: BTreeMap::new(),
                comments: vec![wanted.to_owned()],
            };
            let group = Group {
                name: wanted.to_owned(),
                comment: wanted.to_owned(),
                interval: Length::from_seconds(30),
                partial_is_failure: true,
                rules: vec![rule.clone()],
            };
            let text = text(Ruler::Thanos, HEAD, &[group]);
            let read: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(read["groups"][0]["name"].as_str().unwrap(), wanted);
            assert_eq!(read["groups"][0]["rules"][0]["expr"].as_str().unwrap(), rule.expression, "{text}");
            assert_eq!(read["groups"][0]["partial_response_strategy"].as_str().unwrap(), "abort");
        }
    }
}
