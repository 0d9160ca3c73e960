//! Silences: who wants to hear nothing of which alerts, until when, and why.
//!
//! What Alertmanager refuses is refused, and an id changes when it does there: a silence keeps its id while its matchers
//! and its begin stay. Ids are made of the content and the time, so that what does not change is the same silence.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::policy::act::SilenceDraft;
use crate::spec::selector::{Matcher, Operation};
use crate::units::Timestamp;

/// Letters of an id.
const ID_LETTERS: usize = 12;

/// Most matchers of a silence: each is tried on every alert.
const MOST_MATCHERS: usize = 32;

/// Longest text of a matcher, a comment or a name, in characters.
const LONGEST: usize = 4_096;

/// One silence. All its matchers hold for the labels of an alert, before a sink's map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Made when it is added; known to people.
    pub id: String,
    /// At least one, and not all match the empty value.
    pub matchers: Vec<LabelMatcher>,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// From here on (wall clock).
    pub starts_at: Timestamp,
    /// Until here; an earlier end than asked for is one that was expired.
    pub ends_at: Timestamp,
}

/// A matcher as Alertmanager writes it; expressions are anchored at both ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// Name of the label; one that is not there is empty.
    pub name: String,
    /// Value, or an expression.
    pub value: String,
    /// It is an expression.
    #[serde(rename = "isRegex", default)]
    pub is_regex: bool,
    /// It has to match; false: it must not.
    #[serde(rename = "isEqual", default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}

/// Where a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// It holds.
    Active,
    /// It begins later.
    Pending,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// As shown: `active`, `pending`, `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

impl LabelMatcher {
    /// The operator of PromQL.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match (self.is_regex, self.is_equal) {
            (false, true) => Operation::Equal,
            (false, false) => Operation::NotEqual,
            (true, true) => Operation::Match,
            (true, false) => Operation::NotMatch,
        }
    }

    /// Ready to be tried.
    ///
    /// # Errors
    /// Says what is wrong where the value is no regular expression and has to be one.
    pub fn compiled(&self) -> Result<Matcher, String> {
        Matcher::new(&self.name, self.operation(), &self.value).map_err(|error| {
            let last = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("`{}` is not a regular expression: {last}", self.value)
        })
    }
}

impl fmt::Display for LabelMatcher {
    /// As in PromQL: `slo_name=~"a|b"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operation())
    }
}

/// The matchers of a silence, compiled once.
#[derive(Clone, Debug, PartialEq)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Ready to be tried, those first that cost least.
    ///
    /// # Errors
    /// Says which one is no regular expression.
    pub fn new(matchers: &[LabelMatcher]) -> Result<Self, String> {
        let mut compiled: Vec<Matcher> = matchers.iter().map(LabelMatcher::compiled).collect::<Result<_, _>>()?;
        compiled.sort_by_key(|matcher| match matcher.operation {
            Operation::Equal => 0,
            Operation::NotEqual => 1,
            Operation::Match => 2,
            Operation::NotMatch => 3,
        });
        Ok(Self(compiled))
    }

    /// Whether all of them hold for an alert with these labels.
    #[must_use]
    pub fn hold(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        self.0.iter().all(|matcher| matcher.allows(value(&matcher.name)))
    }
}

