//! What the label values of an SLO's series did lately: which differ most between bad and good events.
//!
//! Beside the windows, not part of them: for each series its increases of the last hour in steps of 2 min, taken from the
//! neighbour pairs that the windows were counted from, births included. It is evidence for people, not a figure that
//! anything is decided by: late corrections are not taken back, and nothing is read from history, so after a start it
//! begins with the first answer. Beyond [`MOST_SERIES`] further series are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::observation::{Observation, Roles};
use crate::engine::state::SloState;
use crate::engine::tracker::Tracker;
use crate::engine::verdict::Differences;
use crate::spec::meant::Numerator;
use crate::units::{Labels, Length, Timestamp};

/// Width of a step.
const STEP: Length = Length::from_minutes(2);
/// Steps that are kept: an hour, and the ones cut by its ends.
const STEPS: usize = 32;
/// How far back it reaches.
pub(crate) const REACH: Length = Length::from_hours(1);
/// Series of one SLO that are kept; 170 bytes each.
const MOST_SERIES: usize = 10_000;
/// No instance's place.
const NOWHERE: u32 = u32::MAX;
/// Labels that say nothing about a request.
const STRUCTURE: [&str; 3] = ["__name__", "le", "quantile"];

/// Recent increases of all series of an SLO, by fingerprint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Breakdown {
    series: BTreeMap<u64, Recent>,
    /// Fingerprints by the place of the instance that they count for: a group's answer visits its own series only.
    by_instance: BTreeMap<u32, BTreeSet<u64>>,
}

impl Breakdown {
    /// An instance is forgotten, its series with it; those behind it move up.
    pub(crate) fn forget_instance(&mut self, place: u32) {
        for fingerprint in self.by_instance.remove(&place).unwrap_or_default() {
            self.series.remove(&fingerprint);
        }
        let moved = |(at, mine): (u32, BTreeSet<u64>)| (if at > place { at - 1 } else { at }, mine);
        self.by_instance = std::mem::take(&mut self.by_instance).into_iter().map(moved).collect();
        for recent in self.series.values_mut().filter(|recent| recent.instance > place) {
            recent.instance -= 1;
        }
    }

    /// A series counts for the instance at `place` from now on.
    fn assign(&mut self, fingerprint: u64, place: u32) {
        let Some(recent) = self.series.get_mut(&fingerprint).filter(|recent| recent.instance != place) else { return };
        let before = std::mem::replace(&mut recent.instance, place);
        if let Some(left) = self.by_instance.get_mut(&before) {
            left.remove(&fingerprint);
        }
        self.by_instance.entry(place).or_default().insert(fingerprint);
    }

    /// The series of an instance.
    fn of_instance(&self, place: u32) -> impl Iterator<Item = (u64, &Recent)> {
        let mine = self.by_instance.get(&place).into_iter().flatten();
        mine.filter_map(|fingerprint| {
            visit();
            Some((*fingerprint, self.series.get(fingerprint)?))
        })
    }
}

/// A series is visited: counted by tests of costs.
#[cfg(not(test))]
const fn visit() {}

#[cfg(test)]
thread_local! {
    /// Series that this thread has visited.
    pub(crate) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
fn visit() {
    VISITED.set(VISITED.get() + 1);
}

/// Recent increases of one series.
#[derive(Clone, Debug)]
struct Recent {
    labels: Arc<Labels>,
    /// Place of the instance that it counts for; [`NOWHERE`] at first.
    instance: u32,
    /// Pairs whose newer sample is newer than this are not in yet.
    until: Timestamp,
    /// Number of the newest step.
    newest: i64,
    /// Increases by step, at the step's number modulo [`STEPS`].
    steps: [f32; STEPS],
}

fn step_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(STEP.millis())
}

fn slot(step: i64) -> usize {
    usize::try_from(step.rem_euclid(i64::try_from(STEPS).unwrap_or(1))).unwrap_or_default()
}

impl Recent {
    const fn new(labels: Arc<Labels>) -> Self {
        Self {
            labels,
            instance: NOWHERE,
            until: Timestamp::from_millis(i64::MIN),
            newest: i64::MIN,
            steps: [0.0; STEPS],
        }
    }

    fn add(&mut self, at: Timestamp, amount: f64) {
        let step = step_of(at);
        let kept = i64::try_from(STEPS).unwrap_or(1);
        if step > self.newest {
            let first = if step - kept > self.newest { step - kept } else { self.newest };
            (first + 1..=step).for_each(|empty| self.steps[slot(empty)] = 0.0);
            self.newest = step;
        } else if self.newest - step >= kept {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "evidence, shown with two digits")]
        let amount = amount as f32;
        self.steps[slot(step)] += amount;
    }

    /// Takes what `tracker` holds and was not taken yet.
    fn take(&mut self, tracker: &Tracker) {
        // The first sample counts where the windows count it: a series that is born with the failure is what is looked for.
        if tracker.birth.slice.is_some() && tracker.first.at > self.until {
            self.add(tracker.first.at, tracker.first.value);
        }
        for (older, newer) in tracker.pairs_after(self.until) {
            let (events, total) = tracker.amounts(older, newer);
            self.add(newer.at, events.max(total));
        }
        self.until = self.until.max(tracker.newest());
    }

    /// Increases in the steps that `(from, to]` touches.
    fn within(&self, from: Timestamp, to: Timestamp) -> f64 {
        let oldest = self.newest.saturating_sub(i64::try_from(STEPS).unwrap_or(1) - 1);
        let (first, last) = (step_of(from).max(oldest), step_of(to).min(self.newest));
        (first..=last).map(|step| f64::from(self.steps[slot(step)])).sum()
    }
}

