//! `short_window`: a window that holds too few slices or samples.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::check::tiers::{BurnTier, of_policy, of_slo, other_windows};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Sli;
use crate::spec::policy::{Policy, PolicyLength};
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
        line: 16,
        column: 5,
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
    if !set.is_config_sound(&["slice", "sources"]) {
        return;
    }
    let slice = set.slice();
    for policy in &set.policies {
        for tier in written(policy.policy).filter(|tier| tier.shortest() < slice * 2) {
            let message = message(&tier, &policy.policy.name, &two_slices(slice));
            let finding = Diagnostic::warning(codes::SHORT_WINDOW, message).with_help(help(slice * 2));
            found.push(policy.tier(tier.place).nearest(&["burn", key(&tier)]).mark(finding));
        }
    }
    for policy in &set.policies {
        for window in other_windows(policy.policy) {
            let PolicyLength::Fixed(length) = window.length else { continue };
            if length < slice * 2 {
                let [kind, key] = window.keys;
                let message = format!(
                    "`{key}: {length}` of tier {} of `{}` ({kind}) is {}",
                    window.place.index + 1,
                    policy.policy.name,
                    two_slices(slice)
                );
                let finding = Diagnostic::warning(codes::SHORT_WINDOW, message).with_help(help(slice * 2));
                found.push(policy.tier(window.place).nearest(&window.keys).mark(finding));
            }
        }
    }
    for slo in set.slos.iter().filter(|slo| slo.alerts()) {
        let policy = &slo.slo.alerting.policy;
        let own = set.policy_of(slo.slo).is_some() && policy.scale_below.is_none();
        let told = |tier: &BurnTier| own && tier.shortest() < slice * 2;
        let tiers = of_slo(slo);
        found.extend(tiers.iter().filter(|tier| !told(tier)).filter_map(|tier| through(set, slo, tier)));
    }
}

/// The tiers of a policy of the files, whose windows no period changes.
fn written(policy: &Policy) -> impl Iterator<Item = BurnTier> {
    // A policy that shrinks with the period is judged through each SLO.
    let tiers = if policy.scale_below.is_some() { Vec::new() } else { of_policy(policy).concat() };
    tiers.into_iter()
}

/// What is seen only through an SLO: its source's scrape interval, its own step, windows that its period shrinks.
fn through(set: &Set<'_>, slo: &SloAt<'_>, tier: &BurnTier) -> Option<Diagnostic> {
    let interval = set.interval(&slo.slo.source);
    let slice = match &slo.slo.sli {
        Sli::Exact { .. } | Sli::Gauge { .. } | Sli::Ratio { .. } => set.slice(),
        Sli::Pushdown { step, .. } => (*step).max(set.slice()),
    };
    let reason = if tier.shortest() < slice * 2 {
        two_slices(slice)
    } else if tier.shortest() < interval * 4 {
        format!("under four scrape intervals of {interval}")
    } else {
        return None;
    };
    let message = message(tier, &slo.slo.alerting.policy.name, &reason);
    let mut finding = Diagnostic::warning(codes::SHORT_WINDOW, message)
        .with_help(help((slice * 2).max(interval * 4)))
        .of(slo.slo.id.clone());
    if let Some(policy) = set.policy_of(slo.slo) {
        let window = policy.tier(tier.place).nearest(&["burn", key(tier)]);
        finding.related.push((window.place(), "this window".to_owned()));
    }
    Some(slo.policy_place().mark(finding))
}

fn message(tier: &BurnTier, policy: &str, reason: &str) -> String {
    format!("`{}: {}` of {} is {reason}", key(tier), tier.shortest(), tier.named(policy))
}

fn two_slices(slice: Length) -> String {
    format!("under two slices of {slice}")
}

fn help(least: Length) -> String {
    format!("use {least} or more, or a shorter slice and scrape interval")
}

/// The key of the shorter window.
fn key(tier: &BurnTier) -> &'static str {
    if tier.confirm.is_some_and(|confirm| confirm < tier.over) { "confirm" } else { "over" }
}
