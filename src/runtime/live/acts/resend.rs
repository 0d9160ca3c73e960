//! A delivery that was given up goes back into the outbox, with its tries, in its old place; one that waits goes now,
//! past a hold of its sink, but not before a time that the receiver told.
//!
//! Not one whose alert is over, unless it tells the end: a page sent late opens something that nothing closes. And no end
//! after which it fires again: receivers know both by one key, and would close what burns.

use crate::policy::act::Acted;
use crate::policy::alert::AlertState;
use crate::runtime::live::Live;
use crate::runtime::live::acts::Prepared;
use crate::runtime::service::ActError;
use crate::store::{AlertFilter, Commit, Delivery, DeliveryFilter, DeliveryState};
use crate::units::Timestamp;

/// Alerts that fire, and rows of one alert to one sink, that are looked at.
const LOOKED_AT: usize = 10_000;

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
    } else {
        let firing = AlertFilter { state: Some("firing".to_owned()), ..AlertFilter::default() };
        let (sink, alert) = (Some(delivery.sink.clone()), Some(delivery.notification.alert_id.clone()));
        let rows = DeliveryFilter { sink, alert_id: alert, ..DeliveryFilter::default() };
        let store = &live.core.store;
        let fires = store.alerts(&firing, LOOKED_AT).await?;
        let fires = fires.iter().map(|alert| (alert.id.as_str(), alert.dedup_key.as_str()));
        if is_overtaken(&delivery, fires, &store.deliveries(&rows, LOOKED_AT).await?) {
            let message = "it fires again: this end, told late, would close what burns";
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

/// Whether it fires again after this end: as another alert (id and key of those that fire) of the same key, or as a digest
/// that began anew.
fn is_overtaken<'a>(end: &Delivery, mut firing: impl Iterator<Item = (&'a str, &'a str)>, rows: &[Delivery]) -> bool {
    let told = &end.notification;
    firing.any(|(id, key)| key == told.dedup_key && id != told.alert_id)
        || rows.iter().any(|row| row.sequence > end.sequence && row.notification.state == AlertState::Firing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    fn row(sequence: i64, state: AlertState) -> Delivery {
        let mut notification = sample::page(Timestamp::default());
        notification.state = state;
        Delivery {
            id: format!("{}@pd", notification.id),
            sink: "pd".to_owned(),
            notification,
            state: DeliveryState::Failed,
            attempts: Vec::new(),
            created_at: Timestamp::default(),
            next_attempt_at: None,
            resent_at: None,
            handle: None,
            sequence,
        }
    }

    #[test]
    fn an_end_is_overtaken_by_what_fires_under_its_key() {
        let end = row(4, AlertState::Resolved);
        let key = &end.notification.dedup_key;
        let overtaken = |firing: &[(&str, &str)], rows: &[Delivery]| is_overtaken(&end, firing.iter().copied(), rows);
        assert!(overtaken(&[("next", key)], &[]));
        assert!(!overtaken(&[(&end.notification.alert_id, key)], &[]), "its own");
        assert!(!overtaken(&[("other", "other/key")], &[]));
        assert!(overtaken(&[], &[row(5, AlertState::Firing)]), "a digest that began anew");
        assert!(!overtaken(&[], &[row(3, AlertState::Firing), row(5, AlertState::Resolved)]));
    }
}
