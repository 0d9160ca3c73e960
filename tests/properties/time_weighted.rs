//! What is weighted by time, from the files to the verdict: random readings through the plan and the engine, live and as
//! history, against the oracle.

use std::collections::BTreeMap;

use proptest::prelude::any;
use proptest::proptest;
use proptest::test_runner::TestCaseError;
use slo::check::load::load;
use slo::engine::definition::Definition;
use slo::engine::observation::{History, Observation, Point};
use slo::engine::state::SloState;
use slo::plan::Plan;
use slo::plan::pushdown::Value;
use slo::units::{Labels, Length, Step};
use slo::yaml::SourceText;

use super::cases;
use crate::oracle::adapter::{Differences, definition, engine_verdict, length, time};
use crate::oracle::compare::LENGTHS;
use crate::oracle::exact::decimal;
use crate::oracle::judge::judge_ledger;
use crate::oracle::random::Random;
use crate::oracle::scene::balanced;
use crate::oracle::time_weighted::{Asked, Meaning, Reading, ledger};
use crate::oracle::window::window;
use crate::oracle::world::{DAY, MINUTE, SECOND, Setting};

/// The slice.
const SLICE: i64 = 30 * SECOND;

/// An SLI as it is written, and what the oracle takes it for.
fn sli(random: &mut Random) -> (&'static str, Asked) {
    let (text, meaning, absent_is_bad) = random.pick(&[
        ("gauge: {query: q, below: 15m}", 0, false),
        ("gauge: {query: q, below: 900, absent: bad}", 0, true),
        ("gauge: {query: q, above: 450}", 1, false),
        ("gauge: {query: q, above: 7m30s, absent: bad}", 1, true),
        ("probe: q", 2, false),
        ("gauge: {query: q, equals: 1, absent: bad}", 2, true),
        ("ratio: q", 3, false),
    ]);
    let meaning = match meaning {
        0 => Meaning::Below(decimal("900")),
        1 => Meaning::Above(decimal("450")),
        2 => Meaning::Equals(decimal("1")),
        _ => Meaning::Ratio,
    };
    (text, Asked { meaning, absent_is_bad, lived_after: None })
}

/// Readings of up to three series, with everything that a store may say: values, bounds, nothing, NaN, infinities, and
/// stretches without any. Of a ratio there is one series a group.
fn readings(random: &mut Random, asked: &Asked, (begin, end): (i64, i64), regions: &[&str]) -> Vec<Reading> {
    let mut readings = Vec::new();
    let series = if matches!(asked.meaning, Meaning::Ratio) { 1 } else { random.between(1, 3) };
    for region in regions {
        for number in 0..series {
            let labels = Labels::from([("region", *region), ("pod", &*number.to_string())]);
            let born = begin + random.between(0, 20) * SLICE;
            let (mut silent, mut bad) = (0, 0);
            for at in (born + SLICE..=end).step_by(usize::try_from(SLICE).unwrap()) {
                if random.once_in(40) {
                    silent = random.between(1, 30);
                }
                if random.once_in(60) {
                    bad = random.between(1, 40);
                }
                (silent, bad) = (silent - 1, bad - 1);
                if silent > 0 {
                    continue;
                }
                readings.push(Reading { at, labels: labels.clone(), value: value(random, &asked.meaning, bad > 0) });
            }
        }
    }
    readings
}

fn value(random: &mut Random, meaning: &Meaning, bad: bool) -> f64 {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 900.0, 450.0, 1.0, 0.0, 900.000_000_1, -1.0];
    if random.once_in(15) {
        return random.pick(&odd);
    }
    match (meaning, bad) {
        (Meaning::Below(_), false) => random.share() * 900.0,
        (Meaning::Below(_), true) => 901.0 + random.share() * 900.0,
        (Meaning::Above(_), false) => 451.0 + random.share() * 900.0,
        (Meaning::Above(_), true) => random.share() * 449.0,
        (Meaning::Equals(_), bad) => f64::from(!bad),
        (Meaning::Ratio, false) => random.share() * 0.001,
        (Meaning::Ratio, true) => random.share(),
    }
}

/// The points of all readings, by way of the plan of an SLO that is written so.
fn points(text: &str, grouped: bool, readings: &[Reading]) -> Vec<Point> {
    let by = if grouped { "    by: [region]\n" } else { "" };
    let file =
        format!("version: slo/v1\nservice: shop\nslos:\n  - name: a\n    objective: 99%\n    sli: {{{text}}}\n{by}");
    let loaded = load(&[SourceText::named("a.yaml", &file)]);
    assert_eq!(loaded.findings, []);
    let plan = Plan::new(&loaded.slos, Length::from_seconds(15), Step::new(length(SLICE)).unwrap());
    let pushdown = plan.pushdown(0).unwrap();
    assert_eq!((pushdown.step, plan.questions().len(), pushdown.events), (length(SLICE), 1, pushdown.total));
    let mut values: BTreeMap<Labels, Vec<_>> = BTreeMap::new();
    for reading in readings {
        values.entry(reading.labels.clone()).or_default().push((time(reading.at), reading.value));
    }
    let values: Vec<Value> = values.into_iter().map(|(labels, points)| Value { labels, points }).collect();
    pushdown.points(plan.questions(), &values, &values).unwrap()
}

