//! A length of time as users write it: `30s`, `5m`, `1h30m`, `7d`, `4w`.

use std::fmt;
use std::ops::{Add, Mul};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A non-negative length of time in whole milliseconds. Written and shown like Prometheus' durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length(i64);

/// The text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 30s, 5m, 1h30m, 7d or 4w")]
pub struct LengthError(String);

const UNITS: [(&str, i64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Length {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds; negative input is taken as zero.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis > 0 { millis } else { 0 })
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds * 1_000)
    }

    /// From whole minutes.
    #[must_use]
    pub const fn from_minutes(minutes: i64) -> Self {
        Self::from_seconds(minutes * 60)
    }

    /// From whole hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_minutes(hours * 60)
    }

    /// From whole days of 24 hours.
    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        Self::from_hours(days * 24)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// In seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact to 2^53 ms")]
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// As the standard library's duration.
    #[must_use]
    pub fn to_std(self) -> Duration {
        Duration::from_millis(self.0.unsigned_abs())
    }

    /// How many whole `part`s fit in.
    #[must_use]
    pub const fn count_of(self, part: Self) -> i64 {
        self.0 / part.0
    }

    /// Whether this is a whole multiple of `part`.
    #[must_use]
    pub const fn is_multiple_of(self, part: Self) -> bool {
        part.0 > 0 && self.0 % part.0 == 0
    }
}

impl Add for Length {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<i64> for Length {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        Self::from_millis(self.0.saturating_mul(factor))
    }
}

impl fmt::Display for Length {
    /// The shortest exact form in days and below (`30d`, `1h30m`, `90s` is `1m30s`); weeks are shown as days.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, millis) in UNITS.into_iter().skip(1) {
            if rest / millis > 0 {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl FromStr for Length {
    type Err = LengthError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || LengthError(text.to_owned());
        let mut rest = text;
        let mut total: i64 = 0;
        let mut last_unit = i64::MAX;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let millis = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(error)?.1;
            if millis >= last_unit {
                return Err(error());
            }
            last_unit = millis;
            let number: i64 = number.parse().map_err(|_| error())?;
            total = number.checked_mul(millis).and_then(|part| total.checked_add(part)).ok_or_else(error)?;
            rest = tail;
        }
        if text.is_empty() { Err(error()) } else { Ok(Self(total)) }
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h30m", 5_400), ("7d", 604_800), ("4w", 2_419_200), ("0s", 0)]
        {
            assert_eq!(text.parse::<Length>().unwrap(), Length::from_seconds(seconds), "{text}");
        }
        for text in ["", "5", "m", "5 m", "-5m", "5m1h", "5m5m", "1.5h", "99999999999999999999d", "5M"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_the_shortest_exact_form() {
        for text in ["30s", "5m", "1h30m", "30d", "1d1h43m", "250ms", "0s"] {
            assert_eq!(text.parse::<Length>().unwrap().to_string(), text);
        }
        assert_eq!("4w".parse::<Length>().unwrap().to_string(), "28d");
    }
}
