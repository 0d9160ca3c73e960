//! A stretch of the past, added up bucket by bucket and put before what is loaded.
//!
//! This is where the time of a backfill goes: one comparison, one subtraction and one addition a sample.

use crate::engine::advance::of_instance;
use crate::engine::booking::{Booking, apply};
use crate::engine::coverage::{Gap, Stretch};
use crate::engine::derive::Families;
use crate::engine::instance::{Instance, wrapped};
use crate::engine::observation::{Point, Sample};
use crate::engine::seam::{Entry, Rules, Seams};
use crate::engine::state::SloState;
use crate::engine::sums::{Sums, increase};
use crate::engine::tracker::amounts;
use crate::engine::windows::WindowStore;
use crate::units::{Length, Timestamp};

/// A stretch of the past, on slice ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Its begin.
    pub(crate) from: Timestamp,
    /// Its end, where what is loaded begins.
    pub(crate) to: Timestamp,
    /// Width of the buckets that are enough for the cells in it.
    pub(crate) step: Length,
    /// Live answers may replace what is newer.
    pub(crate) mutable: Timestamp,
}

/// Amounts in buckets of equal width.
struct Buckets {
    first_end: Timestamp,
    step: Length,
    amounts: Vec<(f64, f64)>,
}

impl Buckets {
    fn new(piece: &Piece) -> Self {
        let first_end = (piece.from + Length::from_millis(1)).ceil_to(piece.step);
        let count = piece.to.ceil_to(piece.step).since(first_end).count_of(piece.step) + 1;
        Self { first_end, step: piece.step, amounts: vec![(0.0, 0.0); usize::try_from(count).unwrap_or(1)] }
    }

    fn clear(&mut self) {
        self.amounts.fill((0.0, 0.0));
    }

    fn place(&self, time: Timestamp) -> usize {
        usize::try_from(time.ceil_to(self.step).since(self.first_end).count_of(self.step)).unwrap_or(usize::MAX)
    }

    fn add(&mut self, time: Timestamp, (events, total): (f64, f64)) {
        let place = self.place(time);
        if let Some(bucket) = self.amounts.get_mut(place) {
            bucket.0 += events;
            bucket.1 += total;
        }
    }

    /// Turns every bucket into the sum of itself and all older ones.
    fn accumulate(&mut self) {
        let mut sum = (0.0, 0.0);
        for bucket in &mut self.amounts {
            sum = (sum.0 + bucket.0, sum.1 + bucket.1);
            *bucket = sum;
        }
    }

    /// After `accumulate`: what lies after `end`, a multiple of the step or before the first bucket.
    fn after(&self, end: Timestamp) -> (f64, f64) {
        let all = self.amounts.last().copied().unwrap_or_default();
        let until = if end < self.first_end { None } else { self.amounts.get(self.place(end)) };
        let until = until.copied().unwrap_or_default();
        (all.0 - until.0, all.1 - until.1)
    }
}

impl SloState {
    /// Slices after this are held one by one, for a watermark at `end`.
    pub(crate) fn fine_from(&self, end: Timestamp) -> Timestamp {
        WindowStore::fine_horizon(self.definition.slice, end)
    }

