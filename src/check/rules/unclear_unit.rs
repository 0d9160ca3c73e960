//! `unclear_unit`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Unclear unit of a query.
pub const RULE: Rule = Rule {
    code: codes::UNCLEAR_UNIT,
    severity: Severity::Error,
    page: "The value of a query is either events a second (`rate`) or events in the range (`increase`), and is turned
into counts accordingly. This one mixes both, or uses neither.

Say which by `unit: rate` or `unit: count`.",
    failing: Some(Failing {
        line: 8,
        column: 25,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'sum(rate(errors_total[$window])) + sum(increase(lost_total[$window]))', total: 'sum(rate(calls_total[$window]))'}}
",
    }),
    passing: Some(
        r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'sum(rate(errors_total[$window])) + sum(rate(lost_total[$window]))', total: 'sum(rate(calls_total[$window]))'}}
",
    ),
    lint: None,
};
