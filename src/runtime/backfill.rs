//! The past of a source's SLOs: newest first, then backwards, in rounds over all of them.
//!
//! Alerts are live while this runs, because time that is not loaded yet is unmeasured. Bounded in memory (a stretch is
//! as long as `SAMPLES_AT_ONCE` allows for the series that the SLO has) and in load on the store (half of the
//! source's concurrency, so that ticks never wait for it). A stretch that fails is asked again a while later.
//! At its end an SLO gets its own hours back where the source does not reach (SEMANTICS 2, *History*).

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::config::meant::SourceConfig;
use crate::engine::observation::{History, Sample, SeriesHistory, SeriesSamples, Start};
use crate::engine::state::Birth;
use crate::engine::verdict::HourBucket;
use crate::plan::{Plan, overlap};
use crate::runtime::asker::rejected;
use crate::runtime::core::{Core, held};
use crate::runtime::entry::SharedEntry;
use crate::runtime::poller::Pace;
use crate::source::{HistoryPath, HistorySink, Newborn, Source, SourceError, Stretch};
use crate::spec::selector::Selector;
use crate::store::StoreError;
use crate::telemetry::event::Backfill as BackfillEvent;
use crate::units::{InstanceId, Labels, Length, SloId, Timestamp};

/// Samples of one SLO in memory at once: 4 million are 64 MB.
const SAMPLES_AT_ONCE: i64 = 4_000_000;
/// The 5 min ring is this long (ARCHITECTURE, *Window store*); older time is kept by the hour.
const FINE: Length = Length::from_days(4);
/// The ring of slices is this long: newer than this, every sample is wanted.
const RAW: Length = Length::from_minutes(6 * 60 + 10);
/// Rounds end this long ago: the newest day of every SLO comes before the older days of any.
const ROUNDS: [Length; 2] = [Length::from_days(1), FINE];
/// Stretches end on the hour, so that hourly queries and hourly buckets fit.
const HOUR: Length = Length::from_hours(1);
/// Evaluations of a query that are asked and made points of at once: of many series they are many values.
const EVALUATIONS_AT_ONCE: i64 = 11_000;
/// Before a stretch that failed is asked again.
const PAUSE: Length = Length::from_seconds(30);

/// An SLO whose past could not be read so often gets its own hours back without it.
const PATIENCE: u32 = 3;

/// One source's backfill.
pub struct Backfill {
    name: String,
    source: Arc<dyn Source>,
    config: SourceConfig,
    entries: Vec<SharedEntry>,
    core: Arc<Core>,
    pace: Pace,
    /// How often in a row the past of an SLO could not be read.
    failures: Mutex<BTreeMap<SloId, u32>>,
}

impl Backfill {
    /// Of these SLOs of a source; those whose past is complete cost nothing.
    #[must_use]
    pub fn new(
        name: &str,
        source: &Arc<dyn Source>,
        config: &SourceConfig,
        entries: &[SharedEntry],
        core: &Arc<Core>,
        pace: Pace,
    ) -> Self {
        Self {
            name: name.to_owned(),
            source: Arc::clone(source),
            config: config.clone(),
            entries: entries.to_vec(),
            core: Arc::clone(core),
            pace,
            failures: Mutex::new(BTreeMap::new()),
        }
    }

