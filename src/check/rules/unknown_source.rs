//! `unknown_source`: a source that the configuration does not have.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::check::suggestion;
use crate::diag::{Diagnostic, Severity, codes};

/// A source that the configuration does not have.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_SOURCE,
    severity: Severity::Error,
    page: "The SLO asks a source that `sources` does not define, so it would never have any data. An SLO that names no
source asks `prometheus`.

Without a configuration among the files sources are not looked up.",
    failing: Some(Failing {
        line: 10,
        column: 20,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
---
version: slo/v1
service: shop
owner: web
defaults: {source: promethues}
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
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
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
    let Some(config) = set.config.as_ref().filter(|_| set.has_read("sources")) else { return };
    let sources = &config.config.sources;
    for slo in set.slos.iter().filter(|slo| !sources.contains_key(&slo.slo.source)) {
        let name = &slo.slo.source;
        let help = suggestion::help(name, sources.keys().map(String::as_str), "sources");
        let finding = Diagnostic::error(codes::UNKNOWN_SOURCE, format!("unknown source `{name}`")).with_help(help);
        found.push(slo.blame("source", finding));
    }
}
