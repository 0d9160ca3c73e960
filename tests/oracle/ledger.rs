//! SEMANTICS 2: from samples to what is booked on each slice, worked out anew from all samples known at a watermark.

use std::collections::{BTreeMap, BTreeSet};

use slo::units::Labels;

use super::exact::{Fixed, fixed, on_grid};
use super::world::{DAY, Series, Setting, World};

/// What is booked on one slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Numerator events.
    pub events: Fixed,
    /// All events.
    pub total: Fixed,
    /// Measured time, folded time with it, ms.
    pub measured: i64,
    /// Whether the slice is measured by itself.
    pub own: bool,
}

/// All slices of one group, by their ends, as seen at `w`.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// The watermark.
    pub w: i64,
    /// Booked slices; one that is missing has nothing and is unmeasured.
    pub cells: BTreeMap<i64, Cell>,
    /// `alive` at each slice end of the last 7 d that matter: see [`alive_at`].
    pub alive: Alive,
    /// Whether `alive` was above 0 within the last 7 d.
    pub alive_lately: bool,
    /// The oldest sample of `total` that is held.
    pub begin: Option<i64>,
    /// The newest.
    pub newest: Option<i64>,
}

/// What `alive` says at a slice end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alive {
    /// Not asked.
    None,
    /// Above 0.
    Up,
    /// 0.
    Zero,
    /// No sample younger than `G`.
    Gone,
}

/// The end of the slice that holds `at`.
pub const fn slice_of(at: i64, slice: i64) -> i64 {
    -((-at).div_euclid(slice)) * slice
}

/// The first slice that ends after `at`.
pub const fn slice_after(at: i64, slice: i64) -> i64 {
    at.div_euclid(slice) * slice + slice
}

/// An increase: how much, when it ended, and after which time it happened.
struct Increase {
    base: i64,
    at: i64,
    amount: Fixed,
}

/// The ledger of `group` at watermark `w`. `world` is what is known at `w` ([`World::known_at`]).
pub fn ledger(world: &World, setting: &Setting, group: &Labels, w: i64) -> Ledger {
    let mut book = Ledger {
        w,
        cells: BTreeMap::new(),
        alive: alive_at(world, setting, group, w),
        alive_lately: alive_lately(world, setting, group, w),
        begin: None,
        newest: None,
    };
    if let Some(step) = setting.step {
        pushdown(&mut book, world, setting, group, step);
    } else {
        exact(&mut book, world, setting, group);
    }
    for cell in book.cells.values_mut() {
        cell.events = on_grid(cell.events);
        cell.total = on_grid(cell.total);
    }
    book
}

fn exact(book: &mut Ledger, world: &World, setting: &Setting, group: &Labels) {
    let mut gaps: BTreeSet<(i64, i64)> = BTreeSet::new();
    for series in world.series.iter().filter(|series| series.counts() && series.labels.project(&setting.by) == *group) {
        if series.total {
            book.begin = Some(book.begin.unwrap_or(i64::MAX).min(series.samples[0].at));
            book.newest = book.newest.max(series.samples.last().map(|sample| sample.at));
        }
        for increase in increases(world, setting, series) {
            let folded = increase.at - increase.base > setting.gap;
            let slice =
                if folded { slice_after(increase.base, setting.slice) } else { slice_of(increase.at, setting.slice) };
            let cell = book.cells.entry(slice).or_default();
            cell.events += if series.events { increase.amount } else { 0 };
            cell.total += if series.total { increase.amount } else { 0 };
            if folded && series.total {
                gaps.insert((increase.base, increase.at));
            }
        }
        if series.total {
            mark_measured(book, world, setting, series);
        }
    }
    fold_time(book, setting, &gaps);
}

/// Rules 1, 2 and 4: each increase of a series with the time after which it happened.
fn increases(world: &World, setting: &Setting, series: &Series) -> Vec<Increase> {
    let target = series.target();
    let family: Vec<&Series> = world.series.iter().filter(|other| other.counts() && other.target() == target).collect();
    let mut found = Vec::new();
    let first = series.samples[0];
    if let Some(base) = birth(world, setting, series, &family, first.at) {
        found.push(Increase { base, at: first.at, amount: fixed(first.value) });
    }
    for pair in series.samples.windows(2) {
        let (before, after) = (fixed(pair[0].value), fixed(pair[1].value));
        let amount = if after < before { after } else { after - before };
        let base = newest_before(&family, pair[1].at).unwrap();
        found.push(Increase { base, at: pair[1].at, amount });
    }
    found
}

/// `a'`: the newest time before `at` at which any series of the target has a sample.
fn newest_before(family: &[&Series], at: i64) -> Option<i64> {
    let newest = |series: &&Series| {
        let older = series.samples.partition_point(|sample| sample.at < at);
        older.checked_sub(1).map(|index| series.samples[index].at)
    };
    family.iter().filter_map(newest).max()
}

