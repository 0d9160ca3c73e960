//! Sinks: what they say, byte for byte, and what they make of answers, over real sockets.
//!
//! The files in `tests/golden/` are what a receiver gets; they are compared as JSON text and changed by hand.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sample::{NIGHT, Sample};
use server::{Reply, Seen, Server};
use sha2::Sha256;
use slo::config::meant::{Compat, SecretRef, Server as ServerConfig, SinkConfig, WebhookUrl};
use slo::config::sinks::webhook::WebhookShape;
use slo::policy::alert::AlertState;
use slo::policy::notification::Notification;
use slo::secret::Secrets;
use slo::sink::alertmanager::{self, Alertmanager, Shape};
use slo::sink::client::{Bounds, Client};
use slo::sink::stdout::Stdout;
use slo::sink::webhook::{self, Webhook};
use slo::sink::{DeliveryVerdict, EventSink, Outcome, Parts, RefreshSink as _, Task, body};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn page() -> Sample {
    Sample::new("check.out/availability{region=\"eu\"}", AlertSeverity::Page, 1)
}

fn quick() -> Client {
    let bounds = Bounds { total: Duration::from_millis(400), body: Duration::from_millis(100), ..Bounds::default() };
    Client::new(bounds).unwrap()
}

fn secrets() -> Arc<Secrets> {
    Arc::new(Secrets::new(|name| (name == "HOOK_SECRET").then(|| KEY.to_owned())))
}

fn hook(url: &str) -> Webhook {
    let key = Some(SecretRef::Env("HOOK_SECRET".into()));
    Webhook::new(quick(), WebhookUrl::Plain(url.into()), key, &secrets()).unwrap()
}

fn shape() -> Shape {
    Shape {
        expires: Length::from_minutes(15),
        severity: BTreeMap::from([(AlertSeverity::Page, "critical".into())]),
        external_url: Some("https://slo.example".into()),
    }
}

fn task(state: AlertState) -> Task {
    Task { notification: page().notification(state), handle: None, perhaps_told: false }
}

async fn tell(sink: &dyn EventSink) -> Outcome {
    sink.deliver(&task(AlertState::Firing), NIGHT + Length::from_seconds(1_000)).await
}

// ---- what they say ----

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found.trim_end(), expected.trim_end(), "{}", path.display());
}

#[test]
fn the_webhook_says() {
    let key = STANDARD.decode(KEY.strip_prefix("whsec_").unwrap()).unwrap();
    for (state, name) in [(AlertState::Firing, "webhook_firing.txt"), (AlertState::Resolved, "webhook_resolved.txt")] {
        let request = webhook::render(&page().notification(state), Some(&key), NIGHT + Length::from_seconds(1_000));
        let headers: String = request.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\n"]).collect();
        let json: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        golden(name, &format!("{headers}\n{}\n", serde_json::to_string_pretty(&json).unwrap()));
    }
}

#[test]
fn alertmanager_is_told() {
    for (state, name) in
        [(AlertState::Firing, "alertmanager_firing.json"), (AlertState::Resolved, "alertmanager_resolved.json")]
    {
        let alert = alertmanager::render(&page().notification(state), &shape(), NIGHT + Length::from_seconds(1_000));
        golden(name, &serde_json::to_string_pretty(&alert).unwrap());
    }
}

