//! `useless_override`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// An override that changes nothing.
pub const RULE: Rule = Rule {
    code: codes::USELESS_OVERRIDE,
    severity: Severity::Warning,
    page: "The first override that matches a group holds. This one comes too late, behind one that takes all of its groups, or
it says the objective that the SLO has anyway.

Put the narrower one first, or take it out. One with the SLO's own objective is fine before one that takes more groups:
there it is the exception.",
    failing: Some(Failing {
        line: 12,
        column: 17,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
    by: [region]
    overrides:
      - {match: {region: us}, objective: 99.95%}
      - {match: {region: us}, objective: 99.99%}
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
    by: [region]
    overrides: [{match: {region: us}, objective: 99.95%}]
"#,
    ),
    lint: None,
};
