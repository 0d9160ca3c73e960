//! One SLO in the running service: its meaning, its engine state and its alerts behind one lock.
//!
//! Why a lock each: ticks, backfill and people look at different SLOs at the same time, and an evaluation of one takes
//! microseconds. Invariants: slice ends are evaluated in order; those at or before `decided` were decided by an earlier
//! run of the service, so the engine passes through them and the alerts do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, TryLockError};

use crate::config::meant::Config;
use crate::engine::instance::Instance;
use crate::engine::observation::{History, Observation};
use crate::engine::pack::PackError;
use crate::engine::state::{Birth, SloState};
use crate::engine::verdict::{HourBucket, TierSet, Verdict};
use crate::policy::book::AlertBook;
use crate::policy::machine::Setting;
use crate::policy::route::Heard;
use crate::policy::subject::Subject;
use crate::runtime::asker::Asking;
use crate::runtime::blueprint::SloPlan;
use crate::runtime::core::held;
use crate::runtime::evaluation::Evaluated;
use crate::runtime::poller::CATCH_UP;
use crate::runtime::service::Counted;
use crate::runtime::stored::decided_key;
use crate::spec::meant::{Sli, Slo};
use crate::store::Commit;
use crate::units::{InstanceId, Labels, Length, SloId, Timestamp};

/// An entry that several tasks look at.
pub type SharedEntry = Arc<Entry>;

/// One SLO.
pub struct Entry {
    id: SloId,
    generation: String,
    period: Length,
    slice: Length,
    inner: Mutex<Inner>,
}

/// What changes.
pub struct Inner {
    /// As meant.
    pub slo: Arc<Slo>,
    /// Whom its alerts are about.
    pub subject: Subject,
    /// What the engine knows.
    pub state: SloState,
    /// Its alerts.
    pub book: AlertBook,
    /// What each instance has counted since it was first looked at, for `slo_events_total`.
    pub counts: BTreeMap<Labels, Count>,
    /// Slice ends up to here were decided before this run.
    decided: Option<Timestamp>,
    /// Its source did not answer its questions at the last tick.
    pub blind: bool,
    /// The watermark when it became blind, until a slice end is evaluated in time again.
    blind_since: Option<Timestamp>,
    /// A tick has judged it.
    judged: bool,
    /// The past has been read back to here; `None`: not begun.
    read_back: Option<Timestamp>,
    /// Nothing older is to come.
    complete: bool,
    /// What was last handed to the store of how far this generation was decided.
    written: Option<Timestamp>,
}

/// Events of one instance since it was first looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Count {
    /// So far.
    pub counted: Counted,
    /// Up to this slice end.
    to: Timestamp,
}

impl Inner {
    /// What keeps it from counting anything: all that the source holds was read, and there was nothing to count. A typing
    /// mistake in a name looks like this, and like silence.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let nothing = self.state.instances().all(|(_, instance)| instance.oldest_total().is_none());
        (self.judged && self.complete && nothing).then(|| match &self.slo.sli {
            Sli::Exact { total, .. } => format!("`{total}` selects no series; is its name right?"),
            Sli::Pushdown { total, .. } => format!(
                "`{}` gives no value; are its names right, and is the source's `interval` that of its scrapes?",
                total.text
            ),
            Sli::Gauge { query, .. } | Sli::Ratio { query } => {
                format!(
                    "`{query}` gives no value; are its names right, and is the source's `interval` that of its scrapes?"
                )
            }
        })
    }

    /// Brings the counts of all instances, or of one, up to the watermark. Looked at less often than each 6 h, they miss
    /// what lies between.
    pub fn count(&mut self, only: Option<&Labels>) {
        for (group, instance) in self.state.instances().filter(|(group, _)| only.is_none_or(|only| only == *group)) {
            let now = instance.as_of();
            let count = self.counts.entry(group.clone()).or_insert(Count { counted: Counted::default(), to: now });
            let since = now.since(count.to).min(CATCH_UP);
            if since > Length::ZERO {
                let window = instance.window(since);
                count.counted.bad += window.bad;
                count.counted.good += (window.total - window.bad).max(0.0);
                count.to = now;
            }
        }
    }
}

