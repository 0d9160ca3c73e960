//! `fixed_channel`: a channel for an incoming webhook of Slack, which has its own.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::diag::{Diagnostic, Severity, codes};

/// A channel for an incoming webhook of Slack, which has its own.
pub const RULE: Rule = Rule {
    code: codes::FIXED_CHANNEL,
    severity: Severity::Warning,
    page: "An incoming webhook of Slack posts to the channel that was chosen when it was made, each time a new message. `channel`
changes nothing there, and messages are neither updated nor kept in threads.

Use a bot (`token` and `channel`, scope `chat:write`) where you want one message an alert that says how it stands. Else take
`channel` out.",
    failing: Some(Failing {
        line: 4,
        column: 61,
        text: r##"version: config/v1
owners: {web: {page: [chat], ticket: [chat], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {chat: {type: slack, url: {env: SLACK_URL}, channel: "#web"}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [chat, am]}]
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
owners: {web: {page: [chat], ticket: [chat], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {chat: {type: slack, token: {env: SLACK_TOKEN}, channel: "#web"}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [chat, am]}]
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
        let is_slack = sink.find(&["type"]).and_then(super::super::set::At::text) == Some("slack");
        if !is_slack || sink.find(&["token"]).is_some() {
            continue;
        }
        if let Some(channel) = sink.find(&["channel"]) {
            let name = sink.key().unwrap_or_default();
            let message = format!("sink `{name}` is an incoming webhook, which has its channel and updates no message");
            let help = "use a bot (`token` and `channel`), or take `channel` out";
            found.push(channel.mark(Diagnostic::warning(codes::FIXED_CHANNEL, message).with_help(help)));
        }
    }
}