    /// Reads until every SLO has its period, or `stop` is cancelled. One whose past cannot be read does not hold the
    /// others up: it is asked again when all have had their turn. At [`Pace::Once`] nobody looks before the end, so
    /// there is one round, with the source's whole concurrency, and what fails is not asked again.
    pub async fn run(&self, now: Timestamp, stop: &CancellationToken) {
        let longest = self.entries.iter().map(|entry| entry.period()).max().unwrap_or(Length::ZERO);
        let (rounds, at_once) = match self.pace {
            Pace::Service => (ROUNDS.as_slice(), (self.config.concurrency / 2).max(1)),
            Pace::Once => ([].as_slice(), self.config.concurrency.max(1)),
        };
        loop {
            // The last round is further back than the past of any begins, so each ends where its own does.
            for round in rounds.iter().copied().filter(|round| *round < longest).chain([longest * 2]) {
                stream::iter(&self.entries)
                    .for_each_concurrent(at_once, |entry| self.one(entry, now - round, now, stop))
                    .await;
            }
            for entry in &self.entries {
                self.finish(entry, now).await;
            }
            let complete = self.entries.iter().all(|entry| entry.is_complete());
            if complete || self.pace == Pace::Once || stop.is_cancelled() {
                return;
            }
            tokio::select! {
                () = self.core.clock.sleep(PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One SLO, back to `until` or to the beginning of its period.
    async fn one(&self, entry: &SharedEntry, until: Timestamp, now: Timestamp, stop: &CancellationToken) {
        let until = until.floor_to(HOUR).max(begin_of_past(now, entry.period(), self.config.gap));
        let mut plan = Plan::new(&[entry.slo()], overlap(&self.config), self.core.config().slice);
        let reader = Reader { source: &self.source, config: &self.config };
        while let Some(to) = entry.history_needed(until).filter(|_| self.source.has_history()) {
            let length = reader.length(entry.series_count());
            let from = (to - length).ceil_to(HOUR).min((to - HOUR).ceil_to(HOUR)).max(until);
            let read = tokio::select! {
                // A stretch is taken whole or not at all, so it may be dropped.
                read = self.stretch_of(entry, &mut plan, from, to, now) => read,
                () = stop.cancelled() => return,
            };
            match read {
                Ok(path) => {
                    held(&self.failures).remove(entry.id());
                    self.tell(from, to, path);
                }
                Err(error) => {
                    *held(&self.failures).entry(entry.id().clone()).or_default() += 1;
                    let at = self.core.clock.now();
                    self.core.health(&self.name, |health| health.noted(at, std::slice::from_ref(&error)));
                    tracing::warn!(slo = %entry.id(), %error, "history could not be read, asking again later");
                    return;
                }
            }
        }
    }

    /// Gives an SLO its own hours back once its past is there, or cannot be had.
    async fn finish(&self, entry: &SharedEntry, now: Timestamp) {
        let start = begin_of_past(now, entry.period(), self.config.gap);
        let missing = entry.history_needed(start).is_some() && self.source.has_history();
        let patient = held(&self.failures).get(entry.id()).is_none_or(|failures| *failures < PATIENCE);
        if entry.is_complete() || entry.as_of().is_none() || (missing && patient) {
            return;
        }
        match self.own_hours(entry, now).await {
            Ok(hours) => {
                entry.complete(&hours);
                if let Some(problem) = entry.with(|inner| inner.problem()) {
                    tracing::warn!(slo = %entry.id(), source = self.name, problem, "there is nothing to count");
                }
            }
            Err(error) => tracing::error!(slo = %entry.id(), %error, "own hours could not be read"),
        }
    }

    async fn stretch_of(
        &self,
        entry: &SharedEntry,
        plan: &mut Plan,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<HistoryPath, SourceError> {
        let reader = Reader { source: &self.source, config: &self.config };
        let shared = Arc::clone(entry);
        let undecided = move |history: &History| shared.undecided_in_history(history);
        let (history, path) = reader.stretch(plan, (from, to), now, &undecided).await?;
        let shared = Arc::clone(entry);
        // Millions of samples take a while; the tasks that answer people and stores are not held up by it.
        if tokio::task::spawn_blocking(move || shared.prepend(&history)).await.is_err() {
            tracing::error!(slo = %entry.id(), "loading history failed unexpectedly");
        }
        Ok(path)
    }

    /// The SLO's durable hours by group.
    async fn own_hours(
        &self,
        entry: &SharedEntry,
        now: Timestamp,
    ) -> Result<Vec<(Labels, Vec<HourBucket>)>, StoreError> {
        let after = now - entry.period() - HOUR;
        let mut groups: BTreeMap<Labels, Vec<HourBucket>> = BTreeMap::new();
        for (id, hour) in self.core.store.hours(&entry.id().to_string(), entry.generation(), after).await? {
            match id.parse::<InstanceId>() {
                Ok(id) => groups.entry(id.group).or_default().push(hour),
                Err(error) => tracing::error!(%error, "an hour in the store has an id that cannot be read"),
            }
        }
        Ok(groups.into_iter().collect())
    }

    fn tell(&self, from: Timestamp, to: Timestamp, path: HistoryPath) {
        let done = self.entries.iter().map(|entry| entry.backfilled()).sum::<f64>() / self.entries.len() as f64;
        let path = match path {
            HistoryPath::RemoteRead => "remote_read",
            HistoryPath::Queries => "queries",
        };
        self.core.telemetry.tell(&BackfillEvent { source: &self.name, from, to, path, done });
    }
}

/// Where the past of a `period` that ends at `now` begins, on the hour: before the window by more than `gap`, because the
/// first increase within the window is taken from a sample before it.
#[must_use]
pub fn begin_of_past(now: Timestamp, period: Length, gap: Length) -> Timestamp {
    ((now - period).floor_to(HOUR) - gap).floor_to(HOUR)
}

/// Reads stretches of the past of one SLO: for the running service and for replays.
pub struct Reader<'a> {
    /// Who is asked.
    pub source: &'a Arc<dyn Source>,
    /// How.
    pub config: &'a SourceConfig,
}

/// Tells the births within a stretch whose target's start is worth asking for.
pub type Undecided<'a> = &'a (dyn Fn(&History) -> Vec<Birth> + Send + Sync);

impl Reader<'_> {
    /// How long a stretch of `series` series may be to fit into memory.
    #[must_use]
    pub fn length(&self, series: usize) -> Length {
        let series = i64::try_from(series.max(1)).unwrap_or(i64::MAX);
        (self.config.interval * (SAMPLES_AT_ONCE / series).max(1)).max(HOUR)
    }

    /// What the source says of `(from, to]`, for the one SLO of `plan`, whose watermark is `now`.
    ///
    /// # Errors
    /// Where a question fails: nothing of the stretch is given then.
    pub async fn stretch(
        &self,
        plan: &mut Plan,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
        undecided: Undecided<'_>,
    ) -> Result<(History, HistoryPath), SourceError> {
        let mut history = History { from, to, ..History::default() };
        let mut path = HistoryPath::Queries;
        let stretch = Stretch { from, to, gap: self.config.gap, fine_after: now - FINE, raw_after: now - RAW };
        let queries = plan.queries().to_vec();
        let mut collector = Collector { plan, seen: HashSet::new(), series: Vec::new() };
        let selectors: Vec<&Selector> =
            queries.iter().filter(|query| !query.alive_only).map(|query| &query.selector).collect();
        if !selectors.is_empty() {
            path = self.source.history(&selectors, &stretch, &mut collector).await?;
        }
        history.series = collector.series;
        if let Some(pushdown) = plan.pushdown(0)
            && let Some((first, last)) = pushdown.due(from, to)
        {
            let mut next = first;
            while next <= last {
                let end = (next + pushdown.step * (EVALUATIONS_AT_ONCE - 1)).min(last);
                let mut answers = Vec::new();
                for question in plan.questions() {
                    answers.push(self.source.evaluate(&question.promql, next, end, pushdown.step).await?);
                }
                let none = Vec::new();
                let answer = |index: usize| answers.get(index).unwrap_or(&none).as_slice();
                let points = pushdown.points(plan.questions(), answer(pushdown.events), answer(pushdown.total));
                history.points.extend(points.map_err(|error| rejected(&error.to_string()))?);
                next = end + pushdown.step;
            }
        }
        history.starts = self.starts(&history, &undecided(&history)).await?;
        Ok((history, path))
    }

    /// When the targets of undecided births started.
    async fn starts(&self, history: &History, births: &[Birth]) -> Result<Vec<Start>, SourceError> {
        if births.is_empty() {
            return Ok(Vec::new());
        }
        let newborns: Vec<Newborn> = births
            .iter()
            .filter_map(|birth| {
                let series = history.series.iter().find(|held| held.series.fingerprint == birth.fingerprint)?;
                Some(Newborn { labels: Arc::clone(&series.series.labels), at: birth.at })
            })
            .collect();
        self.source.starts(&newborns, self.config.gap).await
    }
}

/// Takes the series of an SLO as they come, each once.
struct Collector<'a> {
    plan: &'a mut Plan,
    seen: HashSet<u64>,
    series: Vec<SeriesHistory>,
}

impl HistorySink for Collector<'_> {
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>) {
        let fingerprint = labels.fingerprint();
        let Some((_, roles)) = self.plan.route(&labels, fingerprint).first().copied() else { return };
        if (roles.events || roles.total) && self.seen.insert(fingerprint) {
            let series = SeriesSamples { labels, fingerprint, roles, samples: samples.into() };
            self.series.push(SeriesHistory { series, continuous });
        }
    }
}
