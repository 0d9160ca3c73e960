//! Sinks: where notifications go; one file each. No retry and no store in here.
//!
//! Two kinds, told apart by their types: an [`EventSink`] gets one durable row for each notification, a [`RefreshSink`]
//! is told the present state again and again (Alertmanager). Contract of both: one attempt, within 5 s to connect and
//! 15 s in all, no redirect followed, and a verdict. Rendering is a pure function of the notification, and is done before
//! a connection is opened. Doing it twice with the same notification is harmless where the receiver honours the id.
//! Secrets appear in no outcome and no log.

pub mod alertmanager;
pub mod body;
pub mod client;
pub mod credentials;
pub mod email;
pub mod escape;
pub mod exec;
pub mod file;
pub mod github;
pub mod gitlab;
pub mod hide;
pub mod jira;
pub mod limits;
pub mod message;
pub mod opsgenie;
pub mod pagerduty;
pub mod preview;
pub mod servicenow;
pub mod slack;
pub mod stdout;
pub mod teams;
pub mod text;
pub mod ticket;
pub mod verdict;
pub mod webhook;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::meant::{Server, SinkConfig, WebhookUrl};
use crate::policy::notification::Notification;
use crate::policy::silence::Silence;
use crate::policy::template::Template;
use crate::secret::Secrets;
use crate::sink::alertmanager::mirror::Looked;
use crate::sink::alertmanager::{Alertmanager, Shape};
use crate::sink::client::{Bounds, Client};
use crate::sink::stdout::Stdout;
use crate::sink::webhook::{Body, Webhook};
use crate::units::{Length, Timestamp};

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to do next.
    pub verdict: DeliveryVerdict,
    /// For people: status and what the receiver said, redacted.
    pub message: String,
    /// What the receiver calls what it opened (an issue's number, channel and time stamp of a message). Kept with every
    /// verdict that it comes with, and handed to later attempts of the same thread: what an attempt has achieved before
    /// it failed (the ticket is there, the comment is not) goes in here, or the next one does it twice.
    pub handle: Option<String>,
    /// Something that did not keep it from being told, and that a person has to mend: a template that fails, a ticket
    /// that cannot be closed.
    pub alarm: Option<String>,
}

impl Outcome {
    /// This verdict, and nothing more.
    #[must_use]
    pub fn new(verdict: DeliveryVerdict, message: impl Into<String>) -> Self {
        Self { verdict, message: message.into(), handle: None, alarm: None }
    }

    /// Accepted.
    #[must_use]
    pub fn done(message: impl Into<String>) -> Self {
        Self::new(DeliveryVerdict::Done, message)
    }

    /// With what the receiver calls what it opened.
    #[must_use]
    pub fn with_handle(mut self, handle: impl Into<String>) -> Self {
        self.handle = Some(handle.into());
        self
    }

    /// With something to mend, where there is.
    #[must_use]
    pub fn and_alarm(self, alarm: Option<String>) -> Self {
        match alarm {
            Some(alarm) => self.with_alarm(alarm),
            None => self,
        }
    }

    /// With something to mend.
    #[must_use]
    pub fn with_alarm(mut self, alarm: impl Into<String>) -> Self {
        self.alarm = Some(alarm.into());
        self
    }
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
    /// Final until somebody mends the configuration (404). With 401, 402, 403 and 407 it waits, as `Unauthorized`.
    Misconfigured,
    /// Waits until somebody mends what it logs in with: that cannot be had, or a receiver without a status refused it.
    Unauthorized,
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
            Self::Misconfigured | Self::Unauthorized => "misconfigured",
        }
    }
}

/// One attempt to tell a notification.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What is told.
    pub notification: Notification,
    /// The newest handle of its thread at this sink ([`Notification::thread`]): what is open there, or was.
    pub handle: Option<String>,
    /// An earlier attempt may have got through: where a repeat does harm, look before acting.
    pub perhaps_told: bool,
}

/// A receiver of events: each is one durable row.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// One attempt. `now` is the wall clock (signatures).
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome;

    /// What would be sent, for people (`slo notify test --dry-run`); `None` where it cannot be told without asking.
    fn preview(&self, _task: &Task, _now: Timestamp) -> Option<String> {
        None
    }

    /// Whether it keeps one thing an episode (a ticket, a thread) and needs its handle: then one attempt of a thread is
    /// made at a time.
    fn keeps_threads(&self) -> bool {
        false
    }

    /// What its limits are counted by, without a secret: sinks of one destination wait together.
    fn destination(&self) -> Option<String> {
        None
    }

    /// Least time between two attempts at its destination, below the receiver's own limit.
    fn pace(&self) -> Length {
        Length::ZERO
    }
}

/// A receiver of states: the latest wins; what fires is posted again every period, an end goes on for a while.
#[async_trait]
pub trait RefreshSink: Send + Sync {
    /// One attempt to tell of a firing at once. `now` is the wall clock (`endsAt`).
    async fn deliver(&self, notification: &Notification, now: Timestamp) -> Outcome;

    /// What would be sent of a firing, for people; `None` where it cannot be told without asking.
    fn preview(&self, _notification: &Notification, _now: Timestamp) -> Option<String> {
        None
    }

    /// Posts the present state of many at once.
    async fn refresh(&self, notifications: &[Notification], now: Timestamp) -> Outcome;

    /// One attempt to tell an end while others fire. Where the receiver knows several alerts as one, that one goes on:
    /// nothing is sent then.
    async fn end(&self, ended: &Notification, firing: &[Notification], now: Timestamp) -> Outcome;

