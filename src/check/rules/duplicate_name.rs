//! `duplicate_name`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Duplicate name or id.
pub const RULE: Rule = Rule {
    code: codes::DUPLICATE_NAME,
    severity: Severity::Error,
    page: "Two SLOs share one id (`service/name`), or two policies one name. Ids are unique over the whole set of
files: they name budgets, alerts and history.

The first one is shown as the second position. Rename one of them.",
    failing: Some(Failing {
        line: 9,
        column: 11,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
  - name: availability
    objective: 99%
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
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
  - name: quick
    objective: 99%
    sli: {latency: {histogram: 'request_duration_seconds{job="shop"}', below: 300ms}}
"#,
    ),
    lint: None,
};
