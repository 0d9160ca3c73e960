//! What is worth telling, one struct each. `telemetry.tell(&Tick { .. })` writes the log line and the metric.
//!
//! Messages are redacted by whoever makes them; here they are only written. A failure is logged where it is handled:
//! single requests at `debug`, the change of a part's health at `warn`, so that an outage is one line, not thousands.

use std::time::Duration;

use crate::telemetry::Event;
use crate::telemetry::metrics::Metrics;
use crate::units::Timestamp;

/// A request was not let through.
#[derive(Clone, Copy, Debug)]
pub struct RequestRefused {
    /// `unauthorized`, `forbidden`, `cross_site`, `busy`.
    pub reason: &'static str,
}

impl Event for RequestRefused {
    fn tell(&self, metrics: &Metrics) {
        metrics.request_refused(self.reason);
    }
}

/// A request to a source was answered, or failed.
#[derive(Clone, Copy, Debug)]
pub struct SourceRequest<'a> {
    /// The source's name.
    pub source: &'a str,
    /// `ok`, or the class of failure.
    pub outcome: RequestOutcome,
    /// How long it took.
    pub took: Duration,
    /// What went wrong.
    pub error: Option<&'a str>,
}

/// How a request to a source ended; the label `outcome` of `slo_source_requests_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered.
    Ok,
    /// Nothing usable came back.
    Unreachable,
    /// The timeout passed.
    Timeout,
    /// 401 or 403.
    Unauthorized,
    /// The question was refused.
    Rejected,
    /// 5xx or 429.
    Unavailable,
    /// Not what the protocol says.
    Malformed,
    /// Larger than the bound.
    TooLarge,
    /// The source cannot do that.
    Unsupported,
}

impl RequestOutcome {
    /// As in the metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
        }
    }
}

impl Event for SourceRequest<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.source_requested(self.source, self.outcome.name());
        tracing::debug!(
            source = self.source,
            outcome = self.outcome.name(),
            seconds = self.took.as_secs_f64(),
            error = self.error,
            "asked a source"
        );
    }
}

/// Whether a source answered a tick's questions. Told every tick; logged when it changes.
#[derive(Clone, Copy, Debug)]
pub struct SourceHealth<'a> {
    /// The source's name.
    pub source: &'a str,
    /// False from the first failed tick.
    pub up: bool,
    /// What went wrong.
    pub error: Option<&'a str>,
}

impl Event for SourceHealth<'_> {
    fn tell(&self, metrics: &Metrics) {
        match (metrics.source_up(self.source, self.up), self.up) {
            (true, true) => tracing::info!(source = self.source, "source answers again"),
            (true, false) => tracing::warn!(source = self.source, error = self.error, "source does not answer"),
            (false, _) => {}
        }
    }
}

/// How far the source's clock is from ours.
#[derive(Clone, Copy, Debug)]
pub struct ClockSkew<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Source's clock minus ours.
    pub seconds: f64,
}

impl Event for ClockSkew<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.clock_skew(self.source, self.seconds);
        tracing::trace!(source = self.source, seconds = self.seconds, "clock skew");
    }
}

/// Samples that are no counts were treated as absent.
#[derive(Clone, Copy, Debug)]
pub struct SamplesRefused<'a> {
    /// The source's name.
    pub source: &'a str,
    /// `nan`, `infinite`, `negative`.
    pub reason: &'static str,
    /// How many; nothing is told for 0.
    pub count: u64,
}

impl Event for SamplesRefused<'_> {
    fn tell(&self, metrics: &Metrics) {
        if self.count > 0 {
            metrics.samples_refused(self.source, self.reason, self.count);
            tracing::debug!(source = self.source, reason = self.reason, count = self.count, "samples refused");
        }
    }
}

/// Series were born and nothing tells what they count since when: their first values count nothing (SEMANTICS 2, rule 4).
#[derive(Clone, Copy, Debug)]
pub struct BirthsUncounted<'a> {
    /// The source's name.
    pub source: &'a str,
    /// How many series; nothing is told for 0.
    pub count: u64,
}

impl Event for BirthsUncounted<'_> {
    fn tell(&self, metrics: &Metrics) {
        if self.count > 0 {
            metrics.births_uncounted(self.source, self.count);
            tracing::debug!(
                source = self.source,
                count = self.count,
                "series of unknown birth, first values not counted"
            );
        }
    }
}

