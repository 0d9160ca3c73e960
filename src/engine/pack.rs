//! Slices and newest samples as bytes, for sources that have no history: a restart continues where it was (SEMANTICS 2,
//! *History*; ARCHITECTURE, *Store*).
//!
//! One blob an hour: what was booked on each of its slices, per instance. The newest blob also holds the series. The
//! time in which the program was not running is a gap like any other. What changed so long ago that slices are not held
//! any more is packed in steps of five minutes; older than that the hour buckets have it.

use std::collections::BTreeMap;

use crate::engine::bytes::{Broken, Reader, Writer};
use crate::engine::coverage::Coverage;
use crate::engine::instance::Instance;
use crate::engine::pack_series::{read_series, write_series};
use crate::engine::state::{Loaded, SloState};
use crate::engine::sums::Sums;
use crate::engine::windows::{FIVE_MINUTES, HOUR};
use crate::units::{Labels, Length, Timestamp};

/// First byte of a blob: how it is laid out.
const VERSION: u64 = 1;

/// The bytes are not what `pack` wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("packed slices of the hour that ends at {hour}: {problem}")]
pub struct PackError {
    /// Which hour.
    pub hour: Timestamp,
    /// What is wrong.
    pub problem: String,
}

/// What was booked, by instance and slice end.
type Booked = BTreeMap<Labels, BTreeMap<Timestamp, Sums>>;

impl SloState {
    /// The slices of every hour that changed since the last call, one blob an hour, ascending by the hour's end. The
    /// newest also holds the series with their newest samples.
    pub fn pack(&mut self) -> Vec<(Timestamp, Vec<u8>)> {
        let Some(loaded) = self.loaded else { return Vec::new() };
        let newest = loaded.end.ceil_to(HOUR);
        let mut due = std::collections::BTreeSet::from([newest]);
        let since = self.packed.unwrap_or(loaded.from);
        let changes = self.instances.iter_mut().filter_map(|instance| instance.unpacked.take());
        for (first, last) in changes.chain([(since + Length::from_millis(1), loaded.end)]) {
            let oldest = self.definition.slice.length();
            let mut end = first.max(loaded.from + oldest).max(loaded.end - Length::from_days(4)).ceil_to(HOUR);
            while end <= last.ceil_to(HOUR) {
                due.insert(end);
                end = end + HOUR;
            }
        }
        self.packed = Some(loaded.end);
        due.into_iter().map(|hour| (hour, self.pack_hour(hour, hour == newest, loaded))).collect()
    }

    fn pack_hour(&self, hour: Timestamp, is_newest: bool, loaded: Loaded) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(VERSION);
        writer.time(hour);
        writer.count(self.instances.len());
        for instance in &self.instances {
            writer.labels(&instance.labels);
            write_slices(instance, hour, &mut writer);
        }
        writer.number(u64::from(is_newest));
        if is_newest {
            writer.time(loaded.from);
            writer.time(loaded.end);
            for instance in &self.instances {
                write_instance(instance, &mut writer);
            }
            write_series(self, &mut writer);
        }
        writer.into_bytes()
    }

    /// Puts back what `pack` gave, hours ascending, into a new state; hours that are missing are unmeasured. An error
    /// leaves the state as it was.
    pub fn restore(&mut self, hours: &[(Timestamp, Vec<u8>)]) -> Result<(), PackError> {
        let mut restored = Self::new(std::sync::Arc::clone(&self.definition));
        let mut booked = Booked::new();
        for (index, (hour, bytes)) in hours.iter().enumerate() {
            let mut reader = Reader::new(bytes);
            let last = (index + 1 == hours.len()).then(|| hours.first().map_or(*hour, |(first, _)| *first - HOUR));
            restored
                .read_hour(&mut reader, *hour, last, &mut booked)
                .map_err(|problem| PackError { hour: *hour, problem: problem.to_owned() })?;
        }
        restored.restored = !hours.is_empty();
        *self = restored;
        Ok(())
    }

    /// Reads one blob. For the newest one `last` is the begin of the oldest hour there is.
    fn read_hour(
        &mut self,
        reader: &mut Reader<'_>,
        hour: Timestamp,
        last: Option<Timestamp>,
        booked: &mut Booked,
    ) -> Result<(), Broken> {
        if reader.number()? != VERSION {
            return Err("written by another version");
        }
        if reader.time()? != hour {
            return Err("it is about another hour");
        }
        let count = reader.count()?;
        let mut groups = Vec::with_capacity(count);
        for _ in 0..count {
            let group = reader.labels()?;
            read_slices(reader, hour, booked.entry(group.clone()).or_default())?;
            groups.push(group);
        }
        let is_newest = reader.number()? == 1;
        let Some(oldest) = last else { return Ok(()) };
        if !is_newest {
            return Err("the newest hour must be the last");
        }
        let from = reader.time()?;
        let end = reader.time()?;
        self.begin(Loaded { from, end });
        self.packed = Some(end);
        for group in groups {
            let place = self.instance_for(&group);
            let instance = self.instances.get_mut(place as usize).ok_or("an instance is not known")?;
            read_instance(reader, instance)?;
            let slices = booked.remove(&group).unwrap_or_default();
            fill(instance, &slices, self.definition.slice.floor(from).max(oldest));
        }
        read_series(self, reader)?;
        if reader.is_empty() { Ok(()) } else { Err("something follows the end") }
    }
}

