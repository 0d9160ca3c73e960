//! The eventful slice end in exact mode: everything that may still be replaced is taken back and booked anew.
//!
//! Slow and plain on purpose. What is older than `mutable` stands; what is newer is a pure function of the samples
//! held, the known start times and the siblings (SEMANTICS 2.1 to 2.4), so taking back is booking with the other sign.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::birth::{Sibling, Starts, newest_before, siblings_decide, start_before};
use crate::engine::booking::{Booking, Folds, apply};
use crate::engine::coverage::{Gap, fold_slice};
use crate::engine::observation::{Observation, Roles, Sample, SeriesSamples};
use crate::engine::state::{Birth, SloState, asked_target};
use crate::engine::sums::on_grid;
use crate::engine::tracker::{self, Registry, Tracker, amounts, within};
use crate::units::{Length, Timestamp};

/// The siblings of each target.
pub(crate) type Families<'a> = BTreeMap<u32, Vec<Sibling<'a>>>;

impl SloState {
    /// Replaces what is held after `mutable` by what the answer says up to `as_of`. Gives the gaps of `total` series
    /// that ended after `mutable`, by instance.
    pub(crate) fn derive(
        &mut self,
        observation: &Observation,
        mutable: Timestamp,
        as_of: Timestamp,
    ) -> Vec<(u32, Gap)> {
        let slice = self.definition.slice.length();
        let gap = self.definition.gap;
        let mut bookings = Vec::new();
        for tracker in &self.registry.active {
            book(tracker, &self.folds, mutable, slice, -1.0, &mut bookings);
        }
        self.install(observation, mutable, as_of);
        self.take_starts(&observation.starts);
        self.folds.retain(|(_, at), _| *at <= mutable);
        let gaps = self.judge_pairs(mutable);
        for tracker in &mut self.registry.active {
            tracker.find_steady(gap);
        }
        for tracker in &self.registry.active {
            book(tracker, &self.folds, mutable, slice, 1.0, &mut bookings);
        }
        apply(&mut self.instances, &mut bookings);
        gaps
    }

    /// Puts the samples of the answer in the place of those held after `mutable`.
    fn install(&mut self, observation: &Observation, mutable: Timestamp, as_of: Timestamp) {
        let mut installed = BTreeSet::new();
        for series in observation.series.iter().filter(|series| series.roles.events || series.roles.total) {
            let samples = within(&series.samples, mutable, as_of);
            if samples.is_empty() || !installed.insert(series.fingerprint) {
                continue;
            }
            let older = older_sample(series, mutable);
            if let Some(sleeping) = self.registry.dormant.remove(&series.fingerprint) {
                self.registry.activate(sleeping);
            }
            match self.registry.place(series.fingerprint, usize::MAX) {
                Some(place) => {
                    if let Some(tracker) = self.registry.active.get_mut(place) {
                        replace(tracker, older, samples, mutable, observation.other_replica);
                    }
                }
                None => self.bear(series, older, samples),
            }
        }
        for tracker in self.registry.active.iter_mut().filter(|tracker| !installed.contains(&tracker.fingerprint)) {
            tracker.held.retain(|sample| sample.at <= mutable);
        }
        self.registry.active.retain(|tracker| !tracker.held.is_empty());
    }

    /// A series that was not known.
    fn bear(&mut self, series: &SeriesSamples, older: Option<Sample>, samples: &[Sample]) {
        let held: Vec<Sample> = older.into_iter().chain(samples.iter().copied()).collect();
        let Some(first) = held.first().copied() else { return };
        let tracker = self.new_tracker(series, first, held);
        self.registry.activate(tracker);
    }

