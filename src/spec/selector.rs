//! A plain selector: a metric name with label matchers, and the same test made here that the store would make.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;

use crate::units::Labels;

/// A metric name and matchers, `http_requests_total{job="checkout",code=~"5.."}`. Shown as PromQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// Metric name.
    pub metric: String,
    /// Matchers as written, without `__name__`.
    pub matchers: Vec<Matcher>,
    /// Only series whose label `le` equals this as a number (histogram buckets); asked for by a matcher that lets every
    /// spelling of the number through, and filtered here.
    pub bucket: Option<f64>,
}

/// One label matcher.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Label name.
    pub name: String,
    /// Operator and value.
    pub operation: Operation,
    /// Value as written.
    pub value: String,
    regex: Option<Regex>,
}

/// The four operators of PromQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Match,
    /// `!~`
    NotMatch,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.operation == other.operation && self.value == other.value
    }
}

impl Matcher {
    /// A matcher; regular expressions are anchored at both ends, as in Prometheus.
    ///
    /// # Errors
    /// Where the value is no regular expression and the operator wants one.
    pub fn new(name: &str, operation: Operation, value: &str) -> Result<Self, regex::Error> {
        let regex = match operation {
            Operation::Match | Operation::NotMatch => Some(compiled(value)?),
            Operation::Equal | Operation::NotEqual => None,
        };
        Ok(Self { name: name.to_owned(), operation, value: value.to_owned(), regex })
    }

    /// Whether `labels` pass; a missing label is the empty value.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.allows(labels.get(&self.name).unwrap_or_default())
    }

    /// Whether a series passes whose label has this value; empty stands for a label that is missing.
    #[must_use]
    pub fn allows(&self, value: &str) -> bool {
        let hit = match &self.regex {
            Some(regex) => regex.is_match(value),
            None => value == self.value,
        };
        hit == matches!(self.operation, Operation::Equal | Operation::Match)
    }
}

impl Selector {
    /// Whether a series with these labels (metric name under `__name__`) is selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.get("__name__") == Some(self.metric.as_str())
            && self.matchers.iter().all(|matcher| matcher.matches(labels))
            && self.bucket.is_none_or(|bound| bucket_bound(labels).is_some_and(|le| le.total_cmp(&bound).is_eq()))
    }
}

/// How many compiled expressions are kept for the next matcher with the same one.
const KEPT: usize = 1_024;

thread_local! {
    /// SLOs are alike: `5..` is compiled once and shared, for it takes tens of kilobytes and microseconds each time.
    static COMPILED: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

/// A value as an expression, anchored at both ends.
fn compiled(value: &str) -> Result<Regex, regex::Error> {
    if let Some(regex) = COMPILED.with_borrow(|kept| kept.get(value).cloned()) {
        return Ok(regex);
    }
    // By itself first: `a)|(b` would be one within the group.
    let text = match Regex::new(value) {
        Ok(_) => value.to_owned(),
        Err(error) => {
            let escaped = with_literal_braces(value);
            Regex::new(&escaped).map_err(|_| error)?;
            escaped
        }
    };
    let regex = Regex::new(&format!("^(?s:{text})$"))?;
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(value.to_owned(), regex.clone());
    });
    Ok(regex)
}

/// The expression with every `{` escaped that begins no repetition: there it stands for itself in the stores' syntax
/// (`/users/{id}`), and is an error in ours.
fn with_literal_braces(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    let mut rest = value.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                escaped.push(character);
                escaped.extend(rest.next());
            }
            '{' if !begins_repetition(rest.as_str()) => escaped.push_str("\\{"),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Whether what follows a `{` is `3}`, `3,}` or `3,5}`.
fn begins_repetition(rest: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    rest.split_once('}').is_some_and(|(inside, _)| match inside.split_once(',') {
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
        None => digits(inside),
    })
}

/// The value of `le` as a number.
fn bucket_bound(labels: &Labels) -> Option<f64> {
    labels.get("le")?.parse().ok()
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        })
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operation)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.metric)?;
        if self.matchers.is_empty() {
            return Ok(());
        }
        let matchers: Vec<String> = self.matchers.iter().map(ToString::to_string).collect();
        write!(f, "{{{}}}", matchers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_anchored_and_a_missing_label_is_empty() {
        let code = Matcher::new("code", Operation::Match, "5..|a").unwrap();
        assert!(code.matches(&Labels::from([("code", "503")])));
        assert!(!code.matches(&Labels::from([("code", "1503")])) && !code.matches(&Labels::from([("code", "ab")])));
        assert!(!code.matches(&Labels::new()));
        let other = Matcher::new("code", Operation::NotMatch, "5..").unwrap();
        assert!(other.matches(&Labels::new()) && !other.matches(&Labels::from([("code", "503")])));
        assert!(Matcher::new("code", Operation::Match, "a)|(b").is_err());
        let route = Matcher::new("route", Operation::Match, "/users/{id}|/x{2,3}").unwrap();
        let matches = |text: &str| route.matches(&Labels::from([("route", text)]));
        assert!(matches("/users/{id}") && matches("/xxx") && !matches("/x"));
    }

    #[test]
    fn a_bucket_is_chosen_by_the_number_of_its_bound() {
        let selector = Selector { metric: "h_bucket".into(), matchers: Vec::new(), bucket: Some(0.3) };
        let matches = |le: &str| selector.matches(&Labels::from([("__name__", "h_bucket"), ("le", le)]));
        assert!(matches("0.3") && matches("3e-01") && matches("0.30"));
        assert!(!matches("0.30000000000000004") && !matches("+Inf") && !matches("x"));
    }
}
