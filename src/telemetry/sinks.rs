//! What is worth telling of sinks themselves, beside single deliveries ([`super::event`]).

use crate::telemetry::Event;
use crate::telemetry::metrics::Metrics;

/// A sink says that a person has to mend something, although it was told or will be.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryAlarm<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// The delivery.
    pub delivery: &'a str,
    /// What has to be mended, redacted.
    pub text: &'a str,
}

impl Event for DeliveryAlarm<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.delivery_alarm(self.sink);
        let Self { sink, delivery, text } = *self;
        tracing::error!(sink, delivery, text, "a sink needs attention");
    }
}

/// Whether tries may go to a sink. Told with [`super::event::OutboxState`]; logged when it changes.
#[derive(Clone, Copy, Debug)]
pub struct SinkGate<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// False: its destination said to wait, or fails, and only a probe goes now and then.
    pub open: bool,
}

impl Event for SinkGate<'_> {
    fn tell(&self, metrics: &Metrics) {
        match (metrics.sink_gate(self.sink, self.open), self.open) {
            (true, true) => tracing::info!(sink = self.sink, "the sink's gate is open again"),
            (true, false) => tracing::warn!(sink = self.sink, "the sink's gate is shut, notifications wait"),
            (false, _) => {}
        }
    }
}
