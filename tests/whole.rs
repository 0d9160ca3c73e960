//! The whole thing, with real parts: a page of counters, a real Prometheus that scrapes it, `slo run`, a real
//! Alertmanager and a receiver of webhooks.
//!
//! One script: clean traffic with a reset, an error series born mid-way, a page; Prometheus dies and comes back while the
//! page is out; the page resolves, its ticket goes out and resolves; the service dies and comes back. At the end every
//! alert is where the oracle puts it, and the counts equal what Prometheus holds and what the counters really counted.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail like tests and read whole answers"
)]
#![expect(clippy::panic, clippy::print_stdout, reason = "helpers of tests fail like tests, and say what they measured")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times and counts here are small whole numbers"
)]
#![expect(clippy::float_cmp, reason = "counts are exact")]

mod kit;
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use slo::clock::Clock;
use slo::spec::policy::AlertSeverity;
use slo::units::{Labels, Timestamp};
use tempfile::TempDir;

use kit::alertmanager::Alertmanager;
use kit::prometheus::{Options, Prometheus};
use oracle::alert::About;
use oracle::exact::{decimal, same_count};
use oracle::ledger::ledger;
use oracle::scene::{Judge, live};
use oracle::window::window;
use oracle::world::{DAY, HOUR, Kind, MINUTE, SECOND, Sample, Series, Setting, Tier, World};
use service::{Exporter, Received, Receiver, Slo, eventually, free_port, tail};

const SLICE: i64 = SECOND;
const DELAY: i64 = 2 * SECOND;
const GAP: i64 = 10 * SECOND;
const GOOD: &str = r#"requests_total{code="200"}"#;
const BAD: &str = r#"requests_total{code="500"}"#;
const ID: &str = "checkout/availability";

/// What the process counts, as told by the script: 100 events a second, half of them failures while it fails.
#[derive(Clone)]
struct Load {
    exporter: Exporter,
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    running: bool,
    failing: bool,
    bad: u64,
    total: u64,
}

impl Load {
    /// Counts in the background until the test ends; stands still at first.
    fn new(exporter: &Exporter) -> Self {
        let load = Self { exporter: exporter.clone(), state: Arc::default() };
        let counting = load.clone();
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            loop {
                beat.tick().await;
                counting.count();
            }
        });
        load
    }

    fn count(&self) {
        let mut state = self.state.lock().unwrap();
        if state.running {
            self.exporter.add(GOOD, 1);
            self.exporter.add(if state.failing { BAD } else { GOOD }, 1);
            state.total += 2;
            state.bad += u64::from(state.failing);
        }
    }

    fn run(&self, running: bool) {
        self.state.lock().unwrap().running = running;
    }

    fn fail(&self, failing: bool) {
        self.state.lock().unwrap().failing = failing;
    }

    fn counted(&self) -> State {
        *self.state.lock().unwrap()
    }

    /// Waits until `more` events were counted: the script's own clock.
    async fn counts(&self, more: u64) {
        let until = self.counted().total + more;
        eventually("events", 300, || async {
            let total = self.counted().total;
            if total >= until { Ok(()) } else { Err(format!("{total} of {until}")) }
        })
        .await;
    }
}

/// What Prometheus holds of the process, as raw samples.
async fn world(prometheus: &Prometheus) -> World {
    let now = Clock::system().now();
    let mut world = World::default();
    for query in [r#"requests_total{job="checkout"}[2h]"#, r#"up{job="checkout"}[2h]"#] {
        let answer = prometheus.query(query, now).await;
        for found in answer["data"]["result"].as_array().unwrap() {
            let metric: BTreeMap<String, String> = serde_json::from_value(found["metric"].clone()).unwrap();
            let labels: Labels = metric.into_iter().collect();
            let samples = found["values"].as_array().unwrap().iter().map(|pair| {
                let at = (pair[0].as_f64().unwrap() * 1_000.0).round() as i64;
                Sample { at, value: pair[1].as_str().unwrap().parse().unwrap(), arrived: at }
            });
            let requests = labels.get("__name__") == Some("requests_total");
            let failed = labels.get("code") == Some("500");
            let samples = samples.collect();
            world.series.push(Series { labels, events: failed, total: requests, alive: !requests, samples });
        }
    }
    world
}

