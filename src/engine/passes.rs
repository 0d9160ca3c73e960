//! One truth: living slice by slice, a single pass, and backfill in any pieces give the same cells (SEMANTICS 2).

use crate::engine::definition::Definition;
use crate::engine::fixture::{BOTH, EVENTS, TOTAL, answer, at, cells, definition, live, past, series, state};
use crate::engine::observation::{SeriesSamples, Start};
use crate::engine::state::SloState;
use crate::units::{Labels, Length};

/// A small generator: the seed is in the message of every failure.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 33).unwrap() % sides
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.roll(100) < percent
    }
}

/// Targets with several series each, sampled together: gaps of single series and of whole targets, resets, births,
/// deaths, relabelling, returns.
fn world(dice: &mut Dice, to: i64) -> Vec<SeriesSamples> {
    let mut all = Vec::new();
    let regions = ["eu", "us", "af"];
    for target in 0..=dice.roll(3) {
        let every = [15, 30, 60, 100][usize::try_from(dice.roll(4)).unwrap()];
        let offset = dice.roll(every);
        let mut scrapes = Vec::new();
        let mut time = offset + if dice.chance(30) { dice.roll(to) } else { 0 };
        while time <= to {
            scrapes.push(time);
            time += if dice.chance(2) { every * dice.roll(30) + every } else { every };
        }
        for number in 0..=dice.roll(5) {
            let roles = [TOTAL, EVENTS, BOTH, TOTAL][usize::try_from(dice.roll(4)).unwrap()];
            let metric = if roles == EVENTS { "errors_total" } else { "requests_total" };
            let (mut value, mut alive) = (dice.roll(1_000), dice.chance(70));
            let mut samples = Vec::new();
            for time in &scrapes {
                if dice.chance(1) {
                    alive = !alive;
                }
                value = if dice.chance(1) { dice.roll(20) } else { value + dice.roll(50) };
                if alive && !dice.chance(1) {
                    samples.push((*time, f64::from(i32::try_from(value).unwrap())));
                }
            }
            let (instance, code) = (target.to_string(), number.to_string());
            let region = regions[usize::try_from(dice.roll(3)).unwrap()];
            let labels = [("__name__", metric), ("instance", &instance), ("code", &code), ("region", region)];
            if !samples.is_empty() {
                all.push(series(&labels, roles, &samples));
            }
        }
    }
    all
}

fn assert_same(one: &SloState, other: &SloState, message: &str) {
    assert_balanced(one, message);
    assert_balanced(other, message);
    let mut groups: Vec<&Labels> = one.instances().map(|(labels, _)| labels).collect();
    groups.sort();
    let mut others: Vec<&Labels> = other.instances().map(|(labels, _)| labels).collect();
    others.sort();
    assert_eq!(groups, others, "{message}");
    for group in groups {
        let (one, other) = (one.instance(group).unwrap(), other.instance(group).unwrap());
        assert_eq!(one.coverage, other.coverage, "{message}, group {group}");
        for (left, right) in cells(one).iter().zip(cells(other)) {
            assert_eq!(*left, right, "{message}, group {group}, cell at {} s", left.0 / 1_000);
        }
        assert_eq!(one.coverage, other.coverage, "{message}, group {group}");
        assert_eq!(one.first_data, other.first_data, "{message}, group {group}");
        assert_eq!(one.first_total, other.first_total, "{message}, group {group}");
    }
}

/// What the lists say about measured time is what the cells hold.
fn assert_balanced(state: &SloState, message: &str) {
    for (group, instance) in state.instances() {
        let balance = instance.coverage.balance(instance.windows.slice());
        let end = instance.as_of();
        for (time, _, _, measured) in cells(instance) {
            let time = crate::units::Timestamp::from_millis(time);
            let slices = end.since(time).count_of(instance.windows.slice());
            assert_eq!(
                measured,
                slices + balance.at(end) - balance.at(time),
                "{message}, group {group}, {time}: {:?}",
                instance.coverage
            );
        }
    }
}

fn grouped(dice: &mut Dice) -> Definition {
    let by = if dice.chance(50) { vec!["region".to_owned()] } else { Vec::new() };
    Definition { by, ..definition() }
}

