//! `kill -9` at random moments while alerts fire and resolve: none lost, none invented, repeats only under the same id.
//!
//! Several services side by side, each with a folder, a receiver and error traffic of its own: errors come and go on a
//! script, group by group, while the process is killed again and again after a random life. Receivers refuse some
//! requests, answer some late and so are often left without having been heard. Then everything is left alone until it is
//! quiet, and what was received is held against what the service says that it decided.
//!
//! `scene` does it with groups, storms, silences and acknowledgements, on a clock that runs quickly.
//!
//! `SLO_TEST_KILLS` says how many kills, `SLO_SEED` repeats a run's dice; both are printed.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test may look at the time and the environment")]

mod kit;
#[path = "kill/scene.rs"]
mod scene;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use service::{Exporter, Slo, eventually, free_port, tail};
use tokio::time::Instant;

/// Services side by side.
const SERVICES: u64 = 4;
/// Groups of each, their errors out of step.
const GROUPS: u64 = 4;
/// Errors are on for the first part of each round.
const ROUND: Duration = Duration::from_secs(24);
const ERRORS: Duration = Duration::from_secs(8);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Seed and number of kills of this run, printed.
fn chosen(kills: u64) -> (u64, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (seed, kills) = (setting("SLO_SEED", u64::from(now.subsec_nanos())), setting("SLO_TEST_KILLS", kills));
    println!("SLO_SEED={seed} SLO_TEST_KILLS={kills}");
    (seed, kills)
}

