//! A selector in normal form: per label what it may be, and the rest of its matchers as they stand.
//!
//! Everything that merging needs to know is decided here: whether two selectors cannot have a series in common,
//! whether one holds all series of the other, and the narrowest shape at hand that holds both.

use std::collections::BTreeMap;

use crate::plan::alternatives::{Alternatives, spellings};
use crate::spec::selector::{Matcher, Operation, Selector};

/// One selector of one metric, and the questions that it answers.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Labels that must have one of some values.
    pub(crate) allowed: BTreeMap<String, Alternatives>,
    /// Negative matchers, and positive ones beyond the first of a label, by their text.
    pub(crate) others: BTreeMap<String, Matcher>,
    /// Indexes of the selectors asked for that it covers.
    pub(crate) members: Vec<usize>,
}

impl Shape {
    /// Of the selector at `index` of those asked for. The bucket becomes a matcher where none stands for it.
    pub(crate) fn of(selector: &Selector, index: usize) -> Self {
        let mut shape = Self { allowed: BTreeMap::new(), others: BTreeMap::new(), members: vec![index] };
        for matcher in &selector.matchers {
            shape.add(matcher);
        }
        if let Some(bound) = selector.bucket
            && !selector.matchers.iter().any(|matcher| matcher.name == "le")
            && let Ok(matcher) = Matcher::new("le", Operation::Match, &spellings(bound))
        {
            shape.add(&matcher);
        }
        shape
    }

    fn add(&mut self, matcher: &Matcher) {
        match Alternatives::of(matcher) {
            Some(alternatives) if !self.allowed.contains_key(&matcher.name) => {
                self.allowed.insert(matcher.name.clone(), alternatives);
            }
            _ => {
                self.others.insert(matcher.to_string(), matcher.clone());
            }
        }
    }

    /// As a selector; filtering is the router's.
    ///
    /// # Errors
    /// Where a union of expressions is larger than the library takes.
    pub(crate) fn selector(&self, metric: &str) -> Result<Selector, regex::Error> {
        let mut matchers = Vec::with_capacity(self.allowed.len() + self.others.len());
        for (label, alternatives) in &self.allowed {
            matchers.push(alternatives.matcher(label)?);
        }
        matchers.extend(self.others.values().cloned());
        Ok(Selector { metric: metric.to_owned(), matchers, bucket: None })
    }

    /// Whether no series can be in both, as far as that can be proved.
    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        let by_values = self
            .allowed
            .iter()
            .any(|(label, here)| other.allowed.get(label).is_some_and(|there| here.is_disjoint(there)));
        by_values || self.is_excluded_by(other) || other.is_excluded_by(self) || self.contradicts(other)
    }

    /// Whether a matcher of `other` refuses every value that this allows for some label.
    fn is_excluded_by(&self, other: &Self) -> bool {
        other.others.values().any(|matcher| {
            self.allowed.get(&matcher.name).is_some_and(|alternatives| {
                let by_literals = alternatives.patterns.is_empty()
                    && alternatives.literals.iter().all(|literal| !matcher.allows(literal));
                by_literals || is_negation(alternatives, matcher)
            })
        })
    }

    /// Whether a matcher of one is the negation of a matcher of the other.
    fn contradicts(&self, other: &Self) -> bool {
        self.others.values().any(|here| {
            other.others.values().any(|there| {
                here.name == there.name && here.value == there.value && negated(here.operation) == there.operation
            })
        })
    }

    /// Whether every series of `other` is in this, as far as that can be proved.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.allowed.iter().all(|(label, here)| other.allowed.get(label).is_some_and(|there| there.is_subset(here)))
            && self.others.iter().all(|(text, matcher)| other.implies(text, matcher))
    }

    /// Whether every series of this passes the matcher.
    fn implies(&self, text: &str, matcher: &Matcher) -> bool {
        self.others.contains_key(text)
            || self.allowed.get(&matcher.name).is_some_and(|alternatives| {
                alternatives.patterns.is_empty() && alternatives.literals.iter().all(|literal| matcher.allows(literal))
            })
    }

    /// A shape that holds all series of both: per label both sides' values, and the matchers that both imply.
    pub(crate) fn hull(&self, other: &Self) -> Self {
        let mut allowed = BTreeMap::new();
        for (label, here) in &self.allowed {
            if let Some(union) = other.allowed.get(label).and_then(|there| here.union(there)) {
                allowed.insert(label.clone(), union);
            }
        }
        let both = self.others.iter().chain(&other.others);
        let others = both
            .filter(|(text, matcher)| self.implies(text, matcher) && other.implies(text, matcher))
            .map(|(text, matcher)| (text.clone(), matcher.clone()))
            .collect();
        let mut members = self.members.clone();
        members.extend(&other.members);
        Self { allowed, others, members }
    }

    /// Everything but what is said of `label`, as text: equal texts differ in that label alone.
    pub(crate) fn without(&self, label: &str) -> String {
        let allowed = self.allowed.iter().filter(|(name, _)| *name != label);
        let texts = allowed.map(|(name, values)| {
            format!("{name}={:?}{:?}", values.literals, values.patterns.keys().collect::<Vec<_>>())
        });
        texts.chain(self.others.keys().cloned()).collect::<Vec<_>>().join(",")
    }
}

/// Whether `matcher` refuses exactly what `alternatives` allow: `code=~"5.."` and `code!~"5.."`.
fn is_negation(alternatives: &Alternatives, matcher: &Matcher) -> bool {
    matcher.operation == Operation::NotMatch
        && alternatives.literals.is_empty()
        && alternatives.patterns.len() == 1
        && alternatives.patterns.contains_key(&matcher.value)
}

const fn negated(operation: Operation) -> Operation {
    match operation {
        Operation::Equal => Operation::NotEqual,
        Operation::NotEqual => Operation::Equal,
        Operation::Match => Operation::NotMatch,
        Operation::NotMatch => Operation::Match,
    }
}
