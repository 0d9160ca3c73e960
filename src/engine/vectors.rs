//! The vector tables of SEMANTICS 2: samples in, booked slices out.

use std::sync::Arc;

use crate::engine::fixture::{
    ALIVE, BOTH, EVENTS, TOTAL, answer, at, booked, definition, live, remarkable, series, state,
};
use crate::engine::instance::Instance;
use crate::engine::observation::{Looks, Observation, SeriesSamples, Start};
use crate::engine::state::SloState;
use crate::units::{Labels, Length};

fn only(state: &SloState) -> &Instance {
    state.instance(&Labels::new()).unwrap()
}

/// Lives through the samples from time 0 on and says what is booked otherwise than `one measured slice, no events`.
fn lived(all: &[SeriesSamples], to: i64) -> SloState {
    let mut state = state(definition());
    live(&mut state, all, 0, to);
    state
}

#[test]
fn increases_belong_to_the_slice_that_holds_the_newer_sample() {
    let lived = lived(&[series(&[], TOTAL, &[(30, 100.0), (60, 130.0), (91, 135.0)])], 120);
    assert_eq!(remarkable(only(&lived), 0, 120), [(30, 0.0, 0.0, 0), (60, 0.0, 30.0, 1), (120, 0.0, 5.0, 1)]);
}

#[test]
fn after_a_reset_the_new_value_counts() {
    let lived = lived(&[series(&[], TOTAL, &[(25, 100.0), (55, 4.0), (85, 9.0)])], 90);
    assert_eq!(remarkable(only(&lived), 30, 90), [(60, 0.0, 4.0, 1), (90, 0.0, 5.0, 1)]);
}

#[test]
fn a_first_error_seen_as_seven_is_seven_errors() {
    let ok = series(&[("code", "200")], TOTAL, &[(25, 100.0), (55, 130.0)]);
    let err = series(&[("code", "500")], BOTH, &[(55, 7.0)]);
    let state = lived(&[ok, err], 60);
    assert_eq!(booked(only(&state), 60), (7.0, 37.0, 1));
    // The same with metrics of their own: the other selector is the witness.
    let ok = series(&[("__name__", "all_total")], TOTAL, &[(25, 100.0), (55, 130.0)]);
    let err = series(&[("__name__", "errors_total")], EVENTS, &[(55, 7.0)]);
    let state = lived(&[ok, err], 60);
    assert_eq!(booked(only(&state), 60), (7.0, 30.0, 1));
}

#[test]
fn a_relabelled_counter_does_not_count_its_life_again() {
    let old = series(&[("version", "1")], TOTAL, &[(25, 100_000.0)]);
    let new = series(&[("version", "2")], TOTAL, &[(55, 100_030.0)]);
    let state = lived(&[old, new], 60);
    assert_eq!(only(&state).window(Length::from_hours(1)).total, 0.0);
}

#[test]
fn a_first_sample_counts_where_the_process_started_just_before() {
    let all = [series(&[], TOTAL, &[(55, 9.0)])];
    for (start, counted) in [(Some(43), 9.0), (None, 0.0), (Some(-245), 0.0), (Some(-244), 9.0), (Some(56), 0.0)] {
        let mut state = state(definition());
        let births = state.undecided(&answer(&all, 0, 60), at(60));
        assert_eq!(births.len(), 1);
        assert_eq!(births[0].at, at(55));
        let target = births[0].target.clone();
        assert_eq!(target, Labels::from([("job", "t"), ("instance", "1")]));
        let starts = start.map(|start| Start { target, at: at(start) }).into_iter().collect();
        state.advance(&Observation { starts, ..answer(&all, 0, 60) }, at(60));
        assert_eq!(booked(only(&state), 60).1, counted, "{start:?}");
        // It is not asked again, and the count stays with the next answers.
        live(&mut state, &all, 60, 180);
        assert_eq!(booked(only(&state), 60).1, counted, "{start:?}");
        assert!(state.undecided(&answer(&all, 0, 210), at(210)).is_empty());
    }
}

