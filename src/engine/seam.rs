//! Where a stretch of the past meets what is loaded, and where series begin in it (SEMANTICS 2.2 to 2.4).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::backfill::Piece;
use crate::engine::birth::{Sibling, newest_before, siblings_decide, start_before};
use crate::engine::booking::Booking;
use crate::engine::coverage::{Gap, Stretch, fold_slice};
use crate::engine::derive::Families;
use crate::engine::observation::{Sample, SeriesSamples};
use crate::engine::state::SloState;
use crate::engine::sums::{increase, on_grid};
use crate::engine::tracker::{Birth, Tracker, amounts};
use crate::units::{Length, Timestamp};

/// One series of the stretch.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The series.
    pub(crate) series: &'a SeriesSamples,
    /// Its samples in the stretch; never empty.
    pub(crate) samples: &'a [Sample],
    /// Where no gap is, whatever the distance of the samples given; sorted and apart from each other.
    pub(crate) continuous: Vec<(Timestamp, Timestamp)>,
    /// Its metric name, as a number.
    pub(crate) metric: u32,
    /// Its target, as a number.
    pub(crate) target: u32,
    /// Place of its instance.
    pub(crate) instance: u32,
    /// Its oldest loaded sample, and how that was judged.
    pub(crate) newer: Option<(Sample, Birth)>,
}

impl Entry<'_> {
    /// As its siblings see it.
    pub(crate) fn sibling(&self) -> Sibling<'_> {
        Sibling {
            fingerprint: self.series.fingerprint,
            metric: self.metric,
            roles: self.series.roles,
            older: None,
            samples: self.samples,
            newer: self.newer.map(|(sample, _)| sample.at),
            continuous: &self.continuous,
        }
    }

    /// Whether nothing is missing between two neighbours, although not all samples may be given.
    pub(crate) fn is_continuous(&self, older: Timestamp, newer: Timestamp) -> bool {
        let found = self.continuous.partition_point(|(from, _)| *from <= older).checked_sub(1);
        found.and_then(|index| self.continuous.get(index)).is_some_and(|(_, to)| newer <= *to)
    }

    fn booking(&self, slice: Timestamp, amount: f64) -> Booking {
        Booking { instance: self.instance, slice, amounts: amounts(self.series.roles, amount) }
    }
}

/// What births, gaps and seams give.
#[derive(Debug, Default)]
pub(crate) struct Seams {
    /// Amounts, wherever they belong.
    pub(crate) bookings: Vec<Booking>,
    /// Stretches measured across the seam, by instance.
    pub(crate) covered: Vec<(u32, Stretch)>,
    /// Gaps of `total` series, by instance.
    pub(crate) gaps: Vec<(u32, Gap)>,
    /// How the first samples are judged now, by series.
    pub(crate) births: Vec<(u64, Birth)>,
    /// Pairs over a gap whose newer sample may still be replaced.
    pub(crate) folds: Vec<((u64, Timestamp), Timestamp)>,
    /// `a'` by target and time, once looked up.
    bases: BTreeMap<(u32, Timestamp), Option<Timestamp>>,
}

impl Seams {
    fn base(&mut self, families: &Families<'_>, target: u32, at: Timestamp, rules: &Rules) -> Option<Timestamp> {
        *self.bases.entry((target, at)).or_insert_with(|| {
            newest_before(families.get(&target).map(Vec::as_slice).unwrap_or_default(), at, rules.gap)
        })
    }

    /// The slice that an increase from `base` to `at` is booked on; a gap is noted.
    fn slice_of(&mut self, entry: &Entry<'_>, base: Timestamp, at: Timestamp, rules: &Rules) -> Timestamp {
        if at.since(base) <= rules.gap {
            return at.ceil_to(rules.slice);
        }
        if entry.series.roles.total {
            self.gaps.push((entry.instance, Gap { from: base, to: at }));
        }
        fold_slice(base, rules.slice)
    }

