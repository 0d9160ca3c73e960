//! `empty_exclusion`: no SLO fits a pattern of an exclusion.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};

/// No SLO fits a pattern of an exclusion.
pub const RULE: Rule = Rule {
    code: codes::EMPTY_EXCLUSION,
    severity: Severity::Warning,
    page: "The pattern means none of the SLOs that are loaded: a slip in a name, or an SLO that has left. When the work
begins, people are told of what fires.

Patterns are `SERVICE/NAME` with `*` for any letters: `checkout/*`, `*/latency`.",
    failing: Some(Failing {
        line: 14,
        column: 20,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
---
version: exclusion/v1
exclusions:
  - name: nightly
    reason: the batch of the night takes all disks
    slos: [shop/*, shpo/*]
    window: {cron: 0 2 * * *, for: 30m, zone: Europe/Berlin}
    alerts_only: true
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
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
---
version: exclusion/v1
exclusions:
  - name: nightly
    reason: the batch of the night takes all disks
    slos: [shop/*]
    window: {cron: 0 2 * * *, for: 30m, zone: Europe/Berlin}
    alerts_only: true
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    // Without any SLO, or with one that could not be understood, it is not known what there is.
    if set.slos.is_empty() || !set.knows_all_slos() {
        return;
    }
    for (exclusion, at) in &set.exclusions {
        for (index, pattern) in exclusion.slos.iter().enumerate() {
            if set.slos.iter().any(|slo| pattern.matches(&slo.slo.id)) {
                continue;
            }
            let message = format!("no SLO is `{}`", pattern.as_str());
            let finding = Diagnostic::warning(codes::EMPTY_EXCLUSION, message);
            let help = "write SERVICE/NAME with `*` for any letters, such as checkout/*";
            found.push(at.nearest(&["slos", &index.to_string()]).mark(finding.with_help(help)));
        }
    }
}