impl Asking for Entry {
    fn as_of(&self) -> Option<Timestamp> {
        self.with(|inner| inner.state.as_of())
    }

    fn differs(&self, observation: &Observation) -> bool {
        self.with(|inner| inner.state.differs(observation))
    }

    fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth> {
        self.with(|inner| inner.state.undecided(observation, as_of))
    }
}

/// What an evaluation is told from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// Which pages have a route and are not silenced.
    pub page_can_be_told: Heard<'a>,
    /// The alert of the source while it fires.
    pub source_alert: Option<&'a str>,
    /// The source has no history: slices have to be kept.
    pub keeps_slices: bool,
}

impl Entry {
    /// An SLO without data. `watermark`: slice ends up to there were decided by an earlier run; missed ones before
    /// `oldest` are left out.
    #[must_use]
    pub fn new(plan: &SloPlan, mut book: AlertBook, watermark: Option<Timestamp>, oldest: Timestamp) -> SharedEntry {
        if watermark.is_some_and(|watermark| watermark < oldest) {
            book.skip();
        }
        let state = SloState::new(Arc::clone(&plan.definition));
        Arc::new(Self::holding(plan, state, book, watermark.max(Some(oldest)), watermark))
    }

    fn holding(
        plan: &SloPlan,
        mut state: SloState,
        book: AlertBook,
        decided: Option<Timestamp>,
        written: Option<Timestamp>,
    ) -> Self {
        state.await_history(true);
        let inner = Inner {
            slo: Arc::clone(&plan.slo),
            subject: plan.subject.clone(),
            state,
            book,
            counts: BTreeMap::new(),
            decided,
            blind: false,
            blind_since: None,
            judged: false,
            read_back: None,
            complete: false,
            written,
        };
        Self {
            id: plan.slo.id.clone(),
            generation: plan.generation.clone(),
            period: plan.definition.reach(),
            slice: plan.definition.slice.length(),
            inner: Mutex::new(inner),
        }
    }

    /// This entry after an edit of its SLO, its id included (`formerly`). The same queries and no longer period: windows and alerts are kept. Else
    /// windows are made anew from history, and what fires is frozen until it is known false (SEMANTICS 6, *Edits*).
    #[must_use]
    pub fn edited(&self, plan: &SloPlan, now: Timestamp) -> SharedEntry {
        let inner = held(&self.inner);
        let old = inner.state.definition();
        let fits = self.generation == plan.generation
            && plan.definition.reach() <= self.period
            && (old.slice, old.gap, old.instances_limit)
                == (plan.definition.slice, plan.definition.gap, plan.definition.instances_limit);
        let decided = inner.state.as_of().max(inner.decided).max(Some(now - CATCH_UP));
        let book = inner.book.clone().renamed(&plan.slo.id);
        if !fits {
            let state = SloState::new(Arc::clone(&plan.definition));
            return Arc::new(Self::holding(plan, state, book, decided, None));
        }
        let mut state = inner.state.clone();
        state.redefine(&plan.definition);
        let kept = Self::holding(plan, state, book, decided, inner.written);
        {
            let mut new = held(&kept.inner);
            new.counts.clone_from(&inner.counts);
            new.judged = inner.judged;
            new.read_back = inner.read_back;
            new.complete = inner.complete;
            new.state.await_history(!inner.complete);
        }
        Arc::new(kept)
    }

    /// What has to be written when `heir`, made by [`Entry::edited`], has another id.
    #[must_use]
    pub fn handed_over(&self, heir: &Self) -> Commit {
        let old = held(&self.inner);
        let new = &mut *held(&heir.inner);
        let mut commit = drained(&heir.id, &mut new.book);
        commit.forgotten.extend(old.book.instances());
        if let Some(written) = new.written {
            commit.watermarks.insert(decided_key(&heir.id, &heir.generation), written);
        }
        commit.renamed.push((self.id.to_string(), heir.id.to_string()));
        commit
    }

