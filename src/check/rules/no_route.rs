//! `no_route`: alerts of a severity that nobody would get.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{ConfigAt, Set};
use crate::config::meant::{Config, Route};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::units::SloId;
use std::collections::BTreeMap;

/// Alerts of a severity that nobody would get.
pub const RULE: Rule = Rule {
    code: codes::NO_ROUTE,
    severity: Severity::Error,
    page: "The policy of an SLO has tiers of a severity that no route takes, or the route leads to an owner that has no
sink for it: the alert would fire, be recorded, and reach nobody. For a page that is an error, for tickets
and notices a warning.

Add a route for the severity; `{match: {}, to: [..]}` as the last one takes whatever is left. What is meant
to be silent says `alerting: {mode: shadow}`. The source's own alert (`alert: {severity: ..}`) needs a route
too.",
    failing: Some(Failing {
        line: 5,
        column: 1,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
routes: [{match: {severity: ticket}, to: [hook]}]
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
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
routes: [{match: {}, to: [hook]}]
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
    let mut unheard: BTreeMap<AlertSeverity, Vec<SloId>> = BTreeMap::new();
    for slo in set.slos.iter().filter(|slo| slo.slo.alerting.mode == Mode::Live) {
        for severity in slo.severities() {
            if !reaches(config.config, severity, &slo.slo.id.service, slo.slo.owner.as_deref()) {
                unheard.entry(severity).or_default().push(slo.slo.id.clone());
            }
        }
    }
    found.extend(unheard.into_iter().map(|(severity, slos)| finding(config, severity, &slos)));
    sources(config, found);
}

fn finding(config: &ConfigAt<'_>, severity: AlertSeverity, slos: &[SloId]) -> Diagnostic {
    let first = slos.first().map(ToString::to_string).unwrap_or_default();
    let whose = match slos.len() {
        1 => format!("`{first}`"),
        2 => format!("`{first}` and one more SLO"),
        more => format!("`{first}` and {} more SLOs", more - 1),
    };
    let name = severity.name();
    let make = if severity == AlertSeverity::Page { Diagnostic::error } else { Diagnostic::warning };
    let mut finding = make(codes::NO_ROUTE, format!("no route leads a {name} of {whose} to a sink"))
        .with_help(format!("add a route such as `{{match: {{severity: {name}}}, to: [..]}}`"));
    if let [only] = slos {
        finding = finding.of(only.clone());
    }
    config.at.nearest(&["routes"]).mark(finding)
}

/// A source that stops answering alerts as `source/NAME`.
fn sources(config: &ConfigAt<'_>, found: &mut Vec<Diagnostic>) {
    for (name, source) in &config.config.sources {
        let severity = source.alert_severity;
        if !reaches(config.config, severity, "source", None) {
            let severity = severity.name();
            let message = format!("no route leads the {severity} about source `{name}` to a sink");
            let finding = Diagnostic::warning(codes::NO_ROUTE, message)
                .with_help(format!("add a route such as `{{match: {{severity: {severity}}}, to: [..]}}`"));
            found.push(config.at.nearest(&["routes"]).mark(finding));
        }
    }
}

/// Whether an alert arrives at a sink at all: first match wins, `continue` goes on.
fn reaches(config: &Config, severity: AlertSeverity, service: &str, owner: Option<&str>) -> bool {
    for route in config.routes.iter().filter(|route| takes(route, severity, service, owner)) {
        let told = route.to.iter().any(|to| {
            if to != "owner" || config.sinks.contains_key(to) {
                return true;
            }
            let owner = owner.and_then(|owner| config.owners.get(owner));
            owner.and_then(|owner| owner.sinks.get(&severity)).is_some_and(|sinks| !sinks.is_empty())
        });
        if told || !route.continue_ {
            return told;
        }
    }
    false
}

fn takes(route: &Route, severity: AlertSeverity, service: &str, owner: Option<&str>) -> bool {
    route.severity.is_none_or(|wanted| wanted == severity)
        && route.service.as_deref().is_none_or(|wanted| wanted == service)
        && route.owner.as_deref().is_none_or(|wanted| owner == Some(wanted))
}
