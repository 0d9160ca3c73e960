//! One tick: every instance takes its answer and is judged over eight windows, observations in memory.
//!
//! The bar (ARCHITECTURE, *Window store*): linear, 100,000 instances in 100 ms on 2 cores, 56 KiB an instance at 30 d.
//! `cargo bench --bench tick`; `SLO_BENCH_INSTANCES=100000` leaves only the sizes up to that number (default 10,000:
//! 100,000 need 6 GB).

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::prelude::{IndexedParallelIterator, IntoParallelRefIterator, IntoParallelRefMutIterator, ParallelIterator};
use slo::engine::definition::{Definition, Kind, Tier};
use slo::engine::observation::{History, Observation, Roles, Sample, SeriesHistory, SeriesSamples};
use slo::engine::state::SloState;
use slo::engine::verdict::{TierSet, Verdict};
use slo::spec::meant::Numerator;
use slo::spec::policy::{AlertSeverity, Gates};
use slo::units::{Labels, Length, SloId, Step, Timestamp};

const DAY: i64 = 86_400;
const SLICE: i64 = 30;
const GAP: i64 = 300;
const BEGIN: i64 = 20_000 * DAY + 12 * 3_600 + 34 * 60 + 30;

/// The preset `workbook` at 99.9% and 30 d: four tiers, eight windows.
fn definition() -> Definition {
    let tier = |severity, factor: f64, over, confirm| Tier {
        severity,
        kind: Kind::Burn { over, confirm: Some(confirm), factor, threshold: factor * 0.001 },
        gates: Gates { min_bad: 3.0, hold: 0.5, ..Gates::default() },
    };
    Definition {
        id: SloId::new("shop", "checkout"),
        budget: 0.001,
        window: Length::from_days(30),
        by: Vec::new(),
        numerator: Numerator::Bad,
        pushdown: None,
        time_weighted: false,
        absent_is_bad: false,
        overrides: Vec::new(),
        slice: Step::DEFAULT,
        gap: Length::from_seconds(GAP),
        alive: false,
        instances_limit: 1_000,
        tiers: vec![
            tier(AlertSeverity::Page, 14.4, Length::from_hours(1), Length::from_minutes(5)),
            tier(AlertSeverity::Page, 6.0, Length::from_hours(6), Length::from_minutes(30)),
            tier(AlertSeverity::Ticket, 3.0, Length::from_days(1), Length::from_hours(2)),
            tier(AlertSeverity::Ticket, 1.0, Length::from_days(3), Length::from_hours(6)),
        ],
    }
}

/// A counter that grows by `rate` a second, sampled every `every` seconds in `(from, to]`.
fn samples(rate: i64, from: i64, to: i64, every: i64) -> Arc<[Sample]> {
    (from / every + 1..=to / every)
        .map(|number| Sample { at: Timestamp::from_seconds(number * every), value: (number * every * rate) as f64 })
        .collect()
}

fn series(name: &Arc<Labels>, number: u64, samples: Arc<[Sample]>) -> SeriesSamples {
    let roles = Roles { events: number == 0, total: number == 1, alive: false };
    SeriesSamples { labels: Arc::clone(name), fingerprint: number + 1, roles, samples }
}

fn answer(names: &[Arc<Labels>; 2], from: i64, to: i64) -> Observation {
    let series = names
        .iter()
        .zip([(0, 1), (1, 1_000)])
        .map(|(name, (number, rate))| series(name, number, samples(rate, from, to, SLICE)));
    Observation {
        from: Timestamp::from_seconds(from),
        to: Timestamp::from_seconds(to),
        series: series.collect(),
        ..Observation::default()
    }
}

/// A state with 30 days behind it.
fn lived(names: &[Arc<Labels>; 2]) -> SloState {
    let mut state = SloState::new(Arc::new(definition()));
    let recent = BEGIN - 6 * 3_600;
    state.advance(&answer(names, recent, BEGIN), Timestamp::from_seconds(BEGIN));
    let from = BEGIN - 31 * DAY;
    let past = |(name, (number, rate)): (&Arc<Labels>, (u64, i64))| SeriesHistory {
        series: series(name, number, samples(rate, from, recent, SLICE)),
        continuous: Vec::new(),
    };
    state.prepend(&History {
        from: Timestamp::from_seconds(from),
        to: Timestamp::from_seconds(recent),
        series: names.iter().zip([(0, 1), (1, 1_000)]).map(past).collect(),
        ..History::default()
    });
    state
}

fn tick(states: &mut [SloState], answers: &[Observation], end: Timestamp) {
    states.par_iter_mut().zip(answers.par_iter()).for_each_init(Verdict::default, |verdict, (state, answer)| {
        state.advance(answer, end);
        for (_, instance) in state.instances() {
            state.judge(instance, TierSet::default(), verdict);
            black_box(&mut *verdict);
        }
    });
}

/// Resident memory of this process in bytes, where the system says so.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4_096.0
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a benchmark measures time, and says what it found"
)]
fn ticks(criterion: &mut Criterion) {
    let most = std::env::var("SLO_BENCH_INSTANCES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let names = ["errors_total", "requests_total"]
        .map(|name| Arc::new(Labels::from([("__name__", name), ("job", "shop"), ("instance", "1")])));
    let template = lived(&names);
    let mut group = criterion.benchmark_group("tick");
    group.sample_size(10);
    for count in [1_000_usize, 10_000, 100_000].into_iter().filter(|count| *count <= most) {
        let before = resident();
        let mut states: Vec<SloState> = (0..count).map(|_| template.clone()).collect();
        eprintln!("{count} instances: {:.1} KiB each", (resident() - before) / count as f64 / 1_024.0);
        let mut end = BEGIN;
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    end += SLICE;
                    let answers: Vec<Observation> =
                        (0..count).map(|_| answer(&names, end - GAP - SLICE, end)).collect();
                    let begin = Instant::now();
                    tick(&mut states, &answers, Timestamp::from_seconds(end));
                    spent += begin.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ticks);
criterion_main!(benches);
