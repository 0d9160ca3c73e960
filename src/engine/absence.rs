//! `absent: bad`: a slice without a value is a bad event (SEMANTICS 2, *Other kinds*).
//!
//! Which slices that are is a function of what is known, so that history and live answers give the same: those after
//! the instance's first value, and, without groups, those lived through, for a metric that never was there. What lay
//! before the metric existed stays unmeasured. A store that did not answer says nothing of the time until it did.

use crate::engine::booking::{Booking, apply};
use crate::engine::coverage::Stretch;
use crate::engine::instance::Instance;
use crate::engine::state::{Loaded, SloState};
use crate::units::{Length, Timestamp};

/// One slice without a value: one event, and bad.
const ABSENT: (f64, f64) = (1.0, 1.0);

/// What the absence of a value means in one SLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Without groups: slices after this were lived through, not read later; `None`: none yet.
    pub(crate) lived_after: Option<Timestamp>,
    /// `(from, to]`: slices of which the source could not be asked, the newest such time.
    pub(crate) unanswered: Option<(Timestamp, Timestamp)>,
}

impl Absence {
    /// Whether no value at `at` is a bad event, for an instance whose first value came at `first`.
    fn is_bad(self, at: Timestamp, first: Option<Timestamp>) -> bool {
        let answered = self.unanswered.is_none_or(|(from, to)| at <= from || at > to);
        let after = |time: Option<Timestamp>| time.is_some_and(|time| at > time);
        answered && (after(first) || after(self.lived_after))
    }

    /// `values` with the bad events of absence added, for the slices in `(from, to]`; both ascending.
    pub(crate) fn fill(
        self,
        values: Vec<(Timestamp, (f64, f64))>,
        first: Option<Timestamp>,
        (from, to): (Timestamp, Timestamp),
        step: Length,
    ) -> Vec<(Timestamp, (f64, f64))> {
        let mut filled = Vec::new();
        let mut next = values.into_iter().peekable();
        for at in steps(from, to, step) {
            match next.next_if(|(found, _)| *found == at) {
                Some(value) => filled.push(value),
                None if self.is_bad(at, first) => filled.push((at, ABSENT)),
                None => {}
            }
        }
        filled
    }
}

/// The slice ends in `(from, to]`.
fn steps(from: Timestamp, to: Timestamp, step: Length) -> impl Iterator<Item = Timestamp> {
    let first = (from + Length::from_millis(1)).ceil_to(step);
    std::iter::successors(Some(first), move |at| Some(*at + step)).take_while(move |at| *at <= to)
}

impl SloState {
    /// Notes that the slices after `loaded` are lived through, unless they are evaluated late.
    pub(crate) fn note_lived(&mut self, loaded: Loaded, as_of: Timestamp) {
        let in_time = self.unasked_to.is_none_or(|late| as_of > late);
        if in_time && self.definition.by.is_empty() {
            self.absence.lived_after = self.absence.lived_after.or(Some(loaded.end));
        }
    }

    /// The first value of each instance, in their places.
    pub(crate) fn first_values(&self) -> Vec<Option<Timestamp>> {
        self.instances.iter().map(|instance| instance.first_total).collect()
    }

    /// History after which an instance has an older first value, `before` being those known until then: what is loaded
    /// from `to` up to its former first value has no values, and that is bad now.
    pub(crate) fn book_absence_after(&mut self, to: Timestamp, before: &[Option<Timestamp>]) {
        let (Some(loaded), true) = (self.loaded, self.definition.absent_is_bad) else { return };
        let (absence, slice) = (self.absence, self.definition.slice.length());
        let step = self.definition.pushdown.unwrap_or(slice);
        let mut bookings = Vec::new();
        for (number, instance) in (0_u32..).zip(&mut self.instances) {
            let known = usize::try_from(number).ok().and_then(|place| before.get(place).copied()).flatten();
            let end = known.map_or(loaded.end, |first| first - step);
            let newly = |at: &Timestamp| absence.is_bad(*at, instance.first_total) && !absence.is_bad(*at, known);
            let bad: Vec<Timestamp> = steps(to, end, step).filter(newly).collect();
            bookings.extend(bad.iter().map(|at| Booking { instance: number, slice: *at, amounts: ABSENT }));
            fill_holes(instance, &bad, step, slice);
        }
        apply(&mut self.instances, &mut bookings);
    }
}

