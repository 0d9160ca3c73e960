//! The task of one sink: takes the heads of its queues, has them delivered, writes down what came of it.
//!
//! Each round is idempotent and takes no input but the store, the clock, the gate and a signal. A try is written when it
//! begins and when it ends. What cannot be written (full disk) is kept in memory and written later; its row is not tried
//! meanwhile. A refused write of a begin holds no page back. At most [`AT_ONCE`] tries at a time, one of each dedup key
//! and, where the sink keeps threads, one of each thread, because the store gives only the oldest of each. Many heads are
//! read at once and worked off, so that 10,000 rows are not read 10,000 times.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::jitter;
use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::runtime::outbox::fallback;
use crate::runtime::outbox::gate::{Admission, Ask, End};
use crate::runtime::outbox::relief::Relief;
use crate::runtime::outbox::rule::{Written, follow, is_held, is_test, is_wanted_now, last_try, perhaps_told};
use crate::runtime::outbox::shared::Shared;
use crate::sink::{DeliveryVerdict, Outcome, Sink, Task};
use crate::spec::policy::AlertSeverity;
use crate::store::{Delivery, DeliveryState, LONGEST_WAIT, NewDelivery, Order, StoreError, ThreadState};
use crate::telemetry::event::{DeliveryAttempt, OutboxState, RefreshFailed};
use crate::telemetry::sinks::{DeliveryAlarm, SinkGate};
use crate::units::{Length, Timestamp};

/// Tries at a time to one sink: a slow one must not hold a page behind seven tickets.
const AT_ONCE: usize = 8;
/// Heads that are read at once.
const AT_A_LOOK: usize = 256;
/// While heads are worked off, the store is looked at this often for what stood behind them.
const LOOK_AGAIN: Length = Length::from_seconds(1);
/// How often a sink that is refreshed is told the state (INTERFACES 5).
const REFRESH_EVERY: Length = Length::from_minutes(1);
/// How long an end goes on being told (INTERFACES 5).
const END_TOLD_FOR: Length = Length::from_minutes(15);
/// A round at least this often, should a signal be missed.
const AT_LEAST_EVERY: Length = Length::from_minutes(1);
/// Pause after the store failed.
const STORE_PAUSE: Length = Length::from_seconds(5);
/// What the store was seen to hold.
#[derive(Default)]
struct Look {
    /// Heads that were not started yet, in order.
    heads: VecDeque<Delivery>,
    /// None: it has to be looked at first.
    at: Option<Timestamp>,
    /// When the next row is due.
    next: Option<Timestamp>,
    /// Rows that were not heads may be heads now.
    moved: bool,
    /// Every head was judged while a gate was shut: one that stays behind it need not be judged again.
    judged: bool,
}

