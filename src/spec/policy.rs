//! An alert policy as meant: tiers with their gates, for any rolling window.

use rust_decimal::Decimal;

use crate::units::Length;

/// Under which conditions an SLO alerts. Tiers keep the order in which they were written.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name; a preset's, or one of `rules/`.
    pub name: String,
    /// In words.
    pub description: String,
    /// Its conditions.
    pub tiers: Vec<PolicyTier>,
    /// Whether the windows shrink below 7 d as the preset `balanced` does (SEMANTICS 5).
    pub scale_below: Option<Length>,
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

/// The tier kinds built so far (SEMANTICS 5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TierKind {
    /// Burn rate over `over`, confirmed over `confirm`.
    Burn {
        /// How fast is too fast.
        threshold: BurnThreshold,
        /// `L`.
        over: Length,
        /// `S`.
        confirm: Option<Length>,
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

/// What else has to hold (SEMANTICS 5).
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

impl Default for Gates {
    fn default() -> Self {
        Self { min_bad: 0.0, min_total: 0.0, for_: Length::ZERO, keep_firing_for: Length::ZERO, hold: 1.0 }
    }
}
