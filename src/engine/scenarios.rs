//! The vector tables of SEMANTICS 3 and 4: outages in, firing and resolving minutes out.
//!
//! The state machine is the policy's; here the least of it: fire where it matches and the gates hold, resolve where it
//! is known false.

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::fixture::{ALIVE, EVENTS, TOTAL, answer, at, burn, definition, series, state, verdict};
use crate::engine::instance::Instance;
use crate::engine::observation::SeriesSamples;
use crate::engine::state::SloState;
use crate::engine::verdict::{Condition, TierSet, Trend};
use crate::spec::policy::{AlertSeverity, Gates};
use crate::units::{Labels, Length};

const DAY: i64 = 86_400;

/// Counters sampled every `every` seconds at `offset`, at 10 events/s, from `begin` on; `share(t)` of the events at second
/// `t` fail, `None` means that nothing is seen (the counters stand still), `seen(t)` says whether a sample is taken.
struct Traffic<'a> {
    every: i64,
    begin: i64,
    rate: f64,
    share: &'a dyn Fn(i64) -> Option<f64>,
    seen: &'a dyn Fn(i64) -> bool,
}

impl Traffic<'_> {
    fn counters(&self, to: i64) -> Vec<SeriesSamples> {
        let (mut bad, mut total) = (0.0, 0.0);
        let (mut bads, mut totals) = (Vec::new(), Vec::new());
        for second in self.begin..=to {
            if second > self.begin
                && let Some(share) = (self.share)(second)
            {
                bad += self.rate * share;
                total += self.rate;
            }
            if (second - self.begin) % self.every == 0 && (self.seen)(second) {
                bads.push((second, bad));
                totals.push((second, total));
            }
        }
        vec![
            series(&[("__name__", "errors_total")], EVENTS, &bads),
            series(&[("__name__", "all_total")], TOTAL, &totals),
        ]
    }
}

const fn always(_: i64) -> bool {
    true
}

/// Where the first tier fired, resolved, and was frozen first, in minutes since `zero`.
#[derive(Debug, Default, PartialEq)]
struct Story {
    fired: Vec<f64>,
    resolved: Vec<f64>,
    frozen: Option<f64>,
}

fn tell(definition: Definition, all: &[SeriesSamples], zero: i64, from: i64, to: i64) -> Story {
    let slice = definition.slice.length().millis() / 1_000;
    let gap = definition.gap.millis() / 1_000;
    let mut state = state(definition);
    let mut firing = TierSet::default();
    let mut story = Story::default();
    let minute = |end: i64| (end - zero) as f64 / 60.0;
    state.advance(&answer(all, from - 6 * 3_600, from), at(from));
    let mut end = from + slice;
    while end <= to {
        state.advance(&answer(all, end - slice - gap, end), at(end));
        let tier = verdict(&state, firing).tiers[0];
        if !firing.has(0) && tier.matches && tier.gates_hold {
            firing.add(0);
            story.fired.push(minute(end));
        } else if firing.has(0) && tier.known_false {
            firing = TierSet::default();
            story.resolved.push(minute(end));
        } else if firing.has(0) && !tier.matches && story.frozen.is_none() {
            story.frozen = Some(minute(end));
        }
        end += slice;
    }
    story
}

fn page() -> Definition {
    let tier = burn(14.4, Length::from_hours(1), Some(Length::from_minutes(5)), Gates::default());
    Definition { tiers: vec![tier], ..definition() }
}

/// The table's clock: clean from a day before minute 0, samples at every slice end.
fn table(share: &dyn Fn(f64) -> Option<f64>, seen: &dyn Fn(f64) -> bool, to_minute: i64) -> Story {
    let zero = 10 * DAY;
    // The event of second `t` happened in `(t - 1, t]`.
    let minute = |second: i64| (second - zero) as f64 / 60.0;
    let share = |second: i64| share(minute(second));
    let seen = |second: i64| seen(minute(second));
    let traffic = Traffic { every: 30, begin: zero - DAY, rate: 10.0, share: &share, seen: &seen };
    tell(page(), &traffic.counters(zero + to_minute * 60), zero, zero, zero + to_minute * 60)
}

