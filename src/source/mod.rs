//! Sources: one trait, one file each; where samples come from.
//!
//! Contract of [`Source`]: every method answers within the configured timeout or fails with a [`SourceError`] that says
//! what was asked, of which address, whose fault it is and whether asking again may help; it never panics, never follows
//! a redirect, never reads an answer without a bound, and never retries by itself (the next tick does).

use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::observation::Sample;
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// A series with samples, ascending in time; values that are NaN, infinite or negative are already taken out.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// All labels, metric name under `__name__`; the server's external labels taken off.
    pub labels: Arc<Labels>,
    /// Its samples.
    pub samples: Arc<[Sample]>,
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

/// One value of a PromQL evaluation; NaN and infinities included.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The result's labels.
    pub labels: Labels,
    /// Time and value, ascending.
    pub points: Vec<(Timestamp, f64)>,
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
    /// 401 or 403.
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

/// Receives history series by series, so that memory stays bounded; samples as in [`Series`], with stretches known to
/// be continuous as in `engine::observation::SeriesHistory`.
pub trait HistorySink: Send {
    /// One series, complete for the range asked.
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>);
}

/// How a stretch of history was read; tests insist that each path was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HistoryPath {
    /// Remote read, streamed chunks.
    RemoteRead,
    /// Hourly queries, raw samples where they do not suffice.
    Queries,
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

    /// The past of `selector` in `(from, to]`, streamed into `sink`. `gap` is `G`. For stretches newer than
    /// `fine_after`, samples suffice for 5 min buckets (else for hours).
    async fn history(
        &self,
        selector: &Selector,
        from: Timestamp,
        to: Timestamp,
        gap: Length,
        fine_after: Timestamp,
        sink: &mut dyn HistorySink,
    ) -> Result<HistoryPath, SourceError>;

    /// Whether `history` can answer at all: a scraped page has none.
    fn has_history(&self) -> bool;
}
