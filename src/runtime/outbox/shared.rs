//! What the tasks of the outbox share, and what each of them does to rows in the same way.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{Notify, watch};

use crate::clock::Clock;
use crate::policy::alert::AlertState;
use crate::policy::desk::case::Case;
use crate::policy::notification::Notification;
use crate::runtime::outbox::fallback::{self, Backing};
use crate::runtime::outbox::gate::Gates;
use crate::runtime::outbox::rule::{Decision, decide};
use crate::store::{Commit, Delivery, DeliveryFilter, DeliveryState, NewDelivery, RecordKind, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::event::{DeliverySuperseded, StoreFailure};
use crate::units::Timestamp;

/// Rows of one alert; a longer history says nothing new.
const HISTORY: usize = 1_000;

/// What all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    pub(super) telemetry: Telemetry,
    pub(super) wake: Arc<Notify>,
    pub(super) gates: Arc<Gates>,
    pub(super) backing: watch::Receiver<Backing>,
}

impl Shared {
    /// What is to be sent of a row; `None`: it was superseded. Whoever was told in place of its sink hears of an end.
    pub(super) async fn judge(&self, head: &Delivery, now: Timestamp) -> Result<Option<Notification>, StoreError> {
        let alert_id = &head.notification.alert_id;
        let ends = head.notification.state == AlertState::Resolved;
        let over = if ends {
            false
        } else {
            let alert = self.store.alert(alert_id).await?;
            alert.is_some_and(|alert| alert.state == AlertState::Resolved)
        };
        let over = over || self.is_taken_back(&head.notification).await?;
        let mut rows = self.rows_of(alert_id).await?;
        if ends {
            self.commit(fallback::ends(head, &rows, now)).await?;
        }
        rows.retain(|row| row.sink == head.sink);
        match decide(head, &rows, over, now) {
            Decision::Send(notification) => Ok(Some(*notification)),
            Decision::Supersede => {
                self.store.settled(&head.id, DeliveryState::Superseded).await?;
                self.telemetry.tell(&DeliverySuperseded { sink: &head.sink, delivery: &head.id });
                Ok(None)
            }
        }
    }

    /// Whether this says that somebody works on what nobody works on any more, or somebody else does.
    async fn is_taken_back(&self, told: &Notification) -> Result<bool, StoreError> {
        if !told.tells_ack() {
            return Ok(false);
        }
        let alone = told.members.is_empty();
        let members: Vec<&String> = told.members.iter().map(|member| &member.alert_id).collect();
        for alert in if alone { vec![&told.alert_id] } else { members } {
            let text = self.store.record(RecordKind::Case, alert).await?.and_then(|record| record.text);
            let case = text.and_then(|text| Case::decode(&text).ok()).filter(|case| case.ended_at.is_none());
            // Those of a digest may have been taken on one by one.
            if case.is_some_and(|case| if alone { case.acked != told.acked } else { case.acked.is_none() }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of an alert, to whichever sink.
    pub(super) async fn rows_of(&self, alert_id: &str) -> Result<Vec<Delivery>, StoreError> {
        let filter = DeliveryFilter { alert_id: Some(alert_id.to_owned()), ..DeliveryFilter::default() };
        self.store.deliveries(&filter, HISTORY).await
    }

    /// More rows, woken for. Not those that are there: who is woken by what it has said before says it again, for ever.
    pub(super) async fn commit(&self, mut deliveries: Vec<NewDelivery>) -> Result<(), StoreError> {
        let mut known = BTreeSet::new();
        for row in &deliveries {
            if self.store.delivery(&row.id).await?.is_some() {
                known.insert(row.id.clone());
            }
        }
        deliveries.retain(|row| !known.contains(&row.id));
        if !deliveries.is_empty() {
            self.store.commit(Commit { deliveries, ..Commit::default() }).await?;
            self.wake.notify_waiters();
        }
        Ok(())
    }

    /// Tells the fallback sinks in place of the sink of this row, for `why`.
    pub(super) async fn tell_in_place(&self, row: &Delivery, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let rows = fallback::in_place(&self.backing.borrow().clone(), row, why, now);
        self.commit(rows).await
    }

    /// The store could not do something.
    pub(super) fn failed(&self, error: &StoreError) {
        self.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
    }
}
