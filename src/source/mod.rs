//! Sources: one trait, one file each; where samples come from.
//!
//! Contract of [`Source`]: every request is answered within the configured timeout or fails with a [`SourceError`] that
//! says what was asked, of which address, whose fault it is and whether asking again may help; a source never panics,
//! never follows a redirect, never reads an answer without a bound, and never retries by itself (the next tick does),
//! but for one more try with the other address of a pair, or with a secret that has changed. Reading history is many
//! requests, or one long one in which every piece has to come within the timeout.

mod body;
pub mod client;
pub mod memory;
mod prometheus;
mod remote;
mod scrape;
mod starts;

use std::sync::Arc;

use async_trait::async_trait;

use crate::config::meant::{SourceConfig, SourceKind};
use crate::engine::observation::{Looks, Roles, Sample, SeriesSamples, Start};
pub use crate::plan::pushdown::Value;
use crate::secret::Secrets;
use crate::spec::selector::Selector;
use crate::telemetry::Telemetry;
use crate::units::{Labels, Length, Timestamp};

/// A series with samples, ascending in time; values that are NaN, infinite or negative are already taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// All labels, metric name under `__name__`; the server's external labels taken off.
    pub labels: Arc<Labels>,
    /// [`Labels::fingerprint`] of the labels.
    pub fingerprint: u64,
    /// Its samples.
    pub samples: Arc<[Sample]>,
}

impl From<Series> for SeriesSamples {
    /// Without roles: the plan fills them in.
    fn from(series: Series) -> Self {
        let Series { labels, fingerprint, samples } = series;
        Self { labels, fingerprint, roles: Roles::default(), samples }
    }
}

/// An answer with raw samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The series.
    pub series: Vec<Series>,
    /// The source's clock at the answer (`Date` header plus half a second), if it told.
    pub clock: Option<Timestamp>,
    /// Samples refused: NaN, infinite, negative.
    pub refused: Refused,
    /// Warnings that the source sent along.
    pub warnings: Vec<String>,
    /// The address that answered, where the source has several: another one may be another replica.
    pub replica: Option<String>,
}

/// How many samples were refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Not a number (stale markers are skipped, not counted).
    pub nan: u64,
    /// Infinite.
    pub infinite: u64,
    /// Below zero.
    pub negative: u64,
}

impl Refused {
    /// Whether `value` is a count; where not, it is counted here.
    pub fn admits(&mut self, value: f64) -> bool {
        if (0.0..f64::INFINITY).contains(&value) {
            return true;
        }
        if value.is_nan() {
            self.nan += 1;
        } else if value.is_infinite() {
            self.infinite += 1;
        } else {
            self.negative += 1;
        }
        false
    }

    /// Adds another count to this one.
    pub const fn add(&mut self, other: Self) {
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.negative += other.negative;
    }
}

/// What went wrong, and who can do something about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {problem}")]
pub struct SourceError {
    /// What was being done, with the address but never with a secret.
    pub doing: String,
    /// What went wrong, with the remedy where there is one.
    pub problem: String,
    /// Which kind.
    pub kind: SourceErrorKind,
}

/// Classes of failure, for metrics and for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceErrorKind {
    /// Refused, DNS, reset, TLS: nothing usable came back.
    Unreachable,
    /// The timeout passed.
    Timeout,
    /// 401 or 403, or a secret that cannot be read.
    Unauthorized,
    /// The server refused the question (4xx, PromQL error).
    Rejected,
    /// 5xx or 429.
    Unavailable,
    /// Not what the protocol says: HTML, a redirect, broken JSON.
    Malformed,
    /// Larger than the bound.
    TooLarge,
    /// This source cannot do that.
    Unsupported,
}

/// A source that cannot be built from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source `{name}`: {problem}")]
pub struct BuildError {
    /// The source.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A stretch of the past to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// What is newer than this,
    pub from: Timestamp,
    /// up to and including this.
    pub to: Timestamp,
    /// `G`.
    pub gap: Length,
    /// Newer than this, samples suffice for 5 min buckets; older, for hours.
    pub fine_after: Timestamp,
    /// Newer than this, every sample is wanted.
    pub raw_after: Timestamp,
}

/// Receives history series by series, so that memory stays bounded; samples as in [`Series`], with stretches known to
/// be continuous as in `engine::observation::SeriesHistory`.
pub trait HistorySink: Send {
    /// One series, complete for the stretch asked.
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>);

    /// Samples that were refused.
    fn refused(&mut self, _refused: Refused) {}
}

