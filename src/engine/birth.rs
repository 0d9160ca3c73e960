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
    /// Stretches known to hold no gap, of which not all samples are given.
    pub(crate) continuous: &'a [(Timestamp, Timestamp)],
}

impl Sibling<'_> {
    fn has(&self, time: Timestamp) -> bool {
        self.older == Some(time)
            || self.newer == Some(time)
            || self.samples.binary_search_by_key(&time, |sample| sample.at).is_ok()
            || self.continuous.iter().any(|(from, to)| *from < time && time <= *to)
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
        // Where not all samples are given the newest lies between; `G` is at least four scrape intervals.
        let inside = self.continuous.iter().find(|(from, to)| *from < time && time <= *to);
        given.max(inside.map(|(from, _)| (*from).max(time - Length::from_millis(gap.millis() / 4))))
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
    base: Timestamp,
    birth: Timestamp,
) -> bool {
    let mut seen = false;
    for sibling in siblings.iter().filter(|sibling| sibling.fingerprint != fingerprint && sibling.has(base)) {
        let same_metric = sibling.metric == metric;
        let has_birth = sibling.has(birth);
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