    /// Puts stored slices back: for sources that have no history.
    ///
    /// # Errors
    /// Where the bytes are not what `pack` wrote.
    pub fn put_slices_back(&self, hours: &[(Timestamp, Vec<u8>)]) -> Result<(), PackError> {
        self.with(|inner| inner.state.restore(hours))
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &SloId {
        &self.id
    }

    /// What its durable hours are kept under.
    #[must_use]
    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// How much of the past it needs: `W`, or the longest window of its tiers.
    #[must_use]
    pub const fn period(&self) -> Length {
        self.period
    }

    /// Looks at it, or changes it, under its lock.
    pub fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut held(&self.inner))
    }

    /// The same without a wait; `None`: it is evaluated just now.
    pub fn with_if_free<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> Option<T> {
        match self.inner.try_lock() {
            Ok(mut inner) => Some(look(&mut inner)),
            Err(TryLockError::Poisoned(inner)) => Some(look(&mut inner.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// As meant.
    #[must_use]
    pub fn slo(&self) -> Arc<Slo> {
        self.with(|inner| Arc::clone(&inner.slo))
    }

    /// The watermark.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.with(|inner| inner.state.as_of())
    }

    /// A tick has judged it.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.with(|inner| inner.judged)
    }

    /// Series that it holds.
    #[must_use]
    pub fn series_count(&self) -> usize {
        self.with(|inner| inner.state.series_count())
    }

    /// Evaluates every slice end up to `to`, in order. The effects of several are thinned out by the caller.
    pub fn evaluate(&self, observation: &Observation, to: Timestamp, around: Surroundings<'_>) -> Evaluated {
        let inner = &mut *held(&self.inner);
        let mut effects = Vec::new();
        // The watermark of a pushdown SLO moves in steps of `p`.
        let to = inner.state.definition().pushdown.map_or(to, |step| to.floor_to(step));
        let mut at = inner.state.as_of().map_or(observation.from.ceil_to(self.slice), |end| end) + self.slice;
        if at + inner.state.definition().gap < to {
            inner.state.asked_late(to);
            if let Some(since) = inner.blind_since {
                inner.state.not_answered(since, to);
            }
        } else {
            inner.blind_since = None;
        }
        while at <= to {
            if inner.decided.is_some_and(|decided| at <= decided) {
                inner.state.advance(observation, at);
            } else {
                let setting = Setting {
                    subject: &inner.subject,
                    page_can_be_told: around.page_can_be_told,
                    source_alert: around.source_alert,
                };
                effects.extend(inner.book.evaluate(&setting, &mut inner.state, observation, at));
            }
            at = at + self.slice;
        }
        inner.blind = false;
        inner.judged |= inner.state.as_of().is_some();
        inner.read_back = inner.read_back.or(inner.state.loaded_from());
        Self::let_groups_go(inner);
        let mut commit = self.commit(inner);
        if around.keeps_slices {
            let hours = inner.state.pack().into_iter();
            commit
                .slices
                .extend(hours.map(|(hour, bytes)| (self.id.to_string(), self.generation.clone(), hour, bytes)));
        }
        // With the decisions themselves, and never back: a run that is killed while it passes through what an earlier
        // one decided must not have the next one decide it again.
        let reached = inner.state.as_of().max(inner.decided);
        if reached > inner.written {
            inner.written = reached;
            commit.watermarks.extend(reached.map(|at| (decided_key(&self.id, &self.generation), at)));
        }
        Evaluated { effects, commit }
    }

    /// Judges the newest slice end once more, because its past was read since. For who looks once: a service has its next
    /// slice end.
    #[must_use]
    pub fn judge_again(&self) -> Evaluated {
        let inner = &mut *held(&self.inner);
        let (state, book) = (&inner.state, &mut inner.book);
        let setting = Setting { subject: &inner.subject, page_can_be_told: Heard::Always, source_alert: None };
        let judged = |(group, instance): (&Labels, &Instance)| {
            let mut verdict = Verdict::default();
            state.judge(instance, book.firing(state.definition(), group), &mut verdict);
            (group.clone(), verdict)
        };
        let verdicts: Vec<(Labels, Verdict)> = state.instances().map(judged).collect();
        let verdicts = verdicts.iter().map(|(group, verdict)| (group, verdict));
        let effects = book.step(&setting, state.definition(), verdicts);
        Evaluated { effects, commit: self.commit(inner) }
    }

    /// The source does not answer.
    pub fn mark_blind(&self) -> Evaluated {
        let inner = &mut *held(&self.inner);
        inner.blind = true;
        inner.blind_since = inner.blind_since.or(inner.state.as_of());
        let effects = inner.book.mark_blind();
        Evaluated { effects, commit: self.commit(inner) }
    }

    /// It left the files: what fires ends as withdrawn.
    pub fn withdraw(&self, now: Timestamp) -> Evaluated {
        let inner = &mut *held(&self.inner);
        let setting = Setting { subject: &inner.subject, page_can_be_told: Heard::Always, source_alert: None };
        let at = inner.state.as_of().unwrap_or(now);
        let (state, book) = (&inner.state, &mut inner.book);
        let verdict = |group: &Labels| {
            let (mut verdict, instance) = (Verdict::default(), state.instance(group)?);
            state.judge(instance, TierSet::default(), &mut verdict);
            verdict.forecast = Some(instance.forecast());
            Some(verdict)
        };
        let effects = book.withdraw(&setting, at, verdict);
        Evaluated { effects, commit: self.commit(inner) }
    }

    /// More was missed than is evaluated slice by slice: windows are read anew from the source's history, and alerts go on
    /// from `oldest`.
    pub fn begin_anew(&self, oldest: Timestamp) {
        let inner = &mut *held(&self.inner);
        inner.state = SloState::new(Arc::clone(inner.state.definition()));
        inner.state.await_history(true);
        inner.book.skip();
        inner.decided = inner.decided.max(Some(oldest));
        inner.read_back = None;
        inner.complete = false;
    }

    /// Takes a stretch of the past.
    pub fn prepend(&self, history: &History) {
        let inner = &mut *held(&self.inner);
        inner.state.prepend(history);
        inner.read_back = Some(history.from);
    }

    /// Births within a stretch of the past whose target's start is worth asking for.
    #[must_use]
    pub fn undecided_in_history(&self, history: &History) -> Vec<Birth> {
        self.with(|inner| inner.state.undecided_in_history(history))
    }

    /// The end of the next stretch of the past that is wanted, where it is newer than `until`.
    #[must_use]
    pub fn history_needed(&self, until: Timestamp) -> Option<Timestamp> {
        self.with(|inner| inner.read_back.filter(|back| *back > until && !inner.complete))
    }

    /// Puts its own hours back where the source does not reach, and says that nothing older is to come. Once: an entry
    /// that was kept over a reload has them already.
    pub fn complete(&self, hours: &[(Labels, Vec<HourBucket>)]) {
        let inner = &mut *held(&self.inner);
        if inner.complete {
            return;
        }
        for (group, hours) in hours {
            let oldest = inner.state.instance(group).and_then(Instance::oldest_total);
            let fallback = inner.state.loaded_from().unwrap_or_default();
            let before = oldest.unwrap_or(fallback).ceil_to(Length::from_hours(1));
            inner.state.restore_hours(group, hours, before);
        }
        inner.complete = true;
        inner.state.await_history(false);
    }

    /// Nothing older is to come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.with(|inner| inner.complete)
    }

    /// How much of the period has been read: 0 to 1.
    #[must_use]
    pub fn backfilled(&self) -> f64 {
        self.with(|inner| match (inner.complete, inner.read_back, inner.state.as_of()) {
            (true, _, _) => 1.0,
            (false, Some(back), Some(end)) => (end.since(back).seconds_f64() / self.period.seconds_f64()).min(1.0),
            _ => 0.0,
        })
    }

    /// Groups that have been silent for a whole period, with nothing firing, leave the lists.
    fn let_groups_go(inner: &mut Inner) {
        if !inner.complete {
            return;
        }
        let gone: Vec<Labels> = inner.state.vanished().filter(|group| inner.book.may_leave(group)).cloned().collect();
        for group in gone {
            inner.state.forget(&group);
            inner.book.forget(&group);
        }
    }

    /// What has to be written beside the effects: alert states and finished hours.
    fn commit(&self, inner: &mut Inner) -> Commit {
        let mut commit = drained(&self.id, &mut inner.book);
        for (group, hour) in inner.state.take_finished_hours() {
            let id = InstanceId { slo: self.id.clone(), group };
            commit.hours.push((id.to_string(), self.generation.clone(), hour));
        }
        commit
    }
}

