//! Latency on native histograms: the store counts and interpolates (SEMANTICS 2, *Pushdown mode*).
//!
//! There is no bucket to select, so both sides are queries: the total is `histogram_count` of the rate, the good side
//! its `histogram_fraction` between 0 and the threshold times the count. Without events the fraction is NaN, which would
//! leave the slice unmeasured although it was quiet: the comparison with 0 drops it, and no value is no event.

use rust_decimal::Decimal;

use crate::spec::meant::{Numerator, PushdownQuery, Sli, Unit};
use crate::spec::selector::{Matcher, Selector};
use crate::units::Length;

/// Which side of the threshold is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At most the threshold.
    Below,
    /// At least the threshold.
    Above,
}

/// The SLI of a native histogram: `good` are matchers of the good side alone, `bound` is the threshold in the histogram's
/// unit, `by` the labels of groups.
#[must_use]
pub fn native(
    histogram: &Selector,
    good: &[Matcher],
    (side, bound): (Side, Decimal),
    by: &[String],
    step: Length,
) -> Sli {
    let rate = |selector: &Selector| match by {
        [] => format!("sum(rate({selector}[$window]))"),
        by => format!("sum by ({}) (rate({selector}[$window]))", by.join(", ")),
    };
    let matchers = histogram.matchers.iter().chain(good).cloned().collect();
    let counted = rate(&Selector { matchers, ..histogram.clone() });
    let below = format!("histogram_fraction(0, {}, {counted})", bound.normalize());
    let share = match side {
        Side::Below => below,
        Side::Above => format!("(1 - {below})"),
    };
    let query = |text: String| PushdownQuery { text, unit: Unit::Rate };
    Sli::Pushdown {
        numerator: Numerator::Good,
        events: query(format!("{share} * histogram_count({counted}) >= 0")),
        total: query(format!("histogram_count({})", rate(histogram))),
        step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::query::{Query, matchers};

    fn texts(side: Side, good: &str, by: &[&str]) -> [String; 2] {
        let histogram = Selector { metric: "h".to_owned(), matchers: matchers(r#"job="x""#).unwrap(), bucket: None };
        let by: Vec<String> = by.iter().map(|label| (*label).to_owned()).collect();
        let bound = ("0.30".parse().unwrap(), matchers(good).unwrap());
        match native(&histogram, &bound.1, (side, bound.0), &by, Length::from_minutes(1)) {
            Sli::Pushdown { events, total, .. } => [events.text, total.text],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn good_is_the_fraction_of_the_count_and_total_has_no_matchers_of_good() {
        let good = r#"sum by (region) (rate(h{job="x",code!~"5.."}[$window]))"#;
        let all = r#"sum by (region) (rate(h{job="x"}[$window]))"#;
        let [events, total] = texts(Side::Below, r#"code!~"5..""#, &["region"]);
        assert_eq!(events, format!("histogram_fraction(0, 0.3, {good}) * histogram_count({good}) >= 0"));
        assert_eq!(total, format!("histogram_count({all})"));
        let [events, total] = texts(Side::Above, "", &[]);
        let all = r#"sum(rate(h{job="x"}[$window]))"#;
        assert_eq!(events, format!("(1 - histogram_fraction(0, 0.3, {all})) * histogram_count({all}) >= 0"));
        for text in [events, total] {
            assert!(Query::parse(&text).unwrap().windowed, "{text}");
        }
    }
}
