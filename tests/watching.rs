//! Who watches the watcher: heartbeats through the real service, to a webhook and to a real Alertmanager; and `slo`'s SLOs
//! about itself, over its own metrics as a real Prometheus scrapes them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking"
)]
#![expect(clippy::disallowed_methods, reason = "a test may look at the time, and reads its own server")]

#[path = "service/disk.rs"]
mod disk;
mod kit;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::collections::BTreeSet;
use std::fs;

use disk::TinyDisk;
use kit::alertmanager::Alertmanager;
use serde_json::{Value, json};
use service::eventually;
use shop::{Shop, metric, slo, slos};

/// A shop whose service sends heartbeats every second to its receiver, and to `more`.
async fn with_heartbeats(more: &[(&str, String)]) -> Shop {
    let shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    let sinks: String = more.iter().map(|(name, sink)| format!("  {name}: {sink}\n")).collect();
    let names: Vec<&str> = std::iter::once("hook").chain(more.iter().map(|(name, _)| *name)).collect();
    let config = config
        .replace("routes:", &format!("{sinks}watchdog: [{{to: [{}], every: 1s}}]\nroutes:", names.join(", ")))
        .replace("server: {", "server: {external_labels: {cluster: eu1}, ");
    shop.write("slo.yaml", &config);
    shop
}

fn beats(shop: &Shop) -> Vec<Value> {
    let all = shop.hook.all().into_iter().map(|received| received.body);
    all.filter(|body| body["kind"] == "watchdog").collect()
}

async fn beats_beyond(shop: &Shop, count: usize, why: &str) {
    eventually(why, 30, || async {
        let seen = beats(shop).len();
        if seen > count { Ok(()) } else { Err(format!("{seen} heartbeats; log: {}", service::tail(&shop.slo.log()))) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_while_the_service_works_and_end_by_themselves_when_it_is_killed() {
    // Alertmanager as the second receiver, where it is installed; it tells nobody further.
    let quiet = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    let real = Alertmanager::start(quiet).await;
    let sink = real.iter().map(|real| ("am", format!("{{type: alertmanager, urls: ['{}']}}", real.url())));
    let mut shop = with_heartbeats(&sink.collect::<Vec<_>>()).await;
    let gone = format!(
        "  gone: {{type: prometheus, urls: ['http://127.0.0.1:{}'], delay: 1s, interval: 1s, gap: 5s, alert: {{after: 2s, severity: page}}}}\n",
        service::free_port()
    );
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("sinks:\n", &format!("{gone}sinks:\n")));
    let asking = slo("gone", "90%") + "    source: gone\n    alive: none\n";
    shop.write("slos/shop.yaml", &slos(&[slo("availability", "90%"), asking]));
    shop.start().await;
    beats_beyond(&shop, 2, "three heartbeats").await;

    let seen = beats(&shop);
    let ids: BTreeSet<&str> = seen.iter().map(|beat| beat["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), seen.len(), "each slot has an id of its own");
    let labels = json!({"alertname": "SLOWatchdog", "severity": "none", "cluster": "eu1"});
    for beat in &seen {
        assert_eq!((&beat["labels"], &beat["state"]), (&labels, &json!("firing")));
        let slot = beat["fired_at"].as_str().unwrap();
        let id = format!("{{cluster=\"eu1\"}}slo/watchdog/notice/watchdog/{slot}");
        assert_eq!(beat["id"], id, "made of names and the slot: another copy sends the same");
    }
    // A source that is down tells that itself.
    let page = shop.hook.wait_for("the source's page", 60, |body| body["kind"] == "source").await;
    assert_eq!(page["slo"], "source/gone");
    beats_beyond(&shop, beats(&shop).len() + 2, "heartbeats beside a source that is down").await;

    // What fails is counted, and not sent later.
    shop.hook.fail_with(Some(503));
    eventually("a failure that is counted", 30, || async {
        let failed = metric(&shop.slo, "slo_deliveries_total{sink=\"hook\",outcome=\"ambiguous\"}").await?;
        if failed >= 1.0 { Ok(()) } else { Err(failed.to_string()) }
    })
    .await;
    assert!(metric(&shop.slo, "slo_deliveries_total{sink=\"hook\",outcome=\"done\"}").await.unwrap() >= 3.0);
    let stored = shop.slo.json("/api/v1/deliveries").await.unwrap();
    for row in stored["items"].as_array().unwrap() {
        assert!(!row["notification_id"].as_str().unwrap().contains("watchdog"), "{stored}");
    }

    if let Some(real) = &real {
        let alerts = real.alerts().await;
        let beat = alerts.iter().find(|alert| alert["labels"]["alertname"] == "SLOWatchdog");
        assert_eq!(beat.expect("it stands")["labels"], labels);
        shop.slo.kill();
        eventually("an end by itself", 20, || async {
            let left = real.alerts().await;
            if left.iter().any(|alert| alert["labels"] == labels) { Err(format!("{left:?}")) } else { Ok(()) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_silences_the_heartbeat_until_it_can() {
    let Some(disk) = TinyDisk::mount() else { return };
    let mut shop = with_heartbeats(&[]).await;
    let store = disk.path().join("slo.db");
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("path: slo.db", &format!("path: {}", store.display())));
    shop.start().await;
    beats_beyond(&shop, 0, "a heartbeat").await;
    disk.fill();
    eventually("silence", 30, || async {
        let log = shop.slo.log();
        if log.contains("no heartbeat is sent") { Ok(()) } else { Err(service::tail(&log)) }
    })
    .await;
    let before = beats(&shop).len();
    let errors = metric(&shop.slo, "slo_store_errors_total").await.unwrap();
    eventually("three more failed ticks", 30, || async {
        let now = metric(&shop.slo, "slo_store_errors_total").await?;
        if now >= errors + 3.0 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    assert_eq!(beats(&shop).len(), before, "silent while it cannot write");
    disk.make_room();
    beats_beyond(&shop, before, "a heartbeat once there is room").await;
    assert_eq!(shop.slo.stop().await, Some(0));
}
