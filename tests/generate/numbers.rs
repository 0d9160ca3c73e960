//! Every number that the rules record, and every alert, beside the engine's on the same data.
//!
//! The increases that longer windows are summed from are evaluated at the slice ends, 5 minutes and hours of a month and
//! written back under their names, as a ruler would have done over that month. Then every rule is evaluated at some
//! slice ends, in the order of the file, and compared where the window begins alike in both.

use std::collections::{BTreeMap, BTreeSet};

use slo::units::{Labels, Length, Timestamp};

use crate::command::{Rule, generate, parse};
use crate::kit::prometheus::{Options, Prometheus};
use crate::kit::remote_write::Loaded;
use crate::truth::{Figures, Truth, begins_alike, overlap};
use crate::world::{Answer, CONFIG, SLOS, Store, TIMED, VictoriaMetrics, World};

/// How far two numbers may be apart, as a share of the larger.
const TOLERANCE: f64 = 1e-9;

/// The slice ends at which everything is compared, before the end.
const BEFORE: [Length; 4] =
    [Length::from_hours(1), Length::from_minutes(35), Length::from_seconds(10 * 60 + 30), Length::ZERO];

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_the_engines_on_prometheus() {
    let Some(prometheus) = Prometheus::start(&Options::default()).await else { return };
    let store = Store::prometheus(prometheus.url());
    let files = format!("{SLOS}---{TIMED}");
    let compared = compare(&store, &files, "prometheus", overlap()).await;
    assert!(compared.figures > 600, "{compared:?}");
    assert!(compared.firing > 10 && compared.silent > 20, "{compared:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_number_is_the_engines_on_victoria_metrics() {
    let Some(server) = VictoriaMetrics::start().await else { return };
    let compared = compare(&server.store, SLOS, "victoriametrics", Length::ZERO).await;
    assert!(compared.figures > 400, "{compared:?}");
    assert!(compared.firing > 10 && compared.silent > 20, "{compared:?}");
}

/// How much was compared.
#[derive(Debug, Default)]
struct Compared {
    figures: usize,
    firing: usize,
    silent: usize,
}

async fn compare(store: &Store, files: &str, ruler: &str, overlap: Length) -> Compared {
    let world = World::new();
    store.write(&world.loaded()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("slos.yaml"), format!("{files}---\n{CONFIG}")).unwrap();
    let run = generate(folder.path(), &["slos.yaml", "--ruler", ruler]);
    assert_eq!(run.code, 0, "{}", run.err);
    let all: Vec<Rule> = parse(&run.out).groups.into_iter().flat_map(|group| group.rules).collect();
    let mut recorder = Recorder { store, written: BTreeSet::new() };
    for rule in &all {
        if let Some((step, reach)) = rule.record.as_deref().and_then(base) {
            recorder.record(rule, world.end - reach, world.end, step).await;
        }
    }
    let mut truths = Truth::of(files, &world, store, overlap).await;
    let mut compared = Compared::default();
    for at in BEFORE.map(|before| world.end - before) {
        let mut figures = Figures::default();
        // The watermark of what the store evaluates moves in steps.
        let judged: BTreeSet<String> =
            truths.iter().filter(|truth| truth.judges_at(at)).map(|truth| truth.slo.id.name.clone()).collect();
        for truth in truths.iter_mut().filter(|truth| judged.contains(&truth.slo.id.name)) {
            truth.advance(at);
            let of_one = truth.figures(at);
            figures.records.extend(of_one.records);
            for ((name, severity, group), matches) in of_one.alerts {
                let mut group = group;
                group.insert("slo_service", &truth.slo.id.service);
                group.insert("slo_name", &truth.slo.id.name);
                figures.alerts.insert((name, severity, group), matches);
            }
        }
        for rule in all.iter().filter(|rule| judged.contains(&rule.labels["slo_name"])) {
            match &rule.record {
                Some(name) => {
                    let answer = recorder.record(rule, at, at, Length::from_seconds(30)).await;
                    compared.figures += equal(rule, name, &answer, &mut figures, at);
                }
                None => fires(rule, at, &store.at(&rule.expr, at).await, &mut figures, &mut compared),
            }
        }
        // What the rules should have said, too. An increase that nobody looks at need not be recorded.
        figures.records.retain(|(name, _), _| !name.starts_with("slo:"));
        figures.records.retain(|(name, labels), _| is_shown(name, labels, &truths));
        assert_eq!(figures.records.keys().collect::<Vec<_>>(), Vec::<&(String, Labels)>::new(), "not recorded at {at}");
        let unsaid: Vec<_> = figures.alerts.iter().filter(|(_, matches)| **matches).collect();
        assert!(unsaid.is_empty(), "no rule said at {at}: {unsaid:?}");
    }
    compared
}

/// Whether a ratio is of a window that somebody looks at: the truth lists 5m and 1h for every SLO.
fn is_shown(name: &str, labels: &Labels, truths: &[Truth]) -> bool {
    let Some(window) = labels.get("window").filter(|window| matches!(*window, "5m" | "1h")) else {
        return name != "slo_error_ratio" || labels.get("window").is_some();
    };
    let slo = truths.iter().find(|truth| Some(truth.slo.id.name.as_str()) == labels.get("slo_name")).unwrap();
    slo.looks_at(window.parse().unwrap())
}

/// Step and reach of the records that others are summed from.
fn base(record: &str) -> Option<(Length, Length)> {
    if record.ends_with(":slice") {
        Some((Length::from_seconds(30), Length::from_hours(7 * 24 + 2)))
    } else if record == "slo:total_series:count" {
        Some((Length::from_seconds(30), Length::from_hours(3)))
    } else if record.ends_with(":increase5m") {
        Some((Length::from_minutes(5), Length::from_hours(3 * 24 + 2)))
    } else if record.ends_with(":increase1h") {
        Some((Length::from_hours(1), Length::from_hours(30 * 24 + 1)))
    } else {
        None
    }
}

/// Evaluates rules and writes what they give, each value once.
struct Recorder<'a> {
    store: &'a Store,
    written: BTreeSet<(Labels, Timestamp)>,
}

