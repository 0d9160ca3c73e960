//! Two replicas of a store scrape the same targets at other times, with clocks that differ: a change from one to the
//! other makes no false resets and loses at most what one scrape interval, and the skew, hold.

use proptest::prelude::any;
use proptest::{prop_assert, proptest};
use slo::units::Labels;

use super::cases;
use crate::oracle::adapter::{answer, length, time};
use crate::oracle::drive::engine;
use crate::oracle::random::Random;
use crate::oracle::scene::series;
use crate::oracle::world::{DAY, HOUR, MINUTE, SECOND, Sample, Setting, World};

const RATE: i64 = 10;

/// What one replica holds: a counter of 10 events/s, scraped every 30 s from `phase` on, with a clock `skew` ahead.
fn replica(begin: i64, phase: i64, skew: i64) -> World {
    let sample = |tick: i64| {
        let truly = begin + phase + tick * 30 * SECOND;
        Sample { at: truly + skew, value: ((truly - begin) * RATE / SECOND + 1_000_000) as f64, arrived: truly }
    };
    let mut world = World::default();
    world.series.push(series("requests_total", (false, true, false), (0..240).map(sample).collect()));
    world
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn changing_the_replica_makes_no_false_resets(seed in any::<u64>(), skew in -20_i64..=20, phase in 0_i64..30) {
        let mut random = Random::new(seed, 0);
        let begin = 20_000 * DAY;
        let replicas = [replica(begin, 0, 0), replica(begin, phase * SECOND, skew * SECOND)];
        let setting = Setting::plain();
        let mut state = engine(&setting);
        let (mut current, mut changes) = (0, 0);
        let mut w = begin + 10 * MINUTE;
        while w <= begin + HOUR + 40 * MINUTE {
            let change = random.once_in(40);
            let reach = if change { 2 * setting.gap } else { setting.gap };
            if change {
                current = 1 - current;
                changes += 1;
            }
            let mut observation = answer(&replicas[current], w - setting.slice - reach, w, w);
            observation.other_replica = change;
            state.advance(&observation, time(w));
            w += setting.slice;
        }
        w -= setting.slice;
        let figures = state.instance(&Labels::new()).unwrap().window(length(HOUR));
        let truth = (3_600 * RATE) as f64;
        let bound = ((30 + 20) * RATE * (changes + 2)) as f64;
        prop_assert!(
            (figures.total - truth).abs() <= bound,
            "{changes} changes, skew {skew}, phase {phase}: {} of {truth} events at {w}", figures.total
        );
        prop_assert!(figures.coverage > 0.95, "coverage {}", figures.coverage);
    }
}
