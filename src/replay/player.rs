//! One SLO lived through again, slice end by slice end, as the running service lives through it.
//!
//! The past before the begin is put in first (`prepend`), so that windows and budget are as full as they were. Then
//! `play` takes one answer after the other, forward in time. Every effect counts: nothing is thinned out, because a
//! service that ran all the time missed nothing. Invariant: one call of [`AlertBook::evaluate`] for each slice end, in
//! order; slice ends at which the store itself has no samples of anybody are told to the engine as such.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::definition::Definition;
use crate::engine::observation::{History, Observation};
use crate::engine::state::{Birth, SloState};
use crate::engine::verdict::{TierSet, Verdict};
use crate::policy::alert::AlertState;
use crate::policy::book::AlertBook;
use crate::policy::machine::{Effect, Setting};
use crate::policy::subject::Subject;
use crate::replay::told::Told;
use crate::replay::watch::Watch;
use crate::spec::meant::Mode;
use crate::units::{Labels, Timestamp};

/// An SLO on its way through the past.
#[derive(Clone, Debug)]
pub struct Player {
    subject: Subject,
    page_can_be_told: bool,
    state: SloState,
    book: AlertBook,
    told: Vec<Told>,
    watches: Vec<Watch>,
    /// Times in which the store itself has nothing, not reached yet; ascending.
    silences: VecDeque<(Timestamp, Timestamp)>,
    /// Reused from slice end to slice end.
    verdict: Verdict,
}

impl Player {
    /// An SLO that stands at `begin`, with nothing known before it. In shadow it is played as if it were live: what it
    /// would send is the question. `page_can_be_told`: its pages have a route.
    #[must_use]
    pub fn new(definition: &Arc<Definition>, subject: &Subject, page_can_be_told: bool, begin: Timestamp) -> Self {
        let mut state = SloState::new(Arc::clone(definition));
        // Into an empty state this says where loaded time begins, and nothing else.
        state.prepend(&History { from: begin, to: begin, ..History::default() });
        Self {
            subject: Subject { mode: Mode::Live, ..subject.clone() },
            page_can_be_told,
            state,
            book: AlertBook::new(definition.id.clone()),
            told: Vec::new(),
            watches: Vec::new(),
            silences: VecDeque::new(),
            verdict: Verdict::default(),
        }
    }

    /// Notes the figures around somebody else's alerts, for `why`.
    pub fn watch(&mut self, watches: impl IntoIterator<Item = Watch>) {
        self.watches.extend(watches);
    }

    /// Takes a stretch of the past, directly before what is known.
    pub fn prepend(&mut self, history: &History) {
        self.state.prepend(history);
    }

    /// The store has no samples of anybody in `(from, to]`: it was down, and the service was blind. That nothing is there
    /// of a target says nothing of the target then.
    pub fn store_was_silent(&mut self, from: Timestamp, to: Timestamp) {
        self.silences.push_back((from, to));
    }

    /// Lives through every slice end up to `to` that `observation` reaches.
    pub fn play(&mut self, observation: &Observation, to: Timestamp) {
        let slice = self.state.definition().slice.length();
        // The watermark of a pushdown SLO moves in steps of `p`.
        let to = self.state.definition().pushdown.map_or(to, |step| to.floor_to(step));
        let Some(mut at) = self.as_of().map(|end| end + slice) else { return };
        while at <= to {
            self.slice_end(observation, at);
            at = at + slice;
        }
    }

