//! `limit`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Too large, too deep or too many aliases.
pub const RULE: Rule = Rule {
    code: codes::LIMIT,
    severity: Severity::Error,
    page: "A file may have 10 MiB and 64 levels, and aliases may expand to a bounded number of nodes. The bounds keep
one bad file from taking the service's memory.

Split the file, or write out what the aliases repeat.",
    failing: Some(Failing {
        line: 2,
        column: 67,
        text: r"version: slo/v1
x: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
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
