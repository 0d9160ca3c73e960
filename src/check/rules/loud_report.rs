//! `loud_report`: a report to a sink that wakes people, or keeps states or tickets.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::meant::SinkConfig;
use crate::diag::{Diagnostic, Severity, codes};

/// A report to a sink that takes none.
pub const RULE: Rule = Rule {
    code: codes::LOUD_REPORT,
    severity: Severity::Error,
    page: "`reports` names a sink for which everything it is sent is an alert: it would wake somebody, open a ticket or hold a
state that nothing ends. No report is sent there.

Send reports by `email`, `webhook`, `slack`, `teams`, `file`, `stdout` or `exec`.",
    failing: Some(Failing {
        line: 6,
        column: 42,
        text: r##"version: config/v1
owners: {web: {page: [am], ticket: [am], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [am]}]
reports: [{schedule: "0 9 * * Mon", to: [am]}]
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"##,
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [am], ticket: [am], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks:
  am: {type: alertmanager, urls: [http://127.0.0.1:9093]}
  hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}
routes: [{match: {}, to: [am]}]
reports: [{schedule: "0 9 * * Mon", zone: Europe/Berlin, to: [hook], period: 7d}]
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"##,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    for report in config.at.find(&["reports"]).into_iter().flat_map(At::items) {
        for name in report.find(&["to"]).into_iter().flat_map(At::items) {
            let sink = name.text().and_then(|name| config.config.sinks.get(name));
            if let Some(sink) = sink.filter(|sink| !SinkConfig::takes_reports(sink)) {
                let message = format!("a sink of type `{}` takes no reports", sink.name());
                let help = "send reports by `email`, `webhook`, `slack`, `teams`, `file`, `stdout` or `exec`";
                found.push(name.mark(Diagnostic::error(codes::LOUD_REPORT, message).with_help(help)));
            }
        }
    }
}
