//! `dead_links`: links in messages that nobody could open.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::config::people::NoWay;
use crate::diag::{Diagnostic, Severity, codes};

/// Links in messages that nobody could open.
pub const RULE: Rule = Rule {
    code: codes::DEAD_LINKS,
    severity: Severity::Warning,
    page: "Messages have links to acknowledge, to mute and to see why. Without `server.external_url` they begin with the address
that the service listens on: `0.0.0.0` and `[::]` are addresses of nothing, and a loopback address is another machine's own
for whoever reads Slack, a mail or a ticket there. Such links are left out of messages.

Set `server: {external_url: https://slo.example}` to the address under which people reach the service, behind a proxy
or not.",
    failing: Some(Failing {
        line: 4,
        column: 18,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
server: {listen: "0.0.0.0:9777", auth: {tokens: {file: /etc/slo/tokens}}}
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
server: {listen: "0.0.0.0:9777", external_url: https://slo.example, auth: {tokens: {file: /etc/slo/tokens}}}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    let server = &config.config.server;
    if server.external_url.is_some() || !set.is_config_sound(&["server"]) {
        return;
    }
    let Some(no_way) = config.config.no_way_to(server.listen.ip()) else { return };
    let listens = server.listen;
    let (message, at) = match no_way {
        NoWay::Unspecified => (
            format!("messages have no links: `{listens}` is an address that nobody can open"),
            config.at.nearest(&["server", "listen"]),
        ),
        NoWay::Elsewhere(sink) => (
            format!("messages have no links: who reads `{sink}` cannot open `{listens}`, which is loopback"),
            config.at.find(&["server"]).unwrap_or_else(|| config.at.nearest(&["sinks", &sink])),
        ),
    };
    let help = "set `external_url` of `server` to the address under which people reach the service";
    found.push(at.mark(Diagnostic::warning(codes::DEAD_LINKS, message).with_help(help)));
}

#[cfg(test)]
mod tests {
    use crate::check::{judge, load};
    use crate::diag::{codes, concise};
    use crate::units::Day;
    use crate::yaml::SourceText;

    #[test]
    fn loopback_leads_nowhere_from_a_chat_and_leads_here_from_the_console() {
        let found = |rest: &str| -> Vec<String> {
            let text = format!("version: config/v1\n{rest}\n");
            let loaded = load::load(&[SourceText::named("f", text)]);
            assert!(!loaded.has_errors(), "{:?}", loaded.findings);
            let findings = judge(&loaded, Day::default());
            findings.iter().filter(|finding| finding.code == codes::DEAD_LINKS).map(concise::line).collect()
        };
        let chat = "sinks: {chat: {type: slack, url: {env: CHAT}}}";
        let lines = found(chat);
        assert!(lines.len() == 1 && lines[0].starts_with("f:2:9: warning[SLO103]"), "{lines:?}");
        assert!(lines[0].contains("who reads `chat` cannot open `127.0.0.1:9777`"), "{lines:?}");
        for fine in [
            "sinks: {out: {type: stdout}}",
            "sinks: {hook: {type: webhook, url: 'https://hooks.example/'}}",
            "sinks: {pd: {type: pagerduty, routing_key: {env: KEY}, url: 'http://127.0.0.1:1'}}",
            &format!("{chat}\nserver: {{external_url: 'https://slo.example'}}"),
            &format!("{chat}\nserver: {{listen: '10.1.2.3:9777', auth: {{tokens: {{file: t}}}}}}"),
        ] {
            assert_eq!(found(fine), Vec::<String>::new(), "{fine}");
        }
        assert_eq!(found("server: {listen: '[::]:9777'}").len(), 1);
    }
}
