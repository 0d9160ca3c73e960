//! One slice end in exact mode. Mostly the answer repeats what is held and adds a sample to each series: that is done
//! here, without an allocation. Whatever else happens (late or missing samples, gaps, births) is derived anew.

use std::collections::BTreeMap;

use crate::engine::alive::Alive;
use crate::engine::coverage::{Gap, Stretch};
use crate::engine::observation::{Looks, Observation, Sample};
use crate::engine::state::{Loaded, Match, SloState};
use crate::engine::tracker::{Tracker, after};
use crate::units::{Length, Timestamp};

/// The gaps that ended after a time.
pub(crate) type NewGaps<'a> = (Timestamp, &'a [(u32, Gap)]);

impl SloState {
    pub(crate) fn advance_samples(&mut self, observation: &Observation, loaded: Loaded, as_of: Timestamp) {
        let gap = self.definition.gap;
        let mutable = observation.from.max(loaded.end - gap).max(loaded.from);
        self.loaded = Some(Loaded { end: as_of, ..loaded });
        for instance in &mut self.instances {
            instance.windows.extend(as_of);
        }
        let gaps = if self.continues(observation, mutable, loaded.end, as_of) {
            self.append(observation);
            None
        } else {
            Some(self.derive(observation, mutable, as_of))
        };
        self.note_looks(&observation.looks, as_of);
        // Also what the answer does not cover, as after a restart: it is judged by the samples on both sides of it.
        let since = (loaded.end - gap).max(loaded.from);
        self.measure(since, as_of, gaps.as_deref().map(|gaps| (mutable, gaps)));
        self.note_increases(observation);
        self.registry.put_to_sleep(as_of - gap);
        for tracker in &mut self.registry.active {
            tracker.trim(as_of - gap);
        }
        self.folds.retain(|(_, at), _| *at > as_of - gap);
    }

    /// Whether the answer is what is held plus newer samples, all in the newest slice and without gaps; fills `matches`.
    fn continues(&mut self, observation: &Observation, mutable: Timestamp, end: Timestamp, as_of: Timestamp) -> bool {
        self.matches.clear();
        if observation.other_replica || as_of != end + self.definition.slice.length() {
            return false;
        }
        let mut place = 0;
        for (index, series) in observation.series.iter().enumerate() {
            if !(series.roles.events || series.roles.total) {
                continue;
            }
            let first = first_after(&series.samples, mutable);
            let last = end_up_to(&series.samples, as_of);
            if first >= last {
                continue;
            }
            let Some(found) = self.registry.place(series.fingerprint, place) else { return false };
            let Some(tracker) = self.registry.active.get(found) else { return false };
            let held = tracker.held_after(mutable);
            let answer = series.samples.get(first..last).unwrap_or_default();
            let Some((known, fresh)) = answer.split_at_checked(held.len()) else { return false };
            if known != held || !self.is_steady(tracker, fresh, end) {
                return false;
            }
            self.matches.push(Match { place: found, series: index, first: first + held.len(), last });
            place = found + 1;
        }
        // Each match is another series, so all are there if the numbers are equal.
        let expected = self.registry.active.iter().filter(|tracker| tracker.newest() > mutable).count();
        let found = self.matches.iter().filter(|found| self.is_recent(found.place, mutable)).count();
        expected == found
    }

    fn is_recent(&self, place: usize, mutable: Timestamp) -> bool {
        self.registry.active.get(place).is_some_and(|tracker| tracker.newest() > mutable)
    }

    /// Whether `fresh` samples lie after `end` and follow what is held without a gap.
    fn is_steady(&self, tracker: &Tracker, fresh: &[Sample], end: Timestamp) -> bool {
        let mut previous = tracker.newest();
        fresh.iter().all(|sample| {
            let steady = sample.at > end && sample.at.since(previous) <= self.definition.gap;
            previous = sample.at;
            steady
        })
    }

    /// Appends the new samples of all matches.
    fn append(&mut self, observation: &Observation) {
        for found in &self.matches {
            let Some(tracker) = self.registry.active.get_mut(found.place) else { continue };
            let Some(series) = observation.series.get(found.series) else { continue };
            let mut sum = (0.0, 0.0);
            for sample in series.samples.get(found.first..found.last).unwrap_or_default() {
                let Some(previous) = tracker.held.last().copied() else { continue };
                let amounts = tracker.amounts(previous, *sample);
                sum = (sum.0 + amounts.0, sum.1 + amounts.1);
                tracker.held.push(*sample);
            }
            if let Some(instance) = self.instances.get_mut(tracker.instance as usize) {
                instance.fresh.0 += sum.0;
                instance.fresh.1 += sum.1;
            }
        }
        for instance in &mut self.instances {
            let (events, total) = std::mem::take(&mut instance.fresh);
            if events > 0.0 || total > 0.0 {
                instance.windows.add_newest(events, total);
            }
        }
    }

