//! All alerts of one SLO: its instances, the alert that names its silent groups, and what a restart needs.
//!
//! `evaluate` is the one composition of engine and policy: live evaluation, tests and replays call it once per slice end,
//! in order. Only instances that are not quiet are held, so that 100,000 quiet ones cost a comparison each.
//! Invariants: equal states and equal observations give equal effects; what changed since the last `drain` is known.
//!
//! An SLO with groups has one more state, under the empty group: the alerts that name groups which fell silent while
//! others were measured (SEMANTICS 6, *Groups*). A `down` or `no_data` is decided to be one of those when it starts.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::definition::{Definition, Kind};
use crate::engine::observation::Observation;
use crate::engine::state::SloState;
use crate::engine::verdict::{Condition, TierSet, Verdict, WindowFigures};
use crate::policy::alert::{Alert, AlertState, TierView};
use crate::policy::group::Silence;
use crate::policy::instance::{InstanceState, Step};
use crate::policy::machine::{Effect, Setting};
use crate::policy::state::{StateError, read, write};
use crate::policy::tier::{Phase, TierKey, key_of};
use crate::policy::view::tier_views;
use crate::units::{InstanceId, Labels, SloId, Timestamp};

/// The alerts of one SLO.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertBook {
    pub(super) slo: SloId,
    /// Instances that are not quiet, by group.
    pub(super) states: BTreeMap<Labels, InstanceState>,
    /// Groups whose state differs from what was drained last.
    pub(super) changed: BTreeSet<Labels>,
}

/// States to write and to forget: the fields of the same names of a store's commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// Instance id and record.
    pub states: Vec<(String, String)>,
    /// Instance ids.
    pub forgotten: Vec<String>,
}

/// A person who closes an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closer<'a> {
    /// Who.
    pub by: &'a str,
    /// Why, in words; may be empty.
    pub note: &'a str,
}

impl AlertBook {
    /// Nothing has happened yet.
    #[must_use]
    pub const fn new(slo: SloId) -> Self {
        Self { slo, states: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// Goes on from stored records (key and record); those of other SLOs are skipped.
    ///
    /// # Errors
    /// Where a record cannot be read: nothing is guessed, for a lost state is a second page or none.
    pub fn restore<'a>(slo: SloId, records: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, StateError> {
        let mut book = Self::new(slo);
        for (name, record) in records {
            let (id, state) = read(name, record)?;
            if id.slo == book.slo && !state.is_quiet() {
                book.states.insert(id.group, state);
            }
        }
        Ok(book)
    }

    /// One slice end: takes what the source said, judges every instance and moves its alerts. Nothing happens where the
    /// watermark does not move.
    pub fn evaluate(
        &mut self,
        setting: &Setting<'_>,
        engine: &mut SloState,
        observation: &Observation,
        as_of: Timestamp,
    ) -> Vec<Effect> {
        let before = engine.as_of();
        engine.advance(observation, as_of);
        if engine.as_of() == before {
            return Vec::new();
        }
        let definition = engine.definition().clone();
        let mut round = Round::new();
        let mut verdict = Verdict::default();
        for (group, instance) in engine.instances() {
            let firing = self.firing(&definition, group);
            engine.judge(instance, firing, &mut verdict);
            let untold = |alert: &Alert| alert.state == AlertState::Firing && !alert.told;
            if is_news(&verdict, firing) || self.alerts_of(group).iter().any(untold) {
                verdict.forecast = Some(instance.forecast());
                verdict.differences = seen(&verdict).and_then(|seen| engine.differences(group, seen.from, seen.to));
            }
            round.add(self, &definition, group, &verdict);
        }
        self.play(setting, &definition, &round)
    }

    /// One slice end, from verdicts on all instances; `definition` is the SLO's, whatever its overrides.
    pub fn step<'a>(
        &mut self,
        setting: &Setting<'_>,
        definition: &Definition,
        verdicts: impl IntoIterator<Item = (&'a Labels, &'a Verdict)>,
    ) -> Vec<Effect> {
        let mut round = Round::new();
        for (group, verdict) in verdicts {
            round.add(self, definition, group, verdict);
        }
        self.play(setting, definition, &round)
    }

