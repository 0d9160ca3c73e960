//! SEMANTICS 5 and 7: tiers that look at the budget, at a target of their own or at traffic; bounds on false pages; the
//! forecast.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo::engine::false_pages::FalsePagesFigure;
use slo::engine::state::SloState;
use slo::policy::book::AlertBook;
use slo::policy::card;
use slo::policy::compile;
use slo::policy::machine::Setting as Circumstances;
use slo::policy::notification::Notification;
use slo::policy::subject::Subject;
use slo::spec::meant::Mode;
use slo::spec::policy::AlertSeverity::{Page, Ticket};
use slo::spec::policy::FalsePages;
use slo::spec::preset::presets;
use slo::units::{Labels, Length};

use crate::oracle::adapter::{answer, definition, engine_verdict, past, time};
use crate::oracle::compare::compare;
use crate::oracle::drive::engine;
use crate::oracle::exact::{Rational, decimal, ratio, whole};
use crate::oracle::forecast::{Rates, exhaustion, is_exhausted, recovery};
use crate::oracle::judge::judge;
use crate::oracle::ledger::{Ledger, ledger};
use crate::oracle::scene::{Phase, Scene};
use crate::oracle::window::budget;
use crate::oracle::world::{DAY, HOUR, Kind, MINUTE, SECOND, Setting, Tier};

/// On the hour, and late enough for a period before it.
const BEGIN: i64 = 20_000 * DAY;
/// Minutes of it.
const BEGIN_MINUTES: f64 = 20_000.0 * 1_440.0;
/// Events of an hour.
const EVENTS: i64 = 36_000;

/// A period of 30 d at 10 events/s, in hours until each phase ends, sampled every 5 min.
fn month(phases: &[(f64, Phase)]) -> Scene {
    let phases: Vec<(f64, Phase)> =
        phases.iter().map(|(hours, phase)| (BEGIN_MINUTES + hours * 60.0, *phase)).collect();
    Scene { interval: 5 * MINUTE, ..Scene::new(BEGIN_MINUTES - 30.0, &phases) }
}

fn book(scene: &Scene, setting: &Setting) -> Ledger {
    let w = scene.phases.last().unwrap().0;
    ledger(&scene.world().known_at(w), setting, &Labels::new(), w)
}

/// The rates of even traffic at this burn.
fn burn(burn: &str) -> Rates {
    let total = ratio(EVENTS, HOUR);
    Rates { bad: decimal(burn) * decimal("0.1%") * &total, total }
}

fn hours(millis: Option<Rational>) -> Option<Rational> {
    millis.map(|millis| millis / whole(HOUR))
}

#[test]
fn the_forecast_of_the_table() {
    let setting = Setting::plain();
    let gone =
        |scene: &Scene, rate: &str| hours(exhaustion(&book(scene, &setting), &setting, &burn(rate), setting.window));
    let clean = month(&[(720.0, Phase::Bad(0))]);
    assert_eq!(gone(&clean, "20"), Some(whole(36)));
    // 36% of the 36,000 events of an hour are half of the 25,920 that are allowed.
    let half = month(&[(23.0, Phase::Bad(0)), (24.0, Phase::Bad(3_600)), (720.0, Phase::Bad(0))]);
    assert_eq!(gone(&half, "0.75"), None);
    assert_eq!(gone(&half, "2"), Some(whole(360)));
    let old = month(&[(200.0, Phase::Bad(30)), (720.0, Phase::Bad(0))]);
    assert_eq!(gone(&old, "1.2"), Some(whole(600)));
    let over = month(&[(600.0, Phase::Bad(0)), (601.0, Phase::Bad(9_000)), (720.0, Phase::Bad(0))]);
    let book = book(&over, &setting);
    assert!(is_exhausted(&budget(&book, &setting)));
    assert_eq!(hours(recovery(&book, &setting, &burn("0.5"))), Some(whole(601)));
}

