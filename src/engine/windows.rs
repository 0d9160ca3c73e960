//! The window store of one instance: cumulative sums in three resolutions (SEMANTICS 1, ARCHITECTURE *Window store*).
//!
//! A window is the difference of two cells, whatever its length. Windows begin on a boundary of the ring that serves
//! them, so counts are exact and nothing is interpolated. Invariants: every ring cell after `origin` and up to `end`
//! holds the sums up to its end; times before `origin` are not loaded and hold nothing; slices before their events are
//! known are taken as measured, and `coverage` takes back what is not.

use crate::engine::ring::{Ring, Unread};
use crate::engine::sums::Sums;
use crate::units::{Length, Step, Timestamp};

/// Windows up to this length begin at slice ends.
pub(crate) const FINE: Length = Length::from_hours(6);
/// Slices are held a little longer than `FINE`, for late data and plots.
const FINE_HELD: Length = Length::from_minutes(6 * 60 + 10);
/// Windows up to this length begin on multiples of five minutes.
pub(crate) const MIDDLE: Length = Length::from_days(4);
/// Step of the middle ring.
pub(crate) const FIVE_MINUTES: Length = Length::from_minutes(5);
/// Step of the coarse ring.
pub(crate) const HOUR: Length = Length::from_hours(1);
/// The coarse ring reaches back this far at least: what is usual in an hour of the day is judged over 7 d.
const COARSE_LEAST: Length = Length::from_days(7);
/// Cumulative sums beyond this are taken back to zero at the oldest cell: on a grid of 2^-20, f64 is exact to 2^33.
const REBASE_AT: f64 = 4e9;

/// Cumulative sums of one instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WindowStore {
    slice: Length,
    /// Nothing at or before this time is loaded.
    origin: Timestamp,
    at_origin: Sums,
    /// The watermark.
    end: Timestamp,
    head: Sums,
    fine: Ring,
    middle: Ring,
    coarse: Ring,
}

/// The begin of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin<'a> {
    from: Timestamp,
    sums: Either<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Either<'a> {
    Known(Sums),
    Unread(Unread<'a>),
}

impl Begin<'_> {
    /// Time, and the sums up to it.
    #[inline]
    pub(crate) const fn read(self) -> (Timestamp, Sums) {
        match self.sums {
            Either::Known(sums) => (self.from, sums),
            Either::Unread(cell) => (self.from, cell.read()),
        }
    }
}

impl WindowStore {
    /// An empty store whose loaded time is `(origin, end]`, with nothing in it and nothing measured.
    pub(crate) fn new(slice: Step, period: Length, origin: Timestamp, end: Timestamp) -> Self {
        let slice = slice.length();
        let coarse = period.max(COARSE_LEAST);
        Self {
            slice,
            origin,
            at_origin: Sums::ZERO,
            end,
            head: Sums::ZERO,
            fine: Ring::new(slice, cells(FINE_HELD, slice), end),
            // Two more than the length: one for the boundary at its begin, one for a begin within a step.
            middle: Ring::new(FIVE_MINUTES, cells(MIDDLE, FIVE_MINUTES) + 1, end),
            coarse: Ring::new(HOUR, cells(coarse + HOUR, HOUR) + 1, end),
        }
    }

    /// The watermark.
    pub(crate) const fn end(&self) -> Timestamp {
        self.end
    }

    /// Nothing at or before this time is loaded.
    pub(crate) const fn origin(&self) -> Timestamp {
        self.origin
    }

    /// Sums up to the watermark.
    pub(crate) const fn head(&self) -> Sums {
        self.head
    }

    /// Length of a slice.
    pub(crate) const fn slice(&self) -> Length {
        self.slice
    }

    /// Slice ends after this are held one by one, for a watermark at `end`, however little is loaded.
    pub(crate) fn fine_horizon(slice: Step, end: Timestamp) -> Timestamp {
        let capacity = i64::try_from(cells(FINE_HELD, slice.length())).unwrap_or(i64::MAX);
        end.floor_to(slice.length()) - slice.length() * capacity
    }

    /// Slice ends after this are held one by one.
    pub(crate) fn fine_from(&self) -> Timestamp {
        self.fine.horizon().max(self.origin)
    }

    /// Multiples of five minutes after this are held.
    pub(crate) fn middle_from(&self) -> Timestamp {
        self.middle.horizon().max(self.origin)
    }

    /// Hours after this are held.
    pub(crate) fn coarse_from(&self) -> Timestamp {
        self.coarse.horizon().max(self.origin)
    }

