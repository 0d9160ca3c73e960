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
use crate::engine::verdict::{Condition, TierSet, Verdict};
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
    slo: SloId,
    /// Instances that are not quiet, by group.
    states: BTreeMap<Labels, InstanceState>,
    /// Groups whose state differs from what was drained last.
    changed: BTreeSet<Labels>,
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
    pub fn restore<'a>(
        slo: SloId,
        records: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, StateError> {
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
            engine.judge(instance, self.firing(&definition, group), &mut verdict);
            round.add(self, &definition, group, &verdict);
        }
        self.play(setting, &definition, round)
    }

    /// One slice end, from verdicts on all instances.
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
        self.play(setting, definition, round)
    }

    /// The tiers of an instance that fire: what the engine has to judge the end of.
    #[must_use]
    pub fn firing(&self, definition: &Definition, group: &Labels) -> TierSet {
        self.states.get(group).map_or_else(TierSet::default, |state| state.firing(definition))
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
        let state = self.states.get(group);
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
        let (group, state) = self.states.iter_mut().find(|(_, state)| state.alerts().iter().any(|alert| alert.id == id))?;
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
                tier.phase.is_shared() && (tier.key.severity, tier.key.condition.alert_kind()) == (alert.severity, alert.kind)
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
    /// As [`write`]; nothing is lost, the next call gives it again.
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
    fn play(&mut self, setting: &Setting<'_>, definition: &Definition, round: Round) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(at) = round.at else { return effects };
        let grouped = !definition.by.is_empty();
        for (group, verdict) in &round.judged {
            let others = round.measured - usize::from(is_measured(verdict.condition));
            let state = self.states.entry(group.clone()).or_default();
            let step = state.step(setting, definition, group, verdict, grouped && others > 0);
            self.note(group, step, &mut effects);
        }
        if !self.states.is_empty() {
            self.play_others(setting, definition, at, &round, &mut effects);
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
            let step =
                if same { state.vanish() } else { state.withdraw(setting, group, at, None, "its group (`by` was changed)") };
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
            let key = matches!(tier.kind, Kind::Down { .. } | Kind::NoData { .. }).then(|| key_of(&definition.tiers, index));
            if let Some(key) = key.flatten() {
                for (group, begun) in self.shared(key) {
                    let verdict = round.judged.iter().find(|(judged, _)| judged == group);
                    matched |= verdict.and_then(|(_, verdict)| verdict.tiers.get(index)).is_some_and(|tier| tier.matches);
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
        if book.states.contains_key(group) || !InstanceState::leaves_quiet(definition, verdict) {
            self.judged.push((group.clone(), verdict.clone()));
        }
    }
}

/// Whether the newest slice is measured, with or without events.
const fn is_measured(condition: Condition) -> bool {
    matches!(condition, Condition::Measured | Condition::NoTraffic)
}