fn outage(minute: f64, from: f64, to: f64, share: f64) -> f64 {
    if minute > from && minute <= to { share } else { 0.0 }
}

#[test]
fn total_outage_of_ten_minutes() {
    let story = table(&|minute| Some(outage(minute, 120.0, 130.0, 1.0)), &|_| true, 400);
    assert_eq!(story, Story { fired: vec![121.0], resolved: vec![135.0], frozen: None });
}

#[test]
fn a_tenth_fails_for_half_an_hour() {
    let story = table(&|minute| Some(outage(minute, 120.0, 150.0, 0.1)), &|_| true, 400);
    assert_eq!((story.fired, story.resolved), (vec![129.0], vec![154.5]));
}

#[test]
fn no_traffic_alone_does_not_resolve() {
    let share = |minute: f64| if minute > 130.0 { None } else { Some(outage(minute, 120.0, 130.0, 1.0)) };
    let story = table(&share, &|_| true, 400);
    assert_eq!(story, Story { fired: vec![121.0], resolved: vec![190.0], frozen: Some(135.0) });
}

#[test]
fn no_data_freezes() {
    let clean_again = |minute: f64| Some(outage(minute, 120.0, 130.0, 1.0));
    // Nothing is seen and nothing happens in between, as when the process is down: its counters start anew.
    let story = table(
        &|minute| if minute > 130.0 && minute <= 310.0 { None } else { clean_again(minute) },
        &|minute| minute <= 130.0 || minute >= 310.0,
        500,
    );
    assert_eq!((story.fired, story.resolved), (vec![121.0], vec![314.5]));
    assert!(story.frozen.is_some());
    let story = table(&clean_again, &|minute| minute <= 130.0, 1_000);
    assert_eq!((story.fired, story.resolved), (vec![121.0], vec![]));
}

#[test]
fn unmeasured_time_is_unknown_when_deciding_to_resolve() {
    let share = |minute: f64| {
        if minute > 170.0 && minute <= 200.0 { None } else { Some(outage(minute, 120.0, 260.0, 0.02)) }
    };
    let story = table(&share, &|minute| minute <= 170.0 || minute > 200.0, 500);
    assert_eq!((story.fired, story.resolved), (vec![163.5], vec![261.5]));
}

#[test]
fn a_service_that_is_born_failing() {
    for (share, expected) in [(1.0, Some(121.0)), (0.1, Some(129.0)), (0.05, Some(137.5))] {
        let zero = 10 * DAY;
        let share = move |_: i64| Some(share);
        let traffic = Traffic { every: 30, begin: zero + 7_200, rate: 20.0, share: &share, seen: &always };
        let story = tell(page(), &traffic.counters(zero + 14_400), zero, zero, zero + 14_400);
        assert_eq!(story.fired.first().copied(), expected);
    }
    let zero = 10 * DAY;
    let share = |second: i64| Some(if second == zero + 7_201 { 0.1 } else { 0.0 });
    let traffic = Traffic { every: 30, begin: zero + 7_200, rate: 10.0, share: &share, seen: &always };
    assert_eq!(tell(page(), &traffic.counters(zero + 14_400), zero, zero, zero + 14_400), Story::default());
}

#[test]
fn sampling_delays_by_little_and_never_freezes() {
    for (every, offset) in [(15, 0), (15, 7), (30, 0), (30, 11), (60, 0), (60, 42), (120, 0), (120, 77)] {
        let zero = 10 * DAY;
        let minute = |second: i64| (second - zero) as f64 / 60.0;
        let share = |second: i64| Some(outage(minute(second), 0.0, 10.0, 1.0));
        let traffic = Traffic { every, begin: zero - DAY + offset, rate: 10.0, share: &share, seen: &always };
        let story = tell(page(), &traffic.counters(zero + 3_600), zero, zero - 600, zero + 3_600);
        let (fired, resolved) = (story.fired[0], story.resolved[0] - 10.0);
        assert!((1.0..=2.5).contains(&fired), "every {every} at {offset}: fired {fired}");
        assert!((4.5..=7.0).contains(&resolved), "every {every} at {offset}: resolved {resolved}");
        assert_eq!((story.fired.len(), story.resolved.len(), story.frozen), (1, 1, None), "every {every} at {offset}");
    }
}

