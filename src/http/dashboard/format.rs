//! Figures and times in words that people read. Here, and only here, ratios become percent and figures are cut.

use crate::units::{Length, Timestamp};

/// `41.2%`, `-29%`: a share with at most one decimal. What is not all is never 100%, what is not nothing never 0%.
pub fn percent(ratio: f64) -> String {
    let nearest = (ratio * 1_000.0).round() / 10.0;
    let tenths = match nearest {
        n if n >= 100.0 && ratio < 1.0 => 99.9,
        0.0 if ratio > 0.0 => 0.1,
        0.0 if ratio < 0.0 => -0.1,
        n => n,
    };
    if tenths.abs() >= 1_000.0 { format!("{}%", count(tenths)) } else { format!("{}%", trimmed(tenths, 1)) }
}

/// A good share with two digits more than the objective's nines: 99.871% for 99.9%. Rounded, but never across the
/// objective or to 100%: a service that misses its objective by little must not read as if it met it.
pub fn good_percent(ratio: f64, objective: f64) -> String {
    if ratio >= 1.0 {
        return "100%".to_owned();
    }
    let decimals = decimals_of(1.0 - objective) + 1;
    let scale = 10_f64.powi(decimals + 2);
    let nearest = (ratio * scale).round() / scale;
    let crosses = nearest >= 1.0 || (nearest >= objective && ratio < objective);
    let shown = if crosses { (ratio * scale).floor() / scale } else { nearest };
    format!("{:.*}%", usize::try_from(decimals).unwrap_or(2), shown * 100.0)
}

/// An objective as it was written: `99.9%`.
pub fn objective(ratio: f64) -> String {
    format!("{}%", trimmed(ratio * 100.0, 8))
}

/// A burn rate: `31`, `2.6`, `0.04`, `0`.
pub fn burn(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => count(rate),
        rate if rate >= 10.0 => trimmed(rate, 1),
        rate if rate >= 0.01 || rate <= 0.0 => trimmed(rate, 2),
        _ => "<0.01".to_owned(),
    }
}

/// A bad share, with two digits that say something: `3.1%`, `0.04%`, `0.0012%`.
pub fn bad_percent(share: f64) -> String {
    if share <= 0.0 {
        return "0%".to_owned();
    }
    let percent = share * 100.0;
    let decimals = if percent >= 10.0 { 1 } else { decimals_of(share).clamp(1, 7) };
    format!("{}%", trimmed(percent, decimals))
}

/// A count with thousands set apart: `10,002,315`; fractions of a small one are kept: `0.4`.
pub fn count(value: f64) -> String {
    let rounded = value.round();
    if value.abs() < 10.0 && (value - rounded).abs() > 0.05 {
        return trimmed(value, 1);
    }
    let digits = format!("{:.0}", rounded.abs());
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rounded < 0.0 { format!("-{grouped}") } else { grouped }
}

/// How long ago: `just now`, `40 s ago`, `6 min ago`, `3 h ago`, `2 d ago`.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let length = now.since(then);
    if length < Length::from_seconds(1) { "just now".to_owned() } else { format!("{} ago", roughly(length)) }
}

/// A time with how far off it is: `22:17:00 UTC (in 2 min)`, `(40 s ago)`; with its date on another day than `now`.
pub fn when(now: Timestamp, time: Timestamp) -> String {
    let (today, day) = (now.to_utc().date_naive(), time.to_utc().date_naive());
    let clock = if today == day { time.to_utc().format("%H:%M:%S UTC").to_string() } else { moment(time) };
    let far = if time > now { format!("in {}", roughly(time.since(now))) } else { ago(now, time) };
    format!("{clock} ({far})")
}

/// A length in its largest unit: `40 s`, `6 min`, `3 h`, `2 d`.
pub fn roughly(length: Length) -> String {
    let seconds = length.millis() / 1_000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `2026-11-21 03:00:30 UTC`.
pub fn moment(time: Timestamp) -> String {
    time.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `21 Nov 03:00`, for axes and tables.
pub fn short_moment(time: Timestamp) -> String {
    time.to_utc().format("%-d %b %H:%M").to_string()
}

/// Fixed to so many decimals, without zeros at the end.
fn trimmed(value: f64, decimals: i32) -> String {
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or(0));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Decimals of a percent figure that show two digits of `share`: 2 for 0.001 (0.10%), 3 for 0.0001.
fn decimals_of(share: f64) -> i32 {
    if share <= 0.0 {
        return 1;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -1 and 12 after the clamp")]
    let nines = (-share.log10() - 1e-9).floor().clamp(-1.0, 12.0) as i32;
    // A share of 0.001 is 0.1%: its first digit is at the first decimal, the second one after it.
    nines.max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_cut_towards_the_worse() {
        for (ratio, text) in
            [(1.0, "100%"), (0.9996, "99.9%"), (0.412, "41.2%"), (0.0, "0%"), (-0.29, "-29%"), (-12.345, "-1,235%")]
        {
            assert_eq!(percent(ratio), text);
        }
    }

    #[test]
    fn good_shares_have_the_digits_that_the_objective_asks_for() {
        assert_eq!(good_percent(0.998_71, 0.999), "99.871%");
        assert_eq!(good_percent(0.999_999_9, 0.999), "99.999%");
        assert_eq!(good_percent(1.0, 0.999), "100%");
        assert_eq!(good_percent(0.998_999_9, 0.999), "99.899%", "not met");
        assert_eq!(good_percent(0.5, 0.9), "50.0%");
        assert_eq!(good_percent(0.999_912_34, 0.9999), "99.9912%");
    }

    #[test]
    fn objectives_read_as_written() {
        for (ratio, text) in [(0.999, "99.9%"), (0.57, "57%"), (0.999_95, "99.995%"), (0.99, "99%")] {
            assert_eq!(objective(ratio), text);
        }
    }

    #[test]
    fn figures_show_two_digits_that_matter() {
        for (rate, text) in
            [(0.0, "0"), (0.004, "<0.01"), (0.04, "0.04"), (2.6, "2.6"), (31.24, "31.2"), (1000.0, "1,000")]
        {
            assert_eq!(burn(rate), text);
        }
        for (share, text) in [(0.0, "0%"), (0.031, "3.1%"), (0.000_412, "0.041%"), (0.5, "50%"), (1.0, "100%")] {
            assert_eq!(bad_percent(share), text);
        }
        for (value, text) in
            [(10_002_315.0, "10,002,315"), (0.4, "0.4"), (-2_900.7, "-2,901"), (999.0, "999"), (0.0, "0")]
        {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp::from_seconds(1_763_694_030);
        assert_eq!(moment(now), "2025-11-21 03:00:30 UTC");
        assert_eq!(short_moment(now), "21 Nov 03:00");
        for (seconds, text) in
            [(0, "just now"), (40, "40 s ago"), (360, "6 min ago"), (10_800, "3 h ago"), (172_800, "2 d ago")]
        {
            assert_eq!(ago(now, now - Length::from_seconds(seconds)), text);
        }
    }
}
