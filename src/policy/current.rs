//! An open alert as it stands now: figures of the newest slice end, worked out when somebody asks.
//!
//! Why not with every slice end: an alert that does not change costs nothing, and is asked for when it is told again or
//! looked at. Nothing is decided here. Invariant: figures say of when they are; where nothing can be judged they are those
//! of the last slice end that was.

use std::collections::BTreeMap;

use crate::engine::definition::Definition;
use crate::engine::state::SloState;
use crate::engine::verdict::Verdict;
use crate::policy::alert::{Alert, AlertState, TierView};
use crate::policy::book::{AlertBook, seen};
use crate::policy::evidence::Evidence;
use crate::policy::facts::Facts;
use crate::policy::instance::{InstanceState, Outcomes, key};
use crate::policy::naming;
use crate::policy::notification::{BudgetView, ForecastView, Notification};
use crate::policy::reason;
use crate::policy::subject::Subject;
use crate::policy::tier::{Phase, TierOutcome, key_of};
use crate::units::{Labels, Timestamp};

/// How much is asked of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All but what differs between bad and good: the same work however many series there are. For a line among others.
    Figures,
    /// That too: it visits the series of the alert's instance.
    Evidence,
}

/// Everything about an open alert that moves while it is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// The slice end that they are of.
    pub as_of: Timestamp,
    /// Why it fires, in one sentence; `None`: as it was.
    pub reason: Option<String>,
    /// Its tiers that fire; none: as they were.
    pub tiers: Vec<TierView>,
    /// Budget and forecast, where an instance was judged and its whole period is known.
    pub ahead: Option<(BudgetView, ForecastView)>,
    /// What differs between bad and good, where that is known.
    pub evidence: Option<Evidence>,
    /// Coverage of the long window of the first tier that fires.
    pub coverage: Option<f64>,
    /// Of an alert of another tool's file, its placeholders filled.
    pub annotations: Option<BTreeMap<String, String>>,
    /// Why nothing newer is known, where that is so.
    pub still: Option<&'static str>,
}

impl Figures {
    /// Those of a notification.
    #[must_use]
    pub fn of(told: &Notification) -> Self {
        Self {
            as_of: told.as_of,
            reason: Some(told.reason.clone()),
            tiers: told.tiers.clone(),
            ahead: told.budget.clone().zip(told.forecast.clone()),
            evidence: told.evidence.clone(),
            coverage: Some(told.coverage),
            annotations: Some(told.annotations.clone()),
            still: None,
        }
    }

    /// Puts them in place of older ones.
    pub fn tell(self, told: &mut Notification) {
        told.as_of = self.as_of;
        told.reason = self.reason.unwrap_or_else(|| told.reason.clone());
        if !self.tiers.is_empty() {
            told.tiers = self.tiers;
        }
        if let Some((budget, forecast)) = self.ahead {
            (told.budget, told.forecast) = (Some(budget), Some(forecast));
        }
        take_differences(&mut told.evidence, self.evidence);
        told.coverage = self.coverage.unwrap_or(told.coverage);
        told.annotations = self.annotations.unwrap_or_else(|| told.annotations.clone());
    }

    /// The same for an alert that is shown.
    pub fn show(self, alert: &mut Alert) {
        alert.as_of = Some(self.as_of);
        alert.reason = self.reason.unwrap_or_else(|| alert.reason.clone());
        if !self.tiers.is_empty() {
            alert.tiers = self.tiers;
        }
        take_differences(&mut alert.evidence, self.evidence);
    }
}

/// What was deployed before it fired stays.
fn take_differences(evidence: &mut Option<Evidence>, newer: Option<Evidence>) {
    if let Some(newer) = newer.filter(|newer| !newer.differs.is_empty()) {
        evidence.get_or_insert_default().differs = newer.differs;
    }
}

