//! How a window's events are counted: from the raw series, or as a sum of recorded increases.
//!
//! `L` begins where the service's does (SEMANTICS 1): on a slice end up to 6 h, on a multiple of 5 min up to 4 d, of 1 h
//! beyond. Summed windows have `[L - 1ms:step]`: so exactly `L / step` values lie in the range, whether the ruler takes
//! a range as closed at both ends (Prometheus 2) or open on the left (Prometheus 3, VictoriaMetrics).
//! Worked: 10h17m is summed as 124 increases of 5 min, 10h20m: at 12:00:00 both begin at 01:40:00.

use std::collections::BTreeSet;

use crate::engine::definition::{Definition, Kind};
use crate::units::Length;

/// Up to here windows are counted from the raw series.
const DIRECT: Length = Length::from_hours(6);
/// Up to here they are sums of increases of 5 min; beyond, of 1 h.
const MIDDLE: Length = Length::from_days(4);
/// The shorter of the increases that are summed.
pub(super) const FIVE_MINUTES: Length = Length::from_minutes(5);
/// The longer one.
pub(super) const HOUR: Length = Length::from_hours(1);
/// What keeps a range from holding one value more.
const MOMENT: i64 = 1;

/// How the events of a window are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the raw series, over this length.
    Direct(Length),
    /// As the sum of so many recorded increases.
    Sum {
        /// Length of one.
        step: Length,
        /// How many.
        count: i64,
    },
}

impl Way {
    /// Of a window of `length`, with slices of `slice`.
    pub(super) fn of(length: Length, slice: Length) -> Self {
        if length <= DIRECT {
            return Self::Direct(ceil(length, slice));
        }
        let step = if length <= MIDDLE { FIVE_MINUTES } else { HOUR };
        Self::Sum { step, count: ceil(length, step).count_of(step) }
    }
}

/// `length` up to the next multiple of `step`.
fn ceil(length: Length, step: Length) -> Length {
    step * (length + step).millis().saturating_sub(MOMENT).checked_div(step.millis()).unwrap_or(1)
}

/// `[L - 1ms]` and `[L - 1ms:step]`.
pub(super) fn short_of(length: Length) -> Length {
    Length::from_millis(length.millis() - MOMENT)
}

/// The windows of an SLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Windows {
    /// Those that somebody looks at: of the tiers, and the period. Ascending.
    pub(super) shown: BTreeSet<Length>,
    /// Those whose events are recorded: the same, and those that others are summed from. Ascending.
    pub(super) recorded: BTreeSet<Length>,
}

impl Windows {
    /// Of a definition.
    pub(super) fn of(definition: &Definition) -> Self {
        let mut shown = BTreeSet::from([definition.window]);
        let mut recorded = BTreeSet::new();
        for tier in &definition.tiers {
            shown.extend([tier.kind.window(), tier.kind.confirm()].into_iter().flatten());
            if matches!(tier.kind, Kind::NoData { .. }) {
                recorded.insert(HOUR);
            }
        }
        recorded.extend(&shown);
        let ways = recorded.iter().map(|length| Way::of(*length, definition.slice.length()));
        let steps: Vec<Length> =
            ways.filter_map(|way| if let Way::Sum { step, .. } = way { Some(step) } else { None }).collect();
        recorded.extend(steps);
        Self { shown, recorded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_where_the_service_lets_them_begin() {
        let way = |text: &str, slice: i64| Way::of(text.parse().unwrap(), Length::from_seconds(slice));
        assert_eq!(way("5m", 30), Way::Direct(FIVE_MINUTES));
        assert_eq!(way("51m", 300), Way::Direct(Length::from_minutes(55)));
        assert_eq!(way("6h", 30), Way::Direct(Length::from_hours(6)));
        assert_eq!(way("1d", 30), Way::Sum { step: FIVE_MINUTES, count: 288 });
        assert_eq!(way("10h17m", 30), Way::Sum { step: FIVE_MINUTES, count: 124 });
        assert_eq!(way("4d6h51m", 30), Way::Sum { step: HOUR, count: 103 });
        assert_eq!(way("30d", 30), Way::Sum { step: HOUR, count: 720 });
        assert_eq!(short_of(Length::from_days(30)).to_string(), "29d23h59m59s999ms");
    }
}
