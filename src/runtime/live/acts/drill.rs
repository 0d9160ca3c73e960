//! A drill: an alert that is none, through the real routes, escalation and acknowledgement.
//!
//! It has a dedup key and labels of its own, so that no receiver takes it for the real one; it lives in the store alone, so
//! that the SLO's state knows nothing of it. It ends when somebody takes it on or closes it, else by itself; a restart
//! between the two ends it too.

use std::sync::Arc;

use crate::engine::verdict::Verdict;
use crate::policy::act::{Acted, Actor};
use crate::policy::alert::{Alert, AlertKind, AlertState, EndedBy, TierView, Transition};
use crate::policy::episode::Episode;
use crate::policy::facts::Facts;
use crate::policy::machine::Effect;
use crate::policy::notification::{Mark, Notification, Telling};
use crate::policy::subject::{alert_id, notification_id};
use crate::runtime::entry::{Inner, SharedEntry};
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, Way, ack};
use crate::runtime::service::ActError;
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::store::{AlertFilter, Commit, DeliveryFilter, StoreError};
use crate::units::{InstanceId, Length, Timestamp};

/// A drill that nobody takes on ends by itself after this.
pub const LASTS: Length = Length::from_minutes(30);

/// Firing alerts that are looked through for drills.
const ALERTS: usize = 100_000;
/// Rows of one drill that are looked at.
const ROWS: usize = 1_000;
/// Without a drill the next look is then, in case one was begun by another process on this store.
const IDLE: Length = Length::from_hours(1);
/// The label by which receivers that know alerts by their labels tell a drill from the real one.
const LABEL: &str = "slo_drill";

/// What beginning it changes.
pub(super) async fn prepare(
    live: &Live,
    instance: &InstanceId,
    severity: AlertSeverity,
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let entry = entry_of(live, instance)?;
    // Ids go by whole seconds.
    let at = now.floor_to(Length::from_seconds(1));
    let (alert, notification) = begun(&entry, instance, severity, by, at)?;
    let open = open(live).await?;
    if let Some(open) = open.iter().find(|open| open.dedup_key == alert.dedup_key) {
        let message = format!("a drill is under way: `{}`; acknowledge or close it first", open.id);
        return Err(ActError::Conflict(message));
    }
    let message = format!("the drill has begun; it ends when it is acknowledged or closed, else after {LASTS}");
    let acted = Acted { id: alert.id.clone(), message, ..Acted::default() };
    let way = Way::Effects(vec![Effect { alert, notification: Some(notification) }]);
    let drilled = Arc::clone(&live.drilled);
    let after: Box<dyn FnOnce() + Send> = Box::new(move || drilled.notify_one());
    Ok(Prepared { acted, way, after: Some(after), ..Prepared::default() })
}

fn entry_of(live: &Live, instance: &InstanceId) -> Result<SharedEntry, ActError> {
    let unknown = || ActError::NotFound(format!("`{instance}` is not loaded; `slo status` lists what is"));
    live.loaded().entries.get(&instance.slo).cloned().ok_or_else(unknown)
}

/// The alert, and what is told of it: with the figures of the instance as they are.
fn begun(
    entry: &SharedEntry,
    instance: &InstanceId,
    severity: AlertSeverity,
    by: &Actor,
    at: Timestamp,
) -> Result<(Alert, Notification), ActError> {
    entry.with(|inner| {
        if inner.subject.mode != Mode::Live {
            return Err(ActError::Conflict(format!("`{instance}` runs in shadow: nothing is sent")));
        }
        let judged = judged(inner, instance);
        let missing = || ActError::NotFound(format!("`{instance}` has not been seen yet; `slo status` lists what has"));
        let (verdict, tiers) = judged.ok_or_else(missing)?;
        let kind = AlertKind::Burn;
        let real = inner.subject.dedup_key(&instance.group, severity, kind);
        let dedup_key = format!("{real}{}", Alert::DRILL);
        let id = alert_id(&dedup_key, at, 1);
        let reason = format!("a drill, begun by {}: nothing is wrong; answer it as you would the real one", by.name);
        let (from, to) = (AlertState::Inactive, AlertState::Firing);
        let transition = Transition { id: format!("{id}/1"), at, from, to, reason: reason.clone() };
        let alert = Alert {
            id,
            dedup_key,
            episode: Some(at),
            slo: instance.to_string(),
            severity,
            kind,
            state: AlertState::Firing,
            frozen: false,
            origin: inner.subject.origin().to_owned(),
            started_at: at,
            fired_at: Some(at),
            resolved_at: None,
            ended_by: None,
            reason,
            tiers,
            as_of: Some(at),
            held_back_by: None,
            told: true,
            transitions: vec![transition],
            evidence: None,
        };
        let labels = inner.subject.shared_labels(&instance.group);
        let episode = Episode::begin(at, labels, inner.subject.foreign_labels(&instance.group));
        let facts = Facts::Act { at, verdict: Some(&verdict) };
        let telling =
            Telling { subject: &inner.subject, group: &instance.group, episode: &episode, transition: 1, facts };
        let mut notification = Notification::of(&alert, &telling, Vec::new());
        notification.mark = Some(Mark::Drill);
        notification.labels.insert(LABEL.to_owned(), "true".to_owned());
        Ok((alert, notification))
    })
}

