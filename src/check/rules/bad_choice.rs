//! `bad_choice`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Not one of the words allowed.
pub const RULE: Rule = Rule {
    code: codes::BAD_CHOICE,
    severity: Severity::Error,
    page: "Only certain words are allowed here, and the message lists them: a mode is `live`, `shadow` or `off`, a
severity `page`, `ticket` or `notice`.",
    failing: Some(Failing {
        line: 8,
        column: 22,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {mode: silent}
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
    alerting: {mode: shadow}
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: None,
};
