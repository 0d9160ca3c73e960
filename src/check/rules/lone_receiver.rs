//! `lone_receiver`: pages that only one sink gets, with nobody to step in for it.

use std::collections::BTreeSet;

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::config::meant::{Config, Route, SinkConfig};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;

/// Pages that only one sink gets, with nobody to step in for it.
pub const RULE: Rule = Rule {
    code: codes::LONE_RECEIVER,
    severity: Severity::Warning,
    page:
        "Every page goes to the same sink, and there is no other that could step in. Where it refuses one for good, its
key is revoked or it is down, nobody hears of the page: it is a line in the log and a metric.

Without `fallback` every other sink is told of a page that its own does not take, but for Alertmanager, `stdout` and
`file`. Configure another sink, of another vendor if there is one, and name it in `fallback: [..]`: then it is told as
well of tickets, and of what the first needs mended. Alertmanager as the one receiver is not meant here, for it is told
of what fires again and again.",
    failing: Some(Failing {
        line: 5,
        column: 1,
        text: r##"version: config/v1
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
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks:
  hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}
  chat: {type: slack, token: {env: SLACK_TOKEN}, channel: "#web"}
routes: [{match: {}, to: [hook]}]
fallback: [chat]
server: {external_url: https://slo.example}
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
    if !set.is_config_sound(&["routes", "owners", "sinks", "fallback"]) {
        return;
    }
    let mut live = set.slos.iter().filter(|slo| slo.slo.alerting.mode == Mode::Live);
    if !live.any(|slo| slo.severities().into_iter().any(|severity| severity == AlertSeverity::Page)) {
        return;
    }
    let told = told_of_pages(config.config);
    let mut told = told.into_iter();
    let (Some((name, sink)), None) = (told.next(), told.next()) else { return };
    let steps_in = |other: &String| config.config.sinks.get(other).is_some_and(SinkConfig::steps_in);
    let has_other = if config.config.fallback.is_empty() {
        config.config.sinks.keys().any(|other| other != name && steps_in(other))
    } else {
        config.config.fallback.iter().any(|other| other != name)
    };
    if has_other || matches!(sink, SinkConfig::Alertmanager { .. }) {
        return;
    }
    let message = format!("pages go to `{name}` only, and no other sink hears of those that it does not take");
    let finding = Diagnostic::warning(codes::LONE_RECEIVER, message)
        .with_help("configure another sink, and name it in `fallback: [..]`");
    found.push(config.at.nearest(&["routes"]).mark(finding));
}

/// The sinks that some page is told to, now or by an escalation. What is written to the console wakes nobody.
fn told_of_pages(config: &Config) -> Vec<(&str, &SinkConfig)> {
    let takes_pages = |route: &&Route| route.severity.is_none_or(|severity| severity == AlertSeverity::Page);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for route in config.routes.iter().filter(takes_pages) {
        for to in route.to.iter().chain(route.escalate.iter().flat_map(|step| &step.to)) {
            if to == "owner" && !config.sinks.contains_key(to) {
                let sinks = config.owners.values().filter_map(|owner| owner.sinks.get(&AlertSeverity::Page));
                names.extend(sinks.flatten().map(String::as_str));
            } else {
                names.insert(to);
            }
        }
    }
    let sinks = names.into_iter().filter_map(|name| Some((name, config.sinks.get(name)?)));
    sinks.filter(|(_, sink)| !matches!(sink, SinkConfig::Stdout)).collect()
}
