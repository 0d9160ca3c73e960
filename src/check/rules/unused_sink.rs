//! `unused_sink`: a sink that nothing leads to.

use std::collections::BTreeSet;

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::meant::SinkConfig;
use crate::diag::{Diagnostic, Severity, codes};

/// A sink that nothing leads to.
pub const RULE: Rule = Rule {
    code: codes::UNUSED_SINK,
    severity: Severity::Warning,
    page:
        "No route, escalation, owner, report or heartbeat names this sink, and `fallback` neither: it is told nothing. A
route was forgotten, or the sink is left over. (An Alertmanager is told of silences all the same.)

Name it where it is meant, or take it out.",
    failing: Some(Failing {
        line: 5,
        column: 3,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks:
  out: {type: stdout}
  hook: {type: webhook, url: https://hooks.example/slo}
routes: [{match: {}, to: [out]}]
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks:
  out: {type: stdout}
  hook: {type: webhook, url: https://hooks.example/slo}
routes: [{match: {}, to: [out]}]
fallback: [hook]
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    if !set.is_config_sound(&["routes", "owners", "fallback", "reports", "watchdog"]) {
        return;
    }
    let config_meant = config.config;
    let steps = config_meant.routes.iter().flat_map(|route| &route.escalate);
    let owners = config_meant.owners.values().flat_map(|owner| owner.sinks.values().flatten());
    let used: BTreeSet<&String> = (config_meant.routes.iter().flat_map(|route| &route.to))
        .chain(steps.flat_map(|step| &step.to))
        .chain(owners)
        .chain(&config_meant.fallback)
        .chain(config_meant.reports.iter().flat_map(|report| &report.to))
        .chain(config_meant.watchdog.iter().flat_map(|watchdog| &watchdog.to))
        .collect();
    for at in config.at.find(&["sinks"]).into_iter().flat_map(At::items) {
        let name = at.key().unwrap_or_default().to_owned();
        let Some(sink) = config_meant.sinks.get(&name).filter(|_| !used.contains(&name)) else { continue };
        let message = match sink {
            SinkConfig::Alertmanager { .. } => format!("sink `{name}` is told of silences and of nothing else"),
            _ => format!("sink `{name}` is told nothing: no route, owner, report or `fallback` names it"),
        };
        let finding = Diagnostic::warning(codes::UNUSED_SINK, message);
        let finding = finding.with_help("name it in a route, or take it out");
        found.push(at.mark_at(finding, at.key_place()));
    }
}
