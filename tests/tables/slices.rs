//! SEMANTICS 1 and 2: boundaries, and the table from samples to slices.

use slo::units::Labels;

use crate::oracle::adapter::{answer, length, time};
use crate::oracle::drive::engine;
use crate::oracle::exact::{Rational, count, from_float, whole};
use crate::oracle::ledger::{Cell, Ledger, ledger};
use crate::oracle::window::begin_of;
use crate::oracle::world::{DAY, HOUR, MINUTE, SECOND, Setting, World};

const TOTAL: (bool, bool, bool) = (false, true, false);
const BOTH: (bool, bool, bool) = (true, true, false);

fn labels(metric: &str, code: &str) -> Labels {
    Labels::from([("__name__", metric), ("job", "shop"), ("instance", "a"), ("code", code)])
}

fn one(samples: &[(f64, f64)]) -> World {
    World::default().with(labels("requests_total", "200"), TOTAL, samples)
}

fn seen_at(world: &World, seconds: i64) -> Ledger {
    ledger(&world.known_at(seconds * SECOND), &Setting::plain(), &Labels::new(), seconds * SECOND)
}

/// A slice that is not empty: its end in seconds, bad, total, measured seconds.
type Slice = (i64, Rational, Rational, i64);

/// What the oracle books.
fn oracle_slices(world: &World, seconds: i64) -> Vec<Slice> {
    let ledger = seen_at(world, seconds);
    let slice =
        |(end, cell): (&i64, &Cell)| (end / SECOND, count(cell.events), count(cell.total), cell.measured / SECOND);
    ledger.cells.iter().map(slice).collect()
}

/// What the engine books, told of everything slice by slice: neighbouring windows differ by one slice.
fn engine_slices(world: &World, seconds: i64) -> Vec<Slice> {
    let setting = Setting::plain();
    let mut state = engine(&setting);
    for end in (0..=seconds).step_by(30).map(|end| end * SECOND) {
        state.advance(&answer(world, end - setting.slice - setting.gap, end, end), time(end));
    }
    let instance = state.instance(&Labels::new()).unwrap();
    let sums = |end: i64| {
        let figures = instance.window(length((seconds - end) * SECOND));
        (from_float(figures.bad), from_float(figures.total), figures.measured.millis() / SECOND)
    };
    let slice = |end: i64| {
        let (newer, older) = (if end == seconds { (whole(0), whole(0), 0) } else { sums(end) }, sums(end - 30));
        (end, older.0 - newer.0, older.1 - newer.1, older.2 - newer.2)
    };
    (30..=seconds).step_by(30).map(slice).collect()
}

/// Asserts `slice: (bad, total)` for all slices that have an increase, by both.
fn booked(world: &World, seconds: i64, expected: &[(i64, i64, i64)]) {
    let expected: Vec<_> = expected.iter().map(|&(end, bad, total)| (end, whole(bad), whole(total))).collect();
    for (who, slices) in [("oracle", oracle_slices(world, seconds)), ("engine", engine_slices(world, seconds))] {
        let found = slices.into_iter().filter(|slice| slice.2 > whole(0) || slice.1 > whole(0));
        let found: Vec<_> = found.map(|(end, bad, total, _)| (end, bad, total)).collect();
        assert_eq!(found, expected, "{who}");
    }
}

/// Asserts `slice: measured seconds` for all slices that have any, by both.
fn measured(world: &World, seconds: i64, expected: &[(i64, i64)]) {
    for (who, slices) in [("oracle", oracle_slices(world, seconds)), ("engine", engine_slices(world, seconds))] {
        let found: Vec<_> =
            slices.into_iter().filter(|slice| slice.3 > 0).map(|(end, _, _, time)| (end, time)).collect();
        assert_eq!(found, expected, "{who}");
    }
}