/// What the engine shows, at the burn of the last 6 h: every row with that burn in the lookback, on the hour and off it.
#[test]
fn the_engine_forecasts_as_the_oracle_does() {
    for phases in [
        vec![(714.0, Phase::Bad(0)), (720.0, Phase::Bad(200))],
        vec![(23.0, Phase::Bad(0)), (24.0, Phase::Bad(3_600)), (714.0, Phase::Bad(0)), (720.0, Phase::Bad(20))],
        vec![(200.0, Phase::Bad(30)), (714.0, Phase::Bad(0)), (720.0, Phase::Bad(12))],
        vec![(600.0, Phase::Bad(0)), (601.0, Phase::Bad(9_000)), (714.0, Phase::Bad(0)), (720.0, Phase::Bad(5))],
        vec![(400.0, Phase::Hidden(0)), (700.0, Phase::Bad(10)), (720.5, Phase::Bad(30))],
        vec![(700.0, Phase::Bad(10)), (720.75, Phase::Quiet)],
        vec![(700.0, Phase::Bad(10)), (720.0, Phase::Hidden(0))],
    ] {
        let scene = month(&phases);
        let w = scene.phases.last().unwrap().0;
        let world = scene.world();
        let setting = Setting::plain();
        let mut state = engine(&setting);
        state.prepend(&past(&world, BEGIN - DAY, w));
        compare(&state, &world.known_at(w), &setting, w, &[]).unwrap();
    }
}

/// A month without failures, then this; whether the one tier matches at each of some times after it, told by the oracle
/// and the engine alike.
fn matches(kind: Kind, then: &[(f64, Phase)], seconds: &[i64]) -> Vec<bool> {
    let mut phases = vec![(BEGIN_MINUTES, Phase::Bad(0))];
    phases.extend(then.iter().map(|(minutes, phase)| (BEGIN_MINUTES + minutes, *phase)));
    let scene = Scene { interval: 30 * SECOND, ..Scene::new(BEGIN_MINUTES - 30.0 * 1_440.0 - 30.0, &phases) };
    let world = scene.world();
    let setting = Setting { tiers: vec![Tier::bare(Ticket, kind)], ..Setting::plain() };
    let mut state = engine(&setting);
    state.prepend(&past(&world, BEGIN - 31 * DAY, BEGIN));
    let mut found = Vec::new();
    for end in (BEGIN + 30 * SECOND..=BEGIN + seconds[seconds.len() - 1] * SECOND).step_by(30_000) {
        state.advance(&answer(&world, end - 330 * SECOND, end, end), time(end));
        if seconds.contains(&((end - BEGIN) / SECOND)) {
            compare(&state, &world.known_at(end), &setting, end, &[]).unwrap();
            let said = judge(&world, &setting, &Labels::new(), end).tiers[0].matches;
            assert_eq!(engine_verdict(&state, &Labels::new()).unwrap().tiers[0].matches, said);
            found.push(said);
        }
    }
    found
}

/// SEMANTICS 5: *`exhausts` in 4 h, on a full budget: 5 min at 100%, 3.2 h at 10%*. Worked: 43.2 min of outage are
/// allowed; after `t` of them at 100% the lookback burns `1000 t/30`, and `(43.2 - t) * 30/t < 240` from 4.8 min on. At
/// 10% the lookback burns 100, and `432 - t < 240` from 192 min on.
#[test]
fn exhaustion_is_slow_on_a_full_budget() {
    let kind = || Kind::Exhausts { within: 4 * HOUR, lookback: 30 * MINUTE, min_burn: decimal("6") };
    assert_eq!(matches(kind(), &[(10.0, Phase::Bad(10_000))], &[270, 300]), [false, true]);
    // Hours leave on the hour: between, new traffic adds to what is allowed, at most an hour of 720.
    let found = matches(kind(), &[(240.0, Phase::Bad(1_000))], &[11_400, 11_580]);
    assert_eq!(found, [false, true]);
}

