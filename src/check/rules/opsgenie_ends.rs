//! `opsgenie_ends`: alerts go to an interface that will be switched off.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::diag::{Diagnostic, Severity, codes};

/// The last day of Opsgenie's own API, as its vendor has announced.
const LAST_DAY: &str = "2027-04-05";

/// Alerts go to an interface that will be switched off.
pub const RULE: Rule = Rule {
    code: codes::OPSGENIE_ENDS,
    severity: Severity::Warning,
    page: "Opsgenie's own API works until 2027-04-05. What is sent there after that day reaches nobody. An account that was moved
to Jira Service Management is switched off earlier, 120 days after the move.

Jira Service Management takes the same requests: make an integration of type API there, write its key, and
`url: https://api.atlassian.com/jsm/ops/integration`.",
    failing: Some(Failing {
        line: 4,
        column: 24,
        text: r##"version: config/v1
owners: {web: {page: [oncall], ticket: [oncall], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {oncall: {type: opsgenie, api_key: {env: OPSGENIE_KEY}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [oncall, am]}]
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
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [oncall], ticket: [oncall], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks:
  oncall: {type: opsgenie, url: https://api.atlassian.com/jsm/ops/integration, api_key: {env: JSM_KEY}}
  am: {type: alertmanager, urls: [http://127.0.0.1:9093]}
routes: [{match: {}, to: [oncall, am]}]
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
    // The date is a constant: it parses.
    let ended = LAST_DAY.parse().is_ok_and(|last| set.today > last);
    for sink in config.at.find(&["sinks"]).into_iter().flat_map(At::items) {
        let Some(kind) = sink.find(&["type"]).filter(|kind| kind.text() == Some("opsgenie")) else { continue };
        let url = sink.find(&["url"]);
        if url.and_then(super::super::set::At::text).is_some_and(|url| !is_opsgenie(url)) {
            continue;
        }
        let name = sink.key().unwrap_or_default();
        let ends = if ended { "ended" } else { "ends" };
        let message = format!("sink `{name}` speaks to Opsgenie's own API, which {ends} on {LAST_DAY}");
        let finding = Diagnostic::warning(codes::OPSGENIE_ENDS, message)
            .with_help("write `url: https://api.atlassian.com/jsm/ops/integration` and a key of that integration");
        found.push(url.unwrap_or(kind).mark(finding));
    }
}

fn is_opsgenie(url: &str) -> bool {
    let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', ':', '?']).next()).unwrap_or_default();
    let host = host.to_ascii_lowercase();
    host == "opsgenie.com" || host.ends_with(".opsgenie.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_addresses_end() {
        for (url, ends) in [
            ("https://api.opsgenie.com", true),
            ("https://api.eu.opsgenie.com/", true),
            ("https://API.Opsgenie.com:443/v2", true),
            ("https://api.atlassian.com/jsm/ops/integration", false),
            ("https://opsgenie.com.proxy.example", false),
        ] {
            assert_eq!(is_opsgenie(url), ends, "{url}");
        }
    }
}
