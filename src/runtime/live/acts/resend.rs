//! A delivery that was given up goes back into the outbox, with its tries, in its old place; one that waits goes now,
//! past a hold of its sink, but not before a time that the receiver told.
//!
//! Not one whose alert is over, unless it tells the end: a page sent late opens something that nothing closes.

use crate::policy::act::Acted;
use crate::policy::alert::AlertState;
use crate::runtime::live::Live;
use crate::runtime::live::acts::Prepared;
use crate::runtime::service::ActError;
use crate::store::{Commit, DeliveryState};
use crate::units::Timestamp;

/// What putting it back changes.
pub(super) async fn prepare(live: &Live, id: &str, now: Timestamp) -> Result<Prepared, ActError> {
    let unknown = || ActError::NotFound(format!("there is no delivery `{id}`; `/api/v1/deliveries` lists them"));
    let delivery = live.core.store.delivery(id).await?.ok_or_else(unknown)?;
    if delivery.state == DeliveryState::Done {
        return Err(ActError::Conflict("it is done: the receiver has it".to_owned()));
    }
    if !live.core.config().sinks.contains_key(&delivery.sink) {
        let message = format!("the sink `{}` is not configured any more; nothing could send it", delivery.sink);
        return Err(ActError::Conflict(message));
    }
    if delivery.notification.state == AlertState::Firing {
        let alert = live.core.store.alert(&delivery.notification.alert_id).await?;
        if alert.is_some_and(|alert| alert.state == AlertState::Resolved) {
            let message = "the alert is over: told late, it would open what nothing closes";
            return Err(ActError::Conflict(message.to_owned()));
        }
    }
    let again = if delivery.state == DeliveryState::Pending { "now" } else { "again" };
    let message = format!("`{}` is tried {again} after {} tries", delivery.sink, delivery.attempts.len());
    Ok(Prepared {
        commit: Commit { resent: vec![(id.to_owned(), now)], ..Commit::default() },
        acted: Acted { id: id.to_owned(), message, ..Acted::default() },
        ..Prepared::default()
    })
}
