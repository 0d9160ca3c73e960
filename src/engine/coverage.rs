//! Which slices are not measured by themselves, and onto which slice a gap's are folded (SEMANTICS 2.3 and 2.5).
//!
//! Both are short lists: the stretches without measurement (`holes`) and the gaps over `G` that ended. What they do to
//! the cumulative count of measured slices is a pure function of the lists (`Balance`), so a change is applied as the
//! difference of the balance after and before it, never patched by hand. Invariants: holes are sorted, apart from each
//! other and on slice ends; a slice is booked once, with the gap that begins earliest.

use std::ops::Range;

use crate::units::{Length, Timestamp};

/// Slices whose ends lie in `(from, to]`; both are slice ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stretch {
    /// Exclusive.
    pub(crate) from: Timestamp,
    /// Inclusive.
    pub(crate) to: Timestamp,
}

impl Stretch {
    /// The slices whose ends lie in `(from, to]`, for any two times.
    pub(crate) fn of(from: Timestamp, to: Timestamp, slice: Length) -> Self {
        Self { from: from.floor_to(slice), to: to.floor_to(slice) }
    }

    /// The part after `time`.
    fn after(self, time: Timestamp) -> Self {
        Self { from: self.from.max(time), to: self.to }
    }

    fn slices(self, slice: Length) -> i64 {
        self.to.since(self.from).count_of(slice)
    }
}

/// A gap over `G` of a `total` series: nothing of its target was seen within `(from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    /// `a'`.
    pub(crate) from: Timestamp,
    /// `b`.
    pub(crate) to: Timestamp,
}

/// More holes or gaps than this are not kept: the oldest then stand as they were booked. Healthy data has none; this
/// bounds memory where the scrape interval is longer than `G`.
const KEPT: usize = 4_096;

/// What is not measured, and what was folded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Coverage {
    holes: Vec<Stretch>,
    gaps: Vec<Gap>,
}

impl Coverage {
    /// Nothing measured in `(from, to]`.
    pub(crate) fn unmeasured(from: Timestamp, to: Timestamp) -> Self {
        let holes = if to > from { vec![Stretch { from, to }] } else { Vec::new() };
        Self { holes, gaps: Vec::new() }
    }

    /// The stretches without measurement, oldest first.
    pub(crate) fn holes(&self) -> &[Stretch] {
        &self.holes
    }

    /// The gaps, the one that begins earliest first.
    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// From what `holes` and `gaps` gave.
    pub(crate) fn from_parts(holes: Vec<Stretch>, gaps: Vec<Gap>) -> Self {
        let mut coverage = Self { holes: normal(holes), gaps };
        coverage.gaps.sort_unstable();
        coverage.gaps.dedup();
        coverage
    }

    /// Whether the slice that ends at `end` is measured by itself.
    pub(crate) fn is_measured(&self, end: Timestamp) -> bool {
        let after = self.holes.partition_point(|hole| hole.from < end);
        after.checked_sub(1).and_then(|index| self.holes.get(index)).is_none_or(|hole| hole.to < end)
    }

    /// Whether all slices after `time` are measured by themselves.
    pub(crate) fn is_whole_after(&self, time: Timestamp) -> bool {
        self.holes.last().is_none_or(|hole| hole.to <= time)
    }

    /// Replaces what is known of the slices in `within`: `covered` are the stretches measured there, in any order. What
    /// lies apart from `within` is not looked at: where there are many holes, that is nearly all.
    pub(crate) fn cover(&mut self, within: Stretch, covered: Vec<Stretch>) {
        let near = self.near(within);
        let mut holes = complement(within, covered);
        for hole in self.holes.get(near.clone()).unwrap_or_default() {
            holes.push(Stretch { from: hole.from, to: hole.to.min(within.from) });
            holes.push(Stretch { from: hole.from.max(within.to), to: hole.to });
        }
        self.holes.splice(near, normal(holes));
    }