    /// Where a window of `length` that ends at `end` begins (SEMANTICS 1).
    pub(crate) fn boundary(&self, length: Length, end: Timestamp) -> Timestamp {
        (end - length).floor_to(self.resolution(length))
    }

    /// Step of the boundaries of windows of `length`.
    pub(crate) fn resolution(&self, length: Length) -> Length {
        if length <= FINE {
            self.slice
        } else if length <= MIDDLE {
            FIVE_MINUTES
        } else {
            HOUR
        }
    }

    /// Sums up to `time`: `None` where no cell ends there any more (or none ever did).
    pub(crate) fn sums_at(&self, time: Timestamp) -> Option<Sums> {
        if time >= self.end {
            return Some(self.head);
        }
        if time <= self.origin {
            return Some(self.at_origin);
        }
        self.fine.get(time).or_else(|| self.middle.get(time)).or_else(|| self.coarse.get(time))
    }

    /// Where the window of `length` that ends at the watermark begins, and the sums up to there. Where that is not held
    /// any more it begins at the oldest hour that is.
    pub(crate) fn begin(&self, length: Length) -> (Timestamp, Sums) {
        self.find_begin(length).read()
    }

    /// The same, with the cell not read yet: cells lie far apart, and are best all found before the first is read.
    pub(crate) fn find_begin(&self, length: Length) -> Begin<'_> {
        let ring = if length <= FINE {
            &self.fine
        } else if length <= MIDDLE {
            &self.middle
        } else {
            &self.coarse
        };
        match ring.begin(self.end, length) {
            Some((from, cell)) if from > self.origin => Begin { from, sums: Either::Unread(cell) },
            Some((from, _)) => Begin { from, sums: Either::Known(self.at_origin) },
            None => {
                let from = self.boundary(length, self.end);
                let from = if from > self.origin { self.coarse_from().floor_to(HOUR) + HOUR } else { from };
                Begin { from, sums: Either::Known(self.sums_at(from).unwrap_or(self.at_origin)) }
            }
        }
    }

    /// Takes time up to `to`, a slice end, as loaded and measured, without events.
    pub(crate) fn extend(&mut self, to: Timestamp) {
        while self.end < to {
            self.end = self.end + self.slice;
            self.head.measured = self.head.measured.wrapping_add(1);
            self.fine.push(self.head);
            if is_on(self.end, FIVE_MINUTES) {
                self.middle.push(self.head);
                if is_on(self.end, HOUR) {
                    self.coarse.push(self.head);
                    self.rebase();
                }
            }
        }
    }

    /// Adds `events` and `total` to the newest slice: the common case of `adjust`.
    pub(crate) fn add_newest(&mut self, events: f64, total: f64) {
        self.head.events += events;
        self.head.total += total;
        self.fine.set(self.end, self.head);
        if is_on(self.end, FIVE_MINUTES) {
            self.middle.set(self.end, self.head);
            if is_on(self.end, HOUR) {
                self.coarse.set(self.end, self.head);
            }
        }
    }

    /// Adds `delta(end)` to every cell whose end is at or after `from`. `delta` gives the change of the cumulative sums.
    pub(crate) fn adjust(&mut self, from: Timestamp, delta: impl Fn(Timestamp) -> Sums) {
        let from = from.max(self.origin + Length::from_millis(1));
        for ring in [&mut self.fine, &mut self.middle, &mut self.coarse] {
            ring.change(from, self.end, |end, sums| sums.plus(delta(end)));
        }
        self.head = self.head.plus(delta(self.end));
    }

    /// Makes `(origin, old origin]` loaded: `behind(end)` gives what lies in `(end, old origin]`.
    pub(crate) fn reach_back(&mut self, origin: Timestamp, behind: impl Fn(Timestamp) -> Sums) {
        let old = self.origin;
        if origin >= old {
            return;
        }
        let base = self.at_origin;
        for ring in [&mut self.fine, &mut self.middle, &mut self.coarse] {
            ring.change(origin + Length::from_millis(1), old, |end, _| base.minus(behind(end)));
        }
        self.origin = origin;
        self.at_origin = base.minus(behind(origin));
    }

    /// Begins anew with no time loaded before `end`, the watermark.
    pub(crate) fn collapse(&mut self, end: Timestamp) {
        self.origin = end;
        self.at_origin = self.head;
    }

    /// Forgets what lies at or before `time` (a held boundary): it is as if loading had begun there.
    pub(crate) fn cut_before(&mut self, time: Timestamp) {
        if time > self.origin
            && time <= self.end
            && let Some(sums) = self.sums_at(time)
        {
            self.origin = time;
            self.at_origin = sums;
        }
    }

    /// Sums that have grown far beyond what any window holds are taken back, so that they stay exact.
    fn rebase(&mut self) {
        let oldest = self.coarse_from() + HOUR;
        let Some(base) = self.sums_at(oldest.floor_to(HOUR)) else { return };
        let grown = self.head.total.max(self.head.events);
        if grown < REBASE_AT || base.total.max(base.events) < grown / 2.0 {
            return;
        }
        let down = |sums: Sums| Sums { events: sums.events - base.events, total: sums.total - base.total, ..sums };
        for ring in [&mut self.fine, &mut self.middle, &mut self.coarse] {
            ring.change(self.origin + Length::from_millis(1), self.end, |_, sums| down(sums));
        }
        self.head = down(self.head);
        self.at_origin = down(self.at_origin);
    }

    /// Bytes of the rings.
    pub(crate) fn bytes(&self) -> usize {
        (self.fine.capacity() + self.middle.capacity() + self.coarse.capacity()) * 20
    }
}