    /// The tiers of an instance that fire: what the engine has to judge the end of.
    #[must_use]
    pub fn firing(&self, definition: &Definition, group: &Labels) -> TierSet {
        self.states.get(group).map_or_else(TierSet::default, |state| state.firing(definition.of_group(group)))
    }

    /// Alerts that are pending or firing, by instance, severity and kind.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.states.values().flat_map(InstanceState::alerts)
    }

    /// Alerts of one instance that are pending or firing.
    #[must_use]
    pub fn alerts_of(&self, group: &Labels) -> &[Alert] {
        self.states.get(group).map_or(&[], InstanceState::alerts)
    }

    /// Every tier of an instance, as shown.
    #[must_use]
    pub fn tiers_of(&self, definition: &Definition, group: &Labels, verdict: &Verdict) -> Vec<TierView> {
        let (state, definition) = (self.states.get(group), definition.of_group(group));
        tier_views(definition, verdict, |index| state.and_then(|state| state.phase(definition, index)))
    }

    /// Ends everything: the SLO left the files. `verdict` gives the newest figures of an instance, where there are some.
    pub fn withdraw(
        &mut self,
        setting: &Setting<'_>,
        at: Timestamp,
        verdict: impl Fn(&Labels) -> Option<Verdict>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (group, mut state) in std::mem::take(&mut self.states) {
            effects.extend(state.withdraw(setting, &group, at, verdict(&group).as_ref(), "its SLO").effects);
            self.changed.insert(group);
        }
        effects
    }

    /// Ends the firing alert `id` because a person says so. `None`: no such alert fires here.
    pub fn close(
        &mut self,
        setting: &Setting<'_>,
        id: &str,
        at: Timestamp,
        verdict: Option<&Verdict>,
        closer: Closer<'_>,
    ) -> Option<Vec<Effect>> {
        let (group, state) =
            self.states.iter_mut().find(|(_, state)| state.alerts().iter().any(|alert| alert.id == id))?;
        let step = state.close(setting, group, id, at, verdict, (closer.by, closer.note))?;
        self.changed.insert(group.clone());
        Some(step.effects)
    }

    /// The source does not answer: everything stands still and says so, until the next slice end.
    pub fn mark_blind(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (group, state) in &mut self.states {
            let step = state.mark_blind();
            if step.changed {
                self.changed.insert(group.clone());
            }
            effects.extend(step.effects);
        }
        effects
    }

    /// Slice ends were left out: what waits for its `for`, `after` or `keep_firing_for` waits anew.
    pub fn skip(&mut self) {
        for (group, state) in &mut self.states {
            if state.skip() {
                self.changed.insert(group.clone());
            }
        }
    }

    /// Whether a group that has vanished for the whole period may leave the lists: nothing of it fires, neither an alert
    /// of its own nor one that names it.
    #[must_use]
    pub fn may_leave(&self, group: &Labels) -> bool {
        let fires = |alerts: &[Alert], keys: &dyn Fn(&Alert) -> bool| {
            alerts.iter().any(|alert| alert.state == AlertState::Firing && keys(alert))
        };
        let Some(state) = self.states.get(group) else { return true };
        let named = |alert: &Alert| {
            state.tiers.iter().any(|tier| {
                tier.phase.is_shared()
                    && (tier.key.severity, tier.key.condition.alert_kind()) == (alert.severity, alert.kind)
            })
        };
        !fires(state.alerts(), &|_| true) && !fires(self.alerts_of(&Labels::new()), &named)
    }

    /// Forgets a group of which `may_leave` is true.
    pub fn forget(&mut self, group: &Labels) {
        if self.states.remove(group).is_some() {
            self.changed.insert(group.clone());
        }
    }

    /// What has to be written since the last call, in the order of the groups.
    ///
    /// # Errors
    /// As [`write()`]; nothing is lost, the next call gives it again.
    pub fn drain(&mut self) -> Result<StateChanges, StateError> {
        let mut changes = StateChanges::default();
        for group in &self.changed {
            let id = InstanceId { slo: self.slo.clone(), group: group.clone() };
            match self.states.get(group) {
                Some(state) => changes.states.push((id.to_string(), write(&id, state)?)),
                None => changes.forgotten.push(id.to_string()),
            }
        }
        self.changed.clear();
        Ok(changes)
    }

    /// Moves the instances that are not quiet, then the alerts that name groups, then those no longer judged.
    fn play(&mut self, setting: &Setting<'_>, definition: &Definition, round: &Round) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(at) = round.at else { return effects };
        let grouped = !definition.by.is_empty();
        for (group, verdict) in &round.judged {
            let others = round.measured - usize::from(is_measured(verdict.condition));
            let state = self.states.entry(group.clone()).or_default();
            let step = state.step(setting, definition.of_group(group), group, verdict, grouped && others > 0);
            self.note(group, step, &mut effects);
        }
        if !self.states.is_empty() {
            self.play_others(setting, definition, at, round, &mut effects);
        }
        effects
    }

    /// The states without a verdict: the one that names groups, instances of another `by`, vanished ones.
    fn play_others(
        &mut self,
        setting: &Setting<'_>,
        definition: &Definition,
        at: Timestamp,
        round: &Round,
        effects: &mut Vec<Effect>,
    ) {
        let judged: BTreeSet<&Labels> = round.judged.iter().map(|(group, _)| group).collect();
        let others: Vec<Labels> = self.states.keys().filter(|group| !judged.contains(group)).cloned().collect();
        let whole = Labels::new();
        for group in others.iter().filter(|group| definition.by.is_empty() || **group != whole) {
            let Some(state) = self.states.get_mut(group) else { continue };
            let same = group.len() == definition.by.len() && definition.by.iter().all(|name| group.get(name).is_some());
            let step = if same {
                state.vanish()
            } else {
                state.withdraw(setting, group, at, None, "its group (`by` was changed)")
            };
            if !same {
                *state = InstanceState::default();
            }
            self.note(group, Step { changed: step.changed || !same, ..step }, effects);
        }
        if !definition.by.is_empty() {
            let silence = self.silence(definition, round);
            if silence.groups.iter().any(|groups| !groups.is_empty()) || self.states.contains_key(&whole) {
                let state = self.states.entry(whole.clone()).or_default();
                let step = state.step_groups(setting, definition, at, &silence);
                self.note(&whole, step, effects);
            }
        }
    }

    /// Which groups are told by the alerts of the whole SLO, by the tier's place in the definition.
    fn silence(&self, definition: &Definition, round: &Round) -> Silence {
        let mut silence = Silence::default();
        for (index, tier) in definition.tiers.iter().enumerate() {
            let mut groups = Vec::new();
            let mut matched = false;
            let mut since: Option<Timestamp> = None;
            let key =
                matches!(tier.kind, Kind::Down { .. } | Kind::NoData { .. }).then(|| key_of(&definition.tiers, index));
            if let Some(key) = key.flatten() {
                for (group, begun) in self.shared(key) {
                    let verdict = round.judged.iter().find(|(judged, _)| judged == group);
                    matched |=
                        verdict.and_then(|(_, verdict)| verdict.tiers.get(index)).is_some_and(|tier| tier.matches);
                    since = Some(since.map_or(begun, |earlier: Timestamp| earlier.min(begun)));
                    groups.push(group.clone());
                }
            }
            silence.groups.push(groups);
            silence.matched.push(matched);
            silence.since.push(since);
        }
        silence
    }

    /// Groups of which this tier is told by an alert of the whole SLO, and since when it matched.
    fn shared(&self, key: TierKey) -> impl Iterator<Item = (&Labels, Timestamp)> {
        self.states.iter().filter_map(move |(group, state)| {
            let tier = state.tiers.iter().find(|tier| tier.key == key && tier.phase.is_shared())?;
            Some((group, Phase::since(tier.phase)))
        })
    }

    /// Takes what a step did; quiet states are let go.
    fn note(&mut self, group: &Labels, step: Step, effects: &mut Vec<Effect>) {
        effects.extend(step.effects);
        if step.changed {
            self.changed.insert(group.clone());
        }
        if self.states.get(group).is_some_and(InstanceState::is_quiet) {
            self.states.remove(group);
        }
    }
}

