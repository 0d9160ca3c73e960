//! Who hears that an alert was taken on: those who were told of its firing, by itself or in a digest, and who call people
//! until then or keep a thread ([`SinkConfig::hears_acks`]).
//!
//! A digest is taken on once all of its alerts that fire are: before that a receiver that calls people has to go on. From
//! then on it calls nobody under that key, so the digest is sealed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config::meant::SinkConfig;
use crate::policy::act::Ack;
use crate::policy::current::Depth;
use crate::policy::desk::case::Case;
use crate::policy::desk::digest::{Digest, Listed, Named};
use crate::policy::desk::{Before, Desk, Errand, NotDone, Rules};
use crate::policy::notification::{Notification, Occasion};
use crate::units::Timestamp;

impl Desk {
    /// Tells that `ack` took on what was not taken on before; `before` is what [`Desk::ack`] gave.
    pub fn tell_ack(&mut self, before: &Before, ack: &Ack, rules: &Rules<'_>, now: Timestamp) {
        let config = rules.config;
        let is_new = |case: &Option<Case>| case.as_ref().is_none_or(|case| case.acked.is_none());
        let taken: BTreeSet<&str> =
            before.iter().filter(|(_, case)| is_new(case)).map(|(alert, _)| alert.as_str()).collect();
        let hears = |sink: &str| config.sinks.get(sink).is_some_and(SinkConfig::hears_acks);
        let mut told = Vec::new();
        for case in taken.iter().filter_map(|alert| self.cases.get(*alert)).filter(|case| case.fires()) {
            let Some(about) = case.notification.as_deref() else { continue };
            let alone = case.told.iter().filter(|(sink, told)| told.alone && !told.gone && hears(sink));
            let sinks: Vec<String> = alone.map(|(sink, _)| sink.clone()).collect();
            if !sinks.is_empty() {
                told.push((taken_on(rules.as_of_now(about, Depth::Evidence, now), case.acks, ack), sinks));
            }
        }
        let calls = |sink: &str| config.sinks.get(sink).is_some_and(SinkConfig::calls_people);
        let mut sealed = Vec::new();
        for (id, digest) in self.digests.iter().filter(|(_, digest)| hears(&digest.sink)) {
            let Some(together) = self.taken_on_together(digest, &taken, ack, rules, now) else { continue };
            told.push((together, vec![digest.sink.clone()]));
            sealed.extend(calls(&digest.sink).then(|| id.clone()));
        }
        for (notification, sinks) in told {
            self.tell(notification, sinks);
        }
        for id in sealed {
            self.seal(&id);
        }
    }

    /// Nobody works on an alert any more, or on all alerts of a digest: from now on it is repeated and escalated again, at
    /// once where that is overdue.
    ///
    /// # Errors
    /// Where it is not known, or nothing of it that fires was taken on.
    pub fn unack(&mut self, alert_id: &str) -> Result<Before, NotDone> {
        let alone = self.cases.contains_key(alert_id);
        let wanted = if alone { BTreeSet::from([alert_id.to_owned()]) } else { self.members_of(alert_id) };
        if wanted.is_empty() {
            return Err(NotDone::Unknown);
        }
        let mut before = Vec::new();
        for alert in wanted {
            if self.cases.get(&alert).is_some_and(|case| case.ended_at.is_none() && case.acked.is_some()) {
                before.push(self.change(&alert, |case| case.acked = None));
                self.send(Errand::Case(alert), Some(self.now));
            }
        }
        self.repeat_digests_of(&before);
        if before.is_empty() { Err(NotDone::Ended) } else { Ok(before) }
    }

    /// The digests of what nobody works on any more.
    fn repeat_digests_of(&mut self, changed: &Before) {
        let cases = changed.iter().filter_map(|(alert, _)| self.cases.get(alert));
        let places = cases.flat_map(|case| case.places.values()).map(|place| place.group.clone());
        for id in places.collect::<BTreeSet<String>>() {
            let Some(digest) = self.digests.get_mut(&id) else { continue };
            digest.repeat_again();
            let due = digest.due();
            self.touched_digests.insert(id.clone());
            self.send(Errand::Digest(id), due);
        }
    }

