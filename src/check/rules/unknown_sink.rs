//! `unknown_sink`: a sink that the configuration does not have.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::check::suggestion;
use crate::config::meant::Config;
use crate::diag::{Diagnostic, Severity, codes};

/// A sink that the configuration does not have.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_SINK,
    severity: Severity::Error,
    page: "A route, an escalation, `fallback`, an owner, a heartbeat (`watchdog`) or a report names a sink that `sinks` does not define, so it would reach nobody.",
    failing: Some(Failing {
        line: 5,
        column: 27,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
routes: [{match: {}, to: [hok]}]
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
    let Some(config) = &set.config else { return };
    for route in config.at.find(&["routes"]).into_iter().flat_map(At::items) {
        for name in route.find(&["to"]).into_iter().flat_map(At::items) {
            // `owner` stands for the sinks of the SLO's owner.
            if name.text() != Some("owner") {
                look(config.config, name, found);
            }
        }
        escalations(config.config, route, found);
    }
    for name in config.at.find(&["fallback"]).into_iter().flat_map(At::items) {
        look(config.config, name, found);
    }
    for list in ["watchdog", "reports"] {
        for item in config.at.find(&[list]).into_iter().flat_map(At::items) {
            for name in item.find(&["to"]).into_iter().flat_map(At::items) {
                look(config.config, name, found);
            }
        }
    }
    for owner in config.at.find(&["owners"]).into_iter().flat_map(At::items) {
        for severity in ["page", "ticket", "notice"] {
            for name in owner.find(&[severity]).into_iter().flat_map(At::items) {
                look(config.config, name, found);
            }
        }
    }
}

/// One escalation, or a list of them.
fn escalations(config: &Config, route: At<'_>, found: &mut Vec<Diagnostic>) {
    let Some(escalate) = route.find(&["escalate"]) else { return };
    let steps: Vec<At<'_>> = if escalate.find(&["to"]).is_some() { vec![escalate] } else { escalate.items().collect() };
    for name in steps.into_iter().filter_map(|step| step.find(&["to"])).flat_map(At::items) {
        if name.text() != Some("owner") {
            look(config, name, found);
        }
    }
}

fn look(config: &Config, at: At<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(name) = at.text().filter(|name| !config.sinks.contains_key(*name)) {
        let help = suggestion::help(name, config.sinks.keys().map(String::as_str), "sinks");
        found.push(at.mark(Diagnostic::error(codes::UNKNOWN_SINK, format!("unknown sink `{name}`")).with_help(help)));
    }
}
