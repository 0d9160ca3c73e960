//! Backfill, backwards, in chunks of any length: at each moment as if it had been one pass over what is loaded.

use proptest::proptest;
use proptest::test_runner::TestCaseError;

use super::cases;
use super::live::setting;
use crate::oracle::adapter::past;
use crate::oracle::compare::compare;
use crate::oracle::drive::{engine, slice_ends, tick};
use crate::oracle::random::Random;
use crate::oracle::traffic::{Recipe, Traffic, recipes, traffic};
use crate::oracle::world::{MINUTE, SECOND, Sample, Series, World};

/// Only what is newer than `from`: what a single pass over the loaded time would see.
fn loaded(world: &World, from: i64) -> World {
    let newer = |series: &Series| {
        let samples: Vec<Sample> = series.samples.iter().filter(|sample| sample.at > from).copied().collect();
        Series { samples, ..series.clone() }
    };
    let series = world.series.iter().map(newer).filter(|series| !series.samples.is_empty()).collect();
    World { series, ..world.clone() }
}

/// Lives through the newest part, and loads the rest in between, newest chunk first.
fn any_split_equals_a_single_pass(recipe: &Recipe) -> Result<(), String> {
    let traffic: Traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 2_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let begin = random.between(1, i64::try_from(ends.len()).unwrap() - 1);
    let live = &ends[usize::try_from(begin).unwrap()..];
    // The newest stretch is loaded first, either as history or by the first answer.
    let mut from = live[0] - setting.slice;
    if random.once_in(2) {
        let chunk = random.between(1, 40) * MINUTE / setting.slice * setting.slice;
        state.prepend(&past(&traffic.world, from - chunk, from));
        from -= chunk;
    } else {
        from -= setting.gap;
    }
    let last = live[live.len() - 1];
    for &end in live {
        tick(&mut state, &traffic.world, &setting, &[end], |state, end, _| {
            while from > traffic.begin && (random.once_in(8) || end == last) {
                let chunk = match random.between(1, 3) {
                    1 => random.between(1, 10) * setting.slice,
                    2 => random.between(1, 60) * MINUTE,
                    _ => random.between(1, 9_000) * SECOND,
                };
                let to = from;
                from = (from - chunk).div_euclid(setting.slice) * setting.slice;
                state.prepend(&past(&traffic.world, from, to));
                compare(state, &loaded(&traffic.world.known_at(end), from), &setting, end, &[])
                    .map_err(|error| format!("after prepending ({from}, {to}], {error}"))?;
            }
            if random.once_in(15) || end == last {
                compare(state, &loaded(&traffic.world.known_at(end), from), &setting, end, &[])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn prepending_in_any_chunks_equals_a_single_pass(mut recipe in recipes(180)) {
        recipe.trouble.late = false;
        any_split_equals_a_single_pass(&recipe).map_err(TestCaseError::fail)?;
    }
}
