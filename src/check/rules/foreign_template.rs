//! `foreign_template`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Template is not understood.
pub const RULE: Rule = Rule {
    code: codes::FOREIGN_TEMPLATE,
    severity: Severity::Error,
    page: "Labels and annotations of foreign alerts may hold `{{ $labels.NAME }}`, `{{ $value }}` and
`{{ $value | humanizePercentage }}`, which are rendered; any other template action is sent as written, and a warning names it. In a query only
`{{ .window }}` is filled in; any other action would change what is counted, so it is an error.

Write out what the template would give.",
    failing: Some(Failing {
        line: 9,
        column: 11,
        text: r#"version: prometheus/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        error_query: |
          {{ if true }} sum(rate(requests_total{job="shop", code=~"5.."}[{{ .window }}])) {{ end }}
        total_query: sum(rate(requests_total{job="shop"}[{{ .window }}]))
    alerting:
      name: ShopErrors
      page_alert: {disable: true}
      ticket_alert: {labels: {team: shop}}
"#,
    }),
    passing: Some(
        r#"version: prometheus/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(requests_total{job="shop", code=~"5.."}[{{ .window }}]))
        total_query: sum(rate(requests_total{job="shop"}[{{ .window }}]))
    alerting:
      name: ShopErrors
      page_alert: {disable: true}
      ticket_alert: {labels: {team: '{{ $labels.team }}'}}
"#,
    ),
    lint: None,
};
