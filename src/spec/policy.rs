//! An alert policy as meant: tiers with their gates, for any rolling window.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use rust_decimal::Decimal;

use crate::units::{Length, Objective, Schedule};

/// Under which conditions an SLO alerts. Tiers keep the order in which they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name; a preset's, or one of `rules/`.
    pub name: String,
    /// In words.
    pub description: String,
    /// Its conditions; empty where `periods` has them.
    pub tiers: Vec<PolicyTier>,
    /// Conditions of its own for each of some periods; other periods are refused.
    pub periods: Vec<PeriodTiers>,
    /// Whether the windows shrink below 7 d as the preset `balanced` does (SEMANTICS 5).
    pub scale_below: Option<Length>,
    /// What is held back for a while after a deploy of the service.
    pub on_deploy: Option<OnDeploy>,
}

/// `on_deploy`: alerts that fire within `hold` after a deploy are told when it ends, if they still fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDeploy {
    /// How long.
    pub hold: Length,
    /// Which alerts; ticket and notice by default.
    pub severities: Vec<AlertSeverity>,
}

impl Policy {
    /// The conditions for a period of `window`, and which of `periods` they are; `None`: it refuses that period.
    #[must_use]
    pub fn tiers_for(&self, window: Length) -> Option<(Option<usize>, &[PolicyTier])> {
        if self.periods.is_empty() {
            return Some((None, &self.tiers));
        }
        let fits = |(_, period): &(usize, &PeriodTiers)| period.windows.contains(&window);
        self.periods.iter().enumerate().find(fits).map(|(index, period)| (Some(index), period.tiers.as_slice()))
    }

    /// A tier by its position among `tiers`, or among those of one of `periods`.
    #[must_use]
    pub fn tier(&self, period: Option<usize>, index: usize) -> Option<&PolicyTier> {
        match period {
            None => self.tiers.get(index),
            Some(period) => self.periods.get(period)?.tiers.get(index),
        }
    }

    /// The periods that it is made for; none: any.
    pub fn windows(&self) -> impl Iterator<Item = Length> {
        self.periods.iter().flat_map(|period| period.windows.iter().copied())
    }

    /// Whether it alerts like `other`, whatever their names and descriptions.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.tiers, &self.periods, self.scale_below, &self.on_deploy)
            == (&other.tiers, &other.periods, other.scale_below, &other.on_deploy)
    }

    /// Every condition that it has for some period, in the order written.
    pub fn all_tiers(&self) -> impl Iterator<Item = &PolicyTier> {
        self.tiers.iter().chain(self.periods.iter().flat_map(|period| &period.tiers))
    }
}

/// The conditions for some periods.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodTiers {
    /// The periods.
    pub windows: Vec<Length>,
    /// The conditions.
    pub tiers: Vec<PolicyTier>,
}

/// A length in a policy: a fixed one, or a part of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyLength {
    /// As written: `1h`.
    Fixed(Length),
    /// `W/672`: whole minutes, half up.
    Part(NonZeroU32),
}

impl PolicyLength {
    /// The length for a period of `window`; `None` where it rounds to 0. Worked: `W/672` of 30 d is 64.29, so 64 minutes.
    #[must_use]
    pub fn of(self, window: Length) -> Option<Length> {
        match self {
            Self::Fixed(length) => Some(length),
            Self::Part(part) => {
                let unit = i64::from(part.get()) * Length::from_minutes(1).millis();
                let minutes = window.millis().saturating_mul(2).saturating_add(unit) / unit.saturating_mul(2);
                (minutes > 0).then(|| Length::from_minutes(minutes))
            }
        }
    }
}

impl From<Length> for PolicyLength {
    fn from(length: Length) -> Self {
        Self::Fixed(length)
    }
}

impl fmt::Display for PolicyLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => length.fmt(f),
            Self::Part(part) => write!(f, "W/{part}"),
        }
    }
}

/// One condition of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyTier {
    /// Who is told.
    pub severity: AlertSeverity,
    /// When it matches.
    pub kind: TierKind,
    /// What else has to hold for it to start, and to end.
    pub gates: Gates,
    /// `for` where it is a part of the period; `gates` has it once the period is known.
    pub for_part: Option<NonZeroU32>,
}

/// Who is told: `page` wakes somebody, `ticket` opens a ticket, `notice` is a line in a chat. Ordered, page first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Somebody is woken.
    Page,
    /// Somebody looks at it this week.
    Ticket,
    /// Somebody may read it.
    Notice,
}

/// The severities by name.
pub const SEVERITIES: &[(&str, AlertSeverity)] =
    &[("page", AlertSeverity::Page), ("ticket", AlertSeverity::Ticket), ("notice", AlertSeverity::Notice)];

impl AlertSeverity {
    /// As written in files and shown: `page`, `ticket`, `notice`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
            Self::Notice => "notice",
        }
    }
}

/// The tier kinds of SEMANTICS 5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TierKind {
    /// Burn rate over `over`, confirmed over `confirm`.
    Burn {
        /// How fast is too fast.
        threshold: BurnThreshold,
        /// `L`.
        over: PolicyLength,
        /// `S`.
        confirm: Option<PolicyLength>,
    },
    /// The budget is exhausted, or will be soon at the burn of the lookback, and that burn is no trifle.
    Exhausts {
        /// How soon.
        within: Length,
        /// What the burn is taken from.
        lookback: PolicyLength,
        /// The burn has to be above this; 1 by default.
        min_burn: Decimal,
    },
    /// Less of the budget is left than this.
    BudgetLeft {
        /// Share of the budget.
        below: Decimal,
    },
    /// More of the budget than this was spent within a window.
    BudgetDrop {
        /// Share of the budget.
        drop: Decimal,
        /// `L`.
        over: PolicyLength,
    },
    /// The good share over a sliding window is below a target of its own.
    SliBelow {
        /// Least good share.
        target: Objective,
        /// `L`.
        over: PolicyLength,
    },
    /// Measured, and hardly any event.
    NoTraffic {
        /// `L`.
        over: PolicyLength,
        /// At most so many events; 0 by default.
        min_total: f64,
    },
    /// Down at every slice end for this long.
    Down {
        /// How long.
        after: Length,
    },
    /// Idle for this long, in an hour that usually has events.
    NoData {
        /// How long.
        after: Length,
    },
}

/// A burn threshold as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurnThreshold {
    /// `k` itself.
    Factor(Decimal),
    /// `f`, the share of the budget spent over `L`: `k = f * W / L`.
    Spend(Decimal),
}

/// `max_false_pages: 0.1/30d`: how often a service that just meets its objective may start a tier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalsePages {
    /// `q`.
    pub most: f64,
    /// Within this time.
    pub within: Length,
}

/// What else has to hold (SEMANTICS 5).
#[derive(Clone, Debug, PartialEq)]
pub struct Gates {
    /// Least bad events in the long window, for starting.
    pub min_bad: f64,
    /// Least events in the long window, for starting.
    pub min_total: f64,
    /// Has to match at every slice end for this long.
    pub for_: Length,
    /// Has to be known false at every slice end for this long to end.
    pub keep_firing_for: Length,
    /// `h`: known false at `share <= h * k * B`; 1 by default.
    pub hold: f64,
    /// Starts only in these windows of time.
    pub active: Option<Arc<Schedule>>,
    /// Raises `min_bad` as the traffic of the last 28 d wants it.
    pub max_false_pages: Option<FalsePages>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            min_bad: 0.0,
            min_total: 0.0,
            for_: Length::ZERO,
            keep_firing_for: Length::ZERO,
            hold: 1.0,
            active: None,
            max_false_pages: None,
        }
    }
}
