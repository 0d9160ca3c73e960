//! A ring of cumulative cells, one at every multiple of a step (ARCHITECTURE, *Window store*).
//!
//! A cell is five 32-bit words, 20 bytes instead of the 24 of a struct of two f64 and a u32: that sixth decides
//! whether 100,000 instances fit. The ring does not know which of its cells are valid: its owner does.

use crate::engine::sums::Sums;
use crate::units::{Length, Timestamp};

type Cell = [u32; 5];

/// A cell that has been found and not been read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread<'a>(&'a Cell);

impl Unread<'_> {
    /// Reads it.
    #[inline]
    pub(crate) const fn read(self) -> Sums {
        unpack(*self.0)
    }
}

/// Cells at multiples of `step`, a whole number of seconds; a new one overwrites the one `capacity` steps older.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ring {
    step: Length,
    /// End of the newest cell; it and the `capacity - 1` before it are held.
    newest: Timestamp,
    /// Place of the newest cell.
    place: usize,
    cells: Vec<Cell>,
}

impl Ring {
    /// A ring of `capacity` cells up to `end`, all zero (memory that is not written costs nothing until then).
    pub(crate) fn new(step: Length, capacity: usize, end: Timestamp) -> Self {
        Self { step, newest: end.floor_to(step), place: 0, cells: vec![[0; 5]; capacity.max(1)] }
    }

    /// How many cells it holds.
    pub(crate) const fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Cells that end after this are held, up to the newest.
    pub(crate) fn horizon(&self) -> Timestamp {
        self.newest - self.step * i64::try_from(self.cells.len()).unwrap_or(i64::MAX)
    }

    /// The cell at `end`; `None` where no cell ends there, or not any more.
    #[inline]
    pub(crate) fn get(&self, end: Timestamp) -> Option<Sums> {
        self.index(end).and_then(|index| self.cells.get(index)).map(|cell| unpack(*cell))
    }

    /// Overwrites the cell at `end`, if there is one.
    #[inline]
    pub(crate) fn set(&mut self, end: Timestamp, sums: Sums) {
        if let Some(cell) = self.index(end).and_then(|index| self.cells.get_mut(index)) {
            *cell = pack(sums);
        }
    }

    /// Changes the cells that end in `[from, to]`.
    pub(crate) fn change(&mut self, from: Timestamp, to: Timestamp, change: impl Fn(Timestamp, Sums) -> Sums) {
        let mut end = from.max(self.horizon() + self.step).ceil_to(self.step);
        while end <= to.min(self.newest) {
            if let Some(cell) = self.index(end).and_then(|index| self.cells.get_mut(index)) {
                *cell = pack(change(end, unpack(*cell)));
            }
            end = end + self.step;
        }
    }

    /// Appends the cell that ends one step after the newest.
    #[inline]
    pub(crate) fn push(&mut self, sums: Sums) {
        self.newest = self.newest + self.step;
        self.place = if self.place + 1 < self.cells.len() { self.place + 1 } else { 0 };
        if let Some(cell) = self.cells.get_mut(self.place) {
            *cell = pack(sums);
        }
    }

    /// The newest cell end at or before `end - length`, and its cell, not read yet; `None` where it is not held any
    /// more. `end` is not older than the newest cell, and less than a step newer.
    #[inline]
    pub(crate) fn begin(&self, end: Timestamp, length: Length) -> Option<(Timestamp, Unread<'_>)> {
        let (back, rest) = self.steps(length.millis() - (end.millis() - self.newest.millis()))?;
        let back = back + u32::from(rest > 0);
        let cell = self.cells.get(self.before(back)?)?;
        Some((self.newest - self.step * i64::from(back), Unread(cell)))
    }

    #[inline]
    fn index(&self, end: Timestamp) -> Option<usize> {
        match self.steps(self.newest.millis() - end.millis())? {
            (back, 0) => self.before(back),
            _ => None,
        }
    }

