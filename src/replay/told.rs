//! An alert of the replay: when it fired, was told and ended, why, and how high it burned.

use serde::Serialize;

use crate::engine::definition::{Definition, Kind};
use crate::engine::verdict::Verdict;
use crate::policy::alert::{Alert, AlertKind, AlertState, EndedBy};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Timestamp};

/// What became of one alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// As the running service would have named it.
    pub id: String,
    /// The group's labels; empty for an SLO without groups, and for an alert that names several.
    pub group: Labels,
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it is about.
    pub kind: AlertKind,
    /// First slice end at which a tier matched.
    pub started_at: Timestamp,
    /// Slice end at which it fired.
    pub fired_at: Timestamp,
    /// Slice end at which it was sent; later than `fired_at` where it was held back first, `None` where it never was.
    pub told_at: Option<Timestamp>,
    /// Slice end at which it ended; `None` where it still fires at the end of the replay.
    pub resolved_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// Why it fired, in words and numbers.
    pub reason: String,
    /// Why it ended, in words and numbers.
    pub end_reason: Option<String>,
    /// Highest burn rate of its tiers' long windows while it fired; `None` for other kinds.
    pub peak_burn: Option<f64>,
    /// The alert under which it was held back, first or all the time.
    pub held_back_by: Option<String>,
    /// The windows of the tier that fired first, as written.
    #[serde(skip)]
    pub windows: Vec<String>,
}

impl Told {
    /// An alert that begins; `at` is the slice end.
    #[must_use]
    pub fn new(alert: &Alert, group: Labels, at: Timestamp) -> Self {
        Self {
            id: alert.id.clone(),
            group,
            severity: alert.severity,
            kind: alert.kind,
            started_at: alert.started_at,
            fired_at: alert.fired_at.unwrap_or(at),
            told_at: None,
            resolved_at: None,
            ended_by: None,
            reason: String::new(),
            end_reason: None,
            peak_burn: None,
            held_back_by: None,
            windows: alert
                .tiers
                .first()
                .map(|tier| tier.over.iter().chain(&tier.confirm).map(|window| window.length.clone()).collect())
                .unwrap_or_default(),
        }
    }

    /// What the alert is now. `told_at`: it was sent at this slice end.
    pub fn follow(&mut self, alert: &Alert, told_at: Option<Timestamp>) {
        let last = |state: AlertState| alert.transitions.iter().rev().find(|transition| transition.to == state);
        if let Some(fired) = last(AlertState::Firing) {
            self.reason.clone_from(&fired.reason);
        }
        self.end_reason = last(AlertState::Resolved).map(|ended| ended.reason.clone());
        self.told_at = self.told_at.or(told_at);
        self.resolved_at = alert.resolved_at;
        self.ended_by = alert.ended_by;
        self.held_back_by = alert.held_back_by.clone().or(self.held_back_by.take());
    }

    /// Takes the burn rates of a slice end at which it fires.
    pub fn note_burn(&mut self, definition: &Definition, verdict: &Verdict) {
        for (tier, judged) in definition.tiers.iter().zip(&verdict.tiers) {
            if let (Kind::Burn { .. }, Some(over)) = (tier.kind, judged.over)
                && (tier.severity, AlertKind::Burn) == (self.severity, self.kind)
            {
                self.peak_burn = Some(self.peak_burn.unwrap_or_default().max(over.rate));
            }
        }
    }

    /// Whether it was sent.
    #[must_use]
    pub const fn was_told(&self) -> bool {
        self.told_at.is_some()
    }
}
