//! What the engine says about one instance at one slice end: windows, budget and what each tier's condition gives.

use smallvec::SmallVec;

use crate::engine::false_pages::FalsePagesFigure;
use crate::engine::forecast::Forecast;
use crate::units::{Length, Timestamp};

/// The figures of one window `(from, to]` (SEMANTICS 1).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowFigures {
    /// The length as asked.
    pub length: Length,
    /// Boundary at or before `to - length`, exclusive.
    pub from: Timestamp,
    /// The watermark, inclusive.
    pub to: Timestamp,
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
    /// Measured time.
    pub measured: Length,
    /// `measured / (to - from)`.
    pub coverage: f64,
    /// `min(1, bad/total)`, 0 where there are no events.
    pub share: f64,
    /// Burn rate: `share / B`.
    pub rate: f64,
}

impl WindowFigures {
    /// Whether anything was measured in it; where not, share and rate are 0 and say nothing.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.coverage > 0.0 || self.total > 0.0
    }
}

/// The error budget (SEMANTICS 4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// Over the period.
    pub window: WindowFigures,
    /// `N(W)`: events expected over the whole period.
    pub expected_total: f64,
    /// `B * N(W)`.
    pub allowed: f64,
    /// `bad / allowed`, 0 where nothing is allowed.
    pub spent: f64,
    /// `1 - spent`, negative when overspent.
    pub remaining: f64,
    /// `allowed - bad`.
    pub remaining_events: f64,
    /// `B * total`: what the measured events alone allow.
    pub measured_allowed: f64,
    /// `bad / measured_allowed`, 0 where nothing is allowed.
    pub spent_so_far: f64,
    /// Whether `N(W)` is not `total`, or counts come from pushdown.
    pub estimated: bool,
}

/// What the newest slice says about the data itself (SEMANTICS 3). *Blind* is not here: then there is no slice end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Measured, with or without bad events.
    #[default]
    Measured,
    /// Measured, and nothing happened.
    NoTraffic,
    /// Unmeasured, `alive` above 0 or not asked.
    Idle,
    /// Unmeasured, `alive` 0, or gone but above 0 in the last 7 d.
    Down,
}

/// Which way a burn tier goes (SEMANTICS 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trend {
    /// Over the threshold in neither window.
    #[default]
    Ok,
    /// In the confirm window alone.
    Rising,
    /// In both.
    Burning,
    /// In the long window alone.
    Recovering,
}

/// What one tier's condition gives at this slice end. Durations (`for`, `after`, `keep_firing_for`) are the policy's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TierVerdict {
    /// The condition of its kind holds (SEMANTICS 5).
    pub matches: bool,
    /// `min_bad` and `min_total` hold.
    pub gates_hold: bool,
    /// Known false (SEMANTICS 3 and 5); worked out only for tiers said to be firing.
    pub known_false: bool,
    /// Its long window, `L` or the lookback; for `budget_left` the last hour.
    pub over: Option<WindowFigures>,
    /// Burn tiers: `S`.
    pub confirm: Option<WindowFigures>,
    /// Burn tiers that are firing: `X`.
    pub resolve: Option<WindowFigures>,
    /// Burn tiers: which way it goes.
    pub trend: Trend,
    /// `exhausts` tiers that match: how soon the budget is gone at the burn of the lookback; zero: it is.
    pub exhausts_in: Option<Length>,
    /// `budget_left`: share left; `budget_drop`: share spent in `over`.
    pub budget_share: Option<f64>,
    /// What its bound on false pages came to.
    pub false_pages: Option<FalsePagesFigure>,
}

/// A set of tiers by their index in the definition; at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct TierSet(pub u64);

impl TierSet {
    /// Whether tier `index` is in it.
    #[must_use]
    pub const fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    /// Adds tier `index`.
    pub const fn add(&mut self, index: usize) {
        self.0 |= 1 << index;
    }
}

/// Everything about one instance at one slice end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The slice end that it speaks about.
    pub as_of: Timestamp,
    /// What the data is.
    pub condition: Condition,
    /// The period's budget.
    pub budget: Budget,
    /// One for each tier of the definition, in its order.
    pub tiers: SmallVec<[TierVerdict; 6]>,
    /// The forecast, where something is to be told; others ask for it when they want it.
    pub forecast: Option<Forecast>,
    /// Which label values differ between bad and good events, where something is to be told and they are known.
    pub differences: Option<Differences>,
}

/// The label values that differ most between bad and good events of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// Largest difference of shares first.
    pub values: Vec<ValueShares>,
}

/// One label value among bad and good events.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueShares {
    /// Name of the label.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Bad events that have it.
    pub bad: f64,
    /// Good events that have it.
    pub good: f64,
    /// Its share of the bad events, 0 to 1.
    pub bad_ratio: f64,
    /// Its share of the good events.
    pub good_ratio: f64,
}

impl Differences {
    /// Differences of shares below this say nothing.
    const LEAST: f64 = 0.05;
    /// More nobody reads.
    const MOST: usize = 5;

    /// Of all bad and good events, and of those that have each value.
    pub(crate) fn of<'a>(
        (bad, good): (f64, f64),
        values: impl Iterator<Item = ((&'a str, &'a str), (f64, f64))>,
    ) -> Self {
        let shares = values.map(|((name, value), (of_bad, of_good))| ValueShares {
            name: name.to_owned(),
            value: value.to_owned(),
            bad: of_bad,
            good: of_good,
            bad_ratio: of_bad / bad,
            good_ratio: of_good / good,
        });
        let difference = |one: &ValueShares| one.bad_ratio - one.good_ratio;
        let mut values: Vec<ValueShares> = shares.filter(|one| difference(one) >= Self::LEAST).collect();
        // Of equals the one whose name comes first, so that copies say the same.
        values.sort_by(|a, b| {
            difference(b).total_cmp(&difference(a)).then_with(|| (&a.name, &a.value).cmp(&(&b.name, &b.value)))
        });
        values.truncate(Self::MOST);
        Self { values }
    }
}

/// A whole hour of an instance, durable (ARCHITECTURE, *Store*).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourBucket {
    /// The hour's end.
    pub end: Timestamp,
    /// Numerator events as counted (bad, or good where the definition says so).
    pub events: f64,
    /// All events.
    pub total: f64,
    /// Measured time.
    pub measured: Length,
}