fn cut(points: &[Point], from: i64, to: i64) -> Vec<Point> {
    points.iter().filter(|point| time(from) < point.at && point.at <= time(to)).cloned().collect()
}

/// Asks for `(from, to]` and advances through the slice ends after `since`.
fn ask(state: &mut SloState, points: &[Point], (from, to): (i64, i64), since: i64) {
    let points = cut(points, from, to);
    let observation = Observation { from: time(from), to: time(to), points, ..Observation::default() };
    for end in (since + SLICE..=to).step_by(usize::try_from(SLICE).unwrap()) {
        state.advance(&observation, time(end));
    }
}

/// What has been read so far, and since when.
struct Told<'a> {
    readings: &'a [Reading],
    asked: &'a Asked,
    setting: &'a Setting,
    begin: i64,
}

impl Told<'_> {
    fn compare(&self, state: &SloState, w: i64) -> Result<(), String> {
        let known = |reading: &&Reading| {
            reading.at > self.begin && reading.at <= w && (self.asked.absent_is_bad || !reading.value.is_nan())
        };
        let mut groups: Vec<Labels> =
            self.readings.iter().filter(known).map(|reading| reading.labels.project(&self.setting.by)).collect();
        groups.push(Labels::new());
        groups.sort();
        groups.dedup();
        let known: Vec<Reading> = self.readings.iter().filter(known).cloned().collect();
        groups.retain(|group| group.is_empty() == self.setting.by.is_empty());
        for group in &groups {
            let context = format!("{:?}, group {{{group}}} at {w} from {}", self.asked, self.begin);
            let book = ledger(&known, self.asked, self.setting, (group, self.begin, w));
            let mut differences = Differences::default();
            let Some(instance) = state.instance(group) else { return Err(format!("{context}: no instance")) };
            for asked in LENGTHS {
                let engine = instance.window(length(asked));
                let oracle = window(&book, self.setting, asked);
                differences.window(&length(asked).to_string(), &engine, &oracle, &self.setting.budget);
            }
            let verdict = engine_verdict(state, group).unwrap();
            differences.verdict(&verdict, &judge_ledger(&book, self.setting), self.setting);
            differences.result(&context)?;
        }
        let born = state.instances().count();
        if born == groups.len() { Ok(()) } else { Err(format!("at {w}: {born} instances, oracle {}", groups.len())) }
    }
}

fn equals_the_oracle(seed: u64, minutes: i64, grouped: bool) -> Result<(), String> {
    let mut random = Random::new(seed, 0);
    let begin = 20_000 * DAY + random.between(0, 23) * 60 * MINUTE;
    let history = random.between(0, 2) * random.between(1, 20) * 30 * MINUTE;
    let (start, end) = (begin + history, begin + history + minutes * MINUTE);
    let (text, mut asked) = sli(&mut random);
    let regions = if grouped { &["eu", "us"][..] } else { &["eu"] };
    let readings = readings(&mut random, &asked, (begin, end), regions);
    let setting = Setting {
        by: if grouped { vec!["region".to_owned()] } else { Vec::new() },
        budget: decimal(random.pick(&["0.1%", "1%", "5%"])),
        time_weighted: true,
        tiers: balanced(),
        ..Setting::plain()
    };
    let points = points(text, grouped, &readings);
    let compiled = Definition {
        pushdown: Some(length(SLICE)),
        absent_is_bad: asked.absent_is_bad,
        ..definition(&setting).as_ref().clone()
    };
    let mut state = SloState::new(compiled.into());

    // A cold start that reads the newest two hours, or a start that lives through all of it.
    let cold = random.once_in(2);
    let mut w = if cold { (start + 120 * MINUTE).min(end) } else { start };
    if cold {
        state.asked_late(time(w));
        ask(&mut state, &points, (start, w), start);
    } else {
        w = start + SLICE;
        ask(&mut state, &points, (start, w), start);
    }
    asked.lived_after = Some(if cold { w } else { start });
    while w < end {
        let before = w;
        let late = if random.once_in(10) { random.between(2, 12) } else { 1 };
        w = (w + late * SLICE).min(end);
        ask(&mut state, &points, ((before - setting.gap).max(start), w), before);
        if random.once_in(25) || w == end {
            let lived_after = asked.lived_after.filter(|lived| *lived < w);
            let asked = Asked { lived_after, ..asked.clone() };
            Told { readings: &readings, asked: &asked, setting: &setting, begin: start }.compare(&state, w)?;
        }
    }

    // Then the past, backwards in pieces.
    let mut reached = start;
    while reached > begin {
        let from = (reached - random.between(1, 40) * 10 * MINUTE).max(begin);
        let piece = cut(&points, from, reached);
        state.prepend(&History { from: time(from), to: time(reached), points: piece, ..History::default() });
        reached = from;
        Told { readings: &readings, asked: &asked, setting: &setting, begin: reached }.compare(&state, w)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn readings_weighted_by_time_equal_the_oracle(seed in any::<u64>(), minutes in 10_i64..240, grouped in any::<bool>()) {
        equals_the_oracle(seed, minutes, grouped).map_err(TestCaseError::fail)?;
    }
}
