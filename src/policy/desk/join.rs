//! How cases join digests, and how those are told.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config::meant::SinkConfig;
use crate::policy::current::Depth;
use crate::policy::desk::acks::taken_on;
use crate::policy::desk::case::{Case, Place};
use crate::policy::desk::digest::{Digest, Form, Listed, Named};
use crate::policy::desk::{Desk, Errand, REMEMBERED, Rules};
use crate::policy::notification::{Mark, Notification};
use crate::policy::quiet::About;
use crate::policy::several::News;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

impl Desk {
    /// A case becomes a member of a digest at a sink.
    pub(super) fn join(&mut self, case: &mut Case, sink: &str, form: &Form, severity: AlertSeverity, now: Timestamp) {
        let form = &Form { key: self.open_key(case, sink, &form.key), ..form.clone() };
        let id = Digest::id(sink, &form.key);
        let digest = self.digests.entry(id.clone()).or_insert_with(|| Digest::new(form, sink, severity, now));
        digest.join(&case.alert_id, form, now);
        let due = digest.due();
        case.places.insert(sink.to_owned(), Place { group: id.clone(), listed: false, joined_at: Some(now) });
        self.touched.insert(case.alert_id.clone());
        self.touched_digests.insert(id.clone());
        self.send(Errand::Digest(id), due);
    }

    /// The key under which a case is told: that of the first digest which is not sealed. One that somebody took on needs no
    /// call.
    fn open_key(&self, case: &Case, sink: &str, first: &str) -> String {
        let first_id = Digest::id(sink, first);
        let of_it = self.digests.range(first_id.clone()..).take_while(|(id, _)| id.starts_with(&first_id));
        let open: Vec<&Digest> = of_it.map(|(_, digest)| digest).filter(|digest| digest.ended_at.is_none()).collect();
        if case.acked.is_some() || open.is_empty() {
            return first.to_owned();
        }
        if let Some(joined) = open.iter().find(|digest| !digest.sealed) {
            return joined.key.clone();
        }
        let numbered = (1..).map(|number| Digest::numbered(first, number));
        let free = numbered.take(open.len() + 1).find(|key| open.iter().all(|digest| digest.key != *key));
        free.unwrap_or_else(|| first.to_owned())
    }

    /// A digest was taken on where people are called: who is still to be told in it, and whom nobody took on, is told by
    /// the next one.
    pub(super) fn seal(&mut self, id: &str) {
        let Some(digest) = self.digests.get_mut(id) else { return };
        let is_left = |case: &Case| {
            let listed = case.places.get(&digest.sink).is_some_and(|place| place.listed);
            case.fires() && case.acked.is_none() && !listed
        };
        let (left, stay): (Vec<&Case>, Vec<&Case>) =
            digest.members.iter().filter_map(|alert| self.cases.get(alert)).partition(|case| is_left(case));
        let left: BTreeSet<String> = left.into_iter().map(|case| case.alert_id.clone()).collect();
        // What is left in it and was told says nothing new.
        let is_told =
            |case: &&Case| case.ended_at.is_none() && case.places.get(&digest.sink).is_some_and(|place| place.listed);
        digest.changed &= digest.quiet_over || !stay.iter().all(is_told);
        digest.sealed = true;
        digest.firing = digest.firing.saturating_sub(left.len());
        digest.members.retain(|alert| !left.contains(alert));
        let (sink, severity, due) = (digest.sink.clone(), digest.severity, digest.due());
        let form = digest.form(digest.first_key().to_owned());
        self.touched_digests.insert(id.to_owned());
        self.send(Errand::Digest(id.to_owned()), due);
        for alert in left {
            let Some(mut case) = self.cases.remove(&alert) else { continue };
            let joined_at = case.places.get(&sink).and_then(|place| place.joined_at);
            self.join(&mut case, &sink, &form, severity, self.now);
            if let Some(place) = case.places.get_mut(&sink) {
                place.joined_at = joined_at;
            }
            self.cases.insert(alert, case);
        }
    }

