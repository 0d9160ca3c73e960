//! Sinks: one trait, one file each; where notifications go. No retry and no store in here.
//!
//! Contract of [`Sink`]: `deliver` makes one attempt, within 5 s to connect and 15 s in all, follows no redirect, and
//! gives a verdict. Rendering is a pure function of the notification. Doing it twice with the same notification is
//! harmless where the receiver honours the id. Secrets appear in no outcome and no log.

pub mod alertmanager;
pub mod body;
pub mod client;
pub mod stdout;
pub mod verdict;
pub mod webhook;

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::meant::{Server, SinkConfig, WebhookUrl};
use crate::policy::notification::Notification;
use crate::secret::Secrets;
use crate::sink::alertmanager::{Alertmanager, Shape};
use crate::sink::client::{Bounds, Client};
use crate::sink::stdout::Stdout;
use crate::sink::webhook::Webhook;
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

impl DeliveryVerdict {
    /// As recorded and counted: `done`, `retry`, `ambiguous`, `refused`, `misconfigured`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry(_) => "retry",
            Self::Ambiguous => "ambiguous",
            Self::Refused => "refused",
            Self::Misconfigured => "misconfigured",
        }
    }
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

    /// One attempt to tell an end while others fire. Where the receiver knows several alerts as one, that one goes on:
    /// nothing is sent then. Elsewhere an end is an event as every other.
    async fn end(&self, ended: &Notification, _firing: &[Notification], now: Timestamp) -> Outcome {
        self.deliver(ended, now).await
    }

    /// Says that the service is alive; one attempt. Where the receiver keeps states, this one ends by itself after
    /// `expires`; elsewhere it is an event as every other.
    async fn heartbeat(&self, beat: &Notification, _expires: Length, now: Timestamp) -> Outcome {
        self.deliver(beat, now).await
    }
}

/// A sink cannot be made from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sink `{sink}`: {problem}")]
pub struct SinkError {
    /// Its name.
    pub sink: String,
    /// What is wrong; no secret in it.
    pub problem: String,
}

/// Every sink that there is. Secrets are resolved once here, so that a missing one is found at start.
/// `server` gives the address for people that alerts link to.
pub fn build(
    name: &str,
    config: &SinkConfig,
    server: &Server,
    secrets: &Arc<Secrets>,
) -> Result<Arc<dyn Sink>, SinkError> {
    let client =
        || if wants_tls(config) { Client::new(Bounds::default()) } else { Client::without_tls(Bounds::default()) };
    let sink: Result<Arc<dyn Sink>, String> = match config {
        SinkConfig::Alertmanager { urls, expires, severity } => client().and_then(|client| {
            let external_url = server.external_url.clone();
            let shape = Shape { expires: *expires, severity: severity.clone(), external_url };
            Ok(Arc::new(Alertmanager::new(client, urls, shape)?) as Arc<dyn Sink>)
        }),
        SinkConfig::Webhook { url, secret } => client().and_then(|client| {
            Ok(Arc::new(Webhook::new(client, url.clone(), secret.clone(), Arc::clone(secrets))?) as Arc<dyn Sink>)
        }),
        SinkConfig::Stdout => Ok(Arc::new(Stdout::of_process())),
    };
    sink.map_err(|problem| SinkError { sink: name.to_owned(), problem })
}

/// Whether an address is https, or secret and so may be.
fn wants_tls(config: &SinkConfig) -> bool {
    match config {
        SinkConfig::Alertmanager { urls, .. } => urls.iter().any(|url| url.starts_with("https:")),
        SinkConfig::Webhook { url: WebhookUrl::Plain(url), .. } => url.starts_with("https:"),
        SinkConfig::Webhook { url: WebhookUrl::Secret(_), .. } => true,
        SinkConfig::Stdout => false,
    }
}
