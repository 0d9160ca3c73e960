//! `kill -9` at random moments of a process that has nothing but a store and an outbox: it decides that alerts fire and
//! end as fast as it can, a receiver refuses some, answers some late and some never, and the process is killed up to 250 ms
//! after it opened its store, or while it starts, again and again. Then what it left behind is delivered to its end, and what was received is held against what
//! was decided. (`tests/kill.rs` does the same with the whole service, at a hundredth of the pace.)
//!
//! `SLO_TEST_KILLS` says how many kills (200), `SLO_SEED` repeats a run's dice; both are printed.
#![expect(clippy::disallowed_methods, reason = "a test may look at the time and the environment")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use slo::clock::Clock;
use slo::policy::alert::{Alert, AlertState};
use slo::spec::policy::AlertSeverity;
use slo::store::sqlite::SqliteStore;
use slo::store::{AlertFilter, Delivery, DeliveryState};
use slo::units::Length;

use crate::house::{House, receivers, shown};
use crate::sample::Sample;
use crate::sockets::webhook_without_tls;

/// Set in the child: the folder, the receiver's address, the dice.
const CHILD: &str = "SLO_TEST_KILLS_CHILD";
/// Alerts fire and end side by side.
const KEYS: usize = 12;
/// Waits of a second take 50 ms; each start sets the clock back a little.
const SPEED: f64 = 20.0;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Dice that a seed repeats (xorshift).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
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

/// A request as it came.
#[derive(Clone, Debug)]
struct Heard {
    sink: &'static str,
    body: Value,
    accepted: bool,
}

#[derive(Clone)]
struct Moody {
    heard: Arc<Mutex<Vec<Heard>>>,
    dice: Arc<Mutex<Dice>>,
}

