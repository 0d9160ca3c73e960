//! A point in time: milliseconds since the Unix epoch, the resolution that Prometheus stores.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Length;

/// Milliseconds since 1970-01-01T00:00:00Z. Shown and serialised as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-21T03:00:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    /// From seconds as a float (the form of Prometheus' JSON), rounded to the nearest millisecond.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "times of this era are far inside i64")]
    pub fn from_seconds_f64(seconds: f64) -> Self {
        Self((seconds * 1_000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch as a float, exact to the millisecond.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact to 2^53 ms")]
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// The newest multiple of `step` since the epoch at or before this time.
    #[must_use]
    pub const fn floor_to(self, step: Length) -> Self {
        Self(self.0.div_euclid(step.millis()) * step.millis())
    }

    /// The oldest multiple of `step` since the epoch at or after this time.
    #[must_use]
    pub const fn ceil_to(self, step: Length) -> Self {
        Self(-((-self.0).div_euclid(step.millis())) * step.millis())
    }

    /// The length from `earlier` to this time; zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Length {
        let distance = self.0 - earlier.0;
        Length::from_millis(if distance > 0 { distance } else { 0 })
    }

    /// As chrono's UTC time; the epoch where chrono cannot hold it (years beyond 262,000).
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl Add<Length> for Timestamp {
    type Output = Self;
    fn add(self, length: Length) -> Self {
        Self(self.0.saturating_add(length.millis()))
    }
}

impl Sub<Length> for Timestamp {
    type Output = Self;
    fn sub(self, length: Length) -> Self {
        Self(self.0.saturating_sub(length.millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.0.rem_euclid(1_000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        f.write_str(&self.to_utc().to_rfc3339_opts(format, true))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_millis()))
            .map_err(|_| TimestampError(text.to_owned()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_and_ceils_on_multiples_since_the_epoch() {
        let half_minute = Length::from_seconds(30);
        assert_eq!(Timestamp::from_seconds(59).floor_to(half_minute), Timestamp::from_seconds(30));
        assert_eq!(Timestamp::from_seconds(60).floor_to(half_minute), Timestamp::from_seconds(60));
        assert_eq!(Timestamp::from_seconds(31).ceil_to(half_minute), Timestamp::from_seconds(60));
        assert_eq!(Timestamp::from_seconds(60).ceil_to(half_minute), Timestamp::from_seconds(60));
        assert_eq!(Timestamp::from_millis(-1).floor_to(half_minute), Timestamp::from_seconds(-30));
    }

    #[test]
    fn shows_and_reads_rfc_3339() {
        let time: Timestamp = "2026-11-21T04:00:00+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T03:00:00Z");
        assert_eq!(Timestamp::from_millis(time.millis() + 5).to_string(), "2026-11-21T03:00:00.005Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }
}
