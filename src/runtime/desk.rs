//! The desk at work: what people and silences change, and what falls due by time.

use std::sync::{Arc, PoisonError};

use crate::policy::act::{Ack, AlertVerdict};
use crate::policy::notification::Notification;
use crate::policy::quiet::Quiets;
use crate::runtime::core::Core;
use crate::runtime::service::ActError;
use crate::store::Commit;

impl Core {
    /// Everything that makes quiet now.
    #[must_use]
    pub fn quiets(&self) -> Arc<Quiets> {
        Arc::clone(&self.quiets.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this makes quiet: everything open is looked at again at once.
    pub fn quiets_changed(&self, quiets: Quiets) {
        *self.quiets.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(quiets);
    }

    /// Somebody takes an alert on, in one commit with `commit` (the audit's entry), or not at all.
    ///
    /// # Errors
    /// Where there is no such alert, where it has ended, and where the store does not take it.
    pub async fn acknowledge(&self, alert_id: &str, ack: Ack, commit: Commit) -> Result<(), ActError> {
        let _ = (alert_id, ack, commit);
        Err(ActError::Invalid("this is not built yet".to_owned()))
    }

    /// Says what an alert was worth, open or ended, in one commit with `commit`, or not at all.
    ///
    /// # Errors
    /// Where there is no such alert, and where the store does not take it.
    pub async fn judge(&self, alert_id: &str, verdict: AlertVerdict, by: &str, commit: Commit) -> Result<(), ActError> {
        let _ = (alert_id, verdict, by, commit);
        Err(ActError::Invalid("this is not built yet".to_owned()))
    }

    /// Hands a notification to the desk that comes from no evaluation (a drill), in one commit with `commit`: its firing
    /// first, later its end.
    pub async fn tell(&self, notification: Notification, mut commit: Commit) {
        commit.deliveries.extend(self.deliveries(notification).await);
        self.write(commit).await;
    }
}
