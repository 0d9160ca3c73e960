//! The desk at work: what the alert machine hands over, what people and silences change, what falls due by time.
//!
//! One desk serves the whole service, behind one lock that is held until what was decided is written: records of one case
//! are written in the order in which they were decided. Its tellings are committed with its records and with the alerts
//! they are about; where that fails the recorder keeps all of it. What a person does is written or undone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::policy::act::{Ack, AlertVerdict};
use crate::policy::alert::AlertState;
use crate::policy::desk::case::Case;
use crate::policy::desk::found::DigestFound;
use crate::policy::desk::memory::OPEN;
use crate::policy::desk::{Before, Decided, Desk, Kept, NotDone, REMEMBERED, Rules};
use crate::policy::notification::Notification;
use crate::policy::quiet::{About, Quiets};
use crate::runtime::core::Core;
use crate::runtime::outbox::{deliveries_for, sinks_of_end};
use crate::runtime::service::ActError;
use crate::store::{Commit, Record, RecordKind, Store, StoreError};
use crate::telemetry::event::StoreFailure;
use crate::units::{Length, Timestamp};

/// How many records are read at first; four times as many while all of them are open.
const FIRST_READ: usize = 1_000;
/// Without anything open the desk looks again after this; it is woken before.
const IDLE: Length = Length::from_hours(1);

/// The desk and what wakes its task.
#[derive(Default)]
pub struct Counter {
    desk: Mutex<Desk>,
    wake: Notify,
    /// Silences or routes changed since it last looked at everything.
    changed: AtomicBool,
}

impl Counter {
    /// Everything open is looked at again, at once.
    pub fn reconsider(&self) {
        self.changed.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

/// Tells what falls due, until `stop`.
pub async fn run(core: Arc<Core>, stop: CancellationToken) {
    loop {
        let next = core.tell_due().await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = core.counter.wake.notified() => {}
            () = core.clock.sleep_until(next) => {}
        }
    }
}

impl Core {
    /// Everything that makes quiet now.
    #[must_use]
    pub fn quiets(&self) -> Arc<Quiets> {
        Arc::clone(&self.quiets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this makes quiet: everything open is looked at again at once.
    pub fn quiets_changed(&self, quiets: Quiets) {
        *self.quiets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(quiets);
        self.counter.reconsider();
    }

    /// Puts the desk back to where an earlier run left it; before anything is handed to it.
    ///
    /// # Errors
    /// As the store's.
    pub async fn restore_desk(&self) -> Result<(), StoreError> {
        let remembered = self.clock.now() - REMEMBERED;
        let cases = newest(self.store.as_ref(), RecordKind::Case, OPEN).await?;
        let digests = newest(self.store.as_ref(), RecordKind::Group, remembered).await?;
        let (desk, problems) = Desk::restore(texts(&cases), texts(&digests));
        for problem in problems {
            tracing::error!(problem, "a record of who was told of an alert cannot be read; it is left alone");
        }
        *self.counter.desk.lock().await = desk;
        self.counter.reconsider();
        Ok(())
    }

    /// Hands notifications to the desk that come from no evaluation (a drill), in one commit with `commit`: its firing
    /// first, later its end.
    pub async fn tell(&self, notification: Notification, commit: Commit) {
        self.decide(vec![notification], &[], commit).await;
    }

    /// What the desk makes of these, in one commit with `commit`. `ended`: alerts that ended of which nobody was told.
    pub(super) async fn decide(&self, told: Vec<Notification>, ended: &[String], mut commit: Commit) {
        let mut desk = self.counter.desk.lock().await;
        let (config, quiets, now) = (self.config(), self.quiets(), self.clock.now());
        let quiet = |about: About<'_>, at: Timestamp| quiets.over(about, at);
        let current = |about: &Notification, depth| self.figures(about, depth);
        let rules = Rules { config: &config, quiet: &quiet, current: &current };
        for notification in told {
            let end = (notification.state == AlertState::Resolved).then(|| notification.clone());
            if !desk.take(notification, &rules, now)
                && let Some(end) = end
            {
                self.tell_as_before(&end, now, &mut commit).await;
            }
        }
        for alert in ended {
            desk.ended_untold(alert, now);
        }
        desk.due(&rules, now);
        self.add(desk.drain(), now, &mut commit);
        self.write(commit).await;
        drop(desk);
        self.counter.wake.notify_one();
    }

    /// Tells what is due, and says when it is to be asked again.
    async fn tell_due(&self) -> Timestamp {
        let mut desk = self.counter.desk.lock().await;
        let (config, quiets, now) = (self.config(), self.quiets(), self.clock.now());
        let quiet = |about: About<'_>, at: Timestamp| quiets.over(about, at);
        let current = |about: &Notification, depth| self.figures(about, depth);
        let rules = Rules { config: &config, quiet: &quiet, current: &current };
        if self.counter.changed.swap(false, Ordering::SeqCst) {
            desk.reconsider(&rules, now);
        }
        desk.due(&rules, now);
        let mut commit = Commit::default();
        self.add(desk.drain(), now, &mut commit);
        let next = desk.next_due().unwrap_or(now + IDLE);
        if commit != Commit::default() {
            self.write(commit).await;
        }
        next
    }

    /// The end of an alert that was told before there was a desk: to those that have a row of its begin.
    async fn tell_as_before(&self, end: &Notification, now: Timestamp, commit: &mut Commit) {
        match sinks_of_end(self.store.as_ref(), &end.alert_id).await {
            Ok(sinks) => commit.deliveries.extend(deliveries_for(end, &sinks, now)),
            Err(error) => self.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem }),
        }
    }

