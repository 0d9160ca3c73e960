//! `bad_query`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// PromQL does not parse.
pub const RULE: Rule = Rule {
    code: codes::BAD_QUERY,
    severity: Severity::Error,
    page: "The query is not PromQL. The position inside the text is named where it is known.

Write it in single quotes, or in a block (`|`), so that YAML leaves its quotes and braces alone; try it in
the store's own query page.",
    failing: Some(Failing {
        line: 8,
        column: 29,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'sum(rate(errors_total[$window])', total: 'sum(rate(calls_total[$window]))'}}
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