/// Marks the steps that end at `bad`, ascending, as measured; neighbours together.
fn fill_holes(instance: &mut Instance, bad: &[Timestamp], step: Length, slice: Length) {
    let runs: Vec<Stretch> = bad
        .chunk_by(|older, newer| newer.since(*older) == step)
        .filter_map(|run| Some(Stretch::of(*run.first()? - step, *run.last()?, slice)))
        .collect();
    if let Some(first) = runs.first() {
        instance.change_coverage(first.from, |coverage| coverage.fill(&runs));
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::definition::Definition;
    use crate::engine::fixture::{at, cells, definition, remarkable, state};
    use crate::engine::observation::{History, Observation, Point};
    use crate::engine::state::SloState;
    use crate::units::{Labels, Length};

    fn gauge() -> Definition {
        Definition {
            pushdown: Some(Length::from_seconds(30)),
            time_weighted: true,
            absent_is_bad: true,
            ..definition()
        }
    }

    fn value(seconds: i64, bad: f64, total: f64) -> Point {
        Point { at: at(seconds), group: Labels::new(), events: Some(bad), total: Some(total) }
    }

    fn of(region: &str, point: &Point) -> Point {
        Point { group: Labels::from([("region", region)]), ..point.clone() }
    }

    fn answer(from: i64, to: i64, points: &[Point]) -> Observation {
        let points = points.iter().filter(|point| point.at > at(from) && point.at <= at(to)).cloned().collect();
        Observation { from: at(from), to: at(to), points, ..Observation::default() }
    }

    /// Asks at each slice end in `(from, to]`, with 5 min of overlap.
    fn live(state: &mut SloState, points: &[Point], from: i64, to: i64) {
        for end in (from + 30..=to).step_by(30) {
            state.advance(&answer((end - 330).max(0), end, points), at(end));
        }
    }

    fn past(from: i64, to: i64, points: &[Point]) -> History {
        let piece = answer(from, to, points);
        History { from: piece.from, to: piece.to, points: piece.points, ..History::default() }
    }

    #[test]
    fn a_slice_without_a_value_is_bad_after_the_first_value() {
        let mut state = state(gauge());
        state.asked_late(at(180));
        live(&mut state, &[value(60, 0.0, 1.0), value(90, 1.0, 1.0), value(180, 0.0, 1.0)], 0, 210);
        let instance = state.instance(&Labels::new()).unwrap();
        let expected = [
            (30, 0.0, 0.0, 0),
            (60, 0.0, 1.0, 1),
            (90, 1.0, 1.0, 1),
            (120, 1.0, 1.0, 1),
            (150, 1.0, 1.0, 1),
            (180, 0.0, 1.0, 1),
            (210, 1.0, 1.0, 1),
        ];
        assert_eq!(remarkable(instance, 0, 210), expected);
        assert!(instance.budget().estimated, "30 s are filled");
    }

    #[test]
    fn a_metric_that_never_was_there_is_bad_from_the_first_slice_lived_through() {
        let mut state = state(gauge());
        state.asked_late(at(60));
        live(&mut state, &[], 0, 120);
        let booked = [(30, 0.0, 0.0, 0), (60, 0.0, 0.0, 0), (90, 1.0, 1.0, 1), (120, 1.0, 1.0, 1)];
        assert_eq!(remarkable(state.instance(&Labels::new()).unwrap(), 0, 120), booked);
    }

    #[test]
    fn a_value_that_comes_late_takes_the_place_of_its_absence() {
        let mut state = state(gauge());
        live(&mut state, &[value(30, 0.0, 1.0)], 0, 90);
        live(&mut state, &[value(30, 0.0, 1.0), value(60, 0.0, 1.0)], 90, 120);
        let booked = [(30, 0.0, 1.0, 1), (60, 0.0, 1.0, 1), (90, 1.0, 1.0, 1), (120, 1.0, 1.0, 1)];
        assert_eq!(remarkable(state.instance(&Labels::new()).unwrap(), 0, 120), booked);
    }

    #[test]
    fn time_in_which_the_source_did_not_answer_is_not_bad() {
        let mut state = state(gauge());
        let points = [value(30, 0.0, 1.0), value(630, 0.0, 1.0)];
        live(&mut state, &points, 0, 30);
        state.not_answered(at(30), at(600));
        live(&mut state, &points, 30, 660);
        let instance = state.instance(&Labels::new()).unwrap();
        let window = instance.window(Length::from_seconds(660));
        assert_eq!((window.bad, window.total, window.measured), (1.0, 3.0, Length::from_seconds(90)));
    }

    #[test]
    fn each_known_group_is_bad_without_a_value_and_one_that_is_unknown_is_not_there() {
        let mut state = state(Definition { by: vec!["region".to_owned()], ..gauge() });
        live(&mut state, &[of("eu", &value(30, 0.0, 2.0)), of("us", &value(60, 1.0, 1.0))], 0, 90);
        let booked = |region: &str| remarkable(state.instance(&Labels::from([("region", region)])).unwrap(), 0, 90);
        assert_eq!(booked("eu"), [(30, 0.0, 2.0, 1), (60, 1.0, 1.0, 1), (90, 1.0, 1.0, 1)]);
        assert_eq!(booked("us"), [(30, 0.0, 0.0, 0), (60, 1.0, 1.0, 1), (90, 1.0, 1.0, 1)]);
    }

    #[test]
    fn a_group_without_a_value_for_a_whole_period_may_leave() {
        let definition = Definition { by: vec!["region".to_owned()], window: Length::from_hours(1), ..gauge() };
        let mut state = state(definition);
        live(&mut state, &[of("eu", &value(30, 0.0, 1.0))], 0, 3_600);
        assert_eq!(state.vanished().count(), 0);
        live(&mut state, &[], 3_600, 3_660);
        assert_eq!(state.vanished().count(), 1);
    }

    #[test]
    fn backfill_equals_a_single_pass() {
        let to = 30 * 3_600;
        let whole = |region: &str, from: i64, until: i64, every: i64| -> Vec<Point> {
            let ends = (from / 30 + 1..=until / 30).filter(|number| number % every != 1);
            ends.map(|number| of(region, &value(number * 30, f64::from(number % 7 == 0), 1.0))).collect()
        };
        // A group with short and long holes, one that is gone before what is loaded first, one that is young.
        let mut points = whole("eu", 40_000, to, 90);
        points.retain(|point| point.at <= at(60_000) || point.at > at(95_000));
        points.extend(whole("us", 20_000, 70_000, 1_000));
        points.extend(whole("af", to - 3_600, to, 50));
        points.sort_by_key(|point| point.at);
        for grouped in [true, false] {
            let by = if grouped { vec!["region".to_owned()] } else { Vec::new() };
            let mut points = points.clone();
            if !grouped {
                points.retain(|point| point.group.get("region") == Some("eu"));
                for point in &mut points {
                    point.group = Labels::new();
                }
            }
            let definition = Definition { by, ..gauge() };
            let mut passed = state(definition.clone());
            passed.asked_late(at(to));
            passed.advance(&answer(-1, to, &points), at(to));
            let mut filled = state(definition);
            filled.asked_late(at(to));
            filled.advance(&answer(to - 21_600, to, &points), at(to));
            let mut reached = to - 21_600;
            for from in [to - 22_000, to - 50_000, -1] {
                filled.prepend(&past(from, reached, &points));
                reached = from;
            }
            assert_eq!(filled.instances.len(), passed.instances.len());
            for (group, passed) in passed.instances() {
                let filled = filled.instance(group).unwrap();
                assert_eq!(filled.coverage, passed.coverage, "{group}");
                assert!(cells(filled) == cells(passed), "{group}");
            }
        }
    }
}
