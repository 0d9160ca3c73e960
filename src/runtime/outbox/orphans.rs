//! Rows of sinks that a reload took out: the fallback is told in their place at once, of ends too. The rows themselves
//! wait for a day, for the sink may come back with the next reload.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::runtime::outbox::rule::last_try;
use crate::runtime::outbox::shared::Shared;
use crate::store::{Delivery, DeliveryFilter, DeliveryState, StoreError};
use crate::telemetry::event::DeliveryAttempt;
use crate::units::{Length, Timestamp};

/// How often all that waits is looked through.
const SWEEP_EVERY: Length = Length::from_hours(1);
/// How often the sinks are looked at that are known to be gone.
const LOOK_EVERY: Length = Length::from_minutes(1);
/// What a sink that was taken out has under way may end first.
const LEAVING: Length = Length::from_seconds(30);

/// What is known of sinks that are gone.
#[derive(Default)]
struct Orphans {
    /// Their names.
    gone: BTreeSet<String>,
    /// Rows of theirs that were seen to.
    seen: BTreeSet<String>,
}

/// Looks after the rows of sinks that are not among `names`, for ever.
pub(super) async fn sweep(shared: Shared, mut names: watch::Receiver<BTreeSet<String>>) {
    let mut orphans = Orphans::default();
    loop {
        let present = names.borrow_and_update().clone();
        orphans.gone.retain(|sink| !present.contains(sink));
        if let Err(error) = orphans.look_at_all(&shared, &present).await {
            shared.failed(&error);
        }
        let until = shared.clock.now() + SWEEP_EVERY;
        while shared.clock.now() < until {
            tokio::select! {
                () = shared.clock.sleep(LOOK_EVERY) => {}
                changed = names.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    orphans.gone.extend(present);
                    shared.clock.sleep(LEAVING).await;
                    break;
                }
            }
            if let Err(error) = orphans.look_at_gone(&shared).await {
                shared.failed(&error);
            }
        }
    }
}

impl Orphans {
    /// Looks through all that waits.
    async fn look_at_all(&mut self, shared: &Shared, present: &BTreeSet<String>) -> Result<(), StoreError> {
        self.seen.clear();
        let filter = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
        let rows = shared.store.deliveries(&filter, usize::MAX).await?;
        self.see_to(shared, rows.into_iter().filter(|row| !present.contains(&row.sink))).await
    }

    /// Looks for what was decided since, such as ends.
    async fn look_at_gone(&mut self, shared: &Shared) -> Result<(), StoreError> {
        for sink in self.gone.clone() {
            let filter = DeliveryFilter { state: Some(DeliveryState::Pending), sink: Some(sink), ..Default::default() };
            let rows = shared.store.deliveries(&filter, usize::MAX).await?;
            self.see_to(shared, rows.into_iter()).await?;
        }
        Ok(())
    }

    /// `rows` are newest first, as the store lists them. An end says something of what waits before it, too.
    async fn see_to(&mut self, shared: &Shared, rows: impl Iterator<Item = Delivery>) -> Result<(), StoreError> {
        let now = shared.clock.now();
        let mut rows: Vec<Delivery> = rows.collect();
        rows.reverse();
        let is_new = |row: &&Delivery| !self.seen.contains(&row.id);
        let moved: BTreeSet<&str> = rows.iter().filter(is_new).map(|row| row.notification.alert_id.as_str()).collect();
        for row in rows.iter().filter(|row| moved.contains(row.notification.alert_id.as_str())) {
            self.gone.insert(row.sink.clone());
            step_in(shared, row, now).await?;
            self.seen.insert(row.id.clone());
        }
        Ok(())
    }
}

async fn step_in(shared: &Shared, row: &Delivery, now: Timestamp) -> Result<(), StoreError> {
    if shared.judge(row, now).await?.is_none() {
        return Ok(());
    }
    shared.tell_in_place(row, "there is no such sink any more", now).await?;
    if last_try(row) <= now {
        shared.store.settled(&row.id, DeliveryState::Expired).await?;
        let (sink, delivery) = (row.sink.as_str(), row.id.as_str());
        let message = "no sink of this name has been configured for a day";
        shared.telemetry.tell(&DeliveryAttempt { sink, delivery, outcome: "expired", message });
    }
    Ok(())
}