#[test]
fn window_boundaries_at_12_34_30() {
    let noon = 20_000 * DAY + 12 * HOUR;
    let w = noon + 34 * MINUTE + 30 * SECOND;
    let slice = 30 * SECOND;
    assert_eq!(begin_of(w, HOUR, slice), w - HOUR);
    assert_eq!(begin_of(w, 6 * HOUR, slice), w - 6 * HOUR);
    assert_eq!(begin_of(w, 3 * DAY, slice), noon + 30 * MINUTE - 3 * DAY);
    assert_eq!(begin_of(w, 30 * DAY, slice), noon - 30 * DAY);
}

#[test]
fn an_increase_belongs_to_the_slice_of_its_second_sample() {
    booked(&one(&[(30.0, 100.0), (60.0, 130.0), (91.0, 135.0)]), 120, &[(60, 0, 30), (120, 0, 5)]);
}

#[test]
fn a_reset_counts_from_zero() {
    booked(&one(&[(25.0, 100.0), (55.0, 4.0), (85.0, 9.0)]), 90, &[(60, 0, 4), (90, 0, 5)]);
}

#[test]
fn a_first_error_beside_a_living_sibling_counts() {
    let world = one(&[(25.0, 100.0), (55.0, 130.0)]).with(labels("requests_total", "500"), BOTH, &[(55.0, 7.0)]);
    booked(&world, 60, &[(60, 7, 37)]);
}

#[test]
fn a_relabelled_counter_does_not_count_its_life_again() {
    let world = one(&[(25.0, 100_000.0)]).with(labels("requests_total", "201"), TOTAL, &[(55.0, 100_030.0)]);
    booked(&world, 60, &[]);
}

#[test]
fn a_first_sample_counts_where_the_process_started_lately() {
    let mut world = one(&[(55.0, 9.0)]);
    booked(&world, 60, &[]);
    world.starts.push((Labels::from([("job", "shop"), ("instance", "a")]), 43 * SECOND));
    booked(&world, 60, &[(60, 0, 9)]);
}

#[test]
fn a_distance_below_the_gap_limit_is_measured() {
    let world = one(&[(10.0, 0.0), (250.0, 40.0)]);
    booked(&world, 270, &[(270, 0, 40)]);
    let expected: Vec<_> = (1..=9).map(|slice| (slice * 30, 30)).collect();
    measured(&world, 270, &expected);
}

#[test]
fn a_gap_is_folded_onto_its_first_slice() {
    let world = one(&[(10.0, 0.0), (40.0, 5.0), (640.0, 65.0), (670.0, 70.0)]);
    booked(&world, 690, &[(60, 0, 65), (690, 0, 5)]);
    measured(&world, 690, &[(30, 30), (60, 600), (660, 30), (690, 30)]);
}

#[test]
fn half_a_gap_limit_is_measured_provisionally() {
    let world = one(&[(10.0, 0.0), (40.0, 5.0)]);
    let expected: Vec<_> = (1..=6).map(|slice| (slice * 30, 30)).collect();
    measured(&world, 180, &expected);
    measured(&world, 300, &expected);
    measured(&world, 360, &[(30, 30)]);
}

#[test]
fn a_scrape_that_failed_ends_what_is_measured() {
    let scraped = |samples: &[(f64, f64)], until: i64| {
        let mut world = one(samples);
        let target = Labels::from([("job", "shop"), ("instance", "a")]);
        world.looks = (10..=until).step_by(30).map(|at| (target.clone(), at * SECOND)).collect();
        world
    };
    let failing = scraped(&[(10.0, 0.0), (40.0, 5.0)], 160);
    measured(&failing, 60, &[(30, 30), (60, 30)]);
    measured(&failing, 90, &[(30, 30)]);
    measured(&failing, 180, &[(30, 30)]);
    let back = scraped(&[(10.0, 0.0), (40.0, 5.0), (190.0, 8.0)], 190);
    let expected: Vec<_> = (1..=7).map(|slice| (slice * 30, 30)).collect();
    measured(&back, 210, &expected);
    booked(&back, 210, &[(60, 0, 5), (210, 0, 3)]);
}
