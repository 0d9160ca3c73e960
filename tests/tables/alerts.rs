//! SEMANTICS 3, 5 and 6: when alerts fire, freeze and resolve, judged by the oracle and by the engine.

use slo::spec::policy::AlertSeverity::{Page, Ticket};

use crate::oracle::alert::{About, Alert};
use crate::oracle::exact::decimal;
use crate::oracle::scene::{Judge, Phase, Scene, balanced, live, minutes};
use crate::oracle::world::{HOUR, Kind, MINUTE, SECOND, Setting, Tier};

use Phase::{Bad, Dead, Hidden, Quiet};

/// Each table through the model, the engine, and engine and policy together.
macro_rules! tables {
    ($($name:ident),* $(,)?) => {
        mod oracle_says {
            use crate::oracle::scene::Judge;
            $(#[test] fn $name() { super::$name(Judge::Oracle); })*
        }
        mod engine_says {
            use crate::oracle::scene::Judge;
            $(#[test] fn $name() { super::$name(Judge::Engine); })*
        }
        mod policy_says {
            use crate::oracle::scene::Judge;
            $(#[test] fn $name() { super::$name(Judge::Policy); })*
        }
    };
}

tables!(
    a_total_outage_of_ten_minutes,
    ten_percent_for_half_an_hour,
    no_traffic_does_not_resolve_until_the_failures_have_left,
    missing_data_freezes_what_fires,
    missing_data_for_ever_never_resolves,
    two_percent_with_half_an_hour_missing,
    born_at_120_with_failures,
    one_failure_in_the_first_second_of_life_never_pages,
    page_and_resolve_whatever_the_sample_interval,
    twenty_minutes_without_samples_from_the_fifth_minute_on,
    an_outage_wholly_inside_a_gap_pages_nobody_and_costs_its_budget,
    a_wait_fires_after_its_whole_length,
    balanced_on_a_total_outage_of_ten_minutes,
    balanced_on_ten_percent_for_half_an_hour,
    balanced_on_the_only_target_killed_while_it_fails,
    balanced_where_traffic_stops,
);

const ALL: Phase = Bad(10_000);
const CLEAN: Phase = Bad(0);

/// T = 99.9%, 14.4 over 1h/5m, `hold` 100%, no gates.
fn single_tier() -> Setting {
    let burn = Kind::Burn { over: HOUR, confirm: Some(5 * MINUTE), factor: decimal("14.4") };
    Setting { tiers: vec![Tier::bare(Page, burn)], ..Setting::plain() }
}

/// The begin of a day: the tables' minutes count from here.
const DAWN: f64 = 20_000.0 * 1440.0;

/// The pages of a scene of the first table: clean until minute 120, then `phases`, minutes from the scene's begin.
fn pages(judge: Judge, begin: f64, phases: &[(f64, Phase)]) -> Vec<Alert> {
    let mut shifted: Vec<(f64, Phase)> = phases.iter().map(|&(end, phase)| (DAWN + end, phase)).collect();
    if begin < 120.0 {
        shifted.insert(0, (DAWN + 120.0, CLEAN));
    }
    let scene = Scene::new(DAWN + begin, &shifted);
    let end = scene.phases.last().unwrap().0;
    live(judge, &scene.world(), &single_tier(), minutes(DAWN + 110.0), end).all
}

/// Minutes since the tables' begin.
fn at(time: i64) -> f64 {
    (time - minutes(DAWN)) as f64 / MINUTE as f64
}

fn fired_and_resolved(alerts: &[Alert]) -> Vec<(f64, Option<f64>)> {
    alerts.iter().map(|alert| (at(alert.fired), alert.resolved.map(at))).collect()
}

fn a_total_outage_of_ten_minutes(judge: Judge) {
    assert_eq!(fired_and_resolved(&pages(judge, 0.0, &[(130.0, ALL), (240.0, CLEAN)])), [(121.0, Some(135.0))]);
}

fn ten_percent_for_half_an_hour(judge: Judge) {
    assert_eq!(fired_and_resolved(&pages(judge, 0.0, &[(150.0, Bad(1_000)), (240.0, CLEAN)])), [(129.0, Some(154.5))]);
}

fn no_traffic_does_not_resolve_until_the_failures_have_left(judge: Judge) {
    let alerts = pages(judge, 0.0, &[(130.0, ALL), (240.0, Quiet)]);
    assert_eq!(fired_and_resolved(&alerts), [(121.0, Some(190.0))]);
    let frozen: Vec<f64> = alerts[0].frozen.iter().copied().map(at).collect();
    assert_eq!((frozen.first(), frozen.last(), frozen.len()), (Some(&135.0), Some(&189.5), 110));
}

fn missing_data_freezes_what_fires(judge: Judge) {
    let alerts = pages(judge, 0.0, &[(130.0, ALL), (310.0, Hidden(0)), (400.0, CLEAN)]);
    assert_eq!(fired_and_resolved(&alerts), [(121.0, Some(314.5))]);
    let frozen: Vec<f64> = alerts[0].frozen.iter().copied().map(at).collect();
    assert_eq!((frozen.first(), frozen.last()), (Some(&135.0), Some(&314.0)));
    assert_eq!(frozen.len(), 359, "frozen at every slice end between");
}

fn missing_data_for_ever_never_resolves(judge: Judge) {
    assert_eq!(fired_and_resolved(&pages(judge, 0.0, &[(130.0, ALL), (900.0, Hidden(0))])), [(121.0, None)]);
}

fn two_percent_with_half_an_hour_missing(judge: Judge) {
    let phases = [(170.0, Bad(200)), (200.0, Hidden(200)), (260.0, Bad(200)), (330.0, CLEAN)];
    assert_eq!(fired_and_resolved(&pages(judge, 0.0, &phases)), [(163.5, Some(261.5))]);
    // Where the gap turns out to have been clean its fold is evidence: the hour is known, and below the threshold.
    let phases = [(170.0, Bad(200)), (200.0, Hidden(0)), (260.0, Bad(200)), (330.0, CLEAN)];
    assert_eq!(fired_and_resolved(&pages(judge, 0.0, &phases)), [(163.5, Some(200.0)), (243.5, Some(261.5))]);
}

fn born_at_120_with_failures(judge: Judge) {
    for (share, fires) in [(10_000, 121.0), (1_000, 129.0), (500, 137.5)] {
        let alerts = pages(judge, 120.0, &[(180.0, Bad(share))]);
        assert_eq!(fired_and_resolved(&alerts), [(fires, None)], "{share} in 10,000");
    }
}

fn one_failure_in_the_first_second_of_life_never_pages(judge: Judge) {
    let scene = Scene::new(DAWN + 120.0, &[(DAWN + 300.0, CLEAN)]);
    let mut world = scene.world();
    for sample in &mut world.series[1].samples[1..] {
        sample.value += 1.0;
    }
    assert_eq!(live(judge, &world, &single_tier(), minutes(DAWN + 120.0), minutes(DAWN + 300.0)).all, []);
}

/// A scene of the second table: clean, ten minutes of failures from minute 120 on, clean; some sampling interval.
fn sampled(judge: Judge, interval: i64, jitter: i64, phase: i64, phases: &[(f64, Phase)]) -> Vec<Alert> {
    let phases: Vec<_> = phases.iter().map(|&(end, phase)| (DAWN + end, phase)).collect();
    let scene = Scene { interval, jitter, phase, ..Scene::new(DAWN, &phases) };
    live(judge, &scene.world(), &single_tier(), minutes(DAWN + 119.0), minutes(DAWN + 240.0)).all
}

fn page_and_resolve_whatever_the_sample_interval(judge: Judge) {
    for interval in [15, 30, 60, 120] {
        for phase in [0, 7] {
            let phases = [(120.0, CLEAN), (130.0, ALL), (240.0, CLEAN)];
            let alerts = sampled(judge, interval * SECOND, interval * SECOND / 10, phase * SECOND, &phases);
            let [alert] = alerts.as_slice() else { panic!("{interval}: {alerts:?}") };
            let (fired, resolved) = (at(alert.fired) - 120.0, at(alert.resolved.unwrap()) - 130.0);
            assert!((1.0..=2.5).contains(&fired), "{interval}: page after {fired}");
            assert!((resolved - 5.5).abs() < 1e-9, "{interval}: resolved after {resolved}");
            assert_eq!(alert.frozen, [0; 0], "{interval}");
        }
    }
}

fn twenty_minutes_without_samples_from_the_fifth_minute_on(judge: Judge) {
    let phases = [(120.0, CLEAN), (125.0, ALL), (130.0, Hidden(10_000)), (145.0, Hidden(0)), (240.0, CLEAN)];
    let alerts = sampled(judge, 30 * SECOND, 0, 7 * SECOND, &phases);
    assert_eq!(fired_and_resolved(&alerts), [(121.5, Some(149.5))]);
    let frozen: Vec<f64> = alerts[0].frozen.iter().copied().map(at).collect();
    assert_eq!(frozen.last(), Some(&149.0));
}

fn an_outage_wholly_inside_a_gap_pages_nobody_and_costs_its_budget(judge: Judge) {
    let phases = [(115.0, CLEAN), (120.0, Hidden(0)), (130.0, Hidden(10_000)), (135.0, Hidden(0)), (240.0, CLEAN)];
    assert_eq!(sampled(judge, 30 * SECOND, 0, 7 * SECOND, &phases), []);
    let shifted: Vec<_> = phases.iter().map(|&(end, phase)| (DAWN + end, phase)).collect();
    let scene = Scene { phase: 7 * SECOND, ..Scene::new(DAWN, &shifted) };
    let verdict =
        crate::oracle::judge::judge(&scene.world(), &single_tier(), &slo::units::Labels::new(), minutes(DAWN + 240.0));
    assert_eq!(verdict.budget.window.bad, crate::oracle::exact::whole(6_000));
}

fn a_wait_fires_after_its_whole_length(judge: Judge) {
    let mut setting = single_tier();
    setting.tiers[0].wait = 2 * MINUTE;
    let scene = Scene::new(DAWN, &[(DAWN + 120.0, CLEAN), (DAWN + 130.0, ALL), (DAWN + 140.0, CLEAN)]);
    let alerts = live(judge, &scene.world(), &setting, minutes(DAWN + 119.0), minutes(DAWN + 140.0)).all;
    assert_eq!(fired_and_resolved(&alerts), [(123.0, Some(135.0))]);
    assert!((at(alerts[0].started) - 121.0).abs() < 1e-9);
}

/// `balanced` at 99.9% over 30 d, four clean days of history, then `phases` from minute 0 on.
fn balanced_alerts(judge: Judge, phases: &[(f64, Phase)]) -> crate::oracle::alert::Alerts {
    let mut all = vec![(DAWN, CLEAN)];
    all.extend(phases.iter().map(|&(end, phase)| (DAWN + end, phase)));
    let scene = Scene { up: true, ..Scene::new(DAWN - 4.0 * 1440.0, &all) };
    let mut world = scene.world();
    for series in &mut world.series {
        let recent = minutes(DAWN) - 30 * MINUTE;
        series.samples.retain(|sample| sample.at >= recent || sample.at % (4 * MINUTE) == 0);
    }
    let setting = Setting { alive: true, tiers: balanced(), ..Setting::plain() };
    live(judge, &world, &setting, minutes(DAWN), scene.phases.last().unwrap().0)
}

fn balanced_on_a_total_outage_of_ten_minutes(judge: Judge) {
    let alerts = balanced_alerts(judge, &[(10.0, ALL), (380.0, CLEAN)]);
    let page = alerts.of(Page, About::Burn);
    assert_eq!((page.len(), at(page[0].fired), page[0].resolved.map(at)), (1, 1.0, Some(45.0)));
    let ticket = alerts.of(Ticket, About::Burn);
    assert_eq!((ticket.len(), at(ticket[0].fired)), (1, 4.5));
    assert_eq!((ticket[0].told.map(at), ticket[0].resolved.map(at)), (Some(45.0), Some(370.0)));
    assert_eq!(alerts.all.len(), 2);
}

fn balanced_on_ten_percent_for_half_an_hour(judge: Judge) {
    let alerts = balanced_alerts(judge, &[(30.0, Bad(1_000)), (120.0, CLEAN)]);
    let page = alerts.of(Page, About::Burn);
    assert_eq!((page.len(), at(page[0].fired), page[0].resolved.map(at)), (1, 9.0, Some(64.5)));
    assert_eq!(alerts.all.len(), 1, "no ticket");
}

fn balanced_on_the_only_target_killed_while_it_fails(judge: Judge) {
    let alerts = balanced_alerts(judge, &[(10.0, ALL), (60.0, Dead)]);
    let down = alerts.of(Page, About::Down);
    assert_eq!((down.len(), at(down[0].fired), down[0].resolved), (1, 13.5, None));
    let burn = alerts.of(Page, About::Burn);
    assert_eq!((burn.len(), burn[0].resolved), (1, None));
    assert_eq!(burn[0].frozen.last().copied().map(at), Some(60.0));
}

fn balanced_where_traffic_stops(judge: Judge) {
    assert_eq!(balanced_alerts(judge, &[(60.0, Quiet)]).all, []);
}
