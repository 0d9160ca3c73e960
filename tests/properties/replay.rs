//! A replay from answers hours long tells what a service told that asked at every slice end.

use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::test_runner::{TestCaseError, TestRunner};
use slo::policy::alert::AlertState;
use slo::policy::book::AlertBook;
use slo::policy::machine::Setting as Circumstances;
use slo::policy::subject::Subject;
use slo::replay::player::Player;
use slo::replay::watch::Watch;
use slo::units::{Labels, Timestamp};

use super::cases;
use super::live::setting;
use crate::oracle::adapter::{answer, definition, past, time};
use crate::oracle::drive::{engine, slice_ends};
use crate::oracle::random::Random;
use crate::oracle::traffic::{Recipe, recipes, traffic};
use crate::oracle::world::{DAY, HOUR, Setting, World};

/// Id, fired, told, ended, why: what a receiver would see.
type Story = BTreeMap<String, (Option<Timestamp>, Option<Timestamp>, Option<Timestamp>, String)>;

fn subject(setting: &Setting) -> Subject {
    Subject { id: definition(setting).id.clone(), ..Subject::source("unused", &BTreeMap::new()) }
}

/// One answer and one evaluation a slice end, as the service does; the past up to `from` is known from the start.
fn lived(world: &World, setting: &Setting, from: i64, ends: &[i64]) -> Story {
    let subject = subject(setting);
    let circumstances = Circumstances { subject: &subject, page_can_be_told: true.into(), source_alert: None };
    let mut engine = engine(setting);
    engine.prepend(&past(world, from - 40 * DAY, from));
    let mut book = AlertBook::new(subject.id.clone());
    let mut story = Story::new();
    for &w in ends {
        let observation = answer(world, w - setting.slice - setting.gap, w, w);
        for effect in book.evaluate(&circumstances, &mut engine, &observation, time(w)) {
            let alert = effect.alert;
            let entry = story.entry(alert.id.clone()).or_default();
            entry.0 = alert.fired_at;
            entry.2 = alert.resolved_at;
            let reason = |to: AlertState| alert.transitions.iter().rfind(|t| t.to == to).map(|t| t.reason.clone());
            entry.3 = reason(AlertState::Firing).unwrap_or_default();
            if effect.notification.is_some() && alert.state == AlertState::Firing {
                entry.1 = Some(time(w));
            }
        }
    }
    story
}

/// The same from few answers, each of a stretch.
fn replayed(world: &World, setting: &Setting, from: i64, ends: &[i64], random: &mut Random) -> Story {
    let mut player = Player::new(&definition(setting), &subject(setting), true, time(from));
    // Looking on changes nothing.
    let (first, last) = (time(ends[0]), time(ends[ends.len() - 1]));
    player.watch([Watch::new(None, Labels::new(), first, last)]);
    player.prepend(&past(world, from - 40 * DAY, from));
    let mut rest = ends;
    let mut reached = from;
    while !rest.is_empty() {
        let many = random.between(1, 2 * HOUR / setting.slice);
        let (now, later) = rest.split_at(usize::try_from(many).unwrap().min(rest.len()));
        let to = now[now.len() - 1];
        player.play(&answer(world, reached - setting.gap, to, i64::MAX), time(to));
        (reached, rest) = (to, later);
    }
    let (told, _) = player.finish();
    let seen =
        |told: slo::replay::told::Told| (told.id, (Some(told.fired_at), told.told_at, told.resolved_at, told.reason));
    told.into_iter().map(seen).collect()
}

fn replay_equals_life(recipe: &Recipe) -> Result<usize, String> {
    let mut traffic = traffic(recipe);
    // What came late is there when the past is read.
    traffic
        .world
        .series
        .iter_mut()
        .flat_map(|series| &mut series.samples)
        .for_each(|sample| sample.arrived = sample.at);
    let mut random = Random::new(recipe.seed, 2_000);
    let setting = setting(&traffic, &mut random);
    let ends: Vec<i64> = slice_ends(&traffic).collect();
    let (before, ends) = ends.split_at(ends.len() / 4);
    let from = before.last().copied().unwrap_or(ends[0] - setting.slice);
    let life = lived(&traffic.world, &setting, from, ends);
    let replay = replayed(&traffic.world, &setting, from, ends, &mut random);
    if life == replay { Ok(life.len()) } else { Err(format!("life {life:#?}\nreplay {replay:#?}")) }
}

#[test]
fn a_replay_tells_what_the_service_told() {
    let fired = Cell::new(0);
    let told = TestRunner::new(cases(24)).run(&recipes(240), |recipe| {
        let alerts = replay_equals_life(&recipe);
        fired.set(fired.get() + alerts.map_err(|difference| TestCaseError::fail(format!("{recipe:?}\n{difference}")))?);
        Ok(())
    });
    told.unwrap();
    assert!(fired.get() > 40, "only {} alerts", fired.get());
}
