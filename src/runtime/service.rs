//! What the rest of the program may ask of a running service. `http` speaks to this trait and to nothing else.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use crate::diag::Diagnostic;
use crate::engine::forecast::{Forecast, LikelyEnds};
use crate::engine::verdict::{Budget, Condition, WindowFigures};
use crate::policy::act::{Act, Acted, Actor};
use crate::policy::alert::{Alert, TierView};
use crate::policy::desk::found::DigestFound;
use crate::policy::evidence::Deploy;
use crate::policy::silence::{Silence, SilenceState};
use crate::runtime::access::{Admission, Presented};
use crate::runtime::hooks::{HookAck, HookError, HookRequest};
use crate::runtime::links::{LinkAction, LinkError};
use crate::store::{AlertFilter, Attempt, Delivery, DeliveryFilter, Record, RecordKind, StoreError};
use crate::units::{InstanceId, Labels, Length, SloId, Timestamp};

/// One instance with all figures of the list and of its detail. Computed when asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceView {
    /// Its id.
    pub id: InstanceId,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where the owner is found.
    pub contact: Option<String>,
    /// In words.
    pub description: String,
    /// As written.
    pub labels: BTreeMap<String, String>,
    /// As written.
    pub links: BTreeMap<String, String>,
    /// `T`.
    pub objective: f64,
    /// `W`.
    pub window: Length,
    /// `page ticket notice down no_data inconclusive starting ok`, the first that holds.
    pub status: String,
    /// A firing tier that can neither be confirmed nor denied, or the source is blind.
    pub frozen: bool,
    /// Evaluated and shown, not sent.
    pub shadow: bool,
    /// The watermark.
    pub as_of: Timestamp,
    /// `exact`, `pushdown`, `gauge` (`probe` too) or `ratio`.
    pub mode: String,
    /// What the data is.
    pub condition: Condition,
    /// Over the period.
    pub budget: Budget,
    /// When it will be gone, or back.
    pub forecast: Forecast,
    /// The same with likelihoods, for a detail; a list goes without.
    pub likely_ends: Option<LikelyEnds>,
    /// Counted since this process first judged the instance, for `slo_events_total`.
    pub counted: Counted,
    /// One for each distinct `over` of the burn tiers, ascending.
    pub burn: Vec<WindowFigures>,
    /// Windows that the tool of its file records beside those of the tiers; the first is that of its current burn rate.
    pub recorded: Vec<WindowFigures>,
    /// Every tier, in the policy's order.
    pub tiers: Vec<TierView>,
    /// Its open alerts.
    pub alerts: Vec<Alert>,
    /// Why it is in its status, in one sentence.
    pub reason: String,
    /// What keeps it from counting anything: its query has found nothing, as far back as the source was read.
    pub problem: Option<String>,
    /// How much of the period has been read from history so far: 0 to 1.
    pub backfilled: f64,
    /// What it is made of.
    pub made_of: MadeOf,
}

/// What an SLO asks and by what it is judged, in words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MadeOf {
    /// The source that answers.
    pub source: String,
    /// What is asked, by what it counts: `bad` or `good`, `total`, `alive`, `gauge`, `ratio`.
    pub queries: BTreeMap<String, String>,
    /// The policy's name.
    pub policy: String,
    /// Every tier in words, in the policy's order.
    pub rules: Vec<String>,
}

impl InstanceView {
    /// Whether there is anything to say of its period; where not, good share and budget are no figures.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.budget.window.is_measured()
    }

    /// Whether it counts time, not events: `gauge`, `probe`, `ratio`.
    #[must_use]
    pub fn is_time_weighted(&self) -> bool {
        self.mode == "gauge" || self.mode == "ratio"
    }
}

/// Events as Prometheus counts: neither figure falls while the process runs, late corrections included (a correction
/// downwards is held back until the count has caught up), else every `increase()` over them would see a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Good events.
    pub good: f64,
    /// Bad events.
    pub bad: f64,
}

/// What a list needs to choose and order instances, light enough for 100,000 of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its id.
    pub id: InstanceId,
    /// Who answers for it.
    pub owner: Option<String>,
    /// As in [`InstanceView::status`].
    pub status: String,
    /// Budget left, negative when overspent.
    pub remaining: f64,
    /// The highest of [`InstanceView::burn`], 0 where there is none.
    pub burn: f64,
}

