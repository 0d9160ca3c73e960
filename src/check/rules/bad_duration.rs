//! `bad_duration`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Bad duration.
pub const RULE: Rule = Rule {
    code: codes::BAD_DURATION,
    severity: Severity::Error,
    page: "Durations are written like `30s`, `5m`, `1h30m`, `7d` or `4w`: whole numbers, largest unit first.",
    failing: Some(Failing {
        line: 8,
        column: 13,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    window: 1 month
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
    window: 30d
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: None,
};
