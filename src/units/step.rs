//! The slice: the smallest time step kept (SEMANTICS 1).

use crate::units::{Length, Timestamp};

/// Length of a slice: 1 s to 5 min, a divisor of 5 min. Slice `e` is `(e-s, e]`, on multiples of `s` since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(Length);

/// The length cannot serve as a slice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a slice of `{0}` does not divide 5m; use 1s to 5m, for example 15s, 30s or 1m")]
pub struct StepError(Length);

impl Step {
    /// 30 s, the default.
    pub const DEFAULT: Self = Self(Length::from_seconds(30));

    /// A slice of this length.
    ///
    /// # Errors
    /// Where the length is below 1 s, no whole number of seconds, or no divisor of 5 min.
    pub fn new(length: Length) -> Result<Self, StepError> {
        let second = Length::from_seconds(1);
        let fits = length >= second && length.is_multiple_of(second) && Length::from_minutes(5).is_multiple_of(length);
        if fits { Ok(Self(length)) } else { Err(StepError(length)) }
    }

    /// The slice's length.
    #[must_use]
    pub const fn length(self) -> Length {
        self.0
    }

    /// The end of the slice that holds `time`: a time on a boundary belongs to the slice that ends there.
    #[must_use]
    pub const fn end_of(self, time: Timestamp) -> Timestamp {
        time.ceil_to(self.0)
    }

    /// The newest slice end at or before `time`.
    #[must_use]
    pub const fn floor(self, time: Timestamp) -> Timestamp {
        time.floor_to(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_open_on_the_left_and_closed_on_the_right() {
        let step = Step::DEFAULT;
        assert_eq!(step.end_of(Timestamp::from_seconds(60)), Timestamp::from_seconds(60));
        assert_eq!(step.end_of(Timestamp::from_millis(60_001)), Timestamp::from_seconds(90));
    }

    #[test]
    fn only_divisors_of_five_minutes() {
        for seconds in [1, 15, 30, 60, 300] {
            assert!(Step::new(Length::from_seconds(seconds)).is_ok());
        }
        for millis in [0, 500, 7_000, 600_000] {
            assert!(Step::new(Length::from_millis(millis)).is_err());
        }
    }
}
