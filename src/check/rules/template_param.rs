//! `template_param`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Template and params do not fit.
pub const RULE: Rule = Rule {
    code: codes::TEMPLATE_PARAM,
    severity: Severity::Error,
    page: "A template lists its `params`, its texts name each of them as `${param}`, and a use gives each a value in `with`.
Here one is missing, given and not listed, named and not listed, or listed and of no use.

Params are replaced in texts, not in keys; `$$`, `$window` and `{{.window}}` stay as they are.",
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
use: [{template: http, with: {job: cart}}]
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