    /// Puts what was decided into a commit, and says what nobody would have heard.
    fn add(&self, decided: Decided, now: Timestamp, commit: &mut Commit) {
        for alert in &decided.lost {
            let sinks = self.config().sinks.len();
            tracing::error!(alert, sinks, "no route takes this alert: every sink of events is told instead");
        }
        for mut telling in decided.tellings {
            self.links.add_to_digest(&mut telling.notification, now);
            commit.deliveries.extend(deliveries_for(&telling.notification, &telling.sinks, now));
        }
        commit.records.extend(decided.kept.into_iter().map(record));
    }

    /// The digest that is meant by the key (first) or the id (second) of its messages, at `sink` rather than elsewhere.
    pub async fn digest_of(&self, sink: Option<&str>, is_meant: impl Fn(&str, &str) -> bool) -> Option<DigestFound> {
        self.counter.desk.lock().await.digest_of(sink, is_meant)
    }

    /// The labels that are told of an alert that fires.
    pub(super) async fn labels_told(&self, alert_id: &str) -> Option<BTreeMap<String, String>> {
        let desk = self.counter.desk.lock().await;
        Some(desk.case(alert_id)?.notification.as_ref()?.labels.clone())
    }

    /// Somebody takes an alert on (or all alerts of a digest), in one commit with `commit` (the audit's entry), or not at
    /// all: no repeat and no escalation from then on.
    ///
    /// # Errors
    /// Where there is no such alert, where it has ended, and where the store does not take it.
    pub async fn acknowledge(&self, alert_id: &str, ack: Ack, commit: Commit) -> Result<(), ActError> {
        let mut desk = self.counter.desk.lock().await;
        let fires = desk.case(alert_id).is_some() || self.fires(alert_id).await?;
        match desk.ack(alert_id, &ack, fires) {
            Ok(before) => {
                let (config, quiets, now) = (self.config(), self.quiets(), self.clock.now());
                let quiet = |about: About<'_>, at: Timestamp| quiets.over(about, at);
                let current = |about: &Notification, depth| self.figures(about, depth);
                desk.tell_ack(&before, &ack, &Rules { config: &config, quiet: &quiet, current: &current }, now);
                let written = self.write_act(&mut desk, before, commit).await;
                drop(desk);
                // Who was still to be told in a digest that is taken on now is told apart.
                self.counter.wake.notify_one();
                written
            }
            Err(NotDone::Ended) => Err(ended(alert_id)),
            // A drill that is over has a record and no alert.
            Err(NotDone::Unknown) => match self.store.record(RecordKind::Case, alert_id).await? {
                Some(_) => Err(ended(alert_id)),
                None => Err(unknown(alert_id)),
            },
        }
    }

