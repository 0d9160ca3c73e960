//! `unreachable_tier`: a burn tier that even total failure does not reach.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::check::tiers::{BurnTier, burn_tiers};
use crate::diag::{Diagnostic, Severity, codes};
use rust_decimal::Decimal;

/// A burn tier that total failure does not reach.
pub const RULE: Rule = Rule {
    code: codes::UNREACHABLE_TIER,
    severity: Severity::Warning,
    page: "A burn rate is the bad share divided by the budget ratio, so it is never above `1 / (1 - objective)`: at 90%
even a total outage burns only 10 times. A tier whose factor is at or above that can never fire: a tier
fires only if `factor * (1 - objective) < 1`.

The highest objectives at which 14.4, 6 and 3 cannot fire are 93.05%, 83.33% and 66.66%. Use a policy with
lower factors for this SLO, or a tighter objective.",
    failing: Some(Failing {
        line: 0,
        column: 0,
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
        for tier in burn_tiers(&slo.slo.alerting.policy, slo.slo.window) {
            let product = tier.factor.checked_mul(slo.slo.objective.budget());
            if product.is_none_or(|product| product >= Decimal::ONE) {
                found.push(finding(set, slo, &tier));
            }
        }
    }
}

fn finding(set: &Set<'_>, slo: &SloAt<'_>, tier: &BurnTier) -> Diagnostic {
    let policy = &slo.slo.alerting.policy.name;
    let named = tier.named(policy);
    // The budget ratio is above 0, so the division is exact enough to show.
    let most = Decimal::ONE.checked_div(slo.slo.objective.budget()).unwrap_or_default().round_dp(2).normalize();
    let factor = tier.factor.round_dp(3).normalize();
    let message = format!(
        "{named} can never fire: at {} a total outage burns {most} times, and the tier wants more than {factor}",
        slo.slo.objective
    );
    let mut finding = Diagnostic::warning(codes::UNREACHABLE_TIER, message)
        .with_help("choose a policy with lower factors, or a tighter objective")
        .of(slo.slo.id.clone());
    if let Some(policy) = set.policy_of(slo.slo) {
        finding.related.push((policy.tier(tier.index).place(), "this tier".to_owned()));
    }
    slo.policy_place().mark(finding)
}