    /// What is told of a digest whose last alerts were taken on just now.
    fn taken_on_together(
        &self,
        digest: &Digest,
        taken: &BTreeSet<&str>,
        ack: &Ack,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> Option<Notification> {
        if digest.ended_at.is_some() || digest.told_at.is_none() {
            return None;
        }
        let members = || digest.members.iter().filter_map(|alert| self.cases.get(alert));
        let is_listed = |case: &&Case| case.places.get(&digest.sink).is_some_and(|place| place.listed);
        let firing: Vec<&Case> = members().filter(|case| case.fires()).filter(is_listed).collect();
        let has_new = firing.iter().any(|case| taken.contains(case.alert_id.as_str()));
        if !has_new || firing.iter().any(|case| case.acked.is_none()) {
            return None;
        }
        let depth = if firing.len() == 1 { Depth::Evidence } else { Depth::Figures };
        let named = firing.iter().filter_map(|case| {
            let about = rules.as_of_now(case.notification.as_deref()?, depth, now);
            Some(Named::of(Cow::Owned(about), case.acked.as_ref(), true))
        });
        let mut firing: Vec<Named<'_>> = named.collect();
        firing.sort_by(|a, b| a.member.worse_first(&b.member));
        let apart = self.apart(digest, firing.first().and_then(|named| named.about.mark));
        let listed = Listed { firing, ended: Vec::new(), apart };
        let told = digest.notification(&listed, &rules.config.server.external_labels)?;
        Some(taken_on(told, self.acks_of(digest), ack))
    }

    /// Never the same twice: one of them goes up with every telling of the same message.
    pub(super) fn acks_of(&self, digest: &Digest) -> u32 {
        digest.members.iter().filter_map(|alert| self.cases.get(alert)).map(|case| case.acks).sum()
    }
}

/// What is told with `about`, or after it: that somebody is at it.
pub(super) fn taken_on(about: Notification, count: u32, ack: &Ack) -> Notification {
    let mut told = about;
    told.id = format!("{}/a{count}", told.id);
    told.occasion = Occasion::Acknowledged;
    told.acked = Some(ack.clone());
    told.links.remove("ack");
    told
}

#[cfg(test)]
mod tests {
    use crate::config::meant::SecretRef;
    use crate::config::meant::{Route, SinkConfig};
    use crate::config::sinks::teams::Teams;
    use crate::policy::act::{Ack, AlertVerdict};
    use crate::policy::current::Figures;
    use crate::policy::desk::NotDone;
    use crate::policy::desk::kit::{Life, after, at, by, firing, pagerduty, seconds, to};
    use crate::policy::notification::Occasion;
    use crate::policy::quiet::QuietKind;

    /// `a` and `b` hear it, `c` and `d` do not.
    fn life(routes: Vec<Route>) -> Life {
        let mut life = Life::new(routes);
        for name in ["a", "b"] {
            let hears = SinkConfig::Teams(Teams { url: SecretRef::Env("X".to_owned()) });
            life.config.sinks.insert(name.to_owned(), hears);
        }
        life
    }

    fn take_on(life: &mut Life, alert: &str, second: i64) {
        let ack = Ack { by: "kim".to_owned(), at: at(second), note: Some("the disk".to_owned()) };
        life.until(second);
        life.with(second, |desk, rules, now| {
            let before = desk.ack(alert, &ack, false).unwrap();
            desk.tell_ack(&before, &ack, rules, now);
        });
    }

