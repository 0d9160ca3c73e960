//! `bad_override`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// An override of groups that there cannot be.
pub const RULE: Rule = Rule {
    code: codes::BAD_OVERRIDE,
    severity: Severity::Error,
    page: "`overrides` gives another objective to groups of an SLO, and this one asks for a label that is not among those of
`by`: no group has it, so the objective would never hold.

Add the label to `by`, or match the labels that are there.",
    failing: Some(Failing {
        line: 10,
        column: 26,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
    by: [region]
    overrides: [{match: {zone: us}, objective: 99.95%}]
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
