//! The outbox: order, retries, what is not sent late, what a killed service leaves behind.
//!
//! Time is tokio's paused one, or a clock that runs faster than life: nothing here waits for real. The first part checks
//! the promises over random faults with a receiver in memory; the second goes over real sockets and the durable store.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use sample::Sample;
use server::{Reply, Server};
use slo::clock::Clock;
use slo::config::meant::WebhookUrl;
use slo::policy::alert::AlertState;
use slo::policy::notification::Notification;
use slo::policy::silence::Silence;
use slo::runtime::outbox::{Outbox, deliveries_for, sinks_of_end};
use slo::secret::Secrets;
use slo::sink::alertmanager::mirror::Looked;
use slo::sink::client::{Bounds, Client};
use slo::sink::webhook::Webhook;
use slo::sink::{DeliveryVerdict, EventSink, Outcome, RefreshSink, Sink, Task};
use slo::spec::policy::AlertSeverity;
use slo::store::memory::MemoryStore;
use slo::store::sqlite::SqliteStore;
use slo::store::{Commit, Delivery, DeliveryFilter, DeliveryState, Store};
use slo::telemetry::Telemetry;
use slo::units::{Length, Timestamp};
use tokio::sync::Notify;

const SINK: &str = "oncall";

/// The outbox with what surrounds it.
struct House {
    store: Arc<dyn Store>,
    clock: Clock,
    telemetry: Telemetry,
    wake: Arc<Notify>,
    sink: Sink,
    outbox: Outbox,
    /// How often [`House::settled`] looks.
    glance: Length,
}

impl House {
    fn start(store: Arc<dyn Store>, clock: Clock, sink: Sink, glance: Length) -> Self {
        let wake = Arc::new(Notify::new());
        let telemetry = Telemetry::default();
        let outbox = outbox(&store, &clock, &telemetry, &wake, &sink);
        Self { store, clock, telemetry, wake, sink, outbox, glance }
    }

    /// As after `kill -9` and a new start: nothing ends in order.
    async fn kill(&mut self) {
        self.outbox.stop(Duration::ZERO).await;
        self.outbox = outbox(&self.store, &self.clock, &self.telemetry, &self.wake, &self.sink);
    }

    /// An alert changes its state, and its receivers are to be told: one commit, as the evaluator makes it.
    async fn change(&self, sample: &Sample, state: AlertState) {
        let sinks = if state == AlertState::Firing {
            vec![SINK.to_owned()]
        } else {
            sinks_of_end(&*self.store, &sample.id()).await.unwrap()
        };
        let deliveries = deliveries_for(&sample.notification(state), &sinks, self.clock.now());
        let commit = Commit { alerts: vec![sample.alert(state)], deliveries, ..Commit::default() };
        self.store.commit(commit).await.unwrap();
        self.wake.notify_waiters();
    }

    /// All rows, oldest first.
    async fn rows(&self) -> Vec<Delivery> {
        let mut rows = self.store.deliveries(&DeliveryFilter::default(), usize::MAX).await.unwrap();
        rows.reverse();
        rows
    }

    /// Waits until no row is pending.
    async fn settled(&self) -> Vec<Delivery> {
        let settled = async {
            loop {
                let rows = self.rows().await;
                if rows.iter().all(|row| row.state != DeliveryState::Pending) {
                    return rows;
                }
                self.clock.sleep(self.glance).await;
            }
        };
        tokio::time::timeout(self.clock.in_life(Length::from_days(3)), settled).await.expect("rows stay pending")
    }
}

fn outbox(store: &Arc<dyn Store>, clock: &Clock, telemetry: &Telemetry, wake: &Arc<Notify>, sink: &Sink) -> Outbox {
    let sinks = BTreeMap::from([(SINK.to_owned(), sink.clone())]);
    Outbox::start(Arc::clone(store), sinks, clock.clone(), telemetry.clone(), Arc::clone(wake))
}

/// A clock that follows tokio's time, which a test may pause.
fn paused_clock() -> Clock {
    Clock::accelerated(2.0)
}

fn page(number: u32) -> Sample {
    Sample::new("checkout/availability", AlertSeverity::Page, number)
}

fn states(rows: &[Delivery]) -> Vec<DeliveryState> {
    rows.iter().map(|row| row.state).collect()
}

fn outcomes(row: &Delivery) -> Vec<&str> {
    row.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect()
}

// ---- a receiver in memory ----

