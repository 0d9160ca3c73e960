//! The alerts of a whole SLO that name its silent groups: one for each severity, of kind `down` or `no_data`.
//!
//! Why: one region that stops reporting while the others go on is one piece of news, and so are ten of them
//! (SEMANTICS 6, *Groups*). The groups' own tiers have waited already, so these fire at once; they end when every group
//! is known again. Invariant: a silent group is told here or by its own alert, never by both.

use crate::engine::definition::Definition;
use crate::policy::facts::Facts;
use crate::policy::instance::{InstanceState, Outcomes, Step};
use crate::policy::machine::{Ledger, Setting};
use crate::policy::tier::{ActiveTier, Condition, Phase, TierOutcome, key_of};
use crate::units::{Labels, Timestamp};

/// What the alerts that name groups rest on; one entry a tier of the definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Silence {
    /// The groups.
    pub groups: Vec<Vec<Labels>>,
    /// One of them matches at this slice end.
    pub matched: Vec<bool>,
    /// First slice end at which one of them matched.
    pub since: Vec<Option<Timestamp>>,
}

impl InstanceState {
    /// One slice end of the state that stands for the whole SLO.
    pub(super) fn step_groups(
        &mut self,
        setting: &Setting<'_>,
        definition: &Definition,
        at: Timestamp,
        silence: &Silence,
    ) -> Step {
        let group = Labels::new();
        let mut ledger = Ledger::new(setting, &group);
        ledger.was_blind = std::mem::take(&mut self.blind);
        let closed = self.closed.len();
        let kind_of = |index: usize| {
            definition.tiers.get(index).map(|tier| (tier.severity, Condition::from(tier.kind).alert_kind()))
        };
        self.closed.retain(|closed| {
            silence.matched.iter().enumerate().any(|(index, matched)| *matched && kind_of(index) == Some(closed.key))
        });
        let before = std::mem::take(&mut self.tiers);
        let mut outcomes = Outcomes::new();
        for (index, since) in silence.since.iter().enumerate() {
            let Some(key) = key_of(&definition.tiers, index) else { continue };
            let old = before.iter().find(|tier| tier.key == key).map(|tier| tier.phase);
            let open = kind_of(index).is_some_and(|key| self.closed.iter().all(|closed| closed.key != key));
            let since = old.map(Phase::since).or(*since).filter(|_| open && since.is_some());
            let phase = since.map(|since| Phase::Firing { since, quiet_since: None, shared: false });
            if old.is_none() && phase.is_none() {
                continue;
            }
            self.tiers.extend(phase.map(|phase| ActiveTier { key, phase }));
            let matched = silence.matched.get(index).copied().unwrap_or(false);
            let fired = old.is_some_and(Phase::fires);
            let frozen = phase.is_some() && !matched;
            outcomes.push(TierOutcome { key, index, phase, fired, matched, frozen, quiet_since: None });
        }
        ledger.changed = ledger.was_blind || before != self.tiers || closed != self.closed.len();
        let facts = Facts::Groups { definition, at, silent: &silence.groups };
        self.settle(ledger, facts, &outcomes)
    }
}
