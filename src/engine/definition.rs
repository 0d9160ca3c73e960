//! What the engine has to know about one SLO: the numbers only, compiled once from the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::false_pages::TRAFFIC;
use crate::spec::meant::Numerator;
use crate::spec::policy::{AlertSeverity, Gates};
use crate::units::{Labels, Length, SloId, Step};

/// One SLO, compiled. Equal definitions give equal numbers on equal data.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// `service/name`.
    pub id: SloId,
    /// `B`, from the written digits.
    pub budget: f64,
    /// `W`, rolling.
    pub window: Length,
    /// Labels that make groups; empty: one instance, which exists from the start.
    pub by: Vec<String>,
    /// Whether the numerator counts bad or good events.
    pub numerator: Numerator,
    /// Pushdown step `p`; `None` in exact mode.
    pub pushdown: Option<Length>,
    /// Judged in slices (`gauge`, `probe`, `ratio`): weighted by time, so `X` is `S` and no interval is shown.
    pub time_weighted: bool,
    /// A slice without a value, from a source that answered, is a bad event.
    pub absent_is_bad: bool,
    /// Definitions of some groups, with another objective; the first that matches holds. All else is equal.
    pub overrides: Vec<GroupDefinition>,
    /// `s`.
    pub slice: Step,
    /// `G`.
    pub gap: Length,
    /// Whether `alive` is asked.
    pub alive: bool,
    /// Groups kept apart; more are summed in the group `other`.
    pub instances_limit: usize,
    /// Conditions, in the order of the policy; empty where alerting is off.
    pub tiers: Vec<Tier>,
}

impl Definition {
    /// How far back it looks: over its period, the windows of its tiers, and 28 d where false pages are bounded.
    #[must_use]
    pub fn reach(&self) -> Length {
        let tier = |tier: &Tier| {
            let window = tier.kind.window().unwrap_or(Length::ZERO);
            if tier.gates.max_false_pages.is_some() { window.max(TRAFFIC) } else { window }
        };
        self.tiers.iter().map(tier).fold(self.window, Length::max)
    }

    /// The definition of a group: that of the first override that matches, else this one.
    #[must_use]
    pub fn of_group(&self, group: &Labels) -> &Self {
        self.override_of(group).map_or(self, Arc::as_ref)
    }

    /// The definition of the first override that matches a group.
    #[must_use]
    pub fn override_of(&self, group: &Labels) -> Option<&Arc<Self>> {
        let matches = |over: &&GroupDefinition| over.matches.iter().all(|(name, value)| group.get(name) == Some(value));
        self.overrides.iter().find(matches).map(|over| &over.definition)
    }
}

/// The definition of the groups that have these labels.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupDefinition {
    /// Labels of `by` with the values that a group must have; all of them.
    pub matches: BTreeMap<String, String>,
    /// Its own `overrides` are empty.
    pub definition: Arc<Definition>,
}

/// One tier, its threshold worked out for this objective and period.
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// Who is told.
    pub severity: AlertSeverity,
    /// When it matches.
    pub kind: Kind,
    /// What else has to hold.
    pub gates: Gates,
}

impl Kind {
    /// `L`: the long window, or the lookback; an hour for what looks at the budget alone.
    #[must_use]
    pub const fn window(self) -> Option<Length> {
        match self {
            Self::Burn { over, .. }
            | Self::Exhausts { lookback: over, .. }
            | Self::BudgetDrop { over, .. }
            | Self::SliBelow { over, .. }
            | Self::NoTraffic { over, .. } => Some(over),
            Self::BudgetLeft { .. } => Some(Length::from_hours(1)),
            Self::Down { .. } | Self::NoData { .. } => None,
        }
    }

    /// `S`.
    #[must_use]
    pub const fn confirm(self) -> Option<Length> {
        match self {
            Self::Burn { confirm, .. } => confirm,
            _ => None,
        }
    }
}

/// A tier's condition, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `share(X) * coverage(X) > k * B` for `over` and, if given, for `confirm`.
    Burn {
        /// `L`.
        over: Length,
        /// `S`.
        confirm: Option<Length>,
        /// `k`.
        factor: f64,
        /// `k * B`, one product of decimals, rounded once.
        threshold: f64,
    },
    /// The forecast exhausts the budget in less than `within`, or it is exhausted; and `share(L) * coverage(L) >
    /// min_burn * B` over the lookback.
    Exhausts {
        /// How soon.
        within: Length,
        /// `L`.
        lookback: Length,
        /// The burn has to be above this.
        min_burn: f64,
        /// `min_burn * B`, one product of decimals, rounded once.
        threshold: f64,
    },
    /// `remaining < below`.
    BudgetLeft {
        /// Share of the budget.
        below: f64,
    },
    /// `bad(L) > drop * B * N(W)`.
    BudgetDrop {
        /// Share of the budget.
        drop: f64,
        /// `L`.
        over: Length,
    },
    /// `share(L) * coverage(L) > 1 - target`.
    SliBelow {
        /// Least good share.
        target: f64,
        /// `1 - target`, from the written digits.
        threshold: f64,
        /// `L`.
        over: Length,
    },
    /// `coverage(L) >= 0.9` and `total(L) <= min_total`.
    NoTraffic {
        /// `L`.
        over: Length,
        /// At most so many events.
        min_total: f64,
    },
    /// Down at every slice end for this long.
    Down {
        /// How long.
        after: Length,
    },
    /// Idle for this long in an hour that usually has events.
    NoData {
        /// How long.
        after: Length,
    },
}
