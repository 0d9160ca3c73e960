//! The state of one SLO: its series, its targets and one instance per group.
//!
//! `advance` is called once per slice end, in order; `prepend` brings what is older than everything loaded. Both keep
//! one invariant: the cells equal what a single pass over all samples known so far would give (SEMANTICS 2). What is
//! older than `lateness` (`G`) when it arrives is not taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::absence::Absence;
use crate::engine::alive::AliveSet;
use crate::engine::birth::Starts;
use crate::engine::booking::Folds;
use crate::engine::breakdown::Breakdown;
use crate::engine::definition::Definition;
use crate::engine::instance::Instance;
use crate::engine::observation::{Observation, Start};
use crate::engine::tracker::{Registry, target_labels};
use crate::engine::windows::HOUR;
use crate::units::{Labels, Length, Timestamp};

/// Everything the engine knows about one SLO.
#[derive(Clone, Debug)]
pub struct SloState {
    pub(crate) definition: Arc<Definition>,
    /// Loaded time; `None` before the first answer.
    pub(crate) loaded: Option<Loaded>,
    pub(crate) registry: Registry,
    pub(crate) alive: AliveSet,
    /// Known start times of targets, by their number.
    pub(crate) starts: Starts,
    /// Where pairs over a gap were booked, as long as they may be replaced.
    pub(crate) folds: Folds,
    pub(crate) instances: Vec<Instance>,
    /// Places of the instances by their labels; empty without `by`.
    pub(crate) places: BTreeMap<Labels, u32>,
    /// Own hours or slices stand before what was loaded: nothing can be prepended any more.
    pub(crate) restored: bool,
    /// The watermark when slices were packed last.
    pub(crate) packed: Option<Timestamp>,
    /// Up to here slice ends were evaluated late.
    pub(crate) unasked_to: Option<Timestamp>,
    /// Older time is still to be read: what the whole period says is not known yet.
    pub(crate) awaits_history: bool,
    /// What the absence of a value means.
    pub(crate) absence: Absence,
    /// What the label values did lately.
    pub(crate) breakdown: Breakdown,
    /// Reused from tick to tick.
    pub(crate) matches: Vec<Match>,
}

/// The time that is loaded: `(from, end]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Nothing at or before this is known.
    pub(crate) from: Timestamp,
    /// The watermark.
    pub(crate) end: Timestamp,
}

/// A series of an answer that continues what is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    /// Place among the active series.
    pub(crate) place: usize,
    /// Place in the answer.
    pub(crate) series: usize,
    /// Its new samples.
    pub(crate) first: usize,
    /// End of its new samples.
    pub(crate) last: usize,
}

/// A series whose first sample could count from zero if its target had just started.
#[derive(Clone, Debug, PartialEq)]
pub struct Birth {
    /// The series.
    pub fingerprint: u64,
    /// `job` and `instance` of its target, those that it has: the form of [`Start::target`].
    pub target: Labels,
    /// Time of its first sample.
    pub at: Timestamp,
}

impl SloState {
    /// A state without data. Without `by` it has its one instance from the start.
    #[must_use]
    pub fn new(definition: Arc<Definition>) -> Self {
        let mut state = Self {
            definition,
            loaded: None,
            registry: Registry::default(),
            alive: AliveSet::default(),
            starts: Starts::new(),
            folds: Folds::new(),
            instances: Vec::new(),
            places: BTreeMap::new(),
            restored: false,
            packed: None,
            unasked_to: None,
            awaits_history: false,
            absence: Absence::default(),
            breakdown: Breakdown::default(),
            matches: Vec::new(),
        };
        state.add_ungrouped(Timestamp::default(), Timestamp::default());
        state
    }

    /// What it was made of.
    #[must_use]
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Takes a new objective, period or policy; queries, slice and groups are the same. Windows are kept as they are,
    /// so a longer period is known from its next hours (or from a backfill into a new state).
    pub fn redefine(&mut self, definition: &Arc<Definition>) {
        self.definition = Arc::clone(definition);
        for instance in &mut self.instances {
            instance.definition = Arc::clone(definition.override_of(&instance.labels).unwrap_or(definition));
            instance.bounds = None;
        }
    }

