//! What happened, as raw samples, and what the SLO asks of it.

use std::collections::BTreeSet;

use slo::spec::policy::AlertSeverity;
use slo::units::Labels;

use super::exact::{Rational, whole};

/// Milliseconds in a second.
pub const SECOND: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Milliseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Milliseconds in a day.
pub const DAY: i64 = 24 * HOUR;

/// One SLO, in exact numbers.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `B`.
    pub budget: Rational,
    /// `W`.
    pub window: i64,
    /// `s`.
    pub slice: i64,
    /// `G`.
    pub gap: i64,
    /// Labels that make groups.
    pub by: Vec<String>,
    /// Whether the numerator counts good events.
    pub good: bool,
    /// Whether `alive` is asked.
    pub alive: bool,
    /// `p`, in pushdown mode.
    pub step: Option<i64>,
    /// Judged in slices, so that `X` is `S`.
    pub time_weighted: bool,
    /// Its tiers.
    pub tiers: Vec<Tier>,
}

impl Setting {
    /// 99.9% over 30 d, slices of 30 s, `G` of 5 min, bad events, no tiers.
    pub fn plain() -> Self {
        Self {
            budget: super::exact::decimal("0.1%"),
            window: 30 * DAY,
            slice: 30 * SECOND,
            gap: 5 * MINUTE,
            by: Vec::new(),
            good: false,
            alive: false,
            step: None,
            time_weighted: false,
            tiers: Vec::new(),
        }
    }
}

/// A condition of the policy.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Who is told.
    pub severity: AlertSeverity,
    /// When it matches.
    pub kind: Kind,
    /// Least bad events in the long window.
    pub min_bad: i64,
    /// Least events in the long window.
    pub min_total: i64,
    /// `for`.
    pub wait: i64,
    /// `keep_firing_for`.
    pub keep: i64,
    /// `h`.
    pub hold: Rational,
}

impl Tier {
    /// Without gates.
    pub fn bare(severity: AlertSeverity, kind: Kind) -> Self {
        Self { severity, kind, min_bad: 0, min_total: 0, wait: 0, keep: 0, hold: whole(1) }
    }
}

/// The tier kinds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Burn rate over `over`, confirmed over `confirm`.
    Burn {
        /// `L`.
        over: i64,
        /// `S`.
        confirm: Option<i64>,
        /// `k`.
        factor: Rational,
    },
    /// Gone within `within` at the burn of the lookback, which is above `min_burn`.
    Exhausts {
        /// How soon.
        within: i64,
        /// The lookback.
        lookback: i64,
        /// Least burn, exclusive.
        min_burn: Rational,
    },
    /// Less of the budget left than this.
    BudgetLeft {
        /// Share.
        below: Rational,
    },
    /// More of the budget than `drop` spent in `over`.
    BudgetDrop {
        /// Share.
        drop: Rational,
        /// `L`.
        over: i64,
    },
    /// A good share below a target of its own.
    SliBelow {
        /// Least good share.
        target: Rational,
        /// `L`.
        over: i64,
    },
    /// Hardly any event.
    NoTraffic {
        /// `L`.
        over: i64,
        /// At most so many.
        min_total: i64,
    },
    /// Down for `after`.
    Down {
        /// How long.
        after: i64,
    },
    /// Idle for `after` in a usual hour.
    NoData {
        /// How long.
        after: i64,
    },
}

/// A sample, and when the store could answer with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Time stamp.
    pub at: i64,
    /// Value.
    pub value: f64,
    /// When it arrived at the store; `at`, unless late.
    pub arrived: i64,
}

/// A series with all its samples, ascending.
#[derive(Clone, Debug)]
pub struct Series {
    /// Labels with `__name__`.
    pub labels: Labels,
    /// Of the numerator's selector.
    pub events: bool,
    /// Of the total's selector.
    pub total: bool,
    /// Of the `alive` selector.
    pub alive: bool,
    /// Samples.
    pub samples: Vec<Sample>,
}

