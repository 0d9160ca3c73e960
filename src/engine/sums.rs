//! What is added up: events of the numerator, all events, measured slices.
//!
//! The same triple serves as a cumulative cell and as the difference of two. Counts lie on a grid of 2^-20, so sums do
//! not depend on their order (SEMANTICS, *Everywhere*). Measured slices wrap: only differences are read.

use crate::engine::observation::Sample;
use crate::units::{COUNT_GRID, round_to_grid};

/// Numerator events, all events and measured slices: cumulative, or of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    /// Events of the numerator, bad or good as the definition says.
    pub(crate) events: f64,
    /// All events.
    pub(crate) total: f64,
    /// Measured slices, modulo 2^32.
    pub(crate) measured: u32,
}

impl Sums {
    /// Nothing.
    pub(crate) const ZERO: Self = Self { events: 0.0, total: 0.0, measured: 0 };

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            total: self.total + other.total,
            measured: self.measured.wrapping_add(other.measured),
        }
    }

    /// What is in this and not in `earlier`.
    pub(crate) fn minus(self, earlier: Self) -> Self {
        Self {
            events: self.events - earlier.events,
            total: self.total - earlier.total,
            measured: self.measured.wrapping_sub(earlier.measured),
        }
    }

    /// Whether adding it changes nothing.
    pub(crate) fn is_zero(self) -> bool {
        self.events.abs() + self.total.abs() <= 0.0 && self.measured == 0
    }
}

/// A count on the grid; integers pass unchanged.
#[expect(clippy::cast_possible_truncation, reason = "saturates; what does not come back equal is rounded below")]
#[inline]
pub(crate) fn on_grid(value: f64) -> f64 {
    // Whole numbers below 2^53, nearly all of them, without a call of `round`.
    let whole = (value as i64) as f64;
    if (whole - value).abs() <= 0.0 || value >= 9e15 { value } else { round_to_grid(value, COUNT_GRID) }
}

/// What a counter did between two neighbour samples: the difference, or after a reset the new value (SEMANTICS 2.1).
#[inline]
pub(crate) fn increase(older: Sample, newer: Sample) -> f64 {
    on_grid(if newer.value < older.value { newer.value } else { newer.value - older.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    fn sample(seconds: i64, value: f64) -> Sample {
        Sample { at: Timestamp::from_seconds(seconds), value }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "integers are exact")]
    fn a_fall_is_a_reset() {
        assert_eq!(increase(sample(0, 100.0), sample(30, 130.0)), 30.0);
        assert_eq!(increase(sample(0, 100.0), sample(30, 4.0)), 4.0);
        assert_eq!(increase(sample(0, 100.0), sample(30, 100.0)), 0.0);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the grid is a power of two")]
    fn fractions_lie_on_the_grid_and_integers_are_left_alone() {
        assert_eq!(on_grid(9_007_199_254_740_991.0), 9_007_199_254_740_991.0);
        assert_eq!(on_grid(0.1) * 1_048_576.0, (0.1_f64 * 1_048_576.0).round());
        assert_eq!(on_grid(1e300), 1e300);
    }
}