fn is_on(time: Timestamp, step: Length) -> bool {
    time.floor_to(step) == time
}

fn cells(length: Length, step: Length) -> usize {
    usize::try_from(length.count_of(step)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(end: i64) -> WindowStore {
        let end = Timestamp::from_seconds(end);
        WindowStore::new(Step::DEFAULT, Length::from_days(30), end, end)
    }

    #[test]
    fn windows_begin_where_semantics_1_says() {
        let end: Timestamp = "2026-11-21T12:34:30Z".parse().unwrap();
        let mut store = store(end.millis() / 1_000 - 40 * 86_400);
        store.extend(end);
        for (length, from) in [
            (Length::from_hours(1), "2026-11-21T11:34:30Z"),
            (Length::from_hours(6), "2026-11-21T06:34:30Z"),
            (Length::from_days(3), "2026-11-18T12:30:00Z"),
            (Length::from_days(4), "2026-11-17T12:30:00Z"),
            (Length::from_days(30), "2026-10-22T12:00:00Z"),
            (Length::from_seconds(45), "2026-11-21T12:33:30Z"),
        ] {
            let from: Timestamp = from.parse().unwrap();
            let (begin, sums) = store.begin(length);
            assert_eq!(begin, from, "{length}");
            assert_eq!(store.boundary(length, end), from, "{length}");
            let measured = store.head().minus(sums).measured;
            assert_eq!(i64::from(measured), end.since(from).count_of(Length::from_seconds(30)), "{length}");
        }
        // Longer than what is held: from the oldest hour that is. Longer than what was ever loaded: all of it.
        let (begin, _) = store.begin(Length::from_days(35));
        assert_eq!(begin, "2026-10-22T11:00:00Z".parse().unwrap());
        let (_, sums) = store.begin(Length::from_days(90));
        assert_eq!(store.head().minus(sums).measured, 40 * 2_880);
    }

    #[test]
    fn a_change_reaches_every_later_cell() {
        let mut store = store(0);
        store.extend(Timestamp::from_seconds(100_000));
        let at = Timestamp::from_seconds(90_000);
        store.adjust(at, |_| Sums { events: 1.0, total: 2.0, measured: 0 });
        for (from, expected) in
            [(89_700, 2.0), (89_970, 2.0), (90_000, 0.0), (90_300, 0.0), (86_400, 2.0), (93_600, 0.0)]
        {
            let before = store.sums_at(Timestamp::from_seconds(from)).unwrap();
            let total = store.head().minus(before).total;
            assert!((total - expected).abs() < f64::EPSILON, "{from}: {total}");
        }
    }

    #[test]
    fn large_sums_are_taken_back_and_windows_stay_the_same() {
        let mut store = store(0);
        let mut end = 0;
        while end < 61 * 86_400 {
            end += 30;
            store.extend(Timestamp::from_seconds(end));
            store.add_newest(100_000.5, 200_000.25);
        }
        assert!(store.head().total < 30.0 * 2_880.0 * 200_000.25 * 2.1, "{}", store.head().total);
        for length in [Length::from_hours(1), Length::from_days(1), Length::from_days(30)] {
            let (from, before) = store.begin(length);
            let slices = store.end().since(from).count_of(Length::from_seconds(30)) as f64;
            let sums = store.head().minus(before);
            assert!((sums.total - slices * 200_000.25).abs() < f64::EPSILON, "{length}");
            assert!((sums.events - slices * 100_000.5).abs() < f64::EPSILON, "{length}");
        }
    }
}