/// Rule 4: the base of a first sample that counts from zero; `None` where it is the baseline.
///
/// Reading: where both (a) and (b) hold, (b) gives the base: the start time is asked for only where (b) does not decide,
/// and whether somebody happened to ask must not change what is booked.
fn birth(world: &World, setting: &Setting, born: &Series, family: &[&Series], at: i64) -> Option<i64> {
    let beside_siblings = newest_before(family, at).filter(|base| {
        let others = || family.iter().filter(|other| other.labels != born.labels && other.has(*base));
        let same_metric = |other: &Series| other.metric() == born.metric();
        let other_selector = |other: &Series| (born.events && other.total) || (born.total && other.events);
        let witness = others().any(|other| (same_metric(other) || other_selector(other)) && other.has(at));
        let replaced = others().any(|other| same_metric(other) && !other.has(at));
        witness && !replaced
    });
    let target = born.target();
    let restarts = world.starts.iter().filter(|(place, _)| *place == target).map(|(_, start)| *start);
    let restart = restarts.filter(|start| at - setting.gap < *start && *start <= at).max();
    beside_siblings.or(restart)
}

/// Rule 5, for one series of `total`.
///
/// Reading: both conditions are said of the watermark. The provisional time after the newest sample `b` is over where `w`
/// has reached `b + G` without another one, while `alive` is 0 at `w`, and where a scrape of ours up to `w` did not find one.
fn mark_measured(book: &mut Ledger, world: &World, setting: &Setting, series: &Series) {
    let mut mark = |after: i64, to: i64| {
        let mut end = slice_after(after, setting.slice);
        while end <= to {
            let cell = book.cells.entry(end).or_default();
            if !cell.own {
                cell.own = true;
                cell.measured += setting.slice;
            }
            end += setting.slice;
        }
    };
    for pair in series.samples.windows(2) {
        if pair[1].at - pair[0].at <= setting.gap {
            mark(pair[0].at, pair[1].at);
        }
    }
    let newest = series.samples[series.samples.len() - 1].at;
    let w = book.w;
    if w - newest < setting.gap && book.alive != Alive::Zero && !world.is_gone(series, newest, w) {
        mark(newest, w.min(newest + setting.gap / 2));
    }
}

/// Rule 3 for time: the unmeasured slices of each gap of `total` go to the first slice that ends after its begin; one
/// that lies in several goes with the earliest.
fn fold_time(book: &mut Ledger, setting: &Setting, gaps: &BTreeSet<(i64, i64)>) {
    let mut taken = BTreeSet::new();
    for &(base, at) in gaps {
        let first = slice_after(base, setting.slice);
        let mut end = first;
        while end <= at {
            let own = book.cells.get(&end).is_some_and(|cell| cell.own);
            if !own && taken.insert(end) {
                book.cells.entry(first).or_default().measured += setting.slice;
            }
            end += setting.slice;
        }
    }
}

/// SEMANTICS 2, *Pushdown mode*: counts on the slice of the evaluation, the slices of the step measured.
fn pushdown(book: &mut Ledger, world: &World, setting: &Setting, group: &Labels, step: i64) {
    for point in world.points.iter().filter(|point| point.group == *group) {
        let Some(total) = point.total.filter(|total| total.is_finite() && *total >= 0.0) else { continue };
        let events = point.events.unwrap_or(0.0);
        if events.is_nan() {
            continue;
        }
        book.begin = Some(book.begin.unwrap_or(i64::MAX).min(point.at - step));
        book.newest = book.newest.max(Some(point.at));
        let cell = book.cells.entry(point.at).or_default();
        cell.events += fixed(events);
        cell.total += fixed(total);
        let mut end = slice_after(point.at - step, setting.slice);
        while end <= point.at {
            let cell = book.cells.entry(end).or_default();
            cell.own = true;
            cell.measured = setting.slice;
            end += setting.slice;
        }
    }
}

/// The `alive` series that speak for `group`.
fn alive_series<'a>(world: &'a World, setting: &'a Setting, group: &'a Labels) -> impl Iterator<Item = &'a Series> {
    let speaks = |series: &&Series| {
        let grouped = setting.by.iter().all(|name| series.labels.get(name).is_some());
        series.alive && (!grouped || series.labels.project(&setting.by) == *group)
    };
    world.series.iter().filter(speaks)
}

/// The maximum of `alive` at slice end `end`: of each series the newest sample that is younger than `G`.
pub fn alive_at(world: &World, setting: &Setting, group: &Labels, end: i64) -> Alive {
    if !setting.alive {
        return Alive::None;
    }
    let value = |series: &Series| {
        let newest = series.samples.iter().rev().find(|sample| sample.at <= end)?;
        (end - newest.at < setting.gap).then_some(newest.value)
    };
    let highest = alive_series(world, setting, group)
        .filter_map(value)
        .fold(None, |high: Option<f64>, value| Some(high.map_or(value, |high| high.max(value))));
    match highest {
        None => Alive::Gone,
        Some(value) if value > 0.0 => Alive::Up,
        Some(_) => Alive::Zero,
    }
}

fn alive_lately(world: &World, setting: &Setting, group: &Labels, w: i64) -> bool {
    alive_series(world, setting, group).any(|series| {
        series.samples.iter().any(|sample| sample.at > w - 7 * DAY && sample.at <= w && sample.value > 0.0)
    })
}
