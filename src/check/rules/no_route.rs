//! `no_route`: alerts of a severity that nobody would get.

use std::collections::BTreeMap;

use crate::check::rule::{Failing, Rule};
use crate::check::set::{ConfigAt, Set};
use crate::config::meant::{Config, Outside, Route};
use crate::diag::{Diagnostic, Severity, codes};
use crate::policy::route::is_like;
use crate::policy::subject::{SOURCE_SERVICE, names_of};
use crate::spec::meant::{Mode, Slo};
use crate::spec::policy::AlertSeverity;
use crate::spec::selector::Matcher;
use crate::units::SloId;

/// Alerts of a severity that nobody would get.
pub const RULE: Rule = Rule {
    code: codes::NO_ROUTE,
    severity: Severity::Error,
    page: "The policy of an SLO has tiers of a severity that no route takes, or the route leads to an owner that has no
sink for it: nobody was meant to hear of the alert. So that it does not reach nobody, such an alert is told to every
sink of events, with an error in the log. A list of routes without a default is a warning even where each SLO
has its route: the next one will not.

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
    // What a route or an owner with a mistake was meant to take is not known.
    if !set.is_config_sound(&["routes", "owners"]) {
        return;
    }
    let before = found.len();
    let mut unheard: BTreeMap<(AlertSeverity, Option<usize>), Vec<SloId>> = BTreeMap::new();
    let live: Vec<&Slo> = set.slos.iter().map(|slo| slo.slo).filter(|slo| slo.alerting.mode == Mode::Live).collect();
    for slo in set.slos.iter().filter(|slo| slo.slo.alerting.mode == Mode::Live) {
        let about = About::of(slo.slo, config.config);
        for severity in slo.severities() {
            if !reaches(config.config, severity, &about) {
                let by_day = skipping(config.config, severity, &about);
                unheard.entry((severity, by_day)).or_default().push(slo.slo.id.clone());
            }
        }
    }
    found.extend(unheard.into_iter().map(|(severity, slos)| finding(config, severity, &slos)));
    sources(config, found);
    // Told of once: with a default route the others are settled too.
    if found.len() == before && !live.is_empty() && !config.config.routes.iter().any(is_default) {
        let message = "no route takes whatever is left: an alert that none takes would be told to every sink of events";
        let finding = Diagnostic::warning(codes::NO_ROUTE, message)
            .with_help("end the list with a default route, such as `{match: {}, to: [..]}`");
        found.push(config.at.nearest(&["routes"]).mark(finding));
    }
}

/// A route would take it, and is not there outside its hours.
fn of_the_night(finding: Diagnostic, index: usize) -> Diagnostic {
    let message = format!("{} outside the hours of route {}", finding.message, index + 1);
    let help = "it says `outside: skip`: let it wait, or end the list with a route that is always there";
    Diagnostic { message, ..finding }.with_help(help)
}

fn finding(config: &ConfigAt<'_>, (severity, by_day): (AlertSeverity, Option<usize>), slos: &[SloId]) -> Diagnostic {
    let first = slos.first().map(ToString::to_string).unwrap_or_default();
    let whose = match slos.len() {
        1 => format!("`{first}`"),
        2 => format!("`{first}` and one more SLO"),
        more => format!("`{first}` and {} more SLOs", more - 1),
    };
    let name = severity.name();
    let finding = Diagnostic::error(codes::NO_ROUTE, format!("no route leads a {name} of {whose} to a sink"));
    let mut finding = match by_day {
        None => finding.with_help(format!("add a route such as `{{match: {{severity: {name}}}, to: [..]}}`")),
        Some(index) => of_the_night(finding, index),
    };
    if let [only] = slos {
        finding = finding.of(only.clone());
    }
    config.at.nearest(&["routes"]).mark(finding)
}

