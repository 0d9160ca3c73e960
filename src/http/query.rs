//! Query parameters, read strictly: what is not known or not allowed is a 400 that says what is.
//!
//! A filter with a typing mistake that is silently ignored shows everything, and looks like an answer. An empty value
//! (forms send them) is the same as none. The dashboard reads leniently: there only values are judged.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;
use serde_json::json;

use crate::http::error::ApiError;
use crate::units::Timestamp;

/// The parameters of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Only those named in `allowed` may stand there.
    pub fn strict(uri: &Uri, allowed: &[&str]) -> Result<Self, ApiError> {
        let parameters = Self::lenient(uri)?;
        match parameters.0.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
            None => Ok(parameters),
            Some((name, _)) => {
                let known = if allowed.is_empty() { "there are none".to_owned() } else { listed(allowed) };
                Err(ApiError::bad_request(
                    "unknown_parameter",
                    format!("`{name}` is not a parameter of this address; {known}"),
                )
                .with_detail(json!({"parameter": name, "allowed": allowed})))
            }
        }
    }

    /// Any may stand there.
    pub fn lenient(uri: &Uri) -> Result<Self, ApiError> {
        Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map(|Query(mut pairs)| {
                pairs.retain(|(_, value)| !value.is_empty());
                Self(pairs)
            })
            .map_err(|_| ApiError::bad_request("bad_query", "the query of this address cannot be read"))
    }

    /// The value of a parameter that may stand once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(bad(name, &format!("`{name}` may stand once"))),
        }
    }

    /// The value of a parameter, read as something else.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.one(name)?
            .map(|text| text.parse().map_err(|error: T::Err| bad(name, &format!("`{name}`: {error}"))))
            .transpose()
    }

    /// The values of a parameter that may stand more than once, or hold several with commas between.
    pub fn choices(&self, name: &str, allowed: &[&str]) -> Result<Vec<&str>, ApiError> {
        let mut chosen = Vec::new();
        for (_, values) in self.0.iter().filter(|(known, _)| known == name) {
            for value in values.split(',').map(str::trim).filter(|value| !value.is_empty()) {
                if !allowed.contains(&value) {
                    return Err(not_allowed(name, value, allowed));
                }
                if !chosen.contains(&value) {
                    chosen.push(value);
                }
            }
        }
        Ok(chosen)
    }

    /// One of the values allowed.
    pub fn choice(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.one(name)? {
            Some(value) if !allowed.contains(&value) => Err(not_allowed(name, value, allowed)),
            value => Ok(value),
        }
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &str, bounds: &RangeInclusive<usize>, default: usize) -> Result<usize, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(default) };
        text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            bad(name, &format!("`{name}` is `{text}`, and must be a whole number from {least} to {most}"))
        })
    }

    /// A time: RFC 3339, or seconds since the epoch as Prometheus takes them.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < LAST_SECOND);
        match seconds {
            Some(seconds) => Ok(Some(Timestamp::from_seconds_f64(seconds))),
            None => text.parse().map(Some).map_err(|error| bad(name, &format!("`{name}`: {error}"))),
        }
    }
}

/// Begin of the year 10000: later is a mistake, most likely milliseconds.
const LAST_SECOND: f64 = 253_402_300_800.0;

/// A value that cannot be used, and why.
pub fn bad(name: &str, message: &str) -> ApiError {
    ApiError::bad_request("bad_parameter", message).with_detail(json!({"parameter": name}))
}

fn not_allowed(name: &str, value: &str, allowed: &[&str]) -> ApiError {
    ApiError::bad_request("bad_parameter", format!("`{name}` is `{value}`; {}", listed(allowed)))
        .with_detail(json!({"parameter": name, "allowed": allowed}))
}

fn listed(allowed: &[&str]) -> String {
    format!("allowed are `{}`", allowed.join("`, `"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Parameters {
        Parameters::lenient(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let uri: Uri = "/x?stat=page".parse().unwrap();
        let error = Parameters::strict(&uri, &["q", "status"]).unwrap_err();
        assert_eq!(error.message(), "`stat` is not a parameter of this address; allowed are `q`, `status`");
    }

    #[test]
    fn values_are_read_and_empty_ones_are_none() {
        let found = parameters("limit=5&q=&status=page,ticket&status=ok&over=1h");
        assert_eq!(found.number("limit", &(1..=10), 3).unwrap(), 5);
        assert_eq!(found.one("q").unwrap(), None);
        assert_eq!(found.choices("status", &["page", "ticket", "ok"]).unwrap(), ["page", "ticket", "ok"]);
        assert_eq!(found.parsed("over").unwrap(), Some(crate::units::Length::from_hours(1)));
        assert!(found.number("limit", &(1..=4), 3).is_err());
        assert!(found.choices("status", &["page"]).is_err());
        assert!(parameters("a=1&a=2").one("a").is_err());
    }

    #[test]
    fn times_are_rfc_3339_or_seconds() {
        let expected = Timestamp::from_seconds(1_763_694_000);
        for text in ["2025-11-21T03:00:00Z", "1763694000", "1763694000.0"] {
            assert_eq!(parameters(&format!("from={text}")).time("from").unwrap(), Some(expected), "{text}");
        }
        for text in ["yesterday", "1e300", "NaN", "1763694000000"] {
            assert!(parameters(&format!("from={text}")).time("from").is_err(), "{text}");
        }
    }
}
