//! SEMANTICS 4, 5 and 9: budgets, burn rates, and the published figures.

use slo::units::Labels;

use crate::oracle::adapter::past;
use crate::oracle::compare::compare;
use crate::oracle::drive::engine;
use crate::oracle::exact::{Rational, decimal, exceeds, float, ratio, whole};
use crate::oracle::judge::judge;
use crate::oracle::scene::{Phase, Scene, series};
use crate::oracle::window::{Budget, window_from};
use crate::oracle::world::{DAY, HOUR, Kind, MINUTE, Sample, Setting, Tier, World};
use slo::spec::policy::AlertSeverity::Page;

fn budget_of(scene: &Scene, setting: &Setting) -> Budget {
    let w = scene.phases.last().unwrap().0;
    let world = scene.world();
    let mut state = engine(setting);
    state.prepend(&past(&world, scene.begin - DAY, w));
    compare(&state, &world, setting, w, &[]).unwrap();
    judge(&world, setting, &Labels::new(), w).budget
}

fn percent(value: &Rational) -> String {
    format!("{:.1}%", float(value) * 100.0)
}

#[test]
fn a_young_slo_fills_unmeasured_time_at_its_own_rate() {
    let day = 20_000.0 * 1440.0;
    let phases = [(day + 360.0, Phase::Bad(1)), (day + 370.0, Phase::Bad(10_000)), (day + 480.0, Phase::Bad(0))];
    let scene = Scene { rate: 100, ..Scene::new(day, &phases) };
    let budget = budget_of(&scene, &Setting::plain());
    assert_eq!((percent(&budget.spent), percent(&budget.spent_so_far)), ("23.2%".into(), "2090.8%".into()));
    assert!(budget.estimated);
}

#[test]
fn one_hour_down_in_seven_days_at_99_percent() {
    let day = 20_000.0 * 1440.0;
    let phases = [(day + 3000.0, Phase::Bad(0)), (day + 3060.0, Phase::Bad(10_000)), (day + 10_080.0, Phase::Bad(0))];
    let scene = Scene { interval: 2 * MINUTE, ..Scene::new(day, &phases) };
    let setting = Setting { budget: decimal("1%"), window: 7 * DAY, ..Setting::plain() };
    let budget = budget_of(&scene, &setting);
    assert_eq!((percent(&budget.spent), percent(&budget.spent_so_far)), ("59.5%".into(), "59.5%".into()));
    assert!(!budget.estimated);
}

#[test]
fn a_fully_measured_window_is_not_estimated_and_an_empty_one_has_spent_nothing() {
    let empty = judge(&World::default(), &Setting::plain(), &Labels::new(), 20_000 * DAY).budget;
    assert_eq!((empty.spent, empty.allowed, empty.estimated), (whole(0), whole(0), false));
}

/// Minutes of an allowed total outage over `days`.
fn minutes_allowed(objective: &str, days: i64) -> Rational {
    (whole(1) - decimal(objective)) * whole(days * 1440)
}

#[test]
fn published_minutes_allowed() {
    assert_eq!(minutes_allowed("99.9%", 30), decimal("43.2"));
    assert_eq!(minutes_allowed("99.95%", 30), decimal("21.6"));
}

/// `k = f * W / L`.
fn factor(spend: &str, window: i64, over: i64) -> Rational {
    decimal(spend) * ratio(window, over)
}

#[test]
fn published_factors() {
    let spends = [("2%", HOUR), ("5%", 6 * HOUR), ("10%", DAY), ("10%", 3 * DAY)];
    let at = |days: i64| spends.map(|(spend, over)| factor(spend, days * DAY, over));
    assert_eq!(at(30), ["14.4", "6", "3", "1"].map(decimal));
    assert_eq!(at(7), [decimal("3.36"), decimal("1.4"), decimal("0.7"), ratio(7, 30)]);
    assert_eq!(at(28), [decimal("13.44"), decimal("5.6"), decimal("2.8"), ratio(28, 30)]);
    assert_eq!(at(90), ["43.2", "18", "9", "3"].map(decimal));
}

#[test]
fn budget_spent_when_a_balanced_tier_fires_at_seven_days() {
    let tiers = [("14.4", HOUR), ("6", 6 * HOUR), ("3", DAY), ("1", 3 * DAY)];
    let spent = tiers.map(|(factor, over)| percent(&(decimal(factor) * ratio(over, 7 * DAY))));
    assert_eq!(spent, ["8.6%", "21.4%", "42.9%", "42.9%"]);
}

#[test]
fn a_tier_can_fire_only_below_one() {
    let highest = |factor: &str| format!("{:.2}%", 100.0 * float(&(whole(1) - whole(1) / decimal(factor))));
    assert_eq!(["14.4", "6", "3"].map(highest), ["93.06%", "83.33%", "66.67%"]);
}

/// Whether the tier 14.4 over 1h matches for an hour of these events, judged on samples.
fn hour_matches(bad: i64, total: i64) -> bool {
    let begin = 20_000 * DAY;
    let counter = |end: i64| {
        let sample = |minute: i64| {
            let value = if minute == 0 { 0 } else { end };
            Sample { at: begin + minute * MINUTE, value: value as f64, arrived: begin + minute * MINUTE }
        };
        (0..=60).map(sample).collect::<Vec<_>>()
    };
    let mut world = World::default();
    world.series.push(series("requests_total", (false, true, false), counter(total)));
    world.series.push(series("failures_total", (true, false, false), counter(bad)));
    let burn = Kind::Burn { over: HOUR, confirm: None, factor: decimal("14.4") };
    let setting = Setting { tiers: vec![Tier::bare(Page, burn)], ..Setting::plain() };
    let mut state = engine(&setting);
    state.prepend(&past(&world, begin - DAY, begin + HOUR));
    compare(&state, &world, &setting, begin + HOUR, &[]).unwrap();
    judge(&world, &setting, &Labels::new(), begin + HOUR).tiers[0].matches
}

#[test]
fn one_failure_trips_14_4_where_the_hour_has_at_most_69_events() {
    assert!(hour_matches(1, 69));
    assert!(!hour_matches(1, 70));
}

#[test]
fn equality_never_matches() {
    assert!(!hour_matches(72, 5_000));
    assert!(hour_matches(73, 5_000));
    assert!(!exceeds(&ratio(72, 5_000), &(decimal("14.4") * decimal("0.1%"))));
}

#[test]
fn sums_are_of_events_never_means_of_ratios() {
    let begin = 20_000 * DAY;
    let counter = |hourly: [i64; 2]| {
        let value = |hour: i64| hourly[0] * hour.min(23) + hourly[1] * (hour - 23).max(0);
        let sample = |at: i64| Sample { at: begin + at, value: value(at / HOUR) as f64, arrived: begin + at };
        (0..=1440).map(|minute| sample(minute * MINUTE)).collect()
    };
    let mut world = World::default();
    world.series.push(series("requests_total", (false, true, false), counter([100_000, 100])));
    world.series.push(series("failures_total", (true, false, false), counter([10, 50])));
    let book = crate::oracle::ledger::ledger(&world, &Setting::plain(), &Labels::new(), begin + DAY);
    let window = window_from(&book, &Setting::plain(), begin);
    assert_eq!((window.bad.clone(), window.total.clone()), (whole(280), whole(2_300_100)));
    assert_eq!(format!("{:.4}%", 100.0 * float(&window.share)), "0.0122%");
}