impl Silence {
    /// Where it stands at `now`: its begin is in it, its end is not.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now >= self.starts_at {
            SilenceState::Active
        } else {
            SilenceState::Pending
        }
    }

    /// What is kept of `known` and what becomes of `draft`: the silence, and the one that it takes the place of, ended.
    /// `taken` says whether an id is in use.
    ///
    /// # Errors
    /// Says what would be taken.
    pub fn of(
        draft: SilenceDraft,
        known: Option<&Self>,
        now: Timestamp,
        taken: impl Fn(&str) -> bool,
    ) -> Result<(Self, Option<Self>), String> {
        check(&draft)?;
        let SilenceDraft { id: _, matchers, created_by, comment, starts_at, ends_at } = draft;
        let standing = known.filter(|known| known.state(now) != SilenceState::Expired);
        // A begin that is past is now, but for one that has begun already: that one goes on.
        let begun = standing.map(|known| known.starts_at).filter(|begun| starts_at.is_none_or(|at| at == *begun));
        let starts_at = begun.unwrap_or_else(|| starts_at.unwrap_or(now).max(now));
        if ends_at <= now {
            return Err(format!("its end, {ends_at}, is past; it is {now} here"));
        }
        if ends_at <= starts_at {
            return Err(format!("its end, {ends_at}, is not after its begin, {starts_at}"));
        }
        let mut silence = Self { id: String::new(), matchers, created_by, comment, starts_at, ends_at };
        let same = standing.filter(|known| known.says_when_and_what(&silence));
        if let Some(known) = same {
            silence.id.clone_from(&known.id);
            return Ok((silence, None));
        }
        silence.id = silence.new_id(now, taken);
        Ok((silence, standing.map(|known| known.expired(now))))
    }

    /// Ended at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> Self {
        // One that had not begun holds at no time.
        Self { starts_at: self.starts_at.min(now), ends_at: now, ..self.clone() }
    }

    /// Whether both are of the same alerts from the same time on.
    fn says_when_and_what(&self, other: &Self) -> bool {
        let sorted = |silence: &Self| {
            let mut matchers = silence.matchers.clone();
            matchers.sort();
            matchers
        };
        self.starts_at == other.starts_at && sorted(self) == sorted(other)
    }

    /// Made of what it says and when it was said.
    fn new_id(&self, now: Timestamp, taken: impl Fn(&str) -> bool) -> String {
        let text = format!("{self:?}");
        let mut count = 0_u32;
        loop {
            let hash = Sha256::digest(format!("{}/{count}/{text}", now.millis()));
            let mut id = hash.iter().fold(String::new(), |mut id, byte| {
                // Writing to a string cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            });
            id.truncate(ID_LETTERS);
            if !taken(&id) {
                return id;
            }
            count = count.wrapping_add(1);
        }
    }
}

/// What makes no sense whatever the time.
fn check(draft: &SilenceDraft) -> Result<(), String> {
    if draft.matchers.is_empty() {
        return Err("it has no matcher; say which alerts are meant, such as slo_service=\"checkout\"".to_owned());
    }
    if draft.matchers.len() > MOST_MATCHERS {
        return Err(format!("it has more than {MOST_MATCHERS} matchers"));
    }
    for (what, text) in [("comment", &draft.comment), ("author", &draft.created_by)] {
        if text.trim().is_empty() {
            return Err(format!("it has no {what}"));
        }
    }
    let texts = draft.matchers.iter().flat_map(|matcher| [&matcher.name, &matcher.value]);
    if texts.chain([&draft.comment, &draft.created_by]).any(|text| text.chars().count() > LONGEST) {
        return Err(format!("one of its texts is longer than {LONGEST} characters"));
    }
    if let Some(matcher) = draft.matchers.iter().find(|matcher| matcher.name.is_empty()) {
        return Err(format!("the matcher `{matcher}` names no label"));
    }
    let Matchers(compiled) = Matchers::new(&draft.matchers)?;
    if compiled.iter().all(|matcher| matcher.allows("")) {
        let message = "each of its matchers matches a label that is not there, so it would silence everything else";
        return Err(format!("{message}; add one that does not, such as slo_service=\"checkout\""));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Length;

    fn matcher(text: &str) -> LabelMatcher {
        let (operation, is_regex, is_equal) = if text.contains("=~") {
            ("=~", true, true)
        } else if text.contains("!~") {
            ("!~", true, false)
        } else if text.contains("!=") {
            ("!=", false, false)
        } else {
            ("=", false, true)
        };
        let (name, value) = text.split_once(operation).unwrap();
        LabelMatcher { name: name.into(), value: value.into(), is_regex, is_equal }
    }

    fn draft(matchers: &[&str], starts: Option<i64>, ends: i64) -> SilenceDraft {
        SilenceDraft {
            id: None,
            matchers: matchers.iter().map(|text| matcher(text)).collect(),
            created_by: "ann".into(),
            comment: "deploy".into(),
            starts_at: starts.map(Timestamp::from_seconds),
            ends_at: Timestamp::from_seconds(ends),
        }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn made(draft: SilenceDraft, known: Option<&Silence>) -> Result<(Silence, Option<Silence>), String> {
        Silence::of(draft, known, NOW, |_| false)
    }

    #[test]
    fn what_alertmanager_refuses_is_refused() {
        let base = || draft(&["a=b"], None, 2_000);
        for (draft, problem) in [
            (draft(&[], None, 2_000), "it has no matcher; say which"),
            (draft(&["a=", "b=~.*"], None, 2_000), "each of its matchers matches a label that is not there"),
            (draft(&["a!=b"], None, 2_000), "each of its matchers"),
            (draft(&["a=~("], None, 2_000), "`(` is not a regular expression: unclosed group"),
            (draft(&["=x"], None, 2_000), "the matcher `=\"x\"` names no label"),
            (draft(&["a=b"], None, 1_000), "its end, 1970-01-01T00:16:40Z, is past"),
            (draft(&["a=b"], Some(2_000), 2_000), "is not after its begin, 1970-01-01T00:33:20Z"),
            (SilenceDraft { comment: " ".into(), ..base() }, "it has no comment"),
            (SilenceDraft { created_by: String::new(), ..base() }, "it has no author"),
            (SilenceDraft { comment: "x".repeat(5_000), ..base() }, "longer than 4096"),
        ] {
            let error = made(draft, None).unwrap_err();
            assert!(error.contains(problem), "{error}, expected {problem}");
        }
        assert!(
            made(draft(&["a!=b", "c=d"], None, 2_000), None).is_ok(),
            "one that does not match the empty value is enough"
        );
    }

    #[test]
    fn the_begin_is_in_it_and_the_end_is_not() {
        let (silence, _) = made(draft(&["a=b"], Some(1_500), 2_000), None).unwrap();
        for (at, state) in [
            (1_499_999, SilenceState::Pending),
            (1_500_000, SilenceState::Active),
            (1_999_999, SilenceState::Active),
            (2_000_000, SilenceState::Expired),
        ] {
            assert_eq!(silence.state(Timestamp::from_millis(at)), state, "{at}");
        }
        let (begun, _) = made(draft(&["a=b"], Some(500), 2_000), None).unwrap();
        assert_eq!(begun.starts_at, NOW, "a begin that is past is now");
        let expired = silence.expired(NOW);
        assert_eq!(
            (expired.state(NOW), expired.state(NOW - Length::from_seconds(1))),
            (SilenceState::Expired, SilenceState::Pending)
        );
    }

    #[test]
    fn an_id_stays_while_matchers_and_begin_do() {
        let (old, none) = made(draft(&["a=b", "c=d"], Some(900), 2_000), None).unwrap();
        assert_eq!((none, old.id.len(), old.starts_at), (None, 12, NOW));
        let later = Timestamp::from_seconds(1_100);
        let change = |draft: SilenceDraft| Silence::of(draft, Some(&old), later, |_| false).unwrap();
        // Its end, its comment, the order of its matchers.
        let (same, none) = change(draft(&["c=d", "a=b"], None, 5_000));
        assert_eq!(
            (none, &same.id, same.starts_at, same.ends_at),
            (None, &old.id, NOW, Timestamp::from_seconds(5_000))
        );
        let (same, none) = change(draft(&["a=b", "c=d"], Some(1_000), 3_000));
        assert_eq!((none, &same.id), (None, &old.id));
        // Its matchers, or its begin.
        for other in [draft(&["a=b"], None, 2_000), draft(&["a=b", "c=d"], Some(1_500), 2_000)] {
            let (new, ended) = change(other);
            assert_ne!(new.id, old.id);
            let ended = ended.unwrap();
            assert_eq!((&ended.id, ended.ends_at), (&old.id, later));
        }
        // One that is over stays so.
        let over = Timestamp::from_seconds(2_000);
        let (new, ended) = Silence::of(draft(&["a=b", "c=d"], None, 9_000), Some(&old), over, |_| false).unwrap();
        assert!(new.id != old.id && ended.is_none() && new.starts_at == over);
    }

    #[test]
    fn ids_are_their_own() {
        let id =
            |taken: &dyn Fn(&str) -> bool| Silence::of(draft(&["a=b"], None, 2_000), None, NOW, taken).unwrap().0.id;
        let first = id(&|_| false);
        let second = id(&|id| id == first);
        assert_ne!(first, second);
        assert_eq!(first, id(&|_| false), "made of what it says and when");
        assert!(first.chars().all(|c| c.is_ascii_hexdigit()));
    }

    #[test]
    fn matchers_read_as_in_promql() {
        let shown: Vec<String> = ["a=b", "a!=b\"", "a=~b|c", "a!~b"].map(|text| matcher(text).to_string()).to_vec();
        assert_eq!(shown, ["a=\"b\"", "a!=\"b\\\"\"", "a=~\"b|c\"", "a!~\"b\""]);
        let text = serde_json::to_string(&matcher("a=b")).unwrap();
        assert_eq!(text, r#"{"name":"a","value":"b","isRegex":false,"isEqual":true}"#);
    }
}
