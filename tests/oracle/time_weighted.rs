//! SEMANTICS 2, *Other kinds*: what readings of a gauge, a probe or a ratio book on each slice, worked out anew from all
//! readings known at a watermark.
//!
//! Reading: a slice end without a value is bad, where absence is, after the first value that is known of its group; and
//! without groups also after the time from which on slices are lived through, value or not.

use std::collections::BTreeMap;

use num_traits::Signed;
use slo::units::Labels;

use super::exact::{Fixed, Rational, exceeds, fixed, from_float};
use super::ledger::{Alive, Cell, Ledger, slice_after};
use super::world::Setting;

/// One value of one series at a slice end.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The slice end.
    pub at: i64,
    /// The labels of the series.
    pub labels: Labels,
    /// The value; NaN and infinities included.
    pub value: f64,
}

/// When a value is bad.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// Above this.
    Below(Rational),
    /// Below this.
    Above(Rational),
    /// Other than this.
    Equals(Rational),
    /// As much as it says.
    Ratio,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What a value means.
    pub meaning: Meaning,
    /// No value is bad.
    pub absent_is_bad: bool,
    /// Slices after this are lived through; `None`: all are read later.
    pub lived_after: Option<i64>,
}

/// The ledger of `group` at `w`; `readings` are those known then, `begin` is where loaded time begins.
pub fn ledger(
    readings: &[Reading],
    asked: &Asked,
    setting: &Setting,
    (group, begin, w): (&Labels, i64, i64),
) -> Ledger {
    let mut values: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for reading in readings.iter().filter(|reading| reading.at <= w) {
        let is_value = asked.absent_is_bad || !reading.value.is_nan();
        if is_value && reading.labels.project(&setting.by) == *group {
            values.entry(reading.at).or_default().push(reading.value);
        }
    }
    let first = values.keys().next().copied();
    let newest = values.keys().next_back().copied();
    let cells = BTreeMap::new();
    let mut book = Ledger { w, cells, alive: Alive::None, alive_lately: false, begin: first, newest };
    let mut end = slice_after(begin, setting.slice);
    while end <= w {
        let missed = asked.absent_is_bad
            && (first.is_some_and(|first| end > first)
                || (setting.by.is_empty() && asked.lived_after.is_some_and(|lived| end > lived)));
        let booked = match values.get(&end) {
            None => missed.then(|| (fixed(1.0), fixed(1.0))),
            Some(values) => {
                let bad = values.iter().map(|value| badness(*value, &asked.meaning)).sum();
                Some((bad, values.iter().map(|_| fixed(1.0)).sum()))
            }
        };
        if let Some((events, total)) = booked {
            book.cells.insert(end, Cell { events, total, measured: setting.slice, own: true });
        }
        end += setting.slice;
    }
    book
}

/// How bad one value is: 0 to 1.
fn badness(value: f64, meaning: &Meaning) -> Fixed {
    if value.is_nan() {
        return fixed(1.0);
    }
    let above = |bound: &Rational| if value.is_finite() { exceeds(&from_float(value), bound) } else { value > 0.0 };
    let below = |bound: &Rational| if value.is_finite() { exceeds(bound, &from_float(value)) } else { value < 0.0 };
    let bad = match meaning {
        Meaning::Below(most) => above(most),
        Meaning::Above(least) => below(least),
        Meaning::Equals(only) => above(only) || below(only),
        Meaning::Ratio => return share(value),
    };
    fixed(if bad { 1.0 } else { 0.0 })
}

/// A ratio cut to 0..1, on the grid of 2^-30, half up.
fn share(value: f64) -> Fixed {
    if !value.is_finite() || !from_float(value).is_positive() {
        return fixed(if value == f64::INFINITY { 1.0 } else { 0.0 });
    }
    let unit: Fixed = 1 << 30;
    ((fixed(value.min(1.0)) + unit / 2) / unit) * unit
}