impl AlertBook {
    /// How an open alert of an instance stands at the engine's newest slice end. `None`: it is not open, or the engine is
    /// not where the alert is yet, as after a start.
    #[must_use]
    pub fn figures(
        &self,
        subject: &Subject,
        engine: &SloState,
        group: &Labels,
        (id, depth): (&str, Depth),
    ) -> Option<Figures> {
        let state = self.states.get(group)?;
        let alert = state.alerts.iter().find(|alert| alert.id == id)?;
        let since = alert.fired_at.unwrap_or(alert.started_at);
        let Some(instance) = engine.instance(group) else {
            // It names groups, and its record is kept as they are.
            let as_of = engine.as_of().filter(|as_of| *as_of >= since && group.is_empty())?;
            return Some(Figures { as_of, reason: Some(alert.reason.clone()), ..Figures::default() });
        };
        let mut verdict = Verdict::default();
        engine.judge(instance, self.firing(engine.definition(), group), &mut verdict);
        if verdict.as_of < since {
            return None;
        }
        verdict.forecast = Some(instance.forecast());
        let seen = seen(&verdict).filter(|_| depth == Depth::Evidence);
        verdict.differences = seen.and_then(|seen| engine.differences(group, seen.from, seen.to));
        let mut figures = state.figures(subject, engine.definition().of_group(group), group, &verdict, alert);
        if engine.awaits_history {
            figures.ahead = None;
        }
        Some(figures)
    }
}

impl InstanceState {
    fn figures(
        &self,
        subject: &Subject,
        definition: &Definition,
        group: &Labels,
        verdict: &Verdict,
        alert: &Alert,
    ) -> Figures {
        let outcomes = self.standing(definition, verdict, alert);
        let facts = Facts::Own { definition, verdict, idle_since: self.idle_since };
        let tiers: Vec<TierView> = outcomes.iter().filter_map(|outcome| facts.view(outcome)).collect();
        let lead = outcomes.iter().find(|outcome| outcome.matched).or(outcomes.first());
        let objective = subject.objective_of(group);
        let lingers = lead.filter(|lead| !lead.matched).and_then(|lead| facts.lingers(lead, objective));
        // Its own words say already why it stays, and that its data is known.
        let unsure = self.blind || (alert.frozen && lingers.is_none());
        let reason = lead.filter(|lead| lead.matched).map(|lead| facts.matched(lead, objective)).or(lingers);
        let last = || alert.transitions.last().map(|last| last.reason.clone());
        let frozen = unsure.then(|| reason::frozen(self.blind));
        let reason = reason.or_else(last).map(|reason| match frozen {
            Some(frozen) => format!("{reason}; {frozen}"),
            None => reason,
        });
        let labels = self.episode.as_ref().map(|episode| episode.labels_of(key(alert)));
        let foreign = subject.foreign.as_deref().zip(labels.as_ref());
        Figures {
            as_of: verdict.as_of,
            reason,
            coverage: Some(facts.coverage(&tiers)),
            annotations: foreign.and_then(|(foreign, labels)| naming::annotations(foreign, key(alert), labels, &tiers)),
            tiers,
            ahead: facts.budget().zip(facts.forecast()),
            evidence: facts.evidence(),
            still: self.blind.then_some("the source does not answer"),
        }
    }

