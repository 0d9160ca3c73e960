//! `receiver_does_it`: a route that does what its receiver does by itself.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::meant::SinkConfig;
use crate::diag::{Diagnostic, Severity, codes};

/// A route that does what its receiver does by itself.
pub const RULE: Rule = Rule {
    code: codes::RECEIVER_DOES_IT,
    severity: Severity::Warning,
    page:
        "Alertmanager groups, repeats and routes by its own configuration: `group_by` and `repeat` of a route do nothing
for it. PagerDuty and Opsgenie escalate by their own policies, and two chains of escalation confuse those they wake.

Give such a receiver a route of its own, without the key and with `continue: true`, and keep the key on the
route of the others.",
    failing: Some(Failing {
        line: 6,
        column: 35,
        text: r##"version: config/v1
owners: {web: {page: [am], ticket: [am], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes:
  - {match: {}, to: [am], repeat: 4h}
"##,
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [am], ticket: [am], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}, out: {type: stdout}}
routes:
  - {match: {}, to: [am], continue: true}
  - {match: {}, to: [out], repeat: 4h}
"##,
    ),
    lint: Some(lint),
};

/// What a receiver does by itself, by the key of a route.
const KEYS: [(&str, &str); 3] = [("group_by", "groups"), ("repeat", "repeats"), ("escalate", "escalates")];

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    for route in config.at.find(&["routes"]).into_iter().flat_map(At::items) {
        let sinks = || route.find(&["to"]).into_iter().flat_map(At::items).filter_map(At::text);
        for (key, does) in KEYS {
            let Some(at) = route.find(&[key]) else { continue };
            let by_itself = sinks().find(|name| match config.config.sinks.get(*name) {
                Some(SinkConfig::Alertmanager { .. }) => true,
                Some(SinkConfig::Pagerduty(_) | SinkConfig::Opsgenie(_)) => key == "escalate",
                _ => false,
            });
            let kind = by_itself.and_then(|name| Some((name, config.config.sinks.get(name)?.name())));
            if let Some((name, kind)) = kind {
                let message = format!("`{name}` is of type `{kind}`, which {does} by itself");
                let help = format!("give `{name}` a route of its own with `continue: true` and without `{key}`");
                found.push(at.mark(Diagnostic::warning(codes::RECEIVER_DOES_IT, message).with_help(help)));
            }
        }
    }
}
