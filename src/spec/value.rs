//! Scalars and small mappings that every kind of file has: names, lengths, percentages, labels, links.
//!
//! Each function takes the mapping and the key, notes what is wrong at that key's value, and gives what is meant, or
//! `None` where the key is missing or wrong. The caller says whether it had to be there.

use std::collections::BTreeMap;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::units::{Length, decimal_to_f64, is_name};
use crate::yaml::{NodeId, Reader, Shape, suggestion};

/// Reads a value with `FromStr`; its error becomes a finding with this code.
pub fn parsed<T: FromStr<Err: std::fmt::Display>>(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    written: Option<&str>,
    code: &'static str,
) -> Option<T> {
    match written?.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            reader.report_in(node, key, Diagnostic::error(code, error.to_string()));
            None
        }
    }
}

/// A length of time.
pub fn length(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<Length> {
    parsed(reader, node, key, written, codes::BAD_DURATION)
}

/// A length of time above zero.
pub fn positive_length(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<Length> {
    let length = length(reader, node, key, written)?;
    if length > Length::ZERO {
        return Some(length);
    }
    let message = format!("`{key}` has to be longer than zero");
    reader.report_in(node, key, Diagnostic::error(codes::BAD_DURATION, message));
    None
}

/// A percentage such as `50%`, as a share of 1.
pub fn percentage(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<Decimal> {
    let text = written?;
    let digits = text.trim().strip_suffix('%').map(str::trim_end);
    let share =
        digits.and_then(|digits| Decimal::from_str(digits).ok()).and_then(|d| d.checked_div(Decimal::ONE_HUNDRED));
    if share.is_none() {
        let finding = Diagnostic::error(codes::BAD_NUMBER, format!("`{text}` is not a percentage"));
        reader.report_in(node, key, finding.with_help("write it like 50%"));
    }
    share
}

/// A decimal number above zero.
pub fn positive(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<Decimal> {
    let text = written?;
    match Decimal::from_str(text) {
        Ok(number) if number > Decimal::ZERO => Some(number),
        _ => {
            let message = format!("`{key}` has to be a number above 0, and is `{text}`");
            reader.report_in(node, key, Diagnostic::error(codes::BAD_NUMBER, message));
            None
        }
    }
}

/// A count of events: a number of at least 0, at most 2^53.
pub fn events(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<f64> {
    let text = written?;
    let number = Decimal::from_str(text).ok().filter(|number| !number.is_sign_negative()).map(decimal_to_f64);
    let number = number.filter(|number| *number <= 9_007_199_254_740_992.0);
    if number.is_none() {
        let message = format!("`{key}` has to be a number of events, and is `{text}`");
        reader.report_in(node, key, Diagnostic::error(codes::BAD_NUMBER, message));
    }
    number
}

/// A whole number from `least` to `most`.
pub fn whole(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    written: Option<&str>,
    (least, most): (usize, usize),
) -> Option<usize> {
    let text = written?;
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let message = format!("`{key}` has to be a whole number from {least} to {most}, and is `{text}`");
        reader.report_in(node, key, Diagnostic::error(codes::BAD_NUMBER, message));
    }
    number
}

/// A name: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
pub fn name(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<String>) -> Option<String> {
    let text = written?;
    if is_name(&text) {
        return Some(text);
    }
    reader.report_in(node, key, bad_name(&text));
    None
}

/// The finding for a name outside the grammar.
#[must_use]
pub fn bad_name(text: &str) -> Diagnostic {
    let help = "up to 128 letters, digits, `.`, `_` and `-`, with a letter or digit first";
    Diagnostic::error(codes::BAD_NAME, format!("`{text}` cannot be a name")).with_help(help)
}

/// One of a few words.
pub fn choice<T: Copy>(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    written: Option<&str>,
    choices: &[(&str, T)],
) -> Option<T> {
    let text = written?;
    let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    if found.is_none() {
        reader.report_in(node, key, not_among(key, text, choices.iter().map(|(word, _)| *word)));
    }
    found
}

/// The finding for a word that is none of those allowed.
#[must_use]
pub fn not_among<'w>(key: &str, text: &str, words: impl Iterator<Item = &'w str> + Clone) -> Diagnostic {
    let help = match suggestion(text, words.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("one of {}", words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")),
    };
    Diagnostic::error(codes::BAD_CHOICE, format!("`{key}` cannot be `{text}`")).with_help(help)
}

/// A mapping of texts, in the order of its keys; a value that is no text is noted and left out.
pub fn texts(reader: &mut Reader<'_>, node: NodeId, key: &str) -> BTreeMap<String, String> {
    entries(reader, node, key).into_iter().map(|(key, text, _)| (key, text)).collect()
}

/// Labels: a mapping of texts whose keys are names that Prometheus takes.
pub fn labels(reader: &mut Reader<'_>, node: NodeId, key: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (label, text, child) in entries(reader, node, key) {
        if is_label(&label) {
            labels.insert(label, text);
        } else {
            reader.report_key(child, bad_label(&label));
        }
    }
    labels
}

/// Links: a mapping of http or https addresses.
pub fn links(reader: &mut Reader<'_>, node: NodeId, key: &str) -> BTreeMap<String, String> {
    let mut links = BTreeMap::new();
    for (label, text, child) in entries(reader, node, key) {
        if is_http(&text) {
            links.insert(label, text);
        } else {
            let finding = Diagnostic::error(codes::BAD_LINK, format!("the link `{label}` is not http or https"));
            reader.report(child, finding.with_help("write the whole address, such as https://wiki.example/checkout"));
        }
    }
    links
}

fn entries(reader: &mut Reader<'_>, node: NodeId, key: &str) -> Vec<(String, String, NodeId)> {
    let document = reader.document();
    let Some(mapping) = document.child(node, key) else { return Vec::new() };
    if document.shape(mapping) == Shape::Nothing || !reader.expect(mapping, Shape::Mapping) {
        return Vec::new();
    }
    let mut entries = Vec::new();
    for child in document.children(mapping) {
        if let (true, Some(key), Some(text)) =
            (reader.expect(*child, Shape::Text), document.key(*child), document.text(*child))
        {
            entries.push((key.to_owned(), text.to_owned(), *child));
        }
    }
    entries
}

/// Whether Prometheus takes `text` as the name of a label, and it is not one of its own (`__name__`).
#[must_use]
pub fn is_label(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit()) && !text.starts_with("__")
}

/// The finding for a label name that is none.
#[must_use]
pub fn bad_label(text: &str) -> Diagnostic {
    let help = "letters, digits and `_`, no digit first and no two `_` first";
    Diagnostic::error(codes::BAD_LABEL, format!("`{text}` cannot be a label")).with_help(help)
}

/// Whether `text` is an address with host, http or https, without blanks.
#[must_use]
pub fn is_http(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let visible = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    visible && rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_addresses_follow_their_grammar() {
        assert!(is_label("region") && is_label("_x1"));
        assert!(!is_label("") && !is_label("1x") && !is_label("a-b") && !is_label("__name__"));
        assert!(is_http("https://wiki.example/x") && is_http("http://[::1]:9090"));
        assert!(!is_http("javascript:alert(1)") && !is_http("https://") && !is_http("http://a b") && !is_http("wiki"));
    }
}