#[test]
fn samples_up_to_g_apart_are_continuous() {
    let lived = lived(&[series(&[], TOTAL, &[(10, 0.0), (250, 40.0)])], 270);
    assert_eq!(remarkable(only(&lived), 0, 270), [(270, 0.0, 40.0, 1)]);
}

#[test]
fn a_gap_is_folded() {
    let all = [series(&[], TOTAL, &[(10, 0.0), (40, 5.0), (640, 65.0), (670, 70.0)])];
    let lived = lived(&all, 690);
    // 600 s are 20 slices: 60 itself and those up to 630.
    let mut expected = vec![(60, 0.0, 65.0, 20)];
    expected.extend((3..=21).map(|number| (number * 30, 0.0, 0.0, 0)));
    expected.push((690, 0.0, 5.0, 1));
    assert_eq!(remarkable(only(&lived), 0, 690), expected);
    // A window holds the whole gap or nothing of it.
    let window = only(&lived).window(Length::from_minutes(10));
    assert_eq!((window.total, window.measured), (5.0, Length::from_seconds(60)));
    let window = only(&lived).window(Length::from_hours(1));
    assert_eq!((window.total, window.measured), (70.0, Length::from_seconds(690)));
}

#[test]
fn time_after_the_newest_sample_is_measured_for_a_while() {
    let all = [series(&[], TOTAL, &[(10, 0.0), (40, 5.0)])];
    for to in [180, 300, 330] {
        let lived = lived(&all, to);
        let measured: Vec<i64> =
            (1..=to / 30).map(|number| number * 30).filter(|end| booked(only(&lived), *end).2 == 1).collect();
        let expected: Vec<i64> = if to < 340 { (1..=6).map(|number| number * 30).collect() } else { vec![30] };
        assert_eq!(measured, expected, "seen at {to}");
    }
    // At 340 no sample followed within G: what was provisional is not measured any more.
    let lived = lived(&all, 360);
    let measured = only(&lived).window(Length::from_hours(1)).measured;
    assert_eq!(measured, Length::from_seconds(30));
}

#[test]
fn what_is_dead_is_not_measured_provisionally() {
    let mut definition = definition();
    definition.alive = true;
    let mut state = state(definition);
    let total = series(&[], TOTAL, &[(10, 0.0), (40, 5.0)]);
    let up = series(&[("__name__", "up")], ALIVE, &[(10, 1.0), (40, 1.0), (70, 0.0)]);
    let all = [total, up];
    live(&mut state, &all, 0, 60);
    assert_eq!(only(&state).window(Length::from_hours(1)).measured, Length::from_seconds(60));
    live(&mut state, &all, 60, 90);
    assert_eq!(only(&state).window(Length::from_hours(1)).measured, Length::from_seconds(30));
}

/// The looks at target `t/1`.
fn looks(times: &[i64]) -> Arc<[Looks]> {
    let target = Labels::from([("job", "t"), ("instance", "1")]);
    Arc::new([Looks { target, at: times.iter().map(|seconds| at(*seconds)).collect() }])
}

#[test]
fn what_a_scrape_did_not_find_is_not_measured_provisionally() {
    let all = [series(&[], TOTAL, &[(10, 0.0), (40, 5.0), (190, 8.0)])];
    let measured = |looked: &[i64], to: i64| -> Vec<i64> {
        let mut state = state(definition());
        for end in (30..=to).step_by(30) {
            state.advance(&Observation { looks: looks(looked), ..answer(&all, end - 330, end) }, at(end));
        }
        (1..=to / 30).map(|number| number * 30).filter(|end| booked(only(&state), *end).2 == 1).collect()
    };
    assert_eq!(measured(&[10, 40], 120), [30, 60, 90, 120], "no scrape since, that may be late");
    assert_eq!(measured(&[10, 40, 70], 60), [30, 60], "not before the scrape that failed");
    assert_eq!(measured(&[10, 40, 70, 100], 120), [30], "from the first failed scrape on");
    assert_eq!(measured(&[10, 40, 70, 100, 190], 210), [30, 60, 90, 120, 150, 180, 210], "it is back within G");
    // Another target's scrapes say nothing of this one.
    let mut other = state(definition());
    let elsewhere = Looks { target: Labels::from([("job", "t"), ("instance", "2")]), at: vec![at(100)] };
    other.advance(&Observation { looks: Arc::new([elsewhere]), ..answer(&all, 0, 120) }, at(120));
    assert_eq!(only(&other).window(Length::from_hours(1)).measured, Length::from_seconds(120));
}

