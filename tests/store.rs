//! The store: both kinds do the same whatever comes, and the durable one keeps what it acknowledged.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

#[path = "outbox_kit/sample.rs"]
mod sample;

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use sample::{NIGHT, Sample};
use slo::engine::verdict::HourBucket;
use slo::policy::alert::AlertState;
use slo::spec::policy::AlertSeverity;
use slo::store::memory::MemoryStore;
use slo::store::sqlite::SqliteStore;
use slo::store::{
    AlertFilter, Attempt, Commit, Delivery, DeliveryFilter, DeliveryState, Keep, NewDelivery, Order, Record,
    RecordKind, Snapshot, Store, StoreError,
};
use slo::units::{Length, Timestamp};

const INSTANCES: [&str; 3] = ["checkout/availability", "checkout/availability{region=\"eu\"}", "checkout/latency"];
/// SLOs that are renamed into each other.
const SLOS: [&str; 3] = ["checkout/availability", "checkout/latency", "checkout/success"];
const SINKS: [&str; 2] = ["oncall", "hook"];
const DAY: Length = Length::from_days(1);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn minutes(count: i64) -> Timestamp {
    NIGHT + Length::from_minutes(count)
}

fn delivery(sample: &Sample, state: AlertState, sink: &str) -> NewDelivery {
    let notification = sample.notification(state);
    let id = format!("{}@{sink}", notification.id);
    let created_at = minutes(i64::from(notification.transition));
    NewDelivery { id, sink: sink.to_owned(), notification, created_at }
}

fn hour(index: i64, events: u32) -> HourBucket {
    let measured = Length::from_minutes(i64::from(events % 61));
    HourBucket {
        end: NIGHT + Length::from_hours(index),
        events: f64::from(events),
        total: f64::from(events) * 3.5,
        measured,
    }
}

// ---- the same operations on both ----

#[derive(Clone, Debug)]
enum Op {
    Commit(Box<Commit>),
    Attempting(usize, i64),
    Attempted(usize, &'static str, DeliveryState, Option<i64>, Option<String>),
    Settled(usize, DeliveryState),
    Resend(usize, i64),
    Prune(i64),
    Reopen,
}

fn samples() -> impl Strategy<Value = Sample> {
    let severity = prop_oneof![Just(AlertSeverity::Page), Just(AlertSeverity::Ticket)];
    (0..INSTANCES.len(), severity, 1..3_u32)
        .prop_map(|(index, severity, number)| Sample::new(INSTANCES[index], severity, number))
}

fn commits() -> impl Strategy<Value = Commit> {
    let state = prop_oneof![
        Just(AlertState::Inactive),
        Just(AlertState::Pending),
        Just(AlertState::Firing),
        Just(AlertState::Resolved),
    ];
    let told = prop_oneof![Just(AlertState::Firing), Just(AlertState::Resolved)];
    let alerts = prop::collection::vec((samples(), state), 0..3);
    let deliveries = prop::collection::vec((samples(), told, 0..SINKS.len()), 0..4);
    let states = prop::collection::vec((0..INSTANCES.len(), "[a-z]{1,3}"), 0..2);
    let forgotten = prop::collection::vec(0..INSTANCES.len(), 0..2);
    let hours = prop::collection::vec((0..INSTANCES.len(), 0..2, -60..60_i64, 0..500_u32), 0..6);
    let slices = prop::collection::vec((0..2, -60..60_i64, prop::collection::vec(any::<u8>(), 0..4)), 0..3);
    let watermarks = prop::collection::vec((0..2, -10..10_i64), 0..2);
    let renamed = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec((0..3_usize, 0..3_usize), 1..3)];
    let kind = prop::sample::select(KINDS.to_vec());
    let record = (kind, 0..INSTANCES.len(), -6_000..10_i64, prop::option::of("[a-z]{1,3}"));
    let records = prop::collection::vec(record, 0..3);
    (alerts, deliveries, states, forgotten, hours, slices, watermarks, renamed, records).prop_map(
        |(alerts, deliveries, states, forgotten, hours, slices, watermarks, renamed, records)| Commit {
            resent: Vec::new(),
            records: records.into_iter().map(record_of).collect(),
            alerts: alerts.into_iter().map(|(sample, state)| sample.alert(state)).collect(),
            deliveries: deliveries
                .into_iter()
                .map(|(sample, state, sink)| delivery(&sample, state, SINKS[sink]))
                .collect(),
            states: states.into_iter().map(|(index, text)| (INSTANCES[index].to_owned(), text)).collect(),
            forgotten: forgotten.into_iter().map(|index| INSTANCES[index].to_owned()).collect(),
            hours: hours
                .into_iter()
                .map(|(index, generation, at, events)| {
                    (INSTANCES[index].into(), format!("g{generation}"), hour(at, events))
                })
                .collect(),
            slices: slices
                .into_iter()
                .map(|(generation, at, bytes)| {
                    ("checkout/availability".into(), format!("g{generation}"), hour(at, 0).end, bytes)
                })
                .collect(),
            watermarks: watermarks.into_iter().map(|(source, at)| (format!("source{source}"), minutes(at))).collect(),
            renamed: renamed.into_iter().map(|(from, to)| (SLOS[from].to_owned(), SLOS[to].to_owned())).collect(),
        },
    )
}