/// What was booked on the slices of an hour, those on which anything was.
fn write_slices(instance: &Instance, hour: Timestamp, writer: &mut Writer) {
    let windows = &instance.windows;
    let begin = hour - HOUR;
    // Loading may have begun within the hour; its slices are held all the same.
    let mut from = begin.max(windows.origin());
    let step = if from >= windows.fine_from() { windows.slice() } else { FIVE_MINUTES };
    let mut booked = Vec::new();
    while from < hour.min(windows.end()) {
        let to = from.floor_to(step) + step;
        if let Some(sums) = instance.between(from, to)
            && !sums.is_zero()
        {
            booked.push((to, sums));
        }
        from = to;
    }
    writer.count(booked.len());
    for (end, sums) in booked {
        writer.number(end.since(begin).millis().unsigned_abs() / 1_000);
        writer.float(sums.events);
        writer.float(sums.total);
        writer.signed(i64::from(sums.measured.cast_signed()));
    }
}

fn read_slices(reader: &mut Reader<'_>, hour: Timestamp, slices: &mut BTreeMap<Timestamp, Sums>) -> Result<(), Broken> {
    for _ in 0..reader.count()? {
        let seconds = i64::from(reader.small()?);
        if seconds > 3_600 {
            return Err("a slice is not in its hour");
        }
        let (events, total) = (reader.float()?, reader.float()?);
        let measured = i32::try_from(reader.signed()?).map_err(|_| "a count is too large")?.cast_unsigned();
        slices.insert(hour - HOUR + Length::from_seconds(seconds), Sums { events, total, measured });
    }
    Ok(())
}

fn write_instance(instance: &Instance, writer: &mut Writer) {
    for time in [instance.first_data, instance.first_total, instance.newest_total, instance.lived_from] {
        writer.maybe_time(time);
    }
    writer.time(instance.taken);
    writer.count(instance.coverage.holes().len());
    for hole in instance.coverage.holes() {
        writer.time(hole.from);
        writer.time(hole.to);
    }
    writer.count(instance.coverage.gaps().len());
    for gap in instance.coverage.gaps() {
        writer.time(gap.from);
        writer.time(gap.to);
    }
}

fn read_instance(reader: &mut Reader<'_>, instance: &mut Instance) -> Result<(), Broken> {
    instance.first_data = reader.maybe_time()?;
    instance.first_total = reader.maybe_time()?;
    instance.newest_total = reader.maybe_time()?;
    instance.lived_from = reader.maybe_time()?;
    instance.taken = reader.time()?;
    let mut holes = Vec::new();
    for _ in 0..reader.count()? {
        holes.push(crate::engine::coverage::Stretch { from: reader.time()?, to: reader.time()? });
    }
    let mut gaps = Vec::new();
    for _ in 0..reader.count()? {
        gaps.push(crate::engine::coverage::Gap { from: reader.time()?, to: reader.time()? });
    }
    instance.coverage = Coverage::from_parts(holes, gaps);
    Ok(())
}

