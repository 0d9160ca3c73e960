//! Which values one label may have: literals, and patterns beside them. The unit of merging selectors.
//!
//! Why this way: `code="500"`, `code=~"500|503"` and `code=~"5.."` are all "one of these", so two of them have a union
//! that is exact and can be asked as one matcher, and literals can be tried against the other side's patterns, which
//! proves most selectors disjoint without any theory of regular expressions. What cannot be proved is taken as possible.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::spec::selector::{Matcher, Operation};

/// Literals that Prometheus turns into a set look-up instead of running the expression: it does so up to 256.
pub(crate) const MAX_ALTERNATIVES: usize = 200;
/// Longest value of one matcher. The body of a form has no limit; logs and slow query lists of the store do.
pub(crate) const MAX_BYTES: usize = 8_000;

/// The values that a label may have; empty stands for a label that is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alternatives {
    pub(crate) literals: BTreeSet<String>,
    pub(crate) patterns: BTreeMap<String, Matcher>,
}

impl PartialEq for Alternatives {
    fn eq(&self, other: &Self) -> bool {
        self.literals == other.literals && self.patterns.keys().eq(other.patterns.keys())
    }
}

impl Alternatives {
    /// What a positive matcher allows; `None` for `!=` and `!~`.
    pub(crate) fn of(matcher: &Matcher) -> Option<Self> {
        let mut alternatives = Self::default();
        match matcher.operation {
            Operation::Equal => {
                alternatives.literals.insert(matcher.value.clone());
            }
            Operation::Match => match literals_of(&matcher.value) {
                Some(literals) => alternatives.literals = literals,
                None => {
                    alternatives.patterns.insert(matcher.value.clone(), matcher.clone());
                }
            },
            Operation::NotEqual | Operation::NotMatch => return None,
        }
        Some(alternatives)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.literals.len() + self.patterns.len()
    }

    /// Whether `value` is one of them.
    pub(crate) fn allows(&self, value: &str) -> bool {
        self.literals.contains(value) || self.patterns.values().any(|pattern| pattern.allows(value))
    }

    /// Whether no value can be in both, as far as that can be proved.
    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        let (plain, others) = if self.patterns.is_empty() { (self, other) } else { (other, self) };
        plain.patterns.is_empty() && !plain.literals.iter().any(|literal| others.allows(literal))
    }

    /// Whether every value of this is in `other`, as far as that can be proved.
    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.literals.iter().all(|literal| other.allows(literal))
            && self.patterns.keys().all(|pattern| other.patterns.contains_key(pattern))
    }

    /// Both together; `None` where that is more than one matcher should hold.
    pub(crate) fn union(&self, other: &Self) -> Option<Self> {
        let mut union = self.clone();
        union.literals.extend(other.literals.iter().cloned());
        union.patterns.extend(other.patterns.iter().map(|(text, pattern)| (text.clone(), pattern.clone())));
        (union.len() <= MAX_ALTERNATIVES && union.bytes() <= MAX_BYTES).then_some(union)
    }

    /// Length of the expression, about.
    pub(crate) fn bytes(&self) -> usize {
        let lengths = self.literals.iter().chain(self.patterns.keys());
        lengths.map(|text| text.len() + 5).sum()
    }

    /// As one matcher of `label`.
    ///
    /// # Errors
    /// Where the regular expression is larger than the library takes.
    pub(crate) fn matcher(&self, label: &str) -> Result<Matcher, regex::Error> {
        if self.patterns.is_empty()
            && self.literals.len() == 1
            && let Some(only) = self.literals.first()
        {
            return Matcher::new(label, Operation::Equal, only);
        }
        if self.literals.is_empty()
            && self.patterns.len() == 1
            && let Some((_, only)) = self.patterns.first_key_value()
        {
            return Ok(only.clone());
        }
        let literals = self.literals.iter().map(|literal| regex::escape(literal));
        let patterns = self.patterns.keys().map(|pattern| format!("(?:{pattern})"));
        let value = literals.chain(patterns).collect::<Vec<_>>().join("|");
        Matcher::new(label, Operation::Match, &value)
    }
}

