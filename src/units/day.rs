//! A day of the calendar, without a time and without a zone.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

use crate::units::Timestamp;

/// A date such as 2027-03-01. Where it is compared with a time, it is the day in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(NaiveDate);

/// The text is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date such as 2027-03-01")]
pub struct DayError(String);

impl Day {
    /// The day in UTC that holds a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        Self(time.to_utc().date_naive())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%Y-%m-%d").fmt(f)
    }
}

impl FromStr for Day {
    type Err = DayError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Ten characters: chrono takes `2027-3-1` and blanks too.
        let whole = text.len() == 10;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| whole);
        day.map(Self).ok_or_else(|| DayError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_compared_and_shown() {
        let day: Day = "2027-03-01".parse().unwrap();
        assert_eq!(day.to_string(), "2027-03-01");
        assert!(day > Day::of("2027-02-28T23:59:59Z".parse().unwrap()));
        assert_eq!(day, Day::of("2027-03-01T00:00:00Z".parse().unwrap()));
        for text in ["2027-3-1", "2027-02-29", "01.03.2027", "", "2027-03-01T00:00:00Z"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
