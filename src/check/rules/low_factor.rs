//! `low_factor`: a burn tier that fires while the objective is met.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt, TierPlace};
use crate::check::tiers::{BurnTier, of_policy, of_slo};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::{BurnThreshold, Policy, TierKind};

/// A burn tier that fires while the objective is met.
pub const RULE: Rule = Rule {
    code: codes::LOW_FACTOR,
    severity: Severity::Warning,
    page: "A burn rate of 1 spends exactly the budget over the period. A tier with a factor below 1 fires although the
objective will be met, and so teaches people to ignore it.

A written `spend` becomes a factor by `spend * period / window`: the 10% in 3 days of `workbook` are a
factor of 1 at 30 days, and of 0.233 at 7 days. `balanced` keeps its factors at any period.",
    failing: Some(Failing {
        line: 7,
        column: 43,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 0.5,  over: 3d, confirm: 6h}}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
",
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for policy in &set.policies {
        // The period means nothing to written factors.
        for tier in low(of_policy(policy.policy).concat()).filter(|tier| is_written(policy.policy, tier.place)) {
            let finding = Diagnostic::warning(codes::LOW_FACTOR, message(policy.policy, &tier)).with_help(HELP);
            found.push(policy.tier(tier.place).nearest(&["burn", "factor"]).mark(finding));
        }
    }
    for slo in set.slos.iter().filter(|slo| slo.alerts()) {
        let own = set.policy_of(slo.slo).is_some();
        let policy = &slo.slo.alerting.policy;
        for tier in low(of_slo(slo)).filter(|tier| !(own && is_written(policy, tier.place))) {
            found.push(through(set, slo, &tier));
        }
    }
}

const HELP: &str = "a factor below 1 fires although the objective will be met; use 1 or more";

fn through(set: &Set<'_>, slo: &SloAt<'_>, tier: &BurnTier) -> Diagnostic {
    let message = format!("{} at a window of {}", message(&slo.slo.alerting.policy, tier), slo.slo.window);
    let mut finding = Diagnostic::warning(codes::LOW_FACTOR, message).with_help(HELP).of(slo.slo.id.clone());
    if let Some(policy) = set.policy_of(slo.slo) {
        finding.related.push((policy.tier(tier.place).place(), "this tier".to_owned()));
    }
    slo.policy_place().mark(finding)
}

fn message(policy: &Policy, tier: &BurnTier) -> String {
    format!("{} fires while the objective is met", tier.named(&policy.name))
}

fn low(tiers: Vec<BurnTier>) -> impl Iterator<Item = BurnTier> {
    tiers.into_iter().filter(|tier| tier.factor < 1.0)
}

/// Whether the tier's factor was written, rather than worked out from a spend and the SLO's period.
fn is_written(policy: &Policy, place: TierPlace) -> bool {
    let kind = policy.tier(place.period, place.index).map(|tier| tier.kind);
    matches!(kind, Some(TierKind::Burn { threshold: BurnThreshold::Factor(_), .. }))
}