    /// Notes when the targets were looked at last, up to `as_of`.
    fn note_looks(&mut self, looks: &[Looks], as_of: Timestamp) {
        let mut newest: BTreeMap<u32, Timestamp> = BTreeMap::new();
        for looks in looks {
            let Some(at) = looks.newest(as_of) else { continue };
            for target in self.registry.targets_called(&looks.target) {
                let known = newest.entry(target).or_insert(at);
                *known = at.max(*known);
            }
        }
        if newest.is_empty() {
            return;
        }
        for tracker in &mut self.registry.active {
            tracker.looked_at = tracker.looked_at.max(newest.get(&tracker.target).copied());
        }
    }

    /// Says which slices after `since` are measured (SEMANTICS 2.5), for the samples held now. `gaps` are those that
    /// ended after some time, sorted by instance, where they were derived anew.
    pub(crate) fn measure(&mut self, since: Timestamp, as_of: Timestamp, gaps: Option<NewGaps<'_>>) {
        let gap = self.definition.gap;
        let half = Length::from_millis(gap.millis() / 2);
        for tracker in self.registry.active.iter().filter(|tracker| tracker.roles.total) {
            let Some(instance) = self.instances.get_mut(tracker.instance as usize) else { continue };
            let newest = tracker.newest();
            instance.newest_total = instance.newest_total.max(Some(newest));
            instance.anchored |= tracker.steady_since <= since && as_of <= newest + half && !tracker.is_gone();
        }
        let all_up = self.alive.all_up(as_of, gap);
        let mut all_anchored = true;
        for instance in &mut self.instances {
            let zero = !all_up && self.alive.state(&instance.labels, as_of, gap) == Alive::Zero;
            instance.anchored &= !zero && gaps.is_none() && instance.coverage.is_whole_after(since);
            instance.provisional = !zero;
            all_anchored &= instance.anchored;
        }
        if !all_anchored {
            self.measure_each(since, as_of, gaps);
        }
        for instance in &mut self.instances {
            instance.anchored = false;
        }
    }

    /// The same, slice by slice, for the instances that are not anchored.
    fn measure_each(&mut self, since: Timestamp, as_of: Timestamp, gaps: Option<NewGaps<'_>>) {
        let slice = self.definition.slice.length();
        let gap = self.definition.gap;
        let half = Length::from_millis(gap.millis() / 2);
        let mut covered: Vec<(u32, Stretch)> = Vec::new();
        for tracker in self.registry.active.iter().filter(|tracker| tracker.roles.total) {
            let Some(instance) = self.instances.get(tracker.instance as usize) else { continue };
            if instance.anchored {
                continue;
            }
            for (older, newer) in tracker.pairs_after(since) {
                if newer.at.since(older.at) <= gap {
                    covered.push((tracker.instance, Stretch::of(older.at, newer.at, slice)));
                }
            }
            let newest = tracker.newest();
            if instance.provisional && !tracker.is_gone() && as_of.since(newest) < gap {
                covered.push((tracker.instance, Stretch::of(newest, (newest + half).min(as_of), slice)));
            }
        }
        covered.sort_unstable();
        let within = Stretch::of(since, as_of, slice);
        for (number, instance) in (0_u32..).zip(&mut self.instances).filter(|(_, instance)| !instance.anchored) {
            let covered = of_instance(&covered, number);
            // A pair may begin before what is replaced: where late samples undo a gap, its first slice was a hole.
            let older = covered.iter().map(|(_, stretch)| *stretch).filter(|stretch| stretch.from < within.from);
            let older: Vec<Stretch> = older.collect();
            let gaps = gaps.map(|(mutable, gaps)| (mutable, of_instance(gaps, number)));
            let begins = older.iter().map(|stretch| stretch.from);
            let begins = begins
                .chain(gaps.iter().flat_map(|(mutable, gaps)| gaps.iter().map(|(_, gap)| gap.from).chain([*mutable])));
            instance.change_coverage(begins.fold(within.from, Timestamp::min), |coverage| {
                coverage.fill(&older);
                if let Some((mutable, gaps)) = gaps {
                    coverage.replace_gaps(mutable, gaps.iter().map(|(_, gap)| *gap));
                }
                coverage.cover(within, covered.iter().map(|(_, stretch)| *stretch).collect());
            });
        }
    }
}

/// The part of a list sorted by instance that is about one of them.
pub(crate) fn of_instance<T>(list: &[(u32, T)], number: u32) -> &[(u32, T)] {
    let begin = list.partition_point(|(of, _)| *of < number);
    let end = list.partition_point(|(of, _)| *of <= number);
    list.get(begin..end).unwrap_or_default()
}

/// Place of the first sample newer than `time`; the overlap of an answer is short, its past may be long.
fn first_after(samples: &[Sample], time: Timestamp) -> usize {
    samples.len() - after(samples, time).len()
}

/// Place after the newest sample at or before `time`, looked for from the newest on.
fn end_up_to(samples: &[Sample], time: Timestamp) -> usize {
    match samples.last() {
        Some(newest) if newest.at <= time => samples.len(),
        _ => samples.partition_point(|sample| sample.at <= time),
    }
}