/// Dice that a seed repeats (xorshift).
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64, of: u64) -> Self {
        let mut dice = Self((seed ^ of.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    /// Less than `below`.
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }
}

/// A request to the receiver, whether its answer said yes, and whether that answer was late.
#[derive(Clone, Debug)]
struct Heard {
    body: Value,
    key: String,
    accepted: bool,
}

/// Accepts most, refuses some with 500, takes its time with some: their sender is often dead by then.
#[derive(Clone)]
struct Moody {
    heard: Arc<Mutex<Vec<Heard>>>,
    dice: Arc<Mutex<Dice>>,
}

impl Moody {
    async fn serve(port: u16, dice: Dice) -> Self {
        let moody = Self { heard: Arc::default(), dice: Arc::new(Mutex::new(dice)) };
        let router = axum::Router::new().route("/hook", post(hear)).with_state(moody.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        moody
    }
}

async fn hear(State(moody): State<Moody>, headers: axum::http::HeaderMap, body: axum::body::Bytes) -> StatusCode {
    let (accepted, late) = {
        let mut dice = moody.dice.lock().unwrap();
        (dice.roll(5) > 0, [0, 0, 100, 400][usize::try_from(dice.roll(4)).unwrap()])
    };
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap();
    moody.heard.lock().unwrap().push(Heard { body, key, accepted });
    tokio::time::timeout(Duration::from_millis(late), std::future::pending::<()>()).await.unwrap_err();
    if accepted { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

fn write_files(folder: &std::path::Path, source: &str, port: u16, hook: u16) {
    let config = format!(
        "version: config/v1
slice: 1s
owners: {{web: {{contact: '#web'}}}}
sources: {{app: {source}}}
sinks: {{hook: {{type: webhook, url: 'http://127.0.0.1:{hook}/hook'}}}}
routes: [{{match: {{}}, to: [hook]}}]
storage: {{path: slo.db}}
server: {{listen: '127.0.0.1:{port}'}}
"
    );
    let rules = "version: policy/v1
policies:
  - {name: quick, tiers: [{severity: page, burn: {factor: 2, over: 8s, confirm: 4s}}]}
";
    let slos = "version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: orders
    source: app
    objective: 90%
    window: 1d
    by: [group]
    alerting: {policy: quick}
    sli: {events: {bad: 'requests_total{job=\"shop\",code=\"500\"}', total: 'requests_total{job=\"shop\"}'}}
";
    for (name, text) in [("slo.yaml", config.as_str()), ("rules/quick.yaml", rules), ("slos/shop.yaml", slos)] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Errors come and go, group by group, until `ended`; good traffic goes on for ever. `rounds` are the rounds of errors
/// that began, by group.
async fn script(exporter: Exporter, ended: Arc<AtomicBool>, rounds: Arc<Mutex<BTreeSet<(u64, u128)>>>) {
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        for group in 0..GROUPS {
            // The first round begins late: every series is there before its first error.
            let shift = ROUND / u32::try_from(GROUPS).unwrap() * u32::try_from(group).unwrap() + Duration::from_secs(6);
            let at = began.elapsed().as_millis().checked_sub(shift.as_millis());
            let round = at.filter(|at| at % ROUND.as_millis() < ERRORS.as_millis()).map(|at| at / ROUND.as_millis());
            let round = round.filter(|_| !ended.load(Ordering::Relaxed));
            rounds.lock().unwrap().extend(round.map(|round| (group, round)));
            let bad = if round.is_some() { 5 } else { 0 };
            exporter.add(&format!("requests_total{{group=\"g{group}\",code=\"500\"}}"), bad);
            exporter.add(&format!("requests_total{{group=\"g{group}\",code=\"200\"}}"), 10 - bad);
        }
    }
}

/// What one service went through.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "some fields are there to be printed")]
struct Summary {
    alerts: usize,
    told: usize,
    heard: usize,
    repeats: usize,
    refused: usize,
}

/// Each service's fate: killed so often, then left alone until it is quiet, then held to account.
async fn fate(number: u64, seed: u64, kills: u64) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let (port, hook, page) = (free_port(), free_port(), free_port());
    let exporter = Exporter::serve(page).await;
    let mut dice = Dice::new(seed, number);
    let receiver = Moody::serve(hook, Dice::new(seed, number + 1_000)).await;
    // The first service scrapes by itself: its past is in its own store only, and what was missed while it was dead is
    // unmeasured. The others ask a Prometheus, which knows all of it.
    let scrape = vec![("shop".to_owned(), format!("127.0.0.1:{page}"))];
    let options = kit::prometheus::Options { scrape, ..Default::default() };
    let prometheus = if number == 0 { None } else { kit::prometheus::Prometheus::start(&options).await };
    let source = prometheus.as_ref().map_or_else(
        || format!("{{type: scrape, targets: ['http://127.0.0.1:{page}/metrics'], labels: {{job: shop}}, interval: 1s, gap: 5s}}"),
        |server| format!("{{type: prometheus, urls: ['{}'], interval: 1s, gap: 5s, delay: 2s}}", server.url()),
    );
    write_files(folder.path(), &source, port, hook);
    let (ended, rounds) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let script = tokio::spawn(script(exporter, Arc::clone(&ended), Arc::clone(&rounds)));
    let reached = Arc::default();
    let watching = tokio::spawn(watch(Slo::new(folder.path(), port), Arc::clone(&reached)));
    let mut service = Slo::new(folder.path(), port);
    for _ in 0..kills {
        service.start();
        // Mostly short lives, some that are long enough for an alert to end in one of them.
        let life = if dice.roll(12) == 0 { 6_000 + dice.roll(6_000) } else { 200 + dice.roll(1_500) };
        tokio::time::timeout(Duration::from_millis(life), std::future::pending::<()>()).await.unwrap_err();
        assert!(service.runs(), "service {number} ended by itself: {}", tail(&service.log()));
        service.kill();
    }
    service.start();
    ended.store(true, Ordering::Relaxed);
    quiet(&service).await;
    let decided = service.json("/api/v1/alerts?limit=5000").await.unwrap()["items"].as_array().unwrap().clone();
    script.abort();
    watching.abort();
    assert!(!service.log().contains("panicked"), "{}", tail(&service.log()));
    let heard = receiver.heard.lock().unwrap().clone();
    let reached: BTreeSet<String> = reached.lock().unwrap().clone();
    let rounds = rounds.lock().unwrap().clone();
    let remembers = prometheus.is_some();
    std::panic::catch_unwind(|| judge(&decided, &heard, &reached, &rounds, remembers)).unwrap_or_else(|panic| {
        let kept = folder.keep();
        fs::write(kept.join("decided.json"), serde_json::to_string_pretty(&decided).unwrap()).unwrap();
        fs::write(kept.join("heard.txt"), format!("{heard:#?}\n{reached:#?}\n{rounds:#?}")).unwrap();
        println!("service {number} is kept in {}", kept.display());
        std::panic::resume_unwind(panic)
    })
}

/// Notes every watermark that the service has shown: it is shown after what was decided up to it is written.
async fn watch(service: Slo, reached: Arc<Mutex<BTreeSet<String>>>) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        if let Ok(list) = service.json("/api/v1/sources").await {
            let watermark = list["items"][0]["watermark"].as_str().map(str::to_owned);
            reached.lock().unwrap().extend(watermark);
        }
    }
}

/// Waits until nothing has fired, waited or been left to send for eight seconds.
async fn quiet(service: &Slo) {
    let since = Mutex::new(None);
    eventually("quiet", 150, || async {
        let open = async {
            let alerts = service.json("/api/v1/alerts?state=firing").await?;
            let pending = service.json("/api/v1/deliveries?state=pending").await?;
            let is_quiet = alerts["total"] == 0 && pending["total"] == 0;
            if is_quiet { Ok(()) } else { Err(format!("{alerts} {pending}")) }
        };
        let seen = open.await;
        let mut since = since.lock().unwrap();
        let begin = *since.get_or_insert_with(Instant::now);
        if let Err(why) = seen {
            *since = None;
            return Err(why);
        }
        if begin.elapsed() > Duration::from_secs(8) { Ok(()) } else { Err("quiet, not for long".to_owned()) }
    })
    .await;
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value}"))
}