    /// Place of the cell `back` steps before the newest.
    #[inline]
    const fn before(&self, back: u32) -> Option<usize> {
        let back = back as usize;
        if back >= self.cells.len() {
            None
        } else if back <= self.place {
            Some(self.place - back)
        } else {
            Some(self.place + self.cells.len() - back)
        }
    }

    /// Whole steps in `millis`, and the seconds left, begun ones too; `None` where it is negative or beyond everything
    /// held. In 32 bits, because this division is what a window costs.
    #[inline]
    fn steps(&self, millis: i64) -> Option<(u32, u32)> {
        let seconds = u32::try_from((millis + 999) / 1_000).ok().filter(|_| millis >= 0)?;
        let step = u32::try_from(self.step.millis() / 1_000).ok()?;
        let (steps, rest) = (seconds.checked_div(step)?, seconds.checked_rem(step)?);
        // A fraction of a second that was rounded up to a whole step is not one.
        if rest == 0 && millis % 1_000 > 0 { Some((steps.checked_sub(1)?, step)) } else { Some((steps, rest)) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a 64-bit pattern")]
const fn halves(value: f64) -> (u32, u32) {
    let bits = value.to_bits();
    (bits as u32, (bits >> 32) as u32)
}

const fn whole(low: u32, high: u32) -> f64 {
    f64::from_bits((high as u64) << 32 | low as u64)
}

const fn pack(sums: Sums) -> Cell {
    let (events_low, events_high) = halves(sums.events);
    let (total_low, total_high) = halves(sums.total);
    [events_low, events_high, total_low, total_high, sums.measured]
}

const fn unpack([events_low, events_high, total_low, total_high, measured]: Cell) -> Sums {
    Sums { events: whole(events_low, events_high), total: whole(total_low, total_high), measured }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn sums(number: i32) -> Sums {
        Sums { events: f64::from(number) / 3.0, total: 1e300, measured: u32::MAX }
    }

    #[test]
    fn cells_come_back_as_they_were_written() {
        let mut ring = Ring::new(Length::from_seconds(30), 4, at(14));
        for number in 1..=6 {
            ring.push(sums(number));
        }
        assert_eq!(ring.horizon(), at(60));
        for number in 3..=6 {
            assert_eq!(ring.get(at(i64::from(number) * 30)), Some(sums(number)));
        }
        for none in [60, 61, 91, 210, -30] {
            assert_eq!(ring.get(at(none)), None);
        }
        assert_eq!(ring.get(Timestamp::from_millis(119_500)), None);
        assert_eq!(ring.get(Timestamp::from_millis(120_500)), None);
        ring.set(at(120), sums(40));
        ring.change(at(0), at(100), |_, old| Sums { measured: 1, ..old });
        assert_eq!(ring.get(at(90)), Some(Sums { measured: 1, ..sums(3) }));
        assert_eq!(ring.get(at(120)), Some(sums(40)));
    }

    #[test]
    fn a_window_begins_on_a_cell_at_or_before_its_length() {
        let mut ring = Ring::new(Length::from_seconds(300), 4, at(0));
        for number in 1..=6 {
            ring.push(sums(number));
        }
        let begin = |end: i64, length: Length| ring.begin(at(end), length).map(|(from, cell)| (from, cell.read()));
        assert_eq!(begin(1_800, Length::from_seconds(600)), Some((at(1_200), sums(4))));
        assert_eq!(begin(1_830, Length::from_seconds(600)), Some((at(1_200), sums(4))));
        assert_eq!(begin(1_830, Length::from_seconds(630)), Some((at(1_200), sums(4))));
        assert_eq!(begin(1_830, Length::from_seconds(631)), Some((at(900), sums(3))));
        assert_eq!(begin(1_830, Length::from_millis(629_500)), Some((at(1_200), sums(4))));
        assert_eq!(begin(1_830, Length::from_millis(630_500)), Some((at(900), sums(3))));
        assert_eq!(begin(1_830, Length::from_seconds(1_000)), None);
    }

    #[test]
    fn a_cell_takes_twenty_bytes() {
        assert_eq!(size_of::<Cell>(), 20);
    }
}
