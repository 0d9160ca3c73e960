//! Digests as people meet them: by the key or the id that a message of theirs had.
//!
//! The same group at two sinks has the same id where it began at both with the same member: whoever means one means both,
//! so what is found holds the members of all that are called so.

use std::collections::BTreeSet;

use crate::policy::act::Ack;
use crate::policy::desk::Desk;
use crate::policy::desk::digest::Digest;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// Members that a sentence names.
const NAMED: usize = 5;

/// Several alerts that were told as one.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestFound {
    /// The alert's id that its messages have.
    pub alert_id: String,
    /// Whom it is for.
    pub severity: AlertSeverity,
    /// When its last member ended (wall clock).
    pub ended_at: Option<Timestamp>,
    /// Its alerts: those that fire, and those whose end was not told yet.
    pub members: Vec<DigestMember>,
}

/// One alert of a digest.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestMember {
    /// Its id.
    pub alert_id: String,
    /// Instance id, or `source/NAME`.
    pub slo: String,
    /// One sentence in words and numbers.
    pub reason: String,
    /// It has not ended.
    pub fires: bool,
    /// Who took it on.
    pub acked: Option<Ack>,
}

impl DigestFound {
    /// Whether any of its alerts fires.
    #[must_use]
    pub fn fires(&self) -> bool {
        self.members.iter().any(|member| member.fires)
    }

    /// What is said to those who ask for one alert: which there are.
    #[must_use]
    pub fn one_by_one(&self) -> String {
        let mut named: Vec<String> =
            self.members.iter().take(NAMED).map(|member| format!("`{}`", member.alert_id)).collect();
        if self.members.len() > NAMED {
            named.push("..".to_owned());
        }
        let (id, named) = (&self.alert_id, named.join(", "));
        match self.members.len() {
            0 => format!("`{id}` is a message of several alerts, all of which have ended"),
            1 => format!("`{id}` is a digest, a message of several alerts; it holds {named}"),
            count => format!("`{id}` is a digest, a message of several alerts; it holds {count}: {named}"),
        }
    }

    /// Who took it on, where nothing of it is left to take on: the first of them.
    #[must_use]
    pub fn acked(&self) -> Option<&Ack> {
        let firing = || self.members.iter().filter(|member| member.fires);
        let all = firing().all(|member| member.acked.is_some());
        firing().filter_map(|member| member.acked.as_ref()).min_by_key(|ack| ack.at).filter(|_| all)
    }
}

impl Desk {
    /// The digest that is meant by the key (first) or the id (second) of its messages. Of several the one that fires is,
    /// then the one of `sink`.
    #[must_use]
    pub fn digest_of(&self, sink: Option<&str>, is_meant: impl Fn(&str, &str) -> bool) -> Option<DigestFound> {
        let meant = self.digests.values().filter_map(|digest| {
            let id = digest.alert_id()?;
            is_meant(&digest.key, &id).then_some((digest, id))
        });
        let (digest, alert_id) = meant.max_by_key(|(digest, _)| {
            (digest.ended_at.is_none(), sink == Some(digest.sink.as_str()), digest.episode)
        })?;
        let members = self.members_of(&alert_id).iter().filter_map(|alert| self.member(alert)).collect();
        Some(DigestFound { members, severity: digest.severity, ended_at: digest.ended_at, alert_id })
    }

    /// The alerts of all digests whose messages have this id.
    pub(super) fn members_of(&self, alert_id: &str) -> BTreeSet<String> {
        let called = |digest: &&Digest| digest.alert_id().as_deref() == Some(alert_id);
        self.digests.values().filter(called).flat_map(|digest| digest.members.iter().cloned()).collect()
    }

    fn member(&self, alert: &str) -> Option<DigestMember> {
        let case = self.cases.get(alert)?;
        let about = case.notification.as_deref()?;
        Some(DigestMember {
            alert_id: alert.to_owned(),
            slo: about.slo.clone(),
            reason: about.reason.clone(),
            fires: case.fires(),
            acked: case.acked.clone(),
        })
    }
}