    #[test]
    fn those_who_were_told_hear_who_took_it_on_and_nobody_else_does() {
        let escalate = vec![after(600, &["b"])];
        let mut life = life(vec![Route { escalate: escalate.clone(), ..to(&["a", "c", "am"]) }]);
        life.fire("x", 0);
        assert_eq!(life.news(), "a:x/1 c:x/1 am:x/1");
        take_on(&mut life, "x", 60);
        let told = life.told[0].notification.clone();
        assert_eq!(life.news(), "a:x/1/a1", "`b` was not told yet, `c` does nothing about it");
        assert_eq!(told.acked.unwrap().by, "kim");
        assert!(!told.links.contains_key("ack"));
        take_on(&mut life, "x", 70);
        assert_eq!(life.news(), "", "the first one counts");
        life.end("x", 700);
        assert_eq!(life.news(), "a:x/2 am:x/2 c:x/2");
        life.fire("y", 1_000);
        assert_eq!(life.news_until(1_601), "a:y/1 c:y/1 am:y/1 b:y/1");
        take_on(&mut life, "y", 1_700);
        assert_eq!(life.news(), "a:y/1/a1 b:y/1/a1", "who was escalated to hears it too");
    }

    #[test]
    fn an_ack_follows_the_firing_of_one_that_was_taken_on_while_it_was_quiet() {
        for grouping in [None, by(&[], 0, 60)] {
            let mut life = life(vec![Route { grouping: grouping.clone(), ..to(&["a", "c"]) }]);
            life.quiet("x", QuietKind::Silence, 0, 100);
            life.fire("x", 5);
            take_on(&mut life, "x", 10);
            assert_eq!(life.news(), "", "nobody knows of it");
            life.until(101);
            let ack = life.told.iter().map(|telling| &telling.notification).find(|told| told.tells_ack()).unwrap();
            assert_eq!((ack.occasion, ack.acked.as_ref().unwrap().by.as_str()), (Occasion::Acknowledged, "kim"));
            let expected = if grouping.is_none() { "a:x/1/s1 c:x/1/s1 a:x/1/s1/a1" } else { "a:1[x] a:1/a1[x] c:1[x]" };
            assert_eq!(life.news(), expected);
        }
    }

    #[test]
    fn an_ack_and_an_escalation_of_a_group_are_told_with_the_figures_of_now() {
        for grouping in [None, by(&[], 0, 60)] {
            let route = Route { grouping, escalate: vec![after(600, &["b"])], ..to(&["a"]) };
            let mut life = life(vec![route]);
            life.fire("x", 0);
            let now = Figures { as_of: at(570), reason: Some("60% fail".to_owned()), ..Figures::default() };
            life.figures.insert("x".to_owned(), Some(now));
            life.until(601);
            take_on(&mut life, "x", 610);
            let told: Vec<_> = life.told.iter().map(|telling| &telling.notification).collect();
            assert_eq!(told.len(), if told[0].members.is_empty() { 3 } else { 4 });
            assert_eq!((told[0].as_of, told[0].reason.as_str()), (at(0), "it fails"));
            for later in &told[1..] {
                assert_eq!((later.as_of, later.reason.starts_with("60% fail")), (at(570), true), "{}", later.id);
            }
        }
    }

    #[test]
    fn a_digest_is_told_once_when_the_last_of_it_was_taken_on() {
        let route = Route { grouping: by(&[], 0, 60), repeat: Some(seconds(900)), ..to(&["a", "c"]) };
        let mut life = life(vec![route]);
        life.take_all(vec![firing("x", 0), firing("y", 0), firing("z", 0)], 0);
        assert_eq!(life.news_until(1), "a:1[x y z] c:1[x y z]");
        take_on(&mut life, "x", 10);
        assert_eq!(life.news(), "", "y and z are still nobody's");
        life.restart();
        take_on(&mut life, &format!("group{{}}/page/digest/{}/alert-1", at(0)), 20);
        let told = life.told[0].notification.clone();
        assert_eq!(life.news(), "a:1/a3[x y z]");
        assert_eq!((told.dedup_key.as_str(), told.acked.unwrap().at), ("group{}/page/digest", at(20)));
        // One more joins: it is told, and when that one is taken on, so is the whole again.
        life.take(firing("w", 100), 100);
        assert_eq!(life.news_until(101), "a:2[w x y z] c:2[w x y z]".replace("w x y z", "x y z w"));
        take_on(&mut life, "w", 110);
        assert_eq!(life.news(), "a:2/a4[x y z w]");
    }

