//! The four silences told apart, and whether an hour of the day usually has events (SEMANTICS 3 and 5).
//!
//! *Blind* is not here: a source that does not answer gives no slice end.

use crate::engine::alive::Alive;
use crate::engine::instance::Instance;
use crate::engine::state::SloState;
use crate::engine::verdict::Condition;
use crate::engine::windows::HOUR;
use crate::units::Length;

/// Days looked at to say whether an hour of the day has events.
const DAYS: i64 = 7;
/// Of them so many must have had events (or all with data, where fewer have any).
const USUAL: usize = 3;
const DAY: Length = Length::from_days(1);

impl SloState {
    /// What the newest slice says about the data, and what `alive` says.
    pub(crate) fn condition(&self, instance: &Instance) -> (Condition, Alive) {
        let end = instance.as_of();
        let alive = self.alive_of(instance);
        let condition = if instance.coverage.is_measured(end) {
            if has_recent_events(instance) { Condition::Measured } else { Condition::NoTraffic }
        } else {
            match alive {
                Alive::Unknown | Alive::Up => Condition::Idle,
                Alive::Zero | Alive::Gone => Condition::Down,
            }
        };
        (condition, alive)
    }

    fn alive_of(&self, instance: &Instance) -> Alive {
        if self.definition.alive {
            self.alive.state(&instance.labels, instance.as_of(), self.definition.gap)
        } else {
            Alive::Unknown
        }
    }
}

/// Whether anything happened since before the newest sample: where samples come less often than slices end, a slice
/// without one says nothing.
fn has_recent_events(instance: &Instance) -> bool {
    let slice = instance.windows.slice();
    let end = instance.as_of();
    let newest = instance.newest_total.map_or(end, |newest| newest.ceil_to(slice)).min(end);
    instance.between(newest - slice, end).is_none_or(|sums| sums.total > 0.0)
}

/// Whether the hour of the day (UTC) that holds the newest slice had events on 3 of the last 7 days, or on all of those
/// with data if fewer; never with less than a day of history. A day is the 24 h that end with that hour of the day: one
/// that was measured, but not in this hour, speaks against it.
pub(crate) fn usually_has_events(instance: &Instance) -> bool {
    let end = instance.as_of();
    if instance.first_data.is_none_or(|first| end.since(first) < DAY) {
        return false;
    }
    let hour = end.ceil_to(HOUR);
    let oldest = instance.windows.coarse_from() + HOUR;
    let mut with_data = 0;
    let mut with_events = 0;
    for day in 1..=DAYS {
        let to = hour - DAY * day;
        let whole = instance.between(to - DAY, to).or_else(|| instance.between(oldest, to));
        with_data += usize::from(whole.is_some_and(|sums| sums.measured.cast_signed() > 0));
        with_events += usize::from(instance.between(to - HOUR, to).is_some_and(|sums| sums.total > 0.0));
    }
    with_data > 0 && with_events >= USUAL.min(with_data)
}