    /// Adds up the piece for every instance and puts it before what is loaded. Gives the amounts for slices that were
    /// loaded before. `entries` are sorted by instance.
    pub(crate) fn fill_instances(
        &mut self,
        entries: &[Entry<'_>],
        families: &Families<'_>,
        seams: &mut Seams,
        piece: &Piece,
    ) -> Vec<Booking> {
        let rules = self.rules(piece);
        let mut buckets = Buckets::new(piece);
        let mut late = Vec::new();
        let mut bookings = std::mem::take(&mut seams.bookings);
        let mut covered = std::mem::take(&mut seams.covered);
        let mut gaps = std::mem::take(&mut seams.gaps);
        bookings.sort_unstable_by_key(|booking| booking.instance);
        covered.sort_unstable();
        gaps.sort_unstable();
        for (number, instance) in (0_u32..).zip(&mut self.instances) {
            buckets.clear();
            let mut runs: Vec<Stretch> = of_instance(&covered, number).iter().map(|(_, stretch)| *stretch).collect();
            let first = entries.partition_point(|entry| entry.instance < number);
            for entry in entries.iter().skip(first).take_while(|entry| entry.instance == number) {
                for pair in sweep(entry, &mut buckets, piece, &rules, &mut runs) {
                    seams.pair(entry, families, pair, &rules);
                }
            }
            let first = bookings.partition_point(|booking| booking.instance < number);
            let seam = bookings.iter().skip(first).take_while(|booking| booking.instance == number).copied();
            for booking in seam.chain(seams.bookings.drain(..)) {
                if booking.slice > piece.to {
                    late.push(booking);
                } else {
                    buckets.add(booking.slice, booking.amounts);
                }
            }
            let seam = of_instance(&gaps, number).iter().copied();
            let gaps = seam.chain(seams.gaps.drain(..)).map(|(_, gap)| gap).collect();
            put_before(instance, &mut buckets, runs, gaps, piece);
        }
        late
    }

    /// Books amounts that belong to slices that were loaded before.
    pub(crate) fn book_late(&mut self, mut late: Vec<Booking>) {
        apply(&mut self.instances, &mut late);
    }

    /// Pushdown: the evaluations in `(from, to]`.
    pub(crate) fn prepend_points(&mut self, points: &[Point], piece: &Piece, from: Timestamp, to: Timestamp) {
        let slice = self.definition.slice.length();
        let step = self.definition.pushdown.unwrap_or(slice);
        let before = self.first_values();
        let steps = self.steps(points, from, to);
        let absence = self.definition.absent_is_bad.then_some(self.absence);
        let mut buckets = Buckets::new(piece);
        for (number, instance) in (0_u32..).zip(&mut self.instances) {
            buckets.clear();
            let mut covered = Vec::new();
            let mine = steps.range((number, Timestamp::from_millis(i64::MIN))..=(number, to));
            let measured: Vec<(Timestamp, (f64, f64))> =
                mine.filter_map(|((_, at), counts)| counts.map(|counts| (*at, counts))).collect();
            if let Some((newest, _)) = measured.last() {
                instance.newest_total = instance.newest_total.max(Some(*newest));
            }
            let measured = match absence {
                Some(absence) => absence.fill(measured, instance.first_total, (from, to), step),
                None => measured,
            };
            for (at, counts) in measured {
                buckets.add(at, counts);
                covered.push(Stretch::of(at - step, at, slice));
            }
            put_before(instance, &mut buckets, covered, Vec::new(), piece);
        }
        self.book_absence_after(to, &before);
    }
}

/// Adds the increases of a series to the buckets, and its runs to `covered` if it counts for `total`; gives the pairs
/// that need a closer look: over a gap, or booked on a slice that is loaded already.
fn sweep(
    entry: &Entry<'_>,
    buckets: &mut Buckets,
    piece: &Piece,
    rules: &Rules,
    covered: &mut Vec<Stretch>,
) -> Vec<(Sample, Sample)> {
    let mut eventful = Vec::new();
    let Some((first, rest)) = entry.samples.split_first() else { return eventful };
    let counted = entry.series.roles;
    let step = buckets.step;
    let mut run = first.at;
    let mut previous = *first;
    let mut end = first.at.ceil_to(step).max(buckets.first_end);
    let mut place = buckets.place(end);
    for sample in rest {
        let apart = sample.at.since(previous.at) > rules.gap && !entry.is_continuous(previous.at, sample.at);
        if apart || sample.at > piece.to {
            eventful.push((previous, *sample));
        } else {
            while sample.at > end {
                end = end + step;
                place += 1;
            }
            let (events, total) = amounts(counted, increase(previous, *sample));
            if let Some(bucket) = buckets.amounts.get_mut(place) {
                bucket.0 += events;
                bucket.1 += total;
            }
        }
        if apart {
            if counted.total {
                covered.push(Stretch::of(run, previous.at, rules.slice));
            }
            run = sample.at;
        }
        previous = *sample;
    }
    if counted.total {
        covered.push(Stretch::of(run, previous.at, rules.slice));
    }
    eventful
}

/// Puts the piece before what an instance has loaded.
fn put_before(instance: &mut Instance, buckets: &mut Buckets, covered: Vec<Stretch>, gaps: Vec<Gap>, piece: &Piece) {
    let slice = instance.windows.slice();
    let before = instance.coverage.balance(slice);
    // What the piece measures in slices that were loaded before is taken out of their holes; its own are new.
    let beyond: Vec<Stretch> = covered.iter().filter(|stretch| stretch.to > piece.to).copied().collect();
    instance.coverage.fill(&beyond);
    instance.coverage.cover(Stretch { from: piece.from, to: piece.to }, covered);
    instance.coverage.add_gaps(gaps);
    let after = instance.coverage.balance(slice);
    buckets.accumulate();
    instance.windows.reach_back(piece.from, |end| {
        let (events, total) = buckets.after(end);
        let measured = piece.to.since(end).count_of(slice) + after.at(piece.to) - after.at(end);
        Sums { events, total, measured: wrapped(measured) }
    });
    if let Some((first, last)) = after.difference(&before, piece.to) {
        let base = after.at(piece.to) - before.at(piece.to);
        instance
            .windows
            .adjust(first, |end| Sums { measured: wrapped(after.at(end) - before.at(end) - base), ..Sums::ZERO });
        instance.touch(first, last);
    }
    instance.touch(piece.from + slice, piece.to);
    // With other traffic known, bounds on false pages are other ones.
    instance.bounds = None;
}
