//! Test kit of the engine: definitions and answers in a few words. Not part of the program.

use std::sync::Arc;

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::instance::Instance;
use crate::engine::observation::{History, Observation, Roles, Sample, SeriesHistory, SeriesSamples};
use crate::engine::state::SloState;
use crate::engine::verdict::{TierSet, Verdict};
use crate::spec::meant::Numerator;
use crate::spec::policy::{AlertSeverity, Gates};
use crate::units::{Labels, Length, SloId, Step, Timestamp};

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// 99.9% over 30 d, slices of 30 s, `G` 5 min, bad events, no groups, no tiers.
pub(crate) fn definition() -> Definition {
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
        gap: Length::from_minutes(5),
        alive: false,
        instances_limit: 1_000,
        tiers: Vec::new(),
    }
}

pub(crate) fn burn(factor: f64, over: Length, confirm: Option<Length>, gates: Gates) -> Tier {
    let kind = Kind::Burn { over, confirm, factor, threshold: factor * 0.001 };
    Tier { severity: AlertSeverity::Page, kind, gates }
}

pub(crate) const EVENTS: Roles = Roles { events: true, total: false, alive: false };
pub(crate) const TOTAL: Roles = Roles { events: false, total: true, alive: false };
pub(crate) const BOTH: Roles = Roles { events: true, total: true, alive: false };
pub(crate) const ALIVE: Roles = Roles { events: false, total: false, alive: true };

/// A series of target `t/1`, unless `labels` say otherwise; samples as `seconds:value`.
pub(crate) fn series(labels: &[(&str, &str)], roles: Roles, samples: &[(i64, f64)]) -> SeriesSamples {
    let mut all = Labels::from([("__name__", "requests_total"), ("job", "t"), ("instance", "1")]);
    for (name, value) in labels {
        all.insert(*name, *value);
    }
    let samples: Vec<Sample> =
        samples.iter().map(|(seconds, value)| Sample { at: at(*seconds), value: *value }).collect();
    let fingerprint = fingerprint(&all);
    SeriesSamples { labels: Arc::new(all), fingerprint, roles, samples: samples.into() }
}

fn fingerprint(labels: &Labels) -> u64 {
    // FNV-1a over the text: stable and good enough here.
    labels
        .to_string()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The answer `(from, to]`, cut out of whole series.
pub(crate) fn answer(all: &[SeriesSamples], from: i64, to: i64) -> Observation {
    let series = all.iter().map(|series| cut(series, from, to)).filter(|series| !series.samples.is_empty()).collect();
    Observation { from: at(from), to: at(to), series, ..Observation::default() }
}

/// The history `(from, to]`, cut out of whole series.
pub(crate) fn past(all: &[SeriesSamples], from: i64, to: i64) -> History {
    let whole = |series: SeriesSamples| SeriesHistory { series, continuous: Vec::new() };
    let series = answer(all, from, to).series.into_iter().map(whole).collect();
    History { from: at(from), to: at(to), series, ..History::default() }
}

fn cut(series: &SeriesSamples, from: i64, to: i64) -> SeriesSamples {
    let inside = |sample: &&Sample| sample.at > at(from) && sample.at <= at(to);
    SeriesSamples { samples: series.samples.iter().filter(inside).copied().collect(), ..series.clone() }
}

/// Lives through all slice ends in `(from, to]`, each with the answer that a source would give.
pub(crate) fn live(state: &mut SloState, all: &[SeriesSamples], from: i64, to: i64) {
    let slice = state.definition().slice.length().millis() / 1_000;
    let gap = state.definition().gap.millis() / 1_000;
    let mut end = from + slice;
    while end <= to {
        state.advance(&answer(all, end - slice - gap, end), at(end));
        end += slice;
    }
}

pub(crate) fn state(definition: Definition) -> SloState {
    SloState::new(Arc::new(definition))
}

/// What is booked on the slice that ends at `end`: numerator, total, measured slices.
pub(crate) fn booked(instance: &Instance, end: i64) -> (f64, f64, i64) {
    let slice = instance.windows.slice();
    let sums = instance.between(at(end) - slice, at(end)).expect("the slice is held");
    (sums.events, sums.total, i64::from(sums.measured.cast_signed()))
}

/// All slices in `(from, to]` on which something other than one measured slice is booked.
pub(crate) fn remarkable(instance: &Instance, from: i64, to: i64) -> Vec<(i64, f64, f64, i64)> {
    let slice = instance.windows.slice().millis() / 1_000;
    (from / slice + 1..=to / slice)
        .map(|number| (number * slice, booked(instance, number * slice)))
        .filter(|(_, booked)| *booked != (0.0, 0.0, 1))
        .map(|(end, (events, total, measured))| (end, events, total, measured))
        .collect()
}

pub(crate) fn verdict(state: &SloState, firing: TierSet) -> Verdict {
    let mut verdict = Verdict::default();
    state.judge(state.instance(&Labels::new()).expect("no groups"), firing, &mut verdict);
    verdict
}

/// All cells that are held, to compare two states by; relative to the watermark.
pub(crate) fn cells(instance: &Instance) -> Vec<(i64, f64, f64, i64)> {
    let end = instance.as_of();
    let windows = &instance.windows;
    let mut cells = Vec::new();
    for (step, from) in [
        (windows.slice(), windows.fine_from()),
        (Length::from_minutes(5), windows.middle_from()),
        (Length::from_hours(1), windows.coarse_from()),
    ] {
        let mut time = from.floor_to(step) + step;
        while time <= end {
            let sums = instance.between(time, end).expect("held");
            let measured = i64::from(sums.measured.cast_signed());
            cells.push((time.millis(), sums.events, sums.total, measured));
            time = time + step;
        }
    }
    let all = instance.between(windows.origin(), end).expect("held");
    cells.push((windows.origin().millis(), all.events, all.total, i64::from(all.measured.cast_signed())));
    cells
}
