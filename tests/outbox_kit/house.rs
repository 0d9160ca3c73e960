//! An outbox with what surrounds it, for several sinks, and a receiver in memory that does as it is told.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use slo::clock::Clock;
use slo::policy::alert::{Alert, AlertState};
use slo::policy::notification::Notification;
use slo::runtime::outbox::gate::SinkGate;
use slo::runtime::outbox::{Outbox, Receivers, deliveries_for, sinks_of_end};
use slo::runtime::service::GateView;
use slo::sink::{DeliveryVerdict, EventSink, Outcome, Sink, Task};
use slo::spec::policy::AlertSeverity;
use slo::store::{Commit, Delivery, DeliveryFilter, DeliveryState, NewDelivery, Store};
use slo::telemetry::Telemetry;
use slo::units::{Length, Timestamp};
use tokio::sync::Notify;

use crate::sample::Sample;

/// The outbox with what surrounds it.
pub struct House {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub telemetry: Telemetry,
    pub wake: Arc<Notify>,
    pub receivers: Receivers,
    pub outbox: Outbox,
    /// How often [`House::settled`] looks.
    pub glance: Length,
}

/// A clock that follows tokio's time, which a test may pause.
pub fn paused_clock() -> Clock {
    Clock::accelerated(2.0)
}

pub fn page(number: u32) -> Sample {
    Sample::new("checkout/availability", AlertSeverity::Page, number)
}

impl House {
    pub fn start(store: Arc<dyn Store>, clock: Clock, receivers: Receivers, glance: Length) -> Self {
        let (wake, telemetry) = (Arc::new(Notify::new()), Telemetry::default());
        let outbox = start(&store, &clock, &telemetry, &wake, &receivers);
        Self { store, clock, telemetry, wake, receivers, outbox, glance }
    }

    /// As after `kill -9` and a new start: nothing ends in order.
    pub async fn kill(&mut self) {
        self.outbox.stop(Duration::ZERO).await;
        self.outbox = start(&self.store, &self.clock, &self.telemetry, &self.wake, &self.receivers);
    }

    /// Other files.
    pub fn reload(&mut self, receivers: Receivers) {
        self.receivers = receivers.clone();
        self.outbox.take(receivers);
    }

    pub async fn commit(&self, alerts: Vec<Alert>, deliveries: Vec<NewDelivery>) {
        self.store.commit(Commit { alerts, deliveries, ..Commit::default() }).await.unwrap();
        self.wake.notify_waiters();
    }

    /// An alert fires, and these sinks are to be told.
    pub async fn fire(&self, sample: &Sample, sinks: &[&str]) {
        let sinks: Vec<String> = sinks.iter().map(|sink| (*sink).to_owned()).collect();
        let rows = deliveries_for(&sample.notification(AlertState::Firing), &sinks, self.clock.now());
        self.commit(vec![sample.alert(AlertState::Firing)], rows).await;
    }

    /// Its alert ends; told to whom it was told.
    pub async fn resolve(&self, sample: &Sample) {
        let sinks = sinks_of_end(&*self.store, &sample.id()).await.unwrap();
        let rows = deliveries_for(&sample.notification(AlertState::Resolved), &sinks, self.clock.now());
        self.commit(vec![sample.alert(AlertState::Resolved)], rows).await;
    }

    /// All rows, oldest first.
    pub async fn rows(&self) -> Vec<Delivery> {
        let mut rows = self.store.deliveries(&DeliveryFilter::default(), usize::MAX).await.unwrap();
        rows.reverse();
        rows
    }

    /// The states of all rows, oldest first.
    pub async fn states(&self) -> Vec<DeliveryState> {
        self.rows().await.iter().map(|row| row.state).collect()
    }

    /// Waits until `wanted` holds for the rows.
    pub async fn until(&self, what: &str, wanted: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let reached = async {
            loop {
                let rows = self.rows().await;
                if wanted(&rows) {
                    return rows;
                }
                self.clock.sleep(self.glance).await;
            }
        };
        let reached = tokio::time::timeout(self.clock.in_life(Length::from_days(4)), reached).await;
        match reached {
            Ok(rows) => rows,
            Err(late) => panic!("never {what}: {late}, {:#?}", shown(&self.rows().await)),
        }
    }

    /// Waits until no row is pending.
    pub async fn settled(&self) -> Vec<Delivery> {
        self.until("settled", |rows| rows.iter().all(|row| row.state != DeliveryState::Pending)).await
    }

    pub fn view(&self, sink: &str) -> SinkGate {
        let views = self.outbox.gates().view(self.clock.now());
        views.into_iter().find(|view| view.name == sink).unwrap()
    }

