//! Pushdown: the text that the store evaluates, and what its values count (SEMANTICS 2, *Pushdown mode*).
//!
//! `$window` becomes `p + i`, so that the increase between two ranges is not lost; values are multiplied back to
//! events in `p`. Worked: p = 1m, i = 30s, `increase` says 90, so 90 * 60 / 90 = 60 events; `rate` says 1/s, so 60.
//! What the values of `gauge`, `probe` and `ratio` are worth is worked out in `time_weighted`.
//! Finite values are rounded to the grid of counts once, here. This module asks nothing and knows no store.

use std::collections::BTreeMap;

use crate::engine::observation::Point;
use crate::plan::time_weighted;
use crate::spec::meant::{Absent, Bound, PushdownQuery, Unit};
use crate::units::{COUNT_GRID, Labels, Length, Timestamp, round_to_grid};

/// One series of a PromQL evaluation; NaN and infinities included.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The result's labels.
    pub labels: Labels,
    /// Time and value, ascending.
    pub points: Vec<(Timestamp, f64)>,
}

/// What is asked of the store, once for all SLOs that need it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// PromQL, `$window` replaced, grouped where the SLO has groups.
    pub promql: String,
    /// `p`: evaluated at its multiples.
    pub step: Length,
}

/// What the values of an SLO's questions mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// Events of the numerator and all events, each in its unit.
    Counts(Unit, Unit),
    /// Good or bad at the evaluation; one question, and each of its series is an event.
    Gauge(Bound, Absent),
    /// The bad share at the evaluation; one question with one series a group.
    Ratio,
}

/// The questions of one SLO that the store evaluates, by their places in the plan's list, and what their values mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Pushdown {
    /// Place of the numerator's question; of what is weighted by time, the only one.
    pub events: usize,
    /// Place of the question of all events; of what is weighted by time, the only one.
    pub total: usize,
    /// `p`.
    pub step: Length,
    pub(crate) overlap: Length,
    pub(crate) meaning: Meaning,
    pub(crate) by: Vec<String>,
}

/// An answer that does not fit the SLO: a source problem, shown with the SLO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// Several series where one number is wanted, of a group if there are groups.
    #[error("`{promql}` gives {count} series where one is wanted; sum it, or name its labels in `by`")]
    ManySeries {
        /// What was asked.
        promql: String,
        /// How many series came.
        count: usize,
    },
    /// A label of `by` that the query does not give.
    #[error("`{promql}` gives a series without the label `{label}` of `by`; let the query keep that label")]
    MissingLabel {
        /// What was asked.
        promql: String,
        /// The label.
        label: String,
    },
}

/// The PromQL to send for `query`: `$window` replaced by `step + overlap`, summed by the group labels.
pub(crate) fn question(query: &PushdownQuery, step: Length, overlap: Length, by: &[String]) -> Question {
    let Question { promql, .. } = filled(&query.text, step, overlap);
    let promql = if by.is_empty() { promql } else { format!("sum by ({}) ({promql}\n)", by.join(", ")) };
    Question { promql, step }
}

/// The PromQL as it stands, with `$window` replaced by `step + overlap`.
pub(crate) fn filled(text: &str, step: Length, overlap: Length) -> Question {
    Question { promql: text.replace("$window", &(step + overlap).to_string()), step }
}

impl Pushdown {
    /// The evaluation times in `(from, to]`, as first and last: multiples of `p`. `None` where there is none.
    #[must_use]
    pub fn due(&self, from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let first = (from + Length::from_millis(1)).ceil_to(self.step);
        let last = to.floor_to(self.step);
        (first <= last).then_some((first, last))
    }

    /// The points of the two answers, ascending in time, then by group. `questions` is the plan's list.
    ///
    /// # Errors
    /// Where an answer has several series without `by`, or one without a label of `by`.
    pub fn points(&self, questions: &[Question], events: &[Value], total: &[Value]) -> Result<Vec<Point>, PointsError> {
        let asked = |place: usize| questions.get(place).map(|question| question.promql.as_str()).unwrap_or_default();
        let (numerator, all) = match self.meaning {
            Meaning::Counts(numerator, all) => (numerator, all),
            Meaning::Gauge(bound, absent) => {
                self.check_labels(asked(self.total), total)?;
                return Ok(time_weighted::gauge(total, &self.by, bound, absent));
            }
            Meaning::Ratio => {
                self.check_labels(asked(self.total), total)?;
                return time_weighted::ratio(total, &self.by, asked(self.total));
            }
        };
        let mut points: BTreeMap<(Timestamp, Labels), Point> = BTreeMap::new();
        for (place, unit, values, is_total) in [(self.events, numerator, events, false), (self.total, all, total, true)]
        {
            self.check(asked(place), values)?;
            for value in values {
                let group = value.labels.project(&self.by);
                for (at, raw) in &value.points {
                    let point = points.entry((*at, group.clone())).or_insert_with(|| Point {
                        at: *at,
                        group: group.clone(),
                        events: None,
                        total: None,
                    });
                    let slot = if is_total { &mut point.total } else { &mut point.events };
                    *slot = Some(self.count(unit, *raw));
                }
            }
        }
        Ok(points.into_values().collect())
    }

