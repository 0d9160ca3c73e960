//! The store in memory: for tests, and for verbs that run once and keep nothing.
//!
//! Why this way: it is the obvious model of what the durable store has to do, written with plain collections; a property
//! test runs the same operations on both and compares. It is not durable and not fast with very many rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::engine::verdict::HourBucket;
use crate::policy::alert::{Alert, AlertState};
use crate::policy::notification::Notification;
use crate::spec::policy::AlertSeverity;
use crate::store::{
    AlertFilter, Attempt, Backlog, Commit, Delivery, DeliveryFilter, DeliveryState, Keep, LONGEST_WAIT, NewDelivery,
    Order, RECENTLY_ENDED, Record, RecordKind, Snapshot, Store, StoreError, ThreadState, UNDER_WAY, is_of_slo, renamed,
    slo_of, state_name,
};
use crate::units::{Length, Timestamp};

const DAY: Length = Length::from_days(1);

/// Everything, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    alerts: BTreeMap<String, Alert>,
    states: BTreeMap<String, String>,
    deliveries: Vec<Row>,
    places: Places,
    last_sequence: i64,
    hours: Buckets,
    days: Buckets,
    slices: BTreeMap<(String, String, Timestamp), Vec<u8>>,
    watermarks: BTreeMap<String, Timestamp>,
    records: BTreeMap<(RecordKind, String), Record>,
    /// Refuses commits, as a full disk does.
    #[cfg(test)]
    is_full: bool,
}

/// Where rows stand among the deliveries, ascending, so that many of them are not gone through for each.
#[derive(Debug, Default)]
struct Places {
    ids: HashMap<String, usize>,
    alerts_of: HashMap<String, Vec<usize>>,
    threads: HashMap<String, Vec<usize>>,
}

impl Places {
    fn add(&mut self, place: usize, row: &Row) {
        self.ids.insert(row.delivery.id.clone(), place);
        self.alerts_of.entry(row.delivery.notification.alert_id.clone()).or_default().push(place);
        self.threads.entry(row.thread.clone()).or_default().push(place);
    }

    fn of(rows: &[Row]) -> Self {
        let mut places = Self::default();
        rows.iter().enumerate().for_each(|(place, row)| places.add(place, row));
        places
    }
}

/// By generation, end and instance.
type Buckets = BTreeMap<(String, Timestamp, String), HourBucket>;

#[derive(Clone, Debug)]
struct Row {
    delivery: Delivery,
    /// The newest attempt has begun, and its end is not written yet.
    under_way: bool,
    thread: String,
}

impl Row {
    fn pending(&self) -> bool {
        self.delivery.state == DeliveryState::Pending
    }

    fn fires(&self) -> bool {
        self.delivery.notification.state == AlertState::Firing
    }

    fn resolves(&self) -> bool {
        self.delivery.notification.state == AlertState::Resolved
    }

    fn key(&self) -> &str {
        &self.delivery.notification.dedup_key
    }
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses every commit from now on, as a full disk does, or takes them again.
    #[cfg(test)]
    pub(crate) fn set_full(&self, full: bool) {
        self.held().is_full = full;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn insert(&mut self, new: NewDelivery) {
        if self.places.ids.contains_key(&new.id) {
            return;
        }
        self.last_sequence += 1;
        let delivery = Delivery {
            id: new.id,
            sink: new.sink,
            notification: new.notification,
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            created_at: new.created_at,
            next_attempt_at: None,
            resent_at: None,
            handle: None,
            sequence: self.last_sequence,
        };
        let thread = delivery.notification.thread();
        let row = Row { delivery, under_way: false, thread };
        self.places.add(self.deliveries.len(), &row);
        self.deliveries.push(row);
    }

    fn keep(&mut self, record: Record) {
        let key = (record.kind, record.id.clone());
        if record.text.is_none() {
            if record.kind != RecordKind::Audit {
                self.records.remove(&key);
            }
        } else if record.kind != RecordKind::Audit || !self.records.contains_key(&key) {
            self.records.insert(key, record);
        }
    }

    fn resend(&mut self, id: &str, at: Timestamp) {
        let of_id = |row: &&mut Row| row.delivery.id == id && row.delivery.state != DeliveryState::Done;
        if let Some(row) = self.deliveries.iter_mut().find(of_id) {
            row.delivery.state = DeliveryState::Pending;
            row.delivery.next_attempt_at = None;
            row.delivery.resent_at = Some(at);
        }
    }

    fn row(&mut self, id: &str) -> Result<&mut Row, StoreError> {
        let place = self.places.ids.get(id).copied();
        place.and_then(|place| self.deliveries.get_mut(place)).ok_or_else(|| unknown(id))
    }

    /// The rows at these places, oldest first.
    fn at<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl DoubleEndedIterator<Item = &'a Row> {
        places.into_iter().flatten().filter_map(|place| self.deliveries.get(*place))
    }

