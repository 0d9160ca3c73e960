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
                Alive::Gone if self.is_unasked(end) => Condition::Idle,
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

#[cfg(test)]
mod tests {
    use crate::engine::definition::Definition;
    use crate::engine::fixture::{ALIVE, TOTAL, answer, at, definition, live, series, state, verdict};
    use crate::engine::observation::SeriesSamples;
    use crate::engine::verdict::{Condition, TierSet};

    /// A target that was up until second 600, and then nothing of it any more.
    fn gone() -> [SeriesSamples; 2] {
        let samples = |value: f64| (1..=20).map(|step| (step * 30, value * step as f64)).collect::<Vec<_>>();
        let up: Vec<(i64, f64)> = (1..=20).map(|step| (step * 30, 1.0)).collect();
        [series(&[], TOTAL, &samples(5.0)), series(&[("__name__", "up")], ALIVE, &up)]
    }

    #[test]
    fn a_target_that_is_gone_is_down_where_the_source_was_asked_in_time() {
        let mut asked = state(Definition { alive: true, ..definition() });
        live(&mut asked, &gone(), 0, 1_500);
        assert_eq!(verdict(&asked, TierSet::default()).condition, Condition::Down);
    }

    #[test]
    fn a_store_that_was_down_itself_says_nothing_of_the_target_until_g_after() {
        let mut late = state(Definition { alive: true, ..definition() });
        live(&mut late, &gone(), 0, 600);
        late.asked_late(at(1_500));
        let all = gone();
        for end in (630..=1_800).step_by(30) {
            late.advance(&answer(&all, end - 330, end), at(end));
            let expected = if end < 1_800 { Condition::Idle } else { Condition::Down };
            if end >= 930 {
                assert_eq!(verdict(&late, TierSet::default()).condition, expected, "at {end}");
            }
        }
    }
}
