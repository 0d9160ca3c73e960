//! The outbox: from rows that were committed to receivers that were told.
//!
//! One task for each sink, woken by a signal after a commit and by time. Promises (INTERFACES 5): a row is tried until it
//! is accepted, refused or 24 h old; rows of one dedup key to one sink go out in the order in which they were decided, and
//! those of one thread where the sink keeps one ticket an episode; a firing whose alert is over is not sent late; an end
//! goes only to receivers that were, or may have been, told of the begin; what a receiver does not take goes to the
//! fallback sinks (`fallback`). When a try may go is up to the gate of its destination (`gate`). All of it goes by rows,
//! so a restart continues where it was, with the same ids. Nothing is decided here but when and whether a row is sent
//! (`rule`); what is told was frozen when it was decided.

mod fallback;
pub mod gate;
mod orphans;
mod relief;
mod rule;
mod shared;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::runtime::outbox::fallback::Backing;
use crate::runtime::outbox::gate::Gates;
use crate::runtime::outbox::shared::Shared;
use crate::runtime::outbox::worker::Worker;
use crate::sink::Sink;
use crate::store::{DeliveryFilter, NewDelivery, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::units::Timestamp;

/// Rows of one alert that are looked at; more sinks than that nobody has.
const ROWS_OF_AN_ALERT: usize = 10_000;

/// The rows of a notification, one for each sink; a sink named twice gets one. `now` is the wall clock.
#[must_use]
pub fn deliveries_for(notification: &Notification, sinks: &[String], now: Timestamp) -> Vec<NewDelivery> {
    let sinks: BTreeSet<&String> = sinks.iter().collect();
    let row = |sink: &String| NewDelivery {
        id: format!("{}@{sink}", notification.id),
        sink: sink.clone(),
        notification: notification.clone(),
        created_at: now,
    };
    sinks.into_iter().map(row).collect()
}

/// The sinks to which the end of an alert is told: those that have a row of its begin, whatever the routes say now. The
/// outbox drops the end again where the begin never went out.
pub async fn sinks_of_end(store: &dyn Store, alert_id: &str) -> Result<Vec<String>, StoreError> {
    let filter = DeliveryFilter { alert_id: Some(alert_id.to_owned()), ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter, ROWS_OF_AN_ALERT).await?;
    let firing = rows.into_iter().filter(|row| row.notification.state == AlertState::Firing);
    Ok(firing.map(|row| row.sink).collect::<BTreeSet<_>>().into_iter().collect())
}

/// Whom an outbox tells.
#[derive(Clone, Debug, Default)]
pub struct Receivers {
    /// By name.
    pub sinks: BTreeMap<String, Sink>,
    /// Names of those who are told what others do not take.
    pub fallback: Vec<String>,
    /// Names of those who are told of the pages that others do not take, where `fallback` names nobody.
    pub others: Vec<String>,
    /// Labels of this service.
    pub external_labels: BTreeMap<String, String>,
}

impl From<BTreeMap<String, Sink>> for Receivers {
    fn from(sinks: BTreeMap<String, Sink>) -> Self {
        Self { sinks, ..Self::default() }
    }
}

impl Receivers {
    fn backing(&self) -> Backing {
        let there = |names: &[String]| names.iter().filter(|name| self.sinks.contains_key(*name)).cloned().collect();
        Backing {
            sinks: there(&self.fallback),
            others: there(&self.others),
            external_labels: self.external_labels.clone(),
        }
    }
}

/// The running workers.
pub struct Outbox {
    shared: Shared,
    backing: watch::Sender<Backing>,
    /// Names of the present sinks, for the sweeper.
    names: watch::Sender<BTreeSet<String>>,
    sweeper: Option<JoinHandle<()>>,
    workers: BTreeMap<String, Running>,
    /// Workers of sinks that were taken out, ending.
    leaving: Vec<Running>,
}

struct Running {
    sink: watch::Sender<Sink>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("sinks", &self.workers.keys()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// Starts a worker for each of these sinks, by name. `wake` is notified after every commit with deliveries.
    #[must_use]
    pub fn start(
        store: Arc<dyn Store>,
        receivers: impl Into<Receivers>,
        clock: Clock,
        telemetry: Telemetry,
        wake: Arc<Notify>,
    ) -> Self {
        let receivers = receivers.into();
        let (backing, seen) = watch::channel(receivers.backing());
        let shared = Shared { store, clock, telemetry, wake, gates: Gates::new(), backing: seen };
        let (names, present) = watch::channel(receivers.sinks.keys().cloned().collect());
        let sweeper = Some(tokio::spawn(orphans::sweep(shared.clone(), present)));
        let mut outbox = Self { shared, backing, names, sweeper, workers: BTreeMap::new(), leaving: Vec::new() };
        outbox.take(receivers);
        outbox
    }

    /// The gates of the present sinks, with how each stands; they stay the same for the life of the outbox.
    #[must_use]
    pub fn gates(&self) -> Arc<Gates> {
        Arc::clone(&self.shared.gates)
    }

    /// Takes these sinks in place of the present ones: new ones get a worker, changed ones serve from the next try on,
    /// those no longer there end what is under way. Rows of theirs stay.
    pub fn take(&mut self, receivers: impl Into<Receivers>) {
        let receivers = receivers.into();
        self.backing.send_replace(receivers.backing());
        let sinks = receivers.sinks;
        let gone: Vec<String> = self.workers.keys().filter(|name| !sinks.contains_key(*name)).cloned().collect();
        for worker in gone.iter().filter_map(|name| self.workers.remove(name)) {
            worker.stop.cancel();
            self.leaving.push(worker);
        }
        for name in &gone {
            self.shared.telemetry.forget_sink(name);
        }
        self.leaving.retain(|worker| !worker.task.is_finished());
        self.shared.gates.know(sinks.iter());
        for (name, sink) in sinks {
            match self.workers.get(&name) {
                Some(worker) => drop(worker.sink.send_replace(sink)),
                None => drop(self.workers.insert(name.clone(), self.spawn(name, sink))),
            }
        }
        self.names.send_replace(self.workers.keys().cloned().collect());
    }

    fn spawn(&self, name: String, sink: Sink) -> Running {
        let (sender, receiver) = watch::channel(sink);
        let stop = CancellationToken::new();
        let worker = Worker::new(name, receiver, self.shared.clone(), stop.clone());
        Running { sink: sender, stop, task: tokio::spawn(worker.run()) }
    }

    /// Ends gracefully: tries that are under way, and rows that were never tried, have until `deadline` (life time); what
    /// is cut off then is sent again after the next start, under the same id. Says whether nothing was cut off.
    pub async fn stop(&mut self, deadline: Duration) -> bool {
        self.sweeper.iter().for_each(JoinHandle::abort);
        let workers = std::mem::take(&mut self.workers).into_values().chain(self.leaving.drain(..));
        let workers: Vec<Running> = workers.collect();
        for worker in &workers {
            worker.stop.cancel();
        }
        let end = tokio::time::Instant::now() + deadline;
        let mut clean = true;
        for mut worker in workers {
            if tokio::time::timeout_at(end, &mut worker.task).await.is_err() {
                worker.task.abort();
                // Ends at its next await, and lets go of the store, which may be opened again at once.
                drop(worker.task.await);
                clean = false;
            }
        }
        if let Some(sweeper) = self.sweeper.take() {
            drop(sweeper.await);
        }
        clean
    }
}
