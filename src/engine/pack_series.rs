//! The series of a packed state: trackers with what is held of them, targets, start times, `alive`.

use crate::engine::alive::{AliveSeries, AliveSet};
use crate::engine::bytes::{Broken, Reader, Writer};
use crate::engine::observation::{Roles, Sample};
use crate::engine::state::SloState;
use crate::engine::tracker::{Birth, Target, Tracker};
use crate::units::Length;

/// Writes everything that is known of series.
pub(crate) fn write_series(state: &SloState, writer: &mut Writer) {
    let registry = &state.registry;
    writer.count(registry.metrics().len());
    for metric in registry.metrics() {
        writer.text(metric);
    }
    writer.count(registry.targets.len());
    for target in &registry.targets {
        writer.labels(&target.labels);
        writer.time(target.first);
    }
    writer.count(registry.all().count());
    for tracker in registry.all() {
        write_tracker(tracker, writer);
    }
    writer.count(state.starts.len());
    for (target, at) in &state.starts {
        writer.number(u64::from(*target));
        writer.time(*at);
    }
    writer.count(state.folds.len());
    for ((fingerprint, at), slice) in &state.folds {
        writer.number(*fingerprint);
        writer.time(*at);
        writer.time(*slice);
    }
    writer.count(state.alive.series().len());
    for series in state.alive.series() {
        writer.number(series.fingerprint);
        writer.number(u64::from(series.group.is_some()));
        if let Some(group) = &series.group {
            writer.labels(group);
        }
        write_sample(series.newest, writer);
        writer.maybe_time(series.up_at);
    }
}

/// Reads what `write_series` wrote, into a state whose instances are there.
pub(crate) fn read_series(state: &mut SloState, reader: &mut Reader<'_>) -> Result<(), Broken> {
    let mut metrics = Vec::new();
    for _ in 0..reader.count()? {
        metrics.push(reader.text()?);
    }
    let mut targets = Vec::new();
    for _ in 0..reader.count()? {
        targets.push(Target { labels: reader.labels()?, first: reader.time()? });
    }
    let limits = (metrics.len(), targets.len(), state.instances.len());
    state.registry.restore_names(metrics, targets);
    let end = state.loaded.ok_or("no time is loaded")?.end;
    let asleep = end - state.definition.gap;
    for _ in 0..reader.count()? {
        let mut tracker = read_tracker(reader, limits, state.definition.gap)?;
        // Nobody scraped while the program was not running: until a series is seen again, it is not measured.
        tracker.looked_at = Some(end + Length::from_millis(1));
        state.registry.insert(tracker, asleep);
    }
    for _ in 0..reader.count()? {
        state.starts.insert((reader.small()?, reader.time()?));
    }
    for _ in 0..reader.count()? {
        state.folds.insert((reader.number()?, reader.time()?), reader.time()?);
    }
    let mut alive = Vec::new();
    for _ in 0..reader.count()? {
        let fingerprint = reader.number()?;
        let group = if reader.number()? == 1 { Some(reader.labels()?) } else { None };
        alive.push(AliveSeries { fingerprint, group, newest: read_sample(reader)?, up_at: reader.maybe_time()? });
    }
    state.alive = AliveSet::from_series(alive);
    Ok(())
}

fn write_tracker(tracker: &Tracker, writer: &mut Writer) {
    writer.number(tracker.fingerprint);
    let Roles { events, total, alive } = tracker.roles;
    writer.number(u64::from(events) | u64::from(total) << 1 | u64::from(alive) << 2);
    for number in [tracker.metric, tracker.target, tracker.instance] {
        writer.number(u64::from(number));
    }
    writer.count(tracker.held.len());
    for sample in &tracker.held {
        write_sample(*sample, writer);
    }
    write_sample(tracker.first, writer);
    writer.maybe_time(tracker.birth.base);
    writer.maybe_time(tracker.birth.slice);
}

fn read_tracker(
    reader: &mut Reader<'_>,
    (metrics, targets, instances): (usize, usize, usize),
    gap: Length,
) -> Result<Tracker, Broken> {
    let fingerprint = reader.number()?;
    let roles = reader.number()?;
    let roles = Roles { events: roles & 1 > 0, total: roles & 2 > 0, alive: roles & 4 > 0 };
    let (metric, target, instance) = (reader.small()?, reader.small()?, reader.small()?);
    if metric as usize >= metrics || target as usize >= targets || instance as usize >= instances {
        return Err("a series refers to something that is not there");
    }
    let mut held = Vec::new();
    for _ in 0..reader.count()? {
        held.push(read_sample(reader)?);
    }
    if held.is_empty() || !held.is_sorted_by(|a, b| a.at < b.at) {
        return Err("the samples of a series are not in order");
    }
    let first = read_sample(reader)?;
    let birth = Birth { base: reader.maybe_time()?, slice: reader.maybe_time()? };
    let steady_since = first.at;
    let mut tracker =
        Tracker { fingerprint, roles, metric, target, instance, held, first, birth, steady_since, looked_at: None };
    tracker.find_steady(gap);
    Ok(tracker)
}

fn write_sample(sample: Sample, writer: &mut Writer) {
    writer.time(sample.at);
    writer.float(sample.value);
}

fn read_sample(reader: &mut Reader<'_>) -> Result<Sample, Broken> {
    Ok(Sample { at: reader.time()?, value: reader.float()? })
}