/// The literals of an expression such as `a|b\.c`; `None` where it is more than literals.
fn literals_of(expression: &str) -> Option<BTreeSet<String>> {
    let mut literals = BTreeSet::new();
    let mut literal = String::new();
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        match character {
            '|' => {
                literals.insert(std::mem::take(&mut literal));
            }
            '\\' => {
                let escaped = characters.next()?;
                if !escaped.is_ascii_punctuation() {
                    return None;
                }
                literal.push(escaped);
            }
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            other => literal.push(other),
        }
    }
    literals.insert(literal);
    // Two engines are at work, ours and the store's: only what both can read is taken apart.
    Regex::new(expression).is_ok().then_some(literals)
}

/// An expression that lets through every usual spelling of a bucket's bound: `0.3`, `0.30`, `.3`, `3e-1`, `1`, `1.0`, `+Inf`.
pub(crate) fn spellings(bound: f64) -> String {
    if bound.is_infinite() {
        return r"\+?[Ii]nf(inity)?".to_owned();
    }
    let digits = format!("{}", bound.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let sign = if bound < 0.0 { "-" } else { r"\+?" };
    let whole = if whole == "0" { "0*".to_owned() } else { format!("0*{whole}") };
    let fraction = if fraction.is_empty() { r"(\.0*)?".to_owned() } else { format!(r"\.{fraction}0*") };
    format!("{sign}{whole}{fraction}|.*[eE].*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operation: Operation, value: &str) -> Alternatives {
        Alternatives::of(&Matcher::new("code", operation, value).unwrap()).unwrap()
    }

    #[test]
    fn literal_alternations_are_sets_and_the_rest_are_patterns() {
        assert_eq!(of(Operation::Match, "500|50\\.3|").literals, ["", "50.3", "500"].map(String::from).into());
        for pattern in ["5..", "a(b)?", "\\d", "[ab]", "a{2}"] {
            assert_eq!(of(Operation::Match, pattern).patterns.len(), 1, "{pattern}");
        }
    }

    #[test]
    fn disjoint_and_subset_are_proved_with_literals() {
        let fives = of(Operation::Match, "5..");
        assert!(of(Operation::Equal, "200").is_disjoint(&fives));
        assert!(fives.is_disjoint(&of(Operation::Match, "200|404")));
        assert!(!of(Operation::Match, "200|503").is_disjoint(&fives));
        assert!(!of(Operation::Match, "4..").is_disjoint(&fives), "cannot be proved, so it is taken as possible");
        assert!(of(Operation::Match, "500|503").is_subset(&fives));
        assert!(!fives.is_subset(&of(Operation::Match, "500|503")));
    }

    #[test]
    fn a_union_is_one_matcher_that_the_store_reads_as_we_do() {
        let union = of(Operation::Equal, "a.b").union(&of(Operation::Match, "5..")).unwrap();
        let matcher = union.matcher("code").unwrap();
        assert_eq!(matcher.to_string(), r#"code=~"a\\.b|(?:5..)""#);
        assert!(matcher.allows("a.b") && matcher.allows("503") && !matcher.allows("axb"));
        assert_eq!(of(Operation::Match, "x|x").matcher("code").unwrap().to_string(), r#"code="x""#);
    }

    #[test]
    fn unions_are_bounded() {
        let many = |from: usize| {
            of(Operation::Match, &(from..from + 150).map(|i| i.to_string()).collect::<Vec<_>>().join("|"))
        };
        assert!(many(0).union(&many(0)).is_some());
        assert!(many(0).union(&many(1_000)).is_none());
    }

    #[test]
    fn every_spelling_of_a_bucket_bound_passes() {
        for (bound, texts) in [
            (0.3, &["0.3", ".3", "0.30", "3e-01", "+0.3"][..]),
            (1.0, &["1", "1.0", "1.", "1e0"]),
            (300.0, &["300", "300.0", "3e+02"]),
            (f64::INFINITY, &["+Inf", "Inf"]),
        ] {
            let matcher = Matcher::new("le", Operation::Match, &spellings(bound)).unwrap();
            for text in texts {
                assert!(matcher.allows(text), "{bound} {text}");
            }
        }
        let matcher = Matcher::new("le", Operation::Match, &spellings(0.3)).unwrap();
        for text in ["3", "0.31", "1.3", "+Inf"] {
            assert!(!matcher.allows(text), "{text}");
        }
    }
}
