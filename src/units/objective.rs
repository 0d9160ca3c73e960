//! The objective: the share of events that must be good, kept as the decimal that was written.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// `T`, `0 < T < 1`, as a decimal; `B = 1 - T` is the budget ratio (SEMANTICS 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective(Decimal);

/// The text is no objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectiveError {
    /// Not a number.
    #[error("`{0}` is not an objective such as 99.9%")]
    NotANumber(String),
    /// A bare number below 1: most likely a ratio was meant.
    #[error("`{0}` is below 1%; did you mean {1}%?")]
    LooksLikeARatio(String, Decimal),
    /// 0% and below, 100% and above.
    #[error("an objective of `{0}` leaves nothing to decide; it must be greater than 0% and less than 100%")]
    OutOfRange(String),
}

impl Objective {
    /// From a good share between 0 and 1, exclusive.
    #[must_use]
    pub fn from_ratio(good: Decimal) -> Option<Self> {
        (good > Decimal::ZERO && good < Decimal::ONE).then_some(Self(good))
    }

    /// `T` as a decimal between 0 and 1.
    #[must_use]
    pub const fn good(self) -> Decimal {
        self.0
    }

    /// `T` as a float: 99.9% gives 0.999.
    #[must_use]
    pub fn good_ratio(self) -> f64 {
        decimal_to_f64(self.0)
    }

    /// `B = 1 - T` as a decimal.
    #[must_use]
    pub fn budget(self) -> Decimal {
        Decimal::ONE - self.0
    }

    /// `B` as a float, from the digits: 99.9% gives 0.001, never 0.0009999999999999432.
    #[must_use]
    pub fn budget_ratio(self) -> f64 {
        decimal_to_f64(self.budget())
    }
}

/// The float nearest to `value`, rounded once (through the digits; `rust_decimal`'s own conversion rounds twice).
#[must_use]
pub fn decimal_to_f64(value: Decimal) -> f64 {
    value.normalize().to_string().parse().unwrap_or(f64::NAN)
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * Decimal::ONE_HUNDRED).normalize())
    }
}

impl FromStr for Objective {
    type Err = ObjectiveError;
    /// `99.9%`, or a bare number from 1 to 100 that means percent.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let (digits, percent) = match trimmed.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), true),
            None => (trimmed, false),
        };
        let number: Decimal = digits.parse().map_err(|_| ObjectiveError::NotANumber(text.to_owned()))?;
        if !percent && number > Decimal::ZERO && number < Decimal::ONE {
            let meant = (number * Decimal::ONE_HUNDRED).normalize();
            return Err(ObjectiveError::LooksLikeARatio(text.to_owned(), meant));
        }
        Self::from_ratio(number / Decimal::ONE_HUNDRED).ok_or_else(|| ObjectiveError::OutOfRange(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "the digits decide, so equality is the point")]
    fn the_budget_comes_from_the_written_digits() {
        let objective: Objective = "99.9%".parse().unwrap();
        assert_eq!(objective.budget_ratio(), 0.001);
        assert_eq!("99.95".parse::<Objective>().unwrap().budget_ratio(), 0.0005);
        assert_eq!(objective.to_string(), "99.9%");
    }

    #[test]
    fn what_cannot_be_an_objective_says_why() {
        assert_eq!("0.999".parse::<Objective>().unwrap_err().to_string(), "`0.999` is below 1%; did you mean 99.9%?");
        for text in ["100%", "0%", "-1%", "101", "100"] {
            assert!(matches!(text.parse::<Objective>(), Err(ObjectiveError::OutOfRange(_))), "{text}");
        }
        assert!(matches!("high".parse::<Objective>(), Err(ObjectiveError::NotANumber(_))));
    }
}
