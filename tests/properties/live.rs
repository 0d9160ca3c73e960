//! The engine, fed slice by slice as in life, against the oracle.

use proptest::prelude::ProptestConfig;
use proptest::proptest;
use proptest::test_runner::TestCaseError;

use crate::oracle::compare::compare;
use crate::oracle::drive::{engine, tick, ticks};
use crate::oracle::exact::decimal;
use crate::oracle::random::Random;
use crate::oracle::scene::balanced;
use crate::oracle::traffic::{Recipe, Traffic, recipes, traffic};
use crate::oracle::world::{HOUR, Kind, MINUTE, Setting, Tier};
use slo::spec::policy::AlertSeverity::Ticket;

/// `balanced`, a tier without confirm window, and short ones that fire and resolve within the traffic.
pub fn setting(traffic: &Traffic, random: &mut Random) -> Setting {
    let mut tiers = balanced();
    let burn = |over, confirm, factor: &str| Kind::Burn { over, confirm, factor: decimal(factor) };
    tiers.push(Tier::bare(Ticket, burn(40 * MINUTE, None, "1")));
    tiers.push(Tier { min_total: 100, ..Tier::bare(Ticket, burn(20 * MINUTE, Some(2 * MINUTE), "2")) });
    tiers.push(Tier::bare(Ticket, burn(HOUR, Some(90_000), "0.7")));
    let budget = decimal(random.pick(&["0.1%", "1%", "5%", "10%"]));
    Setting { tiers, budget, ..traffic.setting.clone() }
}

/// Lives through the recipe and compares now and then, and at the end.
pub fn equals_the_oracle(recipe: &Recipe) -> Result<(), String> {
    let traffic = traffic(recipe);
    let mut random = Random::new(recipe.seed, 1_000);
    let setting = setting(&traffic, &mut random);
    let mut state = engine(&setting);
    let ticks = ticks(&traffic, &mut random);
    let last = *ticks.last().unwrap().last().unwrap();
    for ends in &ticks {
        tick(&mut state, &traffic.world, &setting, ends, |state, end, seen| {
            if random.once_in(12) || end == last {
                let any = random.between(1, 400) * 17_000;
                compare(state, seen, &setting, end, &[30_000, any])?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_equals_the_oracle_in_random_traffic(recipe in recipes(180)) {
        equals_the_oracle(&recipe).map_err(TestCaseError::fail)?;
    }
}
