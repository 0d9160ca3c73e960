//! A restart is not noticed: slices packed and restored, and hours taken and put back.

use std::collections::BTreeMap;

use proptest::proptest;
use proptest::test_runner::TestCaseError;
use slo::engine::verdict::HourBucket;
use slo::units::{Labels, Timestamp};

use super::cases;
use super::live::setting;
use crate::oracle::adapter::{Differences, length, past, time};
use crate::oracle::compare::compare;
use crate::oracle::drive::{engine, slice_ends, tick, ticks};
use crate::oracle::exact::{count, same_count};
use crate::oracle::ledger::ledger;
use crate::oracle::random::Random;
use crate::oracle::traffic::{Recipe, recipes, traffic};
use crate::oracle::window::{sums, window};
use crate::oracle::world::{DAY, HOUR};

/// Packs now and then, and restarts from the packed bytes.
fn a_restored_engine_goes_on(recipe: &Recipe) -> Result<(), String> {
    let mut traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 3_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let mut packed: BTreeMap<Timestamp, Vec<u8>> = BTreeMap::new();
    let ticks = ticks(&traffic, &mut random);
    let last = *ticks.last().unwrap().last().unwrap();
    for ends in &ticks {
        tick(&mut state, &traffic.world, &setting, ends, |state, end, asked| {
            if random.once_in(20) || end == last {
                compare(state, &traffic.world.seen_at(end, asked), &setting, end, &[])?;
            }
            if random.once_in(3) {
                packed.extend(state.pack());
            }
            Ok(())
        })?;
        if random.once_in(25) {
            packed.extend(state.pack());
            let hours: Vec<(Timestamp, Vec<u8>)> = packed.clone().into_iter().collect();
            state = engine(&setting);
            state.restore(&hours).map_err(|error| error.to_string())?;
            let end = ends[ends.len() - 1];
            compare(&state, &traffic.world.seen_at(end, end), &setting, end, &[])
                .map_err(|error| format!("just restored, {error}"))?;
            let known = traffic.world.seen_at(end, end).series;
            traffic.world.lost.extend(known.into_iter().map(|series| (series.labels, end + 1)));
        }
    }
    Ok(())
}

/// Takes every finished hour, checks it against the oracle, and puts the old ones into an engine whose source has
/// forgotten them.
fn hours_survive_a_source_that_forgets(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 4_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let mut taken: BTreeMap<(Labels, i64), HourBucket> = BTreeMap::new();
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let last = ends[ends.len() - 1];
    for &end in &ends {
        tick(&mut state, &traffic.world, &setting, &[end], |state, _, _| {
            if end == last || random.once_in(30) {
                let hours = state.take_finished_hours();
                taken.extend(hours.into_iter().map(|(group, hour)| ((group, hour.end.millis()), hour)));
            }
            Ok(())
        })?;
    }
    let world = traffic.world.known_at(last);
    for group in world.groups(&setting) {
        let book = ledger(&world, &setting, &group, last);
        let first = (traffic.begin.div_euclid(HOUR) + 1) * HOUR + HOUR;
        for hour_end in (first..=last - setting.gap).step_by(usize::try_from(HOUR).unwrap()) {
            let (events, total, measured) = sums(&book, hour_end - HOUR, hour_end);
            let bucket = taken.get(&(group.clone(), hour_end));
            let born = state.instance(&group).is_some_and(|instance| instance.loaded_from() < time(hour_end));
            let same = bucket.map_or(!born || (total == 0 && measured == 0), |bucket| {
                same_count(bucket.events, &count(events))
                    && same_count(bucket.total, &count(total))
                    && bucket.measured.millis() == measured
            });
            if !same {
                return Err(format!(
                    "hour {hour_end} of {{{group}}}: {bucket:?}, oracle {:?}",
                    (events, total, measured)
                ));
            }
        }
    }
    // The source now keeps only what is newer than `cut`; the hours before come from what was taken.
    let cut = last.div_euclid(HOUR) * HOUR - random.between(0, 2) * HOUR;
    let mut second = engine(&setting);
    let newest: Vec<i64> = ends.iter().copied().filter(|end| *end > cut).collect();
    if newest.is_empty() || cut <= traffic.begin {
        return Ok(());
    }
    second.prepend(&past(&traffic.world, cut - 2 * HOUR, newest[0] - setting.slice));
    for &end in &newest {
        tick(&mut second, &traffic.world, &setting, &[end], |_, _, _| Ok(()))?;
    }
    for group in world.groups(&setting) {
        let hours: Vec<HourBucket> =
            taken.iter().filter(|((owner, end), _)| *owner == group && *end <= cut).map(|(_, hour)| *hour).collect();
        let Some(newest) = hours.last().map(|hour| hour.end) else { continue };
        if second.instance(&group).is_none() || newest < time(cut - HOUR) {
            continue;
        }
        second.restore_hours(&group, &hours, newest);
        let first = hours[0].end.millis() - HOUR;
        let mut book = ledger(&world, &setting, &group, last);
        book.cells.retain(|end, _| *end > first);
        for days in [5, 7, 30] {
            let engine = second.instance(&group).unwrap().window(length(days * DAY));
            let mut differences = Differences::default();
            differences.window("window", &engine, &window(&book, &setting, days * DAY), &setting.budget);
            let ends: Vec<i64> = hours.iter().map(|hour| hour.end.millis()).collect();
            differences.result(&format!("{days} d at {last} with the hours {ends:?} put back"))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn packed_and_restored_slices_go_on_as_if_nothing_happened(recipe in recipes(180)) {
        a_restored_engine_goes_on(&recipe).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn hours_taken_are_the_oracles_and_come_back(mut recipe in recipes(300)) {
        recipe.trouble.late = false;
        recipe.minutes += 120;
        hours_survive_a_source_that_forgets(&recipe).map_err(TestCaseError::fail)?;
    }
}