    fn check(&self, promql: &str, values: &[Value]) -> Result<(), PointsError> {
        if self.by.is_empty() && values.len() > 1 {
            return Err(PointsError::ManySeries { promql: promql.to_owned(), count: values.len() });
        }
        self.check_labels(promql, values)
    }

    fn check_labels(&self, promql: &str, values: &[Value]) -> Result<(), PointsError> {
        for value in values {
            if let Some(label) = self.by.iter().find(|label| value.labels.get(label).is_none()) {
                return Err(PointsError::MissingLabel { promql: promql.to_owned(), label: label.clone() });
            }
        }
        Ok(())
    }

    /// Events in one step, on the grid of counts.
    fn count(&self, unit: Unit, value: f64) -> f64 {
        let step = self.step.seconds_f64();
        let events = match unit {
            Unit::Rate => value * step,
            Unit::Count => value * step / (self.step + self.overlap).seconds_f64(),
        };
        round_to_grid(events, COUNT_GRID)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Length = Length::from_minutes(1);
    const HALF: Length = Length::from_seconds(30);

    fn query(text: &str, unit: Unit) -> PushdownQuery {
        PushdownQuery { text: text.to_owned(), unit }
    }

    fn pushdown(by: &[&str]) -> Pushdown {
        Pushdown {
            events: 0,
            total: 1,
            step: MINUTE,
            overlap: HALF,
            meaning: Meaning::Counts(Unit::Count, Unit::Rate),
            by: by.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    fn value(labels: Labels, points: &[(i64, f64)]) -> Value {
        Value { labels, points: points.iter().map(|(at, v)| (Timestamp::from_seconds(*at), *v)).collect() }
    }

    #[test]
    fn the_window_is_the_step_and_one_scrape_interval() {
        let query = query("sum(rate(a[$window])) - sum(rate(b[$window]))", Unit::Rate);
        assert_eq!(question(&query, MINUTE, HALF, &[]).promql, "sum(rate(a[1m30s])) - sum(rate(b[1m30s]))");
        assert_eq!(
            question(&query, MINUTE, Length::ZERO, &["region".to_owned(), "cell".to_owned()]).promql,
            "sum by (region, cell) (sum(rate(a[1m])) - sum(rate(b[1m]))\n)",
            "the line break ends a comment at the end of the query"
        );
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "sums on the grid are exact")]
    fn values_are_multiplied_back_to_events_in_the_step() {
        let points = pushdown(&[])
            .points(&[], &[value(Labels::new(), &[(60, 90.0)])], &[value(Labels::new(), &[(60, 1.0), (120, f64::NAN)])])
            .unwrap();
        assert_eq!(points.len(), 2);
        assert_eq!((points[0].events, points[0].total), (Some(60.0), Some(60.0)));
        assert_eq!(points[1].events, None);
        assert!(points[1].total.unwrap().is_nan());
        let third = pushdown(&[]).count(Unit::Rate, 1.0 / 180.0);
        assert_eq!(third, (COUNT_GRID.recip() / 3.0).round() * COUNT_GRID);
    }

    #[test]
    fn evaluations_are_due_at_multiples_of_the_step() {
        let due = |from: i64, to: i64| {
            pushdown(&[])
                .due(Timestamp::from_seconds(from), Timestamp::from_seconds(to))
                .map(|(first, last)| (first.millis() / 1_000, last.millis() / 1_000))
        };
        assert_eq!(due(60, 180), Some((120, 180)));
        assert_eq!(due(61, 179), Some((120, 120)));
        assert_eq!(due(60, 119), None);
    }

    #[test]
    fn an_answer_that_does_not_fit_is_a_clear_problem() {
        let questions = vec![
            Question { promql: "rate(a[1m])".to_owned(), step: MINUTE },
            Question { promql: "b".to_owned(), step: MINUTE },
        ];
        let many = [value(Labels::from([("x", "1")]), &[]), value(Labels::from([("x", "2")]), &[])];
        assert_eq!(
            pushdown(&[]).points(&questions, &many, &[]).unwrap_err().to_string(),
            "`rate(a[1m])` gives 2 series where one is wanted; sum it, or name its labels in `by`"
        );
        let error = pushdown(&["region"]).points(&questions, &[], &many).unwrap_err().to_string();
        assert_eq!(error, "`b` gives a series without the label `region` of `by`; let the query keep that label");
    }

    #[test]
    fn groups_meet_by_their_labels() {
        let eu = || Labels::from([("region", "eu")]);
        let us = || Labels::from([("region", "us")]);
        let events = [value(us(), &[(60, 3.0)])];
        let total = [value(eu(), &[(60, 1.0)]), value(us(), &[(60, 1.0)])];
        let points = pushdown(&["region"]).points(&[], &events, &total).unwrap();
        let shown: Vec<_> = points.iter().map(|point| (point.group.to_string(), point.events, point.total)).collect();
        assert_eq!(
            shown,
            [("region=\"eu\"".to_owned(), None, Some(60.0)), ("region=\"us\"".to_owned(), Some(2.0), Some(60.0))]
        );
    }
}
