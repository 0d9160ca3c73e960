//! What is worth telling of pages that are scraped.

use crate::telemetry::Event;
use crate::telemetry::metrics::Metrics;

/// The pages of a source were fetched. What failed is logged by who fetched them.
#[derive(Clone, Copy, Debug)]
pub struct Scraped<'a> {
    /// The source's name.
    pub source: &'a str,
    /// Pages asked for.
    pub targets: usize,
    /// Those that failed.
    pub failed: usize,
}

impl Event for Scraped<'_> {
    fn tell(&self, metrics: &Metrics) {
        metrics.scraped(self.source, self.targets, self.failed);
        tracing::trace!(source = self.source, targets = self.targets, failed = self.failed, "scraped");
    }
}
