//! Any plan of faults against receivers that keep state, as the vendors do: a pager by dedup key, a tracker by thread, a
//! chat that knows nothing. What they hold at the end is what is the case.
//!
//! `SLO_TEST_MODEL_CASES` says how many plans on the store in memory (100), a twentieth of them on the durable one.
#![expect(clippy::disallowed_methods, reason = "a test may look at the environment")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use slo::clock::Clock;
use slo::policy::alert::AlertState;
use slo::policy::notification::Notification;
use slo::runtime::outbox::deliveries_for;
use slo::sink::{DeliveryVerdict, EventSink, Outcome, Sink, Task};
use slo::spec::policy::AlertSeverity::{self, Page, Ticket};
use slo::store::memory::MemoryStore;
use slo::store::sqlite::SqliteStore;
use slo::store::{Delivery, DeliveryState, Store};
use slo::units::{Length, Timestamp};

use crate::house::{House, paused_clock, receivers, shown};
use crate::sample::Sample;

const SINKS: [&str; 3] = ["pager", "tracker", "chat"];
/// The first two are one thread.
const KEYS: [(&str, AlertSeverity); 4] =
    [("shop/orders", Page), ("shop/orders", Ticket), ("shop/search", Page), ("shop/search{region=\"eu\"}", Page)];

/// What happens to one try.
#[derive(Clone, Debug)]
struct Fault {
    verdict: DeliveryVerdict,
    /// The receiver acts on it, whatever it answers.
    reached: bool,
    takes: Length,
}

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    /// The alert of this key fires if it does not, and ends if it does.
    Toggle(usize),
    /// It is told again, if it fires.
    Repeat(usize),
    Kill,
    Reload,
    SetClock(i64),
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..400_i64).prop_map(Step::Wait),
        1 => (0..3_600_i64).prop_map(Step::Wait),
        6 => (0..KEYS.len()).prop_map(Step::Toggle),
        2 => (0..KEYS.len()).prop_map(Step::Repeat),
        1 => Just(Step::Kill),
        1 => Just(Step::Reload),
        1 => (-1_800..1_800_i64).prop_map(Step::SetClock),
    ];
    prop::collection::vec(step, 1..most)
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let verdict = prop_oneof![
        4 => Just((DeliveryVerdict::Done, true)),
        3 => Just((DeliveryVerdict::Retry(None), false)),
        1 => (0..1_200_i64).prop_map(|wait| (DeliveryVerdict::Retry(Some(Length::from_seconds(wait))), false)),
        1 => Just((DeliveryVerdict::Misconfigured, false)),
        2 => any::<bool>().prop_map(|reached| (DeliveryVerdict::Ambiguous, reached)),
    ];
    let fault = (verdict, 0..15_000_i64);
    let fault =
        fault.prop_map(|((verdict, reached), takes)| Fault { verdict, reached, takes: Length::from_millis(takes) });
    prop::collection::vec(fault, 0..25)
}

/// A receiver and what it holds.
struct Model {
    name: &'static str,
    clock: Clock,
    faults: Mutex<VecDeque<Fault>>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Of the pager: what is open, by dedup key.
    open: BTreeMap<String, String>,
    /// Of the tracker: tickets by thread.
    tickets: BTreeMap<String, Vec<String>>,
    /// In order, with whether it was acted on.
    told: Vec<(Notification, bool)>,
}

impl Held {
    /// Acts on a task; gives the handle.
    fn act(&mut self, task: &Task) -> String {
        let Task { notification, handle, perhaps_told } = task;
        if notification.state == AlertState::Firing {
            self.open.insert(notification.dedup_key.clone(), notification.alert_id.clone());
        } else {
            self.open.remove(&notification.dedup_key);
        }
        let tickets = self.tickets.entry(notification.thread()).or_default();
        let known = handle.clone().or_else(|| tickets.last().filter(|_| *perhaps_told).cloned());
        known.unwrap_or_else(|| {
            tickets.push(format!("{}#{}", notification.thread(), tickets.len() + 1));
            tickets.last().unwrap().clone()
        })
    }
}

#[async_trait]
impl EventSink for Model {
    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        let fine = Fault { verdict: DeliveryVerdict::Done, reached: true, takes: Length::from_millis(20) };
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(fine);
        let handle = {
            let mut held = self.held.lock().unwrap();
            held.told.push((task.notification.clone(), fault.reached));
            fault.reached.then(|| held.act(task))
        };
        self.clock.sleep(fault.takes).await;
        match (fault.verdict, handle) {
            (DeliveryVerdict::Done, Some(handle)) => Outcome::done("status 200").with_handle(handle),
            (DeliveryVerdict::Misconfigured, _) => Outcome::new(DeliveryVerdict::Misconfigured, "status 401"),
            (verdict, _) => Outcome::new(verdict, ""),
        }
    }

    fn keeps_threads(&self) -> bool {
        self.name == "tracker"
    }
}

/// Alerts of a run, and whether each has ended.
type Ended = BTreeMap<String, bool>;

