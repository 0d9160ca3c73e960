//! The store: one trait in domain words; everything durable goes through one [`Commit`], one transaction.
//!
//! Invariants: a commit is whole or not there at all; an alert's transition and its outbox rows are in the same commit;
//! the row of a delivery is never deleted while its alert is open; records carry a version; a second process on the same
//! store is refused at once. It reads no clock: every time is an argument or comes from the data.

pub mod memory;
pub mod sqlite;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::engine::verdict::HourBucket;
use crate::policy::alert::{Alert, AlertState};
use crate::policy::notification::Notification;
use crate::units::{Length, Timestamp};

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// Alerts that changed, whole. One that is `inactive` again (it only waited, and never fired) is dropped.
    pub alerts: Vec<Alert>,
    /// Policy state of instances that changed: instance id as text, then opaque versioned JSON.
    pub states: Vec<(String, String)>,
    /// Policy states to forget; those written by the same commit stay.
    pub forgotten: Vec<String>,
    /// New outbox rows.
    pub deliveries: Vec<NewDelivery>,
    /// Hours that were finished or corrected: instance id, generation, hour.
    pub hours: Vec<(String, String, HourBucket)>,
    /// Slices of sources without history, packed by the hour: SLO id, generation, hour end, bytes.
    pub slices: Vec<(String, String, Timestamp, Vec<u8>)>,
    /// Deliveries that were given up or wait, and are to be tried now, and when somebody said so (wall clock): pending and
    /// due at once, in their old place, with their tries. One that is done or is not there stays as it is.
    pub resent: Vec<(String, Timestamp)>,
    /// How far each SLO whose watermark moved was decided, by its id and generation.
    pub watermarks: BTreeMap<String, Timestamp>,
    /// What people and the desk keep: silences, marks, cases, audit.
    pub records: Vec<Record>,
    /// SLOs that have another id from now on, old and new: hours, days, slices and alerts go over, after everything else
    /// is written. Where both have an hour the one with more measured time stays, of two slices that of the new id. States
    /// and watermarks are the caller's: their form is not known here.
    pub renamed: Vec<(String, String)>,
}

/// What a [`Record`] is about: each has a shape of its own, known to its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// What became of an alert among people and receivers; by alert id.
    Case,
    /// Alerts that are told as one; by key.
    Group,
    /// A silence; by id.
    Silence,
    /// A deploy marker; by id.
    Marker,
    /// Who changed what; never written twice, never changed.
    Audit,
    /// What the service made for itself once (the key of links); by name.
    Setting,
}

impl RecordKind {
    /// As stored: `case`, `group`, `silence`, `marker`, `audit`, `setting`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Group => "group",
            Self::Silence => "silence",
            Self::Marker => "marker",
            Self::Audit => "audit",
            Self::Setting => "setting",
        }
    }
}

/// One record: versioned JSON that the store does not look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is about.
    pub kind: RecordKind,
    /// Its name among its kind.
    pub id: String,
    /// When it was made, or ends (wall clock): records are listed by it, and dropped once it is older than the history that
    /// is kept. Settings stay, and cases as long as their alert.
    pub at: Timestamp,
    /// The record; `None` drops it.
    pub text: Option<String>,
}

/// A notification for one receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    /// Notification id and sink: chosen before any effect, so that writing it twice is one row.
    pub id: String,
    /// Name of the sink.
    pub sink: String,
    /// What is told.
    pub notification: Notification,
    /// When it was decided (wall clock).
    pub created_at: Timestamp,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// To be sent, or to be tried again.
    Pending,
    /// Accepted by the receiver.
    Done,
    /// Given up: refused, or misconfigured.
    Failed,
    /// A firing whose alert resolved before it could be sent.
    Superseded,
    /// Not accepted within the horizon.
    Expired,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When (wall clock).
    pub at: Timestamp,
    /// `done`, `retry`, `ambiguous`, `refused`, `misconfigured`.
    pub outcome: String,
    /// What the receiver said, redacted.
    pub message: String,
}

/// An outbox row with its tries.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Notification id and sink.
    pub id: String,
    /// Name of the sink.
    pub sink: String,
    /// What is told.
    pub notification: Notification,
    /// Where it stands.
    pub state: DeliveryState,
    /// Its tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When it is tried next, while pending; `None` before its first try: at once.
    pub next_attempt_at: Option<Timestamp>,
    /// When somebody last had it sent again: it is tried for a whole horizon from then on.
    pub resent_at: Option<Timestamp>,
    /// What the receiver called what it opened, once done.
    pub handle: Option<String>,
    /// Place in the order of the outbox.
    pub sequence: i64,
}

/// What is there at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Alerts that have not ended, and those that ended less than 7 d before the newest time in the store; oldest first.
    pub alerts: Vec<Alert>,
    /// Policy states by instance id.
    pub states: BTreeMap<String, String>,
    /// How far each SLO was decided, by its id and generation.
    pub watermarks: BTreeMap<String, Timestamp>,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only in this state.
    pub state: Option<DeliveryState>,
    /// Only of this alert.
    pub alert_id: Option<String>,
    /// Only to this sink.
    pub sink: Option<String>,
}

/// Which alerts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only in this state, as written in INTERFACES.
    pub state: Option<String>,
    /// Only of this severity.
    pub severity: Option<String>,
    /// Only of this instance, or of all instances of this SLO.
    pub slo: Option<String>,
}