/// How a stretch of history was read; tests insist that each path was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryPath {
    /// Remote read, streamed chunks (or, from an old server, samples).
    RemoteRead,
    /// Hourly queries, raw samples where they do not suffice.
    Queries,
}

/// A series whose first sample nothing else decides about (SEMANTICS 2, *Birth*).
#[derive(Clone, Debug, PartialEq)]
pub struct Newborn {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Time of its first sample.
    pub at: Timestamp,
}

/// A store or a page that answers with samples.
#[async_trait]
pub trait Source: Send + Sync {
    /// Raw samples of `selector` in `(from, to]`, one request (asked as `selector[to - from]` at `to`).
    async fn samples(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Answer, SourceError>;

    /// PromQL at `from`, `from + step`, .. up to `to` (`from == to`: one instant query).
    async fn evaluate(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
        step: Length,
    ) -> Result<Vec<Value>, SourceError>;

    /// The values that a label has on series with samples in `(from, to]`, as the store's index knows them: it may name a
    /// few that are older. `matching` narrows the series, in PromQL (`{code!=""}`); empty: all.
    async fn label_values(
        &self,
        label: &str,
        _matching: &str,
        _from: Timestamp,
        _to: Timestamp,
    ) -> Result<Vec<String>, SourceError> {
        Err(unsupported(format!("asking for the values of `{label}`"), "this source has no index of labels"))
    }

    /// The past of all `selectors` (a family of `plan::Plan::families`: no two with a series in common), streamed into
    /// `sink`. Where the store gives every sample, `fine_after` and `raw_after` do not matter. On an error, what the
    /// sink has received is to be thrown away.
    async fn history(
        &self,
        selectors: &[&Selector],
        stretch: &Stretch,
        sink: &mut dyn HistorySink,
    ) -> Result<HistoryPath, SourceError>;

    /// Whether `history` can answer at all: a scraped page has none.
    fn has_history(&self) -> bool;

    /// Time of the oldest sample of `selector` in `(since, until]`. A store is looked at every 6 h first: series that
    /// lived and died between, before all others, are overlooked.
    async fn oldest(
        &self,
        selector: &Selector,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, SourceError>;

    /// Start times of the targets of `newborns`: values of `process_start_time_seconds`, or `_created` of the series
    /// where the target has none, that lie in `(b - gap, b]` of a birth `b`.
    async fn starts(&self, newborns: &[Newborn], gap: Length) -> Result<Vec<Start>, SourceError>;

    /// Nothing older than this can be answered, because nobody has held it: the first scrape of a page. `None`: a store.
    fn holds_since(&self) -> Option<Timestamp> {
        None
    }

    /// When the targets were looked at, where the source itself scrapes them: what was there is in the answers to questions
    /// asked after this one. Empty: a store, which does not tell.
    fn looks(&self) -> Arc<[Looks]> {
        Arc::default()
    }

    /// How often [`Source::scrape`] wants to be called; `None` for a store.
    fn scrape_every(&self) -> Option<Length> {
        None
    }

    /// Fetches the pages, with `now` as their time; what failed is told in the answer and as `up` 0.
    async fn scrape(&self, _now: Timestamp) -> ScrapeReport {
        ScrapeReport::default()
    }
}

/// What came of fetching all pages of a source once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScrapeReport {
    /// Pages asked for.
    pub targets: usize,
    /// Samples kept.
    pub samples: usize,
    /// Lines that are no samples, and samples that came twice.
    pub bad_lines: usize,
    /// The first bad line of a page, with the page and what is wrong.
    pub examples: Vec<String>,
    /// Pages that failed.
    pub failed: Vec<SourceError>,
}

/// Builds the source `name` as configured: the one list of what there is.
///
/// # Errors
/// Where an address or a header cannot be used.
pub fn build(
    name: &str,
    config: &SourceConfig,
    secrets: &Arc<Secrets>,
    telemetry: &Telemetry,
) -> Result<Arc<dyn Source>, BuildError> {
    let client = client::Client::new(name, config, secrets, telemetry)?;
    Ok(match &config.kind {
        SourceKind::Prometheus { flavour, urls, history } => {
            Arc::new(prometheus::Prometheus::new(client, urls, *flavour, *history)?)
        }
        SourceKind::Scrape { targets, labels } => Arc::new(scrape::Scrape::new(client, config, targets, labels)?),
    })
}

/// The error of a source that cannot do what is asked.
fn unsupported(doing: impl Into<String>, problem: impl Into<String>) -> SourceError {
    SourceError { doing: doing.into(), problem: problem.into(), kind: SourceErrorKind::Unsupported }
}