#[test]
fn samples_that_stop_within_the_outage_freeze_until_they_are_back() {
    let zero = 10 * DAY;
    let minute = |second: i64| (second - zero) as f64 / 60.0;
    let share = |second: i64| Some(outage(minute(second), 0.0, 10.0, 1.0));
    let seen = |second: i64| !(minute(second) > 5.0 && minute(second) <= 25.0);
    let traffic = Traffic { every: 30, begin: zero - DAY, rate: 10.0, share: &share, seen: &seen };
    let story = tell(page(), &traffic.counters(zero + 7_200), zero, zero - 600, zero + 7_200);
    assert_eq!((story.fired.len(), story.resolved.len()), (1, 1));
    assert!((1.0..=1.5).contains(&story.fired[0]), "{story:?}");
    assert!((29.0..=30.0).contains(&story.resolved[0]), "{story:?}");
    assert!(story.frozen.is_some());
}

#[test]
fn an_outage_within_a_gap_is_folded_and_does_not_page() {
    let zero = 10 * DAY;
    let minute = |second: i64| (second - zero) as f64 / 60.0;
    let share = |second: i64| Some(outage(minute(second), 3.0, 13.0, 1.0));
    let seen = |second: i64| !(minute(second) > 0.0 && minute(second) < 20.0);
    let traffic = Traffic { every: 30, begin: zero - DAY, rate: 10.0, share: &share, seen: &seen };
    let all = traffic.counters(zero + 7_200);
    assert_eq!(tell(page(), &all, zero, zero - 600, zero + 7_200), Story::default());
    let mut state = state(page());
    state.advance(&answer(&all, zero - 4 * 3_600, zero + 3_600), at(zero + 3_600));
    let instance = only(&state);
    assert_eq!(instance.window(Length::from_hours(2)).bad, 6_000.0);
    // Within the hour the gap is there as a whole or not at all.
    assert_eq!(instance.window(Length::from_minutes(59)).bad, 0.0);
    assert_eq!(instance.budget().window.bad, 6_000.0);
}

fn only(state: &SloState) -> &Instance {
    state.instance(&Labels::new()).unwrap()
}

#[test]
fn the_window_that_resolves_is_long_enough_for_five_events() {
    // 100 requests an hour, 10% errors: the confirm window is often quiet.
    let zero = 10 * DAY;
    let all = {
        let (mut bad, mut total) = (0.0, 0.0);
        let (mut bads, mut totals) = (Vec::new(), Vec::new());
        for second in (zero - DAY)..=zero + 8 * 3_600 {
            if second % 36 == 0 {
                total += 1.0;
                let fails = second > zero && second <= zero + 4 * 3_600 && second % 360 == 0;
                bad += f64::from(u8::from(fails));
            }
            if second % 30 == 0 {
                bads.push((second, bad));
                totals.push((second, total));
            }
        }
        [series(&[("__name__", "errors_total")], EVENTS, &bads), series(&[("__name__", "all_total")], TOTAL, &totals)]
    };
    let story = tell(page(), &all, zero, zero, zero + 8 * 3_600);
    assert_eq!((story.fired.len(), story.resolved.len()), (1, 1), "{story:?}");
    assert!(story.resolved[0] > 240.0, "{story:?}");
}

#[test]
fn equality_does_not_match() {
    // 72 bad of 5,000 burn 14.4 exactly.
    let totals: Vec<(i64, f64)> = (0..=120).map(|number| (number * 30, (number as f64) * 5_000.0 / 120.0)).collect();
    for (bad, matches) in [(72.0, false), (73.0, true)] {
        let bads = [(0, 0.0), (30, 0.0), (60, bad), (3_600, bad)];
        let mut bads: Vec<(i64, f64)> = bads.to_vec();
        bads.splice(3..3, (3..120).map(|number| (number * 30, bad)));
        let all = [
            series(&[("__name__", "errors_total")], EVENTS, &bads),
            series(&[("__name__", "all_total")], TOTAL, &totals),
        ];
        let tier =
            burn(14.4, Length::from_hours(1), None, Gates { min_bad: 70.0, min_total: 5_001.0, ..Gates::default() });
        let mut state = state(Definition { tiers: vec![tier], ..definition() });
        state.advance(&answer(&all, -30, 3_600), at(3_600));
        let tier = verdict(&state, TierSet::default()).tiers[0];
        assert_eq!(tier.matches, matches);
        assert!(!tier.gates_hold);
        assert_eq!(tier.trend, if matches { Trend::Burning } else { Trend::Ok });
    }
}

