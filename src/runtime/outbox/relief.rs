//! Others step in for a sink that is down: pages that have waited for it go to the fallback too, and are still tried at
//! their own sink. The alarms of a sink end once it takes something again.

use std::collections::BTreeSet;

use crate::policy::alert::AlertState;
use crate::runtime::outbox::fallback::{alarm_id, end_of_alarm};
use crate::runtime::outbox::shared::Shared;
use crate::spec::policy::AlertSeverity;
use crate::store::{Delivery, DeliveryFilter, DeliveryState, StoreError};
use crate::units::{Length, Timestamp};

/// How long a page waits for its own sink alone.
const PATIENCE: Length = Length::from_minutes(15);
/// How often it is looked for such pages.
const LOOK_EVERY: Length = Length::from_minutes(1);
/// Days before this one whose alarms may not have ended.
const DAYS_OF_ALARMS: i64 = 7;

/// What was done for one sink.
#[derive(Debug)]
pub(super) struct Relief {
    looked_at: Option<Timestamp>,
    /// Rows in whose place the fallback was told.
    relieved: BTreeSet<String>,
    /// There may be an alarm that has not ended; after a start it is not known.
    alarmed: bool,
}

impl Default for Relief {
    fn default() -> Self {
        Self { looked_at: None, relieved: BTreeSet::new(), alarmed: true }
    }
}

impl Relief {
    /// Tells the fallback of the pages that `sink` has not taken for [`PATIENCE`], but not of those in `busy`, whose try
    /// is not over or not written.
    pub(super) async fn relieve(
        &mut self,
        shared: &Shared,
        sink: &str,
        busy: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.looked_at.is_some_and(|at| at <= now && now < at + LOOK_EVERY) {
            return Ok(());
        }
        self.looked_at = Some(now);
        let oldest = shared.store.backlog(sink, now).await?.oldest;
        if shared.backing.borrow().is_empty() || oldest.is_none_or(|oldest| now.since(oldest) < PATIENCE) {
            self.relieved.clear();
            return Ok(());
        }
        let down = !shared.gates.is_open(sink, now);
        let state = Some(DeliveryState::Pending);
        let filter = DeliveryFilter { state, sink: Some(sink.to_owned()), ..DeliveryFilter::default() };
        let rows = shared.store.deliveries(&filter, usize::MAX).await?;
        for row in rows.iter().rev() {
            let waits_for_sink = has_waited(row, now) && (down || !row.attempts.is_empty());
            if !waits_for_sink || busy.contains(&row.id) || self.relieved.contains(&row.id) {
                continue;
            }
            if shared.judge(row, now).await?.is_some() {
                let said = row.attempts.last().map(|attempt| attempt.message.as_str()).filter(|said| !said.is_empty());
                shared.tell_in_place(row, said.unwrap_or("not reached within 15 min"), now).await?;
                self.relieved.insert(row.id.clone());
            }
        }
        Ok(())
    }

    /// A try gave an alarm.
    pub(super) fn alarmed(&mut self) {
        self.alarmed = true;
    }

    /// `sink` took something without an alarm: ends what was said of it.
    pub(super) async fn fine(&mut self, shared: &Shared, sink: &str, now: Timestamp) -> Result<(), StoreError> {
        if !self.alarmed {
            return Ok(());
        }
        let backing = shared.backing.borrow().clone();
        for days in (0..=DAYS_OF_ALARMS).rev() {
            let id = alarm_id(&backing, sink, now - Length::from_days(days));
            shared.commit(end_of_alarm(&shared.rows_of(&id).await?, now)).await?;
        }
        self.alarmed = false;
        Ok(())
    }
}

fn has_waited(row: &Delivery, now: Timestamp) -> bool {
    let since = row.resent_at.unwrap_or_default().max(row.created_at);
    let is_page = row.notification.severity == AlertSeverity::Page;
    is_page && row.notification.state == AlertState::Firing && now.since(since) >= PATIENCE
}
