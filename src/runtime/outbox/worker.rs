//! The task of one sink: takes the heads of its queues, has them delivered, writes down what came of it.
//!
//! Each round is idempotent and takes no input but the store, the clock and a signal. A try is written when it begins and
//! when it ends. What cannot be written (full disk) is kept in memory and written later; its row is not tried meanwhile.
//! A refused write of a begin holds no page back. At most [`AT_ONCE`] tries at a time, one of each dedup key, because the
//! store gives only the oldest of each. A `Retry-After` shuts the sink as a whole: it is the receiver that is busy.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, jitter};
use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::runtime::outbox::rule::{Decision, Written, decide, follow, perhaps_told};
use crate::sink::{DeliveryVerdict, Outcome, Sink, Task};
use crate::store::{Delivery, DeliveryFilter, DeliveryState, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::event::{DeliveryAttempt, DeliverySuperseded, OutboxState, RefreshFailed, StoreFailure};
use crate::units::{Length, Timestamp};

/// Tries at a time to one sink: a slow one must not hold a page behind seven tickets.
const AT_ONCE: usize = 8;
/// How often a sink that is refreshed is told the state (INTERFACES 5).
const REFRESH_EVERY: Length = Length::from_minutes(1);
/// How long an end goes on being told (INTERFACES 5).
const END_TOLD_FOR: Length = Length::from_minutes(15);
/// A round at least this often, should a signal be missed.
const AT_LEAST_EVERY: Length = Length::from_minutes(1);
/// Pause after the store failed.
const STORE_PAUSE: Length = Length::from_seconds(5);
/// Rows of one alert to one sink; a longer history says nothing new.
const HISTORY: usize = 1_000;

/// What all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) telemetry: Telemetry,
    pub(super) wake: Arc<Notify>,
}

/// One worker.
pub(super) struct Worker {
    name: String,
    sink: watch::Receiver<Sink>,
    shared: Shared,
    stop: CancellationToken,
    tries: JoinSet<Outcome>,
    under_way: HashMap<Id, Delivery>,
    unwritten: Vec<Written>,
    shut_until: Option<Timestamp>,
    refreshed_at: Option<Timestamp>,
}

impl Worker {
    pub(super) fn new(name: String, sink: watch::Receiver<Sink>, shared: Shared, stop: CancellationToken) -> Self {
        Self {
            name,
            sink,
            shared,
            stop,
            tries: JoinSet::new(),
            under_way: HashMap::new(),
            unwritten: Vec::new(),
            shut_until: None,
            refreshed_at: None,
        }
    }