impl Moody {
    async fn serve(dice: Dice) -> (Self, String) {
        let moody = Self { heard: Arc::default(), dice: Arc::new(Mutex::new(dice)) };
        let router = axum::Router::new()
            .route("/oncall", post(|state, body| hear("oncall", state, body)))
            .route("/mail", post(|state, body| hear("mail", state, body)))
            .with_state(moody.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (moody, address)
    }
}

/// Most are taken; of the page sink some are refused for good, which the fallback gets then.
async fn hear(sink: &'static str, State(moody): State<Moody>, body: axum::body::Bytes) -> StatusCode {
    let (mood, late) = {
        let mut dice = moody.dice.lock().unwrap();
        (dice.roll(20), [0, 0, 5, 60][usize::try_from(dice.roll(4)).unwrap()])
    };
    let status = match mood {
        0..3 => StatusCode::INTERNAL_SERVER_ERROR,
        3 if sink == "oncall" => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let body: Value = serde_json::from_slice(&body).unwrap();
    moody.heard.lock().unwrap().push(Heard { sink, body, accepted: status == StatusCode::OK });
    tokio::time::timeout(Duration::from_millis(late), std::future::pending::<()>()).await.unwrap_err();
    status
}

async fn house(folder: &Path, address: &str) -> House {
    let store = SqliteStore::open(&folder.join("slo.db")).await.unwrap();
    let sinks = ["oncall", "mail"].map(|name| (name, webhook_without_tls(&format!("{address}/{name}"))));
    let clock = Clock::accelerated(SPEED);
    House::start(Arc::new(store), clock, receivers(&sinks, &["mail"]), Length::from_seconds(2))
}

async fn alerts(house: &House) -> Vec<Alert> {
    house.store.alerts(&AlertFilter::default(), usize::MAX).await.unwrap()
}

fn sample(key: usize, number: usize) -> Sample {
    Sample::new(&format!("shop/slo-{key}"), AlertSeverity::Page, u32::try_from(number).unwrap())
}

/// Fires and ends alerts until it is killed, and says what was written. Does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_decides() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let [folder, address, seed] = orders.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let mut dice = Dice::new(seed.parse().unwrap());
    let house = house(Path::new(folder), address).await;
    println!("open");
    let mut numbers = [0_usize; KEYS];
    let mut open = [false; KEYS];
    for alert in alerts(&house).await {
        let key: usize = alert.slo.strip_prefix("shop/slo-").unwrap().parse().unwrap();
        numbers[key] += 1;
        open[key] |= alert.state == AlertState::Firing;
    }
    loop {
        let key = usize::try_from(dice.roll(KEYS as u64)).unwrap();
        if open[key] {
            house.resolve(&sample(key, numbers[key])).await;
            println!("decided end {key} {}", numbers[key]);
        } else {
            numbers[key] += 1;
            house.fire(&sample(key, numbers[key]), &["oncall"]).await;
            println!("decided begin {key} {}", numbers[key]);
        }
        open[key] = !open[key];
        tokio::time::timeout(Duration::from_millis(5 + dice.roll(25)), std::future::pending::<()>()).await.unwrap_err();
    }
}

/// One life; gives what it said was decided.
async fn one_life(folder: &Path, address: &str, seed: u64, life: Duration, early: bool) -> Vec<String> {
    let (begun, opened) = tokio::sync::oneshot::channel();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kills::child_that_decides", "--exact", "--nocapture"])
        .env(CHILD, format!("{} {address} {seed}", folder.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let reading = std::thread::spawn(move || {
        // What it takes to start is long and says little: most lives begin when the store is open.
        if !early {
            lines.by_ref().find(|line| line.ends_with("open"));
            begun.send(()).unwrap();
        }
        lines.collect::<Vec<_>>()
    });
    if !early {
        opened.await.unwrap();
    }
    tokio::time::timeout(life, std::future::pending::<()>()).await.unwrap_err();
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(ended.is_none(), "it ended by itself: {}", String::from_utf8_lossy(&output.stderr));
    let lines = tokio::task::spawn_blocking(|| reading.join().unwrap()).await.unwrap();
    lines.into_iter().filter(|line| line.starts_with("decided")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_is_lost_invented_or_told_under_two_ids() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (seed, kills) = (setting("SLO_SEED", u64::from(now.subsec_nanos())), setting("SLO_TEST_KILLS", 200));
    println!("SLO_SEED={seed} SLO_TEST_KILLS={kills}");
    let folder = tempfile::tempdir().unwrap();
    let (moody, address) = Moody::serve(Dice::new(seed)).await;
    let mut dice = Dice::new(seed + 1);
    let mut decided = Vec::new();
    for kill in 0..kills {
        let life = Duration::from_millis(dice.roll(250));
        decided.extend(one_life(folder.path(), &address, seed + kill + 2, life, kill % 8 == 7).await);
    }
    let house = house(folder.path(), &address).await;
    house.settled().await;
    for alert in alerts(&house).await.iter().filter(|alert| alert.state == AlertState::Firing) {
        let key = alert.slo.strip_prefix("shop/slo-").unwrap().parse().unwrap();
        let number = alert.id.rsplit_once('-').unwrap().1.parse().unwrap();
        house.resolve(&sample(key, number)).await;
    }
    let rows = house.settled().await;
    let alerts = alerts(&house).await;
    let heard = moody.heard.lock().unwrap().clone();
    judge(&decided, &alerts, &rows, &heard);
    let ids: BTreeSet<&str> = heard.iter().map(|one| one.body["id"].as_str().unwrap()).collect();
    let in_place = heard.iter().filter(|one| one.sink == "mail").count();
    println!(
        "{kills} kills: {} alerts, {} rows, {} requests, {} of them repeats, {} refused, {in_place} to the fallback",
        alerts.len(),
        rows.len(),
        heard.len(),
        heard.len() - ids.len(),
        heard.iter().filter(|one| !one.accepted).count(),
    );
    assert!(alerts.len() as u64 > kills / 4 && heard.len() > ids.len() && in_place > 0, "too little went wrong");
}

fn judge(decided: &[String], alerts: &[Alert], rows: &[Delivery], heard: &[Heard]) {
    let by_id: BTreeMap<&str, &Alert> = alerts.iter().map(|alert| (alert.id.as_str(), alert)).collect();
    // What it said was written is there.
    for line in decided {
        let [_, what, key, number] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let id = sample(key.parse().unwrap(), number.parse().unwrap()).id();
        assert!(by_id.contains_key(id.as_str()), "lost: {what} of {id}");
    }
    // Nothing was told that was not decided.
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    for one in heard {
        let id = format!("{}@{}", one.body["id"].as_str().unwrap(), one.sink);
        assert!(known.contains(id.as_str()), "invented: {id}");
    }
    check_order(heard);
    for alert in alerts {
        check_alert(alert, rows, heard);
    }
}

/// By sink and dedup key: what was accepted first was decided first.
fn check_order(heard: &[Heard]) {
    let mut last: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for one in heard.iter().filter(|one| one.accepted) {
        let (id, key) = (one.body["id"].as_str().unwrap(), one.body["dedup_key"].as_str().unwrap());
        if seen.insert((one.sink, id)) {
            let transition = one.body["transition"].as_i64().unwrap();
            let before = last.insert((one.sink, key), transition);
            assert!(before.is_none_or(|before| before < transition), "{}: {id} after {before:?}", one.sink);
        }
    }
}

fn check_alert(alert: &Alert, rows: &[Delivery], heard: &[Heard]) {
    assert_eq!(alert.state, AlertState::Resolved, "{}", alert.id);
    let of: Vec<Delivery> = rows.iter().filter(|row| row.notification.alert_id == alert.id).cloned().collect();
    let shown = || shown(&of);
    let row = |sink: &str, state: AlertState| of.iter().find(|row| row.sink == sink && row.notification.state == state);
    let accepted = |sink: &str, state: &str| {
        heard.iter().any(|one| {
            one.accepted && one.sink == sink && one.body["alert_id"] == alert.id.as_str() && one.body["state"] == state
        })
    };
    for sink in ["oncall", "mail"] {
        let (begun, ended) = (accepted(sink, "firing"), accepted(sink, "resolved"));
        let refused = row(sink, AlertState::Resolved).is_some_and(|row| row.state == DeliveryState::Failed);
        assert!(!begun || ended || refused, "{sink} was not told of the end: {:#?}", shown());
        for state in [AlertState::Firing, AlertState::Resolved] {
            if row(sink, state).is_some_and(|row| row.state == DeliveryState::Done) {
                let state = if state == AlertState::Firing { "firing" } else { "resolved" };
                assert!(accepted(sink, state), "done, and not received: {:#?}", shown());
            }
        }
    }
    // Whatever the first did not take for good, the fallback has, or it was over before. Of an end it hears only where it
    // has heard of the begin.
    for state in [AlertState::Firing, AlertState::Resolved] {
        let knows = state == AlertState::Firing || accepted("mail", "firing");
        if row("oncall", state).unwrap().state == DeliveryState::Failed && knows {
            let in_place = row("mail", state).map(|row| row.state);
            let wanted = [Some(DeliveryState::Done), Some(DeliveryState::Superseded)];
            assert!(wanted.contains(&in_place), "given up and told to nobody: {:#?}", shown());
        }
    }
    // It may have heard of it where it could not say so.
    let begun = heard
        .iter()
        .any(|one| one.sink == "mail" && one.body["alert_id"] == alert.id.as_str() && one.body["state"] == "firing");
    assert!(!accepted("mail", "resolved") || begun, "an end without a begin: {:#?}", shown());
}
