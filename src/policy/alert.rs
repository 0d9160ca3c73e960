//! Alerts and their transitions, as recorded and shown.

use serde::{Deserialize, Serialize};

use crate::policy::evidence::Evidence;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// What an alert is about: its kinds are told apart, and one is never held back by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// `burn`, `sli_below`.
    Burn,
    /// `exhausts`, `budget_left`, `budget_drop`.
    Budget,
    /// `down`.
    Down,
    /// `no_data`, `no_traffic`.
    NoData,
    /// A source that fails.
    Source,
    /// No alert: the heartbeat of `watchdog`.
    Watchdog,
    /// Several alerts told as one: a group of a route, or a storm.
    Digest,
    /// No alert: a review.
    Report,
}

impl AlertKind {
    /// As written in keys and shown: `burn`, `budget`, `down`, `no_data`, `source`, `watchdog`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Budget => "budget",
            Self::Down => "down",
            Self::NoData => "no_data",
            Self::Source => "source",
            Self::Watchdog => "watchdog",
            Self::Digest => "digest",
            Self::Report => "report",
        }
    }

    /// The label `alertname` (INTERFACES 5).
    #[must_use]
    pub const fn alert_name(self) -> &'static str {
        match self {
            Self::Burn => "SLOBurn",
            Self::Budget => "SLOBudget",
            Self::Down => "SLODown",
            Self::NoData => "SLONoData",
            Self::Source => "SLOSourceDown",
            Self::Watchdog => "SLOWatchdog",
            Self::Digest => "SLODigest",
            Self::Report => "SLOReport",
        }
    }
}

/// The states of SEMANTICS 6. `frozen` is a mark beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Nothing.
    #[default]
    Inactive,
    /// Matches, and waits for its `for`.
    Pending,
    /// Fires.
    Firing,
    /// Fired, and ended.
    Resolved,
}

/// Why an alert ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The data says so.
    KnownFalse,
    /// Its SLO or tier left the files.
    Withdrawn,
    /// A person closed it.
    Closed,
}

/// One change of state, stored before anything is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Alert id and count.
    pub id: String,
    /// Data time: the slice end.
    pub at: Timestamp,
    /// Before.
    pub from: AlertState,
    /// After.
    pub to: AlertState,
    /// In words and numbers.
    pub reason: String,
}

/// One tier of an alert, as told: with both windows and the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierView {
    /// `burn`, `exhausts`, `budget_left`, `budget_drop`, `sli_below`, `no_traffic`, `down`, `no_data`.
    pub kind: String,
    /// Who is told.
    pub severity: AlertSeverity,
    /// `inactive`, `pending`, `firing`.
    pub state: AlertState,
    /// Firing, neither matched nor known false.
    pub frozen: bool,
    /// `burning`, `rising`, `recovering`, `ok`.
    pub trend: String,
    /// `k` of `burn`, `min_burn` of `exhausts`.
    pub factor: Option<f64>,
    /// `k*B`; of `sli_below` `1 - target`.
    pub threshold_ratio: Option<f64>,
    /// `L`, or the lookback; of `budget_left` the last hour.
    pub over: Option<WindowView>,
    /// `S`.
    pub confirm: Option<WindowView>,
    /// `X`, while firing.
    pub resolve: Option<WindowView>,
    /// What `max_false_pages` came to, where a tier has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_pages: Option<FalsePagesView>,
}

/// A bound on false pages as shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FalsePagesView {
    /// Bad events that are wanted for starting.
    pub min_bad: f64,
    /// How often a service that just meets its objective would start the tier `within` this time.
    pub expected: f64,
    /// As written: `30d`.
    pub within: String,
}

/// A window as shown (INTERFACES 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowView {
    /// As written: `1h`.
    pub length: String,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
    /// `share`.
    pub ratio: f64,
    /// The burn rate.
    pub rate: f64,
    /// Measured share of the window.
    pub coverage: f64,
}

/// One alert: from pending or firing to its end. Versioned on disk by the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Dedup key, begin of the episode and count of the alert in the episode.
    pub id: String,
    /// External labels, instance id, severity and kind.
    pub dedup_key: String,
    /// Begin of the episode, data time; `None` while it has only been pending.
    pub episode: Option<Timestamp>,
    /// The instance id as text, or `source/NAME`.
    pub slo: String,
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it is about.
    pub kind: AlertKind,
    /// Where it stands.
    pub state: AlertState,
    /// Firing, and the data can neither confirm nor deny it.
    pub frozen: bool,
    /// Whose file asks for it: `native`, `sloth`, `pyrra`.
    pub origin: String,
    /// First slice end at which a tier matched.
    pub started_at: Timestamp,
    /// Slice end at which it fired.
    pub fired_at: Option<Timestamp>,
    /// Slice end at which it ended.
    pub resolved_at: Option<Timestamp>,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// Why it is in its state, in one sentence.
    pub reason: String,
    /// Its tiers that fire, or that fired last.
    pub tiers: Vec<TierView>,
    /// The slice end that tiers and evidence are of; `None` in records that did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The alert under which it is held back.
    pub held_back_by: Option<String>,
    /// Whether its firing was told to anybody (not held back, not shadow).
    pub told: bool,
    /// What was seen when it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// All its changes, oldest first.
    pub transitions: Vec<Transition>,
}

impl Alert {
    /// What stands at the end of a drill's dedup key, so that no receiver takes it for the real one.
    pub const DRILL: &'static str = "/drill";

    /// Not life: kept out of precision and of everything that counts alerts.
    #[must_use]
    pub fn is_drill(&self) -> bool {
        self.dedup_key.ends_with(Self::DRILL)
    }
}