/// Holds what was heard against what was decided. `remembers`: the source has all of the past.
fn judge(
    decided: &[Value],
    heard: &[Heard],
    reached: &BTreeSet<String>,
    rounds: &BTreeSet<(u64, u128)>,
    remembers: bool,
) -> Summary {
    let alerts: BTreeMap<&str, &Value> = decided.iter().map(|alert| (text(alert, "id"), alert)).collect();
    assert_eq!(alerts.len(), decided.len(), "an id twice");
    let mut summary = Summary { alerts: alerts.len(), heard: heard.len(), ..Summary::default() };
    let bodies = one_body_for_each_id(heard);
    none_is_invented(heard, &alerts);
    in_order(heard);
    for (id, alert) in &alerts {
        summary.told += usize::from(none_is_lost(id, alert, heard, reached));
    }
    for group in 0..GROUPS {
        let slo = format!("shop/orders{{group=\"g{group}\"}}");
        let fired = decided.iter().filter(|alert| text(alert, "slo") == slo).count();
        let began = rounds.iter().filter(|(of, _)| *of == group).count();
        assert!(fired <= began, "{fired} alerts of `{slo}` in {began} rounds of errors");
        // The last round may have been cut short; a scrape of our own misses what happens while it is dead.
        assert!(!remembers || fired + 1 >= began, "{fired} alerts of `{slo}` in {began} rounds of errors");
    }
    summary.repeats = heard.len() - bodies;
    summary.refused = heard.iter().filter(|heard| !heard.accepted).count();
    summary
}

/// Whatever has one id is one text, and says that id as its key; gives how many ids there are.
fn one_body_for_each_id(heard: &[Heard]) -> usize {
    let mut bodies: BTreeMap<&str, &Value> = BTreeMap::new();
    for Heard { body, key, .. } in heard {
        assert_eq!(text(body, "id"), key);
        let first = bodies.entry(key).or_insert(body);
        assert_eq!(*first, body, "another text under the same id");
    }
    bodies.len()
}

fn none_is_invented(heard: &[Heard], alerts: &BTreeMap<&str, &Value>) {
    for Heard { body, .. } in heard {
        let alert = alerts.get(text(body, "alert_id")).unwrap_or_else(|| panic!("nobody decided {body}"));
        let changed = alert["transitions"].as_array().unwrap().iter().any(|change| change["to"] == body["state"]);
        assert!(changed, "no such transition: {body} of {alert}");
        let delivers = |delivery: &&Value| delivery["notification_id"] == body["id"];
        assert!(alert["deliveries"].as_array().unwrap().iter().any(|d| delivers(&d)), "{body} of {alert}");
        for part in ["dedup_key", "episode", "fired_at", "severity", "kind", "slo"] {
            assert_eq!(body[part], alert[part], "{part}");
        }
    }
}