#[test]
fn a_body_has_every_key_of_the_interface_in_its_order() {
    let text = body::render(&page().notification(AlertState::Firing));
    let keys = [
        "id",
        "alert_id",
        "dedup_key",
        "episode",
        "transition",
        "state",
        "severity",
        "kind",
        "origin",
        "slo",
        "service",
        "name",
        "group",
        "owner",
        "labels",
        "annotations",
        "links",
        "started_at",
        "fired_at",
        "resolved_at",
        "as_of",
        "ended_by",
        "reason",
        "tiers",
        "budget",
        "forecast",
        "evidence",
        "context",
        "coverage",
    ];
    let json: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(json.len(), keys.len());
    // The first of its name, but for `coverage`, which windows have too.
    let (last, others) = keys.split_last().unwrap();
    let mut places: Vec<usize> = others.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    places.push(text.rfind(&format!("\"{last}\":")).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_resolve_in_alertmanager_has_the_labels_and_annotations_of_its_firing() {
    let now = NIGHT + Length::from_hours(1);
    let firing = alertmanager::render(&page().notification(AlertState::Firing), &shape(), now);
    let resolved = alertmanager::render(&page().notification(AlertState::Resolved), &shape(), now);
    assert_eq!((firing.labels.clone(), firing.starts_at), (resolved.labels, resolved.starts_at));
    assert_eq!(firing.annotations, resolved.annotations);
    assert_eq!((firing.ends_at, resolved.ends_at), (now + Length::from_minutes(15), now));
    let behind =
        alertmanager::render(&page().notification(AlertState::Resolved), &shape(), NIGHT - Length::from_hours(9));
    assert_eq!(behind.ends_at, behind.starts_at, "an end before the begin would be refused");
}

#[test]
fn an_address_for_people_that_is_none_is_left_out() {
    let told = |external_url: Option<&str>| {
        let shape = Shape { external_url: external_url.map(Into::into), ..shape() };
        alertmanager::render(&page().notification(AlertState::Firing), &shape, NIGHT).generator_url
    };
    assert_eq!((told(None), told(Some("not an address"))), (None, None));
    assert_eq!(
        told(Some("https://slo.example/a")).unwrap(),
        "https://slo.example/a/slo/check.out/availability?group=region%3D%22eu%22"
    );
}

// ---- over the wire ----

#[tokio::test]
async fn a_signature_verifies_over_what_was_sent() {
    let server = Server::start(vec![Reply::status(204)]).await;
    assert_eq!(tell(&hook(&server.url)).await.verdict, DeliveryVerdict::Done);
    let seen = &server.seen()[0];
    let notification = page().notification(AlertState::Firing);
    assert_eq!(seen.json()["id"], notification.id);
    assert_eq!(seen.header("idempotency-key").unwrap(), notification.id);
    assert_eq!(seen.header("user-agent").unwrap(), format!("slo/{}", env!("CARGO_PKG_VERSION")));
    let (id, time) = (seen.header("webhook-id").unwrap(), seen.header("webhook-timestamp").unwrap());
    assert_eq!((id, time), (notification.id.replace('.', "%2E").as_str(), "1795231000"));
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY.strip_prefix("whsec_").unwrap()).unwrap()).unwrap();
    mac.update(format!("{id}.{time}.{}", seen.body).as_bytes());
    let signature = seen.header("webhook-signature").unwrap().strip_prefix("v1,").unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn what_was_perhaps_read_is_ambiguous_and_what_was_not_sent_is_a_retry() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let outcome = tell(&hook(&nobody)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(None));
    assert!(!outcome.message.contains("127.0.0.1") && outcome.message.contains("refused"), "{}", outcome.message);
    for reply in [Reply::CloseUnread, Reply::CloseRead, Reply::Silence] {
        let server = Server::start(vec![reply.clone()]).await;
        let outcome = tell(&hook(&server.url)).await;
        assert_eq!(outcome.verdict, DeliveryVerdict::Ambiguous, "{reply:?}: {}", outcome.message);
        assert!(!outcome.message.contains("/hook"), "{}", outcome.message);
    }
}

#[tokio::test]
async fn the_status_decides_and_a_slow_body_does_not_hold_it_up() {
    let server = Server::start(vec![Reply::Drip(200), Reply::Drip(500)]).await;
    assert_eq!(tell(&hook(&server.url)).await.verdict, DeliveryVerdict::Done);
    assert_eq!(tell(&hook(&server.url)).await.verdict, DeliveryVerdict::Ambiguous);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::start(vec![Reply::status(200)]).await;
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(vec![Reply::Status(status, format!("location: {}\r\n", target.url))]).await;
        assert_eq!(tell(&hook(&server.url)).await.verdict, DeliveryVerdict::Misconfigured, "{status}");
    }
    assert_eq!(target.seen().len(), 0);
}

#[tokio::test]
async fn a_refused_key_is_read_again_once_where_it_comes_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "old").unwrap();
    let server = Server::start(vec![Reply::status(401), Reply::status(200), Reply::status(403)]).await;
    let key = Some(SecretRef::File(path.clone()));
    let sink = Webhook::new(quick(), WebhookUrl::Plain(server.url.clone()), key, &secrets()).unwrap();
    assert_eq!(tell(&sink).await.verdict, DeliveryVerdict::Done);
    assert_eq!(server.seen().len(), 2);
    assert_eq!(tell(&sink).await.verdict, DeliveryVerdict::Misconfigured);
    assert_eq!(server.seen().len(), 4);
    // From the environment it does not change: no second try.
    let server = Server::start(vec![Reply::status(401)]).await;
    assert_eq!(tell(&hook(&server.url)).await.verdict, DeliveryVerdict::Misconfigured);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn an_address_that_is_a_secret_is_in_no_message() {
    let server = Server::start(vec![Reply::status(404), Reply::CloseRead]).await;
    let url = format!("{}/canary", server.url);
    let resolver = Arc::new(Secrets::new(move |_| Some(url.clone())));
    let sink = Webhook::new(quick(), WebhookUrl::Secret(SecretRef::Env("URL".into())), None, &resolver).unwrap();
    for _ in 0..2 {
        let message = tell(&sink).await.message;
        assert!(!message.contains("canary") && !message.contains("hello"), "{message}");
    }
    assert_eq!(server.seen().first().and_then(|seen| seen.header("webhook-signature")), None);
}