    /// A quiet of a member is over: its digest is told again at its time, although its members are the same.
    pub(super) fn mention(&mut self, id: &str) {
        let Some(digest) = self.digests.get_mut(id) else { return };
        digest.changed = true;
        digest.quiet_over = true;
        let due = digest.due();
        self.touched_digests.insert(id.to_owned());
        self.send(Errand::Digest(id.to_owned()), due);
    }

    /// A member has ended: whether its digest has still to tell that.
    pub(super) fn member_ended(&mut self, alert: &str, place: &Place) -> bool {
        let Some(digest) = self.digests.get_mut(&place.group) else { return false };
        digest.firing = digest.firing.saturating_sub(1);
        if place.listed {
            digest.changed = true;
        } else {
            digest.members.remove(alert);
        }
        let due = digest.due();
        self.touched_digests.insert(place.group.clone());
        self.send(Errand::Digest(place.group.clone()), due);
        place.listed
    }

    /// A digest's time has come.
    pub(super) fn tell_digest(&mut self, id: &str, rules: &Rules<'_>, now: Timestamp) {
        let Some(mut digest) = self.digests.remove(id) else { return };
        self.touched_digests.insert(id.to_owned());
        self.leave_while_quiet(&mut digest, rules, now);
        let fresh = digest.told_at.is_none();
        let floods = fresh && digest.firing > 0 && !digest.storm && digest.severity == AlertSeverity::Page;
        // Never told as one with life.
        let drills = digest.members.iter().filter_map(|alert| self.cases.get(alert)).any(|case| case.drill);
        if floods && self.is_storm((&digest.sink, drills), rules.config.limits.storm, now) {
            self.join_storm(&mut digest, rules, now);
        }
        if fresh && digest.firing == 0 {
            // One that was told before keeps its count.
            if digest.transition > 0 {
                digest.ended_at = Some(now);
                self.digests.insert(id.to_owned(), digest);
            }
            return;
        }
        let silent = !fresh && !digest.changed && digest.firing > 0 && !self.is_missed(&digest, rules, now);
        if silent {
            digest.skip_repeat(now);
        } else {
            self.tell_members(id, &mut digest, rules, now);
        }
        self.send(Errand::Digest(id.to_owned()), digest.due());
        self.digests.insert(id.to_owned(), digest);
    }

    /// Members that nobody heard of and that are quiet by now wait for themselves. Who fires is counted anew: a digest
    /// whose member was lost with an unreadable record ends all the same.
    fn leave_while_quiet(&mut self, digest: &mut Digest, rules: &Rules<'_>, now: Timestamp) {
        let mut firing = 0;
        for alert in digest.members.clone() {
            self.work += 1;
            let Some(case) = self.cases.get_mut(&alert) else {
                digest.members.remove(&alert);
                continue;
            };
            firing += usize::from(case.ended_at.is_none());
            let new = case.places.get(&digest.sink).is_some_and(|place| !place.listed);
            let Some(about) = case.notification.as_deref().filter(|_| new) else { continue };
            if (rules.quiet)(About::from(about), now).is_some() {
                case.places.remove(&digest.sink);
                case.waits = true;
                digest.members.remove(&alert);
                firing = firing.saturating_sub(1);
                self.touched.insert(alert.clone());
                self.send(Errand::Case(alert), Some(now));
            }
        }
        digest.firing = firing;
    }

    /// One message too many: its members join the storm.
    fn join_storm(&mut self, digest: &mut Digest, rules: &Rules<'_>, now: Timestamp) {
        digest.firing = 0;
        for alert in std::mem::take(&mut digest.members) {
            let Some(mut case) = self.cases.remove(&alert) else { continue };
            let left = case.places.remove(&digest.sink);
            if let Some(about) = case.notification.take() {
                let external = &rules.config.server.external_labels;
                let form = Form::storm(&about, &digest.sink, digest.repeat, external);
                self.join(&mut case, &digest.sink, &form, about.severity, now);
                if let Some(place) = case.places.get_mut(&digest.sink) {
                    place.joined_at = left.and_then(|left| left.joined_at);
                }
                case.notification = Some(about);
            }
            self.cases.insert(alert, case);
        }
    }

