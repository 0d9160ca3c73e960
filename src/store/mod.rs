//! The store: one trait in domain words; everything durable goes through one [`Commit`], one transaction.
//!
//! Invariants: a commit is whole or not there at all; an alert's transition and its outbox rows are in the same commit;
//! the row of a delivery is never deleted while its alert is open; records carry a version; a second process on the same
//! store is refused at once.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::engine::verdict::HourBucket;
use crate::policy::alert::Alert;
use crate::policy::notification::Notification;
use crate::units::{Length, Timestamp};

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// Alerts that changed, whole.
    pub alerts: Vec<Alert>,
    /// Policy state of instances that changed: instance id as text, then opaque versioned JSON.
    pub states: Vec<(String, String)>,
    /// Policy states to forget.
    pub forgotten: Vec<String>,
    /// New outbox rows.
    pub deliveries: Vec<NewDelivery>,
    /// Hours that were finished or corrected: instance id, generation, hour.
    pub hours: Vec<(String, String, HourBucket)>,
    /// Slices of sources without history, packed by the hour: SLO id, generation, hour end, bytes.
    pub slices: Vec<(String, String, Timestamp, Vec<u8>)>,
    /// Watermark of each source that moved.
    pub watermarks: BTreeMap<String, Timestamp>,
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
    /// When it is tried next, while pending.
    pub next_attempt_at: Option<Timestamp>,
    /// Place in the order of the outbox.
    pub sequence: i64,
}

/// What is there at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Alerts that have not ended, and those that ended less than 7 d ago.
    pub alerts: Vec<Alert>,
    /// Policy states by instance id.
    pub states: BTreeMap<String, String>,
    /// Watermarks by source.
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
    /// Writes all of it, or nothing.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;
    /// Hours of an SLO's generation newer than `after`: instance id and hour, ascending.
    async fn hours(
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
    /// Pending deliveries of one sink that may be sent: for each dedup key only the oldest, in order of `sequence`.
    async fn heads(&self, sink: &str, limit: usize) -> Result<Vec<Delivery>, StoreError>;
    /// Writes a try and what follows from it.
    async fn attempted(
        &self,
        delivery: &str,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
    ) -> Result<(), StoreError>;
    /// Deliveries, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError>;
    /// Alerts, newest first.
    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError>;
    /// One alert.
    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError>;
    /// Drops what is older than its keep: daily buckets, ended alerts, finished deliveries.
    async fn prune(&self, now: Timestamp, history: Length) -> Result<(), StoreError>;
}
