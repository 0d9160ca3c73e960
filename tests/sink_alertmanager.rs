//! Against the real Alertmanager (Debian's `prometheus-alertmanager`); without it these tests print one line and pass.
//!
//! It notifies our own receiver at once, so that what its users would get is seen, annotations of a resolve included.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod kit;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use kit::alertmanager::Alertmanager as Real;
use kit::{DEADLINE, free_port, local};
use sample::Sample;
use serde_json::{Value, json};
use server::{Reply, Server};
use slo::clock::Clock;
use slo::policy::alert::AlertState;
use slo::policy::notification::Notification;
use slo::sink::alertmanager::{Alertmanager, Shape};
use slo::sink::client::{Bounds, Client};
use slo::sink::{DeliveryVerdict, Sink};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waits = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waits).await.unwrap_or_else(|_| panic!("not {what} in time"));
}

fn sink(urls: &[String]) -> Alertmanager {
    let shape = Shape {
        expires: Length::from_minutes(15),
        severity: BTreeMap::from([(AlertSeverity::Page, "critical".into())]),
        external_url: Some("https://slo.example".into()),
    };
    Alertmanager::new(Client::new(Bounds::default()).unwrap(), urls, shape).unwrap()
}

/// A notification whose alert fired two minutes ago.
fn notification(clock: &Clock, state: AlertState) -> Notification {
    let mut told = Sample::new("checkout/availability{region=\"eu\"}", AlertSeverity::Page, 1).notification(state);
    // By whole seconds, as slice ends are.
    told.fired_at = (clock.now() - Length::from_minutes(2)).floor_to(Length::from_minutes(5));
    told.annotations.insert("run-book".into(), "restart it".into());
    told
}

/// The first alert of each post to the receiver with this status.
fn notified(server: &Server, status: &str) -> Vec<Value> {
    let bodies = server.seen().into_iter().map(|seen| seen.json());
    bodies.filter(|body| body["status"] == status).map(|body| body["alerts"][0].clone()).collect()
}

#[tokio::test]
async fn a_page_appears_stays_over_a_restart_by_refresh_and_resolves_with_its_annotations() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let clock = Clock::system();
    let Some(mut real) = Real::start(&Real::to_webhook(&hook.url)).await else { return };
    let sink = sink(&[real.url()]);
    let firing = notification(&clock, AlertState::Firing);

    let outcome = sink.deliver(&firing, clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    let alerts = real.alerts().await;
    assert_eq!(alerts.len(), 1);
    let labels = json!({
        "alertname": "SLOBurn", "severity": "critical", "slo_severity": "page", "slo_service": "checkout",
        "slo_name": "availability", "owner": "payments", "team_name": "core.pay", "cluster": "eu1",
    });
    assert_eq!(alerts[0]["labels"], labels);
    assert_eq!(alerts[0]["annotations"]["run_book"], "restart it");
    let begun: slo::units::Timestamp = alerts[0]["startsAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(begun, firing.fired_at);
    assert_eq!(alerts[0]["generatorURL"], "https://slo.example/slo/checkout/availability?group=region%3D%22eu%22");
    until("notified", async || notified(&hook, "firing").len() == 1).await;

    // Alerts live in its memory: after a crash it knows none, until it is told the state again.
    real.stop();
    real.resume().await;
    assert_eq!(real.alerts().await.len(), 0);
    let outcome = sink.refresh(std::slice::from_ref(&firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert_eq!(real.alerts().await[0]["labels"], labels);

    let mut resolved = notification(&clock, AlertState::Resolved);
    resolved.fired_at = firing.fired_at;
    until("notified again, its log being lost too", async || notified(&hook, "firing").len() == 2).await;
    assert_eq!(sink.deliver(&resolved, clock.now()).await.verdict, DeliveryVerdict::Done);
    assert_eq!(sink.refresh(std::slice::from_ref(&resolved), clock.now()).await.verdict, DeliveryVerdict::Done);
    until("resolved", async || real.alerts().await.is_empty()).await;
    until("told of the end", async || !notified(&hook, "resolved").is_empty()).await;
    let (before, after) = (notified(&hook, "firing").remove(0), notified(&hook, "resolved").remove(0));
    assert_eq!((&before["labels"], &before["annotations"]), (&after["labels"], &after["annotations"]));
    assert_eq!((&before["startsAt"], &before["labels"]), (&after["startsAt"], &labels));
}

#[tokio::test]
async fn of_two_peers_one_may_be_down() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let Some(real) = Real::start(&Real::to_webhook(&hook.url)).await else { return };
    let (down, clock) = (local(free_port()).to_string(), Clock::system());
    let both = [format!("http://{down}"), real.url()];
    let outcome = sink(&both).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert!(outcome.message.contains("refused") && outcome.message.contains(&down), "{}", outcome.message);
    assert_eq!(real.alerts().await.len(), 1);
    let outcome = sink(&both[..1]).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(None));
}
