//! Burn tiers worked out for a period, for the rules that compare them.
//!
//! The numbers are those that the engine works with (`policy::compile`).

use rust_decimal::Decimal;

use crate::check::set::{PolicyAt, Set, SloAt, TierPlace};
use crate::diag::Diagnostic;
use crate::engine::definition::Kind;
use crate::policy::compile;
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, PolicyLength, PolicyTier, TierKind};
use crate::units::{Length, Objective};

/// A burn tier with its factor for a period.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnTier {
    /// Where it stands in the policy.
    pub place: TierPlace,
    /// Who is told.
    pub severity: AlertSeverity,
    /// `k`.
    pub factor: f64,
    /// `k * B`.
    pub threshold: f64,
    /// `L`, already scaled.
    pub over: Length,
    /// `S`, already scaled.
    pub confirm: Option<Length>,
    /// Gates.
    pub gates: Gates,
}

impl BurnTier {
    /// The window that decides how quickly it can be sure: `S`, or `L` without one.
    #[must_use]
    pub fn shortest(&self) -> Length {
        self.confirm.map_or(self.over, |confirm| confirm.min(self.over))
    }

    /// In words: "tier 1 of `house` (page, 14.4 over 1h)".
    #[must_use]
    pub fn named(&self, policy: &str) -> String {
        let factor = shown(self.factor);
        format!("tier {} of `{policy}` ({}, {factor} over {})", self.place.index + 1, self.severity.name(), self.over)
    }
}

/// Tiers that may be compared, and where a finding about them stands.
#[derive(Debug)]
pub struct Judged<'a> {
    /// Name of the policy.
    pub policy: &'a str,
    /// Its burn tiers.
    pub tiers: Vec<BurnTier>,
    written: Option<&'a PolicyAt<'a>>,
    through: Option<&'a SloAt<'a>>,
}

impl Judged<'_> {
    /// Puts a finding about a tier at its place; `other` is a second tier with what it has to do with it.
    #[must_use]
    pub fn mark(&self, mut finding: Diagnostic, place: TierPlace, other: Option<(TierPlace, &str)>) -> Diagnostic {
        let tier = |place: TierPlace| self.written.map(|policy| policy.tier(place));
        if let Some(slo) = self.through {
            finding.related.extend(tier(place).map(|at| (at.place(), "this tier".to_owned())));
            finding = slo.policy_place().mark(finding.of(slo.slo.id.clone()));
        } else if let Some(at) = tier(place) {
            finding = at.mark(finding);
        }
        if let Some((place, label)) = other {
            finding.related.extend(tier(place).map(|at| (at.place(), label.to_owned())));
        }
        finding
    }
}

/// Every policy of the files once; one that mixes factors and spends once for each SLO that uses it, because only a
/// period makes the two comparable. Presets are in order, so they are left out.
#[must_use]
pub fn comparable<'a>(set: &'a Set<'a>) -> Vec<Judged<'a>> {
    let mut found = Vec::new();
    for policy in &set.policies {
        let name = policy.policy.name.as_str();
        if is_mixed(policy.policy) {
            let users = set.slos.iter().filter(|slo| slo.alerts() && slo.slo.alerting.policy.name == name);
            found.extend(users.map(|slo| Judged {
                policy: name,
                tiers: of_slo(slo),
                written: Some(policy),
                through: Some(slo),
            }));
        } else {
            // Spends compare alike at any period.
            found.extend(of_policy(policy.policy).into_iter().map(|tiers| Judged {
                policy: name,
                tiers,
                written: Some(policy),
                through: None,
            }));
        }
    }
    found
}

fn is_mixed(policy: &Policy) -> bool {
    let thresholds = || {
        policy.all_tiers().filter_map(|tier| match tier.kind {
            TierKind::Burn { threshold, .. } => Some(threshold),
            _ => None, // no other kind has a spend
        })
    };
    thresholds().any(|threshold| matches!(threshold, BurnThreshold::Factor(_)))
        && thresholds().any(|threshold| matches!(threshold, BurnThreshold::Spend(_)))
}

