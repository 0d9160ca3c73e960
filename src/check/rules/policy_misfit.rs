//! `policy_misfit`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Policy does not fit the period.
pub const RULE: Rule = Rule {
    code: codes::POLICY_MISFIT,
    severity: Severity::Error,
    page: "The policy cannot be used with this SLO's period: its windows would be longer than the period, or shrink
below what can be measured. `balanced` wants at least 6 hours.

Choose a longer window or another policy.",
    failing: Some(Failing {
        line: 7,
        column: 16,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    window: 1h
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
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
    window: 7d
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: None,
};