    fn of_alert<'a>(&'a self, alert: &str) -> impl DoubleEndedIterator<Item = &'a Row> {
        self.at(self.places.alerts_of.get(alert))
    }

    fn pending(&self, sink: &str) -> impl Iterator<Item = &Row> {
        self.deliveries.iter().filter(move |row| row.pending() && row.delivery.sink == sink)
    }

    /// Whether the end of the alert that this row says is firing has come to the outbox for the same sink.
    fn overtaken(&self, row: &Row) -> bool {
        let of_same =
            |later: &&Row| later.delivery.sink == row.delivery.sink && later.delivery.sequence > row.delivery.sequence;
        row.fires() && self.of_alert(&row.delivery.notification.alert_id).filter(of_same).any(Row::resolves)
    }

    fn fires(&self, alert: &str) -> bool {
        self.alerts.get(alert).is_some_and(|alert| alert.state == AlertState::Firing)
    }

    /// What is kept under one SLO's id is another's from now on.
    fn rename(&mut self, from: &str, to: &str) {
        for buckets in [&mut self.hours, &mut self.days] {
            let old: Buckets = buckets.extract_if(.., |(_, _, instance), _| slo_of(instance) == from).collect();
            for ((generation, end, instance), hour) in old {
                let key = (generation, end, renamed(&instance, from, to).unwrap_or(instance));
                if buckets.get(&key).is_none_or(|known| hour.measured > known.measured) {
                    buckets.insert(key, hour);
                }
            }
        }
        let old: Vec<_> = self.slices.extract_if(.., |(slo, _, _), _| slo == from).collect();
        for ((_, generation, end), bytes) in old {
            self.slices.entry((to.to_owned(), generation, end)).or_insert(bytes);
        }
        for alert in self.alerts.values_mut() {
            if let Some(instance) = renamed(&alert.slo, from, to) {
                alert.slo = instance;
            }
        }
    }

    /// Hours that lie in whole days before `before`, by the day in which they are.
    fn fold(&mut self, before: Timestamp) {
        let old: Buckets = self.hours.extract_if(.., |_, hour| hour.end <= before).collect();
        for (key, day) in by_day(old.iter()) {
            let fuller = self.days.get(&key).is_none_or(|known| day.measured > known.measured);
            if fuller {
                self.days.insert(key, day);
            }
        }
    }
}

/// Sums hours into the days of UTC that hold them.
fn by_day<'a>(hours: impl Iterator<Item = (&'a (String, Timestamp, String), &'a HourBucket)>) -> Buckets {
    let mut days = Buckets::new();
    for ((generation, end, instance), hour) in hours {
        let end = end.ceil_to(DAY);
        let empty = HourBucket { end, events: 0.0, total: 0.0, measured: Length::ZERO };
        let day = days.entry((generation.clone(), end, instance.clone())).or_insert(empty);
        day.events += hour.events;
        day.total += hour.total;
        day.measured = day.measured + hour.measured;
    }
    days
}

fn newer(buckets: &Buckets, slo: &str, generation: &str, after: Timestamp) -> Vec<(String, HourBucket)> {
    let wanted = |(this, end, instance): &(String, Timestamp, String)| {
        this == generation && *end > after && slo_of(instance) == slo
    };
    buckets.iter().filter(|(key, _)| wanted(key)).map(|((_, _, instance), hour)| (instance.clone(), *hour)).collect()
}

