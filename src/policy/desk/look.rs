//! What is to be told of one case now: for the first time, after a quiet, again, to others.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::meant::{Grouping, SinkConfig};
use crate::policy::current::Depth;
use crate::policy::desk::acks::taken_on;
use crate::policy::desk::ahead::Ahead;
use crate::policy::desk::case::{Case, NextEscalation, QuietNow, Told};
use crate::policy::desk::digest::Form;
use crate::policy::desk::{Desk, Errand, JUST_AFTER, Rules};
use crate::policy::notification::{Notification, Occasion};
use crate::policy::quiet::About;
use crate::policy::route::{self, Addressee, Way, Ways};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// A storm is a count within this time (FORMATS 3, `limits.storm`).
const STORM: Length = Length::from_minutes(1);

/// What is told, under which rules, when.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The firing.
    pub about: &'a Notification,
    pub rules: &'a Rules<'a>,
    pub now: Timestamp,
}

impl Moment<'_> {
    /// What is told of it now.
    fn told(&self, case: &Case) -> Notification {
        Notification { acked: case.acked.clone(), ..self.rules.as_of_now(self.about, Depth::Evidence, self.now) }
    }
}

impl Desk {
    /// Tells what there is to tell of a case, and says when to look again.
    pub(super) fn look(&mut self, id: &str, rules: &Rules<'_>, now: Timestamp) {
        let Some(mut case) = self.cases.remove(id) else { return };
        self.work += 1;
        let mut next = None;
        if case.ended_at.is_none()
            && let Some(about) = case.notification.take()
        {
            next = self.consider(&mut case, Moment { about: &about, rules, now });
            case.notification = Some(about);
        }
        self.send(Errand::Case(id.to_owned()), next.map(|at| at.max(now + JUST_AFTER)));
        self.cases.insert(id.to_owned(), case);
    }

    fn consider(&mut self, case: &mut Case, moment: Moment<'_>) -> Option<Timestamp> {
        let Moment { about, rules, now } = moment;
        if let Some(quiet) = (rules.quiet)(About::from(about), now) {
            let until = quiet.until;
            let quiet = Some(QuietNow::from(quiet));
            if case.quiet != quiet {
                case.quiet = quiet;
                self.touched.insert(case.alert_id.clone());
            }
            self.foresee(case, Ahead::default());
            return Some(until);
        }
        let ended = case.quiet.take();
        if ended.is_some() {
            case.quiets_ended = case.quiets_ended.saturating_add(1);
            case.quiet_ended_at = Some(now);
            self.touched.insert(case.alert_id.clone());
        }
        self.miss_sinks_gone(case, rules);
        let ways = route::ways(rules.config, Addressee::from(about), now);
        self.tell_first(case, ended.as_ref(), &ways, moment);
        let waits_until = self.wait_of(case, &ways, moment);
        let mut ahead = Ahead { waits_until, ..Ahead::default() };
        if case.acked.is_none() {
            let ways = with_those_that_told(case, ways.open, moment);
            ahead.repeats_at = self.repeat(case, &ways, moment);
            ahead.escalates = self.escalate(case, &ways, moment);
        }
        let escalates_at = ahead.escalates.as_ref().map(|next| next.at);
        let due = ahead.repeats_at.into_iter().chain(escalates_at).min();
        self.foresee(case, ahead);
        due
    }

    /// What was meant for a sink that the configuration has no longer may never have come: others are told for it.
    fn miss_sinks_gone(&mut self, case: &mut Case, rules: &Rules<'_>) {
        let is_there = |sink: &String| rules.config.sinks.contains_key(sink);
        let mut missed = false;
        for (_, told) in case.told.iter_mut().filter(|(sink, told)| !told.gone && !is_there(sink)) {
            told.gone = true;
            missed = true;
        }
        case.places.retain(|sink, place| {
            let stays = place.listed || is_there(sink) || self.member_ended(&case.alert_id, place);
            missed |= !stays;
            stays
        });
        if missed {
            case.waits |= case.acked.is_none();
            self.touched.insert(case.alert_id.clone());
        }
    }

