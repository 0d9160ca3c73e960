//! What the engine said while somebody else's alert fired: noted on the way, because a replay passes each slice end once.
//!
//! Of all slice ends only a few figures are kept: those of the moment it fired there, the closest that a tier came, and
//! the first time that a tier matched and was kept from firing. Memory is bounded by the number of foreign alerts.

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::verdict::{Condition, TierVerdict, Verdict, WindowFigures};
use crate::policy::alert::AlertState;
use crate::policy::book::AlertBook;
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, Timestamp, exceeds};

/// How far before its begin and after its end an alert there is looked at, and still counts as overlapping one here: the
/// rules there are evaluated at other times, and their ranges end at other samples.
pub const SLACK: Length = Length::from_minutes(5);

/// The time of one alert there, and what was seen here meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Its severity; `None`: any.
    pub severity: Option<AlertSeverity>,
    /// Labels of the group that it is about; empty: all groups.
    pub group: Labels,
    /// When it fired there.
    pub fired_at: Timestamp,
    /// When it ended there, or the end of the replay.
    pub ended_at: Timestamp,
    /// At the first slice end from then on: the tier that came closest.
    pub first: Option<Look>,
    /// The closest that any tier came, at any slice end.
    pub closest: Option<Look>,
    /// The first time that a tier matched without its gates.
    pub gated: Option<Look>,
    /// The first time that a tier matched with its gates, and waited.
    pub waited: Option<Look>,
    /// The first time that a tier would have matched, had the unmeasured time been like the measured.
    pub unmeasured: Option<Look>,
}

/// One tier at one slice end.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The slice end.
    pub at: Timestamp,
    /// Which instance.
    pub group: Labels,
    /// The tier's place in the definition.
    pub tier: usize,
    /// `k*B` of a burn tier, and the like of others that compare a share.
    pub threshold: Option<f64>,
    /// What the data was.
    pub condition: Condition,
    /// `L`.
    pub over: Option<WindowFigures>,
    /// `S`.
    pub confirm: Option<WindowFigures>,
    /// The condition holds.
    pub matches: bool,
    /// The gates hold.
    pub gates_hold: bool,
}

impl Look {
    /// How much of the threshold was reached in both windows, unmeasured time taken as clean: over 1 is a match.
    #[must_use]
    pub fn reached(&self) -> f64 {
        self.reach(|window| window.share * window.coverage)
    }

    /// The same with unmeasured time taken as like the measured.
    #[must_use]
    pub fn reached_if_measured(&self) -> f64 {
        self.reach(|window| window.share)
    }

    fn reach(&self, share: impl Fn(&WindowFigures) -> f64) -> f64 {
        let Some(threshold) = self.threshold else { return f64::from(u8::from(self.matches)) };
        let shares = self.over.iter().chain(&self.confirm).map(share);
        let least = shares.fold(f64::INFINITY, f64::min);
        if least.is_finite() { least / threshold } else { 0.0 }
    }
}

impl Watch {
    /// Of an alert of `severity` that fired from `fired_at` to `ended_at`.
    #[must_use]
    pub const fn new(severity: Option<AlertSeverity>, group: Labels, fired_at: Timestamp, ended_at: Timestamp) -> Self {
        Self {
            severity,
            group,
            fired_at,
            ended_at,
            first: None,
            closest: None,
            gated: None,
            waited: None,
            unmeasured: None,
        }
    }

    /// Whether the slice end `at` is of interest.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        at > self.fired_at - SLACK && at <= self.ended_at + SLACK
    }

    /// Whether the instance of `group` may be what it is about.
    #[must_use]
    pub fn takes(&self, group: &Labels) -> bool {
        self.group.iter().all(|(name, value)| group.get(name).is_none_or(|own| own == value))
    }

    /// Takes the verdict of one instance at one slice end. `book` says what fires already.
    pub fn note(&mut self, definition: &Definition, group: &Labels, verdict: &Verdict, book: &AlertBook) {
        for (index, (tier, judged)) in definition.tiers.iter().zip(&verdict.tiers).enumerate() {
            if self.severity.is_some_and(|severity| severity != tier.severity) {
                continue;
            }
            let look = look((index, tier), judged, group, verdict);
            let fires = book
                .alerts_of(group)
                .iter()
                .any(|alert| alert.severity == tier.severity && alert.state == AlertState::Firing);
            self.keep(look, fires);
        }
    }

    fn keep(&mut self, look: Look, fires: bool) {
        let reached = look.reached();
        let closer = |held: &Option<Look>| held.as_ref().is_none_or(|held| exceeds(reached, held.reached()));
        let due = look.at >= self.fired_at;
        if due && self.first.as_ref().is_none_or(|first| first.at == look.at) && closer(&self.first) {
            self.first = Some(look.clone());
        }
        if closer(&self.closest) {
            self.closest = Some(look.clone());
        }
        if fires {
            return;
        }
        let slot = match (look.matches, look.gates_hold) {
            (true, false) => &mut self.gated,
            (true, true) => &mut self.waited,
            (false, _) if exceeds(look.reached_if_measured(), 1.0) => &mut self.unmeasured,
            (false, _) => return,
        };
        slot.get_or_insert(look);
    }
}

fn look((index, tier): (usize, &Tier), judged: &TierVerdict, group: &Labels, verdict: &Verdict) -> Look {
    let threshold = match tier.kind {
        Kind::Burn { threshold, .. } | Kind::SliBelow { threshold, .. } => Some(threshold),
        _ => None,
    };
    Look {
        at: verdict.as_of,
        group: group.clone(),
        tier: index,
        threshold,
        condition: verdict.condition,
        over: judged.over,
        confirm: judged.confirm,
        matches: judged.matches,
        gates_hold: judged.gates_hold,
    }
}