impl Recorder<'_> {
    async fn record(&mut self, rule: &Rule, from: Timestamp, to: Timestamp, step: Length) -> Answer {
        let answer = self.store.range(&rule.expr, from, to, step).await;
        let mut loaded = Vec::new();
        let mut recorded = Vec::new();
        for (labels, points) in answer {
            let mut named = labels;
            named.insert("__name__", rule.record.clone().unwrap());
            for (name, value) in &rule.labels {
                named.insert(name, value);
            }
            let fresh: Vec<(i64, f64)> = points
                .iter()
                .filter(|(at, _)| self.written.insert((named.clone(), *at)))
                .map(|(at, value)| (at.millis(), *value))
                .collect();
            let pairs: Vec<(&str, &str)> = named.iter().collect();
            if !fresh.is_empty() {
                loaded.push(Loaded::new(&pairs, fresh));
            }
            recorded.push((named, points));
        }
        self.store.write(&loaded).await;
        let mut seen = BTreeSet::new();
        for (labels, _) in &recorded {
            assert!(seen.insert(labels.clone()), "{} gives {labels} twice", rule.expr);
        }
        recorded
    }
}

/// Compares what a rule recorded at `at`; what is compared leaves `figures`.
fn equal(rule: &Rule, name: &str, answer: &Answer, figures: &mut Figures, at: Timestamp) -> usize {
    let mut compared = 0;
    for (labels, points) in answer {
        let mut labels = labels.clone();
        labels.remove("__name__");
        let [(_, found)] = points[..] else { panic!("{name} {labels}: {points:?}") };
        if let Some(wanted) = figures.records.remove(&(name.to_owned(), labels.clone())) {
            let room = TOLERANCE * found.abs().max(wanted.abs());
            assert!(
                (found - wanted).abs() <= room,
                "{name}{{{labels}}} at {at}: {found} is not {wanted}\n{}",
                rule.expr
            );
            compared += 1;
        } else {
            let known = name.ends_with(":slice") || name == "slo:total_series:count";
            assert!(known || !window_begins_alike(name, &labels, at), "{name}{{{labels}}} = {found} at {at}: unknown");
        }
    }
    compared
}

/// Whether the window of a record begins alike in both; `remaining` goes by hours.
fn window_begins_alike(name: &str, labels: &Labels, at: Timestamp) -> bool {
    let in_name = name.split_once(":increase").map(|(_, window)| window);
    let window = labels.get("window").or(in_name).unwrap_or("30d");
    begins_alike(window.parse().unwrap(), at)
}

fn fires(rule: &Rule, at: Timestamp, answer: &Answer, figures: &mut Figures, compared: &mut Compared) {
    let name = rule.alert.as_deref().unwrap();
    let firing: BTreeSet<Labels> = answer.iter().map(|(labels, _)| labels.clone()).collect();
    let mut mine: BTreeMap<Labels, bool> = BTreeMap::new();
    figures.alerts.retain(|(alert, severity, group), matches| {
        let ours = *alert == name
            && Some(*severity) == rule.labels.get("slo_severity").map(String::as_str)
            && group.get("slo_name") == rule.labels.get("slo_name").map(String::as_str)
            && group.get("slo_service") == rule.labels.get("slo_service").map(String::as_str);
        if ours {
            mine.insert(group.clone(), *matches);
        }
        !ours
    });
    for (group, matches) in mine {
        assert_eq!(firing.contains(&group), matches, "{name} of {group} at {at}: {firing:?}\n{}", rule.expr);
        *(if matches { &mut compared.firing } else { &mut compared.silent }) += 1;
    }
}
