//! `bad_objective`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Bad objective.
pub const RULE: Rule = Rule {
    code: codes::BAD_OBJECTIVE,
    severity: Severity::Error,
    page: "The objective is the share of events that must be good, greater than 0% and less than 100%: `99.9%`. At 100%
there is no budget and every failure is an alert; at 0% there is nothing to promise.

A bare number is read as percent; one below 1 is refused, because `0.999` most likely means 99.9%.",
    failing: Some(Failing {
        line: 7,
        column: 16,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 0.999
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