    /// A tracker for a series that was not known, and its instance if that is new too.
    pub(crate) fn new_tracker(&mut self, series: &SeriesSamples, first: Sample, held: Vec<Sample>) -> Tracker {
        let instance = self.instance_for(&series.labels);
        if let Some(instance) = self.instances.get_mut(instance as usize) {
            let known = |time: Option<Timestamp>| Some(time.map_or(first.at, |time| time.min(first.at)));
            instance.first_data = known(instance.first_data);
            if series.roles.total {
                instance.first_total = known(instance.first_total);
            }
        }
        Tracker {
            fingerprint: series.fingerprint,
            roles: series.roles,
            metric: self.registry.metric(&series.labels),
            target: self.registry.target(&series.labels, first.at),
            instance,
            steady_since: first.at,
            held,
            first,
            birth: tracker::Birth::default(),
            looked_at: None,
        }
    }

    /// Judges births and pairs over a gap after `mutable`; gives the gaps of `total` series, sorted by instance.
    fn judge_pairs(&mut self, mutable: Timestamp) -> Vec<(u32, Gap)> {
        let slice = self.definition.slice.length();
        let gap = self.definition.gap;
        let eventful = |tracker: &Tracker| {
            tracker.first.at > mutable || tracker.pairs_after(mutable).any(|(a, b)| b.at.since(a.at) > gap)
        };
        if !self.registry.active.iter().any(eventful) {
            return Vec::new();
        }
        let families = families(&self.registry);
        let mut gaps = Vec::new();
        let mut folds = Folds::new();
        let mut births = Vec::new();
        for tracker in self.registry.active.iter().filter(|tracker| eventful(tracker)) {
            let siblings = families.get(&tracker.target).map(Vec::as_slice).unwrap_or_default();
            let mut over_gap = |base: Timestamp, at: Timestamp| {
                if at.since(base) > gap && tracker.roles.total {
                    gaps.push((tracker.instance, Gap { from: base, to: at }));
                }
                if at.since(base) > gap { fold_slice(base, slice) } else { at.ceil_to(slice) }
            };
            if tracker.first.at > mutable {
                let (base, counted) = judge_birth(tracker, siblings, &self.starts, gap);
                let slice = counted.map(|base| over_gap(base, tracker.first.at));
                births.push((tracker.fingerprint, tracker::Birth { base, slice }));
            }
            for (older, newer) in tracker.pairs_after(mutable).filter(|(a, b)| b.at.since(a.at) > gap) {
                let base = newest_before(siblings, newer.at, gap).map_or(older.at, |base| base.max(older.at));
                folds.insert((tracker.fingerprint, newer.at), over_gap(base, newer.at));
            }
        }
        for (fingerprint, birth) in births {
            if let Some(tracker) = self.registry.find_mut(fingerprint) {
                tracker.birth = birth;
            }
        }
        self.folds.extend(folds);
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }

    /// Births in `observation`, up to `as_of`, that rule (b) of SEMANTICS 2.4 does not decide: their targets' start
    /// times are worth asking for, to be passed as `observation.starts` to `advance`.
    #[must_use]
    pub fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth> {
        if self.definition.pushdown.is_some() {
            return Vec::new();
        }
        let counted = |series: &&SeriesSamples| series.roles.events || series.roles.total;
        let newborn = |series: &SeriesSamples| self.registry.find(series.fingerprint).is_none();
        if !observation.series.iter().filter(counted).any(newborn) {
            return Vec::new();
        }
        let series: Vec<(&SeriesSamples, &[Sample])> = observation
            .series
            .iter()
            .filter(counted)
            .map(|series| (series, within(&series.samples, observation.from, as_of)))
            .filter(|(_, samples)| !samples.is_empty())
            .collect();
        // Names get numbers in a copy: asking changes nothing.
        let mut names = Registry::default();
        names.restore_names(self.registry.metrics().to_vec(), self.registry.targets.clone());
        let mut families = families(&self.registry);
        let mut known = Vec::with_capacity(series.len());
        for (series, samples) in &series {
            let first = samples.first().map_or(as_of, |sample| sample.at);
            let (metric, target) = (names.metric(&series.labels), names.target(&series.labels, first));
            known.push((metric, target));
            let family = families.entry(target).or_default();
            let held = family.iter().position(|sibling| sibling.fingerprint == series.fingerprint);
            let older = held.map(|place| family.swap_remove(place)).and_then(|sibling| sibling.newest_held(first));
            family.push(Sibling { older, samples, ..blank(series.fingerprint, metric, series.roles) });
        }
        let mut births = Vec::new();
        for ((series, samples), (metric, target)) in series.iter().zip(known) {
            let Some(first) = samples.first().filter(|_| newborn(series)) else { continue };
            let siblings = families.get(&target).map(Vec::as_slice).unwrap_or_default();
            let me = (series.fingerprint, metric, series.roles);
            let base = newest_before(siblings, first.at, self.definition.gap);
            if !base.is_some_and(|base| siblings_decide(siblings, me, (base, first.at), self.definition.gap)) {
                let target = asked_target(&series.labels);
                births.push(Birth { fingerprint: series.fingerprint, target, at: first.at });
            }
        }
        births
    }
}