/// One slice end over all instances.
struct Round {
    at: Option<Timestamp>,
    /// How many instances are measured.
    measured: usize,
    /// Those that are not quiet.
    judged: Vec<(Labels, Verdict)>,
}

impl Round {
    const fn new() -> Self {
        Self { at: None, measured: 0, judged: Vec::new() }
    }

    fn add(&mut self, book: &AlertBook, definition: &Definition, group: &Labels, verdict: &Verdict) {
        self.at = Some(verdict.as_of);
        self.measured += usize::from(is_measured(verdict.condition));
        if book.states.contains_key(group) || !InstanceState::leaves_quiet(definition.of_group(group), verdict) {
            self.judged.push((group.clone(), verdict.clone()));
        }
    }
}

/// Whether a tier may start or end at this slice end, so that something may be told: only then a forecast is worth its
/// hours.
fn is_news(verdict: &Verdict, firing: TierSet) -> bool {
    verdict.tiers.iter().enumerate().any(|(index, tier)| {
        if firing.has(index) { tier.known_false && !tier.matches } else { tier.matches && tier.gates_hold }
    })
}

/// The window that an alert shows: the short one of the first tier that matches, or its long one.
pub(super) fn seen(verdict: &Verdict) -> Option<WindowFigures> {
    let tier = verdict.tiers.iter().find(|tier| tier.matches)?;
    tier.confirm.or(tier.over)
}