/// What happens to one try.
#[derive(Clone, Debug)]
struct Fault {
    verdict: DeliveryVerdict,
    /// Whether the receiver got it, whatever the verdict.
    reached: bool,
    takes: Length,
}

/// A try as the receiver's side sees it.
#[derive(Clone, Debug)]
struct Told {
    notification: Notification,
    begun: Timestamp,
    reached: bool,
}

/// Which kind of sink the receiver is.
#[derive(Clone, Copy)]
enum Kind {
    Event,
    Refresh,
}

struct Receiver {
    clock: Clock,
    faults: Mutex<VecDeque<Fault>>,
    told: Mutex<Vec<Told>>,
    refreshed: Mutex<Vec<Vec<String>>>,
    /// Alert ids that fired while an end was told, by the ended alert's.
    beside_ends: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

impl Receiver {
    fn new(clock: &Clock, faults: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            faults: Mutex::new(faults.into_iter().collect()),
            told: Mutex::default(),
            refreshed: Mutex::default(),
            beside_ends: Mutex::default(),
        })
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

impl Receiver {
    async fn attempt(&self, notification: &Notification) -> Outcome {
        let fine = Fault { verdict: DeliveryVerdict::Done, reached: true, takes: Length::from_millis(20) };
        let fault = self.faults.lock().unwrap().pop_front().unwrap_or(fine);
        let told = Told { notification: notification.clone(), begun: self.clock.now(), reached: fault.reached };
        self.told.lock().unwrap().push(told);
        self.clock.sleep(fault.takes).await;
        Outcome::new(fault.verdict, "")
    }
}

#[async_trait]
impl EventSink for Receiver {
    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        self.attempt(&task.notification).await
    }
}

#[async_trait]
impl RefreshSink for Receiver {
    async fn deliver(&self, notification: &Notification, _now: Timestamp) -> Outcome {
        self.attempt(notification).await
    }

    async fn end(&self, ended: &Notification, firing: &[Notification], _now: Timestamp) -> Outcome {
        let alerts = firing.iter().map(|one| one.alert_id.clone()).collect();
        self.beside_ends.lock().unwrap().insert(ended.alert_id.clone(), alerts);
        self.attempt(ended).await
    }

    async fn refresh(&self, notifications: &[Notification], _now: Timestamp) -> Outcome {
        self.refreshed.lock().unwrap().push(notifications.iter().map(|told| told.id.clone()).collect());
        Outcome::done("")
    }

    async fn heartbeat(&self, beat: &Notification, _expires: Length, _now: Timestamp) -> Outcome {
        self.attempt(beat).await
    }

    async fn silence(&self, _silence: &Silence, _known: Option<&str>, _: &mut Looked, _now: Timestamp) -> Outcome {
        Outcome::done("")
    }

    async fn unsilence(&self, _handle: &str, _: &mut Looked, _now: Timestamp) -> Outcome {
        Outcome::done("")
    }
}

fn fails(verdict: DeliveryVerdict, count: usize) -> impl Iterator<Item = Fault> {
    let fault = Fault { verdict, reached: false, takes: Length::from_millis(20) };
    std::iter::repeat_n(fault, count)
}

fn memory_house(kind: Kind, faults: impl IntoIterator<Item = Fault>) -> (House, Arc<Receiver>) {
    let clock = paused_clock();
    let receiver = Receiver::new(&clock, faults);
    let sink = match kind {
        Kind::Event => Sink::Event(Arc::clone(&receiver) as Arc<dyn EventSink>),
        Kind::Refresh => Sink::Refresh(Arc::clone(&receiver) as Arc<dyn RefreshSink>),
    };
    (House::start(Arc::new(MemoryStore::new()), clock, sink, Length::from_minutes(2)), receiver)
}

// ---- promises over random faults ----

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    /// The alert of this key fires if it does not, and ends if it does.
    Toggle(usize),
    Kill,
}

const KEYS: [&str; 3] = ["checkout/availability", "checkout/latency", "search/availability"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..400_i64).prop_map(Step::Wait),
        1 => (0..40_000_i64).prop_map(Step::Wait),
        5 => (0..KEYS.len()).prop_map(Step::Toggle),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let verdict = prop_oneof![
        3 => Just((DeliveryVerdict::Done, true)),
        3 => Just((DeliveryVerdict::Retry(None), false)),
        1 => (0..5_000_i64).prop_map(|wait| (DeliveryVerdict::Retry(Some(Length::from_seconds(wait))), false)),
        2 => any::<bool>().prop_map(|reached| (DeliveryVerdict::Ambiguous, reached)),
    ];
    let fault = (verdict, 0..15_000_i64).prop_map(|((verdict, reached), takes)| Fault {
        verdict,
        reached,
        takes: Length::from_millis(takes),
    });
    prop::collection::vec(fault, 0..40)
}

