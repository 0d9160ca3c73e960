//! Values of `gauge`, `probe` and `ratio` as points: how many events an evaluation is, and how many of them are bad
//! (SEMANTICS 2, *Other kinds*).
//!
//! Of a gauge each series with a value is one event, bad where the value fails the bound; NaN is no value, or a bad event
//! where absence is. Of a ratio an evaluation is one event with the ratio, cut to 0..1, as its bad part. Worked: a probe
//! over three targets with 1, 0, 1 is 1 bad of 3; a ratio of 0.02 is 0.02 bad of 1. An evaluation without any value
//! gives no point.

use std::collections::BTreeMap;

use crate::engine::observation::Point;
use crate::plan::pushdown::{PointsError, Value};
use crate::spec::meant::{Absent, Bound};
use crate::units::{Labels, SHARE_GRID, Timestamp, exceeds, round_to_grid};

/// The points of a gauge: ascending in time, then by group.
pub(crate) fn gauge(values: &[Value], by: &[String], bound: Bound, absent: Absent) -> Vec<Point> {
    let mut counts: BTreeMap<(Timestamp, Labels), (f64, f64)> = BTreeMap::new();
    for value in values {
        let group = value.labels.project(by);
        for (at, raw) in &value.points {
            if raw.is_nan() && absent == Absent::Ignore {
                continue;
            }
            let (bad, total) = counts.entry((*at, group.clone())).or_default();
            *total += 1.0;
            if raw.is_nan() || fails(*raw, bound) {
                *bad += 1.0;
            }
        }
    }
    counts.into_iter().map(|((at, group), (bad, total))| point(at, group, bad, total)).collect()
}

/// The points of a ratio, likewise.
///
/// # Errors
/// Where a group has more than one series.
pub(crate) fn ratio(values: &[Value], by: &[String], promql: &str) -> Result<Vec<Point>, PointsError> {
    let mut shares: BTreeMap<(Timestamp, Labels), f64> = BTreeMap::new();
    let mut series: BTreeMap<Labels, usize> = BTreeMap::new();
    for value in values {
        let group = value.labels.project(by);
        *series.entry(group.clone()).or_default() += 1;
        for (at, raw) in value.points.iter().filter(|(_, raw)| !raw.is_nan()) {
            shares.insert((*at, group.clone()), round_to_grid(raw.clamp(0.0, 1.0), SHARE_GRID));
        }
    }
    match series.into_values().find(|count| *count > 1) {
        Some(count) => Err(PointsError::ManySeries { promql: promql.to_owned(), count }),
        None => Ok(shares.into_iter().map(|((at, group), bad)| point(at, group, bad, 1.0)).collect()),
    }
}

const fn point(at: Timestamp, group: Labels, bad: f64, total: f64) -> Point {
    Point { at, group, events: Some(bad), total: Some(total) }
}

/// Whether a value is bad; what equals the bound is good.
fn fails(value: f64, bound: Bound) -> bool {
    match bound {
        Bound::Below(most) => over(value, most),
        Bound::Above(least) => over(least, value),
        Bound::Equals(only) => over(value, only) || over(only, value),
    }
}

/// As [`exceeds`], which has no room for infinities.
fn over(x: f64, y: f64) -> bool {
    if x.is_finite() && y.is_finite() { exceeds(x, y) } else { x > y }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(labels: &[(&str, &str)], points: &[(i64, f64)]) -> Value {
        let points = points.iter().map(|(at, value)| (Timestamp::from_seconds(*at), *value)).collect();
        let mut all = Labels::new();
        for (name, text) in labels {
            all.insert(*name, *text);
        }
        Value { labels: all, points }
    }

    type Shown = (i64, String, f64, f64);

    fn shown(points: &[Point]) -> Vec<Shown> {
        let one = |point: &Point| {
            let seconds = point.at.millis() / 1_000;
            (seconds, point.group.to_string(), point.events.unwrap(), point.total.unwrap())
        };
        points.iter().map(one).collect()
    }

    const fn row(seconds: i64, bad: f64, total: f64) -> Shown {
        (seconds, String::new(), bad, total)
    }

    #[test]
    fn every_series_is_an_event_and_bounds_are_good() {
        let values = [
            value(&[("instance", "a")], &[(30, 1.0), (60, 0.0), (90, f64::NAN)]),
            value(&[("instance", "b")], &[(30, 1.0), (60, 1.0), (90, 1.0)]),
            value(&[("instance", "c")], &[(30, 0.0), (60, f64::INFINITY)]),
        ];
        let probe = |absent| shown(&gauge(&values, &[], Bound::Equals(1.0), absent));
        assert_eq!(probe(Absent::Ignore), [row(30, 1.0, 3.0), row(60, 2.0, 3.0), row(90, 0.0, 1.0)]);
        assert_eq!(probe(Absent::Bad), [row(30, 1.0, 3.0), row(60, 2.0, 3.0), row(90, 1.0, 2.0)]);
        let age = [value(&[], &[(30, 900.0), (60, 900.1), (90, -5.0), (120, f64::INFINITY), (150, f64::NEG_INFINITY)])];
        let bad = |bound| -> Vec<f64> {
            shown(&gauge(&age, &[], bound, Absent::Ignore)).iter().map(|(_, _, bad, _)| *bad).collect()
        };
        assert_eq!(bad(Bound::Below(900.0)), [0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(bad(Bound::Above(900.0)), [0.0, 0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn an_evaluation_without_a_value_gives_no_point() {
        let values = [value(&[], &[(30, f64::NAN), (60, 0.5)])];
        assert_eq!(shown(&gauge(&values, &[], Bound::Below(1.0), Absent::Ignore)), [row(60, 0.0, 1.0)]);
        assert_eq!(shown(&ratio(&values, &[], "r").unwrap()), [row(60, 0.5, 1.0)]);
        assert_eq!(gauge(&[], &[], Bound::Below(1.0), Absent::Bad), []);
    }

    #[test]
    fn series_meet_in_the_groups_that_they_have() {
        let by = ["region".to_owned()];
        let values = [
            value(&[("region", "eu"), ("pod", "1")], &[(30, 3.0)]),
            value(&[("region", "eu"), ("pod", "2")], &[(30, 1.0)]),
            value(&[("region", "us"), ("pod", "1")], &[(30, 1.0)]),
        ];
        let points = shown(&gauge(&values, &by, Bound::Below(2.0), Absent::Ignore));
        let group = |name: &str| format!("region=\"{name}\"");
        assert_eq!(points, [(30, group("eu"), 1.0, 2.0), (30, group("us"), 0.0, 1.0)]);
        let error = ratio(&values, &by, "r").unwrap_err();
        assert_eq!(error, PointsError::ManySeries { promql: "r".to_owned(), count: 2 });
    }

    #[test]
    fn a_ratio_is_cut_and_lies_on_the_grid_of_shares() {
        let values = [value(&[], &[(30, -0.5), (60, 1.0 / 3.0), (90, 7.0), (120, f64::INFINITY)])];
        let third = (1_073_741_824.0_f64 / 3.0).round() / 1_073_741_824.0;
        let expected = [row(30, 0.0, 1.0), row(60, third, 1.0), row(90, 1.0, 1.0), row(120, 1.0, 1.0)];
        assert_eq!(shown(&ratio(&values, &[], "r").unwrap()), expected);
    }
}
