//! Pushdown mode: the store evaluates the queries, a step at a time (SEMANTICS 2, *Pushdown mode*).
//!
//! A point belongs to the slice that ends at its evaluation; it measures the slices of its step. Nothing is held of
//! old points: what is booked stands in the cells, and a re-read adds the difference. What is weighted by time (`gauge`,
//! `probe`, `ratio`) comes the same way, with a step of one slice.

use std::collections::BTreeMap;

use crate::engine::booking::{Booking, apply};
use crate::engine::coverage::Stretch;
use crate::engine::observation::{Observation, Point};
use crate::engine::state::{Loaded, SloState};
use crate::engine::sums::Sums;
use crate::units::{COUNT_GRID, Length, SHARE_GRID, Timestamp, round_to_grid};

/// What one step of one instance holds: `None` where its slices are unmeasured.
pub(crate) type Steps = BTreeMap<(u32, Timestamp), Option<(f64, f64)>>;

impl SloState {
    pub(crate) fn advance_points(&mut self, observation: &Observation, loaded: Loaded, as_of: Timestamp) {
        let mutable = observation.from.max(loaded.end - self.definition.gap).max(loaded.from);
        let slice = self.definition.slice.length();
        let step = self.definition.pushdown.unwrap_or(slice);
        let steps = self.steps(&observation.points, mutable, as_of);
        self.note_lived(loaded, as_of);
        let absence = self.definition.absent_is_bad.then_some(self.absence);
        self.loaded = Some(Loaded { end: as_of, ..loaded });
        let mut bookings = Vec::new();
        for (number, instance) in (0_u32..).zip(&mut self.instances) {
            let mine = steps.range((number, Timestamp::from_millis(i64::MIN))..=(number, as_of));
            let measured: Vec<(Timestamp, (f64, f64))> =
                mine.filter_map(|((_, at), counts)| counts.map(|counts| (*at, counts))).collect();
            if let Some((newest, _)) = measured.last() {
                instance.newest_total = instance.newest_total.max(Some(*newest));
            }
            let measured = match absence {
                Some(absence) => absence.fill(measured, instance.first_total, (mutable, as_of), step),
                None => measured,
            };
            let mut next = measured.iter().peekable();
            let mut at = (mutable + Length::from_millis(1)).ceil_to(step);
            while at <= as_of {
                let (events, total) = next.next_if(|(found, _)| *found == at).map_or((0.0, 0.0), |(_, counts)| *counts);
                let booked = instance.between(at - slice, at).unwrap_or(Sums::ZERO);
                let amounts = (events - booked.events, total - booked.total);
                bookings.push(Booking { instance: number, slice: at, amounts });
                at = at + step;
            }
            instance.windows.extend(as_of);
            // Steps evaluated at or before `mutable` stand, and with them their slices.
            let since = mutable.min(loaded.end).floor_to(step).max(instance.windows.origin());
            let within = Stretch::of(since, as_of, slice);
            let covered = measured.iter().map(|(at, _)| Stretch::of(*at - step, *at, slice)).collect();
            instance.change_coverage(within.from, |coverage| coverage.cover(within, covered));
        }
        apply(&mut self.instances, &mut bookings);
    }

    /// The points in `(from, to]` by instance and time, given in the order of time; instances are born with their first value. Groups that share
    /// the instance `other` are summed.
    pub(crate) fn steps(&mut self, points: &[Point], from: Timestamp, to: Timestamp) -> Steps {
        let step = self.definition.pushdown.unwrap_or(self.definition.slice.length());
        let grid = if self.definition.time_weighted { SHARE_GRID } else { COUNT_GRID };
        let mut steps = Steps::new();
        // While catching up one answer holds hours, and each slice end looks at a few minutes of it.
        let place = |time: Timestamp| points.partition_point(|point| point.at <= time);
        for point in points.get(place(from)..place(to)).unwrap_or_default() {
            if point.at.floor_to(step) != point.at || (point.events.is_none() && point.total.is_none()) {
                continue;
            }
            let number = self.instance_for(&point.group);
            let counts = counts(point, grid);
            if counts.is_some()
                && let Some(instance) = self.instances.get_mut(number as usize)
            {
                let known = |time: Option<Timestamp>| Some(time.map_or(point.at, |time| time.min(point.at)));
                instance.first_data = known(instance.first_data);
                instance.first_total = known(instance.first_total);
            }
            steps
                .entry((number, point.at))
                .and_modify(|sum| {
                    *sum = sum.zip(counts).map(|((events, total), more)| (events + more.0, total + more.1));
                })
                .or_insert(counts);
        }
        steps
    }
}