/// Waits of the outbox are at most 1 h; a minute more for clocks that are being corrected. What seems to wait longer was
/// written by a clock that has been set back since, and is due.
pub const LONGEST_WAIT: Length = Length::from_minutes(61);

/// How long ended alerts that a [`Snapshot`] holds may be over.
pub const RECENTLY_ENDED: Length = Length::from_days(7);

/// Message of an attempt whose end is not written yet.
pub const UNDER_WAY: &str = "under way, or the service stopped before the answer was recorded";

/// The SLO of an instance id: what stands before the group.
#[must_use]
pub fn slo_of(instance: &str) -> &str {
    instance.split_once('{').map_or(instance, |(slo, _)| slo)
}

/// Whether an alert of `instance` is meant by `slo`: that instance itself, or any instance of that SLO.
#[must_use]
pub fn is_of_slo(instance: &str, slo: &str) -> bool {
    instance == slo || slo_of(instance) == slo
}

/// The id of an instance after its SLO was renamed; `None`: it is of another SLO.
#[must_use]
pub fn renamed(instance: &str, from: &str, to: &str) -> Option<String> {
    let group = instance.strip_prefix(from).filter(|_| slo_of(instance) == from)?;
    Some(format!("{to}{group}"))
}

/// A state as the API writes it.
#[must_use]
pub const fn state_name(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "inactive",
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }
}

impl DeliveryState {
    /// As the API writes it: `pending`, `done`, `failed`, `superseded`, `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }
}

/// What of the rows to one sink goes one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Rows of one dedup key.
    Keys,
    /// Rows of one thread too: the sink keeps one ticket an episode.
    Threads,
}

/// What a sink is known to have of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadState {
    /// The newest handle: what it calls what was opened there.
    pub handle: Option<String>,
    /// A try of the thread may have got through, and what it opened is not known.
    pub perhaps_told: bool,
}

/// What waits for one sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Pending rows.
    pub pending: u64,
    /// When the oldest of them was decided.
    pub oldest: Option<Timestamp>,
    /// The next time after now at which one of them is due.
    pub next: Option<Timestamp>,
}

/// How long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Hours and packed slices: at least the longest period of any SLO, and 7 d.
    pub hours: Length,
    /// Days, ended alerts and their deliveries: `storage.history`.
    pub history: Length,
}

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {problem}")]
pub struct StoreError {
    /// What was being done, with the path.
    pub doing: String,
    /// What went wrong, with the remedy where there is one.
    pub problem: String,
    /// Another process holds the store.
    pub locked: bool,
}

/// Everything durable.
#[async_trait]
pub trait Store: Send + Sync {
    /// What is there at start.
    async fn snapshot(&self) -> Result<Snapshot, StoreError>;

    /// Writes all of it, or nothing. A delivery whose id is there already is left as it is.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    /// Hours of an SLO's generation newer than `after`: instance id and hour, by time, then by instance.
    async fn hours(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError>;

    /// Days (of UTC) of an SLO's generation that end after `after`, the unfinished one too: instance id and day, by time,
    /// then by instance. They reach back beyond the hours.
    async fn days(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError>;

    /// Packed slices of an SLO's generation newer than `after`, ascending.
    async fn slices(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(Timestamp, Vec<u8>)>, StoreError>;

    /// Pending deliveries of one sink that may be sent at `due`: for each dedup key only the oldest. Pages come first;
    /// among equals those never tried, tickets before notices, then by time and `sequence`. A firing whose alert has told
    /// its end to the outbox since is due at once: it is not to be sent late.
    async fn heads(&self, sink: &str, due: Timestamp, order: Order, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// What waits for a sink.
    async fn backlog(&self, sink: &str, now: Timestamp) -> Result<Backlog, StoreError>;

    /// A try begins. Until its end is written it counts as ambiguous, because a service that is killed meanwhile cannot
    /// know whether the receiver was reached.
    async fn attempting(&self, delivery: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Writes a try and what follows from it, with the handle of what it opened. Takes the place of the begin of the same
    /// try.
    async fn attempted(
        &self,
        delivery: &str,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
        handle: Option<String>,
    ) -> Result<(), StoreError>;

    /// What a sink is known to have of a thread ([`Notification::thread`]).
    async fn thread(&self, sink: &str, thread: &str) -> Result<ThreadState, StoreError>;

    /// Records of a kind, newest `at` first, then by id.
    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// One record.
    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError>;

    /// Ends a delivery without a try.
    async fn settled(&self, delivery: &str, state: DeliveryState) -> Result<(), StoreError>;

    /// What a sink that is refreshed should hold: of each dedup key the newest notification that was told to it, if it is
    /// of an alert that still fires, or of an end decided at or after `ended_since`. A firing counts as told if a try was
    /// accepted or is ambiguous. Where something newer still waits in the outbox, nothing. In order of `sequence`.
    async fn standing(&self, sink: &str, ended_since: Timestamp) -> Result<Vec<Notification>, StoreError>;

    /// Deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError>;

    /// One delivery.
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;

    /// Alerts, newest first (by `started_at`, then by id).
    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError>;

    /// One alert.
    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError>;

    /// Folds whole days of hours into days, and drops what is older than its keep. Alerts that have not ended, their
    /// deliveries, and what waits in the outbox stay whatever their age.
    async fn prune(&self, now: Timestamp, keep: Keep) -> Result<(), StoreError>;
}