fn unknown(delivery: &str) -> StoreError {
    StoreError {
        doing: "writing to the store in memory".to_owned(),
        problem: format!("there is no delivery `{delivery}`"),
        locked: false,
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let held = self.held();
        let ended = held.alerts.values().filter_map(|alert| alert.resolved_at);
        let newest = held.watermarks.values().copied().chain(ended).max().unwrap_or_default();
        let recent = |alert: &&Alert| alert.resolved_at.is_none_or(|ended| ended > newest - RECENTLY_ENDED);
        let mut alerts: Vec<Alert> = held.alerts.values().filter(recent).cloned().collect();
        alerts.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
        Ok(Snapshot { alerts, states: held.states.clone(), watermarks: held.watermarks.clone() })
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let mut held = self.held();
        #[cfg(test)]
        if held.is_full {
            return Err(StoreError { doing: "writing".into(), problem: "no space left".into(), locked: false });
        }
        for alert in commit.alerts {
            if alert.state == AlertState::Inactive {
                held.alerts.remove(&alert.id);
            } else {
                held.alerts.insert(alert.id.clone(), alert);
            }
        }
        commit.forgotten.iter().for_each(|instance| drop(held.states.remove(instance)));
        held.states.extend(commit.states);
        commit.deliveries.into_iter().for_each(|new| held.insert(new));
        commit.resent.iter().for_each(|(id, at)| held.resend(id, *at));
        let hours = commit.hours.into_iter();
        held.hours.extend(hours.map(|(instance, generation, hour)| ((generation, hour.end, instance), hour)));
        let slices = commit.slices.into_iter();
        held.slices.extend(slices.map(|(slo, generation, end, bytes)| ((slo, generation, end), bytes)));
        held.watermarks.extend(commit.watermarks);
        commit.records.into_iter().for_each(|record| held.keep(record));
        commit.renamed.iter().filter(|(from, to)| from != to).for_each(|(from, to)| held.rename(from, to));
        Ok(())
    }

    async fn hours(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError> {
        Ok(newer(&self.held().hours, slo, generation, after))
    }

    async fn days(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError> {
        let held = self.held();
        let mut days = held.days.clone();
        for (key, day) in by_day(held.hours.iter()) {
            let fuller = days.get(&key).is_none_or(|known| day.measured > known.measured);
            if fuller {
                days.insert(key, day);
            }
        }
        Ok(newer(&days, slo, generation, after))
    }

    async fn slices(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(Timestamp, Vec<u8>)>, StoreError> {
        let held = self.held();
        let of_slo = held.slices.iter().filter(|((this, of, end), _)| this == slo && of == generation && *end > after);
        Ok(of_slo.map(|((_, _, end), bytes)| (*end, bytes.clone())).collect())
    }

    async fn heads(&self, sink: &str, due: Timestamp, order: Order, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let held = self.held();
        let mut heads = Vec::new();
        let (mut keys, mut threads) = (BTreeSet::new(), BTreeSet::new());
        for row in held.pending(sink) {
            let first_of_key = keys.insert(row.key());
            let first_of_thread = order == Order::Keys || threads.insert(row.thread.as_str());
            if first_of_key && first_of_thread {
                heads.push(row);
            }
        }
        let is_due = |row: &&Row| match row.delivery.next_attempt_at {
            Some(next) => next <= due || next > due + LONGEST_WAIT || held.overtaken(row),
            None => true,
        };
        heads.retain(is_due);
        heads.sort_by_key(|row| {
            let (next, severity) = (row.delivery.next_attempt_at, row.delivery.notification.severity);
            (severity != AlertSeverity::Page, next.is_some(), severity, next, row.delivery.sequence)
        });
        Ok(heads.into_iter().take(limit).map(|row| row.delivery.clone()).collect())
    }

    async fn backlog(&self, sink: &str, now: Timestamp) -> Result<Backlog, StoreError> {
        let held = self.held();
        Ok(Backlog {
            pending: held.pending(sink).count() as u64,
            oldest: held.pending(sink).map(|row| row.delivery.created_at).min(),
            next: held.pending(sink).filter_map(|row| row.delivery.next_attempt_at).filter(|next| *next > now).min(),
        })
    }

    async fn attempting(&self, delivery: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut held = self.held();
        let row = held.row(delivery)?;
        row.delivery.attempts.push(Attempt { at, outcome: "ambiguous".to_owned(), message: UNDER_WAY.to_owned() });
        row.under_way = true;
        Ok(())
    }

    async fn attempted(
        &self,
        delivery: &str,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
        handle: Option<String>,
    ) -> Result<(), StoreError> {
        let mut held = self.held();
        let row = held.row(delivery)?;
        if row.under_way {
            row.delivery.attempts.pop();
        }
        row.under_way = false;
        row.delivery.attempts.push(attempt);
        row.delivery.state = state;
        row.delivery.next_attempt_at = next_attempt_at.filter(|_| state == DeliveryState::Pending);
        row.delivery.handle = handle.or_else(|| row.delivery.handle.take());
        Ok(())
    }

    async fn thread(&self, sink: &str, thread: &str) -> Result<ThreadState, StoreError> {
        let held = self.held();
        let of = |row: &&Row| row.delivery.sink == sink;
        let rows: Vec<&Row> = held.at(held.places.threads.get(thread)).rev().filter(of).collect();
        let handle = rows.iter().find_map(|row| row.delivery.handle.clone());
        let ambiguous = |row: &&Row| row.delivery.attempts.iter().any(|attempt| attempt.outcome == "ambiguous");
        Ok(ThreadState { perhaps_told: handle.is_none() && rows.iter().any(ambiguous), handle })
    }

    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError> {
        let held = self.held();
        let mut records: Vec<Record> = held.records.values().filter(|record| record.kind == kind).cloned().collect();
        records.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        records.truncate(limit);
        Ok(records)
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.held().records.get(&(kind, id.to_owned())).cloned())
    }

    async fn settled(&self, delivery: &str, state: DeliveryState) -> Result<(), StoreError> {
        let mut held = self.held();
        let row = held.row(delivery)?;
        row.delivery.state = state;
        row.delivery.next_attempt_at = None;
        Ok(())
    }

    async fn standing(&self, sink: &str, ended_since: Timestamp) -> Result<Vec<Notification>, StoreError> {
        let held = self.held();
        let counts = |row: &&Row| row.delivery.sink == sink && row.delivery.state != DeliveryState::Superseded;
        let newest: BTreeMap<&str, &Row> = held.deliveries.iter().filter(counts).map(|row| (row.key(), row)).collect();
        let stands = |row: &&Row| {
            let delivery = &row.delivery;
            let done = delivery.state == DeliveryState::Done;
            let perhaps = delivery.attempts.iter().any(|attempt| attempt.outcome == "ambiguous");
            let alert = &delivery.notification.alert_id;
            (row.fires() && (done || perhaps) && held.fires(alert))
                || (row.resolves() && done && delivery.created_at >= ended_since)
        };
        let mut standing: Vec<&Row> = newest.into_values().filter(stands).collect();
        standing.sort_by_key(|row| row.delivery.sequence);
        Ok(standing.into_iter().map(|row| row.delivery.notification.clone()).collect())
    }

    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let held = self.held();
        let wanted = |delivery: &&Delivery| {
            filter.state.is_none_or(|state| state == delivery.state)
                && filter.alert_id.as_ref().is_none_or(|alert| *alert == delivery.notification.alert_id)
                && filter.sink.as_ref().is_none_or(|sink| *sink == delivery.sink)
        };
        let rows: Box<dyn Iterator<Item = &Row>> = match &filter.alert_id {
            Some(alert) => Box::new(held.of_alert(alert).rev()),
            None => Box::new(held.deliveries.iter().rev()),
        };
        Ok(rows.map(|row| &row.delivery).filter(wanted).take(limit).cloned().collect())
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        Ok(self.held().row(id).ok().map(|row| row.delivery.clone()))
    }

    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError> {
        let held = self.held();
        let wanted = |alert: &&Alert| {
            filter.state.as_ref().is_none_or(|state| state == state_name(alert.state))
                && filter.severity.as_ref().is_none_or(|severity| severity == alert.severity.name())
                && filter.slo.as_ref().is_none_or(|slo| is_of_slo(&alert.slo, slo))
        };
        let mut alerts: Vec<&Alert> = held.alerts.values().filter(wanted).collect();
        alerts.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
        Ok(alerts.into_iter().take(limit).cloned().collect())
    }

    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        Ok(self.held().alerts.get(id).cloned())
    }

    async fn prune(&self, now: Timestamp, keep: Keep) -> Result<(), StoreError> {
        let mut held = self.held();
        let before = (now - keep.hours).floor_to(DAY);
        held.fold(before);
        held.slices.retain(|(_, _, end), _| *end > before);
        let oldest = now - keep.history;
        held.days.retain(|(_, end, _), _| *end > oldest);
        let waiting: Vec<String> = held
            .deliveries
            .iter()
            .filter(|row| row.pending())
            .map(|row| row.delivery.notification.alert_id.clone())
            .collect();
        held.alerts.retain(|id, alert| alert.resolved_at.is_none_or(|ended| ended > oldest) || waiting.contains(id));
        let Held { alerts, deliveries, records, .. } = &mut *held;
        records.retain(|(kind, id), record| {
            let of_alert = *kind == RecordKind::Case && alerts.contains_key(id);
            record.at > oldest || *kind == RecordKind::Setting || of_alert
        });
        deliveries.retain(|row| {
            let delivery = &row.delivery;
            row.pending() || delivery.created_at > oldest || alerts.contains_key(&delivery.notification.alert_id)
        });
        held.places = Places::of(&held.deliveries);
        Ok(())
    }
}