    /// The watermark; `None` before the first answer.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.loaded.map(|loaded| loaded.end)
    }

    /// Nothing at or before this time is loaded; `None` before the first answer.
    #[must_use]
    pub fn loaded_from(&self) -> Option<Timestamp> {
        self.loaded.map(|loaded| loaded.from)
    }

    /// How far back a re-read replaces what was read: `G` (SEMANTICS 2, *Late data*).
    #[must_use]
    pub fn lateness(&self) -> Length {
        self.definition.gap
    }

    /// Slice ends up to `to` are evaluated late: nobody asked at their time, or nobody answered. That `alive` is gone
    /// there, and for `G` after, says nothing of the target: a store that was down has no samples of anybody
    /// (SEMANTICS 3: *down* wants a source that answers).
    pub fn asked_late(&mut self, to: Timestamp) {
        self.unasked_to = self.unasked_to.max(Some(to));
    }

    /// Whether older time is still to be read. Until then a condition on the whole period may hold, and is never known
    /// false: what is not loaded is unknown when deciding to resolve (SEMANTICS 3).
    pub fn await_history(&mut self, awaits: bool) {
        self.awaits_history = awaits;
    }

    /// Slice ends in `(from, to]` could not be answered in time, because the source itself did not answer: that there is no
    /// value in that time is no bad event (SEMANTICS 2, *Other kinds*).
    pub fn not_answered(&mut self, from: Timestamp, to: Timestamp) {
        self.absence.unanswered = Some((from, to));
    }

    pub(crate) fn is_unasked(&self, end: Timestamp) -> bool {
        self.unasked_to.is_some_and(|to| end < to + self.definition.gap)
    }

    /// Series that are alive; of what the store works out, as many as its points take memory.
    #[must_use]
    pub fn series_count(&self) -> usize {
        if self.definition.pushdown.is_some() { self.instances.len() * POINT_SIZE } else { self.registry.all().count() }
    }

    /// Whether an answer comes from another replica than what is held: it has a series that is held, and lacks time
    /// stamps of it that lie in the answer's range (SEMANTICS 2, *Asking*).
    #[must_use]
    pub fn differs(&self, observation: &Observation) -> bool {
        observation.series.iter().any(|series| {
            self.registry.find(series.fingerprint).is_some_and(|tracker| {
                let held = tracker.held_after(observation.from).iter().filter(|sample| sample.at <= observation.to);
                held.into_iter().any(|held| series.samples.binary_search_by_key(&held.at, |sample| sample.at).is_err())
            })
        })
    }

    /// All instances, in the order of their births.
    pub fn instances(&self) -> impl Iterator<Item = (&Labels, &Instance)> {
        self.instances.iter().map(|instance| (&instance.labels, instance))
    }

    /// The instance of a group; empty labels without `by`.
    #[must_use]
    pub fn instance(&self, group: &Labels) -> Option<&Instance> {
        self.instances.get(self.place_of(group)?)
    }

    /// Takes what a source said up to the slice end `as_of`; samples after it are left for later calls. The answer
    /// replaces what is held for its range, as far back as `lateness` before the last watermark.
    pub fn advance(&mut self, observation: &Observation, as_of: Timestamp) {
        let slice = self.definition.slice;
        let as_of = slice.floor(as_of);
        if self.loaded.is_none() {
            // What nobody can ask for is not walked through, however far back the answer says it reaches.
            let reach = self.definition.reach().max(Length::from_days(7)) + HOUR;
            let from = self.whole_steps(observation.from.max(as_of - reach));
            let origin = slice.floor(from);
            if as_of < origin {
                return;
            }
            self.begin(Loaded { from, end: origin });
        }
        let Some(loaded) = self.loaded.filter(|loaded| as_of >= loaded.end) else { return };
        for series in observation.series.iter().filter(|series| series.roles.alive) {
            self.alive.take(series, &self.definition.by, observation.from, as_of);
        }
        if self.definition.pushdown.is_some() {
            self.advance_points(observation, loaded, as_of);
        } else {
            self.advance_samples(observation, loaded, as_of);
        }
        for instance in self.instances.iter_mut().filter(|instance| instance.lived_from.is_none()) {
            instance.lived_from = Some(as_of);
        }
        self.instances.iter_mut().for_each(Instance::bound_false_pages);
        if as_of.floor_to(HOUR) > loaded.end.floor_to(HOUR) {
            self.keep_house(as_of);
        }
    }

    /// Forgets the instance of a group and its series (SEMANTICS 6, *Groups*).
    pub fn forget(&mut self, group: &Labels) {
        let Some(place) = self.places.remove(group) else { return };
        let Ok(index) = usize::try_from(place) else { return };
        self.instances.remove(index);
        for other in self.places.values_mut().filter(|other| **other > place) {
            *other -= 1;
        }
        let gone = |instance: u32| instance == place;
        self.registry.active.retain(|tracker| !gone(tracker.instance));
        self.registry.dormant.retain(|_, tracker| !gone(tracker.instance));
        for tracker in self.registry.all_mut().filter(|tracker| tracker.instance > place) {
            tracker.instance -= 1;
        }
        self.breakdown.forget_instance(place);
    }

    /// Groups known for a whole period and without measured time (or a value) in it: they may leave the lists once nothing of theirs
    /// fires (SEMANTICS 6, *Groups*).
    pub fn vanished(&self) -> impl Iterator<Item = &Labels> {
        let grouped = !self.definition.by.is_empty();
        let gone = |instance: &&Instance| {
            let period = instance.window(instance.definition.window);
            let silent = if instance.definition.absent_is_bad {
                instance.newest_total.is_none_or(|newest| newest <= period.from)
            } else {
                period.measured == Length::ZERO
            };
            silent && instance.first_data.is_none_or(|first| first <= period.from)
        };
        self.instances.iter().filter(move |instance| grouped && gone(instance)).map(Instance::labels)
    }

    pub(crate) fn place_of(&self, group: &Labels) -> Option<usize> {
        if self.definition.by.is_empty() {
            return group.is_empty().then_some(0);
        }
        self.places.get(group).and_then(|place| usize::try_from(*place).ok())
    }

    /// Begins with this loaded time, in a state without data.
    pub(crate) fn begin(&mut self, loaded: Loaded) {
        self.loaded = Some(loaded);
        self.instances.clear();
        self.places.clear();
        self.add_ungrouped(self.definition.slice.floor(loaded.from), loaded.end);
    }

    fn add_ungrouped(&mut self, origin: Timestamp, end: Timestamp) {
        if self.definition.by.is_empty() {
            self.instances.push(Instance::new(Arc::clone(&self.definition), Labels::new(), origin, end));
        }
    }

    /// Place of the instance that a series or point with these labels counts for; it is born if it is new.
    pub(crate) fn instance_for(&mut self, labels: &Labels) -> u32 {
        if self.definition.by.is_empty() {
            return 0;
        }
        let mut group = labels.project(&self.definition.by);
        if let Some(place) = self.places.get(&group) {
            return *place;
        }
        if self.places.len() >= self.definition.instances_limit {
            group = self.definition.by.iter().map(|name| (name.clone(), OTHER.to_owned())).collect();
            if let Some(place) = self.places.get(&group) {
                return *place;
            }
        }
        let place = u32::try_from(self.instances.len()).unwrap_or(u32::MAX);
        let loaded = self.loaded.unwrap_or(Loaded { from: Timestamp::default(), end: Timestamp::default() });
        let origin = self.definition.slice.floor(loaded.from);
        let definition = Arc::clone(self.definition.override_of(&group).unwrap_or(&self.definition));
        self.instances.push(Instance::new(definition, group.clone(), origin, loaded.end));
        self.places.insert(group, place);
        place
    }

    /// The begin of the step that holds `time` in pushdown mode: loaded time begins with a whole step there, because a
    /// point measures all of its step.
    pub(crate) fn whole_steps(&self, time: Timestamp) -> Timestamp {
        self.definition.pushdown.map_or(time, |step| time.floor_to(step))
    }

    /// Takes start times for the targets known so far.
    pub(crate) fn take_starts(&mut self, starts: &[Start]) {
        for start in starts {
            self.starts.extend(self.registry.targets_called(&start.target).map(|number| (number, start.at)));
        }
    }

    /// Once an hour: what nobody can ask for any more is forgotten.
    fn keep_house(&mut self, as_of: Timestamp) {
        let gap = self.definition.gap;
        self.starts.retain(|(_, at)| *at > as_of - gap - gap);
        self.registry.forget(as_of - self.definition.reach().max(Length::from_days(7)));
        self.alive.forget(as_of);
        self.forget_increases(as_of);
        for instance in &mut self.instances {
            instance.coverage.settle(instance.windows.coarse_from());
        }
    }
}

/// A point takes about as much memory as so many samples.
const POINT_SIZE: usize = 8;

/// The group that takes what is beyond the limit of instances.
const OTHER: &str = "other";

/// `job` and `instance` of a series' target: the form of [`Start::target`].
pub(crate) fn asked_target(labels: &Labels) -> Labels {
    let mut target = target_labels(labels);
    target.remove("__name__");
    target
}