    /// To those who were not told yet; after a quiet to all others too, under an id of its own, unless somebody took it on. A page that is out goes to
    /// routes that open later too, while nobody took it on and none of their sinks knows.
    fn tell_first(&mut self, case: &mut Case, ended: Option<&QuietNow>, ways: &Ways<'_>, moment: Moment<'_>) {
        let Moment { about, rules, .. } = moment;
        let all = case.waits || ended.is_some();
        let is_out = about.severity == AlertSeverity::Page && case.acked.is_none();
        if !all && !is_out {
            return;
        }
        let is_new = |way: &&Way<'_>| !expanded(way, moment).iter().any(|sink| case.reaches(sink));
        let open: Vec<&Way<'_>> = ways.open.iter().filter(|way| all || is_new(way)).collect();
        let mut alone = Vec::new();
        for (way, sink) in open.into_iter().flat_map(|way| way.sinks.iter().map(move |sink| (way, sink))) {
            let told = case.heard(sink).is_some();
            let again = ended.is_some() && case.acked.is_none() && rules.is_event(sink);
            if let Some(place) = case.places.get(sink) {
                if again {
                    self.mention(&place.group.clone());
                }
            } else if told && again {
                // Known there by itself: a storm would tell it a second time.
                alone.push(sink.clone());
            } else if !told {
                let grouping = way.route.grouping.as_ref();
                let form = grouping.map(|grouping| self.form_of(grouping, way, moment));
                if self.is_alone(case, sink, form, way.route.repeat, moment) {
                    alone.push(sink.clone());
                }
            }
        }
        if ways.lead_nowhere() && !rules.config.sinks.keys().any(|sink| case.reaches(sink)) {
            self.decided.lost.push(case.alert_id.clone());
            for sink in everybody(rules) {
                if self.is_alone(case, &sink, None, None, moment) {
                    alone.push(sink);
                }
            }
        }
        if all && case.waits != ways.waits() {
            case.waits = ways.waits();
            self.touched.insert(case.alert_id.clone());
        }
        if alone.is_empty() {
            return;
        }
        let mut told = moment.told(case);
        if let Some(quiet) = ended {
            told.id = format!("{}/s{}", about.id, case.quiets_ended);
            told.occasion = Occasion::QuietEnded;
            told.add_note(quiet.ended());
        }
        self.tell_alone(case, told, alone, moment);
    }

    #[expect(clippy::unused_self, reason = "stands beside its siblings")]
    fn form_of(&self, grouping: &Grouping, way: &Way<'_>, moment: Moment<'_>) -> Form {
        let external = &moment.rules.config.server.external_labels;
        Form { repeat: way.route.repeat, ..Form::group(moment.about, grouping, external) }
    }

    /// Whether a sink is told by a message of its own; else the case has joined a digest there: of the form, or a storm
    /// that is told again after `repeat`.
    fn is_alone(
        &mut self,
        case: &mut Case,
        sink: &str,
        form: Option<Form>,
        repeat: Option<Length>,
        moment: Moment<'_>,
    ) -> bool {
        let Moment { about, rules, now } = moment;
        if !rules.is_event(sink) {
            return true;
        }
        if let Some(form) = form {
            self.join(case, sink, &form, about.severity, now);
            return false;
        }
        if about.severity != AlertSeverity::Page || !self.is_storm((sink, case.drill), rules.config.limits.storm, now) {
            return true;
        }
        let form = Form::storm(about, sink, repeat, &rules.config.server.external_labels);
        self.join(case, sink, &form, about.severity, now);
        false
    }

    /// Counts one more page to a sink, unless that is one too many within a minute; drills apart (true), so that they push
    /// no real page into a digest.
    pub(super) fn is_storm(&mut self, (sink, drill): (&str, bool), limit: usize, now: Timestamp) -> bool {
        let pages = self.pages.entry((sink.to_owned(), drill)).or_default();
        while pages.front().is_some_and(|at| *at + STORM <= now) {
            pages.pop_front();
        }
        if pages.len() >= limit {
            return true;
        }
        pages.push_back(now);
        false
    }

    fn tell_alone(&mut self, case: &mut Case, told: Notification, sinks: Vec<String>, moment: Moment<'_>) {
        if sinks.is_empty() {
            return;
        }
        for sink in &sinks {
            case.note(sink, moment.now, true);
        }
        self.touched.insert(case.alert_id.clone());
        let ack = case.acked.as_ref().map(|ack| taken_on(told.clone(), case.acks, ack));
        self.tell(told, sinks.clone());
        // It was taken on before they heard of it.
        if let Some(ack) = ack {
            let hears = |sink: &String| moment.rules.config.sinks.get(sink).is_some_and(SinkConfig::hears_acks);
            self.tell(ack, sinks.into_iter().filter(hears).collect());
        }
    }