/// Of 25,920 allowed events 25% are 6,480: at 10 a second all bad, 648 s; what is left is below 25% after 1,944 s.
#[test]
fn budgets_drop_and_run_low_when_the_arithmetic_says() {
    let all_bad = [(60.0, Phase::Bad(10_000))];
    let drop = Kind::BudgetDrop { drop: decimal("25%"), over: 7 * DAY };
    assert_eq!(matches(drop, &all_bad, &[630, 660]), [false, true]);
    let left = Kind::BudgetLeft { below: decimal("25%") };
    assert_eq!(matches(left, &all_bad, &[1_920, 1_950, 1_980]), [false, true, true]);
}

/// 1% bad against 0.05%: over 30 min that is more after more than 90 s.
#[test]
fn a_target_of_its_own_is_missed_over_its_window() {
    let kind = Kind::SliBelow { target: decimal("99.95%"), over: 30 * MINUTE };
    assert_eq!(matches(kind, &[(10.0, Phase::Bad(100))], &[60, 90, 120]), [false, false, true]);
}

#[test]
fn no_traffic_wants_measured_time_without_events() {
    let kind = |min_total| Kind::NoTraffic { over: 10 * MINUTE, min_total };
    // The counters stand still: the last events leave the window after 10 min; 300 events are those of a slice.
    let quiet = [(20.0, Phase::Quiet)];
    assert_eq!(matches(kind(0), &quiet, &[540, 570, 600]), [false, false, true]);
    assert_eq!(matches(kind(300), &quiet, &[540, 570, 600]), [false, true, true]);
    // Nobody samples them: that is silence, not no traffic.
    assert_eq!(matches(kind(0), &[(20.0, Phase::Dead)], &[540, 600, 900]), [false, false, false]);
}

/// What 14.4 over 1 h with a bound of 0.1/30d has after `minutes` from `begin`, with `known` of history before. The formula
/// knows the traffic by `B * n` only, so 3,600 events an hour at a budget of `events / 3,600` of 0.1% are `events`.
fn bounded(events: i64, known: i64, (begin, minutes): (i64, i64)) -> FalsePagesFigure {
    let phases = [(BEGIN_MINUTES, Phase::Bad(0)), (BEGIN_MINUTES + 180.0, Phase::Bad(0))];
    let scene = Scene { rate: 1, interval: 2 * MINUTE, ..Scene::new(BEGIN_MINUTES - 3.0 * 1_440.0, &phases) };
    let world = scene.world();
    let kind = Kind::Burn { over: HOUR, confirm: None, factor: decimal("14.4") };
    let budget = ratio(events, 3_600_000);
    let setting = Setting { budget, tiers: vec![Tier::bare(Page, kind)], ..Setting::plain() };
    let mut definition = (*definition(&setting)).clone();
    definition.tiers[0].gates.max_false_pages = Some(FalsePages { most: 0.1, within: Length::from_days(30) });
    let mut state = SloState::new(Arc::new(definition));
    state.prepend(&past(&world, begin - known, begin));
    for end in (begin + 30 * SECOND..=begin + minutes * MINUTE).step_by(30_000) {
        state.advance(&answer(&world, end - 5 * MINUTE, end, end), time(end));
    }
    engine_verdict(&state, &Labels::new()).unwrap().tiers[0].false_pages.unwrap()
}

/// SEMANTICS 5: 30, 100 and 300 events an hour at 99.9% choose 3, 4 and 1 for a tenth of a page in 30 d.
#[test]
fn bounds_on_false_pages_are_worked_out_from_the_traffic() {
    let places = [
        ("after 4 d", 4 * DAY, (BEGIN, 2)),
        ("in the first hour", 0, (BEGIN, 20)),
        ("after an hour of 10 min", 0, (BEGIN + 50 * MINUTE, 20)),
    ];
    for (place, known, run) in places {
        for (events, least, expected) in [(30, 3.0, 0.0094), (100, 4.0, 0.0109), (300, 1.0, 0.054)] {
            let figure = bounded(events, known, run);
            assert!((figure.min_bad - least).abs() < f64::EPSILON, "{place}, {events}: {figure:?}");
            assert!((figure.expected - expected).abs() <= 0.000_5 * (1.0 + expected), "{place}, {events}: {figure:?}");
            assert_eq!(figure.within, Length::from_days(30));
        }
    }
}