/// Bad and good events.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    events: f64,
    total: f64,
    /// A series of `total` has it.
    in_total: bool,
}

impl Counts {
    fn add(&mut self, roles: Roles, amount: f64) {
        if roles.events {
            self.events += amount;
        }
        if roles.total {
            self.total += amount;
            self.in_total = true;
        }
    }

    fn bad_and_good(self, numerator: Numerator) -> (f64, f64) {
        let rest = (self.total - self.events).max(0.0);
        match numerator {
            Numerator::Bad => (self.events, rest),
            Numerator::Good => (rest, self.events),
        }
    }
}

impl SloState {
    /// Takes the increases that an answer brought, once the trackers hold them. What they hold is trimmed afterwards.
    pub(crate) fn note_increases(&mut self, observation: &Observation) {
        let mut hint = 0;
        for series in &observation.series {
            if !(series.roles.events || series.roles.total) {
                continue;
            }
            let Some(place) = self.registry.place(series.fingerprint, hint) else { continue };
            hint = place + 1;
            let Some(tracker) = self.registry.active.get(place) else { continue };
            let known = self.breakdown.series.len();
            let recent = match self.breakdown.series.entry(series.fingerprint) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(_) if known >= MOST_SERIES => continue,
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(Recent::new(Arc::clone(&series.labels)))
                }
            };
            if recent.until < tracker.newest() {
                recent.take(tracker);
            }
            if recent.instance != tracker.instance {
                self.breakdown.assign(series.fingerprint, tracker.instance);
            }
        }
    }

    /// Forgets series that had no sample for an hour.
    pub(crate) fn forget_increases(&mut self, as_of: Timestamp) {
        let Breakdown { series, by_instance } = &mut self.breakdown;
        series.retain(|_, recent| recent.until > as_of - REACH);
        by_instance.values_mut().for_each(|mine| mine.retain(|fingerprint| series.contains_key(fingerprint)));
        by_instance.retain(|_, mine| !mine.is_empty());
    }

    /// Label values by the difference of their shares among bad and good events of a group in `(from, to]`, largest
    /// first; only those that are more frequent among the bad. `None`: there were no bad or no good events, or the store
    /// worked the figures out and series are not known. Visits the series of the group and no others.
    #[must_use]
    pub fn differences(&self, group: &Labels, from: Timestamp, to: Timestamp) -> Option<Differences> {
        let place = u32::try_from(self.place_of(group)?).ok()?;
        let mine = self.breakdown.of_instance(place).filter_map(|(fingerprint, recent)| {
            let tracker = self.registry.find(fingerprint).filter(|tracker| tracker.instance == place)?;
            Some((tracker.roles, recent))
        });
        let (mut all, mut values) = (Counts::default(), BTreeMap::<(&str, &str), Counts>::new());
        for (roles, recent) in mine {
            let amount = recent.within(from, to);
            all.add(roles, amount);
            let told = recent
                .labels
                .iter()
                .filter(|(name, _)| !STRUCTURE.contains(name) && !self.definition.by.iter().any(|by| by == name));
            for label in told {
                values.entry(label).or_default().add(roles, amount);
            }
        }
        let numerator = self.definition.numerator;
        let (bad, good) = all.bad_and_good(numerator);
        if bad <= 0.0 || good <= 0.0 {
            return None;
        }
        let known = values.into_iter().filter(|(_, counts)| counts.in_total);
        Some(Differences::of((bad, good), known.map(|(label, counts)| (label, counts.bad_and_good(numerator)))))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "counts are exact")]
mod tests {
    use super::*;
    use crate::engine::fixture::{BOTH, TOTAL, at, definition, live, series, state};
    use crate::engine::observation::SeriesSamples;

    /// Each 30 s from `from` on, `per_step` more.
    fn counter(labels: &[(&str, &str)], roles: Roles, from: i64, per_step: f64) -> SeriesSamples {
        let samples: Vec<(i64, f64)> = (0..=240)
            .map(|n| (n * 30, (n * 30 - from) as f64 / 30.0 * per_step))
            .filter(|(at, _)| *at >= from)
            .collect();
        // Born with its first count.
        let samples: Vec<(i64, f64)> = samples.iter().map(|(at, value)| (*at, value + per_step)).collect();
        series(labels, roles, &samples)
    }