fn setting() -> Setting {
    let burn = |over, confirm, factor: &str| Kind::Burn { over, confirm: Some(confirm), factor: decimal(factor) };
    let page = Tier::bare(AlertSeverity::Page, burn(MINUTE, 10 * SECOND, "14.4"));
    Setting {
        slice: SLICE,
        gap: GAP,
        alive: true,
        tiers: vec![
            Tier { min_bad: 3, keep: 5 * SECOND, ..page },
            Tier::bare(AlertSeverity::Ticket, burn(2 * MINUTE, 30 * SECOND, "12")),
            // Longer than Prometheus is away less `G`: for that long the target is gone, as far as anybody can tell.
            Tier::bare(AlertSeverity::Page, Kind::Down { after: 30 * SECOND }),
        ],
        ..Setting::plain()
    }
}

/// The files of the service, which say the same as [`setting`].
fn folder(port: u16, prometheus: &str, alertmanager: &str, hook: u16) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "slos/checkout.yaml",
        "version: slo/v1\nservice: checkout\nowner: payments\nlinks: {runbook: https://wiki.example/checkout}\n\
         defaults: {source: prometheus, window: 30d, policy: brisk}\nslos:\n- name: availability\n  objective: 99.9%\n\
         \x20 sli: {events: {bad: 'requests_total{job=\"checkout\",code=~\"5..\"}', total: 'requests_total{job=\"checkout\"}'}}\n",
    );
    write(
        "rules/brisk.yaml",
        "version: policy/v1\npolicies:\n- name: brisk\n  tiers:\n\
         \x20 - {severity: page, burn: {factor: 14.4, over: 1m, confirm: 10s}, min_bad: 3, keep_firing_for: 5s}\n\
         \x20 - {severity: ticket, burn: {factor: 12, over: 2m, confirm: 30s}}\n\
         \x20 - {severity: page, down: {after: 30s}}\n",
    );
    write(
        "slo.yaml",
        &format!(
            "version: config/v1\nslice: 1s\nsources:\n\
             \x20 prometheus: {{type: prometheus, urls: ['{prometheus}'], delay: 2s, interval: 1s, gap: 10s, lateness: 10s}}\n\
             sinks:\n  am: {{type: alertmanager, urls: ['{alertmanager}'], severity: {{page: critical}}}}\n\
             \x20 hook: {{type: webhook, url: 'http://127.0.0.1:{hook}/hook'}}\n\
             routes: [{{match: {{}}, to: [am, hook]}}]\n\
             storage: {{path: data/slo.db}}\n\
             server: {{listen: '127.0.0.1:{port}', external_labels: {{cluster: eu1}}}}\n"
        ),
    );
    folder
}

/// The state of the script's parts.
struct Scene {
    load: Load,
    exporter: Exporter,
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    receiver: Receiver,
    slo: Slo,
    _folder: TempDir,
}

impl Scene {
    /// Everything runs and the first scrape is there; `None` where a part is not installed.
    async fn begin() -> Option<Self> {
        let alertmanager = Alertmanager::start("route: {receiver: none}\nreceivers: [{name: none}]\n").await?;
        let (page, hook, port) = (free_port(), free_port(), free_port());
        let exporter = Exporter::serve(page).await;
        // The process has lived before: what it counted then is nobody's events.
        exporter.add(GOOD, 1_000);
        let scrape = vec![("checkout".to_owned(), format!("127.0.0.1:{page}"))];
        let prometheus = Prometheus::start(&Options { scrape, ..Options::external(&[("region", "eu")]) }).await?;
        let receiver = Receiver::serve(hook).await;
        let load = Load::new(&exporter);
        let folder = folder(port, &prometheus.url(), &alertmanager.url(), hook);
        let slo = Slo::new(folder.path(), port);
        let mut scene = Self { load, exporter, prometheus, alertmanager, receiver, slo, _folder: folder };
        scene.scraped().await;
        scene.load.run(true);
        scene.slo.start();
        scene.slo.ready().await;
        Some(scene)
    }

