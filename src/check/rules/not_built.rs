//! `not_built`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Not built yet.
pub const RULE: Rule = Rule {
    code: codes::NOT_BUILT,
    severity: Severity::Error,
    page: "The key or kind is part of the format, and this version of the program does not honour it yet. It is an
error because a promise that is read and not kept is worse than one that is refused.

Leave it out for now, or use a newer version.",
    failing: Some(Failing {
        line: 8,
        column: 11,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {spans: {where: {service: shop}, good: {error: false}}}
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
