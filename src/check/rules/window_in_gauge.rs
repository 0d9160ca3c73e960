//! `window_in_gauge`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Gauge query with `$window`.
pub const RULE: Rule = Rule {
    code: codes::WINDOW_IN_GAUGE,
    severity: Severity::Error,
    page: "The value of `gauge` and `probe` is judged as it is at the end of each slice, so there is no range for
`$window` to stand for. Write a range of your own, such as `avg_over_time(queue_length[5m])`, or `ratio` where the
value is a share of failures.",
    failing: Some(Failing {
        line: 8,
        column: 26,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: queue
    objective: 99.9%
    sli: {gauge: {query: 'avg(avg_over_time(queue_length[$window]))', below: 100}}
",
    }),
    passing: Some(
        r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: queue
    objective: 99.9%
    sli: {gauge: {query: 'avg(avg_over_time(queue_length[5m]))', below: 100}}
",
    ),
    lint: None,
};
