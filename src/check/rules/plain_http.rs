//! `plain_http`: alerts sent over plain http to another machine.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::people::{host_of, is_loopback};
use crate::diag::{Diagnostic, Severity, codes};

/// Alerts sent over plain http to another machine.
pub const RULE: Rule = Rule {
    code: codes::PLAIN_HTTP,
    severity: Severity::Warning,
    page: "What is sent over plain http can be read and changed on the way, and an alert that somebody can suppress is
no alert.

Use https. Addresses of this machine (`localhost`, `127.0.0.1`, `[::1]`) are fine.",
    failing: Some(Failing {
        line: 4,
        column: 36,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: http://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
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
    for sink in config.at.find(&["sinks"]).into_iter().flat_map(At::items) {
        let urls = sink.find(&["url"]).into_iter().chain(sink.find(&["urls"]).into_iter().flat_map(At::items));
        for url in urls {
            let Some(host) = url.text().and_then(plain_host).filter(|host| !is_loopback(host)) else { continue };
            let name = sink.key().unwrap_or_default();
            let message = format!("sink `{name}` sends alerts over plain http to `{host}`");
            found.push(url.mark(Diagnostic::warning(codes::PLAIN_HTTP, message).with_help("use https")));
        }
    }
}

/// The host of an `http` address.
fn plain_host(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    scheme.eq_ignore_ascii_case("http").then(|| host_of(url))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_another_machine_is_told() {
        for (url, told) in [
            ("http://hooks.example/x", true),
            ("HTTP://u:p@10.0.0.1:9093", true),
            ("http://127.0.0.1.example", true),
            ("https://hooks.example", false),
            ("http://127.0.0.2:9093/a", false),
            ("http://[::1]:9093", false),
            ("http://LocalHost", false),
        ] {
            assert_eq!(plain_host(url).is_some_and(|host| !is_loopback(host)), told, "{url}");
        }
    }
}
