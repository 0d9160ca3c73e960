//! `bad_link`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Link is not http or https.
pub const RULE: Rule = Rule {
    code: codes::BAD_LINK,
    severity: Severity::Error,
    page: "Links end up in messages that people click in the middle of the night; only `http` and `https` are accepted.",
    failing: Some(Failing {
        line: 4,
        column: 18,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: wiki.example/shop}
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
