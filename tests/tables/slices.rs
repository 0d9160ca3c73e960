//! SEMANTICS 1 and 2: boundaries, and the table from samples to slices.

use slo::units::Labels;

use crate::oracle::exact::{count, whole};
use crate::oracle::ledger::{Ledger, ledger};
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

/// Asserts `slice: (bad, total)` for all slices that have an increase.
fn booked(ledger: &Ledger, expected: &[(i64, i64, i64)]) {
    let found: Vec<_> = ledger
        .cells
        .iter()
        .filter(|(_, cell)| cell.total > 0 || cell.events > 0)
        .map(|(end, cell)| (end / SECOND, count(cell.events), count(cell.total)))
        .collect();
    let expected: Vec<_> = expected.iter().map(|&(end, bad, total)| (end, whole(bad), whole(total))).collect();
    assert_eq!(found, expected);
}

/// Asserts `slice: measured seconds` for all slices that have any.
fn measured(ledger: &Ledger, expected: &[(i64, i64)]) {
    let measured = ledger.cells.iter().filter(|(_, cell)| cell.measured > 0);
    let found: Vec<_> = measured.map(|(end, cell)| (end / SECOND, cell.measured / SECOND)).collect();
    assert_eq!(found, expected);
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
    booked(&seen_at(&one(&[(30.0, 100.0), (60.0, 130.0), (91.0, 135.0)]), 120), &[(60, 0, 30), (120, 0, 5)]);
}

#[test]
fn a_reset_counts_from_zero() {
    booked(&seen_at(&one(&[(25.0, 100.0), (55.0, 4.0), (85.0, 9.0)]), 90), &[(60, 0, 4), (90, 0, 5)]);
}

#[test]
fn a_first_error_beside_a_living_sibling_counts() {
    let world = one(&[(25.0, 100.0), (55.0, 130.0)]).with(labels("requests_total", "500"), BOTH, &[(55.0, 7.0)]);
    booked(&seen_at(&world, 60), &[(60, 7, 37)]);
}

#[test]
fn a_relabelled_counter_does_not_count_its_life_again() {
    let world = one(&[(25.0, 100_000.0)]).with(labels("requests_total", "201"), TOTAL, &[(55.0, 100_030.0)]);
    booked(&seen_at(&world, 60), &[]);
}

#[test]
fn a_first_sample_counts_where_the_process_started_lately() {
    let mut world = one(&[(55.0, 9.0)]);
    booked(&seen_at(&world, 60), &[]);
    world.starts.push((Labels::from([("job", "shop"), ("instance", "a")]), 43 * SECOND));
    booked(&seen_at(&world, 60), &[(60, 0, 9)]);
}

#[test]
fn a_distance_below_the_gap_limit_is_measured() {
    let ledger = seen_at(&one(&[(10.0, 0.0), (250.0, 40.0)]), 270);
    booked(&ledger, &[(270, 0, 40)]);
    let expected: Vec<_> = (1..=9).map(|slice| (slice * 30, 30)).collect();
    measured(&ledger, &expected);
}

#[test]
fn a_gap_is_folded_onto_its_first_slice() {
    let ledger = seen_at(&one(&[(10.0, 0.0), (40.0, 5.0), (640.0, 65.0), (670.0, 70.0)]), 690);
    booked(&ledger, &[(60, 0, 65), (690, 0, 5)]);
    measured(&ledger, &[(30, 30), (60, 600), (660, 30), (690, 30)]);
}

#[test]
fn half_a_gap_limit_is_measured_provisionally() {
    let world = one(&[(10.0, 0.0), (40.0, 5.0)]);
    let expected: Vec<_> = (1..=6).map(|slice| (slice * 30, 30)).collect();
    measured(&seen_at(&world, 180), &expected);
    measured(&seen_at(&world, 300), &expected);
    measured(&seen_at(&world, 360), &[(30, 30)]);
}