/// What happened to the alerts of a run, by alert id: when it ended, if it did.
type Ends = BTreeMap<String, Option<Timestamp>>;

async fn live(house: &mut House, steps: &[Step]) -> Ends {
    let mut ends = Ends::new();
    let mut firing: [Option<u32>; KEYS.len()] = [None; KEYS.len()];
    let mut numbers = [0_u32; KEYS.len()];
    for step in steps {
        match step {
            Step::Wait(seconds) => house.clock.sleep(Length::from_seconds(*seconds)).await,
            Step::Kill => house.kill().await,
            Step::Toggle(key) => {
                let fires = firing[*key].is_none();
                numbers[*key] += u32::from(fires);
                let sample = Sample::new(KEYS[*key], AlertSeverity::Page, numbers[*key]);
                let state = if fires { AlertState::Firing } else { AlertState::Resolved };
                house.change(&sample, state).await;
                firing[*key] = fires.then_some(numbers[*key]);
                ends.insert(sample.id(), (!fires).then(|| house.clock.now()));
            }
        }
    }
    ends
}

/// The promises of INTERFACES 5, by name.
fn check_promises(rows: &[Delivery], told: &[Told], ends: &Ends) {
    let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
    let mut begun: BTreeSet<&str> = BTreeSet::new();
    for Told { notification, begun: at, reached } in told {
        let last = newest.entry(&notification.dedup_key).or_default();
        assert!(notification.transition >= *last, "order: {} after transition {last}", notification.id);
        *last = notification.transition;
        if notification.state == AlertState::Firing {
            let ended = ends[&notification.alert_id];
            assert!(ended.is_none_or(|ended| *at <= ended), "sent late as a page: {}", notification.id);
            begun.insert(&notification.alert_id);
        } else {
            assert!(begun.contains(notification.alert_id.as_str()), "an end before its begin: {}", notification.id);
        }
        let _ = reached;
    }
    for (alert, ended) in ends {
        let reached = |state: AlertState| {
            told.iter()
                .any(|told| told.reached && told.notification.alert_id == *alert && told.notification.state == state)
        };
        let (fired, over) = (reached(AlertState::Firing), reached(AlertState::Resolved));
        match ended {
            None => assert!(fired && !over, "lost: {alert} fires and its receiver does not know"),
            Some(_) => assert!(!fired || over, "stays open: {alert} ended and its receiver does not know"),
        }
    }
    for row in rows {
        assert!(matches!(row.state, DeliveryState::Done | DeliveryState::Superseded), "{}: {:?}", row.id, row.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_sent_late_or_out_of_order_whatever_fails(steps in steps(), faults in faults()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (mut house, receiver) = memory_house(Kind::Event, faults);
            let ends = live(&mut house, &steps).await;
            let rows = house.settled().await;
            check_promises(&rows, &receiver.told(), &ends);
        });
    }
}

// ---- single promises ----

#[tokio::test(start_paused = true)]
async fn a_row_is_tried_for_a_day_and_then_expires() {
    let (house, receiver) = memory_house(Kind::Event, fails(DeliveryVerdict::Ambiguous, 10_000));
    house.change(&page(1), AlertState::Firing).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Expired]);
    let tried = rows[0].attempts.last().unwrap().at.since(rows[0].created_at);
    assert!(tried >= Length::from_hours(24) && tried <= Length::from_hours(24) + Length::from_minutes(1), "{tried}");
    let told = receiver.told();
    let waits: Vec<f64> = told.windows(2).map(|pair| pair[1].begun.since(pair[0].begun).seconds_f64()).collect();
    assert!(waits.iter().all(|wait| (1.0..=301.0).contains(wait)), "{waits:?}");
    assert!((288..=700).contains(&told.len()), "{} tries", told.len());
    assert_eq!(told.iter().map(|told| &told.notification.id).collect::<BTreeSet<_>>().len(), 1);
    assert!(house.telemetry.render().contains("slo_deliveries_total{sink=\"oncall\",outcome=\"expired\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_final() {
    for verdict in [DeliveryVerdict::Refused, DeliveryVerdict::Misconfigured] {
        let (house, receiver) = memory_house(Kind::Event, fails(verdict, 1));
        house.change(&page(1), AlertState::Firing).await;
        assert_eq!(states(&house.settled().await), [DeliveryState::Failed]);
        house.change(&page(1), AlertState::Resolved).await;
        assert_eq!(states(&house.settled().await), [DeliveryState::Failed, DeliveryState::Superseded]);
        assert_eq!(receiver.told().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_wait_is_left_alone_as_a_whole() {
    let wait = DeliveryVerdict::Retry(Some(Length::from_seconds(600)));
    let (house, receiver) = memory_house(Kind::Event, fails(wait, 1));
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(10)).await;
    house.change(&Sample::new("search/latency", AlertSeverity::Page, 1), AlertState::Firing).await;
    house.settled().await;
    let told = receiver.told();
    assert_eq!(told.len(), 3);
    for later in &told[1..] {
        assert!(later.begun.since(told[0].begun) >= Length::from_seconds(600), "{:?}", later.begun);
    }
}

#[tokio::test(start_paused = true)]
async fn a_firing_that_nobody_heard_takes_its_end_along() {
    let (house, receiver) = memory_house(Kind::Event, fails(DeliveryVerdict::Retry(None), 6));
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(20)).await;
    let tries = receiver.told().len();
    house.change(&page(1), AlertState::Resolved).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Superseded, DeliveryState::Superseded]);
    assert_eq!(receiver.told().len(), tries, "at once, not at the next try");
}

