//! Rows of the outbox: what was sent, or waits.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::dto::alert::state_name;
use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::{Mark, Notification, Occasion};
use crate::store::{Attempt as StoreAttempt, Delivery as StoreDelivery, DeliveryState};
use crate::units::Timestamp;

/// A notification for one receiver, with every try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Notification and sink.
    pub id: String,
    /// The notification.
    pub notification_id: String,
    /// The alert that it tells of; of a message of several alerts its own id, which is that of none.
    pub alert_id: String,
    /// The sink's name.
    pub sink: String,
    /// `pending done failed superseded expired`.
    pub state: String,
    /// The state that it tells: `firing` or `resolved`; below an alert, of that alert.
    #[serde(default)]
    pub tells: String,
    /// Why it is told: `change repeat escalation quiet_ended acknowledged in_place`.
    #[serde(default)]
    pub occasion: String,
    /// Instance id, or `source/NAME`; of a message of several alerts the group or storm.
    #[serde(default)]
    pub slo: String,
    /// `page ticket notice`.
    #[serde(default)]
    pub severity: String,
    /// `burn budget down no_data source digest watchdog report`.
    #[serde(default)]
    pub kind: String,
    /// `drill` or `test`; `null`: life.
    #[serde(default)]
    pub mark: Option<String>,
    /// Ids of the alerts that are told as one; empty where it tells of one, and below an alert.
    #[serde(default)]
    pub members: Vec<String>,
    /// When it was decided, wall clock.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// Tries, oldest first.
    pub attempts: Vec<Attempt>,
    /// When it is tried next, while pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
}

/// One try to deliver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// When, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `done retry ambiguous refused misconfigured`.
    pub outcome: String,
    /// What the receiver said, redacted.
    pub message: String,
}

/// As in [`Delivery::state`].
pub const fn delivery_state_name(state: DeliveryState) -> &'static str {
    state.name()
}

/// As in [`Delivery::occasion`].
pub const fn occasion_name(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Change => "change",
        Occasion::Repeat => "repeat",
        Occasion::Escalation => "escalation",
        Occasion::QuietEnded => "quiet_ended",
        Occasion::Acknowledged => "acknowledged",
        Occasion::InPlace => "in_place",
    }
}

/// The state that a notification tells of this alert, which may be one of several in it.
pub fn told_of(notification: &Notification, alert_id: &str) -> AlertState {
    let member = notification.members.iter().find(|member| member.alert_id == alert_id);
    member.map_or(notification.state, |member| member.state)
}

impl Delivery {
    /// Whether it tells of several alerts.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.kind == AlertKind::Digest.name()
    }

    /// As shown below an alert, which may be one of several in it.
    #[must_use]
    pub fn about(row: &StoreDelivery, alert_id: &str) -> Self {
        let tells = state_name(told_of(&row.notification, alert_id)).to_owned();
        Self { tells, members: Vec::new(), ..Self::from(row) }
    }
}

impl From<&StoreDelivery> for Delivery {
    fn from(row: &StoreDelivery) -> Self {
        let about = &row.notification;
        let mark = about.mark.map(|mark| match mark {
            Mark::Drill => "drill".to_owned(),
            Mark::Test => "test".to_owned(),
        });
        Self {
            id: row.id.clone(),
            notification_id: about.id.clone(),
            alert_id: about.alert_id.clone(),
            sink: row.sink.clone(),
            state: delivery_state_name(row.state).to_owned(),
            tells: state_name(about.state).to_owned(),
            occasion: occasion_name(about.occasion).to_owned(),
            slo: about.slo.clone(),
            severity: about.severity.name().to_owned(),
            kind: about.kind.name().to_owned(),
            mark,
            members: about.members.iter().map(|member| member.alert_id.clone()).collect(),
            decided_at: Some(row.created_at),
            attempts: row.attempts.iter().map(Attempt::from).collect(),
            next_attempt_at: row.next_attempt_at,
        }
    }
}

impl From<&StoreAttempt> for Attempt {
    fn from(attempt: &StoreAttempt) -> Self {
        Self { at: attempt.at, outcome: attempt.outcome.clone(), message: attempt.message.clone() }
    }
}