    fn shop() -> Vec<SeriesSamples> {
        let of = |instance: &'static str, code: &'static str, roles, from, rate| {
            counter(&[("instance", instance), ("code", code), ("zone", "a")], roles, from, rate)
        };
        vec![
            of("eu-1", "200", TOTAL, 0, 90.0),
            of("eu-3", "200", TOTAL, 0, 10.0),
            of("eu-1", "500", BOTH, 0, 1.0),
            // Born with the failure, an hour after its siblings.
            of("eu-3", "503", BOTH, 3_600, 99.0),
        ]
    }

    fn told(differences: &Differences) -> Vec<(&str, &str, f64, f64)> {
        let values = differences.values.iter();
        values.map(|one| (one.name.as_str(), one.value.as_str(), one.bad, one.good)).collect()
    }

    #[test]
    fn what_only_the_bad_events_have_comes_first_births_included() {
        let mut state = state(definition());
        live(&mut state, &shop(), 0, 3_960);
        // Steps of 2 min from 60 to 66 min: 13 scrapes of 503 and 200, the newest at 3,960 s.
        let found = state.differences(&Labels::new(), at(3_600), at(3_960)).unwrap();
        let (bad, good) = (13.0 * 100.0, 13.0 * 100.0);
        assert_eq!(
            told(&found),
            [("code", "503", 13.0 * 99.0, 0.0), ("instance", "eu-3", 13.0 * 99.0, 130.0)],
            "the zone is the same everywhere, and what is more frequent among the good is no lead"
        );
        assert_eq!(found.values[0].bad_ratio, 1_287.0 / bad);
        assert_eq!(found.values[1].good_ratio, 130.0 / good);
        assert!(state.differences(&Labels::from([("region", "eu")]), at(3_600), at(3_960)).is_none());
    }

    #[test]
    fn groups_are_apart_and_their_label_is_no_difference() {
        let mut state = state(Definition { by: vec!["instance".to_owned()], ..definition() });
        live(&mut state, &shop(), 0, 3_960);
        let group = Labels::from([("instance", "eu-3")]);
        let found = state.differences(&group, at(3_600), at(3_960)).unwrap();
        assert_eq!(told(&found), [("code", "503", 13.0 * 99.0, 0.0)]);
    }

    #[test]
    fn good_events_count_the_other_way_round() {
        let of = |code, roles, rate| counter(&[("code", code)], roles, 0, rate);
        let mut state = state(Definition { numerator: Numerator::Good, ..definition() });
        live(&mut state, &[of("200", BOTH, 30.0), of("503", TOTAL, 10.0)], 0, 3_600);
        let found = state.differences(&Labels::new(), at(3_480), at(3_600)).unwrap();
        assert_eq!(told(&found), [("code", "503", 50.0, 0.0)], "3,480 to 3,600 s by 30 s");
    }

    #[test]
    fn an_hour_is_kept_and_nothing_is_said_without_bad_or_good_events() {
        let mut state = state(definition());
        let all = [counter(&[("code", "200")], TOTAL, 0, 5.0)];
        live(&mut state, &all, 0, 7_200);
        assert!(state.differences(&Labels::new(), at(6_900), at(7_200)).is_none());
        let recent = state.breakdown.series.values().next().unwrap();
        assert_eq!(recent.within(at(0), at(3_000)), 0.0, "older than an hour");
        assert_eq!(recent.within(at(7_200 - 600), at(7_200)), 21.0 * 5.0, "6,600 to 7,200 s by 30 s");
        state.forget_increases(at(7_200 + 3_601));
        assert!(state.breakdown.series.is_empty() && state.breakdown.by_instance.is_empty());
    }

    /// Two series for each of so many instances, half of their events bad.
    fn grouped(count: usize) -> SloState {
        let mut state = state(Definition { by: vec!["instance".to_owned()], ..definition() });
        let names: Vec<String> = (0..count).map(|number| format!("i{number:04}")).collect();
        let of = |name: &str, code, roles| counter(&[("instance", name), ("code", code)], roles, 0, 1.0);
        let all = names.iter().flat_map(|name| [of(name, "200", TOTAL), of(name, "500", BOTH)]).collect::<Vec<_>>();
        live(&mut state, &all, 0, 600);
        state
    }

    #[test]
    fn a_group_costs_its_own_series_however_many_there_are() {
        let visited = |count: usize| {
            let state = grouped(count);
            let groups: Vec<Labels> = state.instances().map(|(group, _)| group.clone()).collect();
            let before = VISITED.get();
            for group in &groups {
                assert_eq!(told(&state.differences(group, at(0), at(600)).unwrap())[0].1, "500");
            }
            VISITED.get() - before
        };
        assert_eq!((visited(10), visited(100)), (20, 200));
    }

    #[test]
    fn the_series_of_a_group_that_is_forgotten_go_and_the_others_keep_theirs() {
        let mut state = grouped(3);
        let group = |name| Labels::from([("instance", name)]);
        let third = state.differences(&group("i0002"), at(0), at(600)).unwrap();
        state.forget(&group("i0001"));
        assert!(state.differences(&group("i0001"), at(0), at(600)).is_none());
        assert_eq!(state.differences(&group("i0002"), at(0), at(600)).unwrap(), third);
        assert_eq!(state.breakdown.series.len(), 4);
    }

    use crate::engine::definition::Definition;
}