    #[test]
    fn who_comes_after_a_group_was_taken_on_calls_people_under_another_key() {
        let route = Route { grouping: by(&[], 30, 300), repeat: Some(seconds(900)), ..to(&["a", "c"]) };
        let mut life = life(vec![route]);
        life.config.sinks.insert("a".to_owned(), pagerduty());
        life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
        assert_eq!(life.news_until(31), "a:1[x y] c:1[x y]");
        // One that waits for the next message when the first ones are taken on is not told among them.
        life.fire("z", 40);
        take_on(&mut life, "x", 50);
        assert_eq!(life.news(), "", "y is left");
        take_on(&mut life, "y", 60);
        assert_eq!(life.news(), "a:1/a2[x y]");
        life.restart();
        assert_eq!(life.news_until(91), "a:#2:1[z]", "as soon as a new group is");
        life.fire("w", 100);
        assert_eq!(life.news_until(331), "c:2[x y z w]");
        life.until(392);
        let told = life.told[0].notification.clone();
        assert_eq!(told.dedup_key, "group{}/page/digest/2");
        assert_eq!(told.notes[0], "what fired before was taken on, so this is told anew");
        assert_eq!(life.news(), "a:#2:2[z w]", "those that nobody took on come together");
        // Nobody is called for what is taken on; the second group is, until somebody does.
        assert_eq!(life.news_until(1_292), "c:2/r1[x y z w] a:#2:2/r1[z w]");
        take_on(&mut life, &format!("group{{}}/page/digest/2/{}/alert-1", at(40)), 1_300);
        assert_eq!(life.news(), "a:#2:2/r1/a2[z w]");
        life.restart();
        life.fire("v", 1_400);
        life.end("x", 1_500);
        life.end("y", 1_500);
        life.end("w", 1_500);
        assert_eq!(life.news_until(1_501), "a:#3:1[v] a:2[y x-] a:3![y-]");
    }

    #[test]
    fn a_flood_after_a_storm_was_taken_on_calls_people_once() {
        let mut life = life(vec![to(&["a"])]);
        life.config.sinks.insert("a".to_owned(), pagerduty());
        life.config.limits.storm = 2;
        life.take_all(["s", "t", "u", "v"].map(|name| firing(name, 0)).into(), 0);
        assert_eq!(life.news(), "a:s/1 a:t/1 a:1[u v]");
        let storm = format!("storm{{sink=\"a\"}}/page/digest/{}/alert-1", at(0));
        take_on(&mut life, &storm, 20);
        life.news();
        // Within the minute, and above the limit.
        life.fire("w", 30);
        assert_eq!(life.news(), "a:#2:1[w]", "nobody has that one");
        life.take_all((0..30).map(|number| firing(&format!("n{number:02}"), 40)).collect(), 40);
        let told = life.news_until(91);
        assert!(told.starts_with("a:n00/1 a:n01/1 a:#2:2[") || told.starts_with("a:#2:2["), "{told}");
        assert_eq!(told.matches("a:#").count(), 1, "as one: {told}");
        // The next one comes by itself, as ever.
        life.fire("x", 400);
        assert_eq!(life.news(), "a:x/1");
        let mut open: Vec<String> = ["w", "u", "v"].map(str::to_owned).into();
        open.extend((0..30).map(|number| format!("n{number:02}")));
        for alert in open {
            life.end(&alert, 500);
        }
        let told = life.news_until(600);
        assert_eq!((told.matches("a:3!").count(), told.matches("a:#2:4!").count()), (1, 1), "both end: {told}");
    }

