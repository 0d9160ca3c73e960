//! `former_id`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// A former id that is in use, or claimed twice.
pub const RULE: Rule = Rule {
    code: codes::FORMER_ID,
    severity: Severity::Error,
    page: "`formerly` carries what is stored of an SLO over to its new id: hours, slices and the states of its alerts. That can be
given to one SLO only, and not while an SLO of that id is still there.

Take the id out of one of the two, or rename the SLO that still has it.",
    failing: Some(Failing {
        line: 13,
        column: 16,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
  - name: quick
    objective: 99%
    sli: {latency: {histogram: 'request_duration_seconds{job="shop"}', below: 300ms}}
    description: Was the first one.
    formerly: [shop/availability]
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
    formerly: [shop/success]
"#,
    ),
    lint: None,
};