#[test]
fn budget_of_a_young_service() {
    // 30d, 8 h old: 6 h at 0.01%, 10 min at 100%, 110 min clean.
    let zero = 100 * DAY;
    let share = |second: i64| {
        Some(match second - zero {
            ..=21_600 => 0.0001,
            21_601..=22_200 => 1.0,
            _ => 0.0,
        })
    };
    let traffic = Traffic { every: 30, begin: zero, rate: 10_000.0, share: &share, seen: &always };
    let mut state = state(page());
    state.advance(&answer(&traffic.counters(zero + 28_800), zero - 3_600, zero + 28_800), at(zero + 28_800));
    let budget = only(&state).budget();
    assert!((budget.spent - 0.232).abs() < 5e-4, "{}", budget.spent);
    assert!((budget.spent_so_far - 20.91).abs() < 5e-3, "{}", budget.spent_so_far);
    assert!(budget.estimated);
    assert!((budget.remaining - (1.0 - budget.spent)).abs() < 1e-12);
    assert!((budget.expected_total - 30.0 * 86_400.0 * 10_000.0).abs() < 1.0);
}

#[test]
fn the_silences_are_told_apart() {
    let day = |number: i64| number * DAY;
    let tiers = vec![
        Tier {
            severity: AlertSeverity::Page,
            kind: Kind::Down { after: Length::from_minutes(3) },
            gates: Gates::default(),
        },
        Tier {
            severity: AlertSeverity::Ticket,
            kind: Kind::NoData { after: Length::from_minutes(10) },
            gates: Gates::default(),
        },
    ];
    let definition = Definition { tiers, alive: true, ..definition() };
    let begin = day(20);
    // Traffic for three days; then the counters stand still for an hour, then nothing is there.
    let dead = begin + day(3) + 3_600;
    let counters: Vec<(i64, f64)> =
        (begin..=dead).step_by(30).map(|time| (time, (time.min(begin + day(3)) - begin) as f64)).collect();
    let total = series(&[], TOTAL, &counters);
    for (value, condition) in [(Some(1.0), Condition::Idle), (Some(0.0), Condition::Down), (None, Condition::Down)] {
        let ups: Vec<(i64, f64)> = (begin..=dead + 7_200)
            .step_by(30)
            .filter_map(|time| if time <= dead { Some((time, 1.0)) } else { value.map(|value| (time, value)) })
            .collect();
        let all = [total.clone(), series(&[("__name__", "up")], ALIVE, &ups)];
        let mut state = state(definition.clone());
        state.advance(&answer(&all, begin, begin + day(3)), at(begin + day(3)));
        assert_eq!(verdict(&state, TierSet(3)).condition, Condition::Measured);
        state.advance(&answer(&all, begin + day(3) - 300, begin + day(3) + 1_800), at(begin + day(3) + 1_800));
        let quiet = verdict(&state, TierSet(3));
        assert_eq!(quiet.condition, Condition::NoTraffic);
        assert!(quiet.tiers.iter().all(|tier| !tier.matches && tier.known_false));
        let mut end = begin + day(3) + 1_800;
        while end < dead + 6_000 {
            end += 30;
            state.advance(&answer(&all, end - 330, end), at(end));
        }
        let silent = verdict(&state, TierSet(3));
        assert_eq!(silent.condition, condition);
        assert_eq!(silent.tiers[0].matches, condition == Condition::Down);
        assert_eq!(silent.tiers[1].matches, condition == Condition::Idle);
        assert_eq!(silent.tiers[0].known_false, condition == Condition::Idle);
        assert!(!silent.tiers[1].known_false);
    }
}