    /// Nobody works on an alert (or a digest's alerts) any more, in one commit with `commit`, or not at all.
    ///
    /// # Errors
    /// Where there is no such alert, where nobody had taken it on, and where the store does not take it.
    pub async fn unacknowledge(&self, alert_id: &str, commit: Commit) -> Result<(), ActError> {
        let mut desk = self.counter.desk.lock().await;
        let before = desk.unack(alert_id).map_err(|not_done| match not_done {
            NotDone::Unknown => unknown(alert_id),
            NotDone::Ended => ActError::Conflict(format!("nobody has taken `{alert_id}` on")),
        })?;
        let written = self.write_act(&mut desk, before, commit).await;
        drop(desk);
        // What is overdue is told now.
        self.counter.wake.notify_one();
        written
    }

    /// Says what an alert was worth, open or ended, in one commit with `commit`, or not at all.
    ///
    /// # Errors
    /// Where there is no such alert, and where the store does not take it.
    pub async fn judge(
        &self,
        alert_id: &str,
        verdict: AlertVerdict,
        by: &str,
        mut commit: Commit,
    ) -> Result<(), ActError> {
        let mut desk = self.counter.desk.lock().await;
        let alert = self.store.alert(alert_id).await?;
        let fires = alert.as_ref().is_some_and(|alert| alert.state == AlertState::Firing);
        if let Ok(before) = desk.judge(alert_id, verdict, by, fires) {
            return self.write_act(&mut desk, before, commit).await;
        }
        let kept = self.store.record(RecordKind::Case, alert_id).await?.and_then(|record| record.text);
        let mut case = match (kept, alert) {
            (Some(text), _) => Case::decode(&text).map_err(ActError::Conflict)?,
            (None, Some(alert)) => Case { ended_at: alert.resolved_at, ..Case::new(alert_id) },
            (None, None) => return Err(unknown(alert_id)),
        };
        case.verdict = Some(verdict);
        case.verdict_by = Some(by.to_owned());
        commit.records.extend(case.kept().map(record));
        Ok(self.record_now(commit).await?)
    }

    /// Whether an alert that the desk was not told of fires: held back, or in shadow.
    async fn fires(&self, alert_id: &str) -> Result<bool, ActError> {
        match self.store.alert(alert_id).await?.map(|alert| alert.state) {
            Some(AlertState::Resolved) => Err(ended(alert_id)),
            found => Ok(found == Some(AlertState::Firing)),
        }
    }

