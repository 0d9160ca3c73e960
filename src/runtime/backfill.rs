//! The past of a source's SLOs: newest first, then backwards, in rounds over all of them.
//!
//! Alerts are live while this runs, because time that is not loaded yet is unmeasured. Bounded in memory (a stretch is
//! as long as [`SAMPLES_AT_ONCE`] allows for the series that the SLO has) and in load on the store (half of the
//! source's concurrency, so that ticks never wait for it). A stretch that fails is asked again a slice later.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::meant::SourceConfig;
use crate::engine::observation::{History, Sample, SeriesHistory, SeriesSamples};
use crate::runtime::entry::SharedEntry;
use crate::source::{HistoryPath, HistorySink, Source, SourceError};
use crate::spec::meant::{Sli, Slo};
use crate::spec::selector::Selector;
use crate::telemetry::Telemetry;
use crate::telemetry::event::Backfill as BackfillEvent;
use crate::units::{Labels, Length, Timestamp};

/// Samples of one SLO in memory at once: 4 million are 64 MB.
const SAMPLES_AT_ONCE: i64 = 4_000_000;
/// The 5 min ring is this long (ARCHITECTURE, *Window store*); older time is kept by the hour.
const FINE: Length = Length::from_days(4);
/// Rounds end this long ago: the newest day of every SLO comes before the older days of any.
const ROUNDS: [Length; 2] = [Length::from_days(1), FINE];
/// Stretches end on the hour, so that hourly queries and hourly buckets fit.
const HOUR: Length = Length::from_hours(1);

/// Everything that one source's backfill needs.
pub struct Backfill {
    /// The source's name.
    pub name: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Its configuration.
    pub config: SourceConfig,
    /// The SLOs that have no history yet.
    pub entries: Vec<SharedEntry>,
    /// For waiting after a failure.
    pub clock: Clock,
    /// Where progress is told.
    pub telemetry: Telemetry,
}

impl Backfill {
    /// Reads until every SLO has its period, or `stop` is cancelled.
    pub async fn run(&self, now: Timestamp, stop: &CancellationToken) {
        let longest = self.entries.iter().map(|entry| entry.period()).max().unwrap_or(Length::ZERO);
        let rounds = ROUNDS.into_iter().filter(|round| *round < longest).chain([longest]);
        for round in rounds {
            let at_once = (self.config.concurrency / 2).max(1);
            stream::iter(&self.entries)
                .for_each_concurrent(at_once, |entry| self.one(entry, now - round, now, stop))
                .await;
        }
    }

    /// One SLO, back to `until` or to the beginning of its period.
    async fn one(&self, entry: &SharedEntry, until: Timestamp, now: Timestamp, stop: &CancellationToken) {
        let until = until.max(now - entry.period()).floor_to(HOUR);
        while let Some(to) = entry.history_needed(until) {
            if stop.is_cancelled() {
                return;
            }
            let from = until.max((to - self.stretch(entry)).ceil_to(HOUR)).min(to - Length::from_millis(1));
            match self.stretch_of(entry, from, to, now).await {
                Ok(path) => self.tell(from, to, path),
                Err(error) => {
                    tracing::warn!(slo = %entry.id(), %error, "history could not be read, asking again");
                    tokio::select! {
                        () = self.clock.sleep(self.config.interval) => {}
                        () = stop.cancelled() => return,
                    }
                }
            }
        }
    }

    /// How much of an SLO's past fits into memory.
    fn stretch(&self, entry: &SharedEntry) -> Length {
        let series = i64::try_from(entry.series_count().max(1)).unwrap_or(i64::MAX);
        let samples_each = (SAMPLES_AT_ONCE / series).max(1);
        (self.config.interval * samples_each).max(HOUR)
    }

    async fn stretch_of(
        &self,
        entry: &SharedEntry,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<HistoryPath, SourceError> {
        let slo = entry.slo();
        let mut collector = Collector::new(&slo);
        let mut path = HistoryPath::Queries;
        for selector in selectors(&slo) {
            let fine_after = now - FINE;
            path = self.source.history(selector, from, to, self.config.gap, fine_after, &mut collector).await?;
        }
        let history = History { from, to, series: collector.series, ..History::default() };
        let entry = Arc::clone(entry);
        // Millions of samples take a while; the tasks that answer people and stores are not held up by it.
        let worked = tokio::task::spawn_blocking(move || entry.prepend(&history)).await;
        if worked.is_err() {
            tracing::error!(slo = %slo.id, "loading history failed unexpectedly");
        }
        Ok(path)
    }

    fn tell(&self, from: Timestamp, to: Timestamp, path: HistoryPath) {
        let done = self.entries.iter().map(|entry| entry.backfilled()).sum::<f64>() / self.entries.len() as f64;
        let path = match path {
            HistoryPath::RemoteRead => "remote_read",
            HistoryPath::Queries => "queries",
        };
        self.telemetry.tell(&BackfillEvent { source: &self.name, from, to, path, done });
    }
}

/// The selectors whose past is read: one that another of the same SLO covers is left out.
fn selectors(slo: &Slo) -> Vec<&Selector> {
    match &slo.sli {
        Sli::Exact { events, total, .. } if total.covers(events) => vec![total],
        Sli::Exact { events, total, .. } => vec![events, total],
        Sli::Pushdown { .. } => Vec::new(),
    }
}

/// Takes the series of an SLO as they come, each once.
struct Collector<'a> {
    slo: &'a Slo,
    seen: HashSet<u64>,
    series: Vec<SeriesHistory>,
}

impl<'a> Collector<'a> {
    fn new(slo: &'a Slo) -> Self {
        Self { slo, seen: HashSet::new(), series: Vec::new() }
    }
}

impl HistorySink for Collector<'_> {
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>) {
        let roles = crate::plan::roles(self.slo, &labels);
        let fingerprint = labels.fingerprint();
        if (roles.events || roles.total) && self.seen.insert(fingerprint) {
            let series = SeriesSamples { labels, fingerprint, roles, samples: samples.into() };
            self.series.push(SeriesHistory { series, continuous });
        }
    }
}
