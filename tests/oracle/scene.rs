//! Scenes for the tables of SEMANTICS: even traffic in phases, sampled at every slice end or at an interval of its own.

use slo::units::Labels;

use super::adapter::{answer, engine_said, engine_verdict, past, time};
use super::alert::{Alerts, said};
use super::drive::engine;
use super::exact::decimal;
use super::judge::judge;
use super::random::Random;
use super::world::{DAY, MINUTE, SECOND, Sample, Series, Setting, World};

/// What happens for a while.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// Events come, this share of them in 10,000 bad.
    Bad(i64),
    /// Samples come, events do not.
    Quiet,
    /// Events come, this share in 10,000 bad, and nobody samples them.
    Hidden(i64),
    /// The process is dead: no samples of it, and `up` is 0.
    Dead,
}

/// A time line: phases one after the other, each until its minute.
#[derive(Clone, Debug)]
pub struct Scene {
    /// First sample, ms.
    pub begin: i64,
    /// Phases with their ends in ms.
    pub phases: Vec<(i64, Phase)>,
    /// Events a second.
    pub rate: i64,
    /// Sample interval, ms.
    pub interval: i64,
    /// Samples come up to this much after their time, ms; 0: on the dot.
    pub jitter: i64,
    /// Offset of the samples to the slice ends, ms.
    pub phase: i64,
    /// Whether `up` is sampled too.
    pub up: bool,
}

impl Scene {
    /// 10 events/s, sampled every 30 s on the dot; phases end at the given minutes.
    pub fn new(begin: f64, phases: &[(f64, Phase)]) -> Self {
        let phases = phases.iter().map(|&(minute, phase)| (minutes(minute), phase)).collect();
        Self { begin: minutes(begin), phases, rate: 10, interval: 30 * SECOND, jitter: 0, phase: 0, up: false }
    }

    /// Its raw samples: all requests (`total`), and failures (`events`) with a counter that is there from the start.
    pub fn world(&self) -> World {
        let mut random = Random::new(7, 0);
        let (mut all, mut bad, mut up) = (Vec::new(), Vec::new(), Vec::new());
        let end = self.phases.last().map_or(self.begin, |(end, _)| *end);
        let mut at = self.begin + self.phase;
        while at <= end {
            let stamp = at + random.between(0, self.jitter);
            let (total, failed) = self.counters(stamp);
            let phase = self.phase_at(stamp);
            if matches!(phase, Phase::Bad(_) | Phase::Quiet) {
                all.push(sample(stamp, total));
                bad.push(sample(stamp, failed));
            }
            if !matches!(phase, Phase::Hidden(_)) {
                up.push(sample(stamp, i64::from(!matches!(phase, Phase::Dead))));
            }
            at += self.interval;
        }
        let mut world = World::default();
        world.series.push(series("requests_total", (false, true, false), all));
        world.series.push(series("failures_total", (true, false, false), bad));
        if self.up {
            world.series.push(series("up", (false, false, true), up));
        }
        world
    }

    /// The phase of a sample: one on a boundary sees the phase before, unless samples begin there again.
    fn phase_at(&self, at: i64) -> Phase {
        let here = self.phases.iter().position(|(end, _)| at <= *end).unwrap_or(self.phases.len() - 1);
        let on_end = self.phases[here].0 == at;
        match (self.phases[here].1, self.phases.get(here + 1)) {
            (Phase::Hidden(_) | Phase::Dead, Some((_, next @ (Phase::Bad(_) | Phase::Quiet)))) if on_end => *next,
            (phase, _) => phase,
        }
    }

    /// Events and failures since the begin, as whole numbers.
    fn counters(&self, at: i64) -> (i64, i64) {
        let (mut total, mut failed, mut from) = (0, 0, self.begin);
        for &(end, phase) in &self.phases {
            let length = (at.min(end) - from).max(0);
            if let Phase::Bad(share) | Phase::Hidden(share) = phase {
                total += length * self.rate;
                failed += length * self.rate * share;
            }
            from = from.max(end);
        }
        (total / SECOND, failed / (SECOND * 10_000))
    }
}

/// Minutes in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "minutes of a few days")]
pub fn minutes(minutes: f64) -> i64 {
    (minutes * MINUTE as f64).round() as i64
}

/// One of the tests' series: target `job="shop", instance="a"`.
pub fn series(metric: &str, roles: (bool, bool, bool), samples: Vec<Sample>) -> Series {
    let labels = Labels::from([("__name__", metric), ("job", "shop"), ("instance", "a")]);
    Series { labels, events: roles.0, total: roles.1, alive: roles.2, samples }
}

fn sample(at: i64, value: i64) -> Sample {
    Sample { at, value: value as f64, arrived: at }
}

/// Who judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The model.
    Oracle,
    /// The engine, fed as in life.
    Engine,
    /// The engine, fed as in life, and the real policy in place of the model of alerts.
    Policy,
}

/// Lives through every slice end of `(from, to]`; what is older is known from the start.
pub fn live(judged_by: Judge, world: &World, setting: &Setting, from: i64, to: i64) -> Alerts {
    let mut alerts = Alerts::new(setting);
    if judged_by == Judge::Policy {
        alerts.all = super::policy::live(world, setting, from, to);
        return alerts;
    }
    let mut engine = engine(setting);
    if judged_by == Judge::Engine {
        engine.prepend(&past(world, from - 40 * DAY, from));
    }
    let mut w = from + setting.slice;
    while w <= to {
        let said = match judged_by {
            Judge::Oracle => said(&judge(world, setting, &Labels::new(), w)),
            Judge::Engine | Judge::Policy => {
                engine.advance(&answer(world, w - setting.slice - setting.gap, w, w), time(w));
                engine_said(&engine_verdict(&engine, &Labels::new()).unwrap())
            }
        };
        alerts.step(w, &said);
        w += setting.slice;
    }
    alerts
}

/// The preset `balanced` at 30 d, and at any period of at least 7 d.
pub fn balanced() -> Vec<super::world::Tier> {
    use super::exact::ratio;
    use super::world::{HOUR, Kind, Tier};
    use slo::spec::policy::AlertSeverity::{Page, Ticket};
    let burn = |over, confirm, factor: &str| Kind::Burn { over, confirm: Some(confirm), factor: decimal(factor) };
    let page = |kind| Tier { min_bad: 3, keep: 5 * MINUTE, hold: ratio(1, 2), ..Tier::bare(Page, kind) };
    let ticket = |kind| Tier { min_bad: 2, ..Tier::bare(Ticket, kind) };
    vec![
        page(burn(HOUR, 5 * MINUTE, "14.4")),
        page(burn(6 * HOUR, 30 * MINUTE, "6")),
        ticket(burn(24 * HOUR, 2 * HOUR, "3")),
        ticket(burn(72 * HOUR, 6 * HOUR, "1")),
        Tier::bare(Page, Kind::Down { after: 3 * MINUTE }),
        Tier::bare(Ticket, Kind::NoData { after: 10 * MINUTE }),
    ]
}