    /// Books a pair found in the piece, over a gap or not.
    pub(crate) fn pair(
        &mut self,
        entry: &Entry<'_>,
        families: &Families<'_>,
        (older, newer): (Sample, Sample),
        rules: &Rules,
    ) {
        if newer.at.since(older.at) <= rules.gap || entry.is_continuous(older.at, newer.at) {
            self.bookings.push(entry.booking(newer.at.ceil_to(rules.slice), increase(older, newer)));
        } else {
            self.pair_over_gap(entry, families, (older, newer), None, rules);
        }
    }

    /// Books a pair that is more than `G` apart; `known_base` is its `a'` among what was loaded before.
    fn pair_over_gap(
        &mut self,
        entry: &Entry<'_>,
        families: &Families<'_>,
        (older, newer): (Sample, Sample),
        known_base: Option<Timestamp>,
        rules: &Rules,
    ) {
        let base = known_base.or_else(|| self.base(families, entry.target, newer.at, rules));
        let base = base.map_or(older.at, |base| base.max(older.at));
        let slice = self.slice_of(entry, base, newer.at, rules);
        if newer.at > rules.mutable {
            self.folds.push(((entry.series.fingerprint, newer.at), slice));
        }
        self.bookings.push(entry.booking(slice, increase(older, newer)));
    }
}

/// `G`, the slice, and since when samples may be replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// `G`.
    pub(crate) gap: Length,
    /// `s`.
    pub(crate) slice: Length,
    /// Live answers may replace what is newer.
    pub(crate) mutable: Timestamp,
}

impl SloState {
    /// The rules of this SLO.
    pub(crate) fn rules(&self, piece: &Piece) -> Rules {
        Rules { gap: self.definition.gap, slice: self.definition.slice.length(), mutable: piece.mutable }
    }