#[test]
fn a_restart_measures_nothing_until_a_series_is_seen_again() {
    let all = [series(&[], TOTAL, &[(10, 0.0), (40, 5.0), (100, 6.0)])];
    let mut before = state(definition());
    live(&mut before, &all, 0, 60);
    let mut after = state(definition());
    after.restore(&before.pack()).unwrap();
    let nothing = |end: i64| Observation { from: at(end), to: at(end), ..Observation::default() };
    after.advance(&nothing(90), at(90));
    assert_eq!(booked(only(&after), 90).2, 0);
    after.advance(&answer(&all, 90, 120), at(120));
    assert_eq!(remarkable(only(&after), 30, 120), [(60, 0.0, 5.0, 1), (120, 0.0, 1.0, 1)]);
}

#[test]
fn late_samples_replace_and_never_add() {
    let whole = series(&[], TOTAL, &[(10, 0.0), (40, 5.0), (70, 9.0), (100, 20.0), (130, 21.0), (160, 30.0)]);
    let holed = series(&[], TOTAL, &[(10, 0.0), (40, 5.0), (130, 21.0)]);
    let mut late = state(definition());
    live(&mut late, &[holed], 0, 150);
    live(&mut late, std::slice::from_ref(&whole), 150, 180);
    let mut prompt = state(definition());
    live(&mut prompt, &[whole], 0, 180);
    assert_eq!(remarkable(only(&late), 0, 180), remarkable(only(&prompt), 0, 180));
}

#[test]
fn what_is_older_than_the_lateness_stands() {
    let mut samples: Vec<(i64, f64)> = (0..=40).map(|number| (10 + number * 30, number as f64)).collect();
    let whole = series(&[], TOTAL, &samples);
    samples.remove(2);
    let holed = series(&[], TOTAL, &samples);
    let mut state = state(definition());
    live(&mut state, &[holed], 0, 600);
    live(&mut state, &[whole], 600, 1_200);
    assert_eq!((booked(only(&state), 90).1, booked(only(&state), 120).1), (0.0, 2.0));
}

#[test]
fn another_replica_is_not_joined_to_what_is_held() {
    let one: Vec<(i64, f64)> = (0..=40).map(|number| (10 + number * 30, 1_000.0 + 100.0 * number as f64)).collect();
    // Its clock is 20 s ahead, so its samples look older, and joined they would look like resets.
    let other: Vec<(i64, f64)> = one.iter().map(|(time, value)| (time - 20 + 5, *value)).collect();
    let mut state = state(definition());
    live(&mut state, &[series(&[], TOTAL, &one)], 0, 900);
    let answer = answer(&[series(&[], TOTAL, &other)], 930 - 630, 930);
    state.advance(&Observation { other_replica: true, ..answer }, at(930));
    let total = only(&state).window(Length::from_hours(1)).total;
    assert!((total - 3_000.0).abs() <= 100.0, "{total}");
    live(&mut state, &[series(&[], TOTAL, &other)], 930, 1_200);
    let total = only(&state).window(Length::from_hours(1)).total;
    assert!((total - 3_900.0).abs() <= 100.0, "{total}");
}

