//! Exact numbers: rationals for ratios, fixed point for counts, and the comparison of SEMANTICS, *Everywhere*.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

/// A ratio without rounding.
pub type Rational = BigRational;

/// A count in units of 2^-60: integers, and fractions with up to 60 binary places, are exact.
pub type Fixed = i128;

const FIXED_BITS: u32 = 60;
const GRID_BITS: u32 = 20;

/// The count `value` without rounding (below 2^-60 it is cut).
pub fn fixed(value: f64) -> Fixed {
    assert!(value.is_finite() && (0.0..9e15).contains(&value), "`{value}` is no count");
    if value.fract().abs() < f64::MIN_POSITIVE {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return (value as i128) << FIXED_BITS;
    }
    let scaled = BigRational::from_float(value).unwrap() * BigInt::from(1_u128 << FIXED_BITS);
    scaled.to_integer().to_i128().unwrap()
}

/// `value` rounded to a multiple of 2^-20, half up: what SEMANTICS does once per slice.
pub const fn on_grid(value: Fixed) -> Fixed {
    let unit = 1 << (FIXED_BITS - GRID_BITS);
    (value + unit / 2).div_euclid(unit) * unit
}

/// A count as a rational.
pub fn count(value: Fixed) -> Rational {
    BigRational::new(BigInt::from(value), BigInt::from(1_u128 << FIXED_BITS))
}

/// `numerator / denominator`.
pub fn ratio(numerator: i64, denominator: i64) -> Rational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

/// A whole number.
pub fn whole(value: i64) -> Rational {
    BigRational::from_integer(BigInt::from(value))
}

/// Nothing.
pub fn zero() -> Rational {
    BigRational::zero()
}

/// The number that the digits say: `"14.4"` is 144/10, never the float next to it.
pub fn decimal(text: &str) -> Rational {
    let (text, percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
    let (before, after) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{before}{after}").parse().unwrap();
    let places = u32::try_from(after.len()).unwrap() + if percent { 2 } else { 0 };
    BigRational::new(digits, BigInt::from(10).pow(places))
}

/// The float nearest to `value`.
pub fn float(value: &Rational) -> f64 {
    value.to_f64().unwrap()
}

/// The float as a rational, exactly.
pub fn from_float(value: f64) -> Rational {
    BigRational::from_f64(value).unwrap()
}

/// `x > y` of SEMANTICS: `x - y > 1e-9 * |y|`.
pub fn exceeds(x: &Rational, y: &Rational) -> bool {
    x - y > y.abs() / whole(1_000_000_000)
}

/// Whether a figure of the engine is the oracle's to `1e-12`, relative to the larger of 1 and the figure.
pub fn close(engine: f64, oracle: &Rational) -> bool {
    if !engine.is_finite() {
        return false;
    }
    let scale = if oracle.abs() > whole(1) { oracle.abs() } else { whole(1) };
    (from_float(engine) - oracle).abs() <= scale / whole(1_000_000_000_000)
}

/// Whether a count of the engine is the oracle's to the last bit.
pub fn same_count(engine: f64, oracle: &Rational) -> bool {
    engine.is_finite() && from_float(engine) == *oracle
}
