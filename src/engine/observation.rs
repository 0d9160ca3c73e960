//! What a source said: samples with the span of time that the answer covers.

use std::sync::Arc;

use crate::units::{Labels, Timestamp};

/// One sample of a series. Refused values (NaN, infinite, negative) never get this far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Its time stamp.
    pub at: Timestamp,
    /// Its value: finite, not negative.
    pub value: f64,
}

/// What a series counts for in one SLO; several may hold (a 5xx counter is both bad and total).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// The numerator: bad or good events, as the definition says.
    pub events: bool,
    /// All events.
    pub total: bool,
    /// The `alive` selector.
    pub alive: bool,
}

/// The samples of one series, ascending in time, no time stamp twice.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSamples {
    /// All its labels, metric name under `__name__`.
    pub labels: Arc<Labels>,
    /// Stable hash of the labels; equal labels, equal fingerprint.
    pub fingerprint: u64,
    /// What it counts for in the SLO that this observation is for.
    pub roles: Roles,
    /// Shared with the other SLOs that it counts for.
    pub samples: Arc<[Sample]>,
}

/// One pushdown evaluation of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Evaluation time, a multiple of the step `p`.
    pub at: Timestamp,
    /// The group's labels (empty without `by`).
    pub group: Labels,
    /// Events of the numerator in the step, already multiplied as its unit says; `None`: no value, NaN is `Some(NAN)`.
    pub events: Option<f64>,
    /// All events in the step, likewise.
    pub total: Option<f64>,
}

/// When a target's process started, asked for when a series is born and nothing else decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The target's `job` and `instance` labels, those that it has.
    pub target: Labels,
    /// `process_start_time_seconds`, or the series' `_created`.
    pub at: Timestamp,
}

/// When a target was looked at, of a source that scrapes by itself: a series of the target without a sample since the
/// newest look is known to be gone, and not only late (SEMANTICS 2.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// The target's `job` and `instance` labels, those that it has.
    pub target: Labels,
    /// What was there at each of these times is in the answer; ascending.
    pub at: Vec<Timestamp>,
}

impl Looks {
    /// The newest look at or before `time`.
    #[must_use]
    pub fn newest(&self, time: Timestamp) -> Option<Timestamp> {
        let newer = self.at.partition_point(|at| *at <= time);
        newer.checked_sub(1).and_then(|place| self.at.get(place)).copied()
    }
}

/// An answer: everything the source holds for one SLO in `(from, to]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// The answer covers what is newer than this,
    pub from: Timestamp,
    /// up to and including this.
    pub to: Timestamp,
    /// Exact mode and `alive`: raw samples.
    pub series: Vec<SeriesSamples>,
    /// Pushdown mode: evaluations, ascending in time.
    pub points: Vec<Point>,
    /// Known start times.
    pub starts: Vec<Start>,
    /// Looks at the targets, shared by the SLOs of the source; empty: a store, of which nobody knows.
    pub looks: Arc<[Looks]>,
    /// Another replica answered: what is held is not joined to this (SEMANTICS 2, *Asking*).
    pub other_replica: bool,
}

/// The past of one series, for backfill. A neighbour pair that lies within one of `continuous` is taken as no gap,
/// and as measured, whatever its distance: hourly queries give the last value of each regular hour, remote read
/// gives every sample and leaves `continuous` empty.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesHistory {
    /// The series and its samples.
    pub series: SeriesSamples,
    /// Stretches `(from, to]` known to hold no gap over `G` and no reset between the samples given.
    pub continuous: Vec<(Timestamp, Timestamp)>,
}

/// A stretch of the past of one SLO, directly before what is loaded, or the first thing loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Covers what is newer than this,
    pub from: Timestamp,
    /// up to and including this.
    pub to: Timestamp,
    /// Exact mode.
    pub series: Vec<SeriesHistory>,
    /// Pushdown mode.
    pub points: Vec<Point>,
    /// Known start times.
    pub starts: Vec<Start>,
}
