//! Pushdown points: counts on the slice of the evaluation, whole steps measured, everything marked estimated.

use proptest::prelude::any;
use proptest::proptest;
use proptest::test_runner::TestCaseError;
use slo::units::Labels;

use super::cases;
use crate::oracle::adapter::{answer, time};
use crate::oracle::compare::compare;
use crate::oracle::drive::engine;
use crate::oracle::exact::decimal;
use crate::oracle::random::Random;
use crate::oracle::scene::balanced;
use crate::oracle::world::{DAY, MINUTE, Point, SECOND, Setting, World};

/// Evaluations with everything that a store may say: values, nothing, NaN, infinity, evaluations that are missing.
fn points(random: &mut Random, begin: i64, end: i64, step: i64, groups: &[Labels]) -> Vec<Point> {
    let mut points = Vec::new();
    for at in (begin + step..=end).step_by(usize::try_from(step).unwrap()) {
        for group in groups {
            let value = |random: &mut Random, most: f64| match random.between(1, 30) {
                1 => None,
                2 => Some(f64::NAN),
                3 => Some(0.0),
                _ => Some(random.share() * most),
            };
            let (events, mut total) = (value(random, 20.0), value(random, 300.0));
            if random.once_in(60) {
                total = Some(f64::INFINITY);
            }
            if !random.once_in(20) {
                points.push(Point { at, group: group.clone(), events, total });
            }
        }
    }
    points
}

fn points_equal_the_oracle(seed: u64, minutes: i64, step: i64, grouped: bool, good: bool) -> Result<(), String> {
    let mut random = Random::new(seed, 0);
    let begin = 20_000 * DAY + random.between(0, 23) * 60 * MINUTE;
    let groups = [Labels::from([("region", "eu")]), Labels::from([("region", "us")])];
    let groups = if grouped { &groups[..] } else { &[Labels::new()] };
    let world =
        World { points: points(&mut random, begin, begin + minutes * MINUTE, step, groups), ..World::default() };
    let setting = Setting {
        step: Some(step),
        by: if grouped { vec!["region".to_owned()] } else { Vec::new() },
        good,
        budget: decimal(random.pick(&["0.1%", "1%", "5%"])),
        tiers: balanced(),
        ..Setting::plain()
    };
    let mut state = engine(&setting);
    let mut w = begin;
    while w + step <= begin + minutes * MINUTE {
        let steps = if random.once_in(10) { random.between(1, 12) } else { 1 };
        let before = w;
        for _ in 0..steps {
            if w + step <= begin + minutes * MINUTE {
                w += step;
            }
        }
        let observation = answer(&world, before - setting.gap, w, w);
        for end in (before + step..=w).step_by(usize::try_from(step).unwrap()) {
            state.advance(&observation, time(end));
            if random.once_in(10) {
                compare(&state, &world.seen_at(end, w), &setting, end, &[random.between(1, 300) * 41 * SECOND])?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn pushdown_points_equal_the_oracle(
        seed in any::<u64>(), minutes in 20_i64..400, wide in any::<bool>(), grouped in any::<bool>(), good in any::<bool>(),
    ) {
        let step = if wide { 5 * MINUTE } else { MINUTE };
        points_equal_the_oracle(seed, minutes, step, grouped, good).map_err(TestCaseError::fail)?;
    }
}
