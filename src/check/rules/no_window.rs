//! `no_window`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Query without `$window`.
pub const RULE: Rule = Rule {
    code: codes::NO_WINDOW,
    severity: Severity::Error,
    page: "A query that the store evaluates needs the placeholder `$window` (`{{.window}}` works too) where its range
stands. A fixed range such as `[5m]` would count the same events again at every step.

Plain selectors need none: they are counted from raw samples.",
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
    sli: {events: {bad: 'sum(rate(errors_total[5m])) - sum(rate(retried_total[5m]))', total: 'sum(rate(calls_total[$window]))'}}
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
    sli: {events: {bad: 'sum(rate(errors_total[$window])) - sum(rate(retried_total[$window]))', total: 'sum(rate(calls_total[$window]))'}}
",
    ),
    lint: None,
};