/// What fires of an SLO that left the files while the service was down ends as withdrawn.
#[must_use]
pub fn withdraw_book(mut book: AlertBook, id: &SloId, config: &Config, now: Timestamp) -> Evaluated {
    let mut subject = Subject::source(&id.name, &config.server.external_labels);
    subject.id = id.clone();
    let setting = Setting { subject: &subject, page_can_be_told: Heard::Always, source_alert: None };
    let effects = book.withdraw(&setting, now, |_| None);
    Evaluated { effects, commit: drained(id, &mut book) }
}

/// The alert states that changed.
#[must_use]
pub fn drained(id: &SloId, book: &mut AlertBook) -> Commit {
    match book.drain() {
        Ok(changes) => Commit { states: changes.states, forgotten: changes.forgotten, ..Commit::default() },
        Err(error) => {
            tracing::error!(slo = %id, %error, "an alert state cannot be written");
            Commit::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::load::load;
    use crate::engine::observation::Point;
    use crate::policy::compile::{Terms, definition};
    use crate::units::Step;
    use crate::yaml::SourceText;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn gauge() -> SharedEntry {
        let text = "version: slo/v1\nservice: shop\nslos:\n  - name: a\n    objective: 99%\n    \
                    sli: {gauge: {query: q, below: 1, absent: bad}}\n";
        let slo = Arc::clone(&load(&[SourceText::named("a.yaml", text)]).slos[0]);
        let terms = Terms { slice: Step::DEFAULT, gap: Length::from_minutes(5), instances_limit: 10 };
        let plan = SloPlan {
            definition: Arc::new(definition(&slo, terms).unwrap()),
            generation: slo.generation(),
            subject: Subject::of(&slo, &BTreeMap::new()),
            slo,
        };
        let book = AlertBook::new(plan.slo.id.clone());
        Entry::new(&plan, book, None, at(0))
    }

    fn answer(from: i64, to: i64, values: &[i64]) -> Observation {
        let point =
            |seconds: &i64| Point { at: at(*seconds), group: Labels::new(), events: Some(0.0), total: Some(1.0) };
        let points = values.iter().filter(|value| **value > from && **value <= to).map(point).collect();
        Observation { from: at(from), to: at(to), points, ..Observation::default() }
    }

    /// Bad and measured slices of the newest `length` seconds.
    fn bad(entry: &SharedEntry, length: i64) -> (f64, i64) {
        entry.with(|inner| {
            let window = inner.state.instance(&Labels::new()).unwrap().window(Length::from_seconds(length));
            (window.bad, window.measured.count_of(Length::from_seconds(30)))
        })
    }

    #[test]
    fn no_value_is_bad_unless_the_source_did_not_answer_for_long() {
        let values = [30, 1_230];
        let around = Surroundings::default();
        for (blind, expected) in [(false, (39.0, 41)), (true, (0.0, 2))] {
            let entry = gauge();
            entry.evaluate(&answer(-300, 30, &values), at(30), around);
            if blind {
                entry.mark_blind();
            }
            // Caught up in two stretches.
            entry.evaluate(&answer(-270, 630, &values), at(630), around);
            entry.evaluate(&answer(330, 1_230, &values), at(1_230), around);
            assert_eq!(bad(&entry, 1_230), expected);
            entry.evaluate(&answer(930, 1_260, &values), at(1_260), around);
            assert_eq!(bad(&entry, 30), (1.0, 1), "in time again");
            assert_eq!(bad(&entry, 1_260), (expected.0 + 1.0, expected.1 + 1), "what was decided stands");
        }
    }
}
