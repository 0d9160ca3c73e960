//! Whole hours, for the store: taken when they are finished, put back where the source does not reach (SEMANTICS 2,
//! *History*).
//!
//! An hour is what was booked on its slices, folded gaps included. Put back, its events stand on its last slice and its
//! measured time is spread evenly over it: windows that begin on the hour are exact, others hold the hour's events whole.

use crate::engine::instance::{Instance, wrapped};
use crate::engine::state::SloState;
use crate::engine::sums::Sums;
use crate::engine::verdict::HourBucket;
use crate::engine::windows::HOUR;
use crate::units::{Labels, Length, Timestamp};

impl SloState {
    /// Hours that ended at least `lateness` before the watermark and are new or changed since they were taken last (or
    /// near one that is: taking one twice is harmless). Of history only whole hours after the oldest sample of `total`
    /// are given, so that what a source has forgotten does not replace what was stored.
    pub fn take_finished_hours(&mut self) -> Vec<(Labels, HourBucket)> {
        let lateness = self.lateness();
        let mut taken = Vec::new();
        for instance in &mut self.instances {
            let finished = (instance.as_of() - lateness).floor_to(HOUR);
            if instance.first_data.is_none() {
                continue;
            }
            let mut due = vec![(instance.taken, finished)];
            if let Some((first, last)) = instance.changed {
                let until = last.ceil_to(HOUR).min(finished).min(instance.taken);
                due.insert(0, ((first - Length::from_millis(1)).floor_to(HOUR), until));
            }
            for (from, to) in due {
                let mut end = from.max(instance.windows.coarse_from()).floor_to(HOUR) + HOUR;
                while end <= to {
                    taken.extend(bucket(instance, end).map(|hour| (instance.labels.clone(), hour)));
                    end = end + HOUR;
                }
            }
            instance.taken = instance.taken.max(finished);
            instance.changed = None;
        }
        taken
    }

    /// Puts own hours back, ascending, that end at or before `before`: the first full hour after the source's oldest
    /// sample of `total` ([`Instance::oldest_total`]), or where loading began. What is loaded before `before` gives way
    /// to them. To be called once a group, after the last `prepend`.
    pub fn restore_hours(&mut self, group: &Labels, hours: &[HourBucket], before: Timestamp) {
        let Some(loaded) = self.loaded else { return };
        // Where the source's oldest sample is of the hour that runs, no full hour of its own is over yet.
        let before = before.min(loaded.end).floor_to(HOUR);
        let hours: Vec<HourBucket> = hours.iter().filter(|hour| hour.end <= before).copied().collect();
        let Some(first) = hours.first() else { return };
        let number = self.instance_for(group);
        let Some(instance) = self.instances.get_mut(number as usize) else { return };
        self.restored = true;
        instance.windows.cut_before(before);
        instance.bounds = None;
        instance.coverage.cut_before(before);
        let behind = Behind::new(&hours, instance.windows.slice());
        instance.windows.reach_back(first.end - HOUR, |end| behind.after(end));
        if let Some(hour) = hours.iter().find(|hour| hour.measured > Length::ZERO) {
            let begin = hour.end - HOUR;
            instance.first_data = Some(instance.first_data.map_or(begin, |known| known.min(begin)));
        }
    }
}

/// The hour that ends at `end`, if it is whole and the instance's own.
fn bucket(instance: &Instance, end: Timestamp) -> Option<HourBucket> {
    let begin = end - HOUR;
    let lived = instance.lived_from.is_some_and(|from| end > from);
    let whole = instance.first_total.is_some_and(|first| first <= begin) && begin >= instance.windows.origin();
    if !lived && !whole {
        return None;
    }
    let sums = instance.between(begin.max(instance.windows.origin()), end)?;
    Some(HourBucket { end, events: sums.events, total: sums.total, measured: instance.measured(sums) })
}

/// What hours hold after a time.
struct Behind {
    slice: Length,
    /// Each hour's end and measured slices, and the sums of all later hours.
    hours: Vec<(Timestamp, i64, Sums)>,
    all: Sums,
}

impl Behind {
    fn new(hours: &[HourBucket], slice: Length) -> Self {
        let mut later = Sums::ZERO;
        let mut entries: Vec<(Timestamp, i64, Sums)> = hours
            .iter()
            .rev()
            .map(|hour| {
                let measured = hour.measured.count_of(slice);
                let entry = (hour.end, measured, later);
                later = later.plus(Sums { events: hour.events, total: hour.total, measured: wrapped(measured) });
                entry
            })
            .collect();
        entries.reverse();
        Self { slice, hours: entries, all: later }
    }