#[test]
fn no_data_wants_a_day_of_history_and_an_hour_that_usually_has_events() {
    let tier = Tier {
        severity: AlertSeverity::Ticket,
        kind: Kind::NoData { after: Length::from_minutes(10) },
        gates: Gates::default(),
    };
    let definition = Definition { tiers: vec![tier], ..definition() };
    let begin = 20 * DAY;
    // (days of traffic before, hours of the day with traffic) and whether a silence from 10:30 on is told.
    for (days, hours, told) in
        [(0, 0..24, false), (1, 0..24, true), (3, 0..24, true), (3, 0..10, false), (5, 10..11, true)]
    {
        let dead = begin + days * DAY + 10 * 3_600 + 1_800;
        let mut count = 0.0;
        let mut samples = Vec::new();
        for time in (begin..=dead).step_by(30) {
            count += f64::from(u8::from(hours.contains(&((time - 1) % DAY / 3_600))));
            samples.push((time, count));
        }
        let all = [series(&[], TOTAL, &samples)];
        let mut state = state(definition.clone());
        state.advance(&answer(&all, begin - 3_600, dead), at(dead));
        state.advance(&answer(&all, dead - 300, dead + 900), at(dead + 900));
        let verdict = verdict(&state, TierSet::default());
        assert_eq!(verdict.condition, Condition::Idle);
        assert_eq!(verdict.tiers[0].matches, told, "{days} days, {hours:?}");
    }
}

/// A state that has seen `bad` of `total` events (numerator, total) in each of the hours given.
fn hours(definition: Definition, counts: &[(f64, f64)]) -> SloState {
    let mut sums = (0.0, 0.0);
    let (mut numerators, mut totals) = (vec![(0, 0.0)], vec![(0, 0.0)]);
    for (hour, (numerator, total)) in (0_i64..).zip(counts) {
        sums = (sums.0 + numerator, sums.1 + total);
        for slice in 1..=120 {
            numerators.push((hour * 3_600 + slice * 30, sums.0));
            totals.push((hour * 3_600 + slice * 30, sums.1));
        }
    }
    let all = [
        series(&[("__name__", "part_total")], EVENTS, &numerators),
        series(&[("__name__", "all_total")], TOTAL, &totals),
    ];
    let end = i64::try_from(counts.len()).unwrap() * 3_600;
    let mut state = state(definition);
    state.advance(&answer(&all, -30, end), at(end));
    state
}

#[test]
fn sums_are_of_events_never_averages_of_ratios() {
    let mut counts = vec![(10.0, 100_000.0); 23];
    counts.push((50.0, 100.0));
    let state = hours(definition(), &counts);
    let window = only(&state).window(Length::from_days(1));
    assert!((window.share - 0.000_122).abs() < 5e-7, "{}", window.share);
}

#[test]
fn one_failure_trips_the_page_when_the_hour_has_at_most_69_events() {
    for (events, matches) in [(69.0, true), (70.0, false)] {
        let tier = burn(14.4, Length::from_hours(1), None, Gates::default());
        let state = hours(Definition { tiers: vec![tier], ..definition() }, &[(0.0, events), (1.0, events)]);
        assert_eq!(verdict(&state, TierSet::default()).tiers[0].matches, matches);
    }
}

#[test]
fn bad_is_total_less_good_per_window_and_never_below_zero() {
    let good = Definition { numerator: crate::spec::meant::Numerator::Good, ..definition() };
    let state = hours(good, &[(90.0, 100.0), (105.0, 100.0)]);
    let windows = [Length::from_hours(1), Length::from_hours(2)].map(|length| only(&state).window(length));
    assert_eq!((windows[0].bad, windows[1].bad), (0.0, 5.0));
    assert_eq!(windows[1].total, 200.0);
}

#[test]
fn half_the_budget_of_a_fully_measured_period_is_half_spent() {
    let day = Definition { window: Length::from_days(1), ..definition() };
    let mut counts = vec![(0.0, 1_000.0); 24];
    counts[3] = (12.0, 1_000.0);
    let state = hours(day, &counts);
    let budget = only(&state).budget();
    assert!((budget.spent - 0.5).abs() < 1e-12 && (budget.spent_so_far - 0.5).abs() < 1e-12);
    assert!((budget.allowed - 24.0).abs() < 1e-9 && (budget.remaining_events - 12.0).abs() < 1e-9);
    assert!(!budget.estimated);
}