    /// Whether a member fires that nobody took on and that is not quiet; a sink that is gone misses nothing.
    fn is_missed(&self, digest: &Digest, rules: &Rules<'_>, now: Timestamp) -> bool {
        if !rules.config.sinks.contains_key(&digest.sink) {
            return false;
        }
        let open = digest.members.iter().filter_map(|alert| self.cases.get(alert)).filter(|case| case.fires());
        open.filter(|case| case.acked.is_none())
            .filter_map(|case| case.notification.as_deref())
            .any(|about| (rules.quiet)(About::from(about), now).is_none())
    }

    fn tell_members(&mut self, id: &str, digest: &mut Digest, rules: &Rules<'_>, now: Timestamp) {
        let listed = self.listed(digest, rules, now);
        let oldest = if listed.firing.is_empty() { &listed.ended } else { &listed.firing };
        let first = oldest.iter().map(|named| named.about.fired_at).min().unwrap_or(now);
        let (fires, over): (Vec<String>, Vec<String>) = (ids(&listed.firing), ids(&listed.ended));
        digest.count_up(first, now);
        let told = digest.notification(&listed, &rules.config.server.external_labels);
        digest.was_told(fires.len() + over.len());
        // Of what was taken on as a whole, whoever is called may have acknowledged the key by now.
        let calls = rules.config.sinks.get(&digest.sink).is_some_and(SinkConfig::calls_people);
        digest.sealed |= calls && listed.acked().is_some();
        let name = told.as_ref().map(|told| told.alert_id.clone());
        let ack = told.as_ref().and_then(|told| self.ack_of(told, &listed, digest, rules));
        for told in told.into_iter().chain(ack) {
            self.tell(told, vec![digest.sink.clone()]);
        }
        for alert in fires {
            let Some(case) = self.cases.get_mut(&alert) else { continue };
            let Some(place) = case.places.get_mut(&digest.sink).filter(|place| place.group == id && !place.listed)
            else {
                continue;
            };
            place.listed = true;
            case.digests.extend(name.clone().filter(|name| !case.digests.contains(name)));
            case.note(&digest.sink, now, false);
            self.touched.insert(alert.clone());
            // From here on its escalation runs.
            self.send(Errand::Case(alert), Some(now));
        }
        for alert in over {
            digest.members.remove(&alert);
            let Some(mut case) = self.cases.remove(&alert) else { continue };
            case.places.remove(&digest.sink);
            if case.places.is_empty() {
                self.close(case);
            } else {
                self.touched.insert(alert.clone());
                self.cases.insert(alert, case);
            }
        }
    }

    /// What follows a message all of whose alerts were taken on before its sink heard that.
    fn ack_of(
        &self,
        told: &Notification,
        listed: &Listed<'_>,
        digest: &Digest,
        rules: &Rules<'_>,
    ) -> Option<Notification> {
        let hears = rules.config.sinks.get(&digest.sink).is_some_and(SinkConfig::hears_acks);
        let ack = listed.acked().filter(|_| hears)?;
        let is_news = listed.all().any(|named| match named.member.news {
            Some(News::New) => true,
            Some(News::Ended) => named.acked.is_none(),
            _ => false,
        });
        is_news.then(|| taken_on(told.clone(), self.acks_of(digest), ack))
    }

