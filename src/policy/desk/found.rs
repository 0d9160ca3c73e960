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
    /// When its first member fired (data time).
    pub began_at: Timestamp,
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
            let (id, began_at) = (digest.alert_id()?, digest.episode?);
            is_meant(&digest.key, &id).then_some((digest, id, began_at))
        });
        let (digest, alert_id, began_at) = meant.max_by_key(|(digest, ..)| {
            (digest.ended_at.is_none(), sink == Some(digest.sink.as_str()), digest.episode)
        })?;
        let members = self.members_of(&alert_id).iter().filter_map(|alert| self.member(alert)).collect();
        Some(DigestFound { members, severity: digest.severity, began_at, ended_at: digest.ended_at, alert_id })
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

#[cfg(test)]
mod tests {
    use crate::config::meant::Route;
    use crate::policy::act::Ack;
    use crate::policy::desk::kit::{Life, after, at, by, firing, seconds, to};

    #[test]
    fn a_digest_is_found_by_its_messages_and_taken_on_at_all_sinks_at_once() {
        let mut life = Life::new(vec![Route { grouping: by(&[], 0, 60), ..to(&["a", "b"]) }]);
        life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
        let (key, id) = ("group{}/page/digest", format!("group{{}}/page/digest/{}/alert-1", at(0)));
        let found = |life: &Life| life.desk.digest_of(Some("b"), |named, _| named == key).unwrap();
        assert_eq!(found(&life).alert_id, id);
        assert_eq!(life.desk.digest_of(None, |_, named| named == "x"), None, "an alert is none");
        life.ack("x", 10);
        assert_eq!(found(&life).acked(), None, "y is left");
        let later = Ack { by: "ben".to_owned(), at: at(20), note: None };
        life.with(20, |desk, _, _| drop(desk.ack(&id, &later, false).unwrap()));
        assert_eq!(life.case("x")["acked"]["by"], "mara");
        assert_eq!(life.case("y")["acked"]["by"], "ben");
        assert_eq!(found(&life).acked().map(|ack| ack.by.as_str()), Some("mara"), "the first one stands");
        life.restart();
        let members: Vec<(String, bool)> =
            found(&life).members.into_iter().map(|member| (member.alert_id, member.fires)).collect();
        assert_eq!(members, [("x".to_owned(), true), ("y".to_owned(), true)]);
        life.end("x", 30);
        life.end("y", 30);
        life.until(200);
        let over = found(&life);
        assert!(!over.fires() && over.ended_at.is_some() && over.acked().is_none(), "{over:?}");
    }

    #[test]
    fn a_group_is_repeated_while_one_of_it_is_taken_on_by_nobody_and_escalated_as_one() {
        let escalate = vec![after(600, &["b"])];
        let route = Route { grouping: by(&[], 0, 60), repeat: Some(seconds(900)), escalate, ..to(&["a"]) };
        let mut life = Life::new(vec![route]);
        life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
        assert_eq!(life.news_until(599), "a:1[x y]");
        life.until(601);
        assert_eq!(life.told[0].notification.reason, "2 alerts fire: shop/x, shop/y; nobody acknowledged within 10m");
        assert_eq!(life.news(), "b:1[x y]");
        life.ack("x", 700);
        assert_eq!(life.news_until(901), "a:1/r1[x y]");
        // By the digest's own id all of its alerts are taken on.
        let digest = format!("group{{}}/page/digest/{}/alert-1", at(0));
        life.ack(&digest, 1_000);
        assert_eq!(life.case("y")["acked"]["by"], "mara");
        assert_eq!(life.news_until(9_000), "");
        life.end("x", 9_000);
        life.end("y", 9_001);
        assert_eq!(life.news_until(9_100), "b:2[y x-] a:2[y x-] a:3![y-] b:3![y-]");
    }
}
