//! `duplicate_key`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Duplicate key.
pub const RULE: Rule = Rule {
    code: codes::DUPLICATE_KEY,
    severity: Severity::Error,
    page: "The same key stands twice in one mapping. YAML forbids it; most readers silently take the last one, and the
reader of the file may have seen the first.

Keep one of the two.",
    failing: Some(Failing {
        line: 4,
        column: 1,
        text: r#"version: slo/v1
service: shop
owner: web
owner: mobile
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
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
"#,
    ),
    lint: None,
};
