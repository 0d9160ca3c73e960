//! SEMANTICS 3 and 5: what no data means, and the hours of the day in which it is worth telling. Oracle and engine.

use slo::spec::policy::AlertSeverity::{Page, Ticket};
use slo::units::Labels;

use crate::oracle::adapter::past;
use crate::oracle::compare::compare;
use crate::oracle::drive::engine;
use crate::oracle::judge::{Condition, Verdict, judge};
use crate::oracle::scene::{Phase, Scene, minutes, series};
use crate::oracle::world::{DAY, HOUR, Kind, MINUTE, Sample, Setting, Tier, World};

const DAWN: i64 = 20_000 * DAY;

fn setting(alive: bool) -> Setting {
    let tiers = vec![
        Tier::bare(Page, Kind::Down { after: 3 * MINUTE }),
        Tier::bare(Ticket, Kind::NoData { after: 10 * MINUTE }),
    ];
    Setting { alive, tiers, ..Setting::plain() }
}

/// What both say at `w`, after checking that they say the same.
fn verdict(world: &World, setting: &Setting, w: i64) -> Verdict {
    let mut state = engine(setting);
    state.prepend(&past(world, DAWN - 40 * DAY, w));
    compare(&state, &world.known_at(w), setting, w, &[]).unwrap();
    judge(world, setting, &Labels::new(), w)
}

/// Ten quiet minutes after two hours of traffic: what the data is, and whether `down` and `no_data` match.
fn after(phase: Phase, alive: bool) -> (Condition, bool, bool) {
    let dawn = 20_000.0 * 1440.0;
    let scene = Scene { up: true, ..Scene::new(dawn, &[(dawn + 120.0, Phase::Bad(0)), (dawn + 130.0, phase)]) };
    let verdict = verdict(&scene.world(), &setting(alive), minutes(dawn + 130.0));
    (verdict.condition, verdict.tiers[0].matches, verdict.tiers[1].matches)
}

#[test]
fn four_silences_are_told_apart() {
    assert_eq!(after(Phase::Bad(0), true), (Condition::Measured, false, false));
    assert_eq!(after(Phase::Quiet, true), (Condition::NoTraffic, false, false));
    assert_eq!(after(Phase::Dead, false), (Condition::Idle, false, false), "`alive` is not asked");
    assert_eq!(after(Phase::Dead, true), (Condition::Down, true, false), "`up` is 0");
    assert_eq!(after(Phase::Hidden(0), true), (Condition::Down, true, false), "`up` is gone, and was 1");
}

#[test]
fn idle_while_up_stays_one_and_after_up_has_been_gone_for_a_week() {
    let traffic: Vec<Sample> = (0..60).map(|minute| sample(DAWN + minute * MINUTE, minute * 600)).collect();
    let mut world = World::default();
    world.series.push(series("requests_total", (false, true, false), traffic));
    world.series.push(series("up", (false, false, true), (0..120).map(|m| sample(DAWN + m * MINUTE, 1)).collect()));
    assert_eq!(verdict(&world, &setting(true), DAWN + 110 * MINUTE).condition, Condition::Idle);
    assert_eq!(verdict(&world, &setting(true), DAWN + 6 * DAY).condition, Condition::Down);
    assert_eq!(verdict(&world, &setting(true), DAWN + 8 * DAY).condition, Condition::Idle);
}

fn sample(at: i64, value: i64) -> Sample {
    Sample { at, value: value as f64, arrived: at }
}

/// Whether `no_data` matches at 03:30 of day `day`, silent since 02:57, where a job counts all day and in the hour from
/// 03:00 on only on the days in `busy`. (A gap is folded into the hour in which it begins, so it begins before three.)
fn no_data_at_half_past_three(day: i64, busy: &[i64]) -> bool {
    let silent = |at: i64| {
        let since = at - DAWN;
        (2 * HOUR + 57 * MINUTE..4 * HOUR).contains(&since.rem_euclid(DAY)) && !busy.contains(&since.div_euclid(DAY))
    };
    let w = DAWN + day * DAY + 3 * HOUR + 30 * MINUTE;
    let times = (DAWN..=w).step_by(usize::try_from(4 * MINUTE).unwrap()).filter(|at| !silent(*at));
    let mut world = World::default();
    let counter = times.map(|at| sample(at, (at - DAWN) / MINUTE)).collect();
    world.series.push(series("requests_total", (false, true, false), counter));
    verdict(&world, &setting(false), w).tiers[1].matches
}

#[test]
fn no_data_needs_events_in_this_hour_on_three_of_seven_days() {
    assert!(no_data_at_half_past_three(8, &[2, 4, 6]));
    assert!(!no_data_at_half_past_three(8, &[2, 4]));
    assert!(!no_data_at_half_past_three(8, &[5]));
    assert!(!no_data_at_half_past_three(8, &[]));
}

#[test]
fn where_fewer_days_have_data_no_data_needs_events_on_all_of_them() {
    assert!(no_data_at_half_past_three(2, &[0, 1]));
    assert!(!no_data_at_half_past_three(2, &[1]));
    assert!(no_data_at_half_past_three(1, &[0]));
}

#[test]
fn no_data_never_matches_with_less_than_a_day_of_history() {
    let begin = DAWN + 4 * HOUR;
    let w = begin + 23 * HOUR;
    let counter = (begin..w - HOUR).step_by(usize::try_from(MINUTE).unwrap());
    let mut world = World::default();
    world.series.push(series(
        "requests_total",
        (false, true, false),
        counter.map(|at| sample(at, at - begin)).collect(),
    ));
    let verdict = verdict(&world, &setting(false), w);
    assert_eq!((verdict.condition, verdict.tiers[1].matches), (Condition::Idle, false));
}