impl From<&InstanceView> for Summary {
    fn from(view: &InstanceView) -> Self {
        Self {
            id: view.id.clone(),
            owner: view.owner.clone(),
            status: view.status.clone(),
            remaining: view.budget.remaining,
            burn: view.burn.iter().map(|window| window.rate).fold(0.0, f64::max),
        }
    }
}

/// One point of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPoint {
    /// End of the step.
    pub at: Timestamp,
    /// Bad events in the step.
    pub bad: f64,
    /// All events in the step.
    pub total: f64,
    /// Measured time in the step.
    pub measured: Length,
    /// Budget left at the end of the step; `None` where the period is not known that far back.
    pub remaining_ratio: Option<f64>,
    /// Burn rate by window length, at the end of the step; a window that is not held that far back is left out.
    pub burn: Vec<(Length, f64)>,
}

/// Points of a plot, equally wide.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesView {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
    /// Width of a point; the last, which ends at `to`, may be shorter.
    pub step: Length,
    /// Oldest first.
    pub points: Vec<SeriesPoint>,
    /// Events are time: their shares have no interval.
    pub time_weighted: bool,
}

/// Pages of a source that is scraped, at the last scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// All of them.
    pub all: usize,
    /// Those that could not be fetched or read.
    pub failed: usize,
}

/// A source as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// `prometheus`, `scrape` ..
    pub kind: String,
    /// False from its first failed tick.
    pub up: bool,
    /// End of the newest complete slice.
    pub watermark: Option<Timestamp>,
    /// Wall clock.
    pub last_success_at: Option<Timestamp>,
    /// When and what.
    pub last_error: Option<(Timestamp, String)>,
    /// Since start.
    pub requests_failed: u64,
    /// Source's clock minus ours.
    pub clock_skew_seconds: f64,
    /// An answer came from another replica.
    pub replicas_differ: bool,
    /// Its pages; `None`: a store, or not scraped yet.
    pub targets: Option<Targets>,
}

/// A silence as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SilenceView {
    /// As it was asked for.
    pub silence: Silence,
    /// Where it stands.
    pub state: SilenceState,
    /// The alerts that fire now and that it covers, or will.
    pub covers: Vec<Alert>,
}

/// A sink as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkView {
    /// Its name.
    pub name: String,
    /// `webhook`, `pagerduty` ..
    pub kind: String,
    /// Where it goes, without a secret: host, and a hash of the whole address. `None`: nowhere on a network.
    pub destination: Option<String>,
    /// What waits for it.
    pub pending: u64,
    /// Age of the oldest of that.
    pub oldest: Option<Length>,
    /// How its newest try ended; where it had none, the newest failure of its destination.
    pub last: Option<Attempt>,
    /// The newest failure of its destination, while failures follow each other: why the gate is shut.
    pub failure: Option<Attempt>,
    /// When it last took something.
    pub last_success_at: Option<Timestamp>,
    /// What a person has to mend, as its newest try said it, and since when.
    pub attention: Option<(Timestamp, String)>,
    /// Whether tries may go now.
    pub gate: GateView,
    /// Failures of its destination in a row: not answered, or not as it should.
    pub failures: u32,
}

/// The gate in front of a destination, shared by all sinks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateView {
    /// Tries go.
    Open,
    /// None goes before: the receiver said so, or has failed too often.
    Waiting(Timestamp),
    /// One try is under way, and shows whether the others may go.
    Probing,
}

impl GateView {
    /// As shown: `open`, `waiting`, `probing`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting(_) => "waiting",
            Self::Probing => "probing",
        }
    }
}

/// The loaded configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigView {
    /// Git revision of the folder, where there is one.
    pub revision: Option<String>,
    /// SHA-256 over the files.
    pub digest: String,
    /// Wall clock.
    pub loaded_at: Timestamp,
    /// Whether the last reload was taken.
    pub reload_ok: bool,
    /// The configuration as meant, secrets redacted.
    pub config: Value,
}

/// Why a reload was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Everything wrong.
    pub findings: Vec<Diagnostic>,
}

/// Why an act was not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ActError {
    /// There is no such alert, silence, delivery, sink or instance.
    #[error("{0}")]
    NotFound(String),
    /// It cannot be done to what is there: an alert that has ended, a silence that is over.
    #[error("{0}")]
    Conflict(String),
    /// What is asked for makes no sense; says what would.
    #[error("{0}")]
    Invalid(String),
    /// Nothing was done, because it could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files were refused.
    #[error("the files have errors; the old set stays")]
    Refused(Refusal),
}