impl Series {
    /// The metric's name.
    pub fn metric(&self) -> &str {
        self.labels.get("__name__").unwrap_or_default()
    }

    /// The target: `job` and `instance`, those that it has; with neither, the metric.
    pub fn target(&self) -> Labels {
        let place: Labels = self
            .labels
            .iter()
            .filter(|(name, _)| matches!(*name, "job" | "instance"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if place.is_empty() { Labels::from([("__name__", self.metric())]) } else { place }
    }

    /// Whether it counts events of the SLO (and is not only `alive`).
    pub const fn counts(&self) -> bool {
        self.events || self.total
    }

    /// Whether it has a sample at `at`.
    pub fn has(&self, at: i64) -> bool {
        self.samples.binary_search_by_key(&at, |sample| sample.at).is_ok()
    }
}

/// One pushdown evaluation.
#[derive(Clone, Debug)]
pub struct Point {
    /// Evaluation time.
    pub at: i64,
    /// Group.
    pub group: Labels,
    /// Numerator.
    pub events: Option<f64>,
    /// Denominator.
    pub total: Option<f64>,
}

/// Everything that a store holds for one SLO.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// All series.
    pub series: Vec<Series>,
    /// Process start times by target.
    pub starts: Vec<(Labels, i64)>,
    /// Pushdown evaluations.
    pub points: Vec<Point>,
    /// Scrapes of ours, failed ones too, by target; a store tells of none.
    pub looks: Vec<(Labels, i64)>,
    /// Series that a restart of the program lost sight of, and when.
    pub lost: Vec<(Labels, i64)>,
}

impl World {
    /// Whether `series` is known at `w` to have had no sample since its newest one, at `newest`.
    pub fn is_gone(&self, series: &Series, newest: i64, w: i64) -> bool {
        let since = |at: i64| newest < at && at <= w;
        self.looks.iter().any(|(target, at)| since(*at) && *target == series.target())
            || self.lost.iter().any(|(labels, at)| since(*at) && *labels == series.labels)
    }

    /// What is known at watermark `w`: samples up to `w` that have arrived by then.
    pub fn known_at(&self, w: i64) -> Self {
        self.seen_at(w, w)
    }

    /// Samples up to `w` that had arrived when the store was asked at `asked`.
    pub fn seen_at(&self, w: i64, asked: i64) -> Self {
        let series = self
            .series
            .iter()
            .map(|series| {
                let seen = |sample: &&Sample| sample.at <= w && sample.arrived <= asked;
                Series { samples: series.samples.iter().filter(seen).copied().collect(), ..series.clone() }
            })
            .filter(|series| !series.samples.is_empty())
            .collect();
        let starts = self.starts.iter().filter(|(_, at)| *at <= w).cloned().collect();
        let points = self.points.iter().filter(|point| point.at <= w).cloned().collect();
        Self { series, starts, points, looks: self.looks.clone(), lost: self.lost.clone() }
    }

    /// The groups that have been born: those of a series, or point, of the SLO. Without `by` there is always one.
    pub fn groups(&self, setting: &Setting) -> Vec<Labels> {
        if setting.by.is_empty() {
            return vec![Labels::new()];
        }
        let of_series =
            self.series.iter().filter(|series| series.counts()).map(|series| series.labels.project(&setting.by));
        let of_points = self.points.iter().map(|point| point.group.clone());
        let groups: BTreeSet<Labels> = of_series.chain(of_points).collect();
        groups.into_iter().collect()
    }

    /// Adds a series of samples that arrive at once; times in seconds.
    #[must_use]
    pub fn with(mut self, labels: Labels, roles: (bool, bool, bool), samples: &[(f64, f64)]) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "vectors are in small seconds")]
        let millis = |seconds: f64| (seconds * 1000.0).round() as i64;
        let samples =
            samples.iter().map(|&(at, value)| Sample { at: millis(at), value, arrived: millis(at) }).collect();
        self.series.push(Series { labels, events: roles.0, total: roles.1, alive: roles.2, samples });
        self
    }
}