fn ops() -> impl Strategy<Value = Op> {
    let ended = prop_oneof![
        Just(DeliveryState::Done),
        Just(DeliveryState::Failed),
        Just(DeliveryState::Superseded),
        Just(DeliveryState::Expired),
    ];
    let state = prop_oneof![Just(DeliveryState::Pending), ended.clone()];
    let outcome = prop_oneof![Just("done"), Just("retry"), Just("ambiguous")];
    prop_oneof![
        6 => commits().prop_map(|commit| Op::Commit(Box::new(commit))),
        3 => (0..8_usize, 0..90_i64).prop_map(|(index, at)| Op::Attempting(index, at)),
        5 => (0..8_usize, outcome, state, prop::option::of(0..200_i64), prop::option::of("[a-z]{1,2}"))
            .prop_map(|(index, outcome, state, next, handle)| Op::Attempted(index, outcome, state, next, handle)),
        1 => (0..8_usize, ended).prop_map(|(index, state)| Op::Settled(index, state)),
        2 => (0..8_usize, 0..90_i64).prop_map(|(index, at)| Op::Resend(index, at)),
        1 => (0..9_i64).prop_map(Op::Prune),
        1 => Just(Op::Reopen),
    ]
}

const KINDS: [RecordKind; 4] = [RecordKind::Case, RecordKind::Silence, RecordKind::Audit, RecordKind::Setting];

/// Named by an alert, so that some cases have one.
fn record_of((kind, index, at, text): (RecordKind, usize, i64, Option<String>)) -> Record {
    Record { kind, id: Sample::new(INSTANCES[index], AlertSeverity::Page, 1).id(), at: minutes(at), text }
}

/// One operation on one store. Deliveries are named by their place in the list.
async fn apply(store: &dyn Store, op: &Op) -> Result<(), StoreError> {
    let named = async |index: usize| {
        let all = store.deliveries(&DeliveryFilter::default(), usize::MAX).await.unwrap();
        all.get(index).map_or_else(|| "none".to_owned(), |delivery| delivery.id.clone())
    };
    match op {
        Op::Commit(commit) => store.commit((**commit).clone()).await,
        Op::Attempting(index, at) => store.attempting(&named(*index).await, minutes(*at)).await,
        Op::Attempted(index, outcome, state, next, handle) => {
            let attempt = Attempt { at: minutes(1), outcome: (*outcome).into(), message: "status 503".into() };
            store.attempted(&named(*index).await, attempt, *state, next.map(minutes), handle.clone()).await
        }
        Op::Settled(index, state) => store.settled(&named(*index).await, *state).await,
        Op::Resend(index, at) => {
            let resent = vec![(named(*index).await, minutes(*at))];
            store.commit(Commit { resent, ..Commit::default() }).await
        }
        Op::Prune(days) => {
            let keep = Keep { hours: DAY, history: DAY * 3 };
            store.prune(NIGHT + DAY * *days, keep).await
        }
        Op::Reopen => Ok(()),
    }
}

/// Short enough to be read in a difference, and different for different values.
fn digest(value: &impl std::fmt::Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{value:?}").hash(&mut hasher);
    hasher.finish()
}