    /// Writes what a person changed, or undoes it.
    async fn write_act(&self, desk: &mut Desk, before: Before, mut commit: Commit) -> Result<(), ActError> {
        self.add(desk.drain(), self.clock.now(), &mut commit);
        let written = self.record_now(commit).await;
        if written.is_err() {
            desk.undo(before);
        }
        Ok(written?)
    }
}

fn unknown(alert_id: &str) -> ActError {
    ActError::NotFound(format!("there is no alert `{alert_id}`"))
}

fn ended(alert_id: &str) -> ActError {
    ActError::Conflict(format!("the alert `{alert_id}` has ended"))
}

fn record(kept: Kept) -> Record {
    let kind = if kept.is_digest { RecordKind::Group } else { RecordKind::Case };
    Record { kind, id: kept.id, at: kept.at, text: kept.text }
}

fn texts(records: &[Record]) -> impl Iterator<Item = &str> {
    records.iter().filter_map(|record| record.text.as_deref())
}

/// Records that ended at or after `since`. They are listed newest first, those that are open before all.
async fn newest(store: &dyn Store, kind: RecordKind, since: Timestamp) -> Result<Vec<Record>, StoreError> {
    let mut limit = FIRST_READ;
    loop {
        let mut records = store.records(kind, limit).await?;
        let read = records.len();
        records.retain(|record| record.at >= since);
        if read < limit || records.len() < read {
            return Ok(records);
        }
        limit = limit.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::config::meant::{Config, Escalation, Route, SinkConfig};
    use crate::policy::heartbeat::heartbeat;
    use crate::store::DeliveryFilter;
    use crate::store::memory::MemoryStore;
    use crate::telemetry::Telemetry;

    fn core(store: &Arc<MemoryStore>, escalate_after: Length) -> Core {
        let mut config = Config::empty(Path::new(""));
        config.sinks = ["a", "b", "c"].map(|name| (name.to_owned(), SinkConfig::Stdout)).into();
        let escalate = vec![Escalation { after: escalate_after, to: vec!["b".to_owned()] }];
        config.routes = vec![Route { to: vec!["a".to_owned()], escalate, ..Route::default() }];
        let store = Arc::clone(store);
        Core::new(Clock::system(), Telemetry::new("test"), store, Arc::new(config))
    }

    fn firing(alert: &str) -> Notification {
        let mut firing = heartbeat(&BTreeMap::new(), Timestamp::from_seconds(0));
        firing.id = format!("{alert}/1");
        alert.clone_into(&mut firing.alert_id);
        firing
    }

    fn end(alert: &str) -> Notification {
        Notification { id: format!("{alert}/2"), state: AlertState::Resolved, ..firing(alert) }
    }

    /// Ids of the rows, in their order in the outbox.
    async fn rows(store: &MemoryStore) -> Vec<String> {
        let mut rows = store.deliveries(&DeliveryFilter::default(), 100).await.unwrap();
        rows.sort_by_key(|row| row.sequence);
        rows.into_iter().map(|row| row.id).collect()
    }

    fn ack() -> Ack {
        Ack { by: "mara".to_owned(), at: Timestamp::from_seconds(5), note: None }
    }

    #[tokio::test]
    async fn another_process_goes_on_where_the_first_one_stopped() {
        let store = Arc::new(MemoryStore::new());
        core(&store, Length::from_hours(1)).tell(firing("x"), Commit::default()).await;
        assert_eq!(rows(&store).await, ["x/1@a"]);
        let second = core(&store, Length::ZERO);
        second.restore_desk().await.unwrap();
        second.tell_due().await;
        assert_eq!(rows(&store).await, ["x/1@a", "x/1@b"], "nobody took it on");
        let third = core(&store, Length::ZERO);
        third.restore_desk().await.unwrap();
        third.tell(end("x"), Commit::default()).await;
        assert_eq!(rows(&store).await, ["x/1@a", "x/1@b", "x/2@a", "x/2@b"]);
        let record = store.record(RecordKind::Case, "x").await.unwrap().unwrap();
        assert!(record.at < OPEN, "it is over");
        third.tell_due().await;
        assert_eq!(rows(&store).await.len(), 4);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_kept_and_what_a_person_did_is_undone() {
        let store = Arc::new(MemoryStore::new());
        let core = core(&store, Length::from_hours(1));
        store.set_full(true);
        core.tell(firing("x"), Commit::default()).await;
        let refused = core.acknowledge("x", ack(), Commit::default()).await;
        assert!(matches!(refused, Err(ActError::Store(_))), "{refused:?}");
        store.set_full(false);
        core.tell_due().await;
        assert_eq!(core.counter.desk.lock().await.case("x").unwrap().acked, None, "it was not done");
        core.tell(firing("y"), Commit::default()).await;
        assert_eq!(rows(&store).await, ["x/1@a", "y/1@a"], "it is written with the next");
        core.acknowledge("y", ack(), Commit::default()).await.unwrap();
        let case = store.record(RecordKind::Case, "y").await.unwrap().unwrap().text.unwrap();
        assert!(case.contains(r#""acked":{"by":"mara""#), "{case}");
    }

    #[tokio::test]
    async fn acts_say_what_is_not_there_or_has_ended() {
        let store = Arc::new(MemoryStore::new());
        let core = core(&store, Length::from_hours(1));
        let nobody = core.acknowledge("x", ack(), Commit::default()).await;
        assert!(matches!(nobody, Err(ActError::NotFound(_))), "{nobody:?}");
        let nothing = core.judge("x", AlertVerdict::Real, "ben", Commit::default()).await;
        assert!(matches!(nothing, Err(ActError::NotFound(_))), "{nothing:?}");
        core.tell(firing("x"), Commit::default()).await;
        core.tell(end("x"), Commit::default()).await;
        let over = core.acknowledge("x", ack(), Commit::default()).await;
        assert!(matches!(over, Err(ActError::Conflict(_))), "{over:?}");
        // What it was worth is often known later.
        core.judge("x", AlertVerdict::Noise, "ben", Commit::default()).await.unwrap();
        let case = store.record(RecordKind::Case, "x").await.unwrap().unwrap();
        let case = Case::decode(&case.text.unwrap()).unwrap();
        assert_eq!((case.verdict, case.verdict_by.as_deref()), (Some(AlertVerdict::Noise), Some("ben")));
        assert_eq!(case.told.keys().collect::<Vec<_>>(), ["a"], "nothing else of it changed");
    }
}
