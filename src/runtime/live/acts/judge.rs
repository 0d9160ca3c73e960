//! Somebody says what an alert was worth. It may be said again: the newest counts.

use crate::policy::act::{Acted, Actor, AlertVerdict};
use crate::policy::alert::AlertState;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, Way, ack};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What saying so changes.
pub(super) async fn prepare(
    live: &Live,
    alert: &str,
    verdict: AlertVerdict,
    by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    let found = ack::known(live, alert).await?;
    if found.is_drill() {
        return Err(ActError::Conflict("a drill is kept out of precision: it has no verdict".to_owned()));
    }
    if !matches!(found.state, AlertState::Firing | AlertState::Resolved) {
        return Err(ActError::Conflict("the alert only waits to fire: there is nothing to judge yet".to_owned()));
    }
    let case = ack::case(live, alert).await?;
    if case.as_ref().is_some_and(|case| case.verdict == Some(verdict) && case.verdict_by.as_deref() == Some(&by.name)) {
        let message = format!("`{}` judged it `{}` already", by.name, verdict.name());
        let acted = Acted { id: found.id, message, unchanged: true, hint: None };
        return Ok(Prepared { acted, ..Prepared::default() });
    }
    let message = match case.and_then(|case| case.verdict) {
        Some(before) if before != verdict => format!("judged `{}`, no longer `{}`", verdict.name(), before.name()),
        _ => format!("judged `{}`", verdict.name()),
    };
    let way = Way::Judge(alert.to_owned(), verdict, by.name.clone());
    Ok(Prepared { acted: Acted { id: found.id, message, ..Acted::default() }, way, ..Prepared::default() })
}
