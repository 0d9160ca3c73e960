//! Entries of the audit.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::audit::AuditEntry;
use crate::store::Record;
use crate::units::Timestamp;

/// Who did what to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Audited {
    /// Ascends with time.
    pub id: String,
    /// Wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Name of the token or person; `files` where the files themselves changed.
    pub actor: String,
    /// `api`, `cli`, `dashboard`, `link`, `pagerduty`, `slack`, `files`, `signal`.
    pub via: String,
    /// `ack unack close verdict silence.add silence.change silence.expire mark drill resend test reload`.
    pub action: String,
    /// Id of what was changed.
    pub object: String,
    /// In one sentence.
    pub detail: String,
}

impl Audited {
    /// Who did it and on what way: `kim (cli)`. Whoever did not say a name is the way: `link`.
    #[must_use]
    pub fn who(&self) -> String {
        if self.actor == self.via { self.actor.clone() } else { format!("{} ({})", self.actor, self.via) }
    }

    /// Of its record; `None` where that is not readable.
    #[must_use]
    pub fn of(record: &Record) -> Option<Self> {
        let entry: AuditEntry = serde_json::from_str(record.text.as_deref()?).ok()?;
        let AuditEntry { at, actor, via, action, object, detail, .. } = entry;
        Some(Self { id: record.id.clone(), at, actor, via, action, object, detail })
    }
}
