//! The alerts of one instance: what one slice end, a person or an edit does to them (SEMANTICS 6).
//!
//! Why the state holds whole alerts: it is all that a restart needs to go on, with the same ids and no second page.
//! A quiet instance has an empty state and is not held anywhere. `machine` has the steps that all callers share.
//! Invariants: an alert ends when it is known false, withdrawn or closed, never by time alone; what was told once is
//! told once when it ends.

use smallvec::SmallVec;

use serde::{Deserialize, Serialize};

use crate::engine::definition::{Definition, Kind};
use crate::engine::verdict::{Condition, TierSet, Verdict};
use crate::policy::alert::{Alert, AlertState, EndedBy};
use crate::policy::closed::Closed;
use crate::policy::episode::{AlertKey, Episode};
use crate::policy::facts::Facts;
use crate::policy::machine::{Effect, Ledger, Setting};
use crate::policy::reason;
use crate::policy::tier::{ActiveTier, Moment, Phase, TierOutcome, advance, key_of};
use crate::units::{Labels, Timestamp};

/// Outcomes of one slice end, one for each tier that is not, or was not, inactive.
pub type Outcomes = SmallVec<[TierOutcome; 6]>;

/// Everything kept of one instance. Equal states go on alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Tiers that are not inactive, in the definition's order.
    pub(super) tiers: Vec<ActiveTier>,
    /// Alerts that are pending or firing, by severity and kind.
    pub(super) alerts: Vec<Alert>,
    /// Alerts that a person closed, and that may not start again yet.
    pub(super) closed: Vec<Closed>,
    /// First slice end of the present run of idle ones, where a `no_data` tier wants it.
    pub(super) idle_since: Option<Timestamp>,
    /// The episode, until 1 h after its last alert ended.
    pub(super) episode: Option<Episode>,
    /// Its source does not answer.
    pub(super) blind: bool,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Alerts that changed, with what is to be told.
    pub effects: Vec<Effect>,
    /// The state differs from before: it has to be stored with the effects.
    pub changed: bool,
}