    #[test]
    fn what_nobody_works_on_any_more_is_repeated_and_escalated_again() {
        let route = Route { repeat: Some(seconds(900)), escalate: vec![after(600, &["b"])], ..to(&["a"]) };
        let mut life = life(vec![route]);
        life.fire("x", 0);
        take_on(&mut life, "x", 60);
        assert_eq!(life.news_until(1_000), "a:x/1 a:x/1/a1");
        life.with(1_000, |desk, _, _| {
            assert_eq!(desk.unack("nobody"), Err(NotDone::Unknown));
            let before = desk.unack("x").unwrap();
            assert_eq!(desk.unack("x"), Err(NotDone::Ended), "nobody has it");
            desk.undo(before);
            desk.unack("x").unwrap();
        });
        let mut told: Vec<String> = life.news_until(1_001).split(' ').map(str::to_owned).collect();
        told.sort();
        assert_eq!(told, ["a:x/1/r1", "b:x/1"], "both are overdue");
        assert_eq!(life.case("x")["acked"], serde_json::Value::Null);
        take_on(&mut life, "x", 1_100);
        assert_eq!(life.news(), "a:x/1/a2 b:x/1/a2", "under an id of its own");
    }

    #[test]
    fn a_digest_that_nobody_works_on_any_more_is_told_again_at_once_where_that_is_overdue() {
        let mut life = life(vec![Route { grouping: by(&[], 0, 60), repeat: Some(seconds(900)), ..to(&["a"]) }]);
        life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
        take_on(&mut life, "x", 10);
        take_on(&mut life, "y", 20);
        assert_eq!(life.news_until(1_000), "a:1[x y] a:1/a2[x y]", "its time came at 900, and nothing was missed");
        life.with(1_000, |desk, _, _| drop(desk.unack("x").unwrap()));
        assert_eq!(life.news(), "a:1/r1[x y]");
        assert_eq!(life.news_until(1_901), "a:1/r2[x y]");
    }

    #[test]
    fn what_could_not_be_written_is_told_under_the_same_id_when_it_can() {
        let mut life = life(vec![to(&["a"])]);
        life.fire("x", 0);
        life.news();
        let ack = Ack { by: "kim".to_owned(), at: at(5), note: None };
        life.with(5, |desk, rules, now| {
            let before = desk.ack("x", &ack, false).unwrap();
            desk.tell_ack(&before, &ack, rules, now);
            // As the runtime does it: what was drained is lost with its commit.
            assert_eq!(desk.drain().tellings.len(), 1);
            desk.undo(before);
        });
        take_on(&mut life, "x", 10);
        assert_eq!(life.news(), "a:x/1/a1");
    }

    #[test]
    fn people_take_on_and_judge_what_is_open() {
        let mut life = Life::new(vec![to(&["a"])]);
        let ack = Ack { by: "mara".to_owned(), at: at(0), note: Some("on it".to_owned()) };
        life.fire("x", 0);
        life.with(1, |desk, _, _| {
            assert_eq!(desk.ack("nobody", &ack, false), Err(NotDone::Unknown));
            let before = desk.ack("x", &ack, false).unwrap();
            desk.undo(before);
            assert_eq!(desk.case("x").unwrap().acked, None, "what could not be written was not done");
            desk.judge("x", AlertVerdict::Noise, "ben", false).unwrap();
            // Held back: the desk was not told of it yet.
            desk.ack("held", &ack, true).unwrap();
        });
        assert_eq!((&life.case("x")["verdict"], &life.case("x")["verdict_by"]), (&"noise".into(), &"ben".into()));
        life.fire("held", 10);
        assert_eq!(life.news(), "a:x/1 a:held/1");
        assert_eq!(life.case("held")["acked"]["note"], "on it");
        life.with(20, |desk, _, now| {
            desk.ack("another", &ack, true).unwrap();
            desk.ended_untold("another", now);
        });
        assert_eq!(life.case("another")["ended_at"], at(20).to_string());
    }
}
