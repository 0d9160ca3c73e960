//! Burn tiers worked out for a period, for the rules that compare them.
//!
//! The numbers are those that the engine works with (`policy::compile`).

use rust_decimal::Decimal;

use crate::check::set::{PolicyAt, Set, SloAt};
use crate::diag::Diagnostic;
use crate::engine::definition::Kind;
use crate::policy::compile;
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, TierKind};
use crate::units::{Length, Objective};

/// A burn tier with its factor for a period.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnTier {
    /// Position among the policy's tiers, from 0.
    pub index: usize,
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
                tiers: of_slo(slo),
                written: Some(policy),
                through: Some(slo),
            }));
        } else {
            // Spends compare alike at any period.
            let tiers = of_policy(policy.policy);
            found.push(Judged { policy: name, tiers, written: Some(policy), through: None });
        }
    }
    found
}

fn is_mixed(policy: &Policy) -> bool {
    let thresholds = || {
        policy.all_tiers().filter_map(|tier| match tier.kind {
            TierKind::Burn { threshold, .. } => Some(threshold),
            _ => None,
        })
    };
    thresholds().any(|threshold| matches!(threshold, BurnThreshold::Factor(_)))
        && thresholds().any(|threshold| matches!(threshold, BurnThreshold::Spend(_)))
}

/// The burn tiers of `policy` for an SLO, in the order written; none where the policy does not fit (told elsewhere).
fn burn_tiers(policy: &Policy, objective: Objective, window: Length) -> Vec<BurnTier> {
    let tiers = compile::tiers(policy, objective, window).unwrap_or_default();
    tiers
        .into_iter()
        .enumerate()
        .filter_map(|(index, tier)| match tier.kind {
            Kind::Burn { over, confirm, factor, threshold } => {
                Some(BurnTier { index, severity: tier.severity, factor, threshold, over, confirm, gates: tier.gates })
            }
            _ => None,
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
#[must_use]
pub fn of_policy(policy: &Policy) -> Vec<BurnTier> {
    // 99.9% over 30 days makes the numbers in messages the well-known ones; windows up to a year are looked at.
    let fits = [30, 365].map(Length::from_days).into_iter();
    let objective = Objective::from_ratio(Decimal::new(999, 3));
    let tiers = fits.filter_map(|window| Some(burn_tiers(policy, objective?, window)));
    tiers.into_iter().find(|tiers| !tiers.is_empty()).unwrap_or_default()
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