impl InstanceState {
    /// Nothing is held: as good as no state.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.tiers.is_empty()
            && self.alerts.is_empty()
            && self.closed.is_empty()
            && self.idle_since.is_none()
            && self.episode.is_none()
    }

    /// Its alerts that are pending or firing.
    #[must_use]
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// Where tier `index` of `definition` stands; `None`: inactive.
    #[must_use]
    pub fn phase(&self, definition: &Definition, index: usize) -> Option<Phase> {
        if self.tiers.is_empty() {
            return None;
        }
        let key = key_of(&definition.tiers, index)?;
        self.tiers.iter().find(|tier| tier.key == key).map(|tier| tier.phase)
    }

    /// The tiers that fire, for the engine to work out whether they are known false.
    #[must_use]
    pub fn firing(&self, definition: &Definition) -> TierSet {
        let mut set = TierSet::default();
        if !self.tiers.is_empty() {
            for index in 0..definition.tiers.len() {
                if self.phase(definition, index).is_some_and(Phase::fires) {
                    set.add(index);
                }
            }
        }
        set
    }

    /// Whether a verdict says nothing to a quiet instance: the path that all but a few take at every slice end.
    #[must_use]
    pub fn leaves_quiet(definition: &Definition, verdict: &Verdict) -> bool {
        let starts = verdict.tiers.iter().any(|tier| tier.matches && tier.gates_hold);
        !(starts || verdict.condition == Condition::Idle && wants_idle(definition))
    }

    /// One slice end, in order. `share_silence`: other groups of the SLO are measured, so a `down` or `no_data` that
    /// starts here is told by the alert of the whole SLO.
    pub fn step(
        &mut self,
        setting: &Setting<'_>,
        definition: &Definition,
        group: &Labels,
        verdict: &Verdict,
        share_silence: bool,
    ) -> Step {
        if self.is_quiet() && Self::leaves_quiet(definition, verdict) {
            return Step::default();
        }
        let mut ledger = Ledger::new(setting, group);
        ledger.was_blind = std::mem::take(&mut self.blind);
        ledger.changed |= ledger.was_blind;
        ledger.changed |= self.follow_idle(definition, verdict);
        ledger.changed |= self.reopen(definition, verdict);
        let (outcomes, moved) = self.move_tiers(definition, verdict, share_silence);
        ledger.changed |= moved;
        let facts = Facts::Own { definition, verdict, idle_since: self.idle_since };
        self.settle(ledger, facts, &outcomes)
    }

    /// Ends everything because the SLO, or this instance of it, left the files. `what` is told: "the SLO".
    pub fn withdraw(
        &mut self,
        setting: &Setting<'_>,
        group: &Labels,
        at: Timestamp,
        verdict: Option<&Verdict>,
        what: &str,
    ) -> Step {
        let mut ledger = Ledger::new(setting, group);
        ledger.changed = !self.is_quiet();
        self.tiers.clear();
        self.closed.clear();
        self.idle_since = None;
        what.clone_into(&mut ledger.withdrawn);
        self.settle(ledger, Facts::Act { at, verdict }, &[])
    }

    /// Ends the firing alert `id` because a person says so; when it may start again is said by `closed`.
    /// What was held back under it goes out at the next slice end at which it matches. `None`: no such alert fires.
    pub fn close(
        &mut self,
        setting: &Setting<'_>,
        group: &Labels,
        id: &str,
        at: Timestamp,
        verdict: Option<&Verdict>,
        (by, note): (&str, &str),
    ) -> Option<Step> {
        let index = self.alerts.iter().position(|alert| alert.id == id && alert.state == AlertState::Firing)?;
        let key = key(self.alerts.get(index)?);
        self.tiers.retain(|tier| (tier.key.severity, tier.key.condition.alert_kind()) != key);
        self.closed.push(Closed { key, at });
        let mut ledger = Ledger::new(setting, group);
        self.end(&mut ledger, index, EndedBy::Closed, reason::closed(by, note), at);
        Some(self.finish(ledger, Facts::Act { at, verdict }, &[]))
    }

    /// Marks everything frozen while the source does not answer; the next slice end takes the mark off.
    pub fn mark_blind(&mut self) -> Step {
        if self.blind || self.is_quiet() {
            return Step::default();
        }
        self.blind = true;
        let mut effects = Vec::new();
        for alert in &mut self.alerts {
            alert.frozen = true;
            alert.explain(true);
            if alert.state == AlertState::Firing {
                effects.push(Effect { alert: alert.clone(), notification: None });
            }
        }
        Step { effects, changed: true }
    }

    /// Marks what fires as frozen because its group is no longer among those judged; what only waits is dropped.
    pub fn vanish(&mut self) -> Step {
        let mut step = Step::default();
        step.changed |= self.skip();
        for alert in self.alerts.iter_mut().filter(|alert| !alert.frozen) {
            alert.frozen = true;
            alert.explain(false);
            step.effects.push(Effect { alert: alert.clone(), notification: None });
        }
        step.changed |= !step.effects.is_empty();
        step
    }

    /// Slice ends were left out (an outage longer than what is evaluated afterwards): nothing held "at every slice end
    /// since", so what waits, waits anew. What fires goes on firing. Returns whether anything changed.
    pub fn skip(&mut self) -> bool {
        let before = self.tiers.len();
        self.tiers.retain(|tier| tier.phase.fires());
        let mut changed = before != self.tiers.len() || self.idle_since.take().is_some();
        for tier in &mut self.tiers {
            if let Phase::Firing { quiet_since, .. } = &mut tier.phase {
                changed |= quiet_since.take().is_some();
            }
        }
        self.alerts.retain(|alert| alert.state == AlertState::Firing);
        changed
    }

    /// Follows the run of idle slice ends; only a `no_data` tier asks for it.
    fn follow_idle(&mut self, definition: &Definition, verdict: &Verdict) -> bool {
        let idle = verdict.condition == Condition::Idle && wants_idle(definition);
        let since = idle.then(|| self.idle_since.unwrap_or(verdict.as_of));
        let changed = since != self.idle_since;
        self.idle_since = since;
        changed
    }

    /// Lets closed alerts start again.
    fn reopen(&mut self, definition: &Definition, verdict: &Verdict) -> bool {
        let before = self.closed.len();
        self.closed.retain(|closed| closed.holds(definition, verdict));
        before != self.closed.len()
    }

    /// Moves every tier on by one slice end. Tiers that the definition no longer has are dropped.
    fn move_tiers(&mut self, definition: &Definition, verdict: &Verdict, share_silence: bool) -> (Outcomes, bool) {
        let before = std::mem::take(&mut self.tiers);
        let moment = Moment { at: verdict.as_of, idle_since: self.idle_since };
        let mut outcomes = Outcomes::new();
        for (index, (tier, judged)) in definition.tiers.iter().zip(&verdict.tiers).enumerate() {
            if before.is_empty() && !judged.matches {
                continue;
            }
            let Some(key) = key_of(&definition.tiers, index) else { continue };
            let old = before.iter().find(|active| active.key == key).map(|active| active.phase);
            let this = (key.severity, key.condition.alert_kind());
            let closed = self.closed.iter().any(|closed| closed.key == this);
            let mut new = if closed { None } else { advance(old, tier, judged, moment) };
            let fired = old.is_some_and(Phase::fires);
            let silence = matches!(tier.kind, Kind::Down { .. } | Kind::NoData { .. });
            if let Some(Phase::Firing { shared, .. }) = &mut new
                && !fired
            {
                *shared = share_silence && silence;
            }
            if let Some(phase) = new {
                self.tiers.push(ActiveTier { key, phase });
            }
            if old.is_none() && new.is_none() {
                continue;
            }
            let quiet_since = match old {
                Some(Phase::Firing { quiet_since, .. }) if new.is_none() => Some(quiet_since.unwrap_or(verdict.as_of)),
                _ => None,
            };
            outcomes.push(TierOutcome {
                key,
                index,
                phase: new,
                fired: fired && !old.is_some_and(Phase::is_shared),
                matched: judged.matches,
                frozen: new.is_some_and(Phase::fires) && !judged.matches && !judged.known_false,
                quiet_since,
            });
        }
        let moved = before != self.tiers;
        (outcomes, moved)
    }
}

/// Whether a definition has a tier that counts idle time.
fn wants_idle(definition: &Definition) -> bool {
    definition.tiers.iter().any(|tier| matches!(tier.kind, Kind::NoData { .. }))
}

/// Which of the instance's alerts this is.
#[must_use]
pub const fn key(alert: &Alert) -> AlertKey {
    (alert.severity, alert.kind)
}