/// The burn tiers of `policy` for a period, in the order written; none where it does not fit (told elsewhere).
fn burn_tiers(policy: &Policy, objective: Objective, window: Length) -> Vec<BurnTier> {
    let period = policy.tiers_for(window).and_then(|(period, _)| period);
    let tiers = compile::tiers(policy, objective, window).unwrap_or_default();
    tiers
        .into_iter()
        .enumerate()
        .filter_map(|(index, tier)| match tier.kind {
            Kind::Burn { over, confirm, factor, threshold } => {
                let place = TierPlace { period, index };
                Some(BurnTier { place, severity: tier.severity, factor, threshold, over, confirm, gates: tier.gates })
            }
            // They are compared with nothing, and have rules of their own.
            Kind::Exhausts { .. }
            | Kind::BudgetLeft { .. }
            | Kind::BudgetDrop { .. }
            | Kind::SliBelow { .. }
            | Kind::NoTraffic { .. }
            | Kind::Down { .. }
            | Kind::NoData { .. } => None,
        })
        .collect()
}

/// The burn tiers of an SLO.
#[must_use]
pub fn of_slo(slo: &SloAt<'_>) -> Vec<BurnTier> {
    at_objective(slo, slo.slo.objective)
}

/// The burn tiers of an SLO for the groups that have this objective.
#[must_use]
pub fn at_objective(slo: &SloAt<'_>, objective: Objective) -> Vec<BurnTier> {
    burn_tiers(&slo.slo.alerting.policy, objective, slo.slo.window)
}

/// The burn tiers of a policy of the files by itself: what no objective and no period changes may be read from them.
/// One list, or one for each of its `periods`.
#[must_use]
pub fn of_policy(policy: &Policy) -> Vec<Vec<BurnTier>> {
    // 99.9% makes the numbers in messages the well-known ones.
    let Some(objective) = Objective::from_ratio(Decimal::new(999, 3)) else { return Vec::new() };
    if !policy.periods.is_empty() {
        let first = policy.periods.iter().filter_map(|period| period.windows.first());
        return first.map(|window| burn_tiers(policy, objective, *window)).collect();
    }
    // Over 30 days for the same reason; windows up to a year are looked at.
    let fits = [30, 365].map(Length::from_days).into_iter();
    let tiers = fits.map(|window| burn_tiers(policy, objective, window));
    tiers.into_iter().find(|tiers| !tiers.is_empty()).into_iter().collect()
}

/// A window of a tier that is no burn tier, where it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtherWindow {
    /// Where its tier stands in the policy.
    pub place: TierPlace,
    /// The tier's kind and the window's key, as written.
    pub keys: [&'static str; 2],
    /// As written.
    pub length: PolicyLength,
}

impl OtherWindow {
    /// Of a tier; `None` where it is a burn tier, or has no window.
    fn of(place: TierPlace, kind: TierKind) -> Option<Self> {
        let (keys, length) = match kind {
            TierKind::Exhausts { lookback, .. } => (["exhausts", "lookback"], lookback),
            TierKind::BudgetDrop { over, .. } => (["budget_drop", "over"], over),
            TierKind::SliBelow { over, .. } => (["sli_below", "over"], over),
            TierKind::NoTraffic { over, .. } => (["no_traffic", "over"], over),
            TierKind::Burn { .. } | TierKind::BudgetLeft { .. } | TierKind::Down { .. } | TierKind::NoData { .. } => {
                return None;
            }
        };
        Some(Self { place, keys, length })
    }
}

/// The tiers of a policy with where they stand: of every period that it has tiers for.
pub fn placed(policy: &Policy) -> impl Iterator<Item = (TierPlace, &PolicyTier)> {
    let list = |period: Option<usize>, tiers: &'_ [PolicyTier]| {
        (0..tiers.len()).map(move |index| TierPlace { period, index }).collect::<Vec<_>>()
    };
    let any = list(None, &policy.tiers);
    let own = policy.periods.iter().enumerate().flat_map(move |(number, period)| list(Some(number), &period.tiers));
    any.into_iter().chain(own).filter_map(|place| Some((place, policy.tier(place.period, place.index)?)))
}

/// The windows of the tiers of a policy that are no burn tiers.
pub fn other_windows(policy: &Policy) -> impl Iterator<Item = OtherWindow> {
    placed(policy).filter_map(|(place, tier)| OtherWindow::of(place, tier.kind))
}

/// A factor as people write it: `14.4`, three digits behind the point at most.
#[must_use]
pub fn shown(factor: f64) -> String {
    let text = format!("{factor:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_shown_as_people_write_them() {
        for (factor, text) in [(14.4, "14.4"), (1.0, "1"), (7.0 / 30.0, "0.233"), (20.0, "20"), (0.0, "0")] {
            assert_eq!(shown(factor), text);
        }
    }
}