/// What a signed link does, to what.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkView {
    /// What it does.
    pub action: LinkAction,
    /// Until when it holds (wall clock).
    pub expires_at: Timestamp,
    /// To what.
    pub about: LinkAbout,
}

/// What a signed link is about.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkAbout {
    /// An alert, and the labels that are told of it; `None` where nobody was told.
    Alert(Box<Alert>, Option<BTreeMap<String, String>>),
    /// Several that are told as one.
    Digest(DigestFound),
}

/// A running service.
#[async_trait]
pub trait Service: Send + Sync {
    /// All instances, worst first.
    fn instances(&self) -> Vec<InstanceView>;
    /// All instances in short, in any order. Worth a cheaper way of its own where there are very many.
    fn summaries(&self) -> Vec<Summary> {
        self.instances().iter().map(Summary::from).collect()
    }
    /// The groups of an SLO; `None` where it is not loaded. An SLO without `by` has one, empty.
    fn groups(&self, slo: &SloId) -> Option<Vec<Labels>>;
    /// One instance.
    fn instance(&self, id: &InstanceId) -> Option<InstanceView>;
    /// Any window that ends at the watermark.
    fn window(&self, id: &InstanceId, over: Length) -> Option<WindowFigures>;
    /// A plot.
    fn series(&self, id: &InstanceId, from: Timestamp, to: Timestamp, points: usize) -> Option<SeriesView>;
    /// Puts the figures of now into alerts that are open: for the few that are shown, and not on a thread that serves
    /// connections.
    fn show_as_of_now(&self, _alerts: &mut [Alert]) {}
    /// Alerts, newest first, as they were recorded.
    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError>;
    /// The labels that an alert is told with; `None` where nobody knows them any more.
    async fn labels(&self, _alert: &Alert) -> Option<BTreeMap<String, String>> {
        None
    }
    /// One alert.
    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError>;
    /// Several alerts that are told as one, by the alert's id in their message: it is that of no alert.
    async fn digest(&self, _id: &str) -> Option<DigestFound> {
        None
    }
    /// The outbox, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError>;
    /// One delivery.
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;
    /// The sinks, by name.
    async fn sinks(&self) -> Result<Vec<SinkView>, StoreError>;
    /// The sources.
    fn sources(&self) -> Vec<SourceView>;
    /// What is loaded.
    fn config(&self) -> ConfigView;
    /// Whether whoever shows this is let in, and as what.
    async fn admit(&self, _presented: Option<&Presented>) -> Admission {
        Admission::Open
    }
    /// Does what a person asks for, with an entry in the audit, or nothing at all. Whether they may is asked before.
    async fn act(&self, act: Act, by: &Actor) -> Result<Acted, ActError>;
    /// Records of a kind, newest first: silences, markers, cases, the audit.
    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError>;
    /// One record.
    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError>;
    /// What a signed link does, where it is one of ours and holds; looking changes nothing.
    async fn link(&self, _token: &str) -> Result<LinkView, LinkError> {
        Err(LinkError::Forged)
    }
    /// What a receiver asks for with a request that it signed: by whom, the id of the alert that fires, and a note.
    async fn hook(&self, _sink: &str, _request: &HookRequest) -> Result<Option<(Actor, HookAck)>, HookError> {
        Err(HookError::Unknown)
    }
    /// Silences with what they cover: those that hold first, then those to come, then those that are over.
    async fn silences(&self) -> Result<Vec<SilenceView>, StoreError> {
        Ok(Vec::new())
    }
    /// Deploys that were marked, newest first.
    async fn deploys(&self) -> Result<Vec<Deploy>, StoreError> {
        Ok(Vec::new())
    }
    /// `Err` says what is still missing.
    fn ready(&self) -> Result<(), String>;
    /// The service's own clock.
    fn now(&self) -> Timestamp;
    /// The service's own health, in Prometheus' text format.
    fn own_metrics(&self) -> String;
    /// `server.compat` is `sloth`: its series stand beside ours.
    fn has_sloth_names(&self) -> bool {
        false
    }
    /// Prefix of links for people: `server.external_url`, or the address it listens on.
    fn external_url(&self) -> String;
}