    pub fn is_open(&self, sink: &str) -> bool {
        self.view(sink).gate == GateView::Open
    }
}

fn start(
    store: &Arc<dyn Store>,
    clock: &Clock,
    telemetry: &Telemetry,
    wake: &Arc<Notify>,
    receivers: &Receivers,
) -> Outbox {
    Outbox::start(Arc::clone(store), receivers.clone(), clock.clone(), telemetry.clone(), Arc::clone(wake))
}

/// Rows in short.
pub fn shown(rows: &[Delivery]) -> Vec<String> {
    let outcomes = |row: &Delivery| row.attempts.iter().map(|one| one.outcome.clone()).collect::<Vec<_>>().join(" ");
    rows.iter().map(|row| format!("{} {}: {}", row.id, row.state.name(), outcomes(row))).collect()
}

pub fn outcomes(row: &Delivery) -> Vec<&str> {
    row.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect()
}

/// Receivers by name, the fallback among them.
pub fn receivers(sinks: &[(&str, Sink)], fallback: &[&str]) -> Receivers {
    Receivers {
        sinks: sinks.iter().map(|(name, sink)| ((*name).to_owned(), sink.clone())).collect(),
        fallback: fallback.iter().map(|name| (*name).to_owned()).collect(),
        others: Vec::new(),
        external_labels: BTreeMap::new(),
    }
}

/// A try as the receiver's side sees it.
#[derive(Clone, Debug)]
pub struct Heard {
    pub task: Task,
    pub at: Timestamp,
}

impl Heard {
    pub fn id(&self) -> &str {
        &self.task.notification.id
    }
}

pub type Answer = Box<dyn Fn(&Heard, usize) -> (Outcome, Length) + Send + Sync>;

/// Answers as its function says, which gets the try and how many came before.
pub struct Mouth {
    pub clock: Clock,
    pub answer: Answer,
    pub heard: Mutex<Vec<Heard>>,
    pub threads: bool,
    pub destination: Option<String>,
    pub pace: Length,
}

impl Mouth {
    pub fn new(clock: &Clock, answer: impl Fn(&Heard, usize) -> Outcome + Send + Sync + 'static) -> Self {
        let answer: Answer = Box::new(move |heard, before| (answer(heard, before), Length::from_millis(20)));
        let heard = Mutex::default();
        Self { clock: clock.clone(), answer, heard, threads: false, destination: None, pace: Length::ZERO }
    }

    /// Takes its time with each.
    pub fn slow(clock: &Clock, takes: Length) -> Self {
        let answer: Answer = Box::new(move |_, _| (Outcome::done("status 200"), takes));
        Self { answer, ..Self::new(clock, |_, _| Outcome::done("")) }
    }

    /// Takes everything.
    pub fn kind(clock: &Clock) -> Self {
        Self::new(clock, |_, _| Outcome::done("status 200"))
    }

    pub fn sink(self) -> (Arc<Self>, Sink) {
        let mouth = Arc::new(self);
        (Arc::clone(&mouth), Sink::Event(mouth))
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn ids(&self) -> BTreeSet<String> {
        self.heard().iter().map(|heard| heard.id().to_owned()).collect()
    }

    /// What it heard, in order.
    pub fn told(&self) -> Vec<Notification> {
        self.heard().into_iter().map(|heard| heard.task.notification).collect()
    }
}

#[async_trait]
impl EventSink for Mouth {
    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        let heard = Heard { task: task.clone(), at: self.clock.now() };
        let before = {
            let mut all = self.heard.lock().unwrap();
            all.push(heard.clone());
            all.len() - 1
        };
        let (outcome, takes) = (self.answer)(&heard, before);
        self.clock.sleep(takes).await;
        outcome
    }

    fn keeps_threads(&self) -> bool {
        self.threads
    }

    fn destination(&self) -> Option<String> {
        self.destination.clone()
    }

    fn pace(&self) -> Length {
        self.pace
    }
}

/// What a sink says of an answer with this status.
pub fn status(status: u16) -> Outcome {
    let verdict = match status {
        200..=299 => DeliveryVerdict::Done,
        429 => DeliveryVerdict::Retry(None),
        500..=599 => DeliveryVerdict::Ambiguous,
        300..=399 | 401..=404 | 407 | 410 => DeliveryVerdict::Misconfigured,
        _ => DeliveryVerdict::Refused,
    };
    Outcome::new(verdict, format!("status {status}"))
}

/// No connection: nothing was sent.
pub fn unreachable() -> Outcome {
    Outcome::new(DeliveryVerdict::Retry(None), "connection refused")
}