    /// While it fires and nobody took it on: each sink again after the `repeat` of its route.
    fn repeat(&mut self, case: &mut Case, ways: &[Way<'_>], moment: Moment<'_>) -> Option<Timestamp> {
        let Moment { about, rules, now } = moment;
        let mut next: Option<Timestamp> = None;
        let mut again: BTreeMap<(u32, Length), Vec<String>> = BTreeMap::new();
        for way in ways {
            let Some(repeat) = way.route.repeat else { continue };
            for sink in way.sinks.iter().filter(|sink| rules.is_event(sink)) {
                let Some(told) = case.told.get_mut(sink).filter(|told| told.alone && !told.gone) else { continue };
                let mut at = told.at + repeat;
                if at <= now {
                    told.repeats = told.repeats.saturating_add(1);
                    again.entry((told.repeats, repeat)).or_default().push(sink.clone());
                    at = now + repeat;
                }
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        for ((number, repeat), sinks) in again {
            let mut told = moment.told(case);
            told.id = format!("{}/r{number}", about.id);
            told.occasion = Occasion::Repeat;
            told.add_note(&format!("still firing, told again after {repeat}"));
            self.tell_alone(case, told, sinks, moment);
        }
        next
    }

    /// Where nobody took it on in time: those who were not told yet, by the transition's own id.
    fn escalate(&mut self, case: &mut Case, ways: &[Way<'_>], moment: Moment<'_>) -> Option<NextEscalation> {
        let Moment { about, rules, now } = moment;
        let owners = &rules.config.owners;
        let mut next: Option<NextEscalation> = None;
        for way in ways.iter().filter(|way| !way.route.escalate.is_empty()) {
            let told = expanded(way, moment).into_iter().filter_map(|sink| Some(case.heard(&sink)?.first_at)).min();
            // While it was quiet nobody could take it on.
            let Some(since) = told.map(|told| case.quiet_ended_at.map_or(told, |ended| told.max(ended))) else {
                continue;
            };
            for step in &way.route.escalate {
                let mut sinks = route::expanded(&step.to, owners, Addressee::from(about));
                sinks.retain(|sink| !case.reaches(sink));
                let at = since + step.after;
                if sinks.is_empty() {
                    continue;
                }
                if at > now {
                    next = Some(NextEscalation { at, to: sinks }.sooner(next));
                    continue;
                }
                let note = format!("nobody acknowledged within {}", step.after);
                let mut alone = Vec::new();
                for sink in sinks {
                    let grouping = way.route.grouping.as_ref();
                    let form = grouping.map(|grouping| {
                        let form = self.form_of(grouping, way, moment);
                        Form { wait: Length::ZERO, repeat: None, note: Some(note.clone()), ..form }
                    });
                    if self.is_alone(case, &sink, form, None, moment) {
                        alone.push(sink);
                    }
                }
                case.escalated_at = Some(now);
                self.touched.insert(case.alert_id.clone());
                if !alone.is_empty() {
                    let mut told = moment.told(case);
                    told.occasion = Occasion::Escalation;
                    told.add_note(&note);
                    self.tell_alone(case, told, alone, moment);
                }
            }
        }
        next
    }
}

/// The routes that repeat and escalate: those open now, and of a page those that told it, though their hours are over.
fn with_those_that_told<'a>(case: &Case, mut ways: Vec<Way<'a>>, moment: Moment<'a>) -> Vec<Way<'a>> {
    let Moment { about, rules, .. } = moment;
    if about.severity != AlertSeverity::Page || rules.config.routes.iter().all(|route| route.active.is_none()) {
        return ways;
    }
    let times: BTreeSet<Timestamp> = case.told.values().filter(|told| !told.gone).map(Told::routed_at).collect();
    for at in times {
        for mut way in route::ways(rules.config, Addressee::from(about), at).open {
            let mut sinks = expanded(&way, moment).into_iter();
            let told = sinks.any(|sink| case.heard(&sink).is_some_and(|told| told.routed_at() == at));
            if told && !ways.iter().any(|other| std::ptr::eq(other.route, way.route)) {
                way.sinks.retain(|sink| !ways.iter().any(|other| other.sinks.contains(sink)));
                ways.push(way);
            }
        }
    }
    ways
}

/// All sinks of a route, also those that an earlier one names.
fn expanded(way: &Way<'_>, moment: Moment<'_>) -> Vec<String> {
    route::expanded(&way.route.to, &moment.rules.config.owners, Addressee::from(moment.about))
}

/// Every event sink; where there is none, every sink.
fn everybody(rules: &Rules<'_>) -> Vec<String> {
    let all = || rules.config.sinks.keys().cloned();
    let events: Vec<String> = all().filter(|sink| rules.is_event(sink)).collect();
    if events.is_empty() { all().collect() } else { events }
}