/// A series without samples.
pub(crate) const fn blank(fingerprint: u64, metric: u32, roles: Roles) -> Sibling<'static> {
    Sibling { fingerprint, metric, roles, older: None, samples: &[], newer: None, continuous: &[] }
}

/// All series by target, with the samples held.
fn families(registry: &Registry) -> Families<'_> {
    let mut families = Families::new();
    for tracker in registry.all() {
        let sibling = Sibling { samples: &tracker.held, ..blank(tracker.fingerprint, tracker.metric, tracker.roles) };
        families.entry(tracker.target).or_default().push(sibling);
    }
    families
}

/// `a'`, and the base from which the first sample counts; `None` where it is the baseline (SEMANTICS 2.4).
fn judge_birth(
    tracker: &Tracker,
    siblings: &[Sibling<'_>],
    starts: &Starts,
    gap: Length,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let at = tracker.first.at;
    let base = newest_before(siblings, at, gap);
    let me = (tracker.fingerprint, tracker.metric, tracker.roles);
    let by_siblings = base.filter(|base| siblings_decide(siblings, me, (*base, at), gap));
    (base, by_siblings.or_else(|| start_before(starts, tracker.target, at, gap)))
}

/// The newest sample of an answer that may not be replaced any more.
fn older_sample(series: &SeriesSamples, mutable: Timestamp) -> Option<Sample> {
    let older = series.samples.partition_point(|sample| sample.at <= mutable);
    older.checked_sub(1).and_then(|index| series.samples.get(index)).copied()
}

/// Replaces what is held after `mutable`. Another replica's samples are not joined to what is held.
fn replace(tracker: &mut Tracker, older: Option<Sample>, samples: &[Sample], mutable: Timestamp, alone: bool) {
    tracker.held.retain(|sample| sample.at <= mutable);
    if alone {
        tracker.held.clear();
    }
    if tracker.held.is_empty() {
        tracker.held.extend(older);
    }
    tracker.held.extend_from_slice(samples);
    if tracker.first.at > mutable
        && let Some(first) = tracker.held.first()
    {
        tracker.first = *first;
        tracker.birth = tracker::Birth::default();
    }
}

/// Books the birth and the pairs of a series after `mutable`, or with `sign` -1 takes them back.
fn book(tracker: &Tracker, folds: &Folds, mutable: Timestamp, slice: Length, sign: f64, bookings: &mut Vec<Booking>) {
    let mut push = |slice: Timestamp, (events, total): (f64, f64)| {
        bookings.push(Booking { instance: tracker.instance, slice, amounts: (events * sign, total * sign) });
    };
    if tracker.first.at > mutable
        && let Some(slice) = tracker.birth.slice
    {
        push(slice, amounts(tracker.roles, on_grid(tracker.first.value)));
    }
    for (older, newer) in tracker.pairs_after(mutable) {
        let folded = folds.get(&(tracker.fingerprint, newer.at)).copied();
        push(folded.unwrap_or_else(|| newer.at.ceil_to(slice)), tracker.amounts(older, newer));
    }
}