/// By dedup key: what arrived first was decided first.
fn in_order(heard: &[Heard]) {
    let mut last: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for Heard { body, .. } in heard.iter().filter(|heard| heard.accepted) {
        if !seen.insert(text(body, "id")) {
            continue;
        }
        let this = (text(body, "episode"), body["transition"].as_i64().unwrap());
        if let Some(before) = last.insert(text(body, "dedup_key"), this) {
            assert!(before < this, "{before:?} arrived before {this:?}");
        }
    }
}

/// An alert that was decided was told, begin and end once each (repeats aside); says whether it was told at all.
fn none_is_lost(id: &str, alert: &Value, heard: &[Heard], reached: &BTreeSet<String>) -> bool {
    assert_eq!(text(alert, "state"), "resolved", "{alert}");
    let changes: Vec<(&str, &str)> = alert["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (text(change, "from"), text(change, "to")))
        .collect();
    assert_eq!(changes.last().map(|change| change.1), Some("resolved"), "{alert}");
    assert_eq!(changes.iter().filter(|change| change.1 == "firing").count(), 1, "{alert}");
    let deliveries = alert["deliveries"].as_array().unwrap();
    if deliveries.is_empty() {
        // It began and ended in time that was missed; so nothing was decided between.
        let (from, to) = (text(alert, "fired_at").to_owned(), text(alert, "resolved_at").to_owned());
        let between = reached.range(from..to).next();
        assert_eq!(between, None, "not told although the service got that far: {alert}");
        return false;
    }
    assert_eq!(deliveries.len(), 2, "{alert}");
    let ids_of = |state: &str, accepted: bool| -> BTreeSet<&str> {
        let of = heard.iter().filter(|heard| heard.body["alert_id"] == id && heard.body["state"] == state);
        of.filter(|heard| heard.accepted || !accepted).map(|heard| text(&heard.body, "id")).collect()
    };
    for state in ["firing", "resolved"] {
        assert!(ids_of(state, false).len() <= 1, "two of `{state}` for {alert}");
    }
    let state_of = |ids: &BTreeSet<&str>| {
        let of = |delivery: &&Value| ids.contains(text(delivery, "notification_id"));
        deliveries.iter().find(of).map(|delivery| text(delivery, "state").to_owned())
    };
    let (begun, ended) = (ids_of("firing", true), ids_of("resolved", true));
    // Whoever accepted the begin gets the end; who may have got it, too.
    assert!(begun.is_empty() || ended.len() == 1, "the end did not arrive: {alert}");
    let dones = deliveries.iter().filter(|delivery| delivery["state"] == "done").count();
    let superseded = deliveries.iter().filter(|delivery| delivery["state"] == "superseded").count();
    assert_eq!(dones + superseded, 2, "{alert}");
    if superseded == 0 {
        assert!(!begun.is_empty() && !ended.is_empty(), "done, and not received: {alert}");
    }
    if ended.is_empty() {
        assert_eq!((superseded, ids_of("resolved", false).len()), (2, 0), "{alert}");
    }
    assert_ne!(state_of(&begun).as_deref(), Some("failed"), "{alert}");
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_no_page_is_lost_invented_or_told_under_two_ids() {
    let (seed, kills) = chosen(100);
    let fates = (0..SERVICES).map(|number| tokio::spawn(fate(number, seed, kills.div_ceil(SERVICES))));
    let mut all = Vec::new();
    for fate in fates.collect::<Vec<_>>() {
        all.push(fate.await.unwrap_or_else(|error| panic!("SLO_SEED={seed}: {error}")));
    }
    println!("{all:#?}");
    let sum = |of: fn(&Summary) -> usize| all.iter().map(of).sum::<usize>();
    assert!(sum(|fate| fate.told) >= 8, "too little happened to say anything: {all:?}");
    assert!(sum(|fate| fate.repeats) > 0 && sum(|fate| fate.refused) > 0, "nothing went wrong on the way: {all:?}");
}