#[tokio::test(start_paused = true)]
async fn where_a_try_may_have_got_through_the_end_is_told_and_says_so() {
    let (house, receiver) = memory_house(Kind::Event, fails(DeliveryVerdict::Ambiguous, 2));
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_millis(1_500)).await;
    house.change(&page(1), AlertState::Resolved).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Superseded, DeliveryState::Done]);
    let last = receiver.told().pop().unwrap().notification;
    assert_eq!(last.state, AlertState::Resolved);
    assert!(last.reason.contains("whether the firing arrived is not known"), "{}", last.reason);
    assert_eq!(last.id, page(1).notification(AlertState::Resolved).id);
}

#[tokio::test(start_paused = true)]
async fn a_try_cut_off_by_a_kill_counts_as_perhaps_heard() {
    let slow = Fault { verdict: DeliveryVerdict::Done, reached: true, takes: Length::from_seconds(10) };
    let (mut house, receiver) = memory_house(Kind::Event, [slow]);
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(2)).await;
    assert_eq!(receiver.told().len(), 1);
    // The alert ends while nobody is there to deliver.
    house.outbox.stop(Duration::ZERO).await;
    house.change(&page(1), AlertState::Resolved).await;
    house.kill().await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Superseded, DeliveryState::Done]);
    assert_eq!(outcomes(&rows[0]), ["ambiguous"]);
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_ends_what_is_under_way_and_what_was_never_tried() {
    let (mut house, receiver) = memory_house(Kind::Event, []);
    house.change(&page(1), AlertState::Firing).await;
    house.change(&Sample::new("search/latency", AlertSeverity::Ticket, 1), AlertState::Firing).await;
    assert!(house.outbox.stop(Duration::from_secs(5)).await);
    assert_eq!(states(&house.rows().await), [DeliveryState::Done, DeliveryState::Done]);
    assert_eq!(receiver.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_has_a_deadline() {
    let stuck = Fault { verdict: DeliveryVerdict::Done, reached: true, takes: Length::from_hours(9) };
    let (mut house, _receiver) = memory_house(Kind::Event, [stuck]);
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(2)).await;
    let begun = house.clock.now();
    assert!(!house.outbox.stop(Duration::from_secs(5)).await);
    assert!(house.clock.now().since(begun) <= Length::from_seconds(11));
    assert_eq!(states(&house.rows().await), [DeliveryState::Pending]);
}

#[tokio::test(start_paused = true)]
async fn sinks_come_and_go_with_a_reload_and_rows_of_lost_ones_expire_after_a_day() {
    let (mut house, receiver) = memory_house(Kind::Event, fails(DeliveryVerdict::Retry(None), 3));
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(1)).await;
    house.outbox.take(BTreeMap::new());
    house.clock.sleep(Length::from_hours(1)).await;
    assert_eq!(receiver.told().len(), 1);
    let other = Receiver::new(&house.clock, []);
    house.outbox.take(BTreeMap::from([(SINK.to_owned(), Sink::Event(Arc::clone(&other) as Arc<dyn EventSink>))]));
    assert_eq!(states(&house.settled().await), [DeliveryState::Done]);
    assert_eq!((receiver.told().len(), other.told().len()), (1, 1));
    house.outbox.take(BTreeMap::new());
    house.clock.sleep(Length::from_seconds(1)).await;
    house.change(&page(2), AlertState::Firing).await;
    house.clock.sleep(Length::from_hours(23)).await;
    assert_eq!(states(&house.rows().await), [DeliveryState::Done, DeliveryState::Pending]);
    house.clock.sleep(Length::from_hours(2)).await;
    assert_eq!(states(&house.rows().await), [DeliveryState::Done, DeliveryState::Expired]);
}