    /// Takes `covered`, in any order, out of the holes: one walk through both.
    pub(crate) fn fill(&mut self, covered: &[Stretch]) {
        let covered = normal(covered.to_vec());
        let Some((first, last)) = covered.first().zip(covered.last()) else { return };
        let near = self.near(Stretch { from: first.from, to: last.to });
        let mut holes = Vec::with_capacity(near.len() + 1);
        for hole in self.holes.get(near.clone()).unwrap_or_default() {
            let first = covered.partition_point(|stretch| stretch.to <= hole.from);
            let mine = covered.iter().skip(first).take_while(|stretch| stretch.from < hole.to).copied();
            holes.extend(complement(*hole, mine.collect()));
        }
        self.holes.splice(near, normal(holes));
    }

    /// The places of the holes that overlap or touch `within`.
    fn near(&self, within: Stretch) -> Range<usize> {
        let first = self.holes.partition_point(|hole| hole.to < within.from);
        first..self.holes.partition_point(|hole| hole.from <= within.to).max(first)
    }

    /// Replaces the gaps that ended after `time` by `gaps`.
    pub(crate) fn replace_gaps(&mut self, time: Timestamp, gaps: impl IntoIterator<Item = Gap>) {
        self.gaps.retain(|gap| gap.to <= time);
        self.add_gaps(gaps);
    }

    /// Adds gaps; one that is there already is not added again.
    pub(crate) fn add_gaps(&mut self, gaps: impl IntoIterator<Item = Gap>) {
        self.gaps.extend(gaps);
        self.gaps.sort_unstable();
        self.gaps.dedup();
    }

    /// Forgets what ended at or before `time`, and the oldest of what is too much. What was booked stands.
    pub(crate) fn settle(&mut self, time: Timestamp) {
        let excess = self.holes.len().saturating_sub(KEPT);
        let crowded = if excess == 0 { None } else { self.holes.get(excess + KEPT / 4).map(|hole| hole.from) };
        let time = crowded.map_or(time, |crowded| crowded.max(time));
        if self.holes.first().is_some_and(|hole| hole.to <= time) {
            self.holes.retain(|hole| hole.to > time);
        }
        if self.gaps.iter().any(|gap| gap.to <= time) {
            self.gaps.retain(|gap| gap.to > time);
        }
    }

    /// Forgets what lies at or before `time`, a slice end. What was booked stands.
    pub(crate) fn cut_before(&mut self, time: Timestamp) {
        self.settle(time);
        if let Some(first) = self.holes.first_mut() {
            first.from = first.from.max(time);
        }
    }

    /// The newest slice end at or before `time` over which no gap reaches, and no gap that ended after `time`: what
    /// changes after `time`, those gaps included, changes nothing of slices up to there.
    pub(crate) fn apart_before(&self, time: Timestamp, slice: Length) -> Timestamp {
        let reach = |reached: Timestamp, gap: &Gap| {
            let over = gap.to > time || gap.to.floor_to(slice) > reached;
            if over { reached.min(gap.from.floor_to(slice)) } else { reached }
        };
        // From the one that begins last on, so an earlier one sees how far back the later ones reach.
        self.gaps.iter().rev().fold(time.floor_to(slice), reach)
    }

    /// What holes and folds do to the cumulative count of measured slices.
    pub(crate) fn balance(&self, slice: Length) -> Balance {
        self.balance_after(Timestamp::from_millis(i64::MIN), slice)
    }

    /// The same of the slices after `time`, which no gap reaches over: the count up to `time` is left out.
    pub(crate) fn balance_after(&self, time: Timestamp, slice: Length) -> Balance {
        let first = self.holes.partition_point(|hole| hole.to <= time);
        let recent: Vec<Stretch> =
            self.holes.get(first..).unwrap_or_default().iter().map(|hole| hole.after(time)).collect();
        let gaps = self.gaps.partition_point(|gap| gap.from.floor_to(slice) < time);
        let mut folds = folds(&recent, self.gaps.get(gaps..).unwrap_or_default(), slice);
        let mut before = 0;
        let holes = recent
            .into_iter()
            .map(|hole| {
                let entry = (hole, before);
                before += hole.slices(slice);
                entry
            })
            .collect();
        let mut folded = 0;
        folds.sort_unstable();
        for (_, count) in &mut folds {
            folded += *count;
            *count = folded;
        }
        Balance { slice, holes, folds }
    }
}