    /// Works until it is told to stop; then ends what is under way and what was never tried.
    pub(super) async fn run(mut self) {
        let wake = Arc::clone(&self.shared.wake);
        let stop = self.stop.clone();
        loop {
            // Made before the store is read: what is committed after the read wakes us.
            let woken = wake.notified();
            let until = self.round(false).await;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.tries.join_next_with_id() => self.ended(ended).await,
                () = woken => {}
                () = self.shared.clock.sleep_until(until) => {}
            }
        }
        // A page decided just before the end goes out now: nobody may start us again soon.
        loop {
            self.round(true).await;
            match self.tries.join_next_with_id().await {
                Some(ended) => self.ended(ended).await,
                None => return,
            }
        }
    }

    /// One round; says when the next one is due.
    async fn round(&mut self, stopping: bool) -> Timestamp {
        let now = self.shared.clock.now();
        match self.work(now, stopping).await {
            Ok(next) => next.min(now + AT_LEAST_EVERY),
            Err(error) => {
                self.shared.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
                now + STORE_PAUSE
            }
        }
    }

    async fn work(&mut self, now: Timestamp, stopping: bool) -> Result<Timestamp, StoreError> {
        self.write_kept().await?;
        let next_refresh = if stopping { None } else { self.refresh_if_due(now).await? };
        let refresh_is_due = next_refresh.is_some_and(|next| next <= now);
        if !refresh_is_due {
            self.start_due(now, stopping).await?;
        }
        let backlog = self.shared.store.backlog(&self.name, now).await?;
        let oldest_seconds = backlog.oldest.map_or(0.0, |oldest| now.since(oldest).seconds_f64());
        let Self { name, shared, .. } = &*self;
        // One that stops may be of a sink that is gone, whose gauges are to stay gone.
        if !stopping {
            shared.telemetry.tell(&OutboxState { sink: name, pending: backlog.pending, oldest_seconds });
        }
        let times = [backlog.next, self.shut_until, next_refresh.filter(|_| !refresh_is_due)];
        Ok(times.into_iter().flatten().filter(|time| *time > now).min().unwrap_or(now + AT_LEAST_EVERY))
    }

    /// Starts as many tries as there is room for, and supersedes what is not to be sent.
    async fn start_due(&mut self, now: Timestamp, stopping: bool) -> Result<(), StoreError> {
        if self.shut_until.is_some_and(|until| until <= now) {
            self.shut_until = None;
        }
        loop {
            let busy: Vec<&str> = self.under_way.values().map(|delivery| delivery.id.as_str()).collect();
            let limit = AT_ONCE + busy.len() + self.unwritten.len();
            let mut heads = self.shared.store.heads(&self.name, now, limit).await?;
            heads.retain(|head| {
                let kept = self.unwritten.iter().any(|written| written.delivery == head.id);
                !busy.contains(&head.id.as_str()) && !kept && (!stopping || head.next_attempt_at.is_none())
            });
            let mut superseded = false;
            let mut due = Vec::new();
            for head in heads {
                match self.decide(&head).await? {
                    Decision::Supersede => {
                        self.shared.store.settled(&head.id, DeliveryState::Superseded).await?;
                        self.shared.telemetry.tell(&DeliverySuperseded { sink: &self.name, delivery: &head.id });
                        superseded = true;
                    }
                    Decision::Send(notification) => due.push((head, *notification)),
                }
            }
            let firing = self.firing_beside(&due, now).await?;
            for (head, notification) in due {
                if self.tries.len() < AT_ONCE && self.shut_until.is_none() {
                    self.begin(head, notification, &firing, now).await;
                }
            }
            // Behind a superseded row stands the next of its key.
            if !superseded {
                return Ok(());
            }
        }
    }

    async fn decide(&self, head: &Delivery) -> Result<Decision, StoreError> {
        let alert_id = head.notification.alert_id.clone();
        let over = if head.notification.state == AlertState::Firing {
            let alert = self.shared.store.alert(&alert_id).await?;
            alert.is_some_and(|alert| alert.state == AlertState::Resolved)
        } else {
            false
        };
        let filter = DeliveryFilter { alert_id: Some(alert_id), sink: Some(self.name.clone()), state: None };
        let others = self.shared.store.deliveries(&filter, HISTORY).await?;
        Ok(decide(head, &others, over))
    }

    /// What fires at a sink that keeps states, or is about to, while an end is due: the end must not end that, too.
    async fn firing_beside(
        &self,
        due: &[(Delivery, Notification)],
        now: Timestamp,
    ) -> Result<Arc<[Notification]>, StoreError> {
        let fires = |notification: &&Notification| notification.state != AlertState::Resolved;
        let keeps_states = self.sink.borrow().is_refreshed();
        if !keeps_states || due.iter().all(|(_, notification)| fires(&notification)) {
            return Ok(Arc::default());
        }
        let standing = self.shared.store.standing(&self.name, now).await?;
        let under_way = self.under_way.values().map(|delivery| &delivery.notification);
        let all = standing.iter().chain(under_way).chain(due.iter().map(|(_, notification)| notification));
        Ok(all.filter(fires).cloned().collect())
    }

    async fn begin(
        &mut self,
        head: Delivery,
        notification: Notification,
        firing: &Arc<[Notification]>,
        now: Timestamp,
    ) {
        if let Err(error) = self.shared.store.attempting(&head.id, now).await {
            self.shared.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
        }
        let handle = match self.shared.store.handle(&self.name, &notification.thread()).await {
            Ok(handle) => handle,
            Err(error) => {
                self.shared.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
                None
            }
        };
        let task = Task { notification, handle, perhaps_told: perhaps_told(&head) };
        let sink = self.sink.borrow().clone();
        let firing = Arc::clone(firing);
        let task = self.tries.spawn(async move { sink.deliver(&task, &firing, now).await });
        self.under_way.insert(task.id(), head);
    }

    /// A try has ended.
    async fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // The receiver may have been reached before.
                let message = "the sink failed from within".to_owned();
                (error.id(), Outcome::new(DeliveryVerdict::Ambiguous, message))
            }
        };
        let Some(head) = self.under_way.remove(&id) else { return };
        let now = self.shared.clock.now();
        let refreshed = self.sink.borrow().is_refreshed();
        let told_to_wait = matches!(outcome.verdict, DeliveryVerdict::Retry(Some(_)));
        let written = follow(&head, outcome, refreshed, now, jitter());
        if told_to_wait {
            self.shut_until = self.shut_until.max(written.next_attempt_at);
        }
        let outcome = if written.state == DeliveryState::Expired { "expired" } else { &written.attempt.outcome };
        let message = &written.attempt.message;
        let told = DeliveryAttempt { sink: &self.name, delivery: &written.delivery, outcome, message };
        self.shared.telemetry.tell(&told);
        self.unwritten.push(written);
        if let Err(error) = self.write_kept().await {
            self.shared.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
        }
    }

    async fn write_kept(&mut self) -> Result<(), StoreError> {
        while let Some(written) = self.unwritten.first() {
            let Written { delivery, attempt, state, next_attempt_at, handle } = written.clone();
            self.shared.store.attempted(&delivery, attempt, state, next_attempt_at, handle).await?;
            self.unwritten.remove(0);
        }
        Ok(())
    }

    /// Tells the state if it is time and nothing is under way, since a refresh must not overtake a newer event. Gives the
    /// time of the next refresh; `None` for sinks that are not refreshed.
    async fn refresh_if_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sink = self.sink.borrow().clone();
        let Sink::Refresh(sink) = sink else { return Ok(None) };
        // A clock that was set back must not silence us.
        let last = self.refreshed_at.filter(|last| *last <= now);
        let due = last.map_or(now, |last| last + REFRESH_EVERY);
        if due > now || !self.tries.is_empty() {
            return Ok(Some(due));
        }
        let standing = self.shared.store.standing(&self.name, now - END_TOLD_FOR).await?;
        self.refreshed_at = Some(now);
        if !standing.is_empty() {
            let outcome = tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                outcome = sink.refresh(&standing, now) => outcome,
            };
            if outcome.verdict != DeliveryVerdict::Done {
                let failed = RefreshFailed { sink: &self.name, alerts: standing.len(), message: &outcome.message };
                self.shared.telemetry.tell(&failed);
            }
        }
        Ok(Some(now + REFRESH_EVERY))
    }
}
