//! The other bodies of a webhook: Alertmanager's, and what a template makes.

use std::sync::Arc;

use slo::config::meant::{Compat, Server as ServerConfig, SinkConfig, WebhookUrl};
use slo::config::sinks::webhook::{WebhookFormat, WebhookShape};
use slo::policy::alert::AlertState;
use slo::policy::template::Template;
use slo::secret::Secrets;
use slo::sink::{self, DeliveryVerdict, Parts, Sink};

use crate::kit::{deliver, golden, page, preview, read_well, task};
use crate::recorder::{Reply, Server};

fn hook(url: &str, shape: WebhookShape, template: Option<&str>) -> Sink {
    let config = SinkConfig::Webhook { url: WebhookUrl::Plain(url.to_owned()), secret: None, shape };
    let server = ServerConfig {
        listen: ([127, 0, 0, 1], 9777).into(),
        external_url: Some("https://slo.example".to_owned()),
        external_labels: std::collections::BTreeMap::new(),
        compat: Compat::None,
        tokens: None,
    };
    let template = template.map(|text| Template::parse("hook.j2", text).unwrap());
    let secrets = Arc::new(Secrets::new(|_| None));
    sink::build(&config, &Parts { name: "hook", server: &server, secrets: &secrets, template: template.as_ref() })
        .unwrap()
}

#[tokio::test]
async fn alertmanagers_body_is_posted_where_it_is_asked_for() {
    let server = Server::start(vec![Reply::status(200)]).await;
    let shape = WebhookShape { format: WebhookFormat::Alertmanager, content_type: None };
    let sink = hook(&server.url, shape, None);
    for (state, name) in [(AlertState::Firing, "firing"), (AlertState::Resolved, "resolved")] {
        assert_eq!(deliver(&sink, &task(page(state), None)).await.verdict, DeliveryVerdict::Done);
        let seen = server.seen();
        let body = seen.last().unwrap().json();
        golden(&format!("webhook_alertmanager_{name}.json"), &serde_json::to_string_pretty(&body).unwrap());
    }
}

#[test]
fn what_would_be_sent_is_shown_with_a_signature_that_is_none() {
    let signed = read_well("{type: webhook, url: {file: address}, secret: {env: HOOK}}");
    let shown = preview(&signed, page(AlertState::Firing));
    assert!(shown.contains("\nwebhook-signature: v1,***\n") && shown.contains("\"alert_id\""), "{shown}");
    let plain = read_well("{type: webhook, url: \"https://hooks.example/slo\"}");
    assert!(!preview(&plain, page(AlertState::Firing)).contains("webhook-signature"));
}

/// Alertmanager's pages are open: no link of ours in them acts.
#[test]
fn alertmanager_is_shown_and_told_no_signed_link() {
    let config = read_well("{type: alertmanager, urls: [\"http://a:9093\", \"http://b:9093\"]}");
    let mut firing = page(AlertState::Firing);
    for (name, path) in [("ack", "a/AQx"), ("mute", "a/Agx"), ("why", "slo/checkout/availability")] {
        firing.links.insert(name.to_owned(), format!("https://slo.example/{path}"));
    }
    let shown = preview(&config, firing);
    assert!(shown.starts_with("POST http://a:9093/api/v2/alerts\nPOST http://b:9093/api/v2/alerts\n"), "{shown}");
    assert!(!shown.contains("slo.example/a/"), "{shown}");
    assert!(shown.contains(r#""why": "https://slo.example/slo/checkout/availability""#), "{shown}");
    assert!(shown.contains(r#""runbook": "https://wiki.example/checkout""#), "{shown}");
}

#[tokio::test]
async fn a_template_makes_the_whole_body_and_says_what_it_is() {
    let server = Server::start(vec![Reply::status(200)]).await;
    let json = hook(&server.url, WebhookShape::default(), Some("{\"text\": {{ subject|tojson }}}"));
    let outcome = deliver(&json, &task(page(AlertState::Firing), None)).await;
    assert_eq!((outcome.verdict, outcome.alarm), (DeliveryVerdict::Done, None));
    let plain = WebhookShape { content_type: Some("text/plain; charset=utf-8".to_owned()), ..WebhookShape::default() };
    deliver(&hook(&server.url, plain, Some("{{ state }}!")), &task(page(AlertState::Firing), None)).await;
    let seen = server.seen();
    assert_eq!(seen[0].json()["text"], "[PAGE] checkout/availability region=<!channel> @all");
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!((seen[1].body.as_str(), seen[1].header("content-type")), ("firing!", Some("text/plain; charset=utf-8")));
}

#[tokio::test]
async fn a_template_that_fails_sends_our_own_body_and_an_alarm() {
    let server = Server::start(vec![Reply::status(200)]).await;
    for bad in ["{{ nothing }}", "no json", "{\"text\": \"{{ labels.nothing }}\"}"] {
        let outcome =
            deliver(&hook(&server.url, WebhookShape::default(), Some(bad)), &task(page(AlertState::Firing), None))
                .await;
        assert_eq!(outcome.verdict, DeliveryVerdict::Done);
        assert!(outcome.alarm.is_some(), "{bad}");
        let seen = server.seen();
        assert_eq!(seen.last().unwrap().json()["id"], page(AlertState::Firing).id, "{bad}");
    }
}
