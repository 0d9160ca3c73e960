//! When a firing tier is known to be false (SEMANTICS 3): unmeasured time is unknown, and a quiet confirm window proves
//! nothing.

use crate::engine::instance::Instance;
use crate::engine::verdict::WindowFigures;
use crate::engine::windows::{FINE, FIVE_MINUTES, HOUR, MIDDLE};
use crate::units::{Length, Timestamp, exceeds};

/// Measured share of a window that a resolve needs.
pub(crate) const COVERED: f64 = 0.9;

/// Events at the threshold that `X` must hold: with five expected, seeing hardly any is a sign.
const EXPECTED: f64 = 5.0;

/// `X`: the shortest window, at least `shortest` and at most `long`, that holds `5 / max(share(L), k*B)` events; `L`
/// where none does. What is judged in slices has `X = S`.
///
/// Totals grow with the window, so the begin is found by halving, ring by ring.
pub(crate) fn resolve_window(
    instance: &Instance,
    long: &WindowFigures,
    shortest: Length,
    threshold: f64,
) -> WindowFigures {
    if instance.definition.time_weighted {
        return instance.window(shortest);
    }
    let needed = EXPECTED / long.share.max(threshold);
    let end = long.to;
    let windows = &instance.windows;
    let newest = windows.boundary(shortest, end);
    let until = windows.head();
    let holds =
        |from: Timestamp| windows.sums_at(from).is_some_and(|before| !exceeds(needed, until.minus(before).total));
    if newest <= long.from || !holds(long.from) {
        return *long;
    }
    let rings = [(windows.slice(), FINE), (FIVE_MINUTES, MIDDLE), (HOUR, Length::from_millis(i64::MAX))];
    let mut begin = newest;
    for (step, reach) in rings {
        if shortest > reach {
            continue;
        }
        // The oldest begin that this ring may serve, on its own boundaries.
        let oldest = (end - reach).floor_to(step).max(long.from);
        let begin_here = begin.floor_to(step).max(long.from);
        if begin_here < oldest {
            continue;
        }
        if holds(oldest) {
            let from = latest_that_holds(oldest, begin_here, step, holds);
            let length = end.since(from);
            return windows.sums_at(from).map_or(*long, |before| instance.figures(length, from, end, before, until));
        }
        begin = oldest;
    }
    *long
}

/// The latest time in `[oldest, newest]`, in steps, for which `holds`; it holds for `oldest`, and for all older ones.
fn latest_that_holds(
    oldest: Timestamp,
    newest: Timestamp,
    step: Length,
    holds: impl Fn(Timestamp) -> bool,
) -> Timestamp {
    let (mut low, mut high) = (0, newest.since(oldest).count_of(step));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if holds(oldest + step * middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    oldest + step * low
}

/// Whether a window shows that the share is at most `bound`: covered, and without the factor `coverage`.
pub(crate) fn shows_false(window: &WindowFigures, bound: f64) -> bool {
    window.coverage >= COVERED && !exceeds(window.share, bound)
}
