//! Any order of firings, ends, silences, acknowledgements and restarts: who is told, and who is not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::kit::{Life, START, after, at, by, pagerduty, seconds, to};
use crate::config::meant::Route;
use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::desk::Telling;
use crate::policy::notification::Occasion;
use crate::policy::quiet::QuietKind;

/// One step takes this many seconds.
const STEP: i64 = 40;

#[derive(Clone, Debug)]
enum Event {
    Fire(usize),
    End(usize),
    /// For so many steps.
    Silence(usize, i64),
    Expire,
    Ack(usize),
    Restart,
    Wait(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let alert = 0_usize..4;
    prop_oneof![
        4 => alert.clone().prop_map(Event::Fire),
        3 => alert.clone().prop_map(Event::End),
        2 => (alert.clone(), 1_i64..12).prop_map(|(alert, steps)| Event::Silence(alert, steps)),
        1 => Just(Event::Expire),
        1 => alert.prop_map(Event::Ack),
        2 => Just(Event::Restart),
        3 => (1_i64..20).prop_map(Event::Wait),
    ]
}

/// What happened, beside what was told.
#[derive(Default)]
struct Story {
    /// Alert that is open, by number.
    open: BTreeMap<usize, String>,
    fired: BTreeMap<String, i64>,
    ended: BTreeMap<String, i64>,
    acked: BTreeMap<String, i64>,
    /// What was told at which second.
    told: Vec<(i64, Telling)>,
    /// When each alert was quiet, by its number: after the first second, in which what was due before is told, and before
    /// the last.
    quiet: Vec<(usize, i64, i64)>,
}

impl Story {
    fn is_quiet(&self, alert: &str, second: i64) -> bool {
        let number: usize = alert.split('-').nth(1).unwrap().parse().unwrap();
        self.quiet.iter().any(|(of, from, until)| *of == number && *from < second && second < *until)
    }