#[test]
fn living_equals_a_single_pass() {
    for seed in 1..=20 {
        let mut dice = Dice(seed * 0x9E37_79B9);
        let to = 7_200;
        let all = world(&mut dice, to);
        let definition = grouped(&mut dice);
        let mut lived = state(definition.clone());
        live(&mut lived, &all, 0, to);
        let mut passed = state(definition);
        passed.advance(&answer(&all, -300, to), at(to));
        assert_same(&lived, &passed, &format!("seed {seed}"));
    }
}

#[test]
fn backfill_equals_a_single_pass() {
    for seed in 1..=30 {
        let mut dice = Dice(seed * 0x9E37_79B9);
        let to = 30 * 3_600;
        let all = world(&mut dice, to);
        let definition = grouped(&mut dice);
        let starts: Vec<Start> = (0..4)
            .flat_map(|target| (0..40).map(move |number| (target, number)))
            .filter(|_| dice.chance(30))
            .map(|(target, number): (i64, i64)| Start {
                target: Labels::from([("job", "t"), ("instance", &target.to_string())]),
                at: at(number * 2_700 + 5),
            })
            .collect();
        let mut passed = state(definition.clone());
        let mut whole = answer(&all, -1, to);
        whole.starts.clone_from(&starts);
        passed.advance(&whole, at(to));
        let mut filled = state(definition);
        let mut reached = if dice.chance(20) {
            to
        } else {
            let loaded = to - [60, 330, 4_000, 6 * 3_600, 6 * 3_600 + 17][usize::try_from(dice.roll(5)).unwrap()];
            let mut newest = answer(&all, loaded, to);
            newest.starts.clone_from(&starts);
            filled.advance(&newest, at(to));
            loaded
        };
        while reached > -1 {
            let from =
                (reached - 1 - [100, 3_000, 20_000, 50_000][usize::try_from(dice.roll(4)).unwrap()] - dice.roll(30))
                    .max(-1);
            let mut piece = past(&all, from, reached);
            piece.starts.clone_from(&starts);
            filled.prepend(&piece);
            reached = from;
        }
        assert_same(&filled, &passed, &format!("seed {seed}"));
    }
}

#[test]
fn living_goes_on_after_a_backfill() {
    for seed in 1..=20 {
        let mut dice = Dice(seed * 0x9E37_79B9);
        let to = 9_000;
        let all = world(&mut dice, to);
        let definition = grouped(&mut dice);
        let mut passed = state(definition.clone());
        passed.advance(&answer(&all, -1, to), at(to));
        let mut filled = state(definition);
        let begin = 6_000 + 30 * dice.roll(20);
        let first = begin - 330 - 30 * dice.roll(4);
        filled.advance(&answer(&all, first, begin), at(begin));
        let pause = begin + 30 * dice.roll(40);
        live(&mut filled, &all, begin, pause);
        filled.prepend(&past(&all, -1, first));
        live(&mut filled, &all, pause, to);
        assert_same(&filled, &passed, &format!("seed {seed}"));
    }
}

#[test]
fn thinned_out_history_gives_the_same_hours() {
    // Hourly values where nothing happens, raw samples where something does, as hourly queries give them.
    let to = 40 * 3_600;
    let value = |time: i64| (time * 7 / 30) as f64;
    let whole: Vec<(i64, f64)> = (0..=to / 30).map(|number| (number * 30, value(number * 30))).collect();
    let thin: Vec<(i64, f64)> =
        whole.iter().filter(|(time, _)| time % 3_600 == 0 || *time > to - 6 * 3_600).copied().collect();
    let whole = [series(&[], TOTAL, &whole)];
    let thin = [series(&[], TOTAL, &thin)];
    let mut passed = state(definition());
    passed.advance(&answer(&whole, -1, to), at(to));
    let mut filled = state(definition());
    filled.advance(&answer(&whole, to - 6 * 3_600, to), at(to));
    let mut piece = past(&thin, -1, to - 6 * 3_600);
    piece.series[0].continuous = (1..=34).map(|hour| (at((hour - 1) * 3_600), at(hour * 3_600))).collect();
    filled.prepend(&piece);
    let (filled, passed) = (filled.instance(&Labels::new()).unwrap(), passed.instance(&Labels::new()).unwrap());
    for hour in 0..=40 {
        let window = |instance: &crate::engine::instance::Instance| instance.between(at(hour * 3_600), at(to)).unwrap();
        assert_eq!(window(filled), window(passed), "hour {hour}");
    }
    assert_eq!(filled.window(Length::from_days(30)), passed.window(Length::from_days(30)));
}
