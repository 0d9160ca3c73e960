//! The engine, fed slice by slice as in life, against the oracle.

use proptest::proptest;
use proptest::test_runner::TestCaseError;

use super::cases;
use crate::oracle::compare::compare;
use crate::oracle::drive::{engine, slice_ends, tick, ticks};
use crate::oracle::exact::decimal;
use crate::oracle::random::Random;
use crate::oracle::scene::balanced;
use crate::oracle::traffic::{Recipe, Traffic, recipes, traffic};
use crate::oracle::world::{DAY, HOUR, Kind, MINUTE, Setting, Tier};
use slo::spec::policy::AlertSeverity::Ticket;

/// `balanced`, a tier without confirm window, and short ones that fire and resolve within the traffic.
pub fn setting(traffic: &Traffic, random: &mut Random) -> Setting {
    let mut tiers = balanced();
    let burn = |over, confirm, factor: &str| Kind::Burn { over, confirm, factor: decimal(factor) };
    tiers.push(Tier::bare(Ticket, burn(40 * MINUTE, None, "1")));
    tiers.push(Tier { min_total: 100, ..Tier::bare(Ticket, burn(20 * MINUTE, Some(2 * MINUTE), "2")) });
    tiers.push(Tier::bare(Ticket, burn(HOUR, Some(90_000), "0.7")));
    tiers.extend(others());
    let budget = decimal(random.pick(&["0.1%", "1%", "5%", "10%"]));
    Setting { budget, tiers, ..traffic.setting.clone() }
}

/// Every kind beside burn and silence, over windows of a few minutes to a month.
fn others() -> Vec<Tier> {
    let exhausts = |within, lookback, min_burn: &str| Kind::Exhausts { within, lookback, min_burn: decimal(min_burn) };
    let below = |share: &str| Kind::BudgetLeft { below: decimal(share) };
    let drop = |share: &str, over| Kind::BudgetDrop { drop: decimal(share), over };
    let missed = |target: &str, over| Kind::SliBelow { target: decimal(target), over };
    let quiet = |over, min_total| Kind::NoTraffic { over, min_total };
    let bare = [
        exhausts(4 * HOUR, 30 * MINUTE, "6"),
        exhausts(12 * HOUR, 6 * HOUR, "1"),
        exhausts(DAY, 10 * MINUTE, "0.2"),
        below("25%"),
        below("99%"),
        drop("25%", 7 * DAY),
        drop("0.5%", 40 * MINUTE),
        missed("99.95%", 30 * MINUTE),
        missed("97%", 5 * MINUTE),
        quiet(10 * MINUTE, 0),
        quiet(30 * MINUTE, 500),
    ];
    let mut tiers: Vec<Tier> = bare.into_iter().map(|kind| Tier::bare(Ticket, kind)).collect();
    tiers.push(Tier { min_bad: 3, min_total: 20, ..Tier::bare(Ticket, exhausts(2 * HOUR, HOUR, "1")) });
    tiers.push(Tier { min_bad: 3, ..Tier::bare(Ticket, below("90%")) });
    tiers
}

/// Lives through the recipe and compares now and then, and at the end.
fn lives_like_the_oracle(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 1_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ticks = ticks(&traffic, &mut random);
    let last = *ticks.last().unwrap().last().unwrap();
    for ends in &ticks {
        tick(&mut state, &traffic.world, &setting, ends, |state, end, asked| {
            if random.once_in(12) || end == last {
                let any = random.between(1, 400) * 17_000;
                compare(state, &traffic.world.seen_at(end, asked), &setting, end, &[30_000, any])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// A month of coarse data, so that the long windows are full and old failures leave them.
fn long(mut recipe: Recipe) -> Recipe {
    recipe.minutes = 33 * 24 * 60;
    (recipe.interval, recipe.slice, recipe.gap) = (300, 300, 1_200);
    recipe.targets = 1;
    recipe
}

/// Lives through a long recipe and compares at a few slice ends of its last days.
fn long_windows_equal_the_oracle(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 1_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let last = ends[ends.len() - 1];
    for end in ends {
        tick(&mut state, &traffic.world, &setting, &[end], |state, end, asked| {
            if end == last || (last - end < 4 * DAY && random.once_in(250)) {
                let any = random.between(1, 30 * 24 * 60) * MINUTE;
                compare(state, &traffic.world.seen_at(end, asked), &setting, end, &[7 * DAY, any])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Restart after a long pause: all slice ends from one answer.
fn catching_up_equals_the_oracle(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 1_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let (lived, missed) = ends.split_at(usize::try_from(random.between(1, 20)).unwrap());
    for ends in [lived, missed] {
        let last = ends[ends.len() - 1];
        tick(&mut state, &traffic.world, &setting, ends, |state, end, asked| {
            if random.once_in(15) || end == last {
                compare(state, &traffic.world.seen_at(end, asked), &setting, end, &[])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn living_through_random_traffic_equals_the_oracle(recipe in recipes(180)) {
        lives_like_the_oracle(&recipe).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn catching_up_from_one_answer_equals_the_oracle(recipe in recipes(120)) {
        catching_up_equals_the_oracle(&recipe).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn long_windows_of_a_month_equal_the_oracle(recipe in recipes(30)) {
        long_windows_equal_the_oracle(&long(recipe)).map_err(TestCaseError::fail)?;
    }
}
