//! `bad_name`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Bad name.
pub const RULE: Rule = Rule {
    code: codes::BAD_NAME,
    severity: Severity::Error,
    page: "Names of services, SLOs, policies, sources, sinks and owners begin with a letter or digit and go on with
letters, digits, `.`, `_` and `-`, 128 characters at most. They become part of ids, addresses and dedup
keys.",
    failing: Some(Failing {
        line: 6,
        column: 11,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: is it up
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