/// What the preset `predictive` tells of a total outage of 10 min after a month without failures, with the minute.
fn outage_under_predictive() -> Vec<(f64, Notification)> {
    let phases = [(BEGIN_MINUTES + 10.0, Phase::Bad(10_000)), (BEGIN_MINUTES + 60.0, Phase::Bad(0))];
    let mut scene = Scene::new(BEGIN_MINUTES - 30.0 * 1_440.0 - 30.0, &phases);
    scene.phases.insert(0, (BEGIN, Phase::Bad(0)));
    let (world, setting) = (scene.world(), Setting::plain());
    let mut definition = (*definition(&setting)).clone();
    let objective = "99.9%".parse().unwrap();
    definition.tiers = compile::tiers(&presets()["predictive"], objective, Length::from_days(30)).unwrap();
    let id = definition.id.clone();
    let subject =
        Subject { id, mode: Mode::Live, objective: Some(objective), ..Subject::source("unused", &BTreeMap::default()) };
    let circumstances = Circumstances { subject: &subject, page_can_be_told: true.into(), source_alert: None };
    let mut state = SloState::new(Arc::new(definition));
    state.prepend(&past(&world, BEGIN - 31 * DAY, BEGIN));
    let mut book = AlertBook::new(subject.id.clone());
    let mut told = Vec::new();
    for end in (BEGIN + 30 * SECOND..=BEGIN + 40 * MINUTE).step_by(30_000) {
        let observation = answer(&world, end - 330 * SECOND, end, end);
        let effects = book.evaluate(&circumstances, &mut state, &observation, time(end));
        let minute = (end - BEGIN) as f64 / MINUTE as f64;
        told.extend(effects.into_iter().filter_map(|effect| effect.notification).map(|told| (minute, told)));
    }
    told
}

/// Minutes of outage `t`: 43.2 are allowed. The burn page comes after one. In 3 d at the last 6 h is
/// `(43.2 - t) * 360/t < 4,320`, from 3.32 on; in 4 h at the last 30 m from 4.8 on. 10 min stay in the lookback until
/// minute 30; `33.2 * 30/(40 - t) < 240` ends at 35.85. Kinds are separate: the page on the burn holds no ticket of the
/// budget back.
#[test]
fn predictive_tells_of_the_budget_beside_the_burn() {
    let told = outage_under_predictive();
    let what = |(minute, told): &(f64, Notification)| {
        format!("{minute} {}/{} {:?}", told.severity.name(), told.kind.name(), told.state).to_lowercase()
    };
    let lines: Vec<String> = told.iter().map(what).collect();
    let expected =
        ["1 page/burn firing", "3.5 ticket/budget firing", "5 page/budget firing", "36 page/budget resolved"];
    assert_eq!(lines, expected);
    let (_, page) = &told[2];
    // 25,923 events are allowed; three hours of 36 leave before it ends: (25,923 - 3 * 36 - 3,000) / (5/3 - 0.01) s.
    assert_eq!(page.reason, "the budget is gone in 3h49m: the last 30m burn 167, above 6");
    assert_eq!(page.labels["alertname"], "SLOBudget");
    // At the last 6 h: 300 s of 21,600 bad, so 22,923 of the budget last 22,923 / (10 * 300 / 21,600 - 0.01) s.
    let forecast = page.forecast.as_ref().unwrap();
    assert_eq!((forecast.exhausted, forecast.lookback.as_str()), (false, "6h"));
    let hours = forecast.exhausts_at.unwrap().since(page.as_of).seconds_f64() / 3_600.0;
    assert!((hours - 22_923.0 / (3_000.0 / 21_600.0) / 3_600.0).abs() < 0.5, "{hours}");
    let card = card::render(page);
    let lines: Vec<&str> = card.lines().collect();
    assert_eq!(lines[0], "[PAGE] shop/availability: the budget is running out (objective 99.9%)");
    assert!(lines[1].contains("88% of budget left, gone in 1d2"), "{card}");
    assert_eq!(told[3].1.reason, "over: the budget lasts longer than 4h at the burn of the last 30m");
}
