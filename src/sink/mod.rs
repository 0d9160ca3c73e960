//! Sinks: one trait, one file each; where notifications go. No retry and no store in here.
//!
//! Contract of [`Sink`]: `deliver` makes one attempt, within 5 s to connect and 15 s in all, follows no redirect, and
//! gives a verdict. Rendering is a pure function of the notification. Doing it twice with the same notification is
//! harmless where the receiver honours the id. Secrets appear in no outcome and no log.

use async_trait::async_trait;

use crate::policy::notification::Notification;
use crate::units::{Length, Timestamp};

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to do next.
    pub verdict: DeliveryVerdict,
    /// For people: status and what the receiver said, redacted.
    pub message: String,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryVerdict {
    /// Accepted.
    Done,
    /// Try again; not before this long from now where the receiver told (`Retry-After`).
    Retry(Option<Length>),
    /// The receiver may have acted: try again under the same id.
    Ambiguous,
    /// Final: the receiver refuses this.
    Refused,
    /// Final until somebody mends the configuration (401, 403, 404).
    Misconfigured,
}

/// Which of the two kinds a sink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// One durable row an event.
    Event,
    /// Latest state wins: what fires is posted again every period, a resolve goes on for a while (Alertmanager).
    Refresh,
}

/// A receiver.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> SinkKind;

    /// One attempt. `now` is the wall clock (signatures, `endsAt`).
    async fn deliver(&self, notification: &Notification, now: Timestamp) -> Outcome;

    /// Refresh sinks: posts the present state of many at once. Event sinks have nothing to do.
    async fn refresh(&self, notifications: &[Notification], now: Timestamp) -> Outcome;
}
