//! What people may do to a running service, and who did it.

use serde::{Deserialize, Serialize};

use crate::policy::silence::LabelMatcher;
use crate::spec::policy::AlertSeverity;
use crate::units::{InstanceId, Timestamp};

/// Somebody took an alert on: no escalation and no repeat from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who.
    pub by: String,
    /// When (wall clock).
    pub at: Timestamp,
    /// In their words.
    #[serde(default)]
    pub note: Option<String>,
}

/// What an alert was worth, for precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertVerdict {
    /// It had to be told.
    Real,
    /// Nobody should have been told.
    Noise,
    /// Another one told the same.
    Duplicate,
}

impl AlertVerdict {
    /// As written: `real`, `noise`, `duplicate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Noise => "noise",
            Self::Duplicate => "duplicate",
        }
    }
}

/// Who acts, and on what way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name of the person or token.
    pub name: String,
    /// `api`, `link`, `pagerduty`, `slack`, `files`, ..
    pub via: String,
}

/// A silence that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceDraft {
    /// To change one that is there.
    pub id: Option<String>,
    /// Which alerts.
    pub matchers: Vec<LabelMatcher>,
    /// Who asks.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// `None`: now.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
}

/// One act. Each has one way in, writes one entry of the audit in the same commit, and is done or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Takes an alert on.
    Ack {
        /// Alert id.
        alert: String,
        /// In their words.
        note: Option<String>,
    },
    /// Nobody works on it any more: it is repeated and escalated again.
    Unack {
        /// Alert id.
        alert: String,
        /// Why, where that is known.
        note: Option<String>,
    },
    /// Ends an alert whose data will not come back.
    Close {
        /// Alert id.
        alert: String,
        /// In their words.
        note: Option<String>,
    },
    /// Says what an alert was worth.
    Judge {
        /// Alert id.
        alert: String,
        /// What it was.
        verdict: AlertVerdict,
    },
    /// Adds or changes a silence; done with its id.
    Silence(SilenceDraft),
    /// Ends a silence now.
    Expire {
        /// Its id.
        silence: String,
    },
    /// Says that a service was deployed.
    Mark {
        /// Which service.
        service: String,
        /// What was deployed.
        version: String,
        /// `None`: now.
        at: Option<Timestamp>,
    },
    /// Plays an alert through the real routes; done with the id of its alert.
    Drill {
        /// Which instance.
        instance: InstanceId,
        /// As what.
        severity: AlertSeverity,
    },
    /// Puts a delivery that was given up back into the outbox.
    Resend {
        /// Delivery id.
        delivery: String,
    },
    /// Sends a marked message to one sink; done with the id of its delivery.
    Test {
        /// Name of the sink.
        sink: String,
        /// As what.
        severity: AlertSeverity,
        /// The delivery of a test that is ended; `None`: a new one.
        ends: Option<String>,
    },
    /// Reads the files again.
    Reload,
}

/// What an act came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// What was made or changed.
    pub id: String,
    /// In one sentence.
    pub message: String,
    /// All was so already: nothing was written.
    pub unchanged: bool,
    /// It was done, and is probably not what was meant: why.
    pub hint: Option<String>,
}
