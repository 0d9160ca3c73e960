//! The texts of the files that findings speak about, for renderers that show excerpts.
//!
//! Secrets: what stands where a secret belongs is masked, character for character, so that columns stay true. Two nets:
//! the places that the readers found, and the values of keys that usually hold one, because a file that
//! does not parse has no such finding.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::Place;

/// Keys whose plain value is not shown, whatever a finding says about it.
const SECRET_KEYS: [&str; 8] =
    ["password", "secret", "token", "bearer", "routing_key", "api_key", "authorization", "private_key"];

/// File name as in [`Place::file`], and its text. A file without one (unreadable) is shown without excerpt.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    files: BTreeMap<Arc<str>, Text>,
}

/// A text and where its lines begin, so that a line far down costs no more than the first.
#[derive(Clone, Debug)]
struct Text {
    whole: String,
    starts: Vec<usize>,
}

impl Text {
    fn new(whole: String) -> Self {
        let starts = std::iter::once(0).chain(whole.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { whole, starts }
    }
}

impl Texts {
    /// No texts.
    #[must_use]
    pub const fn new() -> Self {
        Self { files: BTreeMap::new() }
    }

    /// Adds or replaces the text of a file.
    pub fn insert(&mut self, file: impl Into<Arc<str>>, text: impl Into<String>) {
        self.files.insert(file.into(), Text::new(text.into()));
    }

    /// Line `number` (from 1) of a file, without its end.
    #[must_use]
    pub(super) fn line(&self, file: &str, number: u32) -> Option<&str> {
        let text = self.files.get(file)?;
        let index = usize::try_from(number.max(1) - 1).ok()?;
        let from = *text.starts.get(index)?;
        let to = text.starts.get(index + 1).copied().unwrap_or(text.whole.len());
        text.whole.get(from..to).map(|line| line.trim_end_matches(['\n', '\r']))
    }

    /// Lines `first..=last` of a file (from 1) as far as there are any, every secret masked: those in `masked` and those
    /// behind telling keys.
    #[must_use]
    pub(super) fn excerpt(&self, file: &str, first: u32, last: u32, masked: &[Place]) -> Vec<String> {
        let lines = (first.max(1)..=last.max(1)).map_while(|number| Some((number, self.line(file, number)?)));
        lines.map(|(number, line)| mask(line, file, number, masked)).collect()
    }
}

impl<K: Into<Arc<str>>, V: Into<String>> FromIterator<(K, V)> for Texts {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(files: I) -> Self {
        Self { files: files.into_iter().map(|(file, text)| (file.into(), Text::new(text.into()))).collect() }
    }
}

fn mask(line: &str, file: &str, number: u32, masked: &[Place]) -> String {
    let mut hidden = vec![false; line.chars().count()];
    for place in masked {
        if &*place.file == file && (place.line..=place.end_line).contains(&number) {
            let from = if place.line == number { column(place.column) } else { 0 };
            let to = if place.end_line == number { column(place.end_column) } else { hidden.len() };
            hidden.iter_mut().take(to).skip(from).for_each(|cell| *cell = true);
        }
    }
    hide_behind_keys(line, &mut hidden);
    line.chars().zip(hidden).map(|(c, hide)| if hide && !c.is_whitespace() { '*' } else { c }).collect()
}

fn column(from_one: u32) -> usize {
    usize::try_from(from_one.saturating_sub(1)).unwrap_or(usize::MAX)
}

/// Hides plain values of [`SECRET_KEYS`] up to the end of the value; references in braces are shown.
fn hide_behind_keys(line: &str, hidden: &mut [bool]) {
    let characters: Vec<char> = line.chars().collect();
    for (index, _) in characters.iter().enumerate().filter(|(_, c)| **c == ':') {
        let mut key: Vec<char> = characters
            .iter()
            .take(index)
            .rev()
            .skip_while(|c| matches!(c, '"' | '\'' | ' '))
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            .flat_map(|c| c.to_lowercase())
            .collect();
        key.reverse();
        let key: String = key.into_iter().collect();
        if !SECRET_KEYS.contains(&key.as_str()) {
            continue;
        }
        let rest = characters.get(index + 1..).unwrap_or_default();
        let blank = rest.iter().take_while(|c| c.is_whitespace()).count();
        let value = rest.get(blank..).unwrap_or_default();
        let length = match value.first() {
            None | Some('{' | '&') => 0,
            Some(quote @ ('"' | '\'')) => 2 + value.iter().skip(1).take_while(|c| *c != quote).count(),
            Some(_) => value.iter().take_while(|c| !matches!(c, ',' | '}')).count(),
        };
        hidden.iter_mut().skip(index + 1 + blank).take(length).for_each(|cell| *cell = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        mask(line, "a.yaml", 1, &[])
    }

    #[test]
    fn values_of_telling_keys_are_hidden_and_references_are_not() {
        assert_eq!(shown("password: hunter 2"), "password: ****** *");
        assert_eq!(shown("hook: {secret: abc, url: http://x}"), "hook: {secret: ***, url: http://x}");
        assert_eq!(shown("\"token\": \"a,b\" # c"), "\"token\": ***** # c");
        assert_eq!(shown("bearer: {file: /run/x}"), "bearer: {file: /run/x}");
        assert_eq!(shown("name: secret"), "name: secret");
        assert_eq!(shown("secret:"), "secret:");
    }

    #[test]
    fn places_of_secrets_are_hidden_over_several_lines() {
        let texts: Texts = [("a.yaml", "key: |\n  ab\n  cd\nx: 1")].into_iter().collect();
        let place = Place { file: "a.yaml".into(), line: 2, column: 3, end_line: 3, end_column: 4 };
        let lines = texts.excerpt("a.yaml", 1, 4, &[place]);
        assert_eq!(lines, ["key: |", "  **", "  *d", "x: 1"]);
    }
}
