//! `unreachable_tier`: a burn tier that even total failure does not reach.

use rust_decimal::Decimal;

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set, SloAt};
use crate::check::tiers::{BurnTier, at_objective, shown};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::TierKind;
use crate::units::{Objective, decimal_to_f64};

/// A burn tier that total failure does not reach.
pub const RULE: Rule = Rule {
    code: codes::UNREACHABLE_TIER,
    severity: Severity::Warning,
    page: "A burn rate is the bad share divided by the budget ratio, so it is never above `1 / (1 - objective)`: at 90%
even a total outage burns only 10 times. A tier whose factor is at or above that can never fire: a tier
fires only if `factor * (1 - objective) < 1`.

The factors 14.4, 6 and 3 can fire above objectives of 93.06%, 83.33% and 66.67% only. Use a policy with
lower factors for this SLO, or a tighter objective.",
    failing: Some(Failing {
        line: 7,
        column: 16,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 90%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    }),
    passing: Some(
        r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in set.slos.iter().filter(|slo| slo.alerts()) {
        let own = slo.policy_place();
        found.extend(unreachable(set, slo, slo.slo.objective, own));
        for (index, over) in slo.slo.overrides.iter().enumerate() {
            let at = slo.at.nearest(&["overrides", &index.to_string(), "objective"]);
            found.extend(unreachable(set, slo, over.objective, at));
        }
    }
}

/// The tiers that cannot fire at an objective, told at its place.
fn unreachable(set: &Set<'_>, slo: &SloAt<'_>, objective: Objective, at: At<'_>) -> Vec<Diagnostic> {
    let burns = at_objective(slo, objective).into_iter().filter(|tier| tier.threshold >= 1.0);
    let mut found: Vec<Diagnostic> = burns.map(|tier| at.mark(finding(set, slo, &tier, objective))).collect();
    for (index, tier) in slo.tiers().iter().enumerate() {
        if let TierKind::Exhausts { min_burn, .. } = tier.kind
            && min_burn * objective.budget() >= Decimal::ONE
        {
            let named = format!("tier {} of `{}` (exhausts)", index + 1, slo.slo.alerting.policy.name);
            found.push(at.mark(told(slo, &named, &shown(decimal_to_f64(min_burn)), objective)));
        }
    }
    found
}

fn finding(set: &Set<'_>, slo: &SloAt<'_>, tier: &BurnTier, objective: Objective) -> Diagnostic {
    let mut finding = told(slo, &tier.named(&slo.slo.alerting.policy.name), &shown(tier.factor), objective);
    if let Some(policy) = set.policy_of(slo.slo) {
        finding.related.push((policy.tier(tier.place).place(), "this tier".to_owned()));
    }
    finding
}

fn told(slo: &SloAt<'_>, named: &str, factor: &str, objective: Objective) -> Diagnostic {
    let most = shown(1.0 / objective.budget_ratio());
    let message = format!(
        "{named} can never fire: at {objective} a total outage burns {most} times, and the tier wants more than {factor}"
    );
    Diagnostic::warning(codes::UNREACHABLE_TIER, message)
        .with_help("choose a policy with lower factors, or a tighter objective")
        .of(slo.slo.id.clone())
}
