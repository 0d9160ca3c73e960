//! Fetches the pages of a source that has to be scraped, each interval; the ticks find the samples there.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::runtime::core::Core;
use crate::source::{ScrapeReport, Source};
use crate::telemetry::pages;
use crate::units::Length;

/// Scrapes one source, beside its ticks.
pub struct Scraping {
    name: String,
    source: Arc<dyn Source>,
    core: Arc<Core>,
    every: Length,
    /// What was logged last: pages that fail, and the first error.
    told: (usize, Option<String>),
}

impl Scraping {
    /// Of a source that wants to be scraped; `None` for a store.
    #[must_use]
    pub fn new(name: &str, source: &Arc<dyn Source>, core: &Arc<Core>) -> Option<Self> {
        let every = source.scrape_every()?;
        let (source, core) = (Arc::clone(source), Arc::clone(core));
        Some(Self { name: name.to_owned(), source, core, every, told: (0, None) })
    }

    /// Fetches all pages once.
    pub async fn once(&mut self) {
        let now = self.core.clock.now();
        let report = self.source.scrape(now).await;
        self.core.health(&self.name, |health| health.scraped(now, report.targets, &report.failed));
        let failed = report.failed.len();
        self.core.telemetry.tell(&pages::Scraped { source: &self.name, targets: report.targets, failed });
        self.log(&report);
    }

    /// Goes on after the first scrape, until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = self.core.clock.now().floor_to(self.every) + self.every;
            tokio::select! {
                () = self.core.clock.sleep_until(next) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = self.once() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn log(&mut self, report: &ScrapeReport) {
        let (failed, targets) = (report.failed.len(), report.targets);
        let told = (failed, report.failed.first().map(ToString::to_string));
        if told != self.told {
            if let Some(error) = &told.1 {
                tracing::warn!(source = self.name, failed, targets, error, "pages cannot be scraped");
            } else {
                tracing::info!(source = self.name, "all pages are scraped again");
            }
            self.told = told;
        }
        if report.bad_lines > 0 {
            let (bad_lines, example) = (report.bad_lines, report.examples.first().map(String::as_str));
            tracing::warn!(source = self.name, bad_lines, example, "lines that are no samples");
        }
    }
}
