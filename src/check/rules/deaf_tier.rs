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
    // A policy that many use has one mistake, not one for each of them.
    let mut by_tier: Vec<((&str, TierPlace), Vec<&SloAt<'_>>)> = Vec::new();
    for slo in set.slos.iter().filter(|slo| slo.alerts() && slo.slo.alive == Alive::None) {
        for tier in deaf(set, slo) {
            match by_tier.iter_mut().find(|(known, _)| *known == tier) {
                Some((_, slos)) => slos.push(slo),
                None => by_tier.push((tier, vec![slo])),
            }
        }
    }
    found.extend(by_tier.iter().filter_map(|((_, place), slos)| finding(set, *place, slos)));
}

/// The policy of an SLO, and its tiers `down`.
fn deaf<'a>(set: &'a Set<'_>, slo: &SloAt<'_>) -> Vec<(&'a str, TierPlace)> {
    let Some(policy) = set.policy_of(slo.slo) else { return Vec::new() };
    let Some((period, tiers)) = policy.policy.tiers_for(slo.slo.window) else { return Vec::new() };
    let down = tiers.iter().enumerate().filter(|(_, tier)| matches!(tier.kind, TierKind::Down { .. }));
    down.map(|(index, _)| (policy.policy.name.as_str(), TierPlace { period, index })).collect()
}

/// At the first of them.
fn finding(set: &Set<'_>, place: TierPlace, slos: &[&SloAt<'_>]) -> Option<Diagnostic> {
    let first = slos.first()?;
    let policy = set.policy_of(first.slo)?;
    let (_, tiers) = policy.policy.tiers_for(first.slo.window)?;
    let (name, severity) = (&policy.policy.name, tiers.get(place.index)?.severity.name());
    let tier = format!("tier {} of `{name}` ({severity}, down) can never fire", place.index + 1);
    let id = &first.slo.id;
    let message = match slos.len() - 1 {
        0 => format!("{tier}: nothing says what of `{id}` is alive"),
        1 => format!("{tier}: nothing says what of `{id}` and one more SLO is alive"),
        more => format!("{tier}: nothing says what of `{id}` and {more} more SLOs is alive"),
    };
    let mut finding = Diagnostic::warning(codes::DEAF_TIER, message)
        .with_help(format!("write `alive: up{{job=\"{}\"}}`, or give `total` a matcher on `job`", job(set, first)));
    if slos.len() == 1 {
        finding = finding.of(id.clone());
    }
    finding.related.push((policy.tier(place).place(), "this tier".to_owned()));
    Some(first.policy_place().mark(finding))
}

/// A name for the example: that of the source where it scrapes by itself, which is the `job` of its targets by default.
fn job<'a>(set: &'a Set<'_>, slo: &'a SloAt<'_>) -> &'a str {
    let source = set.config.and_then(|config| config.config.sources.get(&slo.slo.source));
    match source.map(|source| &source.kind) {
        Some(SourceKind::Scrape { labels, .. }) => labels.get("job").map_or(slo.slo.source.as_str(), String::as_str),
        _ => &slo.slo.id.service,
    }
}
