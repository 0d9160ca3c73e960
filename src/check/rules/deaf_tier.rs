//! `deaf_tier`: a tier `down` of an SLO that nothing tells what is alive.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt, TierPlace};
use crate::config::meant::SourceKind;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Alive;
use crate::spec::policy::TierKind;

/// A tier `down` without anything that says what is alive.
pub const RULE: Rule = Rule {
    code: codes::DEAF_TIER,
    severity: Severity::Warning,
    page:
        "A tier `down` fires when `alive` is 0. By default `alive` is `up` with the equality matchers `job`, `namespace`
and `instance` of `total`. Where `total` has none of them, nothing says which targets are meant: `alive` is
`none`, and the tier can never fire.

Give `total` such a matcher, or write `alive`, for example `alive: up{job=\"shop\"}`. The presets have a tier
`down` as well, for the SLOs that know what is alive; of them nothing is said.",
    failing: Some(Failing {
        line: 16,
        column: 5,
        text: r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
      - {severity: page,   down: {after: 3m}}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {policy: house}
    sli:
      events:
        bad: requests_total{service="shop", code=~"5.."}
        total: requests_total{service="shop"}
"#,
    }),
    passing: Some(
        r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
      - {severity: page,   down: {after: 3m}}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {policy: house}
    alive: up{job="shop"}
    sli:
      events:
        bad: requests_total{service="shop", code=~"5.."}
        total: requests_total{service="shop"}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let deaf = set.slos.iter().filter(|slo| slo.alerts() && slo.slo.alive == Alive::None);
    found.extend(deaf.flat_map(|slo| of_slo(set, slo)));
}

fn of_slo(set: &Set<'_>, slo: &SloAt<'_>) -> Vec<Diagnostic> {
    let Some(policy) = set.policy_of(slo.slo) else { return Vec::new() };
    let Some((period, tiers)) = policy.policy.tiers_for(slo.slo.window) else { return Vec::new() };
    let down = tiers.iter().enumerate().filter(|(_, tier)| matches!(tier.kind, TierKind::Down { .. }));
    down.map(|(index, tier)| {
        let message = format!(
            "tier {} of `{}` ({}, down) can never fire: nothing says what of `{}` is alive",
            index + 1,
            policy.policy.name,
            tier.severity.name(),
            slo.slo.id
        );
        let mut finding = Diagnostic::warning(codes::DEAF_TIER, message)
            .with_help(format!("write `alive: up{{job=\"{}\"}}`, or give `total` a matcher on `job`", job(set, slo)))
            .of(slo.slo.id.clone());
        let tier = policy.tier(TierPlace { period, index });
        finding.related.push((tier.place(), "this tier".to_owned()));
        slo.policy_place().mark(finding)
    })
    .collect()
}

/// A name for the example: that of the source where it scrapes by itself, which is the `job` of its targets by default.
fn job<'a>(set: &'a Set<'_>, slo: &'a SloAt<'_>) -> &'a str {
    let source = set.config.and_then(|config| config.config.sources.get(&slo.slo.source));
    match source.map(|source| &source.kind) {
        Some(SourceKind::Scrape { labels, .. }) => labels.get("job").map_or(slo.slo.source.as_str(), String::as_str),
        _ => &slo.slo.id.service,
    }
}
