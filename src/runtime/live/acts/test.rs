//! A marked message goes to one sink, through the outbox as every other; or the end of one.
//!
//! It has a key of its own and is in no alert's history, so it counts for nothing. Its end is an act of its own: put into
//! the outbox at once, the two would come to nothing before they were sent.

use crate::policy::act::{Acted, Actor};
use crate::policy::notification::{Mark, Notification};
use crate::policy::sample;
use crate::runtime::live::Live;
use crate::runtime::live::acts::Prepared;
use crate::runtime::outbox::deliveries_for;
use crate::runtime::service::ActError;
use crate::spec::policy::AlertSeverity;
use crate::store::Commit;
use crate::units::{Length, Timestamp};

/// What sending it changes.
pub(super) async fn prepare(
    live: &Live,
    (sink, severity, ends): (&str, AlertSeverity, Option<&str>),
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let config = live.core.config();
    if !config.sinks.contains_key(sink) {
        let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
        return Err(ActError::NotFound(format!("there is no sink `{sink}`; configured: {}", known.join(", "))));
    }
    let notification = match ends {
        None => {
            // Ids go by whole seconds.
            let at = now.floor_to(Length::from_seconds(1));
            sample::test(&config.server.external_labels, severity, &by.name, at)
        }
        Some(delivery) => sample::resolved(&begun(live, sink, delivery).await?, now.floor_to(Length::from_seconds(1))),
    };
    let deliveries = deliveries_for(&notification, &[sink.to_owned()], now);
    let id = deliveries.first().map(|row| row.id.clone()).unwrap_or_default();
    if live.core.store.delivery(&id).await?.is_some() {
        return Err(ActError::Conflict("this second has a test of its own; wait for the next".to_owned()));
    }
    Ok(Prepared {
        commit: Commit { deliveries, ..Commit::default() },
        acted: Acted { id, message: format!("a test goes to `{sink}`"), ..Acted::default() },
        ..Prepared::default()
    })
}

/// The test that is to be ended.
async fn begun(live: &Live, sink: &str, delivery: &str) -> Result<Notification, ActError> {
    let unknown = || ActError::NotFound(format!("there is no test `{delivery}` of `{sink}`"));
    let found = live.core.store.delivery(delivery).await?.ok_or_else(unknown)?;
    let is_begin = found.notification.mark == Some(Mark::Test) && found.notification.resolved_at.is_none();
    if found.sink == sink && is_begin { Ok(found.notification) } else { Err(unknown()) }
}
