//! 10,000 alerts at once: as much work for each as for one of a thousand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use slo::engine::verdict::HourBucket;
use slo::policy::alert::{Alert, AlertState};
use slo::policy::notification::Notification;
use slo::runtime::outbox::deliveries_for;
use slo::spec::policy::AlertSeverity;
use slo::store::memory::MemoryStore;
use slo::store::{
    AlertFilter, Attempt, Backlog, Commit, Delivery, DeliveryFilter, DeliveryState, Keep, Order, Record, RecordKind,
    Snapshot, Store, StoreError, ThreadState,
};
use slo::units::{Length, Timestamp};

use crate::house::{House, Mouth, paused_clock, receivers};
use crate::sample::Sample;

/// Counts what is asked of a store: calls, and those that go over all that waits.
struct Counting {
    inner: MemoryStore,
    calls: AtomicUsize,
    sweeps: AtomicUsize,
}

impl Counting {
    fn count(&self) -> &MemoryStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }

    fn sweep(&self) -> &MemoryStore {
        self.sweeps.fetch_add(1, Ordering::Relaxed);
        self.count()
    }
}

type Hours = Vec<(String, HourBucket)>;

#[async_trait]
impl Store for Counting {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.count().snapshot().await
    }
    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.count().commit(commit).await
    }
    async fn hours(&self, slo: &str, generation: &str, after: Timestamp) -> Result<Hours, StoreError> {
        self.count().hours(slo, generation, after).await
    }
    async fn days(&self, slo: &str, generation: &str, after: Timestamp) -> Result<Hours, StoreError> {
        self.count().days(slo, generation, after).await
    }
    async fn slices(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(Timestamp, Vec<u8>)>, StoreError> {
        self.count().slices(slo, generation, after).await
    }
    async fn heads(&self, sink: &str, due: Timestamp, order: Order, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.sweep().heads(sink, due, order, limit).await
    }
    async fn backlog(&self, sink: &str, now: Timestamp) -> Result<Backlog, StoreError> {
        self.sweep().backlog(sink, now).await
    }
    async fn attempting(&self, delivery: &str, at: Timestamp) -> Result<(), StoreError> {
        self.count().attempting(delivery, at).await
    }
    async fn attempted(
        &self,
        delivery: &str,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
        handle: Option<String>,
    ) -> Result<(), StoreError> {
        self.count().attempted(delivery, attempt, state, next_attempt_at, handle).await
    }
    async fn thread(&self, sink: &str, thread: &str) -> Result<ThreadState, StoreError> {
        self.count().thread(sink, thread).await
    }
    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.count().records(kind, limit).await
    }
    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        self.count().record(kind, id).await
    }
    async fn settled(&self, delivery: &str, state: DeliveryState) -> Result<(), StoreError> {
        self.count().settled(delivery, state).await
    }
    async fn standing(&self, sink: &str, ended_since: Timestamp) -> Result<Vec<Notification>, StoreError> {
        self.count().standing(sink, ended_since).await
    }
    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.count().deliveries(filter, limit).await
    }
    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        self.count().delivery(id).await
    }
    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError> {
        self.count().alerts(filter, limit).await
    }
    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        self.count().alert(id).await
    }
    async fn prune(&self, now: Timestamp, keep: Keep) -> Result<(), StoreError> {
        self.count().prune(now, keep).await
    }
}

/// Calls and sweeps until all of so many alerts, decided in one commit, are delivered.
async fn deliver(count: usize) -> (usize, usize) {
    let inner = MemoryStore::new();
    let store = Arc::new(Counting { inner, calls: AtomicUsize::new(0), sweeps: AtomicUsize::new(0) });
    let clock = paused_clock();
    let (oncall, sink) = Mouth::kind(&clock).sink();
    let glance = Length::from_minutes(10);
    let house = House::start(Arc::clone(&store) as Arc<dyn Store>, clock, receivers(&[("oncall", sink)], &[]), glance);
    let samples = (0..count).map(|number| Sample::new(&format!("shop/slo-{number}"), AlertSeverity::Page, 1));
    let (mut alerts, mut rows) = (Vec::new(), Vec::new());
    for sample in samples {
        alerts.push(sample.alert(AlertState::Firing));
        let told = sample.notification(AlertState::Firing);
        rows.extend(deliveries_for(&told, &["oncall".to_owned()], house.clock.now()));
    }
    let begun = house.clock.now();
    house.commit(alerts, rows).await;
    house.settled().await;
    let heard = oncall.heard();
    assert_eq!((heard.len(), oncall.ids().len()), (count, count), "each once");
    let took = heard.last().unwrap().at.since(begun);
    println!("{count} alerts: {took} of the clock, eight at a time, each 20 ms");
    (store.calls.load(Ordering::Relaxed), store.sweeps.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "a test may look at the time")]
async fn ten_thousand_alerts_at_once_cost_each_what_one_of_a_thousand_costs() {
    let few = deliver(1_000).await;
    let begun = Instant::now();
    let many = deliver(10_000).await;
    println!("calls, sweeps: 1,000 alerts {few:?}, 10,000 alerts {many:?} in {:?}", begun.elapsed());
    assert!(many.0 <= 11 * few.0, "calls grow faster than alerts: {few:?} {many:?}");
    assert!(many.0 <= 8 * 10_000, "{} calls for each alert", many.0 / 10_000);
    assert!(many.1 <= 400, "{} times over all that waits", many.1);
}
