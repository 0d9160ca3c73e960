//! `foreign_plugin`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Plugin of another tool.
pub const RULE: Rule = Rule {
    code: codes::FOREIGN_PLUGIN,
    severity: Severity::Error,
    page: "A plugin of Sloth is Go source that Sloth interprets while it writes rules. `slo` writes no rules
and runs no such code, so what the plugin would have made is not known.

An SLI plugin gives an error ratio: write its query as `raw.error_ratio_query`, or better as the two queries
of `events`. What SLO plugins are used for is mostly part of `slo` (rule intervals, event weighting, label removal).",
    failing: Some(Failing {
        line: 8,
        column: 13,
        text: r"version: prometheus/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli:
      plugin:
        id: acme/http/availability
        options: {job: shop}
    alerting:
      name: ShopErrors
      page_alert: {disable: true}
",
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
      ticket_alert: {labels: {team: shop}}
"#,
    ),
    lint: None,
};
