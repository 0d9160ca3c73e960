//! `retired_connector`: an address of Office connectors, which are no more.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::diag::{Diagnostic, Severity, codes};

/// Where connectors were.
const HOST: &str = "webhook.office.com";

/// An address of Office connectors, which are no more.
pub const RULE: Rule = Rule {
    code: codes::RETIRED_CONNECTOR,
    severity: Severity::Warning,
    page: "Connectors for Microsoft Teams (addresses at `webhook.office.com`) ended in May 2026. What is sent there reaches
nobody.

Make a workflow in Teams with the trigger *When a Teams webhook request is received*, and give its address to a sink of type
`teams`. The address is a secret: `url: {env: TEAMS_URL}`. Addresses behind references are not looked at here; the service
raises an alarm when it meets such a one.",
    failing: Some(Failing {
        line: 4,
        column: 36,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://shop.webhook.office.com/webhookb2/1/IncomingWebhook/2/3}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
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
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: teams, url: {env: TEAMS_URL}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
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
    for sink in config.at.find(&["sinks"]).into_iter().flat_map(At::items) {
        let Some(url) = sink.find(&["url"]).filter(|url| url.text().is_some_and(is_connector)) else { continue };
        let name = sink.key().unwrap_or_default();
        let message = format!("sink `{name}` posts to a connector of `{HOST}`, and there are none any more");
        let help = "make a workflow in Teams, and use a sink of type `teams`";
        found.push(url.mark(Diagnostic::warning(codes::RETIRED_CONNECTOR, message).with_help(help)));
    }
}

fn is_connector(url: &str) -> bool {
    let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', ':', '?']).next()).unwrap_or_default();
    let host = host.to_ascii_lowercase();
    host == HOST || host.strip_suffix(HOST).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_addresses_are_retired() {
        assert!(is_connector("https://shop.webhook.office.com/webhookb2/x"));
        assert!(is_connector("https://WEBHOOK.office.com"));
        assert!(!is_connector("https://notwebhook.office.com"));
        assert!(!is_connector("https://hooks.example/webhook.office.com"));
    }
}
