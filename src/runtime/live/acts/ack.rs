//! An alert is acknowledged: no escalation and no repeat from then on. The first one counts. A drill has ended with it.

use std::sync::Arc;

use crate::policy::act::{Ack, Acted, Actor};
use crate::policy::alert::{Alert, AlertState};
use crate::policy::desk::case::Case;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, Way};
use crate::runtime::service::{ActError, Service as _};
use crate::store::{RecordKind, StoreError};
use crate::units::Timestamp;

/// What taking it on changes.
pub(super) async fn prepare(
    live: &Live,
    alert: &str,
    note: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    // What is no alert may be a digest: the desk knows its members.
    let found = live.alert(alert).await?;
    if let Some(found) = &found {
        must_fire(found, "acknowledged")?;
    }
    let digest = if found.is_none() { live.digest(alert).await } else { None };
    let first = match &digest {
        Some(digest) => digest.acked().cloned(),
        None => case(live, alert).await?.and_then(|case| case.acked),
    };
    if let Some(first) = first {
        let message = format!("`{}` acknowledged it already, at {}: that stands", first.by, first.at);
        let acted = Acted { id: alert.to_owned(), message, unchanged: true, hint: None };
        return Ok(Prepared { acted, ..Prepared::default() });
    }
    let ack = Ack { by: by.name.clone(), at: now, note: note.map(str::to_owned) };
    let acted = Acted { id: alert.to_owned(), message: format!("acknowledged by `{}`", by.name), ..Acted::default() };
    let way = Way::Ack(alert.to_owned(), ack);
    // Of a digest it is not known whether it is one of drills: looking at them once more does no harm.
    let drills = digest.is_some() || found.is_some_and(|found| found.is_drill());
    let drilled = drills.then(|| Arc::clone(&live.drilled));
    let after = drilled.map(|drilled| Box::new(move || drilled.notify_one()) as Box<dyn FnOnce() + Send>);
    Ok(Prepared { acted, way, after, ..Prepared::default() })
}

/// What changes when nobody works on it any more.
pub(super) async fn take_back(live: &Live, alert: &str) -> Result<Prepared, ActError> {
    let found = live.alert(alert).await?;
    if let Some(found) = &found {
        must_fire(found, "handed back")?;
    }
    let message = "nobody works on it any more: it is repeated and escalated again".to_owned();
    let acted = Acted { id: alert.to_owned(), message, ..Acted::default() };
    Ok(Prepared { acted, way: Way::Unack(alert.to_owned()), ..Prepared::default() })
}

/// What became of an alert among people and receivers, where anything did.
///
/// # Errors
/// As the store's.
pub(super) async fn case(live: &Live, alert: &str) -> Result<Option<Case>, StoreError> {
    let text = live.core.store.record(RecordKind::Case, alert).await?.and_then(|record| record.text);
    Ok(text.and_then(|text| Case::decode(&text).ok()))
}

/// The alert, which fires.
///
/// # Errors
/// Where there is none, or it waits or has ended: then it cannot be `done`.
pub(super) async fn firing(live: &Live, alert: &str, done: &str) -> Result<Alert, ActError> {
    let found = known(live, alert).await?;
    must_fire(&found, done)?;
    Ok(found)
}

/// The alert, whatever its state.
///
/// # Errors
/// Where there is none.
pub(super) async fn known(live: &Live, alert: &str) -> Result<Alert, ActError> {
    if let Some(found) = live.alert(alert).await? {
        return Ok(found);
    }
    Err(ActError::NotFound(match live.digest(alert).await {
        Some(digest) => digest.one_by_one(),
        None => format!("there is no alert `{alert}`; `slo alerts list` lists those there are"),
    }))
}

fn must_fire(alert: &Alert, done: &str) -> Result<(), ActError> {
    match (alert.state, alert.resolved_at) {
        (AlertState::Firing, _) => Ok(()),
        (AlertState::Resolved, Some(at)) => {
            Err(ActError::Conflict(format!("the alert ended at {at}: it cannot be {done} any more")))
        }
        _ => Err(ActError::Conflict(format!("the alert only waits to fire: it cannot be {done} yet"))),
    }
}