    /// What its next message names: what fires and was not handed over just now as it stands now.
    fn listed(&self, digest: &Digest, rules: &Rules<'_>, now: Timestamp) -> Listed<'_> {
        // Several show nothing of what differs in one of them.
        let depth = if digest.members.len() == 1 { Depth::Evidence } else { Depth::Figures };
        let (mut firing, mut ended) = (Vec::new(), Vec::new());
        for case in digest.members.iter().filter_map(|alert| self.cases.get(alert)) {
            let Some(about) = case.notification.as_deref() else { continue };
            let place = case.places.get(&digest.sink);
            let is_old = case.ended_at.is_none() && !self.fresh.contains(&case.alert_id);
            let told = if is_old { Cow::Owned(rules.as_of_now(about, depth, now)) } else { Cow::Borrowed(about) };
            let named = Named::of(told, case.acked.as_ref(), place.is_some_and(|place| place.listed));
            if case.ended_at.is_none() { firing.push(named) } else { ended.push(named) }
        }
        firing.sort_by(|a, b| a.member.worse_first(&b.member));
        ended.sort_by(|a, b| (a.about.fired_at, &a.about.alert_id).cmp(&(b.about.fired_at, &b.about.alert_id)));
        let mark = firing.iter().chain(&ended).next().and_then(|named: &Named<'_>| named.about.mark);
        let apart = self.apart(digest, mark);
        Listed { firing, ended, apart }
    }

    /// Of a storm: other pages that fire and that its sink was told of one by one.
    pub(super) fn apart(&self, digest: &Digest, mark: Option<Mark>) -> usize {
        let alone = |case: &&Case| {
            let about = case.notification.as_deref().filter(|_| case.fires());
            let page = about.is_some_and(|about| about.severity == digest.severity && about.mark == mark);
            page && case.heard(&digest.sink).is_some_and(|told| told.alone)
        };
        if digest.storm { self.cases.values().filter(alone).count() } else { 0 }
    }

    /// Digests that ended long ago go.
    pub(super) fn forget_digests(&mut self, now: Timestamp) {
        self.digests.retain(|_, digest| digest.ended_at.is_none_or(|ended| now < ended + REMEMBERED));
    }
}

fn ids(of: &[Named<'_>]) -> Vec<String> {
    of.iter().map(|named| named.about.alert_id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::config::meant::Route;
    use crate::policy::card;
    use crate::policy::current::Figures;
    use crate::policy::desk::kit::{Life, after, at, by, firing, seconds, to};
    use crate::policy::notification::{Notification, Occasion};
    use crate::policy::quiet::QuietKind;
    use crate::policy::several::News;

    /// Budget left and burn as a sample has them, so that what is told has figures.
    fn burning(name: &str, second: i64, rate: f64) -> Notification {
        let sample = crate::policy::sample::page(at(second));
        let mut tiers = sample.tiers.clone();
        tiers[0].confirm.as_mut().unwrap().rate = rate;
        Notification { tiers, budget: sample.budget, forecast: sample.forecast, ..firing(name, second) }
    }

    #[test]
    fn many_told_as_one_ask_for_figures_and_one_alone_for_what_differs_too() {
        let asked = |names: &[&str]| {
            let mut life =
                Life::new(vec![Route { grouping: by(&[], 0, 60), repeat: Some(seconds(900)), ..to(&["a"]) }]);
            life.take_all(names.iter().map(|name| firing(name, 0)).collect(), 0);
            life.until(902);
            assert_eq!(life.told.len(), 2);
            (life.asked.load(Ordering::SeqCst), life.evidence_asked.load(Ordering::SeqCst))
        };
        assert_eq!((asked(&["x", "y", "z"]), asked(&["x"])), ((3, 0), (1, 1)));
    }

    /// Of the newest message: each member with what is new about it.
    fn marks(life: &Life) -> Vec<String> {
        let told = &life.told.last().unwrap().notification;
        let mark = |news: Option<News>| news.map_or("", News::name);
        told.members.iter().map(|member| format!("{} {}", member.alert_id, mark(member.news))).collect()
    }

    #[test]
    fn a_message_of_several_has_the_worst_first_and_says_what_is_new() {
        let route = Route { grouping: by(&["service"], 0, 300), repeat: Some(seconds(900)), ..to(&["a"]) };
        let mut life = Life::new(vec![route]);
        life.take_all(vec![burning("x", 0, 20.0), burning("y", 0, 90.0), burning("z", 0, 50.0)], 0);
        assert_eq!(marks(&life), ["y new", "z new", "x new"]);
        let told = life.told.last().unwrap().notification.clone();
        assert!(
            (told.tiers.is_empty(), told.budget.is_none(), told.forecast.is_none()) == (true, true, true),
            "of nobody"
        );
        assert_eq!(card::subject(&told), "[PAGE] 3 alerts of service shop: shop/y, shop/z (+1)");
        assert_eq!(told.notes, ["what changes is told together, 5m from now at the earliest"]);
        assert_eq!((told.members[0].remaining_ratio, told.members[0].burn.as_ref().unwrap().rate), (Some(0.41), 90.0));
        life.take(burning("w", 100, 10.0), 100);
        life.end("z", 110);
        life.ack("x", 120);
        life.until(301);
        assert_eq!(marks(&life), ["y still", "x still", "w new", "z ended"]);
        let told = life.told.last().unwrap().notification.clone();
        let several = told.several.clone().unwrap();
        assert_eq!((several.firing, several.ended, several.new, several.apart), (3, 1, 1, 0));
        assert_eq!(told.members[1].acked_by.as_deref(), Some("mara"));
        assert_eq!(card::subject(&told), "[PAGE] 3 alerts of service shop: shop/y, shop/x (+1); 1 has ended");
        // Told again: the figures of now, and why.
        let mut now = Figures::of(&burning("y", 0, 200.0));
        now.reason = Some("it fails more".to_owned());
        life.figures.insert("y".to_owned(), Some(now));
        life.until(1_202);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!((told.occasion, told.members[0].reason.as_str()), (Occasion::Repeat, "it fails more"));
        assert!(told.notes.contains(&"still firing, told again after 15m".to_owned()), "{:?}", told.notes);
        assert_eq!(marks(&life), ["y still", "x still", "w still"]);
        for name in ["w", "x", "y"] {
            life.end(name, 1_300);
        }
        life.until(1_502);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!(card::subject(&told), "[RESOLVED] all alerts of service shop have ended: shop/x, shop/y (+1)");
        assert_eq!((told.notes.len(), life.case("x")["digests"][0].as_str()), (0, Some(told.alert_id.as_str())));
    }

    #[test]
    fn a_storm_says_that_it_is_one_and_what_fires_beside_it() {
        let mut life = Life::new(vec![to(&["a"])]);
        life.config.limits.storm = 2;
        life.take_all(["u", "v", "w"].map(|name| firing(name, 0)).into(), 0);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!(card::subject(&told), "[PAGE] storm: 3 alerts fire, 1 in this message: shop/w");
        assert_eq!(
            told.notes,
            [
                "too many pages within a minute, so these come as one",
                "2 other pages fire and were told one by one",
                "what changes is told together, 1m from now at the earliest",
            ]
        );
        life.end("w", 70);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!(card::subject(&told), "[RESOLVED] storm is over, all its alerts have ended: shop/w");
        assert_eq!(told.notes, ["2 other pages fire and were told one by one"]);
    }

    #[test]
    fn why_a_group_is_told_now_is_said() {
        let route = Route { grouping: by(&[], 0, 60), escalate: vec![after(600, &["b"])], ..to(&["a"]) };
        let mut life = Life::new(vec![route]);
        life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
        life.quiet("x", QuietKind::Silence, 100, 200);
        life.with(100, crate::policy::desk::Desk::reconsider);
        life.until(201);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!((told.occasion, told.notes[0].as_str()), (Occasion::QuietEnded, "what kept it quiet has ended"));
        life.until(602);
        let told = life.told.last().unwrap().notification.clone();
        assert_eq!((told.occasion, told.notes[0].as_str()), (Occasion::Escalation, "nobody acknowledged within 10m"));
    }
}