/// Fills the cells of a new instance from what was booked.
fn fill(instance: &mut Instance, slices: &BTreeMap<Timestamp, Sums>, origin: Timestamp) {
    let end = instance.windows.end();
    instance.windows.collapse(end);
    let mut later = Sums::ZERO;
    // Ascending by slice end: what was booked on it and all later ones.
    let mut suffix: Vec<(Timestamp, Sums)> = slices
        .range(..=end)
        .rev()
        .map(|(slice, sums)| {
            later = later.plus(*sums);
            (*slice, later)
        })
        .collect();
    suffix.reverse();
    instance.windows.reach_back(origin, |time| {
        let after = suffix.partition_point(|(slice, _)| *slice <= time);
        suffix.get(after).map_or(Sums::ZERO, |(_, sums)| *sums)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::{ALIVE, BOTH, TOTAL, answer, at, cells, definition, live, series, state};
    use crate::engine::observation::SeriesSamples;

    fn world() -> Vec<SeriesSamples> {
        let total: Vec<(i64, f64)> = (0..=1_200).map(|number| (5 + number * 30, number as f64 * 3.5)).collect();
        let err: Vec<(i64, f64)> = (400..=1_200).map(|number| (5 + number * 30, number as f64)).collect();
        let up: Vec<(i64, f64)> = (0..=1_200).map(|number| (5 + number * 30, 1.0)).collect();
        vec![
            series(&[("region", "eu")], TOTAL, &total),
            series(&[("region", "us"), ("code", "500")], BOTH, &err),
            series(&[("__name__", "up")], ALIVE, &up),
        ]
    }

    fn without(all: &[SeriesSamples], from: i64, to: i64) -> Vec<SeriesSamples> {
        let mut all = all.to_vec();
        for series in &mut all {
            let outside = |sample: &&crate::engine::observation::Sample| sample.at <= at(from) || sample.at > at(to);
            series.samples = series.samples.iter().filter(outside).copied().collect();
        }
        all
    }

    #[test]
    fn a_restart_continues_where_it_was() {
        let all = without(&world(), 19_960, 21_500);
        let mut definition = definition();
        definition.by = vec!["region".to_owned()];
        definition.alive = true;
        let mut lived = state(definition.clone());
        let mut blobs: BTreeMap<Timestamp, Vec<u8>> = BTreeMap::new();
        for end in (1..=666).map(|number| number * 30) {
            lived.advance(&answer(&all, end - 330, end), at(end));
            if end % 300 == 0 || end == 19_980 {
                blobs.extend(lived.pack());
            }
        }
        // The program is gone from 19,980 to 21,500: what it does not see is a gap for both.
        let mut restored = state(definition);
        let blobs: Vec<(Timestamp, Vec<u8>)> = blobs.into_iter().collect();
        restored.restore(&blobs).unwrap();
        assert_eq!(restored.as_of(), lived.as_of());
        live(&mut lived, &all, 19_980, 36_000);
        restored.advance(&answer(&all, 21_500, 21_540), at(21_540));
        live(&mut restored, &all, 21_540, 36_000);
        assert_eq!(restored.instances().count(), 2);
        for (group, instance) in lived.instances() {
            let other = restored.instance(group).unwrap();
            for (left, right) in cells(other).iter().zip(cells(instance)) {
                assert_eq!(*left, right, "{group}");
            }
            assert_eq!(other.coverage, instance.coverage, "{group}");
            assert_eq!(other.budget(), instance.budget());
        }
    }

    #[test]
    fn only_what_changed_is_packed() {
        let all = world();
        let mut state = state(definition());
        live(&mut state, &all, 0, 7_500);
        assert_eq!(state.pack().len(), 4);
        live(&mut state, &all, 7_500, 7_530);
        let blobs = state.pack();
        assert_eq!(blobs.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(), [at(10_800)]);
        assert!(blobs[0].1.len() < 2_000, "{} bytes", blobs[0].1.len());
    }

    #[test]
    fn bytes_that_are_cut_short_are_an_error_and_change_nothing() {
        let all = world();
        let mut state = state(definition());
        live(&mut state, &all, 0, 3_000);
        let (hour, bytes) = state.pack().remove(0);
        for length in 0..bytes.len() {
            let mut restored = crate::engine::fixture::state(definition());
            let error = restored.restore(&[(hour, bytes[..length].to_vec())]).unwrap_err();
            assert_eq!(error.hour, hour);
            assert_eq!(restored.as_of(), None);
        }
        assert!(state.restore(&[(hour + HOUR, bytes)]).is_err());
        assert_eq!(state.as_of(), Some(at(3_000)));
    }
}