#[test]
fn a_slice_in_two_gaps_is_booked_once_with_the_earlier() {
    // Both targets are silent for more than G, one within the other's silence; measured by the longer one's ends.
    let one = series(&[("instance", "1")], TOTAL, &[(10, 0.0), (40, 0.0), (1_000, 10.0), (1_030, 10.0)]);
    let two = series(&[("instance", "2")], TOTAL, &[(10, 0.0), (100, 0.0), (700, 20.0), (730, 20.0)]);
    let state = lived(&[one, two], 1_050);
    // One's gap (40, 1000] takes all unmeasured slices: 60 and 90 are measured by two, and 720 and its tail too.
    let window = only(&state).window(Length::from_hours(2));
    assert_eq!(booked(only(&state), 60).1, 10.0);
    assert_eq!(booked(only(&state), 120).1, 20.0);
    assert_eq!(booked(only(&state), 120).2, 0);
    assert_eq!(window.measured, Length::from_seconds(1_050));
    assert_eq!(window.coverage, 1_050.0 / 7_200.0);
}

#[test]
fn groups_are_born_with_their_first_sample_and_share_their_targets() {
    let mut definition = definition();
    definition.by = vec!["region".to_owned()];
    definition.instances_limit = 2;
    let mut state = state(definition);
    let all = [
        series(&[("region", "eu")], TOTAL, &[(25, 100.0), (55, 130.0), (85, 140.0)]),
        series(&[("region", "us")], TOTAL, &[(55, 7.0), (85, 8.0)]),
        series(&[("region", "af")], TOTAL, &[(55, 1.0), (85, 4.0)]),
        series(&[("region", "as")], TOTAL, &[(55, 1.0), (85, 5.0)]),
    ];
    live(&mut state, &all[..1], 0, 30);
    assert_eq!(state.instances().count(), 1);
    live(&mut state, &all[..2], 30, 60);
    live(&mut state, &all, 60, 90);
    let names: Vec<String> = state.instances().map(|(labels, _)| labels.to_string()).collect();
    assert_eq!(names, [r#"region="eu""#, r#"region="us""#, r#"region="other""#]);
    let us = state.instance(&Labels::from([("region", "us")])).unwrap();
    // Born with a sibling of its target as the witness, and unmeasured before.
    assert_eq!((booked(us, 60), booked(us, 30).2), ((0.0, 7.0, 1), 0));
    let other = state.instance(&Labels::from([("region", "other")])).unwrap();
    assert_eq!(booked(other, 60).1 + booked(other, 90).1, 1.0 + 1.0 + 3.0 + 4.0);
    state.forget(&Labels::from([("region", "eu")]));
    live(&mut state, &all[1..], 90, 120);
    assert_eq!(state.instances().count(), 2);
    let us = state.instance(&Labels::from([("region", "us")])).unwrap();
    assert_eq!(booked(us, 90).1, 1.0);
}

#[test]
fn catching_up_is_living() {
    let total: Vec<(i64, f64)> = (0..200)
        .filter(|number| !(50..80).contains(number))
        .map(|number| (7 + number * 30, (number * number % 5_000) as f64))
        .collect();
    let err: Vec<(i64, f64)> = (90..200).map(|number| (7 + number * 30, number as f64 * 2.0)).collect();
    let all = [series(&[], TOTAL, &total), series(&[("code", "500")], BOTH, &err)];
    let mut lived = state(definition());
    live(&mut lived, &all, 0, 6_000);
    let mut caught_up = state(definition());
    live(&mut caught_up, &all, 0, 1_200);
    let whole = answer(&all, 900, 6_000);
    for number in 41..=200 {
        caught_up.advance(&whole, at(number * 30));
    }
    assert_eq!(remarkable(only(&lived), 0, 6_000), remarkable(only(&caught_up), 0, 6_000));
    assert_eq!(only(&lived).window(Length::from_hours(3)), only(&caught_up).window(Length::from_hours(3)));
}
