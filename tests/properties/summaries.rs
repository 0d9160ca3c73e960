//! Backfill from a store without remote read: of regular hours only the last value of each series, of others all
//! samples. Windows that begin on the hour are as if every sample had been read.

use std::collections::BTreeMap;

use proptest::proptest;
use proptest::test_runner::TestCaseError;
use slo::engine::observation::History;
use slo::units::Labels;

use super::cases;
use super::live::setting;
use crate::oracle::adapter::{length, past};
use crate::oracle::drive::{engine, slice_ends, tick};
use crate::oracle::ledger::ledger;
use crate::oracle::random::Random;
use crate::oracle::traffic::{Recipe, recipes, traffic};
use crate::oracle::window::window;
use crate::oracle::world::{DAY, HOUR, Sample, Series, World};

/// Whether the hour of a series needs no samples but its last: it goes on from the hour before without gap or reset.
fn is_regular(series: &Series, hour_end: i64, gap: i64) -> bool {
    let of = |end: i64| {
        let bound = |time: i64| series.samples.partition_point(|sample| sample.at <= time);
        &series.samples[bound(end - HOUR)..bound(end)]
    };
    let (before, here) = (of(hour_end - HOUR), of(hour_end));
    let (Some(last), Some(_)) = (before.last(), here.first()) else { return false };
    let mut chain: Vec<Sample> = vec![*last];
    chain.extend(here);
    chain.windows(2).all(|pair| pair[1].at - pair[0].at <= gap && pair[1].value >= pair[0].value)
}

/// The stretch `(from, to]`, whole hours, as hourly queries give it. The oldest hour is raw, so that its first sample
/// is the neighbour of the newest sample of the stretch before.
fn summarised(world: &World, from: i64, to: i64, gap: i64) -> History {
    let mut history = past(world, from, to);
    let mut regular: BTreeMap<(Labels, i64), bool> = BTreeMap::new();
    for series in world.series.iter().filter(|series| series.counts()) {
        for hour_end in (from + HOUR..=to).step_by(usize::try_from(HOUR).unwrap()) {
            let entry = regular.entry((series.target(), hour_end)).or_insert(hour_end > from + HOUR);
            *entry &= is_regular(series, hour_end, gap);
        }
    }
    for item in &mut history.series {
        let Some(whole) = world.series.iter().find(|series| series.counts() && series.labels == *item.series.labels)
        else {
            continue;
        };
        let is_summary = |hour_end: i64| regular[&(whole.target(), hour_end)];
        let hour_of = |at: i64| -((-at).div_euclid(HOUR)) * HOUR;
        let samples = item.series.samples.to_vec();
        let kept = samples.iter().enumerate().filter(|(index, sample)| {
            let hour = hour_of(sample.at.millis());
            let newest_of_hour = samples.get(index + 1).is_none_or(|next| hour_of(next.at.millis()) != hour);
            newest_of_hour || !is_summary(hour)
        });
        let kept: Vec<_> = kept.map(|(_, sample)| *sample).collect();
        for pair in kept.windows(2) {
            if is_summary(hour_of(pair[1].at.millis())) {
                item.continuous.push((pair[0].at, pair[1].at));
            }
        }
        item.series.samples = kept.into();
    }
    history
}

/// The newest 12 h raw and live, the days before in chunks of hours, some raw and some summarised.
fn summaries_equal_samples(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 5_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let last = ends[ends.len() - 1];
    let mut from = (last - 12 * HOUR).div_euclid(HOUR) * HOUR;
    let newest: Vec<i64> = ends.into_iter().filter(|end| *end > from).collect();
    state.prepend(&past(&traffic.world, from - HOUR, from));
    from -= HOUR;
    for &end in &newest {
        tick(&mut state, &traffic.world, &setting, &[end], |_, _, _| Ok(()))?;
    }
    while from > traffic.begin {
        let to = from;
        from -= random.between(1, 40) * HOUR;
        let whole = random.once_in(4);
        let history =
            if whole { past(&traffic.world, from, to) } else { summarised(&traffic.world, from, to, setting.gap) };
        state.prepend(&history);
    }
    let world = traffic.world.known_at(last);
    for group in world.groups(&setting) {
        let book = ledger(&world, &setting, &group, last);
        for asked in [HOUR, 6 * HOUR, 5 * DAY, 7 * DAY, 8 * DAY, 30 * DAY, random.between(97, 720) * HOUR] {
            let mut differences = crate::oracle::adapter::Differences::default();
            let engine = state.instance(&group).unwrap().window(length(asked));
            differences.window("window", &engine, &window(&book, &setting, asked), &setting.budget);
            differences.result(&format!("{} of {{{group}}} at {last}", length(asked)))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn mixed_summaries_and_samples_equal_all_samples(mut recipe in recipes(30)) {
        recipe.trouble.late = false;
        recipe.minutes = 9 * 24 * 60;
        (recipe.interval, recipe.slice, recipe.gap) = (240, 300, 1_200);
        summaries_equal_samples(&recipe).map_err(TestCaseError::fail)?;
    }
}
