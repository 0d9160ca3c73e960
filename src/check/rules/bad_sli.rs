//! `bad_sli`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Contradicting SLI.
pub const RULE: Rule = Rule {
    code: codes::BAD_SLI,
    severity: Severity::Error,
    page: "The keys of the SLI do not go together: `bad` beside `good`, two kinds at once, a forced mode that the
queries do not allow. The message says which.",
    failing: Some(Failing {
        line: 8,
        column: 49,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'a_total{x="1"}', good: 'a_total{x="2"}', total: a_total}}
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