    /// Judges the first samples in the piece, joins each series to what is loaded of it, and judges anew the births
    /// that had nothing older to be judged by.
    pub(crate) fn seams(
        &self,
        entries: &[Entry<'_>],
        families: &Families<'_>,
        first_seen: &BTreeMap<u32, Timestamp>,
        piece: &Piece,
    ) -> Seams {
        let rules = self.rules(piece);
        let mut seams = Seams::default();
        for entry in entries {
            if let Some(first) = entry.samples.first() {
                self.judge_first(&mut seams, entry, families, *first, &rules);
            }
            if let (Some(last), Some((next, birth))) = (entry.samples.last(), entry.newer) {
                if let Some(slice) = birth.slice {
                    seams.bookings.push(entry.booking(slice, -on_grid(next.value)));
                }
                if next.at.since(last.at) <= rules.gap || entry.is_continuous(last.at, next.at) {
                    let slice = next.at.ceil_to(rules.slice);
                    seams.bookings.push(entry.booking(slice, increase(*last, next)));
                    if entry.series.roles.total {
                        seams.covered.push((entry.instance, Stretch::of(last.at, next.at, rules.slice)));
                    }
                } else {
                    seams.pair_over_gap(entry, families, (*last, next), birth.base, &rules);
                }
            }
        }
        self.judge_again(&mut seams, entries, families, first_seen, &rules);
        seams
    }

    /// Births at the time at which their target was seen first, of series that the piece does not hold.
    fn judge_again(
        &self,
        seams: &mut Seams,
        entries: &[Entry<'_>],
        families: &Families<'_>,
        first_seen: &BTreeMap<u32, Timestamp>,
        rules: &Rules,
    ) {
        let mut held: Vec<u64> = entries.iter().map(|entry| entry.series.fingerprint).collect();
        held.sort_unstable();
        let series = Arc::default();
        for tracker in self.registry.all() {
            let at_first = first_seen.get(&tracker.target) == Some(&tracker.first.at);
            if !at_first || tracker.birth.base.is_some() || held.binary_search(&tracker.fingerprint).is_ok() {
                continue;
            }
            let stand_in = SeriesSamples {
                labels: Arc::clone(&series),
                fingerprint: tracker.fingerprint,
                roles: tracker.roles,
                samples: Arc::from([]),
            };
            let entry = loaded_entry(&stand_in, tracker);
            let at = tracker.first.at;
            let base = seams.base(families, tracker.target, at, rules);
            let mut birth = Birth { base, ..tracker.birth };
            if let Some(base) = base.filter(|base| is_decided(&entry, families, (*base, at), rules.gap)) {
                // It may have counted from its target's start: siblings come first.
                if let Some(slice) = tracker.birth.slice {
                    seams.bookings.push(entry.booking(slice, -on_grid(tracker.first.value)));
                }
                let slice = seams.slice_of(&entry, base, at, rules);
                seams.bookings.push(entry.booking(slice, on_grid(tracker.first.value)));
                birth.slice = Some(slice);
            }
            seams.births.push((tracker.fingerprint, birth));
        }
    }

    /// Judges the first sample of a series (SEMANTICS 2.4).
    fn judge_first(&self, seams: &mut Seams, entry: &Entry<'_>, families: &Families<'_>, first: Sample, rules: &Rules) {
        let base = seams.base(families, entry.target, first.at, rules);
        let counted = base
            .filter(|base| is_decided(entry, families, (*base, first.at), rules.gap))
            .or_else(|| start_before(&self.starts, entry.target, first.at, rules.gap));
        let slice = counted.map(|base| seams.slice_of(entry, base, first.at, rules));
        if let Some(slice) = slice {
            seams.bookings.push(entry.booking(slice, on_grid(first.value)));
        }
        seams.births.push((entry.series.fingerprint, Birth { base, slice }));
    }

    /// Makes the series know what the piece held of them.
    pub(crate) fn join_trackers(&mut self, entries: Vec<Entry<'_>>, seams: Seams, piece: &Piece) {
        for entry in entries {
            let Some(first) = entry.samples.first().copied() else { continue };
            let older = entry.samples.partition_point(|sample| sample.at <= piece.mutable).saturating_sub(1);
            let tail = entry.samples.get(older..).unwrap_or_default();
            if let Some(tracker) = self.registry.find_mut(entry.series.fingerprint) {
                tracker.first = first;
                if tracker.held.first().is_some_and(|held| held.at > piece.mutable) {
                    tracker.held.splice(0..0, tail.iter().copied());
                }
            } else {
                let tracker = self.new_tracker(entry.series, first, tail.to_vec());
                self.registry.insert(tracker, piece.mutable);
            }
            let newest = entry.samples.last().map(|sample| sample.at);
            self.note_data(entry.instance, first.at, newest, entry.series.roles.total);
        }
        for (fingerprint, birth) in seams.births {
            if let Some(tracker) = self.registry.find_mut(fingerprint) {
                tracker.birth = birth;
            }
        }
        self.folds.extend(seams.folds);
    }

    /// Notes when an instance has data.
    pub(crate) fn note_data(&mut self, instance: u32, first: Timestamp, newest: Option<Timestamp>, total: bool) {
        let Some(instance) = self.instances.get_mut(instance as usize) else { return };
        let older = |known: Option<Timestamp>| Some(known.map_or(first, |known| known.min(first)));
        instance.first_data = older(instance.first_data);
        if total {
            instance.first_total = older(instance.first_total);
            instance.newest_total = instance.newest_total.max(newest);
        }
    }
}

/// Rule (b) for a series of the piece, or of its targets.
fn is_decided(entry: &Entry<'_>, families: &Families<'_>, (base, at): (Timestamp, Timestamp), gap: Length) -> bool {
    let siblings = families.get(&entry.target).map(Vec::as_slice).unwrap_or_default();
    siblings_decide(siblings, (entry.series.fingerprint, entry.metric, entry.series.roles), (base, at), gap)
}

/// A loaded series, in the form of one of the piece.
const fn loaded_entry<'a>(series: &'a SeriesSamples, tracker: &Tracker) -> Entry<'a> {
    Entry {
        series,
        samples: &[],
        continuous: Vec::new(),
        metric: tracker.metric,
        target: tracker.target,
        instance: tracker.instance,
        newer: None,
    }
}
