//! What is counted from the series themselves: the only expressions that contain the users' queries.
//!
//! Prometheus' `increase` stretches what it saw to the whole range. Over `d + i`, with `i` the scrape interval, a range
//! holds one sample more than increments in `d`, and the stretch is exactly `(d + i) / d`; it is taken back. Worked:
//! 5m, i = 30s: 11 samples, 10 increments, stretched to 330 s, times 300 / 330. Rounding to the grid of counts (2^-20)
//! makes integer counts integers again, so that "at least 3 failures" is. VictoriaMetrics does not stretch, and looks at
//! the sample before the range: there it is `increase` over `d`, as it is.

use crate::ruler::scope::series;
use crate::ruler::window::short_of;
use crate::ruler::{Item, Ruler};
use crate::spec::meant::{Absent, Bound, PushdownQuery, Sli, Unit};
use crate::spec::selector::Selector;
use crate::units::Length;

/// Grid of counts, 2^-20, in PromQL.
const COUNT_GRID: &str = "1 / 1048576";
/// Grid of shares that serve as counts, 2^-30.
const SHARE_GRID: &str = "1 / 1073741824";
/// Bad events of the newest slice, of what is judged in slices.
pub(super) const BAD_SLICE: &str = "slo:bad_events:slice";
/// All events of the newest slice, of what is judged in slices.
pub(super) const TOTAL_SLICE: &str = "slo:total_events:slice";

/// One side of an SLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Bad or good events.
    Numerator,
    /// All events.
    Total,
}

/// ` by (region)`; empty without groups.
pub(super) fn by(item: &Item<'_>) -> String {
    if item.slo.by.is_empty() { String::new() } else { format!(" by ({})", item.slo.by.join(", ")) }
}

/// `i` for this ruler.
fn overlap(item: &Item<'_>, ruler: Ruler) -> Length {
    if ruler == Ruler::VictoriaMetrics { Length::ZERO } else { item.interval }
}

/// The events of one side in the last `length`.
pub(super) fn counted(item: &Item<'_>, ruler: Ruler, side: Side, length: Length) -> String {
    let overlap = overlap(item, ruler);
    match (&item.slo.sli, side) {
        (Sli::Exact { events, .. }, Side::Numerator) => increase(item, events, length, overlap),
        (Sli::Exact { total, .. }, Side::Total) => increase(item, total, length, overlap),
        (Sli::Pushdown { events, .. }, Side::Numerator) => evaluated(item, events, length, overlap),
        (Sli::Pushdown { total, .. }, Side::Total) => evaluated(item, total, length, overlap),
        (Sli::Gauge { .. } | Sli::Ratio { .. }, side) => {
            let slice = if side == Side::Total { TOTAL_SLICE } else { BAD_SLICE };
            format!("sum_over_time({}[{}])", series(&item.slo.id, slice, &[]), short_of(length))
        }
    }
}

fn increase(item: &Item<'_>, selector: &Selector, length: Length, overlap: Length) -> String {
    let sum = format!("sum{} (increase({selector}[{}]))", by(item), length + overlap);
    if overlap == Length::ZERO { sum } else { on_grid(&format!("{sum}{}", taken_back(length, overlap))) }
}

fn evaluated(item: &Item<'_>, query: &PushdownQuery, length: Length, overlap: Length) -> String {
    let sum = format!("sum{} {}", by(item), filled(&query.text, length + overlap));
    let factor = match query.unit {
        Unit::Rate => format!(" * {}", seconds(length)),
        Unit::Count if overlap == Length::ZERO => String::new(),
        Unit::Count => taken_back(length, overlap),
    };
    on_grid(&format!("{sum}{factor}"))
}

/// ` * d / (d + i)`.
fn taken_back(length: Length, overlap: Length) -> String {
    format!(" * {} / {}", seconds(length), seconds(length + overlap))
}

fn on_grid(value: &str) -> String {
    format!("round({value}, {COUNT_GRID})")
}

fn seconds(length: Length) -> String {
    length.seconds_f64().to_string()
}

/// A user's query in parentheses, its window filled in. A line break ends a comment at its end.
fn filled(query: &str, window: Length) -> String {
    let query = query.replace("$window", &window.to_string());
    if query.contains(['#', '\n']) { format!("(\n{query}\n)") } else { format!("({query})") }
}

/// What is judged in slices: bad and all events of the newest slice. `None`: everything else.
pub(super) fn slice(item: &Item<'_>, ruler: Ruler) -> Option<(String, String)> {
    let by = by(item);
    let values = |query: &str| format!("{} >= -Inf", slice_query(item, ruler, query));
    match &item.slo.sli {
        Sli::Exact { .. } | Sli::Pushdown { .. } => None,
        Sli::Ratio { query } => {
            let values = values(query);
            let bad = format!("round(sum{by} (clamp({values}, 0, 1)), {SHARE_GRID})");
            Some((bad, format!("count{by} ({values})")))
        }
        Sli::Gauge { query, bound, absent } => {
            let is_good = match bound {
                Bound::Below(most) => format!("<= bool {most}"),
                Bound::Above(least) => format!(">= bool {least}"),
                Bound::Equals(only) => format!("== bool {only}"),
            };
            // NaN is no value, or fails every bound.
            let (values, otherwise) = match absent {
                Absent::Ignore => (format!("({})", values(query)), ""),
                Absent::Bad => {
                    (slice_query(item, ruler, query), if item.slo.by.is_empty() { "\nor vector(1)" } else { "" })
                }
            };
            let bad = format!("sum{by} (1 - ({values} {is_good})){otherwise}");
            Some((bad, format!("count{by} ({values}){otherwise}")))
        }
    }
}

fn slice_query(item: &Item<'_>, ruler: Ruler, query: &str) -> String {
    filled(query, item.definition.slice.length() + overlap(item, ruler))
}

/// How many series of the total there are; none where nothing is measured.
pub(super) fn presence(item: &Item<'_>, ruler: Ruler) -> String {
    let by = by(item);
    match &item.slo.sli {
        Sli::Exact { total, .. } => format!("count{by} ({total})"),
        Sli::Pushdown { total, step, .. } => {
            format!("count{by} ({} >= 0)", filled(&total.text, *step + overlap(item, ruler)))
        }
        Sli::Gauge { query, .. } | Sli::Ratio { query } => {
            format!("count{by} ({} >= -Inf)", slice_query(item, ruler, query))
        }
    }
}