    fn after(&self, time: Timestamp) -> Sums {
        let passed = self.hours.partition_point(|(end, ..)| *end <= time);
        let later =
            passed.checked_sub(1).and_then(|index| self.hours.get(index)).map_or(self.all, |(.., later)| *later);
        let Some((end, measured, _)) = self.hours.get(passed) else { return later };
        let gone = (HOUR.millis() - end.since(time).millis()).max(0) / self.slice.millis();
        let slices = HOUR.count_of(self.slice).max(1);
        Sums { measured: later.measured.wrapping_sub(wrapped(measured * gone / slices)), ..later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::{TOTAL, answer, at, definition, live, past, series, state};
    use crate::engine::observation::SeriesSamples;

    const DAY: i64 = 86_400;

    fn steady(from: i64, to: i64) -> SeriesSamples {
        let samples: Vec<(i64, f64)> = (from / 30..=to / 30).map(|number| (number * 30, number as f64 * 7.0)).collect();
        series(&[], TOTAL, &samples)
    }

    fn only(state: &SloState) -> &Instance {
        state.instance(&Labels::new()).unwrap()
    }

    #[test]
    fn hours_are_taken_once_they_cannot_change_and_again_where_they_did() {
        let all = [steady(DAY, DAY + 20_000)];
        let mut state = state(definition());
        live(&mut state, &all, DAY - 30, DAY + 3_600 + 270);
        assert_eq!(state.take_finished_hours(), []);
        live(&mut state, &all, DAY + 3_600 + 270, DAY + 3_600 + 300);
        let hours = state.take_finished_hours();
        let expected = HourBucket { end: at(DAY + 3_600), events: 0.0, total: 840.0, measured: HOUR };
        assert_eq!(hours, [(Labels::new(), expected)]);
        assert_eq!(state.take_finished_hours(), []);
        // A silence of three hours that ends is folded onto the second hour: it is taken again.
        let cut = DAY + 7_000;
        let mut samples: Vec<(i64, f64)> = Vec::new();
        for sample in all[0].samples.iter() {
            let time = sample.at.millis() / 1_000;
            if time <= cut || time >= cut + 10_800 {
                samples.push((time, sample.value));
            }
        }
        let holed = [series(&[], TOTAL, &samples)];
        live(&mut state, &holed, DAY + 3_900, cut + 9_000);
        let before = state.take_finished_hours();
        assert_eq!(
            before.iter().map(|(_, hour)| hour.end).collect::<Vec<_>>(),
            [at(DAY + 7_200), at(DAY + 10_800), at(DAY + 14_400)]
        );
        live(&mut state, &holed, cut + 9_000, cut + 11_400);
        let after = state.take_finished_hours();
        assert_eq!(after[0].1.end, at(DAY + 7_200));
        assert!(after[0].1.total > 3.0 * 840.0 && after[0].1.measured > HOUR * 2, "{after:?}");
    }

    #[test]
    fn hours_of_history_begin_after_the_oldest_sample() {
        let all = [steady(DAY + 600, DAY + 40_000)];
        let mut state = state(definition());
        state.advance(&answer(&all, DAY + 30_000, DAY + 36_000), at(DAY + 36_000));
        state.prepend(&past(&all, -1, DAY + 30_000));
        let hours: Vec<Timestamp> = state.take_finished_hours().iter().map(|(_, hour)| hour.end).collect();
        assert_eq!(hours.first(), Some(&at(DAY + 7_200)));
        assert_eq!(hours.last(), Some(&at(DAY + 32_400)));
    }

    #[test]
    fn restored_hours_continue_what_the_source_still_has() {
        let end = 40 * DAY;
        let all = [steady(0, end)];
        let mut whole = state(definition());
        whole.advance(&answer(&all, -30, end), at(end));
        let hours: Vec<HourBucket> = whole.take_finished_hours().into_iter().map(|(_, hour)| hour).collect();
        // The source keeps a day and 17 minutes.
        let kept = [steady(end - DAY - 1_020, end)];
        let mut restored = state(definition());
        restored.advance(&answer(&kept, end - 21_600, end), at(end));
        restored.prepend(&past(&kept, end - 30 * DAY, end - 21_600));
        let before = only(&restored).oldest_total().unwrap().ceil_to(HOUR);
        restored.restore_hours(&Labels::new(), &hours, before);
        for length in [Length::from_days(30), Length::from_days(7), Length::from_days(3), Length::from_days(1)] {
            let (one, other) = (only(&restored).window(length), only(&whole).window(length));
            assert_eq!(one, other, "{length}");
        }
        // Within a restored hour: its events whole, its measured time in part.
        let window = only(&restored).window(Length::from_minutes(60 * 50 + 20));
        assert_eq!((window.total, window.coverage), (51.0 * 840.0, 1.0));
    }

    #[test]
    fn a_source_that_begins_in_the_running_hour_leaves_what_was_measured_since_alone() {
        let begin = 10 * DAY + 1_200;
        let all = [steady(begin, begin + 600)];
        let mut state = state(definition());
        state.advance(&answer(&all, begin - 21_600, begin + 600), at(begin + 600));
        let before = only(&state).window(HOUR);
        assert_eq!((before.total, before.measured), (140.0, Length::from_minutes(10)));
        let hour = HourBucket { end: at(10 * DAY), events: 0.0, total: 84.0, measured: HOUR };
        let first = only(&state).oldest_total().unwrap().ceil_to(HOUR);
        assert!(first > only(&state).as_of(), "the hour of the oldest sample is not over");
        state.restore_hours(&Labels::new(), &[hour], first);
        let after = only(&state).window(Length::from_minutes(20));
        assert_eq!((after.total, after.measured), (140.0, Length::from_minutes(10)));
        assert!((only(&state).window(Length::from_days(7)).total - 224.0).abs() < f64::EPSILON);
    }
}