    /// Where the tiers of an alert stand.
    fn standing(&self, definition: &Definition, verdict: &Verdict, alert: &Alert) -> Outcomes {
        let fires = alert.state == AlertState::Firing;
        let of_tier = |(index, judged): (usize, &crate::engine::verdict::TierVerdict)| {
            let key = key_of(&definition.tiers, index)?;
            let phase = self.phase(definition, index)?;
            let is_own = (key.severity, key.condition.alert_kind()) == (alert.severity, alert.kind)
                && phase.fires() == fires
                && !Phase::is_shared(phase);
            is_own.then_some(TierOutcome {
                key,
                index,
                phase: Some(phase),
                fired: fires,
                matched: judged.matches,
                frozen: fires && !judged.matches && !judged.known_false,
                quiet_since: None,
            })
        };
        verdict.tiers.iter().enumerate().filter_map(of_tier).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::observation::{Observation, Point};
    use crate::policy::machine::Effect;
    use crate::policy::machine::kit::{SLICE, START, burn, definition, setting, subject};
    use crate::spec::policy::{AlertSeverity, Gates};
    use crate::units::Length;

    /// A book and its engine, fed with slices of 300 events.
    struct Life {
        book: AlertBook,
        engine: SloState,
        at: Timestamp,
        effects: Vec<Effect>,
    }

    impl Life {
        fn new() -> Self {
            let page = burn(AlertSeverity::Page, 14.4, "1h", "5m", Gates { hold: 0.5, ..Gates::default() });
            let definition = Definition { pushdown: Some(SLICE), alive: false, ..definition(vec![page], &[]) };
            let book = AlertBook::new(definition.id.clone());
            Self { book, engine: SloState::new(Arc::new(definition)), at: START, effects: Vec::new() }
        }

        fn go(&mut self, time: &str, share: f64) {
            let (length, subject): (Length, Subject) = (time.parse().unwrap(), subject());
            for _ in 0..length.count_of(SLICE) {
                let (from, to) = (self.at, self.at + SLICE);
                let point = Point { at: to, group: Labels::new(), events: Some(300.0 * share), total: Some(300.0) };
                let observation = Observation { from, to, points: vec![point], ..Observation::default() };
                let setting = setting(&subject);
                self.effects.extend(self.book.evaluate(&setting, &mut self.engine, &observation, to));
                self.at = to;
            }
        }

        fn page(&self) -> Notification {
            self.effects.iter().find_map(|effect| effect.notification.clone()).unwrap()
        }

        fn figures(&self) -> Option<Figures> {
            self.book.figures(&subject(), &self.engine, &Labels::new(), (&self.page().alert_id, Depth::Evidence))
        }
    }

    #[test]
    fn the_figures_of_an_alert_follow_the_data_while_its_record_stays() {
        let mut life = Life::new();
        life.go("2h", 0.0);
        life.go("10m", 0.3);
        let page = life.page();
        let (changes, was_left) = (life.effects.len(), page.budget.as_ref().unwrap().remaining_ratio);
        life.go("4h", 0.6);
        assert_eq!(life.effects.len(), changes, "no row is written for it");
        let mut told = page.clone();
        life.figures().unwrap().tell(&mut told);
        assert_eq!(
            told.reason,
            "60% of requests failed over 5m and 60% over 1h: burn 600 and 600, both above 14.4 (objective 99.9%)"
        );
        assert_eq!((told.as_of, told.started_at), (life.at, page.started_at));
        assert!(told.budget.unwrap().remaining_ratio < was_left && told.forecast.unwrap().exhausted);
        assert_eq!(told.tiers[0].confirm.as_ref().unwrap().bad, 1_800.0);
        assert_eq!((told.id, told.labels, told.links), (page.id, page.labels, page.links));
    }

    #[test]
    fn one_that_no_longer_matches_is_not_said_to_burn() {
        let mut life = Life::new();
        life.go("2h", 0.0);
        life.go("10m", 0.3);
        life.go("5m", 0.02);
        // Half of the threshold is wanted for its end.
        life.go("5m", 0.01);
        assert_eq!(life.book.alerts().count(), 1, "it fires on");
        assert_eq!(
            life.figures().unwrap().reason.unwrap(),
            "1% of requests failed over 5m and 5.25% over 1h: burn 10 and 52.5, not both above 14.4 any more \
             (objective 99.9%); it ends when that is sure to last"
        );
    }

    #[test]
    fn without_answers_the_last_figures_stand_and_before_the_engine_is_there_are_none() {
        let mut life = Life::new();
        life.go("2h", 0.0);
        life.go("10m", 0.3);
        let _ = life.book.mark_blind();
        let figures = life.figures().unwrap();
        assert_eq!((figures.as_of, figures.still), (life.at, Some("the source does not answer")));
        assert!(figures.reason.unwrap().ends_with("; frozen: the source does not answer"));
        // As after a start.
        let mut empty = SloState::new(Arc::clone(life.engine.definition()));
        assert_eq!(
            life.book.figures(&subject(), &empty, &Labels::new(), (&life.page().alert_id, Depth::Evidence)),
            None
        );
        let point = Point { at: START, group: Labels::new(), events: Some(0.0), total: Some(1.0) };
        let early = Observation { from: START - SLICE, to: START, points: vec![point], ..Observation::default() };
        empty.advance(&early, START);
        assert_eq!(
            life.book.figures(&subject(), &empty, &Labels::new(), (&life.page().alert_id, Depth::Evidence)),
            None,
            "not there yet"
        );
        assert_eq!(life.book.figures(&subject(), &life.engine, &Labels::new(), ("another", Depth::Evidence)), None);
        // Not all of the period is read: the budget stays as it was told.
        life.engine.await_history(true);
        assert_eq!(life.figures().unwrap().ahead, None);
    }
}
