//! Verdicts as shown and told: windows, tiers and budgets in the shapes of INTERFACES 3.
//!
//! Figures are passed on as they are, not rounded. Invariant: what is shown beside an alert is what it was decided on.

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::false_pages::FalsePagesFigure;
use crate::engine::forecast::Forecast;
use crate::engine::verdict::{Budget, TierVerdict, Trend, Verdict, WindowFigures};
use crate::policy::alert::{AlertState, FalsePagesView, TierView, WindowView};
use crate::policy::notification::{BudgetView, ForecastView, MeasuredBudget};
use crate::policy::tier::Phase;

impl From<&WindowFigures> for WindowView {
    fn from(window: &WindowFigures) -> Self {
        Self {
            length: window.length.to_string(),
            from: window.from,
            to: window.to,
            bad: window.bad,
            total: window.total,
            ratio: window.share,
            rate: window.rate,
            coverage: window.coverage,
        }
    }
}

impl From<&Budget> for BudgetView {
    fn from(budget: &Budget) -> Self {
        Self {
            allowed: budget.allowed,
            spent_ratio: budget.spent,
            remaining_ratio: budget.remaining,
            remaining_events: budget.remaining_events,
            measured: MeasuredBudget { allowed: budget.measured_allowed, spent_ratio: budget.spent_so_far },
        }
    }
}

impl From<&FalsePagesFigure> for FalsePagesView {
    fn from(figure: &FalsePagesFigure) -> Self {
        Self { min_bad: figure.min_bad, expected: figure.expected, within: figure.within.to_string() }
    }
}

impl From<&Forecast> for ForecastView {
    fn from(forecast: &Forecast) -> Self {
        Self {
            exhausted: forecast.exhausted,
            exhausts_at: forecast.exhausts_at,
            recovers_at: forecast.recovers_at,
            lookback: forecast.lookback.to_string(),
        }
    }
}

/// The kind of a tier as shown, which is as written.
#[must_use]
pub const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Burn { .. } => "burn",
        Kind::Exhausts { .. } => "exhausts",
        Kind::BudgetLeft { .. } => "budget_left",
        Kind::BudgetDrop { .. } => "budget_drop",
        Kind::SliBelow { .. } => "sli_below",
        Kind::NoTraffic { .. } => "no_traffic",
        Kind::Down { .. } => "down",
        Kind::NoData { .. } => "no_data",
    }
}

/// A trend as shown: `burning`, `rising`, `recovering`, `ok`.
#[must_use]
pub const fn trend_name(trend: Trend) -> &'static str {
    match trend {
        Trend::Ok => "ok",
        Trend::Rising => "rising",
        Trend::Burning => "burning",
        Trend::Recovering => "recovering",
    }
}

/// One tier with its state. `verdict` is `None` where the tier was not judged (an alert of several groups).
#[must_use]
pub fn tier_view(tier: &Tier, verdict: Option<&TierVerdict>, phase: Option<Phase>, frozen: bool) -> TierView {
    let (factor, threshold_ratio) = match tier.kind {
        Kind::Burn { factor, threshold, .. } => (Some(factor), Some(threshold)),
        Kind::Exhausts { min_burn, threshold, .. } => (Some(min_burn), Some(threshold)),
        Kind::SliBelow { threshold, .. } => (None, Some(threshold)),
        _ => (None, None),
    };
    let window = |of: fn(&TierVerdict) -> Option<&WindowFigures>| verdict.and_then(of).map(WindowView::from);
    TierView {
        kind: kind_name(tier.kind).to_owned(),
        severity: tier.severity,
        state: match phase {
            None => AlertState::Inactive,
            Some(Phase::Pending { .. }) => AlertState::Pending,
            Some(Phase::Firing { .. }) => AlertState::Firing,
        },
        frozen,
        trend: trend_name(verdict.map_or(Trend::Ok, |verdict| verdict.trend)).to_owned(),
        factor,
        threshold_ratio,
        over: window(|verdict| verdict.over.as_ref()),
        confirm: window(|verdict| verdict.confirm.as_ref()),
        resolve: window(|verdict| verdict.resolve.as_ref()),
        false_pages: verdict.and_then(|verdict| verdict.false_pages.as_ref()).map(FalsePagesView::from),
    }
}

/// Every tier of a definition with its state, in the policy's order; `phase_of` says where tier `index` stands.
#[must_use]
pub fn tier_views(
    definition: &Definition,
    verdict: &Verdict,
    phase_of: impl Fn(usize) -> Option<Phase>,
) -> Vec<TierView> {
    let tiers = definition.tiers.iter().zip(&verdict.tiers).enumerate();
    tiers
        .map(|(index, (tier, judged))| {
            let phase = phase_of(index);
            let frozen = phase.is_some_and(Phase::fires) && !judged.matches && !judged.known_false;
            tier_view(tier, Some(judged), phase, frozen)
        })
        .collect()
}
