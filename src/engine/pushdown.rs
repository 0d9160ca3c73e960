//! Pushdown mode: the store evaluates the queries, a step at a time (SEMANTICS 2, *Pushdown mode*).
//!
//! A point belongs to the slice that ends at its evaluation; it measures the slices of its step. Nothing is held of
//! old points: what is booked stands in the cells, and a re-read adds the difference.

use std::collections::BTreeMap;

use crate::engine::booking::{Booking, apply};
use crate::engine::coverage::Stretch;
use crate::engine::observation::{Observation, Point};
use crate::engine::state::{Loaded, SloState};
use crate::engine::sums::Sums;
use crate::units::{COUNT_GRID, Length, Timestamp, round_to_grid};

/// What one step of one instance holds: `None` where its slices are unmeasured.
pub(crate) type Steps = BTreeMap<(u32, Timestamp), Option<(f64, f64)>>;

impl SloState {
    pub(crate) fn advance_points(&mut self, observation: &Observation, loaded: Loaded, as_of: Timestamp) {
        let mutable = observation.from.max(loaded.end - self.definition.gap).max(loaded.from);
        let slice = self.definition.slice.length();
        let step = self.definition.pushdown.unwrap_or(slice);
        let steps = self.steps(&observation.points, mutable, as_of);
        self.loaded = Some(Loaded { end: as_of, ..loaded });
        let mut bookings = Vec::new();
        for (number, instance) in (0_u32..).zip(&mut self.instances) {
            let mine = steps.range((number, Timestamp::from_millis(i64::MIN))..=(number, as_of));
            let measured: Vec<(Timestamp, (f64, f64))> =
                mine.filter_map(|((_, at), counts)| counts.map(|counts| (*at, counts))).collect();
            let mut next = measured.iter().peekable();
            let mut at = (mutable + Length::from_millis(1)).ceil_to(step);
            while at <= as_of {
                let (events, total) = next.next_if(|(found, _)| *found == at).map_or((0.0, 0.0), |(_, counts)| *counts);
                let booked = instance.between(at - slice, at).unwrap_or(Sums::ZERO);
                let amounts = (events - booked.events, total - booked.total);
                bookings.push(Booking { instance: number, slice: at, amounts });
                at = at + step;
            }
            if let Some((newest, _)) = measured.last() {
                instance.newest_total = instance.newest_total.max(Some(*newest));
            }
            instance.windows.extend(as_of);
            // Steps evaluated at or before `mutable` stand, and with them their slices.
            let within = Stretch::of(mutable.min(loaded.end).floor_to(step), as_of, slice);
            let covered = measured.iter().map(|(at, _)| Stretch::of(*at - step, *at, slice)).collect();
            instance.change_coverage(|coverage| coverage.cover(within, covered));
        }
        apply(&mut self.instances, &mut bookings);
    }

    /// The points in `(from, to]` by instance and time; instances are born with their first value. Groups that share
    /// the instance `other` are summed.
    pub(crate) fn steps(&mut self, points: &[Point], from: Timestamp, to: Timestamp) -> Steps {
        let step = self.definition.pushdown.unwrap_or(self.definition.slice.length());
        let mut steps = Steps::new();
        for point in points.iter().filter(|point| point.at > from && point.at <= to) {
            if point.at.floor_to(step) != point.at || (point.events.is_none() && point.total.is_none()) {
                continue;
            }
            let number = self.instance_for(&point.group);
            let counts = counts(point);
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
fn counts(point: &Point) -> Option<(f64, f64)> {
    let usable = |value: f64| value.is_finite() && value >= 0.0;
    let total = point.total.filter(|total| usable(*total))?;
    let events = point.events.unwrap_or(0.0);
    usable(events).then(|| (round_to_grid(events, COUNT_GRID), round_to_grid(total, COUNT_GRID)))
}