    /// Every id that a sink was told of an alert by itself, with its state.
    fn alone(&self, sink: &str, alert: &str) -> Vec<(i64, String, AlertState)> {
        let of = |(second, telling): &(i64, Telling)| {
            let about = &telling.notification;
            let is_it = about.alert_id == alert && about.kind != AlertKind::Digest;
            (is_it && telling.sinks.iter().any(|name| name == sink)).then(|| (*second, about.id.clone(), about.state))
        };
        self.told.iter().filter_map(of).collect()
    }
}

fn live(life: &mut Life, events: &[Event]) -> Story {
    let mut story = Story::default();
    let mut second = 0;
    let mut names = 0;
    for event in events {
        second += STEP;
        step(life, &mut story, second);
        match event {
            Event::Fire(number) if !story.open.contains_key(number) => {
                names += 1;
                let name = format!("n{names}-{number}");
                story.open.insert(*number, name.clone());
                story.fired.insert(name.clone(), second);
                life.fire(&name, second);
            }
            Event::End(number) => {
                if let Some(name) = story.open.remove(number) {
                    story.ended.insert(name.clone(), second);
                    life.end(&name, second);
                }
            }
            Event::Silence(number, steps) => {
                let until = second + steps * STEP;
                story.quiet.push((*number, second, until));
                for name in 0..100 {
                    life.quiet(&format!("n{name}-{number}"), QuietKind::Silence, second, until);
                }
                life.with(second, super::Desk::reconsider);
            }
            Event::Expire => {
                story.quiet.iter_mut().for_each(|(_, _, until)| *until = (*until).min(second));
                life.quiets.clear();
                life.with(second, super::Desk::reconsider);
            }
            Event::Ack(number) => {
                if let Some(name) = story.open.get(number) {
                    story.acked.entry(name.clone()).or_insert(second);
                    life.ack(name, second);
                }
            }
            Event::Restart => life.restart(),
            Event::Wait(steps) => {
                second += steps * STEP;
                step(life, &mut story, second);
            }
            Event::Fire(_) => {}
        }
        collect(life, &mut story);
    }
    // Everything ends; what digests owe is told.
    for name in std::mem::take(&mut story.open).into_values() {
        second += STEP;
        step(life, &mut story, second);
        story.ended.insert(name.clone(), second);
        life.end(&name, second);
        collect(life, &mut story);
    }
    second += 1_000;
    step(life, &mut story, second);
    story
}

/// Second by second where something is due, so that each telling has its time.
fn step(life: &mut Life, story: &mut Story, second: i64) {
    while life.second < second {
        let due = life.desk.next_due().map_or(second, |due| (due.millis() - START * 1_000 + 999).div_euclid(1_000));
        let next = due.clamp(life.second + 1, second);
        life.with(next, |_, _, _| {});
        collect(life, story);
    }
}

fn collect(life: &mut Life, story: &mut Story) {
    let second = life.second;
    story.told.extend(std::mem::take(&mut life.told).into_iter().map(|telling| (second, telling)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_firing_is_told_once_unless_it_is_quiet_and_its_end_to_those_who_heard(
        events in proptest::collection::vec(event(), 1..60)
    ) {
        let first = Route { repeat: Some(seconds(300)), escalate: vec![after(200, &["c"])], ..to(&["a", "am"]) };
        let mut life = Life::new(vec![Route { continue_: true, ..first }, to(&["b"])]);
        life.config.limits.storm = 1_000;
        let story = live(&mut life, &events);
        prop_assert!(life.desk.cases.is_empty());
        for (alert, fired) in &story.fired {
            let ended = story.ended[alert];
            for sink in ["a", "b", "c", "am"] {
                let told = story.alone(sink, alert);
                let ids: BTreeSet<&String> = told.iter().map(|(_, id, _)| id).collect();
                prop_assert_eq!(ids.len(), told.len(), "{} hears nothing of {} twice: {:?}", sink, alert, told);
                let heard = told.iter().filter(|(_, _, state)| *state == AlertState::Firing);
                for (second, id, _) in heard.clone() {
                    prop_assert!(*fired <= *second && *second <= ended, "{} at {}", id, second);
                    prop_assert!(!story.is_quiet(alert, *second), "{} at {} while it is quiet", id, second);
                    let again = id.contains("/r") || sink == "c";
                    let taken_on = story.acked.get(alert).is_some_and(|acked| acked < second);
                    prop_assert!(!(again && taken_on), "{} at {} though somebody is at it", id, second);
                }
                let ends: Vec<i64> =
                    told.iter().filter(|(_, _, state)| *state == AlertState::Resolved).map(|(at, ..)| *at).collect();
                let expected: Vec<i64> = if heard.clone().next().is_some() { vec![ended] } else { Vec::new() };
                prop_assert_eq!(ends, expected, "{} of the end of {}: {:?}", sink, alert, told);
                // Whoever has a route hears of it by the first second at which it is not quiet.
                let clear = (*fired..ended).find(|second| !story.is_quiet(alert, *second));
                let known = heard.map(|(second, ..)| *second).next();
                // What falls due in the second of the end is told before it.
                let at_the_end = clear.is_none() && known == Some(ended);
                if sink != "c" {
                    prop_assert!(known == clear || at_the_end, "{} of {} at {:?}: {:?}", sink, alert, clear, told);
                }
            }
        }
    }

    #[test]
    fn a_digest_names_every_member_and_every_end_of_one_that_it_named(
        events in proptest::collection::vec(event(), 1..60), limit in 1_usize..4
    ) {
        let group = Route { grouping: by(&["service"], 30, 120), continue_: true, ..to(&["a"]) };
        let mut life = Life::new(vec![group, to(&["b"])]);
        life.config.limits.storm = limit;
        life.config.sinks.extend(["a", "b"].map(|sink| (sink.to_owned(), pagerduty())));
        let story = live(&mut life, &events);
        prop_assert!(life.desk.cases.is_empty());
        // By sink and key: nobody is called there, for somebody acknowledged it.
        let mut hushed: BTreeSet<(String, String)> = BTreeSet::new();
        let mut ids = BTreeSet::new();
        let mut once: BTreeSet<(String, String, i64)> = BTreeSet::new();
        // By sink and alert: named as firing, and not yet as ended.
        let mut named: BTreeSet<(String, String)> = BTreeSet::new();
        let mut ever: BTreeSet<(String, String)> = BTreeSet::new();
        for (second, telling) in &story.told {
            let about = &telling.notification;
            for sink in &telling.sinks {
                prop_assert!(ids.insert((sink.clone(), about.id.clone())), "{} twice to {}", about.id, sink);
                let members: Vec<(String, AlertState)> = match about.kind {
                    AlertKind::Digest => about.members.iter().map(|of| (of.alert_id.clone(), of.state)).collect(),
                    _ => vec![(about.alert_id.clone(), about.state)],
                };
                let key = (sink.clone(), about.dedup_key.clone());
                let news = members.iter().any(|(alert, _)| {
                    let taken_on = story.acked.get(alert).is_some_and(|acked| acked <= second);
                    !taken_on && !ever.contains(&(sink.clone(), alert.clone()))
                });
                prop_assert!(!(news && hushed.contains(&key)), "{} calls nobody at {}", about.id, second);
                match (about.state, about.occasion) {
                    (AlertState::Resolved, _) => drop(hushed.remove(&key)),
                    (_, Occasion::Acknowledged) => drop(hushed.insert(key)),
                    _ => {}
                }
                let is_over = members.iter().all(|(_, state)| *state == AlertState::Resolved);
                prop_assert_eq!(is_over, about.state == AlertState::Resolved);
                for (alert, state) in members {
                    if state == AlertState::Firing && !about.tells_ack() {
                        let moment = (sink.clone(), alert.clone(), *second);
                        prop_assert!(once.insert(moment), "{} told twice to {} at {}", alert, sink, second);
                    }
                    let known = (sink.clone(), alert.clone());
                    if state == AlertState::Resolved {
                        prop_assert!(ever.contains(&known), "{} hears of the end of {} only", sink, alert);
                        named.remove(&known);
                    } else {
                        let new = ever.insert(known.clone());
                        prop_assert!(!new || !story.is_quiet(&alert, *second), "{} is quiet at {}", alert, second);
                        named.insert(known);
                    }
                }
            }
        }
        prop_assert_eq!(named, BTreeSet::new(), "what was named was told ended");
        for (alert, fired) in &story.fired {
            // Long enough for a group to be told, or for a storm to be told again.
            let long = (*fired + 120..story.ended[alert]).any(|second| {
                (second - 120..=second).all(|second| !story.is_quiet(alert, second))
            });
            for sink in ["a", "b"] {
                let heard = ever.contains(&(sink.to_owned(), alert.clone()));
                prop_assert!(heard || !long, "{} was not told of {}, which fired at {}", sink, alert, at(*fired));
            }
        }
    }
}
