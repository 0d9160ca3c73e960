//! Label sets: sorted, immutable once built.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use serde::{Deserialize, Serialize};

/// Label names and values, sorted by name. Shown as the text within braces: `region="eu",zone="a"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// No labels.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The value of `name`, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets `name` to `value`.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Takes `name` out.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Name and value, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A number for these labels: equal labels, equal fingerprint, on every machine and in every run, so it may be kept
    /// in a store. FNV-1a of 64 bits; 0xff, which no UTF-8 text holds, ends each name and value, so that `a="bc"` and
    /// `ab="c"` differ. Two of a million label sets share one with a chance of 3 in 10^8.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0100_0000_01b3;
        let texts = self.iter().flat_map(|(name, value)| [name, value]);
        let bytes = texts.flat_map(|text| text.bytes().chain(std::iter::once(0xff)));
        bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    }

    /// Only the labels named in `names`; a missing one is the empty value, as in PromQL's `by`.
    #[must_use]
    pub fn project(&self, names: &[String]) -> Self {
        names.iter().map(|name| (name.clone(), self.get(name).unwrap_or_default().to_owned())).collect()
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Labels {
    fn from(labels: [(&str, &str); N]) -> Self {
        labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl fmt::Display for Labels {
    /// Values escaped as in Prometheus: backslash, quote and newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{comma}{name}=\"{value}\"")?;
        }
        Ok(())
    }
}

/// The text is not a list of labels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Something else than a name, `=` and a quoted value.
    #[error("`{0}` is not a list of labels such as region=\"eu\",zone=\"a\"")]
    Malformed(String),
    /// A name stands twice.
    #[error("label `{0}` stands twice")]
    Twice(String),
}

impl FromStr for Labels {
    type Err = LabelsError;

    /// Reads what `Display` writes, in any order, with white space between the parts and a comma at the end allowed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || LabelsError::Malformed(text.to_owned());
        let mut rest = text.chars().peekable();
        let mut labels = Self::new();
        skip_spaces(&mut rest);
        while rest.peek().is_some() {
            let name = label_name(&mut rest).ok_or_else(malformed)?;
            let value = quoted(&mut rest).ok_or_else(malformed)?;
            if labels.get(&name).is_some() {
                return Err(LabelsError::Twice(name));
            }
            labels.insert(name, value);
            skip_spaces(&mut rest);
            if rest.next_if_eq(&',').is_none() && rest.peek().is_some() {
                return Err(malformed());
            }
            skip_spaces(&mut rest);
        }
        Ok(labels)
    }
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
}

/// A name and the `=` after it.
fn label_name(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let inner = |c: &char| !c.is_whitespace() && !matches!(c, '=' | '"' | ',' | '{' | '}');
    let mut name = String::new();
    while let Some(c) = rest.next_if(inner) {
        name.push(c);
    }
    skip_spaces(rest);
    rest.next_if_eq(&'=')?;
    (!name.is_empty()).then_some(name)
}

/// A quoted value with the escapes of Prometheus.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    skip_spaces(rest);
    rest.next_if_eq(&'"')?;
    let mut value = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(value),
            '\\' => value.push(match rest.next()? {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}

/// A name that every part of Prometheus' world accepts: `[a-zA-Z_][a-zA-Z0-9_]*`; what is not allowed becomes `_`.
#[must_use]
pub fn portable_name(name: &str) -> String {
    let inner = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let text: String = name.chars().map(inner).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() { format!("_{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_sorted_and_escaped() {
        let labels = Labels::from([("zone", "a\"b"), ("region", "eu")]);
        assert_eq!(labels.to_string(), r#"region="eu",zone="a\"b""#);
    }

    #[test]
    fn fingerprints_are_the_same_in_every_run_and_differ_where_names_and_values_meet() {
        assert_eq!(Labels::new().fingerprint(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Labels::from([("region", "eu")]).fingerprint(), Labels::from([("region", "eu")]).fingerprint());
        assert_ne!(Labels::from([("a", "bc")]).fingerprint(), Labels::from([("ab", "c")]).fingerprint());
        assert_eq!(Labels::from([("a", "b")]).fingerprint(), 0xd2b3_7181_9297_f98a);
    }

    #[test]
    fn projection_keeps_the_named_labels() {
        let labels = Labels::from([("zone", "a"), ("region", "eu")]);
        assert_eq!(labels.project(&["region".into(), "cell".into()]), Labels::from([("region", "eu"), ("cell", "")]));
    }

    #[test]
    fn reads_what_it_shows() {
        for value in ["eu", "", "a\"b", "back\\slash", "two\nlines", "a,b=\"c\"}", "ümlaut 💥", "\\n"] {
            let labels = Labels::from([("region", value), ("zone", "a")]);
            assert_eq!(labels.to_string().parse::<Labels>().unwrap(), labels, "{value}");
        }
        assert_eq!("".parse::<Labels>().unwrap(), Labels::new());
        let spaced = " zone = \"a\" , region=\"eu\", ".parse::<Labels>().unwrap();
        assert_eq!(spaced, Labels::from([("region", "eu"), ("zone", "a")]));
    }

    #[test]
    fn what_is_no_list_of_labels_is_refused() {
        for text in [
            "region",
            "region=eu",
            "region=\"eu",
            "=\"eu\"",
            "a=\"1\" b=\"2\"",
            ",",
            "a=\"1\",,",
            "a=\"\\x\"",
            "{a=\"1\"}",
        ] {
            assert_eq!(text.parse::<Labels>(), Err(LabelsError::Malformed(text.into())), "{text}");
        }
        assert_eq!("a=\"1\",a=\"2\"".parse::<Labels>(), Err(LabelsError::Twice("a".into())));
    }
}