/// Everything that can be asked, in lines.
async fn everything(store: &dyn Store) -> Vec<String> {
    let Snapshot { alerts, states, watermarks } = store.snapshot().await.unwrap();
    let ids: Vec<_> = alerts.iter().map(|alert| (&alert.id, alert.state, digest(alert))).collect();
    let mut all = vec![format!("{ids:?} {states:?} {watermarks:?}")];
    for sink in SINKS {
        for at in [0, 30, 100, 300] {
            for limit in [2, 100] {
                for order in [Order::Keys, Order::Threads] {
                    let heads = store.heads(sink, minutes(at), order, limit).await.unwrap();
                    let ids: Vec<_> = heads.iter().map(|head| &head.id).collect();
                    all.push(format!("heads {sink} {at} {order:?} {limit}: {ids:#?}"));
                }
            }
            all.push(format!("backlog {sink} {at}: {:?}", store.backlog(sink, minutes(at)).await));
        }
        let thread = Sample::new(INSTANCES[0], AlertSeverity::Page, 1).notification(AlertState::Firing).thread();
        all.push(format!("thread {sink}: {:?}", store.thread(sink, &thread).await));
        for since in [0, 3] {
            let standing = store.standing(sink, minutes(since)).await.unwrap();
            all.push(format!(
                "standing {sink} {since}: {:?}",
                standing.iter().map(|told| &told.id).collect::<Vec<_>>()
            ));
        }
    }
    let sample = Sample::new(INSTANCES[1], AlertSeverity::Page, 1);
    for filter in [
        DeliveryFilter::default(),
        DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() },
        DeliveryFilter { alert_id: Some(sample.id()), sink: Some("hook".into()), ..DeliveryFilter::default() },
    ] {
        for found in store.deliveries(&filter, 5).await.unwrap() {
            let Delivery {
                id,
                sink,
                state,
                attempts,
                created_at,
                next_attempt_at,
                resent_at,
                sequence,
                notification,
                handle,
            } = found;
            let times = (created_at, next_attempt_at, resent_at);
            let row = (id, sink, state, attempts, times, sequence, digest(&notification), handle);
            all.push(format!("{filter:?}: {row:?}"));
        }
    }
    for (state, severity, slo) in [
        (None, None, None),
        (Some("firing"), Some("page"), None),
        (None, None, Some(INSTANCES[0])),
        (None, None, Some(INSTANCES[1])),
        (None, None, Some(SLOS[2])),
    ] {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let filter = AlertFilter { state: owned(state), severity: owned(severity), slo: owned(slo) };
        let found = store.alerts(&filter, 4).await.unwrap();
        all.push(format!("{filter:?}: {:?}", found.iter().map(|alert| (&alert.id, alert.state)).collect::<Vec<_>>()));
    }
    all.push(format!("{:?}", store.alert(&sample.id()).await.unwrap().as_ref().map(digest)));
    for kind in KINDS {
        all.push(format!("records {kind:?}: {:?}", store.records(kind, 3).await));
        all.push(format!("record {kind:?}: {:?}", store.record(kind, &sample.id()).await));
    }
    for slo in SLOS {
        for after in [NIGHT - DAY * 9, NIGHT] {
            all.push(format!("hours {slo}: {:?}", store.hours(slo, "g0", after).await));
            all.push(format!("days {slo}: {:?}", store.days(slo, "g1", after).await));
            all.push(format!("slices {slo}: {:?}", store.slices(slo, "g0", after).await));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_durable_store_does_what_the_one_in_memory_does(ops in prop::collection::vec(ops(), 1..25)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slo.db");
        run(async {
            let memory = MemoryStore::new();
            let mut sqlite = SqliteStore::open(&path).await.unwrap();
            for (index, op) in ops.iter().enumerate() {
                if matches!(op, Op::Reopen) {
                    drop(sqlite);
                    sqlite = SqliteStore::open(&path).await.unwrap();
                }
                let (expected, found) = (apply(&memory, op).await, apply(&sqlite, op).await);
                assert_eq!(found.map_err(|error| error.problem), expected.map_err(|error| error.problem), "operation {index}");
                let (found, expected) = (everything(&sqlite).await, everything(&memory).await);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(found, expected, "after operation {index}");
                }
                assert_eq!(found.len(), expected.len(), "after operation {index}");
            }
        });
    }
}

// ---- what it promises ----

async fn opened(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("slo.db")).await.unwrap()
}

