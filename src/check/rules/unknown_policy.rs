//! `unknown_policy`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Unknown policy.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_POLICY,
    severity: Severity::Error,
    page: "No file defines a policy of this name, and it is none of the built-in ones (`balanced`, `workbook`). Without
a policy the SLO would never alert.",
    failing: Some(Failing {
        line: 8,
        column: 24,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {policy: balnced}
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
    alerting: {policy: balanced}
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: None,
};
