//! Between the oracle's terms and the engine's: definitions, answers of a store, and the comparison of figures.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_traits::Signed;
use slo::engine::definition::{self, Definition};
use slo::engine::observation::{self, History, Looks, Observation, Roles, SeriesHistory, SeriesSamples, Start};
use slo::engine::state::SloState;
use slo::engine::verdict::{self, TierSet, WindowFigures};
use slo::spec::meant::Numerator;
use slo::spec::policy::Gates;
use slo::units::{Labels, Length, SloId, Step, Timestamp};

use super::alert::Said;
use super::exact::{Rational, close, float, from_float, same_count, whole};
use super::forecast;
use super::judge::{Condition, Judged, Trend, Verdict};
use super::ledger::Ledger;
use super::window::{Budget, Window};
use super::world::{Kind, Series, Setting, World};

/// The setting as the engine takes it.
pub fn definition(setting: &Setting) -> Arc<Definition> {
    let tiers = setting.tiers.iter().map(|tier| definition::Tier {
        severity: tier.severity,
        kind: match &tier.kind {
            Kind::Burn { over, confirm, factor } => definition::Kind::Burn {
                over: length(*over),
                confirm: confirm.map(length),
                factor: float(factor),
                threshold: float(&(factor * &setting.budget)),
            },
            Kind::Exhausts { within, lookback, min_burn } => definition::Kind::Exhausts {
                within: length(*within),
                lookback: length(*lookback),
                min_burn: float(min_burn),
                threshold: float(&(min_burn * &setting.budget)),
            },
            Kind::BudgetLeft { below } => definition::Kind::BudgetLeft { below: float(below) },
            Kind::BudgetDrop { drop, over } => definition::Kind::BudgetDrop { drop: float(drop), over: length(*over) },
            Kind::SliBelow { target, over } => definition::Kind::SliBelow {
                target: float(target),
                threshold: float(&(whole(1) - target)),
                over: length(*over),
            },
            Kind::NoTraffic { over, min_total } => {
                definition::Kind::NoTraffic { over: length(*over), min_total: *min_total as f64 }
            }
            Kind::Down { after } => definition::Kind::Down { after: length(*after) },
            Kind::NoData { after } => definition::Kind::NoData { after: length(*after) },
        },
        gates: Gates {
            min_bad: tier.min_bad as f64,
            min_total: tier.min_total as f64,
            for_: length(tier.wait),
            keep_firing_for: length(tier.keep),
            hold: float(&tier.hold),
            ..Gates::default()
        },
    });
    Arc::new(Definition {
        id: SloId::new("shop", "availability"),
        budget: float(&setting.budget),
        window: length(setting.window),
        by: setting.by.clone(),
        numerator: if setting.good { Numerator::Good } else { Numerator::Bad },
        pushdown: setting.step.map(length),
        time_weighted: setting.time_weighted,
        absent_is_bad: false,
        overrides: Vec::new(),
        slice: Step::new(length(setting.slice)).unwrap(),
        gap: length(setting.gap),
        alive: setting.alive,
        instances_limit: 1_000,
        tiers: tiers.collect(),
    })
}

/// A length in milliseconds.
pub const fn length(millis: i64) -> Length {
    Length::from_millis(millis)
}

/// A time in milliseconds.
pub const fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn fingerprint(labels: &Labels) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    hasher.finish()
}

/// A series with its samples in `(from, to]` that had arrived by `asked`.
fn samples(series: &Series, from: i64, to: i64, asked: i64) -> SeriesSamples {
    let bound = |time: i64| series.samples.partition_point(|sample| sample.at <= time);
    let (first, last) = (bound(from), bound(to));
    let held = series.samples[first..last.max(first)].iter().filter(|sample| sample.arrived <= asked);
    SeriesSamples {
        fingerprint: fingerprint(&series.labels),
        labels: Arc::new(series.labels.clone()),
        roles: Roles { events: series.events, total: series.total, alive: series.alive },
        samples: held.map(|sample| observation::Sample { at: time(sample.at), value: sample.value }).collect(),
    }
}

fn points(world: &World, from: i64, to: i64) -> Vec<observation::Point> {
    let mut points: Vec<_> = world
        .points
        .iter()
        .filter(|point| from < point.at && point.at <= to)
        .map(|point| observation::Point {
            at: time(point.at),
            group: point.group.clone(),
            events: point.events,
            total: point.total,
        })
        .collect();
    points.sort_by_key(|point| point.at);
    points
}

