//! Episodes: from the first alert of an instance until 1 h after its last one ended (SEMANTICS 1).
//!
//! An episode owns one ticket, gives alerts and notifications their ids, and keeps their labels: an edit of the files
//! while it lasts does not turn a firing alert into another one for its receivers. It is named by the `fired_at` of its
//! first alert. Invariant: counts only grow, and go by states that are told or could be, so that a copy that was down
//! for one counts alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::alert::AlertKind;
use crate::policy::naming::ForeignLabels;
use crate::policy::subject::{self, labels_of};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, SloId, Timestamp};

/// How long after the end of an instance's last alert another one still joins (SEMANTICS 1): flaps are one story.
pub const JOINS_WITHIN: Length = Length::from_hours(1);

/// Which of an instance's alerts: one for each severity and kind.
pub type AlertKey = (AlertSeverity, AlertKind);

/// One episode of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// When its first alert fired: its name.
    pub began: Timestamp,
    /// When the newest end of an alert was.
    pub last_ended: Option<Timestamp>,
    /// The labels that its alerts share, kept as they were at its begin.
    pub labels: BTreeMap<String, String>,
    /// The labels of its alerts that another tool's file names, as they were at its begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<ForeignLabels>,
    /// Labels of alerts that fired under a former name of the SLO: receivers know them by these until they end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<(AlertKey, BTreeMap<String, String>)>,
    /// How many alerts of each severity and kind have fired in it.
    counts: Vec<(AlertSeverity, AlertKind, u32)>,
}

impl Episode {
    /// One that begins with an alert that fires at `began`.
    #[must_use]
    pub const fn begin(began: Timestamp, labels: BTreeMap<String, String>, foreign: Vec<ForeignLabels>) -> Self {
        Self { began, last_ended: None, labels, foreign, kept: Vec::new(), counts: Vec::new() }
    }

    /// The labels of one of its alerts: as another tool's file names it, else ours.
    #[must_use]
    pub fn labels_of(&self, (severity, kind): AlertKey) -> BTreeMap<String, String> {
        if let Some((_, labels)) = self.kept.iter().find(|(key, _)| *key == (severity, kind)) {
            return labels.clone();
        }
        let foreign = ForeignLabels::find(&self.foreign, severity, kind);
        foreign.map_or_else(|| labels_of(&self.labels, severity, kind), Clone::clone)
    }

    /// Whether an alert that fires at `at` belongs to it, while none of its instance fires.
    #[must_use]
    pub fn reaches(&self, at: Timestamp) -> bool {
        self.last_ended.is_none_or(|ended| at <= ended + JOINS_WITHIN)
    }

    /// How many alerts of this key have fired in it so far.
    #[must_use]
    pub fn count(&self, key: AlertKey) -> u32 {
        self.counts.iter().find(|(severity, kind, _)| (*severity, *kind) == key).map_or(0, |(_, _, count)| *count)
    }

    /// Its SLO has another id from now on. What fires keeps its labels, what begins from now on has the new names.
    pub fn rename(&mut self, to: &SloId, firing: impl Iterator<Item = AlertKey>) {
        self.kept = firing.map(|key| (key, self.labels_of(key))).collect();
        self.labels.extend(subject::names_of(to));
        self.foreign.clear();
    }

    /// Counts one more, and returns its number, from 1.
    pub fn count_up(&mut self, key: AlertKey) -> u32 {
        self.kept.retain(|(kept, _)| *kept != key);
        let entry = self.counts.iter_mut().find(|(severity, kind, _)| (*severity, *kind) == key);
        if let Some((_, _, count)) = entry {
            *count = count.saturating_add(1);
            return *count;
        }
        self.counts.push((key.0, key.1, 1));
        1
    }

    /// The number of the newest alert's transition: it fires with an odd one and ends with the even one after.
    #[must_use]
    pub fn transition(&self, key: AlertKey, ended: bool) -> u32 {
        let both = self.count(key).saturating_mul(2);
        if ended { both } else { both.saturating_sub(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: AlertKey = (AlertSeverity::Page, AlertKind::Burn);
    const TICKET: AlertKey = (AlertSeverity::Ticket, AlertKind::Burn);

    #[test]
    fn transitions_are_numbered_by_what_is_told_or_tellable() {
        let mut episode = Episode::begin(Timestamp::from_seconds(0), BTreeMap::new(), Vec::new());
        assert_eq!(episode.count_up(PAGE), 1);
        assert_eq!((episode.transition(PAGE, false), episode.transition(PAGE, true)), (1, 2));
        assert_eq!(episode.count_up(TICKET), 1);
        assert_eq!(episode.count_up(PAGE), 2);
        assert_eq!((episode.transition(PAGE, false), episode.transition(PAGE, true)), (3, 4));
        assert_eq!(episode.transition(TICKET, true), 2);
    }

    #[test]
    fn an_hour_after_the_last_end_still_joins() {
        let mut episode = Episode::begin(Timestamp::from_seconds(0), BTreeMap::new(), Vec::new());
        assert!(episode.reaches(Timestamp::from_seconds(1_000_000)));
        episode.last_ended = Some(Timestamp::from_seconds(600));
        assert!(episode.reaches(Timestamp::from_seconds(4_200)));
        assert!(!episode.reaches(Timestamp::from_seconds(4_230)));
    }
}
