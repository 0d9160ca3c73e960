//! `unknown_template`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// A template that nobody defines.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_TEMPLATE,
    severity: Severity::Error,
    page: "`use` names a template that no `template/v1` document of the set defines. A template may stand in any of the files
that are loaded together, before or after its uses.

Mend the name, or hand in the file that defines it.",
    failing: Some(Failing {
        line: 11,
        column: 18,
        text: r#"version: template/v1
templates:
  - name: http
    params: [job, objective]
    slos: [{name: availability, objective: "${objective}", sli: {events: {bad: 'http_requests_total{job="${job}",code=~"5.."}', total: 'http_requests_total{job="${job}"}'}}}]
---
version: slo/v1
service: cart
owner: web
links: {runbook: https://wiki.example/cart}
use: [{template: htp, with: {job: cart, objective: 99.9%}}]
"#,
    }),
    passing: Some(
        r#"version: template/v1
templates:
  - name: http
    params: [job, objective]
    slos: [{name: availability, objective: "${objective}", sli: {events: {bad: 'http_requests_total{job="${job}",code=~"5.."}', total: 'http_requests_total{job="${job}"}'}}}]
---
version: slo/v1
service: cart
owner: web
links: {runbook: https://wiki.example/cart}
use: [{template: http, with: {job: cart, objective: 99.9%}}]
"#,
    ),
    lint: None,
};