/// Slices booked onto another one: where, and how many. Gaps come in the order of their begin, so what an earlier
/// one reaches is not left for a later one.
fn folds(holes: &[Stretch], gaps: &[Gap], slice: Length) -> Vec<(Timestamp, i64)> {
    let mut folds = Vec::new();
    let mut reached = Timestamp::from_millis(i64::MIN);
    for gap in gaps {
        let part = Stretch::of(gap.from, gap.to, slice);
        let from = part.from.max(reached);
        let first = holes.partition_point(|hole| hole.to <= from);
        let slices: i64 = holes
            .iter()
            .skip(first)
            .take_while(|hole| hole.from < part.to)
            .map(|hole| Stretch { from: hole.from.max(from), to: hole.to.min(part.to) }.slices(slice))
            .sum();
        if slices > 0 {
            folds.push((fold_slice(gap.from, slice), slices));
        }
        reached = reached.max(part.to);
    }
    folds
}

/// The slice that a gap after `base` is folded onto: the first that ends after it (SEMANTICS 2.3).
pub(crate) fn fold_slice(base: Timestamp, slice: Length) -> Timestamp {
    base.floor_to(slice) + slice
}

/// Change of the cumulative count of measured slices against everything being measured by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Balance {
    slice: Length,
    /// Holes with the number of slices in all before each.
    holes: Vec<(Stretch, i64)>,
    /// Slices that others are folded onto, with the number folded so far.
    folds: Vec<(Timestamp, i64)>,
}

impl Balance {
    /// Slices folded onto slices up to `end`, less slices not measured up to `end`.
    pub(crate) fn at(&self, end: Timestamp) -> i64 {
        let hole = self.holes.partition_point(|(hole, _)| hole.from < end).checked_sub(1);
        let missing = hole
            .and_then(|index| self.holes.get(index))
            .map_or(0, |(hole, before)| before + Stretch { from: hole.from, to: hole.to.min(end) }.slices(self.slice));
        let fold = self.folds.partition_point(|(onto, _)| *onto <= end).checked_sub(1);
        let folded = fold.and_then(|index| self.folds.get(index)).map_or(0, |(_, count)| *count);
        folded - missing
    }

    /// First and last slice end after `time` at which the balance changes otherwise than in `other`; `None` where they
    /// are equal.
    pub(crate) fn difference(&self, other: &Self, time: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let mut ends: Vec<Timestamp> = [self, other]
            .into_iter()
            .flat_map(|balance| {
                let holes = balance.holes.iter().flat_map(|(hole, _)| [hole.from + balance.slice, hole.to]);
                holes.chain(balance.folds.iter().map(|(onto, _)| *onto))
            })
            .collect();
        // Between two of these ends both sides change evenly, so one look at each, and at both neighbours, finds
        // every change.
        let around: Vec<Timestamp> = ends.iter().flat_map(|end| [*end - self.slice, *end + self.slice]).collect();
        ends.extend(around);
        ends.sort_unstable();
        ends.dedup();
        let change = |end: Timestamp| self.at(end) - other.at(end);
        let mut last = None;
        let mut first = None;
        let mut previous = change(time);
        for end in ends.into_iter().filter(|end| *end > time) {
            let now = change(end);
            if now != previous {
                first = first.or(Some(end));
                last = Some(end);
            }
            previous = now;
        }
        first.zip(last)
    }
}

/// What of `within` none of `covered` touches.
fn complement(within: Stretch, mut covered: Vec<Stretch>) -> Vec<Stretch> {
    covered.sort_unstable();
    let mut holes = Vec::new();
    let mut reached = within.from;
    for stretch in covered {
        if stretch.from > reached {
            holes.push(Stretch { from: reached, to: stretch.from.min(within.to) });
        }
        reached = reached.max(stretch.to);
    }
    holes.push(Stretch { from: reached, to: within.to });
    holes
}