/// Whether an answer came from another replica than what is held. Told every tick; logged when it changes.
#[derive(Clone, Copy, Debug)]
pub struct ReplicasDiffer<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Whether they do.
    pub differ: bool,
}

impl Event for ReplicasDiffer<'_> {
    fn tell(&self, metrics: &Metrics) {
        match (metrics.replicas_differ(self.source, self.differ), self.differ) {
            (true, true) => tracing::warn!(
                source = self.source,
                "answers come from replicas that differ; each answer is used by itself"
            ),
            (true, false) => tracing::info!(source = self.source, "answers come from one replica again"),
            (false, _) => {}
        }
    }
}

/// One tick: asked, judged, committed.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// The slice end that was judged.
    pub as_of: Timestamp,
    /// How many instances.
    pub instances: usize,
    /// How long it took.
    pub took: Duration,
}

impl Event for Tick {
    fn tell(&self, metrics: &Metrics) {
        metrics.ticked(self.took.as_secs_f64());
        tracing::debug!(
            as_of = %self.as_of,
            instances = self.instances,
            seconds = self.took.as_secs_f64(),
            "tick"
        );
    }
}

/// How far the newest verdict is behind the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationLag {
    /// Wall clock minus newest slice end judged.
    pub seconds: f64,
}

impl Event for EvaluationLag {
    fn tell(&self, metrics: &Metrics) {
        metrics.evaluation_lag(self.seconds);
    }
}

/// An alert changed its state.
#[derive(Clone, Copy, Debug)]
pub struct AlertChanged<'a> {
    /// The alert.
    pub alert: &'a str,
    /// Before.
    pub from: &'a str,
    /// After.
    pub to: &'a str,
    /// In words and numbers.
    pub reason: &'a str,
}

impl Event for AlertChanged<'_> {
    fn tell(&self, _metrics: &Metrics) {
        tracing::info!(alert = self.alert, from = self.from, to = self.to, reason = self.reason, "alert");
    }
}

/// One attempt to deliver a notification.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryAttempt<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// The delivery.
    pub delivery: &'a str,
    /// `done`, `retry`, `ambiguous`, `refused`, `misconfigured`.
    pub outcome: &'a str,
    /// What the receiver said, redacted.
    pub message: &'a str,
}

impl Event for DeliveryAttempt<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.delivered(self.sink, self.outcome);
        let Self { sink, delivery, outcome, message } = *self;
        match outcome {
            "done" => tracing::info!(sink, delivery, message, "delivered"),
            "retry" | "ambiguous" => tracing::warn!(sink, delivery, outcome, message, "delivery will be tried again"),
            _ => tracing::error!(sink, delivery, outcome, message, "delivery given up"),
        }
    }
}

/// A heartbeat that was sent, or tried.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// As in [`DeliveryAttempt::outcome`].
    pub outcome: &'a str,
    /// What the receiver said, redacted.
    pub message: &'a str,
}

impl Event for Heartbeat<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.delivered(self.sink, self.outcome);
        let Self { sink, outcome, message } = *self;
        if outcome == "done" {
            tracing::debug!(sink, message, "heartbeat");
        } else {
            tracing::warn!(sink, outcome, message, "a heartbeat was not taken; the next one is due at its time");
        }
    }
}

/// No heartbeat is sent, for the service does not do its work.
#[derive(Clone, Copy, Debug)]
pub struct HeartbeatWithheld<'a> {
    /// What stands still.
    pub reason: &'a str,
}

impl Event for HeartbeatWithheld<'_> {
    fn tell(&self, _metrics: &Metrics) {
        tracing::error!(reason = self.reason, "no heartbeat is sent");
    }
}

/// A delivery that ended without being sent: its alert was over before, or the receiver was never told of it.
#[derive(Clone, Copy, Debug)]
pub struct DeliverySuperseded<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// The delivery.
    pub delivery: &'a str,
}

impl Event for DeliverySuperseded<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.delivered(self.sink, "superseded");
        let Self { sink, delivery } = *self;
        tracing::info!(sink, delivery, "delivery superseded");
    }
}