    /// Waits until Prometheus holds what the exporter shows; the load stands still meanwhile.
    async fn scraped(&self) {
        eventually("a scrape", 60, || async {
            let answer = self.prometheus.query("sum(requests_total)", Clock::system().now()).await;
            let held = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0").parse::<u64>().unwrap();
            let shown = self.exporter.value(GOOD) + self.exporter.value(BAD);
            if held == shown { Ok(()) } else { Err(format!("{held} of {shown}")) }
        })
        .await;
    }

    /// The process restarts; nothing that it counted is lost, because all of it was scraped.
    async fn restart_process(&self) {
        self.load.run(false);
        self.scraped().await;
        self.exporter.restart();
        self.load.run(true);
    }

    /// Waits for a webhook of this alert and state.
    async fn hears(&self, severity: &str, kind: &str, state: &str) -> Value {
        let what = format!("{severity} {kind} {state}; log: {}", tail(&self.slo.log()));
        self.receiver
            .wait_for(&what, 180, |body| body["severity"] == severity && body["kind"] == kind && body["state"] == state)
            .await
    }

    /// The alert of this name and severity that Alertmanager shows as active.
    async fn active(&self, alertname: &str, severity: &str) -> Option<Value> {
        self.alertmanager.alerts().await.into_iter().find(|alert| {
            alert["labels"]["alertname"] == alertname
                && alert["labels"]["slo_severity"] == severity
                && alert["status"]["state"] == "active"
        })
    }

    /// Waits until Alertmanager shows it, or no longer.
    async fn shows(&self, alertname: &str, severity: &str, wanted: bool) -> Option<Value> {
        eventually(&format!("{alertname} {severity} in Alertmanager: {wanted}"), 60, || async {
            let found = self.active(alertname, severity).await;
            if found.is_some() == wanted { Ok(found) } else { Err(format!("{:?}", self.alertmanager.alerts().await)) }
        })
        .await
    }

