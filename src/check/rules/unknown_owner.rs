//! `unknown_owner`: an owner that the configuration does not have.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::check::suggestion;
use crate::config::meant::Config;
use crate::diag::{Diagnostic, Severity, codes};
use crate::units::is_name;

/// An owner that the configuration does not have.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_OWNER,
    severity: Severity::Error,
    page: "The configuration lists `owners`, and this name is not among them: a route with `to: [owner]` would lead
nowhere, and nobody would know whom to ask.

A configuration without `owners` takes any name.",
    failing: Some(Failing {
        line: 9,
        column: 8,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
---
version: slo/v1
service: shop
owner: wbe
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
    let Some(config) = set.config.as_ref().filter(|_| set.has_read("owners")) else { return };
    if config.config.owners.is_empty() {
        return;
    }
    for (at, slo) in &set.owners {
        // What is no name at all was told by the reader.
        if let Some(finding) = at.text().filter(|name| is_name(name)).and_then(|name| unknown(config.config, name)) {
            found.push(at.mark(Diagnostic { slo: slo.clone(), ..finding }));
        }
    }
    for slo in set.slos.iter().filter(|slo| slo.origin().is_some()) {
        if let Some(finding) = slo.slo.owner.as_deref().and_then(|name| unknown(config.config, name)) {
            // A label `owner` of a foreign file may mean somebody else.
            found.push(slo.blame("owner", Diagnostic { severity: Severity::Warning, ..finding }));
        }
    }
    for route in config.at.find(&["routes"]).into_iter().flat_map(At::items) {
        if let Some(at) = route.find(&["match", "owner"])
            && let Some(finding) = at.text().and_then(|name| unknown(config.config, name))
        {
            found.push(at.mark(finding));
        }
    }
}

fn unknown(config: &Config, name: &str) -> Option<Diagnostic> {
    (!config.owners.contains_key(name)).then(|| {
        let help = suggestion::help(name, config.owners.keys().map(String::as_str), "owners");
        Diagnostic::error(codes::UNKNOWN_OWNER, format!("unknown owner `{name}`")).with_help(help)
    })
}
