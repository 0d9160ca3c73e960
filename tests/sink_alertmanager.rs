//! Against the real Alertmanager (Debian's `prometheus-alertmanager`); without it these tests print one line and pass.
//!
//! It notifies our own receiver at once, so that what its users would get is seen, annotations of a resolve included.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests fail by panicking")]

#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
#[expect(dead_code, reason = "shared with other tests, which need more of it")]
mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const BINARY: &str = "prometheus-alertmanager";

/// A running Alertmanager; ends when it is dropped.
struct Real {
    address: String,
    _process: Child,
}

impl Real {
    /// Starts on this address, or says that there is none on this machine.
    async fn start(folder: &Path, address: &str, hook: &str) -> Option<Self> {
        let config = folder.join("alertmanager.json");
        let text = json!({
            "route": {"receiver": "hook", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": true}]}],
        });
        std::fs::write(&config, text.to_string()).unwrap();
        let process = Command::new(BINARY)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let Ok(process) = process else {
            println!("skipped: no {BINARY} on this machine");
            return None;
        };
        let real = Self { address: address.to_owned(), _process: process };
        real.until("ready", async || real.get("/-/ready").await.is_some_and(|(status, _)| status == 200)).await;
        Some(real)
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waits = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waits).await.unwrap_or_else(|_| panic!("not {what} in a minute"));
    }

    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await.ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    async fn alerts(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/api/v2/alerts").await.unwrap().1).unwrap()
    }
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn sink(addresses: &[&str]) -> Alertmanager {
    let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let shape = Shape {
        expires: Length::from_minutes(15),
        severity: BTreeMap::from([(AlertSeverity::Page, "critical".into())]),
        external_url: Some("https://slo.example".into()),
    };
    Alertmanager::new(Client::new(Bounds::default()).unwrap(), &urls, shape).unwrap()
}

/// A notification whose alert fired two minutes ago.
fn notification(clock: &Clock, state: AlertState) -> Notification {
    let mut told = Sample::new("checkout/availability{region=\"eu\"}", AlertSeverity::Page, 1).notification(state);
    // By whole seconds, as slice ends are.
    told.fired_at = (clock.now() - Length::from_minutes(2)).floor_to(Length::from_minutes(5));
    told.annotations.insert("run-book".into(), "restart it".into());
    told
}

/// The first alert of what was posted to the receiver with this status.
fn notified(server: &Server, status: &str) -> Option<Value> {
    let bodies = server.seen().into_iter().map(|seen| seen.json());
    bodies.filter(|body| body["status"] == status).map(|body| body["alerts"][0].clone()).next()
}

#[tokio::test]
async fn a_page_appears_stays_over_a_restart_by_refresh_and_resolves_with_its_annotations() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Server::start(vec![Reply::status(200)]).await;
    let (address, clock) = (free_address(), Clock::system());
    let Some(real) = Real::start(folder.path(), &address, &hook.url).await else { return };
    let sink = sink(&[&address]);
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
    real.until("notified", async || notified(&hook, "firing").is_some()).await;

    // Alerts live in its memory: after a restart it knows none, until it is told the state again.
    drop(real);
    let real = loop {
        // The port is free once the old process is gone.
        if TcpStream::connect(&address).await.is_err() {
            break Real::start(folder.path(), &address, &hook.url).await.unwrap();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(real.alerts().await.len(), 0);
    let outcome = sink.refresh(std::slice::from_ref(&firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert_eq!(real.alerts().await[0]["labels"], labels);

    let mut resolved = notification(&clock, AlertState::Resolved);
    resolved.fired_at = firing.fired_at;
    real.until("flushed", async || real.alerts().await[0]["status"]["state"] == "active").await;
    assert_eq!(sink.deliver(&resolved, clock.now()).await.verdict, DeliveryVerdict::Done);
    assert_eq!(sink.refresh(std::slice::from_ref(&resolved), clock.now()).await.verdict, DeliveryVerdict::Done);
    real.until("resolved", async || real.alerts().await.is_empty()).await;
    real.until("told of the end", async || notified(&hook, "resolved").is_some()).await;
    let (before, after) = (notified(&hook, "firing").unwrap(), notified(&hook, "resolved").unwrap());
    assert_eq!((&before["labels"], &before["annotations"]), (&after["labels"], &after["annotations"]));
    assert_eq!((&before["startsAt"], &before["labels"]), (&after["startsAt"], &labels));
}

#[tokio::test]
async fn of_two_peers_one_may_be_down() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Server::start(vec![Reply::status(200)]).await;
    let (up, down, clock) = (free_address(), free_address(), Clock::system());
    let Some(real) = Real::start(folder.path(), &up, &hook.url).await else { return };
    let outcome = sink(&[&down, &up]).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert!(outcome.message.contains("refused") && outcome.message.contains(&down), "{}", outcome.message);
    assert_eq!(real.alerts().await.len(), 1);
    drop(real);
    let outcome = sink(&[&down]).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(None));
}