#[test]
fn a_delivery_written_twice_is_one_row() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = opened(folder.path()).await;
        let sample = Sample::new(INSTANCES[0], AlertSeverity::Page, 1);
        let row = delivery(&sample, AlertState::Firing, "oncall");
        let commit = Commit { deliveries: vec![row.clone(), row], ..Commit::default() };
        store.commit(commit.clone()).await.unwrap();
        let attempt = Attempt { at: NIGHT, outcome: "done".into(), message: "status 200".into() };
        let id = commit.deliveries[0].id.clone();
        store.attempted(&id, attempt.clone(), DeliveryState::Done, None, None).await.unwrap();
        store.commit(commit).await.unwrap();
        let rows = store.deliveries(&DeliveryFilter::default(), 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].state, rows[0].attempts.as_slice()), (DeliveryState::Done, [attempt].as_slice()));
    });
}

#[test]
fn only_the_oldest_of_each_key_and_sink_is_a_head_and_pages_go_first() {
    run(async {
        let store = MemoryStore::new();
        let page = Sample::new(INSTANCES[0], AlertSeverity::Page, 1);
        let ticket = Sample::new(INSTANCES[2], AlertSeverity::Ticket, 1);
        let rows = [
            delivery(&ticket, AlertState::Firing, "oncall"),
            delivery(&page, AlertState::Firing, "oncall"),
            delivery(&page, AlertState::Resolved, "oncall"),
            delivery(&page, AlertState::Firing, "hook"),
        ];
        store.commit(Commit { deliveries: rows.to_vec(), ..Commit::default() }).await.unwrap();
        let heads = store.heads("oncall", NIGHT, Order::Keys, 10).await.unwrap();
        let ids: Vec<&str> = heads.iter().map(|head| head.id.as_str()).collect();
        assert_eq!(ids, [rows[1].id.as_str(), rows[0].id.as_str()]);
    });
}

#[test]
fn days_reach_back_beyond_the_hours_with_exact_sums() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = opened(folder.path()).await;
        let start = NIGHT.floor_to(DAY);
        let hours: Vec<_> = (1..=24 * 40)
            .map(|index| {
                let end = start + Length::from_hours(index);
                let hour = HourBucket { end, events: 0.25, total: 1_000_000.0, measured: Length::from_hours(1) };
                ("checkout/availability".to_owned(), "g".to_owned(), hour)
            })
            .collect();
        store.commit(Commit { hours, ..Commit::default() }).await.unwrap();
        let now = start + Length::from_days(40);
        let keep = Keep { hours: Length::from_days(30), history: Length::from_days(35) };
        store.prune(now, keep).await.unwrap();
        let hours = store.hours("checkout/availability", "g", Timestamp::default()).await.unwrap();
        assert_eq!((hours.len(), hours[0].1.end), (24 * 30, start + Length::from_days(10) + Length::from_hours(1)));
        let days = store.days("checkout/availability", "g", Timestamp::default()).await.unwrap();
        let ends: Vec<Timestamp> = days.iter().map(|(_, day)| day.end).collect();
        assert_eq!(ends, (6..=40).map(|day| start + Length::from_days(day)).collect::<Vec<_>>());
        for (_, day) in days {
            assert_eq!(day, HourBucket { end: day.end, events: 6.0, total: 24e6, measured: DAY });
        }
    });
}

/// Everything that is kept of an SLO under a name, in words.
async fn kept(store: &dyn Store, slo: &str) -> Vec<String> {
    let after = NIGHT - DAY * 9;
    let mut all = vec![format!("{:?}", store.slices(slo, "g", after).await.unwrap())];
    for rows in [store.hours(slo, "g", after).await.unwrap(), store.days(slo, "g", after).await.unwrap()] {
        all.extend(rows.iter().map(|(instance, hour)| format!("{} {hour:?}", instance.strip_prefix(slo).unwrap())));
    }
    let filter = AlertFilter { slo: Some(slo.to_owned()), ..AlertFilter::default() };
    all.extend(
        store.alerts(&filter, 10).await.unwrap().iter().map(|alert| format!("{} {}", alert.id, alert.dedup_key)),
    );
    all
}