/// Sorted, without empty ones, neighbours joined.
fn normal(mut holes: Vec<Stretch>) -> Vec<Stretch> {
    holes.retain(|hole| hole.to > hole.from);
    holes.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(holes.len());
    for hole in holes {
        match joined.last_mut() {
            Some(last) if last.to >= hole.from => last.to = last.to.max(hole.to),
            _ => joined.push(hole),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: Length = Length::from_seconds(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn stretch(from: i64, to: i64) -> Stretch {
        Stretch { from: at(from), to: at(to) }
    }

    #[test]
    fn what_is_covered_is_no_hole() {
        let mut coverage = Coverage::unmeasured(at(0), at(300));
        coverage.cover(stretch(60, 240), vec![stretch(180, 210), stretch(60, 90)]);
        assert_eq!(coverage.holes(), [stretch(0, 60), stretch(90, 180), stretch(210, 300)]);
        assert!(coverage.is_measured(at(90)) && !coverage.is_measured(at(60)) && !coverage.is_measured(at(300)));
        coverage.fill(&[stretch(90, 180)]);
        assert_eq!(coverage.holes(), [stretch(0, 60), stretch(210, 300)]);
    }

    #[test]
    fn a_gap_folds_its_holes_onto_the_first_slice_that_ends_after_its_begin() {
        let mut coverage = Coverage::unmeasured(at(30), at(630));
        coverage.add_gaps([Gap { from: at(40), to: at(640) }]);
        let balance = coverage.balance(SLICE);
        assert_eq!(balance.at(at(30)), 0);
        // One slice (60) missing, twenty folded onto it.
        assert_eq!(balance.at(at(60)), 19);
        assert_eq!(balance.at(at(90)), 18);
        assert_eq!(balance.at(at(630)), 0);
    }

    #[test]
    fn of_two_gaps_the_one_that_begins_earlier_takes_the_slice() {
        let mut coverage = Coverage::from_parts(vec![stretch(120, 630), stretch(900, 1_200)], Vec::new());
        coverage.add_gaps([Gap { from: at(100), to: at(900) }, Gap { from: at(40), to: at(640) }]);
        coverage.add_gaps([Gap { from: at(890), to: at(1_200) }]);
        let balance = coverage.balance(SLICE);
        assert_eq!(balance.at(at(60)), 17);
        assert_eq!(balance.at(at(120)), 17);
        assert_eq!(balance.at(at(900)), 10);
        assert_eq!(balance.at(at(1_200)), 0);
    }

    #[test]
    fn differences_are_found_where_they_begin_and_end() {
        let one = Coverage::from_parts(vec![stretch(120, 240)], Vec::new()).balance(SLICE);
        let other = Coverage::from_parts(vec![stretch(120, 180)], Vec::new()).balance(SLICE);
        assert_eq!(one.difference(&one, at(0)), None);
        assert_eq!(one.difference(&other, at(0)), Some((at(210), at(240))));
        assert_eq!(one.difference(&other, at(210)), Some((at(240), at(240))));
        assert_eq!(one.difference(&other, at(240)), None);
    }

    #[test]
    fn the_balance_after_a_time_that_no_gap_reaches_over_changes_as_the_whole_one() {
        let holes = (0..40).map(|number| stretch(number * 90, number * 90 + 30)).collect();
        let mut coverage = Coverage::from_parts(holes, Vec::new());
        coverage.add_gaps(
            [(80, 200), (1_000, 1_300), (1_200, 1_500), (1_500, 1_700), (2_000, 2_900)]
                .map(|(from, to)| Gap { from: at(from), to: at(to) }),
        );
        for (time, apart) in [(150, 60), (210, 210), (1_400, 990), (1_510, 1_500), (1_690, 1_500), (2_899, 1_980)] {
            let since = coverage.apart_before(at(time), SLICE);
            assert_eq!(since, at(apart), "{time}");
            let mut changed = coverage.clone();
            changed.cover(stretch(time / 30 * 30, 3_600), vec![stretch(time / 30 * 30, 2_400)]);
            changed.replace_gaps(at(time), [Gap { from: at(2_390), to: at(3_500) }]);
            let whole = (coverage.balance(SLICE), changed.balance(SLICE));
            let part = (coverage.balance_after(since, SLICE), changed.balance_after(since, SLICE));
            assert_eq!(part.1.difference(&part.0, at(0)), whole.1.difference(&whole.0, at(0)));
            for end in (0..=3_660).step_by(30).map(at) {
                assert_eq!(part.1.at(end) - part.0.at(end), whole.1.at(end) - whole.0.at(end), "{time} {end:?}");
            }
        }
    }
}
