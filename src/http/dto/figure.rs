//! A number on the wire: the shortest decimal that reads back as the same f64.
//!
//! Whole numbers are written without `.0`, as people and other tools write counts. What is not finite is `null`: it
//! never comes out of the engine, and JSON has no word for it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// Beyond this not every whole number is an f64 (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One figure, unrounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, ToSchema)]
#[schema(value_type = f64)]
pub struct Figure(pub f64);

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if !value.is_finite() {
            return serializer.serialize_none();
        }
        if value.fract() == 0.0 && value.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
            return serializer.serialize_i64(value as i64);
        }
        serializer.serialize_f64(value)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN)))
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_decimal_that_reads_back() {
        for (value, text) in [
            (12_903.0, "12903"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-2_900.7, "-2900.7"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (EXACT, "9007199254740992"),
        ] {
            let written = serde_json::to_string(&Figure(value)).unwrap();
            assert_eq!(written, text);
            assert_eq!(written.parse::<f64>().unwrap().to_bits(), (value + 0.0).to_bits());
        }
    }

    #[test]
    fn what_is_not_finite_is_null() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(serde_json::to_string(&Figure(value)).unwrap(), "null");
        }
        assert!(serde_json::from_str::<Figure>("null").unwrap().0.is_nan());
    }
}
