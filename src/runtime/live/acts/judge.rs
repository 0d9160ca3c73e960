//! Somebody says what an alert was worth. It may be said again: the newest counts.

use crate::policy::act::{Acted, Actor, AlertVerdict};
use crate::policy::alert::AlertState;
use crate::runtime::cases;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, ack};
use crate::runtime::service::ActError;
use crate::store::Commit;
use crate::units::Timestamp;

/// What saying so changes.
pub(super) async fn prepare(
    live: &Live,
    alert: &str,
    verdict: AlertVerdict,
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let found = ack::known(live, alert).await?;
    if found.is_drill() {
        return Err(ActError::Conflict("a drill is kept out of precision: it has no verdict".to_owned()));
    }
    if !matches!(found.state, AlertState::Firing | AlertState::Resolved) {
        return Err(ActError::Conflict("the alert only waits to fire: there is nothing to judge yet".to_owned()));
    }
    let store = live.core.store.as_ref();
    let mut said = cases::said(store, alert).await?;
    let message = match said.verdict {
        Some(before) if before != verdict => format!("judged `{}`, no longer `{}`", verdict.name(), before.name()),
        _ => format!("judged `{}`", verdict.name()),
    };
    said.verdict = Some(verdict);
    said.verdict_by = Some(by.name.clone());
    let commit = Commit { records: vec![cases::with(store, alert, &said, now).await?], ..Commit::default() };
    Ok(Prepared { commit, acted: Acted { id: found.id, message }, after: None })
}
