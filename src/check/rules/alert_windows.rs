//! `alert_windows`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Alert windows are unused or ambiguous.
pub const RULE: Rule = Rule {
    code: codes::ALERT_WINDOWS,
    severity: Severity::Error,
    page: "An `AlertWindows` document of Sloth gives the tiers of all Sloth SLOs whose period it names
(`sloth: {period: 30d}` in the configuration, 30 days by default). Two different ones for one period are an error;
two that say the same are a warning; one that no SLO uses is an info, for it may belong to another folder.

Keep one for each period.",
    failing: Some(Failing {
        line: 29,
        column: 14,
        text: r#"version: prometheus/v1
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
---
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: 30d
  page:
    quick: {errorBudgetPercent: 2, shortWindow: 5m, longWindow: 1h}
    slow: {errorBudgetPercent: 5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 10, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 10, shortWindow: 6h, longWindow: 3d}
---
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: 30d
  page:
    quick: {errorBudgetPercent: 3, shortWindow: 5m, longWindow: 1h}
    slow: {errorBudgetPercent: 5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 10, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 10, shortWindow: 6h, longWindow: 3d}
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
      ticket_alert: {labels: {team: shop}}
---
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: 30d
  page:
    quick: {errorBudgetPercent: 2, shortWindow: 5m, longWindow: 1h}
    slow: {errorBudgetPercent: 5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 10, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 10, shortWindow: 6h, longWindow: 3d}
"#,
    ),
    lint: None,
};