/// One worker.
pub(super) struct Worker {
    name: String,
    sink: watch::Receiver<Sink>,
    shared: Shared,
    stop: CancellationToken,
    tries: JoinSet<Outcome>,
    under_way: HashMap<Id, Delivery>,
    /// Ends of tries that could not be written yet, each with the rows that follow from it.
    unwritten: Vec<(Vec<NewDelivery>, Written)>,
    look: Look,
    /// The gate was not simply open when it was last asked: when it opens, all may go, whatever they wait for.
    was_shut: bool,
    refreshed_at: Option<Timestamp>,
    relief: Relief,
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
            look: Look::default(),
            was_shut: false,
            refreshed_at: None,
            relief: Relief::default(),
        }
    }

    /// Works until it is told to stop; then ends what is under way and what was never tried.
    pub(super) async fn run(mut self) {
        let (wake, gates) = (Arc::clone(&self.shared.wake), Arc::clone(&self.shared.gates));
        let stop = self.stop.clone();
        loop {
            // Made before the store is read: what is committed after the read wakes us.
            let (woken, moved) = (wake.notified(), gates.moved.notified());
            let until = self.round(false).await;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = self.tries.join_next_with_id() => self.ended(ended).await,
                () = woken => self.look.at = None,
                () = moved => {}
                () = self.shared.clock.sleep_until(until) => {}
                // The clock may be set back meanwhile, and `until` be far.
                () = self.shared.clock.sleep(AT_LEAST_EVERY) => {}
            }
        }
        // A page decided just before the end goes out now: nobody may start us again soon.
        loop {
            self.look.at = None;
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
                self.shared.failed(&error);
                self.look.at = None;
                now + STORE_PAUSE
            }
        }
    }

    async fn work(&mut self, now: Timestamp, stopping: bool) -> Result<Timestamp, StoreError> {
        self.write_kept().await?;
        let next_refresh = if stopping { None } else { self.refresh_if_due(now).await? };
        let refresh_is_due = next_refresh.is_some_and(|next| next <= now);
        let mut gate = None;
        if !refresh_is_due {
            gate = self.start_due(now, stopping).await?;
        }
        if !stopping {
            let busy = self.under_way.values().map(|delivery| &delivery.id);
            let busy = busy.chain(self.unwritten.iter().map(|(_, written)| &written.delivery)).cloned().collect();
            self.relief.relieve(&self.shared, &self.name, &busy, now).await?;
        }
        let again = self.look.moved.then(|| self.look.at.unwrap_or(now) + LOOK_AGAIN);
        let times = [self.look.next, gate, again, next_refresh.filter(|_| !refresh_is_due)];
        Ok(times.into_iter().flatten().filter(|time| *time > now).min().unwrap_or(now + AT_LEAST_EVERY))
    }

    /// Reads the heads, where what was read last no longer says enough.
    async fn look_if_needed(&mut self, now: Timestamp, stopping: bool) -> Result<(), StoreError> {
        let gates = &self.shared.gates;
        let shut = gates.shut_until(&Ask {
            sink: &self.name,
            page: false,
            fresh: false,
            eager: false,
            pace: Length::ZERO,
            now,
        });
        // Also where what it logs in with has changed, and it may be open.
        let opened = gates.take_invitation(&self.name) || self.was_shut && gates.is_open(&self.name, now);
        let look = &self.look;
        let aged = |at: Timestamp| {
            at > now || at + AT_LEAST_EVERY <= now || look.moved && (look.heads.is_empty() || at + LOOK_AGAIN <= now)
        };
        let fresh = look.at.is_some_and(|at| !aged(at)) && look.next.is_none_or(|next| next > now) && !opened;
        self.was_shut = shut.is_some() || self.was_shut && !opened;
        if fresh {
            return Ok(());
        }
        let busy: BTreeSet<&str> = self.under_way.values().map(|delivery| delivery.id.as_str()).collect();
        let kept: BTreeSet<&str> = self.unwritten.iter().map(|(_, written)| written.delivery.as_str()).collect();
        let limit = AT_A_LOOK + busy.len() + kept.len();
        // One success opens it for all: rows that were tried in vain do not wait for their own time.
        let due = if opened { now + LONGEST_WAIT } else { now };
        let order = if self.sink.borrow().keeps_threads() { Order::Threads } else { Order::Keys };
        let mut heads = self.shared.store.heads(&self.name, due, order, limit).await?;
        heads.retain(|head| {
            let id = head.id.as_str();
            !busy.contains(id) && !kept.contains(id) && (!stopping || head.next_attempt_at.is_none())
        });
        let backlog = self.shared.store.backlog(&self.name, now).await?;
        self.look = Look { heads: heads.into(), at: Some(now), next: backlog.next, moved: false, judged: false };
        // One that stops may be of a sink that is gone, whose gauges are to stay gone.
        if !stopping {
            let (sink, telemetry) = (self.name.as_str(), &self.shared.telemetry);
            let oldest_seconds = backlog.oldest.map_or(0.0, |oldest| now.since(oldest).seconds_f64());
            telemetry.tell(&OutboxState { sink, pending: backlog.pending, oldest_seconds });
            telemetry.tell(&SinkGate { sink, open: shut.is_none() });
        }
        Ok(())
    }

    /// Starts as many tries as there is room for, and supersedes what is not to be sent. Says when the gate lets more go.
    async fn start_due(&mut self, now: Timestamp, stopping: bool) -> Result<Option<Timestamp>, StoreError> {
        loop {
            self.look_if_needed(now, stopping).await?;
            let (superseded, gate) = self.work_off(now).await?;
            // Behind a superseded row stands the next of its key.
            if !superseded || self.tries.len() >= AT_ONCE {
                return Ok(gate);
            }
            self.look.at = None;
        }
    }

    /// Goes through the heads that were read. Says whether some were superseded, and when the gate lets more go.
    async fn work_off(&mut self, now: Timestamp) -> Result<(bool, Option<Timestamp>), StoreError> {
        let judged_before = self.look.judged;
        let (mut superseded, mut gate, mut waiting): (_, Option<Timestamp>, _) = (false, None, Vec::new());
        while self.tries.len() < AT_ONCE {
            let Some(head) = self.look.heads.pop_front() else { break };
            if let Some(until) = self.shared.gates.shut_until(&self.ask(&head, now)).filter(|_| judged_before) {
                gate = Some(gate.map_or(until, |sooner| sooner.min(until)));
                waiting.push(head);
                continue;
            }
            let Some(notification) = self.shared.judge(&head, now).await? else {
                superseded = true;
                continue;
            };
            let firing = self.firing_beside(&notification, now).await?;
            match self.shared.gates.admit(&self.ask(&head, now)) {
                Admission::Go => {
                    if !self.begin(&head, notification, firing, now).await {
                        self.look.at = None;
                    }
                }
                Admission::Paced(until) => {
                    gate = Some(until);
                    waiting.push(head);
                    break;
                }
                Admission::Shut(until) => {
                    gate = Some(gate.map_or(until, |sooner| sooner.min(until)));
                    if judged_before || !self.give_up_waiting(&head, now).await? {
                        waiting.push(head);
                    }
                    self.look.judged = true;
                }
            }
        }
        for head in waiting.into_iter().rev() {
            self.look.heads.push_front(head);
        }
        self.look.moved |= superseded;
        Ok((superseded, gate))
    }

    fn ask(&self, head: &Delivery, now: Timestamp) -> Ask<'_> {
        let (page, every) = (head.notification.severity == AlertSeverity::Page, self.sink.borrow().pace());
        let fresh = head.attempts.is_empty();
        let eager = self.is_too_old(head, now) && !fresh || is_wanted_now(head);
        Ask { sink: &self.name, page, fresh, eager, pace: every, now }
    }

    /// Past the horizon; a state has none.
    fn is_too_old(&self, head: &Delivery, now: Timestamp) -> bool {
        last_try(head) <= now && !self.sink.borrow().is_refreshed()
    }

    /// A row that waits behind a gate: where somebody has to mend something, fallback sinks are told at once; past the
    /// horizon it expires. Says whether it did.
    async fn give_up_waiting(&self, head: &Delivery, now: Timestamp) -> Result<bool, StoreError> {
        // One that was tried has a last try to come.
        let too_old = self.is_too_old(head, now) && head.attempts.is_empty();
        let misconfigured = self.shared.gates.is_misconfigured(&self.name);
        if !too_old && !misconfigured {
            return Ok(false);
        }
        let why = if too_old { "not accepted within 24 h" } else { "its address or key has to be mended" };
        self.shared.tell_in_place(head, why, now).await?;
        if too_old {
            self.shared.store.settled(&head.id, DeliveryState::Expired).await?;
            let told = DeliveryAttempt { sink: &self.name, delivery: &head.id, outcome: "expired", message: why };
            self.shared.telemetry.tell(&told);
        }
        Ok(too_old)
    }

    /// What fires at a sink that keeps states, or is about to, while an end is due: the end must not end that, too.
    async fn firing_beside(
        &self,
        notification: &Notification,
        now: Timestamp,
    ) -> Result<Arc<[Notification]>, StoreError> {
        let fires = |notification: &&Notification| notification.state != AlertState::Resolved;
        let keeps_states = self.sink.borrow().is_refreshed();
        if !keeps_states || fires(&notification) {
            return Ok(Arc::default());
        }
        let standing = self.shared.store.standing(&self.name, now).await?;
        let under_way = self.under_way.values().map(|delivery| &delivery.notification);
        let waiting = self.look.heads.iter().map(|delivery| &delivery.notification);
        let all = standing.iter().chain(under_way).chain(waiting);
        Ok(all.filter(fires).cloned().collect())
    }

    /// Begins a try; says whether it could.
    async fn begin(
        &mut self,
        head: &Delivery,
        notification: Notification,
        firing: Arc<[Notification]>,
        now: Timestamp,
    ) -> bool {
        let sink = self.sink.borrow().clone();
        let thread = match self.shared.store.thread(&self.name, &notification.thread()).await {
            Ok(thread) => thread,
            Err(error) => {
                self.shared.failed(&error);
                // Without what is known of the thread it might open a second ticket.
                if sink.keeps_threads() {
                    return false;
                }
                ThreadState::default()
            }
        };
        if let Err(error) = self.shared.store.attempting(&head.id, now).await {
            self.shared.failed(&error);
        }
        let perhaps_told = perhaps_told(head) || sink.keeps_threads() && thread.perhaps_told;
        let task = Task { notification, handle: thread.handle, perhaps_told };
        let task = self.tries.spawn(async move { sink.deliver(&task, &firing, now).await });
        self.under_way.insert(task.id(), head.clone());
        true
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
        let (verdict, bad_key, alarm) = (outcome.verdict, is_held(&outcome), outcome.alarm.clone());
        let shuts = bad_key || matches!(verdict, DeliveryVerdict::Retry(Some(_)));
        let jitter = jitter();
        let written = follow(&head, outcome, refreshed, now, jitter);
        let (next, test) = (written.next_attempt_at, is_test(&head.notification));
        self.shared.gates.ended(&self.name, &End { verdict, next, shuts, test, now, jitter }, &written.attempt.message);
        let outcome = if written.state == DeliveryState::Expired { "expired" } else { &written.attempt.outcome };
        let message = &written.attempt.message;
        let told = DeliveryAttempt { sink: &self.name, delivery: &written.delivery, outcome, message };
        self.shared.telemetry.tell(&told);
        let rows = self.consequences(&head, &written, bad_key, alarm.as_deref(), now);
        self.unwritten.push((rows, written));
        self.look.moved = true;
        if let Err(error) = self.write_kept().await {
            self.shared.failed(&error);
        }
        // Another failure says nothing of what was wrong before.
        if alarm.is_some() || verdict == DeliveryVerdict::Done {
            self.shared.gates.alarmed(&self.name, alarm.clone().map(|text| (now, text)));
        }
        if alarm.is_some() {
            self.relief.alarmed();
        } else if verdict == DeliveryVerdict::Done
            && let Err(error) = self.relief.fine(&self.shared, &self.name, now).await
        {
            self.shared.failed(&error);
        }
    }

    /// The rows that follow from a try: for fallback sinks, and of an alarm.
    fn consequences(
        &self,
        head: &Delivery,
        written: &Written,
        bad_key: bool,
        alarm: Option<&str>,
        now: Timestamp,
    ) -> Vec<NewDelivery> {
        let backing = self.shared.backing.borrow();
        let lost = matches!(written.state, DeliveryState::Failed | DeliveryState::Expired);
        let first = !head.attempts.iter().any(|attempt| attempt.outcome == DeliveryVerdict::Misconfigured.name());
        let mut rows = Vec::new();
        if lost || bad_key && first {
            rows.extend(fallback::in_place(&backing, head, &written.attempt.message, now));
        }
        if let Some(text) = alarm {
            self.shared.telemetry.tell(&DeliveryAlarm { sink: &self.name, delivery: &head.id, text });
            rows.extend(fallback::alarm(&backing, head, text, now));
        }
        rows
    }

    /// What follows is written first: killed between the two, the try counts as ambiguous and is made again, and a row
    /// that is there already stays as it is.
    async fn write_kept(&mut self) -> Result<(), StoreError> {
        while let Some((rows, written)) = self.unwritten.first() {
            let (rows, written) = (rows.clone(), written.clone());
            self.shared.commit(rows).await?;
            let Written { delivery, attempt, state, next_attempt_at, handle } = written;
            self.shared.store.attempted(&delivery, attempt, state, next_attempt_at, handle).await?;
            self.look.next = self.look.next.into_iter().chain(next_attempt_at).min();
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
            if outcome.verdict == DeliveryVerdict::Done {
                let end = End { verdict: outcome.verdict, next: None, shuts: false, test: false, now, jitter: 0.0 };
                self.shared.gates.ended(&self.name, &end, &outcome.message);
            } else {
                let failed = RefreshFailed { sink: &self.name, alerts: standing.len(), message: &outcome.message };
                self.shared.telemetry.tell(&failed);
            }
        }
        Ok(Some(now + REFRESH_EVERY))
    }
}
