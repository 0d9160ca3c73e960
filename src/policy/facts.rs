//! What a change of state rests on, whoever asks: the verdict of an instance, its silent groups, a source, a person.
//!
//! Why an enum: the alert machine is one, and what differs between its four users is words, views and figures.
//! It decides nothing.

use crate::engine::definition::Definition;
use crate::engine::verdict::Verdict;
use crate::policy::alert::{AlertState, TierView};
use crate::policy::evidence::{Difference, Evidence};
use crate::policy::notification::{BudgetView, ForecastView};
use crate::policy::reason::{self, Run};
use crate::policy::tier::{Phase, TierOutcome};
use crate::policy::view::tier_view;
use crate::units::{Labels, Objective, Timestamp};

/// What a change of state rests on.
#[derive(Clone, Copy, Debug)]
pub enum Facts<'a> {
    /// The verdict on an instance.
    Own {
        /// Its definition.
        definition: &'a Definition,
        /// The verdict.
        verdict: &'a Verdict,
        /// First slice end of the present run of idle ones.
        idle_since: Option<Timestamp>,
    },
    /// Groups that are silent while others of their SLO are measured.
    Groups {
        /// The SLO's definition.
        definition: &'a Definition,
        /// The slice end.
        at: Timestamp,
        /// The silent groups by the tier's place in the definition.
        silent: &'a [Vec<Labels>],
    },
    /// A source that answers, or not.
    Source {
        /// Its name.
        name: &'a str,
        /// The slice end that was asked for.
        at: Timestamp,
        /// What it failed with, without secrets; empty where it answers.
        error: &'a str,
    },
    /// No judgement: a person closed it, or it left the files.
    Act {
        /// The newest slice end.
        at: Timestamp,
        /// The newest verdict, for its figures, where there is one.
        verdict: Option<&'a Verdict>,
    },
}

impl Facts<'_> {
    /// The slice end.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Own { verdict, .. } => verdict.as_of,
            Self::Groups { at, .. } | Self::Source { at, .. } | Self::Act { at, .. } => *at,
        }
    }

    /// What differs between bad and good, where that is known.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        let Self::Own { verdict, .. } = self else { return None };
        let differs = verdict.differences.as_ref()?.values.iter().map(Difference::of).collect();
        Some(Evidence { differs, ..Evidence::default() })
    }

    /// Why a tier that is pending or firing is.
    #[must_use]
    pub fn matched(&self, outcome: &TierOutcome, objective: Option<Objective>) -> String {
        let since = outcome.phase.map_or(self.at(), Phase::since);
        match self {
            Self::Own { definition, verdict, idle_since } => {
                let time_weighted = definition.time_weighted;
                let run = Run { since, idle_since: *idle_since, at: verdict.as_of, time_weighted };
                let parts = definition.tiers.get(outcome.index).zip(verdict.tiers.get(outcome.index));
                parts.map_or_else(String::new, |(tier, judged)| {
                    let matched = reason::matched(tier, judged, objective, run);
                    if outcome.phase.is_some_and(Phase::fires) { matched } else { reason::waits(&matched, tier) }
                })
            }
            Self::Groups { definition, silent, .. } => {
                let groups = silent.get(outcome.index).map_or(&[][..], Vec::as_slice);
                let tier = definition.tiers.get(outcome.index);
                tier.map_or_else(String::new, |tier| reason::groups_silent(tier.kind, groups))
            }
            Self::Source { name, at, error } => reason::source_fails(name, since, *at, error),
            Self::Act { .. } => String::new(),
        }
    }

    /// Why a tier still fires that does not match any more; `None` where there are no words of its own for that.
    #[must_use]
    pub fn lingers(&self, outcome: &TierOutcome, objective: Option<Objective>) -> Option<String> {
        let Self::Own { definition, verdict, .. } = self else { return None };
        let (tier, judged) = definition.tiers.get(outcome.index).zip(verdict.tiers.get(outcome.index))?;
        reason::lingers(tier, judged, objective, definition.time_weighted)
    }

    /// What the windows of a tier held, whatever follows from it; `None` where it has no words for that.
    #[must_use]
    pub fn stood(&self, outcome: &TierOutcome, objective: Option<Objective>) -> Option<String> {
        let Self::Own { definition, verdict, .. } = self else { return None };
        let (tier, judged) = definition.tiers.get(outcome.index).zip(verdict.tiers.get(outcome.index))?;
        reason::stood(tier, judged, objective, definition.time_weighted)
    }

    /// Why a tier that fired is known false.
    #[must_use]
    pub fn known_false(&self, outcome: &TierOutcome, started_at: Timestamp) -> String {
        match self {
            Self::Own { definition, verdict, .. } => {
                let at = verdict.as_of;
                let since = outcome.quiet_since.unwrap_or(at);
                let run = Run { since, idle_since: None, at, time_weighted: definition.time_weighted };
                let parts = definition.tiers.get(outcome.index).zip(verdict.tiers.get(outcome.index));
                parts.map_or_else(String::new, |(tier, judged)| {
                    reason::known_false(tier, judged, verdict.condition, run)
                })
            }
            Self::Groups { .. } => reason::groups_back(),
            Self::Source { name, at, .. } => reason::source_answers(name, started_at, *at),
            Self::Act { .. } => String::new(),
        }
    }

    /// A tier as told.
    #[must_use]
    pub fn view(&self, outcome: &TierOutcome) -> Option<TierView> {
        match self {
            Self::Own { definition, verdict, .. } => {
                let tier = definition.tiers.get(outcome.index)?;
                Some(tier_view(tier, verdict.tiers.get(outcome.index), outcome.phase, outcome.frozen))
            }
            Self::Groups { definition, .. } => {
                Some(tier_view(definition.tiers.get(outcome.index)?, None, outcome.phase, outcome.frozen))
            }
            Self::Source { .. } => Some(TierView {
                kind: "source".to_owned(),
                severity: outcome.key.severity,
                state: match outcome.phase {
                    None => AlertState::Inactive,
                    Some(Phase::Pending { .. }) => AlertState::Pending,
                    Some(Phase::Firing { .. }) => AlertState::Firing,
                },
                frozen: false,
                trend: "ok".to_owned(),
                factor: None,
                threshold_ratio: None,
                over: None,
                confirm: None,
                resolve: None,
                false_pages: None,
            }),
            Self::Act { .. } => None,
        }
    }

    /// The budget, where an instance was judged.
    #[must_use]
    pub fn budget(&self) -> Option<BudgetView> {
        self.verdict().map(|verdict| BudgetView::from(&verdict.budget))
    }

    /// The forecast, where it was worked out for the telling.
    #[must_use]
    pub fn forecast(&self) -> Option<ForecastView> {
        self.verdict().and_then(|verdict| verdict.forecast.as_ref()).map(ForecastView::from)
    }

    /// Coverage of the first tier's long window; of the period where no tier has one; 0 where nothing was judged.
    #[must_use]
    pub fn coverage(&self, tiers: &[TierView]) -> f64 {
        let long = tiers.iter().find_map(|tier| tier.over.as_ref()).map(|window| window.coverage);
        long.or_else(|| self.verdict().map(|verdict| verdict.budget.window.coverage)).unwrap_or(0.0)
    }

    const fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Own { verdict, .. } => Some(verdict),
            Self::Act { verdict, .. } => *verdict,
            Self::Groups { .. } | Self::Source { .. } => None,
        }
    }
}