#[test]
fn a_renamed_slo_keeps_what_is_stored_of_it_and_alerts_keep_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = opened(folder.path()).await;
        let rows = |slo: &str, from: i64| -> Vec<(String, String, HourBucket)> {
            ["", "{region=\"eu\"}"].iter().map(|group| (format!("{slo}{group}"), "g".into(), hour(from, 7))).collect()
        };
        let first = Commit {
            hours: rows("checkout/availability", -30),
            slices: vec![("checkout/availability".into(), "g".into(), NIGHT, vec![1])],
            alerts: vec![Sample::new(INSTANCES[1], AlertSeverity::Page, 1).alert(AlertState::Firing)],
            ..Commit::default()
        };
        store.commit(first).await.unwrap();
        let before = kept(&store, "checkout/availability").await;
        assert_eq!(before.len(), 6, "{before:?}");
        let rename = |from: &str, to: &str| Commit { renamed: vec![(from.into(), to.into())], ..Commit::default() };
        store.commit(rename("checkout/availability", "checkout/success")).await.unwrap();
        // Twice, and by a chain: the same.
        store.commit(rename("checkout/availability", "checkout/success")).await.unwrap();
        store.commit(rename("checkout/success", "shop/success")).await.unwrap();
        drop(store);
        let store = opened(folder.path()).await;
        assert_eq!(kept(&store, "shop/success").await, before);
        for gone in ["checkout/availability", "checkout/success"] {
            assert_eq!(kept(&store, gone).await, ["[]"], "{gone}");
        }
        // What both have is kept once, of two hours the one with more measured time.
        let fuller = HourBucket { measured: Length::from_minutes(60), ..hour(-30, 9) };
        let second = Commit {
            hours: vec![("checkout/availability".into(), "g".into(), fuller)],
            slices: vec![("checkout/availability".into(), "g".into(), NIGHT, vec![2])],
            ..rename("checkout/availability", "shop/success")
        };
        store.commit(second).await.unwrap();
        let hours = store.hours("shop/success", "g", NIGHT - DAY * 9).await.unwrap();
        assert_eq!(hours, [("shop/success".into(), fuller), ("shop/success{region=\"eu\"}".into(), hour(-30, 7))]);
        assert_eq!(store.slices("shop/success", "g", NIGHT - DAY).await.unwrap(), [(NIGHT, vec![1])]);
    });
}

#[test]
fn figures_that_are_no_numbers_are_refused_and_nothing_of_the_commit_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let store = opened(folder.path()).await;
        let bad = HourBucket { events: f64::NAN, ..hour(1, 1) };
        let commit = Commit {
            states: vec![("checkout/latency".into(), "{}".into())],
            hours: vec![("checkout/latency".into(), "g".into(), bad)],
            watermarks: BTreeMap::from([("prometheus".into(), NIGHT)]),
            ..Commit::default()
        };
        store.commit(commit).await.unwrap_err();
        assert_eq!(store.snapshot().await.unwrap(), Snapshot::default());
    });
}

// ---- opening ----

async fn refused(path: &Path) -> StoreError {
    let error = SqliteStore::open(path).await.unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    error
}

#[test]
fn missing_folders_are_made_and_odd_names_are_names() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        for name in ["a/b/slo.db", ":memory:", "file:x?mode=memory", "ünï code.db"] {
            let path = folder.path().join(name);
            drop(SqliteStore::open(&path).await.unwrap());
            assert!(path.is_file(), "{name}");
        }
    });
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        assert!(refused(folder.path()).await.problem.contains("this is a folder"));
        for (name, bytes) in
            [("short", b"rubbish".to_vec()), ("long", vec![0xa5; 20_000]), ("text", b"version: slo/v1\n".repeat(500))]
        {
            let path = folder.path().join(name);
            fs::write(&path, &bytes).unwrap();
            let error = refused(&path).await;
            assert!(error.problem.contains("not a store") && !error.locked, "{name}: {error}");
            assert_eq!(fs::read(&path).unwrap(), bytes, "{name}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
            fs::remove_file(&path).unwrap();
        }
    });
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup')").unwrap();
    drop(other);
    let bytes = fs::read(&path).unwrap();
    run(async {
        let error = refused(&path).await;
        assert!(error.problem.contains("another program's"), "{error}");
    });
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slo.db");
    run(async { drop(SqliteStore::open(&path).await.unwrap()) });
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    run(async {
        let error = refused(&path).await;
        assert!(error.problem.contains("newer version") && error.problem.contains("999"), "{error}");
    });
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    run(async {
        let error = refused(&file.join("slo.db")).await;
        assert!(error.problem.contains("cannot be made"), "{error}");
        // Not writable even for root.
        let error = refused(Path::new("/proc/slo.db")).await;
        assert!(error.problem.contains("cannot be opened"), "{error}");
    });
}

