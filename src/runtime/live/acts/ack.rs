//! An alert is acknowledged: no escalation and no repeat from then on. The first one counts.

use crate::policy::act::{Ack, Acted, Actor};
use crate::policy::alert::{Alert, AlertState};
use crate::runtime::cases;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, drill};
use crate::runtime::service::{ActError, Service as _};
use crate::store::Commit;
use crate::units::Timestamp;

/// What taking it on changes.
pub(super) async fn prepare(
    live: &Live,
    alert: &str,
    note: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let found = firing(live, alert, "acknowledged").await?;
    let store = live.core.store.as_ref();
    let mut said = cases::said(store, alert).await?;
    if let Some(first) = &said.acked {
        let message = format!("`{}` acknowledged it already, at {}: that stands", first.by, first.at);
        let acted = Acted { id: found.id, message };
        return Ok(Prepared { acted, ..Prepared::default() });
    }
    said.acked = Some(Ack { by: by.name.clone(), at: now, note: note.map(str::to_owned) });
    let mut commit = Commit { records: vec![cases::with(store, alert, &said, now).await?], ..Commit::default() };
    let message = format!("acknowledged by `{}`", by.name);
    if found.is_drill() {
        let effect = drill::ended(live, &found, &message, now).await?;
        commit = live.core.decided(vec![effect], commit).await;
    }
    Ok(Prepared { commit, acted: Acted { id: found.id, message }, after: None })
}

/// The alert, which fires.
///
/// # Errors
/// Where there is none, or it waits or has ended: then it cannot be `done`.
pub(super) async fn firing(live: &Live, alert: &str, done: &str) -> Result<Alert, ActError> {
    let found = known(live, alert).await?;
    match (found.state, found.resolved_at) {
        (AlertState::Firing, _) => Ok(found),
        (AlertState::Resolved, Some(at)) => {
            Err(ActError::Conflict(format!("the alert ended at {at}: it cannot be {done} any more")))
        }
        _ => Err(ActError::Conflict(format!("the alert only waits to fire: it cannot be {done} yet"))),
    }
}

/// The alert, whatever its state.
///
/// # Errors
/// Where there is none.
pub(super) async fn known(live: &Live, alert: &str) -> Result<Alert, ActError> {
    let found = live.alert(alert).await?;
    found.ok_or_else(|| ActError::NotFound(format!("there is no alert `{alert}`; `slo alerts list` lists those there are")))
}
