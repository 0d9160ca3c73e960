//! Times on the command line: RFC 3339, a date, `now`, or a time back from now.

use std::str::FromStr;

use crate::units::{Length, Timestamp};

/// A time, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long before now.
    Back(Length),
    /// A point in time.
    At(Timestamp),
}

/// The text is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-11-14T12:00:00Z, 2026-11-14, now or -7d")]
pub struct MomentError(String);

impl Moment {
    /// The point in time, given the present one.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Back(length) => now - length,
            Self::At(at) => at,
        }
    }
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MomentError(text.to_owned());
        let text = text.trim();
        if text == "now" {
            return Ok(Self::Back(Length::ZERO));
        }
        let back = text.strip_prefix("now").unwrap_or(text);
        if let Some(length) = back.strip_prefix('-') {
            return length.parse().map(Self::Back).map_err(|_| error());
        }
        let whole = if text.len() == "2026-11-14".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
        whole.parse().map(Self::At).map_err(|_| error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_dates_or_back_from_now() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.at(now).to_string());
        assert_eq!(at("2026-11-14T13:00:00+01:00").unwrap(), "2026-11-14T12:00:00Z");
        assert_eq!(at("2026-11-14").unwrap(), "2026-11-14T00:00:00Z");
        assert_eq!(at("-7d").unwrap(), "2026-11-14T12:00:00Z");
        assert_eq!(at("now-90m").unwrap(), "2026-11-21T10:30:00Z");
        assert_eq!(at("now").unwrap(), now.to_string());
        for wrong in ["yesterday", "7d", "-", "-x", "2026-13-01", "", "now+1h"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