    /// Waits until the service says whether its page is frozen.
    async fn frozen(&self, wanted: bool) -> Value {
        eventually(&format!("frozen: {wanted}"), 120, || async {
            let alerts = self.slo.json("/api/v1/alerts?state=firing&severity=page").await?;
            let page = alerts["items"][0].clone();
            if page["frozen"] == wanted { Ok(page) } else { Err(format!("{page}; {}", tail(&self.slo.log()))) }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_an_slo_file_and_a_real_alertmanager() {
    let Some(mut scene) = Scene::begin().await else { return };
    scene.load.counts(1_000).await;
    scene.restart_process().await;
    scene.load.counts(500).await;

    failures_page(&scene).await;
    the_page_outlives_prometheus(&mut scene).await;

    scene.load.fail(false);
    scene.hears("page", "burn", "resolved").await;
    scene.shows("SLOBurn", "page", false).await;
    let ticket = scene.hears("ticket", "burn", "firing").await;
    scene.shows("SLOBurn", "ticket", true).await;
    assert_eq!(ticket["slo"], ID);
    scene.restart_process().await;
    scene.hears("ticket", "burn", "resolved").await;
    scene.shows("SLOBurn", "ticket", false).await;

    scene.exporter.set_down(true);
    let down = scene.hears("page", "down", "firing").await;
    assert_eq!((down["slo"].as_str(), down["tiers"][0]["kind"].as_str()), (Some(ID), Some("down")));
    assert_eq!(scene.shows("SLODown", "page", true).await.unwrap()["labels"]["severity"], "critical");
    // Longer than `G`: what happened meanwhile is folded, and is not lost.
    scene.load.counts(1_200).await;
    scene.exporter.set_down(false);
    scene.hears("page", "down", "resolved").await;
    scene.shows("SLODown", "page", false).await;

    scene.load.counts(300).await;
    scene.load.run(false);
    scene.scraped().await;
    let world = counts_equal_the_truth(&scene).await;
    alerts_are_where_the_oracle_puts_them(&scene, &world);
    in_time(&scene, &world);
    metrics_parse(&scene).await;
    assert_eq!(scene.slo.stop().await, Some(0), "{}", tail(&scene.slo.log()));
    let log = scene.slo.log();
    assert!(!log.contains("panicked"), "{log}");
}

/// The error series is born; the page arrives at both receivers.
async fn failures_page(scene: &Scene) {
    scene.load.fail(true);
    let page = scene.hears("page", "burn", "firing").await;
    assert_eq!((page["slo"].as_str(), page["owner"].as_str()), (Some(ID), Some("payments")));
    assert_eq!(page["dedup_key"], r#"{cluster="eu1"}checkout/availability/page/burn"#);
    let shown = scene.shows("SLOBurn", "page", true).await.unwrap();
    assert_eq!(shown["labels"]["severity"], "critical");
    assert_eq!(shown["labels"]["cluster"], "eu1");
    let at = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(at(&shown["startsAt"]), at(&page["fired_at"]));
    let late = at(&shown["updatedAt"]).since(at(&page["fired_at"]));
    assert!(late.millis() <= DELAY + SECOND, "in Alertmanager {late} after the slice end that decided it");
    let ticket = eventually("the ticket, held back", 60, || async {
        let alerts = scene.slo.json("/api/v1/alerts?severity=ticket").await?;
        let ticket = alerts["items"][0].clone();
        if ticket["held_back_by"].is_string() { Ok(ticket) } else { Err(alerts.to_string()) }
    })
    .await;
    assert_eq!(ticket["held_back_by"], page["alert_id"]);
}

/// Prometheus dies: the page stays where it is, frozen, and no second one goes out when Prometheus comes back.
async fn the_page_outlives_prometheus(scene: &mut Scene) {
    scene.prometheus.stop();
    let page = scene.frozen(true).await;
    assert_eq!(page["kind"], "burn");
    let until = scene.load.counted().total + 1_500;
    eventually("an outage longer than the gap", 120, || async {
        assert!(scene.active("SLOBurn", "page").await.is_some(), "the page left Alertmanager");
        let counted = scene.load.counted().total;
        if counted >= until { Ok(()) } else { Err(format!("{counted} of {until}")) }
    })
    .await;
    let detail = scene.slo.json("/api/v1/slos/checkout/availability").await.unwrap();
    assert_eq!((detail["status"].as_str(), detail["frozen"].as_bool()), (Some("page"), Some(true)), "{detail}");
    let sources = scene.slo.json("/api/v1/sources").await.unwrap();
    let source = sources["items"].as_array().map_or(&sources[0], |items| &items[0]);
    assert_eq!(source["up"], false, "{sources}");
    assert_eq!(scene.slo.get("/-/ready").await.unwrap().0, 200);

    scene.prometheus.resume().await;
    let back = scene.frozen(false).await;
    assert_eq!(back["id"], page["id"]);
    // Long enough for what came after the outage to be judged by itself.
    scene.load.counts(1_000).await;
    assert!(scene.active("SLOBurn", "page").await.is_some());
    let told = scene.receiver.all();
    assert_eq!(told.len(), 1, "{:?}", told.iter().map(|one| &one.body["id"]).collect::<Vec<_>>());
}

/// `bad` and `total` of every window equal what Prometheus holds, and over the period what was really counted.
async fn counts_equal_the_truth(scene: &Scene) -> World {
    let truth = scene.load.counted();
    let path = |over: &str| format!("/api/v1/slos/checkout/availability/window?over={over}");
    eventually("every event", 60, || async {
        let said = scene.slo.json(&path("30d")).await?;
        let (bad, total) = (said["bad"].as_f64().unwrap(), said["total"].as_f64().unwrap());
        let all = (bad, total) == (truth.bad as f64, truth.total as f64);
        if all { Ok(()) } else { Err(format!("{bad} of {}, {total} of {}", truth.bad, truth.total)) }
    })
    .await;
    let lengths = [("1m", MINUTE), ("2m", 2 * MINUTE), ("5m", 5 * MINUTE), ("1h", HOUR), ("30d", 30 * DAY)];
    let mut said = Vec::new();
    for (over, length) in lengths {
        said.push((over, length, scene.slo.json(&path(over)).await.unwrap()));
    }
    // Asked after the service, so that everything it knew is here too.
    let world = world(&scene.prometheus).await;
    for (over, length, said) in said {
        let to = said["to"].as_str().unwrap().parse::<Timestamp>().unwrap().millis();
        let book = ledger(&world.known_at(to), &setting(), &Labels::new(), to);
        let held = window(&book, &setting(), length);
        assert_eq!(said["from"].as_str().unwrap().parse::<Timestamp>().unwrap().millis(), held.from, "{over}");
        assert!(same_count(said["bad"].as_f64().unwrap(), &held.bad), "{over}: {said}, {held:?}");
        assert!(same_count(said["total"].as_f64().unwrap(), &held.total), "{over}: {said}, {held:?}");
        let measured = (said["measured_seconds"].as_f64().unwrap() * 1_000.0).round() as i64;
        assert_eq!(measured, held.measured, "{over}");
    }
    let (bad, total) = plain_sums(&world);
    assert_eq!((bad, total), (truth.bad, truth.total), "what Prometheus holds, without any rule about time");
    world
}

/// Increases of raw samples, one after the other: a fall is a reset, and the failures' first sample is all theirs.
fn plain_sums(world: &World) -> (u64, u64) {
    let (mut bad, mut total) = (0.0, 0.0);
    for series in world.series.iter().filter(|series| series.total) {
        let mut sum = if series.events { series.samples[0].value } else { 0.0 };
        for pair in series.samples.windows(2) {
            let (before, after) = (pair[0].value, pair[1].value);
            sum += if after < before { after } else { after - before };
        }
        total += sum;
        bad += if series.events { sum } else { 0.0 };
    }
    (bad as u64, total as u64)
}

fn fired_at(received: &Received) -> i64 {
    received.body["fired_at"].as_str().unwrap().parse::<Timestamp>().unwrap().millis()
}

/// The webhooks are the oracle's alerts over what Prometheus holds: each begin and each end, at its very slice.
fn alerts_are_where_the_oracle_puts_them(scene: &Scene, world: &World) {
    let samples = || world.series.iter().flat_map(|series| &series.samples).map(|sample| sample.at);
    let (begin, end) = (samples().min().unwrap(), samples().max().unwrap());
    let lived = live(Judge::Oracle, world, &setting(), begin / SECOND * SECOND - SECOND, end / SECOND * SECOND);
    let mut expected: Vec<(i64, String, i64)> = Vec::new();
    for alert in &lived.all {
        let about = if alert.about == About::Down { "down" } else { "burn" };
        let name = |state: &str| format!("{} {about} {state}", alert.severity.name());
        expected.extend(alert.told.map(|at| (at, name("firing"), alert.fired)));
        expected.extend(alert.resolved.filter(|_| alert.told.is_some()).map(|at| (at, name("resolved"), alert.fired)));
    }
    // What ends comes first: the ticket goes out at the slice end at which its page resolves.
    expected.sort_by_key(|(at, name, _)| (*at, !name.ends_with("resolved")));
    let told = scene.receiver.all();
    let seen: Vec<(String, i64)> = told
        .iter()
        .map(|one| {
            let part = |key: &str| one.body[key].as_str().unwrap_or_default().to_owned();
            (format!("{} {} {}", part("severity"), part("kind"), part("state")), fired_at(one))
        })
        .collect();
    let expected_told: Vec<(String, i64)> = expected.iter().map(|(_, name, fired)| (name.clone(), *fired)).collect();
    assert_eq!(seen, expected_told, "oracle: {:?}", lived.all);
    for (one, (at, _, _)) in told.iter().zip(&expected) {
        assert_eq!(one.headers["idempotency-key"], one.body["id"].as_str().unwrap());
        if let Some(resolved) = one.body["resolved_at"].as_str() {
            assert_eq!(resolved.parse::<Timestamp>().unwrap().millis(), *at, "{}", one.body["id"]);
        }
    }
    let ids: BTreeSet<&str> = told.iter().filter_map(|one| one.body["id"].as_str()).collect();
    assert_eq!((ids.len(), told.len()), (6, 6), "each of six, once: {ids:?}");
}

/// Within one slice, the delay and a second after the sample that crossed the threshold.
fn in_time(scene: &Scene, world: &World) {
    for one in scene.receiver.all().iter().filter(|one| one.body["kind"] == "burn" && one.body["severity"] == "page") {
        if one.body["state"] != "firing" {
            continue;
        }
        let fired = fired_at(one);
        let counters = world.series.iter().filter(|series| series.total).flat_map(|series| &series.samples);
        let crossed = counters.map(|sample| sample.at).filter(|at| *at <= fired).max().unwrap();
        assert!(fired - crossed < SLICE, "it fired at {fired}, the newest sample is of {crossed}");
        let took = one.at.millis() - crossed;
        println!("the page was there {took} ms after the sample that crossed the threshold");
        assert!(took <= SLICE + DELAY + SECOND, "it took {took} ms");
    }
}

/// Both pages of metrics parse, and say what the API says.
async fn metrics_parse(scene: &Scene) {
    let mut pages = Vec::new();
    for path in ["/metrics", "/metrics/slos"] {
        let (status, text) = scene.slo.get(path).await.unwrap();
        assert_eq!(status, 200);
        let text = text.as_str().unwrap().to_owned();
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        let parsed = prometheus_parse::Scrape::parse(lines).unwrap();
        let written = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
        assert!(written >= parsed.samples.len() && parsed.samples.len() > 5, "{path}: {text}");
        pages.push((text, parsed));
    }
    let value = |page: usize, name: &str, labels: &[(&str, &str)]| {
        let samples = &pages[page].1.samples;
        let found = samples.iter().find(|sample| {
            sample.metric == name && labels.iter().all(|(key, value)| sample.labels.get(key) == Some(value))
        });
        let sample = found.unwrap_or_else(|| panic!("no `{name}` with {labels:?} in {}", pages[page].0));
        match sample.value {
            prometheus_parse::Value::Counter(value)
            | prometheus_parse::Value::Gauge(value)
            | prometheus_parse::Value::Untyped(value) => value,
            _ => panic!("`{name}` is not a number"),
        }
    };
    assert_eq!(value(0, "slo_source_up", &[("source", "prometheus")]), 1.0);
    assert_eq!(value(0, "slo_outbox_pending", &[("sink", "hook")]), 0.0);
    let labels = [("slo_service", "checkout"), ("slo_name", "availability")];
    let remaining = value(1, "slo_error_budget_remaining_ratio", &labels);
    let detail = scene.slo.json("/api/v1/slos/checkout/availability").await.unwrap();
    let said = detail["budget"]["remaining_ratio"].as_f64().unwrap();
    // A slice may have ended between the two.
    assert!((remaining - said).abs() < 1e-3, "`/metrics/slos` says {remaining}, the API {said}");
    assert_eq!(value(1, "slo_alert_state", &[labels[0], labels[1], ("severity", "page"), ("kind", "burn")]), 0.0);
    assert!(value(1, "slo_events_total", &[labels[0], labels[1], ("outcome", "bad")]) > 0.0);
}