    /// Says that the service is alive; one attempt. It ends by itself after `expires`.
    async fn heartbeat(&self, beat: &Notification, expires: Length, now: Timestamp) -> Outcome;

    /// Has it keep quiet as we do; the handle is what it calls its silences, given back as `known` when the silence
    /// changes or is expired. What it has is read once a round, whose `looked` is empty at first.
    async fn silence(&self, silence: &Silence, known: Option<&str>, looked: &mut Looked, now: Timestamp) -> Outcome;

    /// Ends a silence there, in such a round.
    async fn unsilence(&self, handle: &str, looked: &mut Looked, now: Timestamp) -> Outcome;
}

/// A receiver, of one kind or the other.
#[derive(Clone)]
pub enum Sink {
    /// One durable row an event.
    Event(Arc<dyn EventSink>),
    /// Latest state wins.
    Refresh(Arc<dyn RefreshSink>),
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_refreshed() { "Sink::Refresh" } else { "Sink::Event" })
    }
}

impl Sink {
    /// One for events.
    pub fn event(sink: impl EventSink + 'static) -> Self {
        Self::Event(Arc::new(sink))
    }

    /// Whether the latest state wins.
    #[must_use]
    pub const fn is_refreshed(&self) -> bool {
        matches!(self, Self::Refresh(_))
    }

    /// As [`EventSink::keeps_threads`]; a state has none.
    #[must_use]
    pub fn keeps_threads(&self) -> bool {
        matches!(self, Self::Event(sink) if sink.keeps_threads())
    }

    /// As [`EventSink::destination`].
    #[must_use]
    pub fn destination(&self) -> Option<String> {
        if let Self::Event(sink) = self { sink.destination() } else { None }
    }

    /// As [`EventSink::pace`].
    #[must_use]
    pub fn pace(&self) -> Length {
        if let Self::Event(sink) = self { sink.pace() } else { Length::ZERO }
    }

    /// One attempt to tell a firing, or an end beside what fires.
    pub async fn deliver(&self, task: &Task, firing: &[Notification], now: Timestamp) -> Outcome {
        match self {
            Self::Event(sink) => sink.deliver(task, now).await,
            Self::Refresh(sink) if task.notification.resolved_at.is_some() => {
                sink.end(&task.notification, firing, now).await
            }
            Self::Refresh(sink) => sink.deliver(&task.notification, now).await,
        }
    }

    /// Says that the service is alive: an event as every other, or a state that ends by itself after `expires`.
    pub async fn heartbeat(&self, beat: &Notification, expires: Length, now: Timestamp) -> Outcome {
        match self {
            Self::Event(sink) => {
                let task = Task { notification: beat.clone(), handle: None, perhaps_told: false };
                sink.deliver(&task, now).await
            }
            Self::Refresh(sink) => sink.heartbeat(beat, expires, now).await,
        }
    }
}

/// What sinks are made with, beside their own configuration.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The sink's name.
    pub name: &'a str,
    /// The address for people that alerts link to.
    pub server: &'a Server,
    /// Where secrets are looked up; they are resolved once when a sink is made, so that a missing one is found at start.
    pub secrets: &'a Arc<Secrets>,
    /// What stands in place of the built-in text: [`text::Text::of`] takes it.
    pub template: Option<&'a Template>,
}

impl Parts<'_> {
    /// A client for https, or for plain http alone, which needs no roots of trust.
    ///
    /// # Errors
    /// Where there is no TLS to be had.
    pub fn client(&self, tls: bool) -> Result<Client, String> {
        if tls { Client::new(Bounds::default()) } else { Client::without_tls(Bounds::default()) }
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

/// Every sink that there is, made from its configuration.
///
/// # Errors
/// Where a secret is missing or an address cannot be used.
pub fn build(config: &SinkConfig, parts: &Parts<'_>) -> Result<Sink, SinkError> {
    let sink = match config {
        SinkConfig::Alertmanager { urls, expires, severity } => {
            let tls = urls.iter().any(|url| url.starts_with("https:"));
            let external_url = parts.server.external_url.clone();
            let shape = Shape { expires: *expires, severity: severity.clone(), external_url };
            let sink = parts.client(tls).and_then(|client| Alertmanager::new(client, urls, shape));
            sink.map(|sink| Sink::Refresh(Arc::new(sink)))
        }
        SinkConfig::Webhook { url, secret, shape } => {
            let tls = !matches!(url, WebhookUrl::Plain(url) if url.starts_with("http:"));
            let sink =
                parts.client(tls).and_then(|client| Webhook::new(client, url.clone(), secret.clone(), parts.secrets));
            sink.map(|sink| Sink::event(sink.shaped(Body::of(shape, parts))))
        }
        SinkConfig::Stdout => Ok(Sink::event(Stdout::of_process())),
        SinkConfig::Pagerduty(config) => pagerduty::build(config, parts),
        SinkConfig::Opsgenie(config) => opsgenie::build(config, parts),
        SinkConfig::Slack(config) => slack::build(config, parts),
        SinkConfig::Teams(config) => teams::build(config, parts),
        SinkConfig::Email(config) => email::build(config, parts),
        SinkConfig::Github(config) => github::build(config, parts),
        SinkConfig::Gitlab(config) => gitlab::build(config, parts),
        SinkConfig::Jira(config) => jira::build(config, parts),
        SinkConfig::Servicenow(config) => servicenow::build(config, parts),
        SinkConfig::Exec(config) => exec::build(config, parts),
        SinkConfig::File(config) => file::build(config, parts),
    };
    sink.map_err(|problem| SinkError { sink: parts.name.to_owned(), problem })
}
