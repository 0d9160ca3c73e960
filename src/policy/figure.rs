//! Numbers as people read them in reasons and cards: few digits, and never so few that the sentence becomes untrue.
//!
//! Display only; every decision is taken on the full numbers. Invariant: a value said to be above a limit is shown
//! above it, and less than everything is never shown as 100%.

use crate::units::{Length, Timestamp};

/// Digits that are enough for a first look.
const DIGITS: usize = 3;

/// A float's own precision: more digits say nothing new.
const MOST_DIGITS: usize = 15;

/// `value` to `digits` significant digits, without trailing zeros; whole numbers from 1,000 on are not cut.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if value.abs() >= 1_000.0 && digits <= 4 {
        return format!("{value:.0}");
    }
    let rounded: f64 = format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value);
    // Adding zero turns -0 into 0.
    format!("{}", rounded + 0.0)
}

/// A share from 0 to 1 as a percentage: `16.2%`, `0.144%`, `100%` only where it is all.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let text = enough_digits(DIGITS, |digits| significant(value, digits), |shown| shown < 100.0 || share >= 1.0);
    format!("{text}%")
}

/// A share in whole percent for budgets and coverage, with one digit below 10 and above 99.
#[must_use]
pub fn rough_percent(share: f64) -> String {
    let value = share * 100.0;
    let coarse = (10.0..=99.0).contains(&value.abs()) || value.abs() >= 100.0;
    if coarse { format!("{value:.0}%") } else { percent(share) }
}

/// An event count: whole where it is whole, else to three decimals.
#[must_use]
pub fn count(events: f64) -> String {
    let rounded = (events * 1_000.0).round() / 1_000.0;
    format!("{}", rounded + 0.0)
}

/// A threshold: four digits tell 13.44 from 14.4 and 0.9333 from 1.
#[must_use]
pub fn limit(value: f64) -> String {
    significant(value, 4)
}

/// `value`, which is above `bound`, with as many digits as it takes to see that.
#[must_use]
pub fn above(value: f64, bound: f64) -> String {
    let shown_bound: f64 = limit(bound).parse().unwrap_or(bound);
    enough_digits(DIGITS, |digits| significant(value, digits), |shown| shown > shown_bound)
}

/// `value`, which is at or below `bound`, with as many digits as it takes to see that.
#[must_use]
pub fn at_or_below(value: f64, bound: f64) -> String {
    let shown_bound: f64 = limit(bound).parse().unwrap_or(bound);
    enough_digits(DIGITS, |digits| significant(value, digits), |shown| shown <= shown_bound)
}

/// `value`, which is below `bound`, with as many digits as it takes to see that.
#[must_use]
pub fn below(value: f64, bound: f64) -> String {
    let shown_bound: f64 = limit(bound).parse().unwrap_or(bound);
    enough_digits(DIGITS, |digits| significant(value, digits), |shown| shown < shown_bound)
}

/// The shortest of `show`'s texts, from `digits` on, that is `honest` about what it stands for.
fn enough_digits(digits: usize, show: impl Fn(usize) -> String, honest: impl Fn(f64) -> bool) -> String {
    let mut text = show(digits);
    for more in digits..=MOST_DIGITS {
        text = show(more);
        if text.parse().is_ok_and(&honest) {
            break;
        }
    }
    text
}

/// `02:54`, or `2026-11-21 02:54`.
#[must_use]
pub fn clock(time: Timestamp, dated: bool) -> String {
    let text = time.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let hour: String = rest.chars().take(5).collect();
    if dated { format!("{date} {hour}") } else { hour }
}

/// `30 s`, `6 min`, `9h30m`, `2d4h`: whole seconds below a minute, minutes below a day, hours above.
#[must_use]
pub fn minutes(length: Length) -> String {
    let (minute, hour, day) = (Length::from_minutes(1), Length::from_hours(1), Length::from_days(1));
    if length < minute {
        format!("{} s", length.count_of(Length::from_seconds(1)))
    } else if length < hour {
        format!("{} min", length.count_of(minute))
    } else {
        let unit = if length < day { minute } else { hour };
        (unit * length.count_of(unit)).to_string()
    }
}

/// `of 22:11 UTC, 2h12m ago`; with the date where a day or more lies between.
#[must_use]
pub fn of_when(time: Timestamp, now: Timestamp) -> String {
    let age = now.since(time);
    format!("of {} UTC, {} ago", clock(time, age >= Length::from_days(1)), minutes(age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(significant(1000.0, 3), "1000");
        assert_eq!(significant(162.345, 3), "162");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(12_345.6, 3), "12346");
        assert_eq!(percent(0.162_031), "16.2%");
        assert_eq!(percent(0.001_44), "0.144%");
        assert_eq!(rough_percent(0.413), "41%");
        assert_eq!(rough_percent(0.034_21), "3.42%");
        assert_eq!(rough_percent(-0.29), "-29%");
        assert_eq!(count(1204.0), "1204");
        assert_eq!(count(1.0 / 3.0), "0.333");
    }

    #[test]
    fn rounding_never_makes_a_sentence_untrue() {
        assert_eq!(percent(0.999_97), "99.997%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(above(14.402, 14.4), "14.402");
        assert_eq!(above(162.0, 14.4), "162");
        assert_eq!(at_or_below(7.199_6, 7.2), "7.2");
        assert_eq!(at_or_below(7.2, 7.2), "7.2");
        assert_eq!(below(24.998, 25.0), "24.998");
        assert_eq!(limit(0.933_333_333), "0.9333");
    }
}