fn starts(world: &World, to: i64) -> Vec<Start> {
    let known = world.starts.iter().filter(|(_, at)| *at <= to);
    known.map(|(target, at)| Start { target: target.clone(), at: time(*at) }).collect()
}

/// What a store answers when asked at `asked` for `(from, to]`.
pub fn answer(world: &World, from: i64, to: i64, asked: i64) -> Observation {
    let series = world.series.iter().map(|series| samples(series, from, to, asked));
    Observation {
        from: time(from),
        to: time(to),
        series: series.filter(|series| !series.samples.is_empty()).collect(),
        points: points(world, from, to),
        starts: starts(world, to),
        looks: looks(world, asked),
        other_replica: false,
    }
}

/// All scrapes up to the time of asking, by target.
fn looks(world: &World, asked: i64) -> Arc<[Looks]> {
    let mut found: BTreeMap<&Labels, Vec<Timestamp>> = BTreeMap::new();
    for (target, at) in world.looks.iter().filter(|(_, at)| *at <= asked) {
        found.entry(target).or_default().push(time(*at));
    }
    found.into_iter().map(|(target, at)| Looks { target: target.clone(), at }).collect()
}

/// A stretch of the past, `(from, to]`, as remote read gives it.
pub fn past(world: &World, from: i64, to: i64) -> History {
    let series = world.series.iter().map(|series| samples(series, from, to, i64::MAX));
    let series = series.filter(|series| !series.samples.is_empty());
    History {
        from: time(from),
        to: time(to),
        series: series.map(|series| SeriesHistory { series, continuous: Vec::new() }).collect(),
        points: points(world, from, to),
        starts: starts(world, to),
    }
}

/// What the engine says of a group, all tiers taken as firing.
pub fn engine_verdict(state: &SloState, group: &Labels) -> Option<verdict::Verdict> {
    let mut all = TierSet::default();
    (0..state.definition().tiers.len()).for_each(|index| all.add(index));
    let mut out = verdict::Verdict::default();
    state.judge(state.instance(group)?, all, &mut out);
    Some(out)
}

/// What the engine's verdict says of each tier.
pub fn engine_said(verdict: &verdict::Verdict) -> Vec<Said> {
    let tiers = verdict.tiers.iter();
    tiers.map(|tier| Said { matches: tier.matches, gates: tier.gates_hold, known_false: tier.known_false }).collect()
}

