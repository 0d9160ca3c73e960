//! How cases join digests, and how those are told.

use std::borrow::Cow;

use crate::policy::desk::case::{Case, Place};
use crate::policy::desk::digest::{Digest, Form, Listed, Named};
use crate::policy::desk::look::Moment;
use crate::policy::desk::{Desk, Errand, REMEMBERED, Rules};
use crate::policy::quiet::About;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

impl Desk {
    /// A case becomes a member of a digest at a sink.
    pub(super) fn join(&mut self, case: &mut Case, sink: &str, form: &Form, moment: Moment<'_>) {
        let id = Digest::id(sink, &form.key);
        let new = || Digest::new(form, sink, moment.about.severity, moment.now);
        let digest = self.digests.entry(id.clone()).or_insert_with(new);
        digest.join(&case.alert_id, form, moment.now);
        let due = digest.due();
        case.places.insert(sink.to_owned(), Place { group: id.clone(), listed: false, joined_at: Some(moment.now) });
        self.touched.insert(case.alert_id.clone());
        self.touched_digests.insert(id.clone());
        self.send(Errand::Digest(id), due);
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
        if floods && self.is_storm(&digest.sink, rules.config.limits.storm, now) {
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
                self.join(&mut case, &digest.sink, &form, Moment { about: &about, rules, now });
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
        let name = told.as_ref().map(|told| told.alert_id.clone());
        if let Some(told) = told {
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

    /// What its next message names: what fires and did not join just now as it stands now.
    fn listed(&self, digest: &Digest, rules: &Rules<'_>, now: Timestamp) -> Listed<'_> {
        let (mut firing, mut ended) = (Vec::new(), Vec::new());
        for case in digest.members.iter().filter_map(|alert| self.cases.get(alert)) {
            let Some(about) = case.notification.as_deref() else { continue };
            let place = case.places.get(&digest.sink);
            let is_old = case.ended_at.is_none() && place.is_none_or(|place| place.joined_at != Some(now));
            let told = if is_old { Cow::Owned(rules.as_of_now(about, now)) } else { Cow::Borrowed(about) };
            let named = Named::of(told, case.acked.as_ref(), place.is_some_and(|place| place.listed));
            if case.ended_at.is_none() { firing.push(named) } else { ended.push(named) }
        }
        firing.sort_by(|a, b| a.member.worse_first(&b.member));
        ended.sort_by(|a, b| (a.about.fired_at, &a.about.alert_id).cmp(&(b.about.fired_at, &b.about.alert_id)));
        let mark = firing.iter().chain(&ended).next().map(|named: &Named<'_>| named.about.mark);
        let alone = |case: &&Case| {
            let about = case.notification.as_deref().filter(|_| case.fires());
            let page = about.is_some_and(|about| about.severity == digest.severity && Some(about.mark) == mark);
            page && case.heard(&digest.sink).is_some_and(|told| told.alone)
        };
        let apart = if digest.storm { self.cases.values().filter(alone).count() } else { 0 };
        Listed { firing, ended, apart }
    }

    /// Digests that ended long ago go.
    pub(super) fn forget_digests(&mut self, now: Timestamp) {
        self.digests.retain(|_, digest| digest.ended_at.is_none_or(|ended| now < ended + REMEMBERED));
    }
}

fn ids(of: &[Named<'_>]) -> Vec<String> {
    of.iter().map(|named| named.about.alert_id.clone()).collect()
}
