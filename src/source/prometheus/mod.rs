//! Prometheus, and what speaks its HTTP API: VictoriaMetrics, Thanos, Mimir.
//!
//! Samples are asked for as `selector[range]`, never as `increase` or `rate`: those extrapolate, and would not add up
//! (SEMANTICS 2). The past is read by remote read where the server has it, else by hourly queries; see
//! [`remote_read`] and [`cells`].

mod api;
mod cells;
mod decode;
mod grid;
mod oldest;
mod remote_read;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::config::meant::{Flavour, HistoryMode};
use crate::engine::observation::{Sample, Start};
use crate::source::client::Client;
use crate::source::prometheus::api::{Api, MAX_POINTS};
use crate::source::{
    Answer, BuildError, HistoryPath, HistorySink, Newborn, Refused, Source, SourceError, SourceErrorKind, Stretch,
    Value, starts,
};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// A store with Prometheus' API.
pub(super) struct Prometheus {
    api: Api,
    mode: HistoryMode,
    /// The server was found to have no remote read.
    without_remote_read: AtomicBool,
}

impl Prometheus {
    /// Behind these addresses.
    pub(super) fn new(
        client: Client,
        urls: &[String],
        flavour: Flavour,
        history: HistoryMode,
    ) -> Result<Self, BuildError> {
        let mode = match (history, flavour) {
            // Neither serves it for its own data.
            (HistoryMode::Auto, Flavour::Thanos | Flavour::VictoriaMetrics) => HistoryMode::Query,
            (mode, _) => mode,
        };
        Ok(Self { api: Api::new(client, urls)?, mode, without_remote_read: AtomicBool::new(false) })
    }

    fn tries_remote_read(&self) -> bool {
        match self.mode {
            HistoryMode::RemoteRead => true,
            HistoryMode::Query => false,
            HistoryMode::Auto => !self.without_remote_read.load(Ordering::Relaxed),
        }
    }
}

#[async_trait]
impl Source for Prometheus {
    async fn samples(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Answer, SourceError> {
        self.api.samples(selector, from, to).await
    }

    async fn evaluate(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
        step: Length,
    ) -> Result<Vec<Value>, SourceError> {
        if from == to || step == Length::ZERO {
            return self.api.at(promql, to).await;
        }
        let mut whole: BTreeMap<Labels, Vec<(Timestamp, f64)>> = BTreeMap::new();
        let mut first = from;
        while first <= to {
            let last = (first + step * (MAX_POINTS - 1)).min(to);
            for value in self.api.range(promql, first, last, step).await? {
                whole.entry(value.labels).or_default().extend(value.points);
            }
            first = first + step * MAX_POINTS;
        }
        Ok(whole.into_iter().map(|(labels, points)| Value { labels, points }).collect())
    }

    async fn label_values(
        &self,
        label: &str,
        matching: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, SourceError> {
        self.api.label_values(label, matching, (from, to)).await
    }

    async fn history(
        &self,
        selectors: &[&Selector],
        stretch: &Stretch,
        sink: &mut dyn HistorySink,
    ) -> Result<HistoryPath, SourceError> {
        if self.tries_remote_read() {
            let mut counting = Counting { inner: sink, series: 0 };
            let range = (stretch.from, stretch.to);
            match remote_read::read(&self.api, selectors, range, &mut counting).await {
                Ok(()) => return Ok(HistoryPath::RemoteRead),
                Err(error) if self.mode == HistoryMode::Auto && counting.series == 0 && is_no_remote_read(&error) => {
                    if error.kind == SourceErrorKind::Unsupported {
                        self.without_remote_read.store(true, Ordering::Relaxed);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        cells::read(&self.api, selectors, stretch, sink).await?;
        Ok(HistoryPath::Queries)
    }

    fn has_history(&self) -> bool {
        true
    }

    async fn oldest(
        &self,
        selector: &Selector,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, SourceError> {
        oldest::oldest(&self.api, selector, since, until).await
    }

    async fn starts(&self, newborns: &[Newborn], gap: Length) -> Result<Vec<Start>, SourceError> {
        starts::starts(self, newborns, gap).await
    }
}

/// Whether queries may do what remote read would not.
const fn is_no_remote_read(error: &SourceError) -> bool {
    matches!(
        error.kind,
        SourceErrorKind::Unsupported
            | SourceErrorKind::Rejected
            | SourceErrorKind::Malformed
            | SourceErrorKind::TooLarge
            | SourceErrorKind::Unauthorized
    )
}

/// Counts what was handed out, because that cannot be taken back.
struct Counting<'a> {
    inner: &'a mut dyn HistorySink,
    series: usize,
}

impl HistorySink for Counting<'_> {
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>) {
        self.series += 1;
        self.inner.series(labels, samples, continuous);
    }

    fn refused(&mut self, refused: Refused) {
        self.inner.refused(refused);
    }
}
