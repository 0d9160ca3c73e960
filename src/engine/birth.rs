//! Whether the first sample of a series counts from zero (SEMANTICS 2.2 and 2.4), seen from its siblings.
//!
//! One rule for live answers and for history: both bring the series of a target as `Sibling`s. A relabelled counter
//! must not count its life again, so a series of the same metric that ends where the new one begins forbids it.

use std::collections::BTreeSet;

use crate::engine::observation::{Roles, Sample};
use crate::units::{Length, Timestamp};

/// What is known of one series of a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sibling<'a> {
    /// Of its labels.
    pub(crate) fingerprint: u64,
    /// Its metric name, as a number.
    pub(crate) metric: u32,
    /// What it counts for.
    pub(crate) roles: Roles,
    /// Its newest sample before `samples`, where that is known.
    pub(crate) older: Option<Timestamp>,
    /// Its samples in the time looked at.
    pub(crate) samples: &'a [Sample],
    /// Its oldest sample after `samples`, where that is known.
    pub(crate) newer: Option<Timestamp>,
    /// Stretches known to hold no gap, of which not all samples are given; sorted and apart from each other.
    pub(crate) continuous: &'a [(Timestamp, Timestamp)],
}

impl Sibling<'_> {
    fn has(&self, time: Timestamp, gap: Length) -> bool {
        self.older == Some(time)
            || self.newer == Some(time)
            || self.samples.binary_search_by_key(&time, |sample| sample.at).is_ok()
            || self.thinned_around(time, gap).is_some()
    }

    /// The neighbours given around `time`, `older < time <= newer`, if samples between them were left out.
    fn thinned_around(&self, time: Timestamp, gap: Length) -> Option<Timestamp> {
        let place = self.samples.partition_point(|sample| sample.at < time);
        let (older, newer) = (self.samples.get(place.checked_sub(1)?)?.at, self.samples.get(place)?.at);
        let stretch = self.continuous.partition_point(|(from, _)| *from <= older).checked_sub(1)?;
        let inside = self.continuous.get(stretch).is_some_and(|(_, to)| newer <= *to);
        (inside && newer.since(older) > gap).then_some(older)
    }

    /// Its newest sample before `time`, of those that are given.
    pub(crate) fn newest_held(&self, time: Timestamp) -> Option<Timestamp> {
        self.samples.iter().rev().map(|sample| sample.at).find(|at| *at < time)
    }

    fn newest_before(&self, time: Timestamp, gap: Length) -> Option<Timestamp> {
        let older = self.samples.partition_point(|sample| sample.at < time);
        let given = older.checked_sub(1).and_then(|index| self.samples.get(index)).map(|sample| sample.at);
        let given = given.max(self.newer.filter(|newer| *newer < time));
        let given = given.max(self.older.filter(|older| *older < time));
        // Where samples were left out the newest lies between; `G` is at least four scrape intervals.
        let quarter = time - Length::from_millis(gap.millis() / 4);
        given.max(self.thinned_around(time, gap).map(|older| older.max(quarter)))
    }
}

