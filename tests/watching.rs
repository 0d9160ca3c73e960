//! Who watches the watcher: heartbeats through the real service, to a webhook and to a real Alertmanager; and `slo`'s SLOs
//! about itself, over its own metrics as a real Prometheus scrapes them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test may look at the time, and reads its own server")]

#[path = "service/disk.rs"]
mod disk;
mod kit;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use disk::TinyDisk;
use kit::alertmanager::Alertmanager;
use kit::fault::{Fault, Reply, answer, json as fault_json};
use kit::prometheus::{Options, Prometheus};
use serde_json::{Value, json};
use service::{Slo, eventually};
use shop::{RULES, Shop, metric, slo, slos};
use slo::clock::Clock;

/// A shop whose service sends heartbeats every second to its receiver, and to `more`.
async fn with_heartbeats(more: &[(&str, String)]) -> Shop {
    let shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    let sinks: Vec<String> = more.iter().map(|(name, sink)| format!("  {name}: {sink}\n")).collect();
    let sinks = sinks.concat();
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

/// A Sloth file whose alerts are disabled.
const MUTED: &str = r#"
version: prometheus/v1
service: checkout
slos:
  - name: muted
    objective: 90
    sli:
      events:
        error_query: sum(rate(requests_total{job="shop",code=~"5.."}[{{.window}}]))
        total_query: sum(rate(requests_total{job="shop"}[{{.window}}]))
    alerting:
      page_alert: {disable: true}
      ticket_alert: {disable: true}
"#;

/// One value of an instant query; `Err` where there is none.
async fn value_of(prometheus: &Prometheus, promql: &str) -> Result<f64, String> {
    let answer = prometheus.query(promql, Clock::system().now()).await;
    let value = answer["data"]["result"][0]["value"][1].as_str();
    value.and_then(|text| text.parse().ok()).ok_or_else(|| format!("`{promql}`: {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_look_at_its_own_slos_gives_figures_and_sloths_names_reach_prometheus() {
    let mut shop = with_heartbeats(&[]).await;
    let options = Options {
        scrape: vec![("slo".into(), shop.slo.address.to_string())],
        pages_of_slos: vec![shop.slo.address.to_string()],
        ..Options::default()
    };
    let Some(prometheus) = Prometheus::start(&options).await else { return };
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("server: {", "server: {compat: sloth, "));
    shop.write("slos/sloth.yaml", MUTED);
    shop.start().await;

    let folder = tempfile::tempdir().unwrap();
    let port = service::free_port();
    let own_slos = concat!(env!("CARGO_MANIFEST_DIR"), "/slos/self.yaml");
    let config = format!(
        "version: config/v1\nfiles: {{slos: ['{own_slos}']}}\nslice: 1s\nowners: {{sre: {{contact: '#sre'}}}}\nsources:\n  \
         prometheus: {{type: prometheus, urls: ['{}'], delay: 2s, interval: 1s, gap: 10s}}\n\
         server: {{listen: '127.0.0.1:{port}'}}\n",
        prometheus.url()
    );
    fs::write(folder.path().join("slo.yaml"), config).unwrap();
    let mut second = Slo::new(folder.path(), port);
    second.start();
    second.ready().await;

    // Judged all the time (before its first scrape it was absent, which is bad), every request answered, every heartbeat
    // taken.
    let mut absent = Value::Null;
    for name in ["evaluation", "sources", "deliveries"] {
        let sli = eventually(name, 60, || async {
            let one = second.json(&format!("/api/v1/slos/slo/{name}")).await?;
            let (bad, total) = (one["sli"]["bad"].as_f64().unwrap(), one["sli"]["total"].as_f64().unwrap());
            if total - bad >= 5.0 { Ok(one["sli"].clone()) } else { Err(one.to_string()) }
        })
        .await;
        if name == "evaluation" {
            absent = sli["bad"].clone();
        } else {
            assert_eq!(sli["bad"], 0, "{name}: {sli}");
        }
    }
    let one = second.json("/api/v1/slos/slo/deliveries").await.unwrap();
    assert_eq!((&one["sli"]["good_ratio"], &one["budget"]["remaining_ratio"]), (&json!(1), &json!(1)), "{one}");

    // A receiver that refuses spends the budget of deliveries and no other.
    shop.hook.fail_with(Some(503));
    eventually("failed deliveries as bad events", 60, || async {
        let one = second.json("/api/v1/slos/slo/deliveries").await?;
        if one["sli"]["bad"].as_f64().unwrap() >= 3.0 { Ok(()) } else { Err(one["sli"].to_string()) }
    })
    .await;
    assert_eq!(second.json("/api/v1/slos/slo/evaluation").await.unwrap()["sli"]["bad"], absent);

    // Sloth's names, as its users' dashboards ask for them.
    shop.traffic.set_broken(true);
    let of = r#"{sloth_id="checkout-availability",sloth_service="checkout",sloth_slo="availability"}"#;
    let (ratio, burn) = (format!("slo:sli_error:ratio_rate1d{of}"), format!("slo:period_burn_rate:ratio{of}"));
    eventually("errors under Sloth's name", 60, || async {
        let ratio = value_of(&prometheus, &ratio).await?;
        if ratio > 0.0 { Ok(()) } else { Err(ratio.to_string()) }
    })
    .await;
    for (left, right) in [
        (ratio.clone(), "slo_error_ratio{slo_name=\"availability\",window=\"1d\"}".to_owned()),
        (
            format!("slo:sli_error:ratio_rate10s{of}"),
            "slo_error_ratio{slo_name=\"availability\",window=\"10s\"}".to_owned(),
        ),
        (burn.clone(), format!("({ratio} / on(sloth_id) slo:error_budget:ratio)")),
        (format!("slo:period_error_budget_remaining:ratio{of}"), format!("(1 - {burn})")),
    ] {
        // One scrape has both sides, so they are of one moment.
        let apart = value_of(&prometheus, &format!("sum(abs({left} - on() {right}))")).await.unwrap();
        assert!(apart < 1e-9, "{left} and {right} are {apart} apart");
    }
    assert_eq!(value_of(&prometheus, &format!("slo:objective:ratio{of}")).await, Ok(0.9));

    // Sloth records its windows for files without alerts, too.
    let muted = r#"sloth_service="checkout",sloth_slo="muted""#;
    for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"] {
        value_of(&prometheus, &format!("slo:sli_error:ratio_rate{window}{{{muted}}}")).await.unwrap();
    }
    value_of(&prometheus, &format!("slo:current_burn_rate:ratio{{{muted},sloth_window=\"5m\"}}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_copies_tell_of_a_source_under_the_same_ids() {
    let down = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&down);
    let source = Fault::start(move |_| {
        if gone.load(Ordering::SeqCst) {
            return Reply::Bytes(answer("503 Service Unavailable", &[], b"away"));
        }
        Reply::Bytes(fault_json(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#))
    })
    .await;
    let mut copies = Vec::new();
    for _ in 0..2 {
        let mut shop = Shop::closed().await;
        let more = format!(
            "  prometheus: {{type: prometheus, urls: ['{}'], delay: 1s, interval: 1s, gap: 5s, history: query, \
             alert: {{after: 5s, severity: page}}}}\n",
            source.url()
        );
        let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
        // Slices of 5 s: both have asked for the same one when the source goes.
        let config = config.replace("slice: 1s", "slice: 5s").replace("gap: 5s", "gap: 20s");
        shop.write(
            "slo.yaml",
            &config.replace("sinks:\n", &format!("{}sinks:\n", more.replace("gap: 5s", "gap: 20s"))),
        );
        shop.write("rules/quick.yaml", &RULES.replace("10s", "1m").replace("4s", "20s"));
        let asking = slo("asks", "90%") + "    source: prometheus\n    alive: none\n";
        shop.write("slos/shop.yaml", &slos(&[asking]));
        shop.start().await;
        copies.push(shop);
    }
    let watermark = |copy: usize| {
        let slo = &copies[copy].slo;
        async move {
            let list = slo.json("/api/v1/sources").await?;
            let items = list["items"].as_array().ok_or_else(|| list.to_string())?;
            let source = items.iter().find(|source| source["name"] == "prometheus").ok_or("not listed")?;
            source["watermark"].as_str().map(str::to_owned).ok_or_else(|| source.to_string())
        }
    };
    // Right after both have ticked, so that nearly a whole slice is left until the next.
    let begun = eventually("a first tick", 60, || watermark(0)).await;
    let ticked = eventually("another tick", 60, || async {
        let now = watermark(0).await?;
        if now == begun { Err(now) } else { Ok(now) }
    })
    .await;
    eventually("the same tick of the other", 20, || async {
        let other = watermark(1).await?;
        if other == ticked { Ok(()) } else { Err(format!("{other}, not {ticked}")) }
    })
    .await;
    down.store(true, Ordering::SeqCst);
    let mut told = Vec::new();
    for copy in &copies {
        let page = copy.hook.wait_for("the source's page", 60, |body| body["kind"] == "source").await;
        let since: slo::units::Timestamp = page["started_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(since.millis() % 5_000, 0, "a slice end: {page}");
        told.push(["id", "alert_id", "dedup_key", "started_at", "fired_at"].map(|key| page[key].clone()));
    }
    assert_eq!(told[0], told[1]);
    down.store(false, Ordering::SeqCst);
    let mut ends = Vec::new();
    for copy in &copies {
        let end = copy.hook.wait_for("the end", 60, |body| body["state"] == "resolved").await;
        ends.push([end["id"].clone(), end["alert_id"].clone()]);
    }
    assert_eq!(ends[0], ends[1]);
}
