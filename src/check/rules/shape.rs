//! `shape`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Wrong kind of value.
pub const RULE: Rule = Rule {
    code: codes::SHAPE,
    severity: Severity::Error,
    page: "A list stands where text belongs, text where a mapping belongs, or the like. The message says what is
expected.",
    failing: Some(Failing {
        line: 5,
        column: 7,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos: 5
",
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