/// `a'`: the newest time before `time` at which any of the siblings has a sample.
pub(crate) fn newest_before(siblings: &[Sibling<'_>], time: Timestamp, gap: Length) -> Option<Timestamp> {
    siblings.iter().filter_map(|sibling| sibling.newest_before(time, gap)).max()
}

/// Rule (b): whether a sibling saw both `base` and `birth` while none of the same metric ended at `base`.
pub(crate) fn siblings_decide(
    siblings: &[Sibling<'_>],
    (fingerprint, metric, roles): (u64, u32, Roles),
    (base, birth): (Timestamp, Timestamp),
    gap: Length,
) -> bool {
    let mut seen = false;
    for sibling in siblings.iter().filter(|sibling| sibling.fingerprint != fingerprint && sibling.has(base, gap)) {
        let same_metric = sibling.metric == metric;
        let has_birth = sibling.has(birth, gap);
        if same_metric && !has_birth {
            return false;
        }
        let other_selector = (roles.events && sibling.roles.total) || (roles.total && sibling.roles.events);
        seen |= has_birth && (same_metric || other_selector);
    }
    seen
}

/// Known start times, by the number of the target.
pub(crate) type Starts = BTreeSet<(u32, Timestamp)>;

/// Rule (a): the newest known start of the target in `(birth - G, birth]`.
pub(crate) fn start_before(starts: &Starts, target: u32, birth: Timestamp, gap: Length) -> Option<Timestamp> {
    let newest = starts.range(..=(target, birth)).next_back().copied();
    newest.filter(|(of, at)| *of == target && *at > birth - gap).map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Length = Length::from_minutes(5);
    const TOTAL: Roles = Roles { events: false, total: true, alive: false };
    const EVENTS: Roles = Roles { events: true, total: false, alive: false };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn samples(times: &[i64]) -> Vec<Sample> {
        times.iter().map(|time| Sample { at: at(*time), value: 1.0 }).collect()
    }

    fn sibling(fingerprint: u64, metric: u32, roles: Roles, samples: &[Sample]) -> Sibling<'_> {
        Sibling { fingerprint, metric, roles, older: None, samples, newer: None, continuous: &[] }
    }

    #[test]
    fn a_witness_has_both_times_and_nobody_of_the_metric_ends_at_the_base() {
        let (both, first, second) = (samples(&[30, 60]), samples(&[30]), samples(&[60]));
        let me = sibling(1, 7, TOTAL, &second);
        let decide = |siblings: &[Sibling<'_>]| siblings_decide(siblings, (1, 7, TOTAL), (at(30), at(60)), GAP);
        assert!(decide(&[me, sibling(2, 7, TOTAL, &both)]));
        assert!(decide(&[me, sibling(2, 8, EVENTS, &both)]));
        // Another metric of the same selector is no witness; nor is one that saw only one of the times.
        assert!(!decide(&[me, sibling(2, 8, TOTAL, &both)]));
        assert!(!decide(&[me, sibling(2, 8, EVENTS, &first), sibling(3, 8, EVENTS, &second)]));
        assert!(!decide(&[me]));
        // A series of the metric that ends at the base may be this one under its old name.
        assert!(!decide(&[me, sibling(2, 7, TOTAL, &both), sibling(3, 7, TOTAL, &first)]));
        assert!(decide(&[me, sibling(2, 7, TOTAL, &both), sibling(3, 8, EVENTS, &first)]));
    }

    #[test]
    fn where_samples_were_left_out_the_newest_lies_shortly_before() {
        let hourly = samples(&[3_600, 7_200, 10_800]);
        let continuous = [(at(3_599), at(7_200)), (at(9_000), at(10_800))];
        let thinned = Sibling { continuous: &continuous, ..sibling(2, 7, TOTAL, &hourly) };
        assert_eq!(newest_before(&[thinned], at(5_000), GAP), Some(at(4_925)));
        assert_eq!(newest_before(&[thinned], at(3_620), GAP), Some(at(3_600)));
        // The first sample of a stretch has nothing before it in the stretch.
        assert_eq!(newest_before(&[thinned], at(10_800), GAP), Some(at(7_200)));
        assert_eq!(newest_before(&[thinned], at(3_600), GAP), None);
        assert!(thinned.has(at(5_000), GAP) && !thinned.has(at(9_500), GAP));
    }

    #[test]
    fn a_start_counts_within_g_before_the_birth() {
        let starts = Starts::from([(1, at(0)), (1, at(100)), (2, at(390))]);
        assert_eq!(start_before(&starts, 1, at(399), GAP), Some(at(100)));
        assert_eq!(start_before(&starts, 1, at(400), GAP), None);
        assert_eq!(start_before(&starts, 1, at(100), GAP), Some(at(100)));
        assert_eq!(start_before(&starts, 1, at(99), GAP), Some(at(0)));
        assert_eq!(start_before(&starts, 2, at(389), GAP), None);
    }
}