/// The counts of a point, on the grid; `None` where its step is unmeasured.
fn counts(point: &Point, grid: f64) -> Option<(f64, f64)> {
    let usable = |value: f64| value.is_finite() && value >= 0.0;
    let total = point.total.filter(|total| usable(*total))?;
    let events = point.events.unwrap_or(0.0);
    usable(events).then(|| (round_to_grid(events, grid), round_to_grid(total, grid)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::definition::Definition;
    use crate::engine::fixture::{at, cells, definition, remarkable, state};
    use crate::engine::observation::History;
    use crate::units::Labels;

    fn pushdown() -> Definition {
        Definition { pushdown: Some(Length::from_seconds(60)), ..definition() }
    }

    fn point(seconds: i64, events: Option<f64>, total: Option<f64>) -> Point {
        Point { at: at(seconds), group: Labels::new(), events, total }
    }

    fn answer(from: i64, to: i64, points: &[Point]) -> Observation {
        let points = points.iter().filter(|point| point.at > at(from) && point.at <= at(to)).cloned().collect();
        Observation { from: at(from), to: at(to), points, ..Observation::default() }
    }

    #[test]
    fn a_point_belongs_to_the_slice_that_ends_at_it_and_measures_its_step() {
        let points = [
            point(60, Some(1.0), Some(10.0)),
            point(120, None, Some(20.0)),
            point(180, Some(f64::NAN), Some(30.0)),
            point(240, Some(1.0), None),
            point(300, Some(1.0), Some(f64::NAN)),
            point(360, Some(-1.0), Some(5.0)),
            point(420, Some(0.1), Some(0.3)),
        ];
        let mut state = state(pushdown());
        for end in [60, 120, 180, 240, 300, 360, 420] {
            state.advance(&answer((end - 360).max(0), end, &points), at(end));
        }
        let instance = state.instance(&Labels::new()).unwrap();
        let grid = |value: f64| (value * 1_048_576.0).round() / 1_048_576.0;
        let mut expected = vec![(60, 1.0, 10.0, 1), (120, 0.0, 20.0, 1)];
        expected.extend((5..=12).map(|number| (number * 30, 0.0, 0.0, 0)));
        expected.push((420, grid(0.1), grid(0.3), 1));
        assert_eq!(remarkable(instance, 0, 420), expected);
        assert!(instance.budget().estimated);
        assert_eq!(instance.window(Length::from_minutes(7)).measured, Length::from_minutes(3));
    }

    #[test]
    fn a_re_read_replaces() {
        let mut state = state(pushdown());
        state.advance(&answer(0, 120, &[point(60, Some(1.0), Some(10.0)), point(120, Some(1.0), Some(10.0))]), at(120));
        state.advance(&answer(0, 180, &[point(60, Some(3.0), Some(40.0)), point(180, Some(2.0), Some(20.0))]), at(180));
        let instance = state.instance(&Labels::new()).unwrap();
        let window = instance.window(Length::from_minutes(3));
        assert_eq!((window.bad, window.total, window.measured), (5.0, 60.0, Length::from_minutes(2)));
    }

    #[test]
    fn backfill_equals_a_single_pass() {
        let to = 30 * 3_600;
        let points: Vec<Point> = (1..=to / 60)
            .filter(|number| number % 97 > 3)
            .map(|number| point(number * 60, Some((number % 7) as f64), Some((number % 50) as f64 + 7.0)))
            .collect();
        let mut passed = state(pushdown());
        passed.advance(&answer(-1, to, &points), at(to));
        let mut filled = state(pushdown());
        filled.advance(&answer(to - 21_600, to, &points), at(to));
        let mut reached = to - 21_600;
        for from in [to - 22_000, to - 50_000, -1] {
            let piece = answer(from, reached, &points);
            filled.prepend(&History { from: piece.from, to: piece.to, points: piece.points, ..History::default() });
            reached = from;
        }
        let (filled, passed) = (filled.instance(&Labels::new()).unwrap(), passed.instance(&Labels::new()).unwrap());
        assert_eq!(filled.coverage, passed.coverage);
        assert!(cells(filled) == cells(passed));
    }

    #[test]
    fn groups_beyond_the_limit_are_summed() {
        let definition = Definition { by: vec!["region".to_owned()], instances_limit: 1, ..pushdown() };
        let mut state = state(definition);
        let points: Vec<Point> = ["eu", "us", "af"]
            .into_iter()
            .map(|region| Point { group: Labels::from([("region", region)]), ..point(60, Some(1.0), Some(10.0)) })
            .collect();
        state.advance(&answer(0, 60, &points), at(60));
        let other = state.instance(&Labels::from([("region", "other")])).unwrap();
        let window = other.window(Length::from_minutes(5));
        assert_eq!((window.bad, window.total, window.measured), (2.0, 20.0, Length::from_minutes(1)));
    }
}