/// A sink that is told the state of its alerts again and again did not take it. No metric: the next time is a minute away.
#[derive(Clone, Copy, Debug)]
pub struct RefreshFailed<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// How many alerts there were to tell.
    pub alerts: usize,
    /// What the receiver said, redacted.
    pub message: &'a str,
}

impl Event for RefreshFailed<'_> {
    fn tell(&self, _metrics: &Metrics) {
        let Self { sink, alerts, message } = *self;
        tracing::warn!(sink, alerts, message, "the state of alerts was not taken, it is told again within a minute");
    }
}

/// What waits for a sink. Told after every change of the outbox and every tick.
#[derive(Clone, Copy, Debug)]
pub struct OutboxState<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// Rows that wait.
    pub pending: u64,
    /// Age of the oldest; 0 where none waits.
    pub oldest_seconds: f64,
}

impl Event for OutboxState<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.outbox(self.sink, self.pending, self.oldest_seconds);
    }
}

/// The files were read, at start or again.
#[derive(Clone, Copy, Debug)]
pub struct Reload<'a> {
    /// Whether they were taken; if not, the old set stays.
    pub taken: bool,
    /// Git revision of the files now in use; empty where there is none.
    pub revision: &'a str,
    /// SHA-256 over the files now in use.
    pub digest: &'a str,
    /// SLOs now in use.
    pub slos: usize,
    /// The findings that stood against them, one a line.
    pub findings: &'a str,
}

impl Event for Reload<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.reloaded(self.taken);
        metrics.revision(self.revision);
        if self.taken {
            tracing::info!(revision = self.revision, digest = self.digest, slos = self.slos, "files loaded");
        } else {
            tracing::error!(findings = self.findings, slos = self.slos, "files refused, the old set stays");
        }
    }
}

/// A secret's file that was good cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct SecretStale<'a> {
    /// The reference and what is wrong; no value.
    pub problem: &'a str,
}

impl Event for SecretStale<'_> {
    fn tell(&self, _: &Metrics) {
        tracing::warn!(problem = self.problem, "a secret cannot be read; its last good value is used");
    }
}

/// An operation of the store failed.
#[derive(Clone, Copy, Debug)]
pub struct StoreFailure<'a> {
    /// What was being done.
    pub doing: &'a str,
    /// What went wrong.
    pub problem: &'a str,
}

impl Event for StoreFailure<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.store_failed();
        tracing::error!(doing = self.doing, problem = self.problem, "the store failed");
    }
}

/// A stretch of history was read.
#[derive(Clone, Copy, Debug)]
pub struct Backfill<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
    /// `remote_read` or `queries`.
    pub path: &'static str,
    /// How much of the period is there now, over all SLOs of the source: 0 to 1.
    pub done: f64,
}

impl Event for Backfill<'_> {
    fn tell(&self, _metrics: &Metrics) {
        tracing::info!(
            source = self.source,
            from = %self.from,
            to = %self.to,
            path = self.path,
            done = self.done,
            "history read"
        );
    }
}

/// The service began to listen, or ended.
#[derive(Clone, Copy, Debug)]
pub enum Lifecycle<'a> {
    /// Listens at this address.
    Listening(&'a str),
    /// Was told to end.
    Stopping(&'a str),
    /// Ended within its deadline, or not.
    Stopped {
        /// Nothing was cut off.
        clean: bool,
    },
}

impl Event for Lifecycle<'_> {
    fn tell(&self, _metrics: &Metrics) {
        match self {
            Self::Listening(address) => tracing::info!(address, "listening"),
            Self::Stopping(why) => tracing::info!(why, "stopping"),
            Self::Stopped { clean: true } => tracing::info!("stopped"),
            Self::Stopped { clean: false } => tracing::warn!("stopped at the deadline, work was cut off"),
        }
    }
}

/// A request to us was answered.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query.
    pub path: &'a str,
    /// Status of the answer.
    pub status: u16,
}

impl Event for HttpRequest<'_> {
    fn tell(&self, _metrics: &Metrics) {
        let Self { method, path, status } = *self;
        if status >= 500 {
            tracing::warn!(method, path, status, "answered a request");
        } else {
            tracing::debug!(method, path, status, "answered a request");
        }
    }
}