/// All differences found so far, in words.
#[derive(Debug, Default)]
pub struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + Debug + Copy>(&mut self, what: &str, engine: T, oracle: T) {
        if engine != oracle {
            self.0.push(format!("{what}: engine {engine:?}, oracle {oracle:?}"));
        }
    }

    fn count(&mut self, what: &str, engine: f64, oracle: &Rational) {
        if !same_count(engine, oracle) {
            self.0.push(format!("{what}: engine {engine}, oracle {}", float(oracle)));
        }
    }

    fn figure(&mut self, what: &str, engine: f64, oracle: &Rational) {
        if !close(engine, oracle) {
            self.0.push(format!("{what}: engine {engine}, oracle {}", float(oracle)));
        }
    }

    /// Compares a window.
    pub fn window(&mut self, what: &str, engine: &WindowFigures, oracle: &Window, budget: &Rational) {
        let name = |part: &str| format!("{what} {part}");
        self.same(&name("from"), engine.from.millis(), oracle.from);
        self.same(&name("to"), engine.to.millis(), oracle.to);
        self.count(&name("bad"), engine.bad, &oracle.bad);
        self.count(&name("total"), engine.total, &oracle.total);
        self.same(&name("measured"), engine.measured.millis(), oracle.measured);
        self.figure(&name("coverage"), engine.coverage, &oracle.coverage);
        self.figure(&name("share"), engine.share, &oracle.share);
        self.figure(&name("rate"), engine.rate, &(&oracle.share / budget));
    }

    /// Compares a budget.
    pub fn budget(&mut self, engine: &verdict::Budget, oracle: &Budget, setting: &Setting) {
        self.window("budget", &engine.window, &oracle.window, &setting.budget);
        self.figure("expected_total", engine.expected_total, &oracle.expected);
        self.figure("allowed", engine.allowed, &oracle.allowed);
        self.figure("spent", engine.spent, &oracle.spent);
        self.figure("remaining", engine.remaining, &oracle.remaining);
        self.figure("remaining_events", engine.remaining_events, &oracle.remaining_events);
        self.figure("measured_allowed", engine.measured_allowed, &(&setting.budget * &oracle.window.total));
        self.figure("spent_so_far", engine.spent_so_far, &oracle.spent_so_far);
        self.same("estimated", engine.estimated, oracle.estimated);
    }

    /// Compares a whole verdict.
    pub fn verdict(&mut self, engine: &verdict::Verdict, oracle: &Verdict, setting: &Setting) {
        let condition = match engine.condition {
            verdict::Condition::Measured => Condition::Measured,
            verdict::Condition::NoTraffic => Condition::NoTraffic,
            verdict::Condition::Idle => Condition::Idle,
            verdict::Condition::Down => Condition::Down,
        };
        self.same("as_of", engine.as_of.millis(), oracle.w);
        self.same("condition", condition, oracle.condition);
        self.budget(&engine.budget, &oracle.budget, setting);
        self.same("tiers", engine.tiers.len(), oracle.tiers.len());
        for (index, (engine, oracle)) in engine.tiers.iter().zip(&oracle.tiers).enumerate() {
            self.tier(&format!("tier {index}"), engine, oracle, &setting.budget);
        }
    }

    fn tier(&mut self, what: &str, engine: &verdict::TierVerdict, oracle: &Judged, budget: &Rational) {
        let trend = match engine.trend {
            verdict::Trend::Ok => Trend::Ok,
            verdict::Trend::Rising => Trend::Rising,
            verdict::Trend::Burning => Trend::Burning,
            verdict::Trend::Recovering => Trend::Recovering,
        };
        self.same(&format!("{what} matches"), engine.matches, oracle.matches);
        self.same(&format!("{what} gates"), engine.gates_hold, oracle.gates);
        self.same(&format!("{what} known_false"), engine.known_false, oracle.known_false);
        self.same(&format!("{what} trend"), trend, oracle.trend);
        let ends = engine.exhausts_in.map(Length::millis);
        self.ahead(&format!("{what} exhausts_in"), ends, oracle.exhausts_in.as_ref());
        match (engine.budget_share, &oracle.budget_share) {
            (Some(engine), Some(oracle)) => self.figure(&format!("{what} budget_share"), engine, oracle),
            (engine, oracle) => self.same(&format!("{what} budget_share"), engine.is_some(), oracle.is_some()),
        }
        let windows = [("L", &engine.over, &oracle.over), ("S", &engine.confirm, &oracle.confirm)];
        for (name, engine, oracle) in windows.into_iter().chain([("X", &engine.resolve, &oracle.resolve)]) {
            match (engine, oracle) {
                (Some(engine), Some(oracle)) => self.window(&format!("{what} {name}"), engine, oracle, budget),
                (engine, oracle) => self.same(&format!("{what} {name}"), engine.is_some(), oracle.is_some()),
            }
        }
    }

    /// Compares the forecast that is shown.
    pub fn forecast(&mut self, engine: &slo::engine::forecast::Forecast, book: &Ledger, setting: &Setting) {
        let exhausted = forecast::is_exhausted(&super::window::budget(book, setting));
        self.same("lookback", engine.lookback.millis(), forecast::lookback(setting));
        self.same("exhausted", engine.exhausted, exhausted);
        let rates = forecast::rates(book, setting, forecast::lookback(setting));
        self.same("known", engine.known, rates.is_some());
        let (gone, back) = match &rates {
            None => (None, None),
            Some(rates) if exhausted => (None, forecast::recovery(book, setting, rates)),
            Some(rates) => (forecast::exhaustion(book, setting, rates, setting.window), None),
        };
        let ahead = |at: Option<Timestamp>| at.map(|at| at.millis() - book.w);
        self.ahead("exhausts_at", ahead(engine.exhausts_at), gone.as_ref());
        self.ahead("recovers_at", ahead(engine.recovers_at), back.as_ref());
    }

    /// Compares a time ahead: to a millisecond, and what a float cannot know of a month of them.
    pub fn ahead(&mut self, what: &str, engine: Option<i64>, oracle: Option<&Rational>) {
        let near = match (engine, oracle) {
            (Some(engine), Some(oracle)) => (from_float(engine as f64) - oracle).abs() <= whole(2),
            (engine, oracle) => engine.is_some() == oracle.is_some(),
        };
        if !near {
            self.0.push(format!("{what}: engine {engine:?}, oracle {:?}", oracle.map(float)));
        }
    }

    /// Adds one in words.
    pub fn note(&mut self, what: String) {
        self.0.push(what);
    }

    /// `Ok` where nothing differs; else the differences, after `context`.
    pub fn result(self, context: &str) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("{context}:\n  {}", self.0.join("\n  "))) }
    }
}