/// The newest verdict on the instance, and a tier that burns, for its figures.
fn judged(inner: &Inner, instance: &InstanceId) -> Option<(Verdict, Vec<TierView>)> {
    let (state, group) = (&inner.state, &instance.group);
    let (mut verdict, judged) = (Verdict::default(), state.instance(group)?);
    state.judge(judged, inner.book.firing(state.definition(), group), &mut verdict);
    verdict.forecast = Some(judged.forecast());
    let tiers = inner.book.tiers_of(state.definition(), group, &verdict);
    let burning = tiers.into_iter().find(|tier| tier.kind == "burn").into_iter().collect();
    Some((verdict, burning))
}

/// The end of a drill, told to whom its begin was told.
///
/// # Errors
/// As the store's.
pub(super) async fn ended(live: &Live, drill: &Alert, reason: &str, now: Timestamp) -> Result<Effect, StoreError> {
    let at = now.max(drill.started_at);
    let mut alert = drill.clone();
    let id = format!("{}/{}", alert.id, alert.transitions.len() + 1);
    let (from, to) = (alert.state, AlertState::Resolved);
    alert.transitions.push(Transition { id, at, from, to, reason: reason.to_owned() });
    (alert.state, alert.resolved_at, alert.ended_by) = (to, Some(at), Some(EndedBy::Closed));
    reason.clone_into(&mut alert.reason);
    let filter = DeliveryFilter { alert_id: Some(drill.id.clone()), ..DeliveryFilter::default() };
    // In a group or storm nothing was told of it by itself: then the desk keeps what it would have told.
    let rows = live.core.store.deliveries(&filter, ROWS).await?;
    let told =
        rows.into_iter().map(|row| row.notification).find(|told| told.state == AlertState::Firing && !told.tells_ack());
    let kept = ack::case(live, &drill.id).await?.and_then(|case| case.notification).map(|told| *told);
    let notification = told.or(kept).map(|told| Notification {
        links: told.links.iter().filter(|(name, _)| *name != "ack").map(|(n, v)| (n.clone(), v.clone())).collect(),
        id: notification_id(&drill.dedup_key, told.episode, 2),
        transition: 2,
        state: to,
        resolved_at: Some(at),
        as_of: at,
        ended_by: alert.ended_by,
        reason: reason.to_owned(),
        ..told
    });
    Ok(Effect { alert, notification })
}

/// Drills that have not ended.
async fn open(live: &Live) -> Result<Vec<Alert>, StoreError> {
    let filter = AlertFilter { state: Some("firing".to_owned()), ..AlertFilter::default() };
    let mut firing = live.core.store.alerts(&filter, ALERTS).await?;
    firing.retain(Alert::is_drill);
    Ok(firing)
}

impl Live {
    /// Ends drills that nobody takes on, until the service stops. By what the store says: a restart goes on.
    pub async fn end_drills(&self) {
        loop {
            let next = match self.end_old_drills().await {
                Ok(next) => next,
                Err(error) => {
                    self.tell_store(&error);
                    None
                }
            };
            let next = next.unwrap_or_else(|| self.core.clock.now() + IDLE);
            tokio::select! {
                () = self.core.clock.sleep_until(next) => {}
                () = self.drilled.notified() => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Ends those that are taken on or due; gives the time at which the next one is.
    async fn end_old_drills(&self) -> Result<Option<Timestamp>, StoreError> {
        let _one = self.acting.lock().await;
        let now = self.core.clock.now();
        let mut next: Option<Timestamp> = None;
        for drill in open(self).await? {
            let due = drill.started_at + LASTS;
            let acked = ack::case(self, &drill.id).await?.and_then(|case| case.acked);
            let reason = match acked {
                Some(acked) => Some(format!("acknowledged by `{}`", acked.by)),
                None if due <= now => Some(format!("the drill ended by itself after {LASTS}: nobody took it on")),
                None => None,
            };
            if let Some(reason) = reason {
                let effect = ended(self, &drill, &reason, now).await?;
                self.core.record(vec![effect], Commit::default()).await;
            } else {
                next = Some(next.map_or(due, |earlier| earlier.min(due)));
            }
        }
        Ok(next)
    }
}