/// Whether the newest slice is measured, with or without events.
const fn is_measured(condition: Condition) -> bool {
    matches!(condition, Condition::Measured | Condition::NoTraffic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::definition::Tier;
    use crate::policy::alert::{AlertKind, EndedBy};
    use crate::policy::machine::kit::{SLICE, START, Slice, Traffic, balanced, burn, definition, setting, subject};
    use crate::spec::policy::{AlertSeverity, Gates};
    use crate::units::Length;

    /// All effects of a life of one instance, slice end by slice end, from `from` on.
    fn live(tiers: Vec<Tier>, traffic: &Traffic, from: Timestamp) -> (AlertBook, Vec<Effect>) {
        let definition = definition(tiers, &[]);
        let subject = subject();
        let group = Labels::new();
        let mut book = AlertBook::new(definition.id.clone());
        let mut effects = Vec::new();
        for at in traffic.ends().filter(|at| *at > from) {
            let verdict = traffic.verdict(&definition, book.firing(&definition, &group), at);
            effects.extend(book.step(&setting(&subject), &definition, [(&group, &verdict)]));
        }
        (book, effects)
    }

    /// Minutes after `START`.
    fn minute(at: Timestamp) -> f64 {
        at.since(START).seconds_f64() / 60.0
    }

    /// `page/burn firing 1` and so on: what was told, with the minute of the slice end.
    fn told(effects: &[Effect]) -> Vec<String> {
        let told = effects.iter().filter_map(|effect| effect.notification.as_ref());
        told.map(|n| {
            format!("{}/{} {:?} {}", n.severity.name(), n.kind.name(), n.state, minute(n.as_of)).to_lowercase()
        })
        .collect()
    }

    fn plain_page() -> Vec<Tier> {
        vec![burn(AlertSeverity::Page, 14.4, "1h", "5m", Gates::default())]
    }

    /// Fires and resolves in minutes, and from when to when it was frozen, of the table of SEMANTICS 3.
    fn fires_resolves(traffic: &Traffic, from: Timestamp) -> Vec<(f64, Option<f64>)> {
        let (_, effects) = live(plain_page(), traffic, from);
        let mut ids: Vec<&str> = effects.iter().map(|effect| effect.alert.id.as_str()).collect();
        ids.dedup();
        let last = ids.iter().map(|id| effects.iter().rfind(|effect| effect.alert.id == *id).unwrap());
        last.map(|effect| (minute(effect.alert.fired_at.unwrap()), effect.alert.resolved_at.map(minute))).collect()
    }

    fn scenario(parts: &[(&str, Option<f64>)]) -> Traffic {
        let mut traffic = Traffic::new("6h");
        traffic.rate("6h", 0.0);
        traffic.rate("2h", 0.0);
        for (time, share) in parts {
            match share {
                Some(share) => traffic.rate(time, *share),
                None => traffic.add(time, Slice::Idle),
            }
        }
        traffic
    }

    #[test]
    fn the_table_of_unmeasured_time_holds() {
        let clean = ("4h", Some(0.0));
        let total = ("10m", Some(1.0));
        let at = |parts: &[(&str, Option<f64>)]| fires_resolves(&scenario(parts), START);
        assert_eq!(at(&[total, clean]), [(121.0, Some(135.0))]);
        assert_eq!(at(&[("30m", Some(0.1)), clean]), [(129.0, Some(154.5))]);
        assert_eq!(at(&[total, ("3h", None), clean]), [(121.0, Some(314.5))]);
        assert_eq!(at(&[total, ("1d", None)]), [(121.0, None)]);
        assert_eq!(at(&[("50m", Some(0.02)), ("30m", None), ("1h", Some(0.02)), clean]), [(163.5, Some(261.5))]);
        let mut quiet = scenario(&[total]);
        quiet.add("4h", Slice::Events(0.0, 0.0));
        assert_eq!(fires_resolves(&quiet, START), [(121.0, Some(190.0))]);
    }

    #[test]
    fn a_newborn_pages_by_what_it_has_shown() {
        let born = |share: f64| {
            let mut traffic = Traffic::new("6h");
            traffic.add("8h", Slice::Idle);
            traffic.rate("1h", share);
            fires_resolves(&traffic, START).first().map(|(fires, _)| *fires)
        };
        assert_eq!((born(1.0), born(0.1), born(0.05)), (Some(121.0), Some(129.0), Some(137.5)));
        let mut once = Traffic::new("6h");
        once.add("8h", Slice::Idle);
        once.add("30s", Slice::Events(1.0, 300.0));
        once.rate("1h", 0.0);
        assert!(fires_resolves(&once, START).is_empty());
    }

    #[test]
    fn what_is_frozen_says_so_and_since_when() {
        let (_, effects) = live(plain_page(), &scenario(&[("10m", Some(1.0)), ("3h", None), ("1h", Some(0.0))]), START);
        let marks: Vec<(f64, bool)> = {
            let mut marks = Vec::new();
            for effect in &effects {
                marks.push((minute(effect.alert.tiers[0].over.as_ref().unwrap().to), effect.alert.frozen));
            }
            marks
        };
        assert_eq!(marks, [(121.0, false), (135.0, true), (314.5, false)]);
        let frozen = &effects[1].alert;
        let leads = "frozen: the data neither confirms nor denies it; before that: 20% of requests failed over 5m";
        assert!(frozen.reason.starts_with(leads), "{}", frozen.reason);
        assert!(effects[1].notification.is_none());
    }

    #[test]
    fn balanced_holds_the_ticket_back_while_its_page_fires() {
        let mut traffic = Traffic::new("4d");
        traffic.rate("4d", 0.0);
        traffic.rate("10m", 1.0);
        traffic.rate("8h", 0.0);
        let (book, effects) = live(balanced(), &traffic, START);
        assert_eq!(
            told(&effects),
            ["page/burn firing 1", "page/burn resolved 45", "ticket/burn firing 45", "ticket/burn resolved 370"]
        );
        let ticket = effects.iter().find(|effect| effect.alert.severity == AlertSeverity::Ticket).unwrap();
        assert_eq!(ticket.alert.fired_at, Some(START + length("4m30s")));
        assert_eq!(ticket.alert.held_back_by.as_deref(), Some(effects[0].alert.id.as_str()));
        let ends = effects.iter().find(|effect| effect.alert.state == AlertState::Resolved).unwrap();
        assert_eq!(ends.notification.as_ref().unwrap().context, std::slice::from_ref(&ticket.alert.id));
        let sent = effects.iter().filter_map(|effect| effect.notification.as_ref()).nth(2).unwrap();
        assert_eq!(sent.fired_at, START + length("4m30s"));
        assert_eq!(sent.id, "checkout/availability/ticket/burn/2026-11-18T00:01:00Z/1");
        assert_eq!(sent.alert_id, "checkout/availability/ticket/burn/2026-11-18T00:01:00Z/alert-1");
        assert!(book.alerts().next().is_none());
    }

    #[test]
    fn a_tenth_for_half_an_hour_pages_and_makes_no_ticket() {
        let mut traffic = Traffic::new("4d");
        traffic.rate("4d", 0.0);
        traffic.rate("30m", 0.1);
        traffic.rate("8h", 0.0);
        let (_, effects) = live(balanced(), &traffic, START);
        assert_eq!(told(&effects), ["page/burn firing 9", "page/burn resolved 64.5"]);
    }

    #[test]
    fn a_killed_target_pages_down_and_what_fired_stays_frozen() {
        let mut traffic = Traffic::new("4d");
        traffic.rate("4d", 0.0);
        traffic.rate("2m", 1.0);
        traffic.add("20m", Slice::Down);
        traffic.rate("1m", 1.0);
        let (book, effects) = live(balanced(), &traffic, START);
        // the first slice end that is down is minute 2.5; a page of kind down is not held back by one of kind burn
        assert_eq!(told(&effects), ["page/burn firing 1", "page/down firing 5.5", "page/down resolved 22.5"]);
        let down = effects.iter().find(|effect| effect.alert.kind == AlertKind::Down).unwrap();
        assert_eq!(down.alert.started_at, START + length("2m30s"));
        assert_eq!(
            down.alert.reason,
            "down for 3m: `alive` is 0 or gone, and nothing is measured since 2026-11-18T00:02:30Z"
        );
        let frozen = effects.iter().filter(|effect| effect.alert.kind == AlertKind::Burn && effect.alert.frozen);
        assert_eq!(frozen.count(), 1);
        assert_eq!(book.alerts().filter(|alert| alert.state == AlertState::Firing).count(), 1);
    }

    #[test]
    fn no_traffic_with_the_target_up_says_nothing() {
        let mut traffic = Traffic::new("4d");
        traffic.rate("4d", 0.0);
        traffic.add("6h", Slice::Events(0.0, 0.0));
        let (_, effects) = live(balanced(), &traffic, START);
        assert!(effects.is_empty());
    }

    /// The claim of SEMANTICS 3: at 100 requests an hour, 4 h of 10% errors are one page, not sixteen.
    #[test]
    fn little_traffic_pages_once() {
        let mut traffic = Traffic::new("4d");
        for slice in 0..(Length::from_hours(96 + 4 + 4).count_of(SLICE)) {
            let (request, burning) = (slice * 100 / 120 != (slice + 1) * 100 / 120, (11_520..12_000).contains(&slice));
            let number = (slice + 1) * 100 / 120;
            let bad = request && burning && number % 10 == 0;
            traffic.add("30s", Slice::Events(f64::from(u8::from(bad)), f64::from(u8::from(request))));
        }
        let (_, effects) = live(plain_page(), &traffic, START);
        let pages =
            effects.iter().filter(|effect| effect.notification.is_some() && effect.alert.state == AlertState::Firing);
        assert_eq!(pages.count(), 1, "{:?}", told(&effects));
    }

    #[test]
    fn a_closed_alert_starts_again_only_after_a_slice_end_without_a_match() {
        let definition = definition(plain_page(), &[]);
        let subject = subject();
        let group = Labels::new();
        let mut book = AlertBook::new(definition.id.clone());
        let traffic = scenario(&[("10m", Some(1.0)), ("20m", Some(0.0)), ("10m", Some(1.0))]);
        let mut fired = Vec::new();
        for at in traffic.ends().filter(|at| *at > START) {
            let verdict = traffic.verdict(&definition, book.firing(&definition, &group), at);
            for effect in book.step(&setting(&subject), &definition, [(&group, &verdict)]) {
                let notification = effect.notification.unwrap();
                fired.push((minute(at), notification.state, notification.transition));
            }
            if at == START + length("123m") {
                let id = book.alerts().next().unwrap().id.clone();
                let closer = Closer { by: "ann", note: "known" };
                assert!(book.close(&setting(&subject), "other", at, None, closer).is_none());
                let ended = book.close(&setting(&subject), &id, at, Some(&verdict), closer).unwrap();
                assert_eq!(ended[0].alert.ended_by, Some(EndedBy::Closed));
                let notification = ended[0].notification.as_ref().unwrap();
                assert_eq!((notification.reason.as_str(), notification.transition), ("closed by ann: known", 2));
            }
        }
        // it matches until minute 134; the next outage is a second alert of the same episode
        assert_eq!(fired, [(121.0, AlertState::Firing, 1), (150.5, AlertState::Firing, 3)]);
    }

    /// One that burns on is told again once its long window lies behind the close; with a restart after every slice end alike.
    #[test]
    fn a_closed_alert_that_burns_on_is_told_again_after_its_long_window() {
        let definition = definition(plain_page(), &[]);
        let (subject, group) = (subject(), Labels::new());
        let traffic = scenario(&[("90m", Some(1.0))]);
        let play = |restarts: bool| {
            let mut book = AlertBook::new(definition.id.clone());
            let (mut store, mut fired) = (BTreeMap::new(), Vec::new());
            for at in traffic.ends().filter(|at| *at > START) {
                let verdict = traffic.verdict(&definition, book.firing(&definition, &group), at);
                for effect in book.step(&setting(&subject), &definition, [(&group, &verdict)]) {
                    let notification = effect.notification.unwrap();
                    fired.push((minute(at), notification.state, notification.id));
                }
                if at == START + length("123m") {
                    let id = book.alerts().next().unwrap().id.clone();
                    book.close(&setting(&subject), &id, at, Some(&verdict), Closer { by: "ann", note: "" }).unwrap();
                }
                let changes = book.drain().unwrap();
                store.extend(changes.states);
                changes.forgotten.iter().for_each(|key| drop(store.remove(key)));
                if restarts {
                    let records = store.iter().map(|(key, record): (&String, &String)| (key.as_str(), record.as_str()));
                    book = AlertBook::restore(definition.id.clone(), records).unwrap();
                }
            }
            fired
        };
        let fired = play(false);
        let when: Vec<_> = fired.iter().map(|(minute, state, _)| (*minute, *state)).collect();
        assert_eq!(when[..2], [(121.0, AlertState::Firing), (183.0, AlertState::Firing)], "{fired:?}");
        assert!(fired[1].2.ends_with("/3"), "a new alert of the episode: {fired:?}");
        assert_eq!(fired, play(true));
    }

    use std::collections::BTreeSet as Set;

    use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};

    use crate::policy::machine::kit::{Life, length};
    use crate::spec::meant::Mode;

    /// One thing that happens to the alerts of an SLO.
    #[derive(Clone, Debug)]
    enum Act {
        /// One slice end: letters for two groups, as in [`Life`].
        Slice(String, String),
        Close(usize),
        Blind,
        Skip,
        Mode(Mode),
        PageCanBeTold(bool),
        /// Which of the tiers are in the files.
        Tiers(u8),
        Restart,
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let letters = || prop_oneof![4 => "[mf.]{4}", 1 => Just("dddd".to_owned()), 1 => Just("iiii".to_owned()), 2 => Just("ffff".to_owned())];
        let act = prop_oneof![
            20 => (letters(), letters()).prop_map(|(eu, us)| Act::Slice(eu, us)),
            1 => (0_usize..4).prop_map(Act::Close),
            1 => Just(Act::Blind),
            1 => Just(Act::Skip),
            1 => prop_oneof![Just(Mode::Live), Just(Mode::Shadow)].prop_map(Act::Mode),
            1 => proptest::bool::ANY.prop_map(Act::PageCanBeTold),
            1 => (0_u8..16).prop_map(Act::Tiers),
            1 => Just(Act::Restart),
        ];
        proptest::collection::vec(act, 1..120)
    }

    fn all_tiers() -> Vec<Tier> {
        let keeps = Gates { keep_firing_for: length("1m"), ..Gates::default() };
        let waits = Gates { for_: length("30s"), ..Gates::default() };
        let mut tiers = vec![
            burn(AlertSeverity::Page, 14.4, "1h", "5m", keeps),
            burn(AlertSeverity::Ticket, 3.0, "1d", "2h", waits),
            crate::policy::machine::kit::down(),
            balanced().remove(5),
        ];
        for tier in &mut tiers {
            if let Kind::Down { after } | Kind::NoData { after } = &mut tier.kind {
                *after = length("30s");
            }
        }
        tiers
    }

    /// Does one act; `store` is what a store holds, and is what a restart reads.
    fn act(life: &mut Life, act: &Act, store: &mut BTreeMap<String, String>, restarts: bool) -> Vec<Effect> {
        let effects = match act {
            Act::Slice(eu, us) => life.step(&[("eu", eu), ("us", us)]),
            Act::Close(index) => {
                let id = life.book.alerts().nth(*index).map(|alert| alert.id.clone()).unwrap_or_default();
                let subject = life.subject.clone();
                life.book
                    .close(&setting(&subject), &id, life.at, None, Closer { by: "ann", note: "" })
                    .unwrap_or_default()
            }
            Act::Blind => life.book.mark_blind(),
            Act::Skip => {
                life.book.skip();
                Vec::new()
            }
            Act::Mode(mode) => {
                life.subject.mode = *mode;
                Vec::new()
            }
            Act::PageCanBeTold(can) => {
                life.page_can_be_told = *can;
                Vec::new()
            }
            Act::Tiers(chosen) => {
                let tiers = all_tiers().into_iter().enumerate();
                life.definition.tiers =
                    tiers.filter(|(index, _)| chosen >> index & 1 == 1).map(|(_, tier)| tier).collect();
                Vec::new()
            }
            Act::Restart => Vec::new(),
        };
        let changes = life.book.drain().unwrap();
        store.extend(changes.states);
        for key in changes.forgotten {
            store.remove(&key);
        }
        if restarts || matches!(act, Act::Restart) {
            let records = store.iter().map(|(key, record)| (key.as_str(), record.as_str()));
            life.book = AlertBook::restore(life.definition.id.clone(), records).unwrap();
        }
        effects
    }

    /// The letters of the instance that an alert is about; of both where it names groups.
    fn letters_of(step: &Act, alert: &Alert) -> String {
        let Act::Slice(eu, us) = step else { return String::new() };
        match (alert.slo.contains("\"eu\""), alert.slo.contains("\"us\"")) {
            (true, _) => eu.clone(),
            (_, true) => us.clone(),
            _ => format!("{eu}{us}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What holds whatever happens: only what is known false, withdrawn or closed ends; every firing that was told
        /// has one resolve, after it ended; ids are never used twice; a restart after every act changes nothing.
        #[test]
        fn alerts_keep_their_promises(script in acts()) {
            let mut life = Life::new(all_tiers(), &["region"]);
            let mut restarted = life.clone();
            let (mut store, mut other) = (BTreeMap::new(), BTreeMap::new());
            let mut open: BTreeMap<String, bool> = BTreeMap::new();
            let mut told: Set<String> = Set::new();
            let mut resolved: Set<String> = Set::new();
            for step in &script {
                let effects = act(&mut life, step, &mut store, false);
                assert_eq!(effects, act(&mut restarted, step, &mut other, true));
                assert_eq!(store, other);
                let mut ended: Set<String> = Set::new();
                for Effect { alert, notification } in effects {
                    assert_eq!(alert.id, alert.transitions[0].id.rsplit_once('/').unwrap().0);
                    assert!(alert.transitions.iter().all(|transition| !transition.reason.is_empty()));
                    let before = open.insert(alert.id.clone(), alert.told);
                    assert!(!resolved.contains(&alert.id), "{} came back", alert.id);
                    if let Some(notification) = &notification {
                        assert!(told.insert(notification.id.clone()), "{} was told twice", notification.id);
                        assert_eq!(notification.alert_id, alert.id);
                    }
                    if alert.state == AlertState::Resolved {
                        assert_eq!(notification.is_some(), alert.told && before == Some(true));
                        let known_false = letters_of(step, &alert).contains('f');
                        assert!(alert.ended_by != Some(EndedBy::KnownFalse) || known_false);
                        assert!(alert.ended_by != Some(EndedBy::Closed) || matches!(step, Act::Close(_)));
                        open.remove(&alert.id);
                        ended.insert(alert.id.clone());
                    } else if let Some(notification) = notification {
                        assert!(alert.told && before != Some(true) && life.subject.mode == Mode::Live);
                        assert!(alert.held_back_by.is_none() && notification.transition % 2 == 1);
                    }
                }
                resolved.extend(ended);
                let firing: Set<&String> = open.keys().collect();
                let alerts = life.book.alerts().filter(|alert| alert.state == AlertState::Firing);
                assert_eq!(firing, alerts.map(|alert| &alert.id).collect(), "an alert vanished without an end");
            }
        }
    }
}
