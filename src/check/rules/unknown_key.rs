//! `unknown_key`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Unknown key.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_KEY,
    severity: Severity::Error,
    page: "The format has no key of this name here. A misspelt key would otherwise be a promise that nobody keeps, so
it is an error and not a warning.

Where one of the known keys is close, it is suggested.",
    failing: Some(Failing {
        line: 7,
        column: 5,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objectve: 99.9%
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
