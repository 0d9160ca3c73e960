//! `short_window`: a window that holds too few slices or samples.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::check::tiers::{BurnTier, burn_tiers};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Sli;
use crate::units::Length;

/// A window of a tier that holds too few slices or samples.
pub const RULE: Rule = Rule {
    code: codes::SHORT_WINDOW,
    severity: Severity::Warning,
    page: "The shortest window of a tier (`confirm`, or `over` without one) decides how soon it can be sure. Under two
slices one slice alone decides; under four scrape intervals of the source there are too few samples in it to
tell a failure from a late scrape.

At a slice and a scrape interval of 30 s, 2 minutes are the least.",
    failing: Some(Failing {
        line: 0,
        column: 0,
        text: r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 1m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
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
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    }),
    passing: Some(
        r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
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
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in set.slos.iter().filter(|slo| slo.alerts()) {
        let interval = set.interval(&slo.slo.source);
        let slice = match &slo.slo.sli {
            Sli::Exact { .. } => set.slice(),
            Sli::Pushdown { step, .. } => (*step).max(set.slice()),
        };
        for tier in burn_tiers(&slo.slo.alerting.policy, slo.slo.window) {
            let reason = if tier.shortest() < slice * 2 {
                format!("under two slices of {slice}")
            } else if tier.shortest() < interval * 4 {
                format!("under four scrape intervals of {interval}")
            } else {
                continue;
            };
            found.push(finding(set, slo, &tier, &reason, (slice * 2).max(interval * 4)));
        }
    }
}

fn finding(set: &Set<'_>, slo: &SloAt<'_>, tier: &BurnTier, reason: &str, least: Length) -> Diagnostic {
    let policy = &slo.slo.alerting.policy.name;
    let key = if tier.confirm.is_some_and(|confirm| confirm < tier.over) { "confirm" } else { "over" };
    let message = format!("`{key}: {}` of {} is {reason}", tier.shortest(), tier.named(policy));
    let mut finding = Diagnostic::warning(codes::SHORT_WINDOW, message)
        .with_help(format!("use {least} or more, or a shorter slice and scrape interval"))
        .of(slo.slo.id.clone());
    if let Some(policy) = set.policy_of(slo.slo) {
        finding.related.push((policy.tier(tier.index).nearest(&["burn", key]).place(), "this window".to_owned()));
    }
    slo.policy_place().mark(finding)
}