// ---- sinks that are refreshed ----

#[tokio::test(start_paused = true)]
async fn what_fires_is_told_each_minute_and_an_end_for_a_quarter_of_an_hour() {
    let (mut house, receiver) = memory_house(Kind::Refresh, []);
    let (firing, resolved) =
        (page(1).notification(AlertState::Firing).id, page(1).notification(AlertState::Resolved).id);
    house.change(&page(1), AlertState::Firing).await;
    house.clock.sleep(Length::from_seconds(330)).await;
    assert_eq!(receiver.refreshed.lock().unwrap().clone(), vec![vec![firing.clone()]; 5]);
    // Once at start.
    receiver.refreshed.lock().unwrap().clear();
    house.kill().await;
    house.clock.sleep(Length::from_seconds(1)).await;
    assert_eq!(receiver.refreshed.lock().unwrap().clone(), [[firing.clone()]]);
    receiver.refreshed.lock().unwrap().clear();
    house.change(&page(1), AlertState::Resolved).await;
    house.clock.sleep(Length::from_minutes(30)).await;
    let refreshed = receiver.refreshed.lock().unwrap().clone();
    assert!((14..=15).contains(&refreshed.len()), "{refreshed:?}");
    assert!(refreshed.iter().all(|told| *told == [resolved.clone()]), "{refreshed:?}");
    assert_eq!(receiver.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_new_firing_is_not_undone_by_telling_the_end_before_it() {
    let (house, receiver) = memory_house(Kind::Refresh, []);
    for (number, state) in [(1, AlertState::Firing), (1, AlertState::Resolved), (2, AlertState::Firing)] {
        house.change(&page(number), state).await;
        house.settled().await;
    }
    receiver.refreshed.lock().unwrap().clear();
    house.clock.sleep(Length::from_minutes(3)).await;
    let second = page(2).notification(AlertState::Firing).id;
    let refreshed = receiver.refreshed.lock().unwrap().clone();
    assert!(refreshed.len() >= 2 && refreshed.iter().all(|told| *told == [second.clone()]), "{refreshed:?}");
}

/// One that fired long ago, and one that begins as the other ends (`down` becomes `no_data`).
#[tokio::test(start_paused = true)]
async fn an_end_is_told_beside_what_fires_and_what_is_about_to() {
    let (house, receiver) = memory_house(Kind::Refresh, []);
    let [ends, stands, begins] = KEYS.map(|key| Sample::new(key, AlertSeverity::Page, 1));
    house.change(&ends, AlertState::Firing).await;
    house.change(&stands, AlertState::Firing).await;
    house.settled().await;
    let sinks = [SINK.to_owned()];
    let both = [(&ends, AlertState::Resolved), (&begins, AlertState::Firing)];
    let commit = Commit {
        alerts: both.iter().map(|(sample, state)| sample.alert(*state)).collect(),
        deliveries: both
            .iter()
            .flat_map(|(sample, state)| deliveries_for(&sample.notification(*state), &sinks, house.clock.now()))
            .collect(),
        ..Commit::default()
    };
    house.store.commit(commit).await.unwrap();
    house.wake.notify_waiters();
    house.settled().await;
    let beside = receiver.beside_ends.lock().unwrap().clone();
    assert_eq!(beside, BTreeMap::from([(ends.id(), BTreeSet::from([stands.id(), begins.id()]))]));
    house.change(&stands, AlertState::Resolved).await;
    house.change(&begins, AlertState::Resolved).await;
    house.settled().await;
    let beside = receiver.beside_ends.lock().unwrap().clone();
    assert!(!beside[&begins.id()].contains(&begins.id()) && !beside[&begins.id()].contains(&stands.id()), "{beside:?}");
}

#[tokio::test(start_paused = true)]
async fn a_state_has_no_horizon_while_it_lasts() {
    let (house, receiver) = memory_house(Kind::Refresh, fails(DeliveryVerdict::Retry(None), 400));
    house.change(&page(1), AlertState::Firing).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Done]);
    assert!(rows[0].attempts.last().unwrap().at.since(rows[0].created_at) > Length::from_hours(24));
    assert_eq!(receiver.told().len(), 401);
}

