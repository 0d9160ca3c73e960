//! A ring of cumulative cells, one at every multiple of a step (ARCHITECTURE, *Window store*).
//!
//! A cell is five 32-bit words, 20 bytes instead of the 24 of a struct of two f64 and a u32: that sixth decides
//! whether 100,000 instances fit. The ring does not know which of its cells are valid: its owner does.

use crate::engine::sums::Sums;
use crate::units::{Length, Timestamp};

type Cell = [u32; 5];

/// Cells at multiples of `step`; a new one overwrites the one `capacity` steps older.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ring {
    step: Length,
    cells: Vec<Cell>,
}

impl Ring {
    /// A ring of `capacity` cells, all zero (memory that is not written costs nothing until then).
    pub(crate) fn new(step: Length, capacity: usize) -> Self {
        Self { step, cells: vec![[0; 5]; capacity.max(1)] }
    }

    /// Distance of two cells.
    pub(crate) const fn step(&self) -> Length {
        self.step
    }

    /// How many cells it holds.
    pub(crate) const fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// The newest cell end at which the cell for `newest` has been overwritten: cells after it, up to `newest`, are held.
    pub(crate) fn horizon(&self, newest: Timestamp) -> Timestamp {
        newest.floor_to(self.step) - self.step * i64::try_from(self.cells.len()).unwrap_or(i64::MAX)
    }

    /// The cell at `end`, a multiple of the step.
    pub(crate) fn get(&self, end: Timestamp) -> Sums {
        unpack(self.cells.get(self.index(end)).copied().unwrap_or_default())
    }

    /// Overwrites the cell at `end`, a multiple of the step.
    pub(crate) fn set(&mut self, end: Timestamp, sums: Sums) {
        let index = self.index(end);
        if let Some(cell) = self.cells.get_mut(index) {
            *cell = pack(sums);
        }
    }

    fn index(&self, end: Timestamp) -> usize {
        let number = end.millis().div_euclid(self.step.millis());
        let capacity = i64::try_from(self.cells.len()).unwrap_or(i64::MAX);
        usize::try_from(number.rem_euclid(capacity)).unwrap_or_default()
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

    #[test]
    fn cells_come_back_as_they_were_written() {
        let mut ring = Ring::new(Length::from_seconds(30), 4);
        for number in -3_i32..=0 {
            let sums = Sums { events: f64::from(number) / 3.0, total: 1e300, measured: u32::MAX };
            ring.set(Timestamp::from_seconds(i64::from(number) * 30), sums);
        }
        for number in -3_i32..=0 {
            let sums = Sums { events: f64::from(number) / 3.0, total: 1e300, measured: u32::MAX };
            assert_eq!(ring.get(Timestamp::from_seconds(i64::from(number) * 30)), sums);
        }
        assert_eq!(ring.horizon(Timestamp::from_seconds(14)), Timestamp::from_seconds(-120));
    }

    #[test]
    fn a_cell_takes_twenty_bytes() {
        assert_eq!(size_of::<Cell>(), 20);
    }
}