    /// The watermark.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.state.as_of()
    }

    /// Nothing at or before this is known.
    #[must_use]
    pub fn known_from(&self) -> Option<Timestamp> {
        self.state.loaded_from()
    }

    /// Series that it holds.
    #[must_use]
    pub fn series_count(&self) -> usize {
        self.state.series_count()
    }

    /// Whether an answer comes from another replica than what is held.
    #[must_use]
    pub fn differs(&self, observation: &Observation) -> bool {
        self.state.differs(observation)
    }

    /// Births whose target's start is worth asking for.
    #[must_use]
    pub fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth> {
        self.state.undecided(observation, as_of)
    }

    /// Births within a stretch of the past whose target's start is worth asking for.
    #[must_use]
    pub fn undecided_in_history(&self, history: &History) -> Vec<Birth> {
        self.state.undecided_in_history(history)
    }

    /// Everything that fired, oldest first, and what was noted around others' alerts: handed over, and noted anew from
    /// here on.
    #[must_use]
    pub fn finish(&mut self) -> (Vec<Told>, Vec<Watch>) {
        let mut told = std::mem::take(&mut self.told);
        told.sort_by(|a, b| (a.fired_at, a.severity, &a.id).cmp(&(b.fired_at, b.severity, &b.id)));
        (told, std::mem::take(&mut self.watches))
    }

    fn slice_end(&mut self, observation: &Observation, at: Timestamp) {
        while let Some((from, to)) = self.silences.pop_front_if(|(from, _)| *from < at) {
            self.state.asked_late(to);
            self.state.not_answered(from, to);
        }
        let setting =
            Setting { subject: &self.subject, page_can_be_told: self.page_can_be_told.into(), source_alert: None };
        let effects = self.book.evaluate(&setting, &mut self.state, observation, at);
        for effect in effects {
            self.take(effect, at);
        }
        if !self.state.definition().by.is_empty() {
            self.let_groups_go();
        }
        self.note(at);
    }

    fn take(&mut self, effect: Effect, at: Timestamp) {
        let Effect { alert, notification } = effect;
        let begins = notification.is_some_and(|notification| notification.state == AlertState::Firing);
        let known = self.told.iter().rposition(|told| told.id == alert.id);
        let place = known.unwrap_or(self.told.len());
        if known.is_none() {
            let group = self.group_of(&alert.slo);
            self.told.push(Told::new(&alert, group, at));
        }
        if let Some(told) = self.told.get_mut(place) {
            told.follow(&alert, begins.then_some(at));
        }
    }

    /// The group that an alert is about; empty for one that names several.
    fn group_of(&self, instance: &str) -> Labels {
        let groups = self.state.instances().map(|(group, _)| group);
        groups.into_iter().find(|group| self.subject.instance(group) == instance).cloned().unwrap_or_default()
    }

    /// Groups that have been silent for a whole period, with nothing firing, leave.
    fn let_groups_go(&mut self) {
        let gone: Vec<Labels> = self.state.vanished().filter(|group| self.book.may_leave(group)).cloned().collect();
        for group in gone {
            self.state.forget(&group);
            self.book.forget(&group);
        }
    }

    /// The figures of this slice end, where an alert fires or somebody else's did.
    fn note(&mut self, at: Timestamp) {
        let fires = self.book.alerts().any(|alert| alert.state == AlertState::Firing);
        let watched = self.watches.iter().any(|watch| watch.covers(at));
        if !fires && !watched {
            return;
        }
        let definition = Arc::clone(self.state.definition());
        for (group, instance) in self.state.instances() {
            self.state.judge(instance, TierSet::default(), &mut self.verdict);
            for told in self.told.iter_mut().filter(|told| told.resolved_at.is_none() && told.group == *group) {
                told.note_burn(&definition, &self.verdict);
            }
            for watch in self.watches.iter_mut().filter(|watch| watch.covers(at) && watch.takes(group)) {
                watch.note(&definition, group, &self.verdict, &self.book);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::definition::Definition;
    use crate::engine::fixture::{at, definition};
    use crate::engine::observation::Point;
    use crate::units::Length;

    const DAY: i64 = 86_400;

    /// A value of a ratio at every second slice end in `(from, to]`.
    fn points(from: i64, to: i64) -> Vec<Point> {
        let point = |number| Point { at: at(number * 60), group: Labels::new(), events: Some(0.25), total: Some(1.0) };
        (from / 60 + 1..=to / 60).map(point).collect()
    }

    /// Balancing all holes anew at each slice end took minutes.
    #[test]
    fn ten_days_with_every_second_slice_missing_are_replayed_in_a_moment() {
        let definition =
            Arc::new(Definition { pushdown: Some(Length::from_seconds(30)), time_weighted: true, ..definition() });
        let (begin, end) = (30 * DAY, 40 * DAY);
        let mut player = Player::new(&definition, &Subject::source("unused", &BTreeMap::new()), true, at(begin));
        let past = History { from: at(0), to: at(begin), points: points(0, begin), ..History::default() };
        player.prepend(&past);
        for from in (begin..end).step_by(6 * 3_600) {
            let to = from + 6 * 3_600;
            let points = points(from - 300, to);
            let answer = Observation { from: at(from - 300), to: at(to), points, ..Observation::default() };
            player.play(&answer, at(to));
        }
        assert_eq!(player.as_of(), Some(at(end)));
        let instance = player.state.instance(&Labels::new()).unwrap();
        for (length, values) in [(Length::from_hours(1), 60.0), (Length::from_days(3), 3.0 * 1_440.0)] {
            let window = instance.window(length);
            assert_eq!((window.bad, window.total), (values / 4.0, values));
            assert_eq!(window.measured * 2, length);
        }
        let period = instance.window(definition.window);
        assert_eq!((period.bad * 4.0, period.measured * 2), (period.total, period.to.since(period.from)));
    }
}