/// A source that stops answering alerts as `source/NAME`.
fn sources(config: &ConfigAt<'_>, found: &mut Vec<Diagnostic>) {
    for (name, source) in &config.config.sources {
        let severity = source.alert_severity;
        let about = About::of_source(name, config.config);
        if !reaches(config.config, severity, &about) {
            let by_day = skipping(config.config, severity, &about);
            let severity = severity.name();
            let message = format!("no route leads the {severity} about source `{name}` to a sink");
            let finding = Diagnostic::error(codes::NO_ROUTE, message);
            let finding = match by_day {
                None => {
                    finding.with_help(format!("add a route such as `{{match: {{severity: {severity}}}, to: [..]}}`"))
                }
                Some(index) => of_the_night(finding, index),
            };
            found.push(config.at.nearest(&["routes"]).mark(finding));
        }
    }
}

/// What routes look at, as far as it is known before anything fires: the labels of its groups are not.
struct About<'a> {
    service: &'a str,
    owner: Option<&'a str>,
    slo: String,
    labels: BTreeMap<String, String>,
}

impl<'a> About<'a> {
    fn of(slo: &'a Slo, config: &Config) -> Self {
        let mut labels = slo.labels.clone();
        labels.extend(names_of(&slo.id));
        labels.extend(slo.owner.iter().map(|owner| ("owner".to_owned(), owner.clone())));
        labels.extend(config.server.external_labels.clone());
        Self { service: &slo.id.service, owner: slo.owner.as_deref(), slo: slo.id.to_string(), labels }
    }

    fn of_source(name: &str, config: &Config) -> Self {
        let id = SloId::new(SOURCE_SERVICE, name);
        let mut labels = config.server.external_labels.clone();
        labels.extend(names_of(&id));
        Self { service: SOURCE_SERVICE, owner: None, slo: id.to_string(), labels }
    }
}

/// Whether an alert arrives at a sink at all: first match wins, `continue` goes on.
fn reaches(config: &Config, severity: AlertSeverity, about: &About<'_>) -> bool {
    for route in config.routes.iter().filter(|route| takes(route, severity, about)) {
        let told = route.to.iter().any(|to| {
            if to != "owner" || config.sinks.contains_key(to) {
                return true;
            }
            let owner = about.owner.and_then(|owner| config.owners.get(owner));
            owner.and_then(|owner| owner.sinks.get(&severity)).is_some_and(|sinks| !sinks.is_empty())
        });
        if told || !route.continue_ {
            return told;
        }
    }
    false
}

/// The first route that takes it within its hours, and is skipped outside them.
fn skipping(config: &Config, severity: AlertSeverity, about: &About<'_>) -> Option<usize> {
    let takes = |route: &Route| !is_always_there(route) && would_take(route, severity, about);
    config.routes.iter().position(takes)
}

/// Whether a route takes it for sure, at any hour.
fn takes(route: &Route, severity: AlertSeverity, about: &About<'_>) -> bool {
    is_always_there(route) && would_take(route, severity, about)
}

/// Whether a route takes it for sure, within its hours.
fn would_take(route: &Route, severity: AlertSeverity, about: &About<'_>) -> bool {
    let holds = |matcher: &Matcher| about.labels.get(&matcher.name).is_some_and(|value| matcher.allows(value));
    route.severity.is_none_or(|wanted| wanted == severity)
        && route.service.as_deref().is_none_or(|wanted| wanted == about.service)
        && route.owner.as_deref().is_none_or(|wanted| about.owner == Some(wanted))
        && route.slo.as_deref().is_none_or(|pattern| is_like(&about.slo, pattern))
        && route.labels.iter().all(holds)
}

/// Outside its hours it waits, and does not let go.
fn is_always_there(route: &Route) -> bool {
    route.active.is_none() || route.outside == Outside::Wait
}

/// Whether it takes everything.
fn is_default(route: &Route) -> bool {
    let Route { severity, service, owner, slo, labels, .. } = route;
    let names_nothing = severity.is_none() && service.is_none() && owner.is_none() && labels.is_empty();
    names_nothing && slo.as_deref().is_none_or(|pattern| pattern == "*") && is_always_there(route)
}