#[tokio::test]
async fn a_peer_that_accepts_is_enough_and_every_peer_is_told() {
    let (up, down) = (Server::start(vec![Reply::status(200)]).await, Server::start(vec![Reply::status(503)]).await);
    let urls: Vec<String> =
        [&up, &down].iter().map(|server| server.url.trim_end_matches("/hook").to_owned() + "/am/").collect();
    let sink = Alertmanager::new(quick(), &urls, shape()).unwrap();
    let outcome = sink.deliver(&page().notification(AlertState::Firing), NIGHT).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done);
    assert!(outcome.message.contains("status 503"), "{}", outcome.message);
    for server in [up, down] {
        assert!(server.seen()[0].head.starts_with("POST /am/api/v2/alerts "), "{}", server.seen()[0].head);
    }
}

/// Names of the alerts in a POST.
fn names(seen: &Seen) -> Vec<String> {
    let alerts = seen.json();
    let name = |alert: &serde_json::Value| alert["labels"]["slo_name"].as_str().unwrap().to_owned();
    alerts.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_refused_batch_is_halved_until_the_bad_alert_is_found() {
    let replies = [400, 200, 400, 422, 200].map(Reply::status);
    let server = Server::start(replies.to_vec()).await;
    let sink = Alertmanager::new(quick(), std::slice::from_ref(&server.url), shape()).unwrap();
    let all: Vec<Notification> = ["a", "b", "c", "d"]
        .map(|name| Sample::new(&format!("shop/{name}"), AlertSeverity::Page, 1).notification(AlertState::Firing))
        .to_vec();
    let outcome = sink.refresh(&all, NIGHT).await;
    let batches: Vec<String> = server.seen().iter().map(|seen| names(seen).concat()).collect();
    assert_eq!(batches, ["abcd", "ab", "cd", "c", "d"]);
    assert_eq!(outcome.verdict, DeliveryVerdict::Refused);
    assert!(outcome.message.contains("shop/c/page") && !outcome.message.contains("shop/d/page"), "{}", outcome.message);
}

#[tokio::test]
async fn standard_output_has_one_object_a_line() {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let sink = Stdout::to(ours);
    for state in [AlertState::Firing, AlertState::Resolved] {
        assert_eq!(sink.deliver(&task(state), NIGHT).await.verdict, DeliveryVerdict::Done);
    }
    drop(sink);
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut { theirs }, &mut text).await.unwrap();
    let states: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["firing", "resolved"]);
}

// ---- building ----

#[test]
fn what_cannot_work_is_refused_at_start_and_names_the_sink() {
    let server = ServerConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        external_url: None,
        external_labels: BTreeMap::new(),
        compat: Compat::None,
        tokens: None,
        link_secret: None,
    };
    let secrets = secrets();
    let parts = Parts { name: "hook", server: &server, secrets: &secrets, template: None };
    let build = |config: &SinkConfig| slo::sink::build(config, &parts).map(|sink| sink.is_refreshed());
    let webhook = |url: &str, secret: Option<&str>| SinkConfig::Webhook {
        url: WebhookUrl::Plain(url.into()),
        secret: secret.map(|name| SecretRef::Env(name.into())),
        shape: WebhookShape::default(),
    };
    assert!(!build(&webhook("https://hooks.example/slo", Some("HOOK_SECRET"))).unwrap());
    assert!(!build(&SinkConfig::Stdout).unwrap());
    for (config, part) in [
        (
            webhook("https://hooks.example/slo", Some("NOT_SET")),
            "`{env: NOT_SET}`: the environment variable is not set",
        ),
        (webhook("hooks.example", None), "its address is none"),
        (webhook("ftp://hooks.example", None), "neither http nor https"),
    ] {
        let error = build(&config).unwrap_err().to_string();
        assert!(error.starts_with("sink `hook`: ") && error.contains(part), "{error}");
    }
    let peers = |urls: &[&str]| SinkConfig::Alertmanager {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        expires: Length::from_minutes(15),
        severity: BTreeMap::new(),
    };
    assert!(build(&peers(&["http://127.0.0.1:9093/"])).unwrap());
    assert!(build(&peers(&[])).unwrap_err().to_string().contains("no `urls`"));
    assert!(build(&peers(&["127.0.0.1:9093"])).unwrap_err().to_string().contains("is no address"));
}