async fn live(house: &mut House, steps: &[Step]) -> Ended {
    let mut ended = Ended::new();
    let mut firing: [Option<Sample>; KEYS.len()] = [const { None }; KEYS.len()];
    let (mut numbers, mut repeats) = ([0_u32; KEYS.len()], 0);
    for step in steps {
        match step {
            Step::Wait(seconds) => house.clock.sleep(Length::from_seconds(*seconds)).await,
            Step::Kill => house.kill().await,
            Step::Reload => house.reload(house.receivers.clone()),
            Step::SetClock(seconds) => house.clock.set(*seconds),
            Step::Toggle(key) => {
                if let Some(sample) = firing[*key].take() {
                    house.resolve(&sample).await;
                    ended.insert(sample.id(), true);
                } else {
                    numbers[*key] += 1;
                    let sample = Sample::new(KEYS[*key].0, KEYS[*key].1, numbers[*key]);
                    house.fire(&sample, &SINKS).await;
                    ended.insert(sample.id(), false);
                    firing[*key] = Some(sample);
                }
            }
            Step::Repeat(key) => {
                if let Some(sample) = &firing[*key] {
                    repeats += 1;
                    let mut told = sample.notification(AlertState::Firing);
                    told.id = format!("{}/r{repeats}", told.id);
                    let sinks = SINKS.map(str::to_owned);
                    house.commit(Vec::new(), deliveries_for(&told, &sinks, house.clock.now())).await;
                }
            }
        }
    }
    ended
}

fn check(rows: &[Delivery], models: &[Arc<Model>], ended: &Ended, unsure: bool) {
    let all_ended = rows.iter().all(|row| matches!(row.state, DeliveryState::Done | DeliveryState::Superseded));
    assert!(all_ended, "given up: {:#?}", shown(rows));
    for model in models {
        let held = model.held.lock().unwrap();
        check_order(&held.told, model.name);
        for (alert, is_over) in ended {
            let is_open = held.open.values().any(|open| open == alert);
            assert_eq!(is_open, !is_over, "{}: {alert} open {is_open}, over {is_over}", model.name);
        }
        let mut acted: BTreeMap<&str, usize> = BTreeMap::new();
        for (notification, reached) in &held.told {
            *acted.entry(&notification.id).or_default() += usize::from(*reached);
        }
        if !unsure {
            assert!(acted.values().all(|times| *times <= 1), "{}: twice without cause: {acted:?}", model.name);
        }
        if model.name == "tracker" {
            assert!(held.tickets.values().all(|of| of.len() == 1), "two tickets: {:?}", held.tickets);
        }
    }
}

/// By dedup key, whatever was repeated.
fn check_order(told: &[(Notification, bool)], sink: &str) {
    let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
    for (notification, _) in told {
        let last = newest.entry(&notification.dedup_key).or_default();
        assert!(notification.transition >= *last, "{sink}: {} after transition {last}", notification.id);
        *last = notification.transition;
    }
}

type Plan = (Vec<Step>, [Vec<Fault>; 3]);

async fn run(store: Arc<dyn Store>, clock: Clock, (steps, faults): Plan) {
    let unsure = steps.iter().any(|step| matches!(step, Step::Kill))
        || faults.iter().flatten().any(|fault| fault.verdict == DeliveryVerdict::Ambiguous);
    let models: Vec<Arc<Model>> = SINKS
        .into_iter()
        .zip(faults)
        .map(|(name, faults)| {
            let (faults, held) = (Mutex::new(faults.into()), Mutex::default());
            Arc::new(Model { name, clock: clock.clone(), faults, held })
        })
        .collect();
    let sinks: Vec<(&str, Sink)> =
        models.iter().map(|model| (model.name, Sink::Event(Arc::clone(model) as Arc<dyn EventSink>))).collect();
    let mut house = House::start(store, clock, receivers(&sinks, &[]), Length::from_minutes(2));
    let ended = live(&mut house, &steps).await;
    let rows = house.settled().await;
    check(&rows, &models, &ended, unsure);
    house.outbox.stop(std::time::Duration::ZERO).await;
}

fn cases() -> u32 {
    std::env::var("SLO_TEST_MODEL_CASES").map_or(100, |text| text.parse().unwrap())
}

fn try_plans(cases: u32, longest: usize, run: impl Fn(Plan)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let plans = (steps(longest), prop::array::uniform3(faults()));
    TestRunner::new(config)
        .run(&plans, |plan| {
            run(plan);
            Ok(())
        })
        .unwrap();
    println!("{cases} plans");
}

#[test]
fn under_any_plan_of_faults_receivers_hold_what_is_the_case() {
    try_plans(cases(), 40, |plan| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(Arc::new(MemoryStore::new()), paused_clock(), plan));
    });
}

/// Its thread knows nothing of paused time: an hour a second.
#[test]
fn and_so_with_the_durable_store() {
    try_plans((cases() / 20).max(1), 15, |plan| {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(&folder.path().join("slo.db")).await.unwrap();
            run(Arc::new(store), Clock::accelerated(3_600.0), plan).await;
        });
    });
}
