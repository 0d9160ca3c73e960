//! The service's own health: one struct per thing worth telling; telling it writes the log line and the metric.
//!
//! Why this way: a line and a counter that are written in two places drift apart. Everybody who has something to tell
//! is handed a [`Telemetry`] (cheap to clone) and calls [`Telemetry::tell`] with one of the structs of [`event`].
//! It reads no clock: durations are measured by whoever did the work. Invariants: metric names are those of
//! [`metrics::Metric`] and no others (INTERFACES 4); nothing told contains a secret, because events carry names,
//! numbers and messages that were redacted where they were made.

pub mod event;
pub mod log;
pub mod metrics;
pub mod pages;
pub mod sinks;

use std::sync::Arc;

use crate::telemetry::metrics::Metrics;

/// Something worth telling.
pub trait Event {
    /// Writes the log line and changes the metric.
    fn tell(&self, metrics: &Metrics);
}

/// Handle to the metrics and the log; clones share both.
#[derive(Clone, Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
}

impl Telemetry {
    /// Metrics of a program of this version, all at their start.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self { metrics: Arc::new(Metrics::new(version)) }
    }

    /// Writes the event's log line and changes its metric.
    pub fn tell(&self, event: &impl Event) {
        event.tell(&self.metrics);
    }

    /// Drops the metrics of a source that is no longer configured.
    pub fn forget_source(&self, source: &str) {
        self.metrics.forget_source(source);
    }

    /// Drops the metrics of a sink that is no longer configured.
    pub fn forget_sink(&self, sink: &str) {
        self.metrics.forget_sink(sink);
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        self.metrics.render()
    }
}

impl Default for Telemetry {
    /// Of this build's version.
    fn default() -> Self {
        Self::new(env!("CARGO_PKG_VERSION"))
    }
}
