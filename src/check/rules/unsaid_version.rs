//! `unsaid_version`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Looks like a document of ours, and does not say so.
pub const RULE: Rule = Rule {
    code: codes::UNSAID_VERSION,
    severity: Severity::Error,
    page: "The document has the keys of one of ours, and neither `version` nor `apiVersion` and `kind` says that it is one, or says
something else. In a folder such documents are taken for somebody else's and skipped: nothing in it is in force.

Begin it with its version. If it is none of ours, move it out of the folder, or give it a name that does not end in
`.yaml` or `.yml`.",
    failing: Some(Failing {
        line: 10,
        column: 10,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
---
version: v1
service: cart
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
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