#[test]
fn a_second_opening_is_refused_at_once_by_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slo.db");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    run(async {
        let first = SqliteStore::open(&path).await.unwrap();
        let begun = tokio::time::Instant::now();
        for name in [&path, &link] {
            let error = refused(name).await;
            assert!(error.locked && error.problem.contains("another process uses it"), "{error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(1));
        drop(first);
        drop(SqliteStore::open(&link).await.unwrap());
    });
}

// ---- kill -9 ----

/// Set for the process that commits in a loop: the path of the store.
const CHILD: &str = "SLO_TEST_STORE_CHILD";

/// Everything of commit `number`; it is whole if all of it is there.
fn numbered(number: u32) -> Commit {
    let sample = Sample::new(&format!("service-{number}/availability"), AlertSeverity::Page, 1);
    Commit {
        alerts: vec![sample.alert(AlertState::Firing)],
        states: vec![(sample.instance.clone(), number.to_string())],
        deliveries: vec![
            delivery(&sample, AlertState::Firing, "oncall"),
            delivery(&sample, AlertState::Firing, "hook"),
        ],
        hours: vec![(sample.instance.clone(), "g".into(), hour(1, number))],
        watermarks: BTreeMap::from([(format!("source-{number}"), NIGHT)]),
        ..Commit::default()
    }
}

/// The process that is killed; in the parent's own run it has nothing to do.
#[test]
fn child_that_commits_in_a_loop() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    run(async {
        let store = SqliteStore::open(Path::new(&path)).await.unwrap();
        let done = store.snapshot().await.unwrap().states.len();
        let mut out = std::io::stdout();
        for number in u32::try_from(done).unwrap().. {
            store.commit(numbered(number)).await.unwrap();
            writeln!(out, "\nacknowledged {number}").and_then(|()| out.flush()).unwrap();
        }
    });
}

#[test]
fn killed_at_any_moment_it_keeps_what_it_acknowledged_and_nothing_half() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slo.db");
    let mut acknowledged: Option<u32> = None;
    for round in 0..16_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child_that_commits_in_a_loop", "--exact", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut numbers = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse::<u32>().ok());
        // In its first commit, or after some: where in the next one, chance decides.
        let last = numbers.by_ref().take(round * 5 % 23).last();
        child.kill().unwrap();
        acknowledged = acknowledged.max(last).max(numbers.last());
        child.wait().unwrap();
        run(async {
            let store = SqliteStore::open(&path).await.unwrap();
            check_numbered(&store, acknowledged).await;
        });
    }
    assert!(acknowledged > Some(50), "{acknowledged:?}");
}

/// All commits up to `acknowledged`, perhaps one more, none half.
async fn check_numbered(store: &SqliteStore, acknowledged: Option<u32>) {
    let found = store.snapshot().await.unwrap();
    let count = u32::try_from(found.states.len()).unwrap();
    let least = acknowledged.map_or(0, |last| last + 1);
    assert!(count == least || count == least + 1, "{count} commits, {least} acknowledged");
    let deliveries = store.deliveries(&DeliveryFilter::default(), usize::MAX).await.unwrap();
    assert_eq!(
        (found.alerts.len(), found.watermarks.len(), deliveries.len()),
        (count as usize, count as usize, count as usize * 2)
    );
    for number in 0..count {
        let commit = numbered(number);
        assert_eq!(store.alert(&commit.alerts[0].id).await.unwrap().as_ref(), commit.alerts.first());
        assert_eq!(found.states.get(&commit.states[0].0), Some(&commit.states[0].1));
        let hours = store.hours(&commit.states[0].0, "g", Timestamp::default()).await.unwrap();
        assert_eq!(hours, [(commit.states[0].0.clone(), commit.hours[0].2)]);
    }
}

#[test]
fn a_second_process_is_refused_and_a_killed_one_lets_go_of_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slo.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_commits_in_a_loop", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("acknowledged")));
    run(async {
        let error = refused(&path).await;
        assert!(error.locked, "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(SqliteStore::open(&path).await.unwrap());
    });
}
