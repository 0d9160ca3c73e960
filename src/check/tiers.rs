//! Burn tiers worked out for a period, for the rules that compare them.
//!
//! Decimals, so that `14.4 * 10%` is 1.44 and a bound is met exactly (SEMANTICS 5).

use rust_decimal::Decimal;

use crate::check::set::{PolicyAt, Set, SloAt};
use crate::diag::Diagnostic;
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, TierKind};
use crate::units::Length;

/// A burn tier with its factor for a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnTier {
    /// Position among the policy's tiers, from 0.
    pub index: usize,
    /// Who is told.
    pub severity: AlertSeverity,
    /// `k`.
    pub factor: Decimal,
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
        let factor = self.factor.round_dp(3).normalize();
        format!("tier {} of `{policy}` ({}, {factor} over {})", self.index + 1, self.severity.name(), self.over)
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
    pub fn mark(&self, mut finding: Diagnostic, index: usize, other: Option<(usize, &str)>) -> Diagnostic {
        let tier = |index: usize| self.written.map(|policy| policy.tier(index));
        if let Some(slo) = self.through {
            finding.related.extend(tier(index).map(|at| (at.place(), "this tier".to_owned())));
            finding = slo.policy_place().mark(finding.of(slo.slo.id.clone()));
        } else if let Some(at) = tier(index) {
            finding = at.mark(finding);
        }
        if let Some((index, label)) = other {
            finding.related.extend(tier(index).map(|at| (at.place(), label.to_owned())));
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
                tiers: burn_tiers(policy.policy, slo.slo.window),
                written: Some(policy),
                through: Some(slo),
            }));
        } else {
            // Spends compare alike at any period; 30 days make the numbers in messages the well-known ones.
            let tiers = burn_tiers(policy.policy, Length::from_days(30));
            found.push(Judged { policy: name, tiers, written: Some(policy), through: None });
        }
    }
    found
}

fn is_mixed(policy: &Policy) -> bool {
    let thresholds = || {
        policy.tiers.iter().filter_map(|tier| match tier.kind {
            TierKind::Burn { threshold, .. } => Some(threshold),
            TierKind::Down { .. } | TierKind::NoData { .. } => None,
        })
    };
    thresholds().any(|threshold| matches!(threshold, BurnThreshold::Factor(_)))
        && thresholds().any(|threshold| matches!(threshold, BurnThreshold::Spend(_)))
}

/// The burn tiers of `policy` for an SLO with the period `window`, in the order written.
#[must_use]
pub fn burn_tiers(policy: &Policy, window: Length) -> Vec<BurnTier> {
    let tiers = policy.tiers.iter().enumerate();
    tiers
        .filter_map(|(index, tier)| {
            let TierKind::Burn { threshold, over, confirm } = tier.kind else { return None };
            let over_scaled = scaled(over, window, policy.scale_below, 5);
            let factor = match threshold {
                BurnThreshold::Factor(factor) => factor,
                // k = f * W / L
                BurnThreshold::Spend(spend) => spend
                    .checked_mul(Decimal::from(window.millis()))?
                    .checked_div(Decimal::from(over_scaled.millis()))?,
            };
            let confirm = confirm.map(|confirm| scaled(confirm, window, policy.scale_below, 2));
            Some(BurnTier { index, severity: tier.severity, factor, over: over_scaled, confirm, gates: tier.gates })
        })
        .collect()
}

/// Below `full` a window shrinks by `W / full`, to whole minutes, half up, and at least `least` minutes.
fn scaled(length: Length, window: Length, full: Option<Length>, least: i64) -> Length {
    match full {
        Some(full) if window < full => {
            let minute = i128::from(Length::from_minutes(1).millis());
            let (numerator, denominator) =
                (i128::from(length.millis()) * i128::from(window.millis()), i128::from(full.millis()) * minute);
            let minutes = (2 * numerator + denominator) / (2 * denominator);
            Length::from_minutes(i64::try_from(minutes).unwrap_or(i64::MAX / 60_000).max(least))
        }
        _ => length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::PolicyTier;

    fn policy(tiers: &[(BurnThreshold, &str, &str)], scale_below: Option<Length>) -> Policy {
        let tiers = tiers
            .iter()
            .map(|(threshold, over, confirm)| PolicyTier {
                severity: AlertSeverity::Page,
                kind: TierKind::Burn {
                    threshold: *threshold,
                    over: over.parse().unwrap(),
                    confirm: Some(confirm.parse().unwrap()),
                },
                gates: Gates::default(),
            })
            .collect();
        Policy { name: "p".into(), description: String::new(), tiers, scale_below }
    }

    #[test]
    fn spends_become_factors_for_the_period() {
        let spend = |percent: i64| BurnThreshold::Spend(Decimal::new(percent, 2));
        let workbook = policy(
            &[(spend(2), "1h", "5m"), (spend(5), "6h", "30m"), (spend(10), "1d", "2h"), (spend(10), "3d", "6h")],
            None,
        );
        let factors = |days| -> Vec<String> {
            burn_tiers(&workbook, Length::from_days(days))
                .iter()
                .map(|t| t.factor.round_dp(3).normalize().to_string())
                .collect()
        };
        assert_eq!(factors(30), ["14.4", "6", "3", "1"]);
        assert_eq!(factors(7), ["3.36", "1.4", "0.7", "0.233"]);
        assert_eq!(factors(90), ["43.2", "18", "9", "3"]);
    }

    #[test]
    fn balanced_shrinks_below_a_week() {
        let factor = BurnThreshold::Factor(Decimal::ONE);
        let tiers = [(factor, "1h", "5m"), (factor, "6h", "30m"), (factor, "1d", "2h"), (factor, "3d", "6h")];
        let balanced = policy(&tiers, Some(Length::from_days(7)));
        let windows: Vec<String> = burn_tiers(&balanced, Length::from_days(1))
            .iter()
            .map(|tier| format!("{} {}", tier.over, tier.confirm.unwrap()))
            .collect();
        assert_eq!(windows, ["9m 2m", "51m 4m", "3h26m 17m", "10h17m 51m"]);
    }
}