// ---- over real sockets, in the durable store ----

/// Ten minutes of the clock a second.
const SPEED: f64 = 600.0;

fn webhook(url: &str) -> Sink {
    let bounds = Bounds { total: Duration::from_millis(300), body: Duration::from_millis(50), ..Bounds::default() };
    let secrets = Arc::new(Secrets::new(|_| None));
    let url = WebhookUrl::Plain(url.to_owned());
    Sink::event(Webhook::new(Client::new(bounds).unwrap(), url, None, &secrets).unwrap())
}

async fn durable(folder: &Path, url: &str) -> House {
    let store = SqliteStore::open(&folder.join("slo.db")).await.unwrap();
    House::start(Arc::new(store), Clock::accelerated(SPEED), webhook(url), Length::from_seconds(5))
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/hook", listener.local_addr().unwrap())
}

#[tokio::test]
async fn retries_carry_one_id_and_wait_as_long_as_they_were_told() {
    let folder = tempfile::tempdir().unwrap();
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:59:37 GMT\r\n";
    let server = Server::start(vec![
        Reply::status(503),
        Reply::CloseRead,
        Reply::CloseUnread,
        Reply::Status(429, "retry-after: 1200\r\n".into()),
        Reply::Status(503, date.into()),
        Reply::Silence,
        Reply::Drip(200),
    ])
    .await;
    let house = durable(folder.path(), &server.url).await;
    house.change(&page(1), AlertState::Firing).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Done]);
    let wanted = ["ambiguous", "ambiguous", "ambiguous", "retry", "retry", "ambiguous", "done"];
    assert_eq!(outcomes(&rows[0]), wanted, "{:?}", rows[0].attempts);
    let at: Vec<Timestamp> = rows[0].attempts.iter().map(|attempt| attempt.at).collect();
    assert!(at[4].since(at[3]) >= Length::from_seconds(1_200), "seconds: {at:?}");
    assert!(at[5].since(at[4]) >= Length::from_seconds(600), "date: {at:?}");
    let seen = server.seen();
    let ids: BTreeSet<&str> = seen.iter().map(|seen| seen.header("webhook-id").unwrap()).collect();
    assert_eq!((seen.len(), ids.len()), (6, 1), "all but the one that was not read");
    assert_eq!(seen[0].json()["id"], page(1).notification(AlertState::Firing).id);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was_with_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = durable(folder.path(), &nobody()).await;
    house.change(&page(1), AlertState::Firing).await;
    house.change(&Sample::new("search/latency", AlertSeverity::Page, 1), AlertState::Firing).await;
    house.outbox.stop(Duration::ZERO).await;
    drop(house);
    let server = Server::start(vec![Reply::status(200)]).await;
    let house = durable(folder.path(), &server.url).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Done, DeliveryState::Done]);
    let mut ids: Vec<String> =
        server.wait_for(2).await.iter().map(|seen| seen.json()["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    let wanted = [
        page(1).notification(AlertState::Firing).id,
        Sample::new("search/latency", AlertSeverity::Page, 1).notification(AlertState::Firing).id,
    ];
    assert_eq!(ids, wanted);
}

#[tokio::test]
async fn an_end_after_a_redirect_or_a_refusal_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(vec![Reply::Status(302, "location: /elsewhere\r\n".into()), Reply::status(200)]).await;
    let house = durable(folder.path(), &server.url).await;
    house.change(&page(1), AlertState::Firing).await;
    house.settled().await;
    house.change(&page(1), AlertState::Resolved).await;
    let rows = house.settled().await;
    assert_eq!(states(&rows), [DeliveryState::Failed, DeliveryState::Superseded]);
    assert_eq!(rows[0].attempts[0].message, "status 302: hello");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_dead_receiver_of_one_key_holds_up_only_that_key() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(vec![Reply::Silence, Reply::status(200)]).await;
    let house = durable(folder.path(), &server.url).await;
    house.change(&page(1), AlertState::Firing).await;
    server.wait_for(1).await;
    house.change(&Sample::new("search/latency", AlertSeverity::Page, 1), AlertState::Firing).await;
    let seen = server.wait_for(2).await;
    assert_eq!(seen[1].json()["slo"], "search/latency");
    assert_eq!(states(&house.settled().await), [DeliveryState::Done, DeliveryState::Done]);
}
