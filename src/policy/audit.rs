//! The audit: one entry for each act that was done, never changed, kept as long as the history.
//!
//! An act that failed, or changed nothing, has no entry: nothing became of it. A test is one act, with its end. Ids ascend with time and name the act; two acts of one kind on
//! one thing in one millisecond are told apart by a count, so no entry takes the place of another.

use serde::{Deserialize, Serialize};

use crate::policy::act::{Act, Acted, Actor};
use crate::units::Timestamp;

/// Version of the record.
const VERSION: u32 = 1;

/// Who did what to what, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Of the shape of this record.
    pub version: u32,
    /// When (wall clock).
    pub at: Timestamp,
    /// Name of the token or person; `files` where the files themselves changed.
    pub actor: String,
    /// On what way: `api`, `cli`, `dashboard`, `link`, `pagerduty`, `files` ..
    pub via: String,
    /// `ack unack close verdict silence.add silence.change silence.expire mark drill resend test reload`.
    pub action: String,
    /// Id of what was changed.
    pub object: String,
    /// In one sentence.
    pub detail: String,
}

impl AuditEntry {
    /// Of an act that is done.
    #[must_use]
    pub fn of(act: &Act, acted: &Acted, by: &Actor, at: Timestamp) -> Self {
        Self {
            version: VERSION,
            at,
            actor: by.name.clone(),
            via: by.via.clone(),
            action: action(act).to_owned(),
            object: object(act, acted),
            detail: detail(act, acted),
        }
    }

    /// The id of the record; `again` counts the entries that have the same one without it.
    #[must_use]
    pub fn id(&self, again: usize) -> String {
        let id = format!("{:015}-{}-{}", self.at.millis(), self.action, self.object);
        if again == 0 { id } else { format!("{id}-{}", again + 1) }
    }
}

/// What the act is called.
#[must_use]
pub const fn action(act: &Act) -> &'static str {
    match act {
        Act::Ack { .. } => "ack",
        Act::Unack { .. } => "unack",
        Act::Close { .. } => "close",
        Act::Judge { .. } => "verdict",
        Act::Silence(draft) if draft.id.is_some() => "silence.change",
        Act::Silence(_) => "silence.add",
        Act::Expire { .. } => "silence.expire",
        Act::Mark { .. } => "mark",
        Act::Drill { .. } => "drill",
        Act::Resend { .. } => "resend",
        Act::Test { .. } => "test",
        Act::Reload => "reload",
    }
}

/// What it was done to: what was named, or what was made.
fn object(act: &Act, acted: &Acted) -> String {
    match act {
        Act::Ack { alert, .. } | Act::Unack { alert, .. } | Act::Close { alert, .. } | Act::Judge { alert, .. } => {
            alert.clone()
        }
        Act::Expire { silence } => silence.clone(),
        Act::Mark { service, .. } => service.clone(),
        Act::Drill { instance, .. } => instance.to_string(),
        Act::Resend { delivery } => delivery.clone(),
        Act::Test { sink, .. } => sink.clone(),
        Act::Silence(_) | Act::Reload => acted.id.clone(),
    }
}

/// In their words where there are any.
fn detail(act: &Act, acted: &Acted) -> String {
    match act {
        Act::Ack { note: Some(note), .. } | Act::Unack { note: Some(note), .. } => note.clone(),
        // What it left behind is a part of what was done.
        Act::Close { note: Some(note), .. } => format!("{note}; {}", acted.message),
        Act::Judge { verdict, .. } => verdict.name().to_owned(),
        Act::Silence(draft) => draft.comment.clone(),
        Act::Mark { version, .. } => version.clone(),
        _ => acted.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::act::AlertVerdict;

    fn by() -> Actor {
        Actor { name: "anna".into(), via: "api".into() }
    }

    #[test]
    fn an_entry_names_who_what_and_to_what() {
        let act = Act::Judge { alert: "shop/a/page/1".into(), verdict: AlertVerdict::Noise };
        let entry = AuditEntry::of(&act, &Acted::default(), &by(), Timestamp::from_millis(42));
        assert_eq!((entry.actor.as_str(), entry.via.as_str()), ("anna", "api"));
        assert_eq!((entry.action.as_str(), entry.object.as_str()), ("verdict", "shop/a/page/1"));
        assert_eq!(entry.detail, "noise");
        assert_eq!(entry.id(0), "000000000000042-verdict-shop/a/page/1");
        assert_eq!(entry.id(1), "000000000000042-verdict-shop/a/page/1-2");
    }

    #[test]
    fn a_note_is_kept_in_their_words_and_what_was_made_is_the_object() {
        let acted = Acted { id: "s1".into(), message: "done".into(), ..Acted::default() };
        let act = Act::Ack { alert: "a".into(), note: Some("on it".into()) };
        assert_eq!(AuditEntry::of(&act, &acted, &by(), Timestamp::default()).detail, "on it");
        let close = Act::Close { alert: "a".into(), note: Some("known".into()) };
        assert_eq!(AuditEntry::of(&close, &acted, &by(), Timestamp::default()).detail, "known; done");
        let act = Act::Ack { alert: "a".into(), note: None };
        assert_eq!(AuditEntry::of(&act, &acted, &by(), Timestamp::default()).detail, "done");
        assert_eq!(AuditEntry::of(&Act::Reload, &acted, &by(), Timestamp::default()).object, "s1");
    }
}
