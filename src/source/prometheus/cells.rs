//! History by queries, the asking part; [`super::grid`] says what the answers mean.
//!
//! Per selector and part of the grid three queries (last value, count, resets), raw samples at probes, and raw samples
//! where the cells do not suffice, by groups of targets that want the same stretches. One request at a time: the past
//! is in no hurry, and the store has others to serve. In memory at once: 13 bytes a cell and series, the probes (4% of
//! all samples), and the raw samples of one group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::observation::Sample;
use crate::source::prometheus::api::{Api, MAX_POINTS};
use crate::source::prometheus::grid::{Cells, Grid, Range, Ranges, interval_of};
use crate::source::{HistorySink, Refused, SourceError, SourceErrorKind, Stretch, Value};
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::units::{Labels, Length};

/// Points of one answer, over all series: 30 MB of JSON.
const POINTS_PER_ANSWER: usize = 1_200_000;
/// Raw samples of one group in memory: 64 MB.
const SAMPLES_PER_GROUP: i64 = 4_000_000;
/// Targets named in one query.
const TARGETS_PER_QUERY: usize = 100;
/// Taken for the scrape interval where nothing is known, for sizes only.
const USUAL_INTERVAL: Length = Length::from_seconds(15);
/// Raw samples are not asked for in pieces shorter than this.
const SHORTEST_PIECE: Length = Length::from_minutes(1);

/// What is known of one series.
struct Known {
    labels: Arc<Labels>,
    raw: Vec<Sample>,
    cells: Cells,
}

/// The series of one target.
#[derive(Default)]
struct Target {
    series: BTreeMap<u64, Known>,
}

struct Reading<'a> {
    api: &'a Api,
    selectors: &'a [&'a Selector],
    grid: Grid,
    within: Range,
    targets: BTreeMap<Labels, Target>,
    /// How many targets there are, handed out or not.
    all: usize,
    refused: Refused,
}

/// Reads `selectors` over `stretch` into `sink`.
pub(super) async fn read(
    api: &Api,
    selectors: &[&Selector],
    stretch: &Stretch,
    sink: &mut dyn HistorySink,
) -> Result<(), SourceError> {
    let grid = Grid::of(stretch);
    let common = grid.common(stretch);
    let within = (stretch.from, stretch.to);
    let mut reading =
        Reading { api, selectors, grid, within, targets: BTreeMap::new(), all: 0, refused: Refused::default() };
    reading.read_raw(&common, None).await?;
    reading.read_cells().await?;
    for (ranges, names) in reading.groups(&common) {
        for some in reading.portions(&ranges.without(&common), names) {
            reading.read_raw(&ranges.without(&common), Some(&some)).await?;
            reading.hand_out(&ranges, &some, sink);
        }
    }
    sink.refused(reading.refused);
    Ok(())
}

impl Reading<'_> {
    /// Adds the raw samples of `ranges`, of the named targets or of all.
    async fn read_raw(&mut self, ranges: &Ranges, names: Option<&BTreeSet<Labels>>) -> Result<(), SourceError> {
        for selector in self.selectors {
            let narrow = names.and_then(|names| self.narrowed(selector, names));
            let selector = narrow.as_ref().unwrap_or(selector);
            for range in ranges.iter() {
                let mut open = pieces(range, self.piece(names));
                while let Some(piece) = open.pop() {
                    match self.api.samples(selector, piece.0, piece.1).await {
                        Ok(answer) => {
                            self.refused.add(answer.refused);
                            for series in answer.series {
                                self.add_raw(&series.labels, series.fingerprint, &series.samples, names);
                            }
                        }
                        Err(error) if error.kind == SourceErrorKind::TooLarge => {
                            let half = Length::from_millis(piece.1.since(piece.0).millis() / 2);
                            if half < SHORTEST_PIECE {
                                return Err(error);
                            }
                            open.extend(pieces(piece, half));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Ok(())
    }

    fn add_raw(
        &mut self,
        labels: &Arc<Labels>,
        fingerprint: u64,
        samples: &[Sample],
        names: Option<&BTreeSet<Labels>>,
    ) {
        let target = target_of(labels);
        if names.is_some_and(|names| !names.contains(&target)) {
            return;
        }
        let grid = &self.grid;
        let known = self.targets.entry(target).or_default().series.entry(fingerprint);
        let known =
            known.or_insert_with(|| Known { labels: Arc::clone(labels), raw: Vec::new(), cells: Cells::new(grid) });
        known.raw.extend_from_slice(samples);
    }

    /// How long one request for raw samples may reach.
    fn piece(&self, names: Option<&BTreeSet<Labels>>) -> Length {
        let series: usize = match names {
            Some(names) => {
                names.iter().filter_map(|name| self.targets.get(name)).map(|target| target.series.len()).sum()
            }
            None => self.targets.values().map(|target| target.series.len()).sum(),
        };
        let samples = (POINTS_PER_ANSWER / series.max(1)).max(1);
        (USUAL_INTERVAL * i64::try_from(samples).unwrap_or(i64::MAX)).max(SHORTEST_PIECE)
    }

    /// The selector, for these targets only; `None` where naming them does not pay.
    fn narrowed(&self, selector: &Selector, names: &BTreeSet<Labels>) -> Option<Selector> {
        if names.len() > TARGETS_PER_QUERY || names.len() == self.all {
            return None;
        }
        let mut narrow = selector.clone();
        for label in ["job", "instance"] {
            let values: BTreeSet<&str> = names.iter().map(|name| name.get(label).unwrap_or_default()).collect();
            let escaped: Vec<String> = values.into_iter().map(regex::escape).collect();
            narrow.matchers.push(Matcher::new(label, Operation::Match, &escaped.join("|")).ok()?);
        }
        Some(narrow)
    }

    /// Asks the three questions for every part of the grid.
    async fn read_cells(&mut self) -> Result<(), SourceError> {
        let parts: Vec<(Range, Length)> = self.grid.parts().collect();
        for selector in self.selectors {
            for (ends, length) in &parts {
                // Short by a millisecond: Prometheus 2 takes both ends of a range, and a cell has its right one only.
                let inside = Length::from_millis(length.millis() - 1);
                let wide = *length + *length;
                let counts = format!("count_over_time({selector}[{inside}])");
                let lasts = format!("last_over_time({selector}[{inside}])");
                let resets = format!("resets({selector}[{wide}]) > 0");
                self.fill(selector, &counts, *ends, *length, set_count).await?;
                self.fill(selector, &lasts, *ends, *length, set_last).await?;
                self.fill(selector, &resets, *ends, *length, set_reset).await?;
            }
        }
        Ok(())
    }

    /// Asks one question at all ends, in pieces of bounded size, and writes the values into the cells.
    async fn fill(
        &mut self,
        selector: &Selector,
        promql: &str,
        (first, last): Range,
        step: Length,
        set: fn(&mut Cells, usize, f64),
    ) -> Result<(), SourceError> {
        let series = self.targets.values().map(|target| target.series.len()).sum::<usize>().max(1);
        let mut points = i64::try_from(POINTS_PER_ANSWER / series).unwrap_or(MAX_POINTS).clamp(1, MAX_POINTS);
        let mut next = first;
        while next <= last {
            let until = (next + step * (points - 1)).min(last);
            match self.api.range(promql, next, until, step).await {
                Ok(values) => {
                    for value in values {
                        self.take(selector, value, set);
                    }
                    next = until + step;
                }
                Err(error) if error.kind == SourceErrorKind::TooLarge && points > 1 => points /= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take(&mut self, selector: &Selector, value: Value, set: fn(&mut Cells, usize, f64)) {
        // Most functions drop the name; which ones differs between stores.
        let mut labels = value.labels;
        labels.insert("__name__", selector.metric.as_str());
        if !selector.matches(&labels) {
            return;
        }
        let (fingerprint, grid) = (labels.fingerprint(), &self.grid);
        let target = self.targets.entry(target_of(&labels)).or_default();
        let known = target.series.entry(fingerprint).or_insert_with(|| Known {
            labels: Arc::new(labels),
            raw: Vec::new(),
            cells: Cells::new(grid),
        });
        for (at, value) in value.points {
            if let Some(cell) = grid.cell_of(at) {
                set(&mut known.cells, cell, value);
            }
        }
    }

    /// The targets by what is to be read raw of them: `common`, and what is irregular in any of their series.
    fn groups(&mut self, common: &Ranges) -> BTreeMap<Ranges, Vec<Labels>> {
        self.all = self.targets.len();
        let mut groups: BTreeMap<Ranges, Vec<Labels>> = BTreeMap::new();
        for (name, target) in &mut self.targets {
            for known in target.series.values_mut() {
                known.raw.sort_by_key(|sample| sample.at);
            }
            let probes = || target.series.values().flat_map(|known| common.iter().map(|probe| (&known.raw, probe)));
            let interval = probes().filter_map(|(raw, probe)| interval_of(raw, probe)).min();
            let irregular = target.series.values().flat_map(|known| self.grid.irregular(&known.cells, interval));
            let ranges = common.with(irregular.collect(), self.within);
            groups.entry(ranges).or_default().push(name.clone());
        }
        groups
    }

    /// Portions of a group whose raw samples fit into memory, and whose names into a query where that pays.
    fn portions(&self, extra: &Ranges, names: Vec<Labels>) -> Vec<BTreeSet<Labels>> {
        let each = extra.length().count_of(USUAL_INTERVAL).max(1);
        let pays = names.len() * 2 < self.all;
        let mut portions: Vec<BTreeSet<Labels>> = Vec::new();
        let mut room = 0;
        for name in names {
            let series = self.targets.get(&name).map_or(0, |target| target.series.len());
            let samples = each.saturating_mul(i64::try_from(series).unwrap_or(i64::MAX));
            let full = |portion: &BTreeSet<Labels>| samples > room || (pays && portion.len() >= TARGETS_PER_QUERY);
            if let Some(portion) = portions.last_mut().filter(|portion| !full(portion)) {
                portion.insert(name);
            } else {
                portions.push(BTreeSet::from([name]));
                room = SAMPLES_PER_GROUP;
            }
            room = room.saturating_sub(samples);
        }
        portions
    }

    fn hand_out(&mut self, ranges: &Ranges, names: &BTreeSet<Labels>, sink: &mut dyn HistorySink) {
        for name in names {
            for mut known in self.targets.remove(name).into_iter().flat_map(|target| target.series.into_values()) {
                known.raw.retain(|sample| ranges.holding(sample.at).is_some());
                known.raw.sort_by_key(|sample| sample.at);
                known.raw.dedup_by_key(|sample| sample.at);
                let (samples, continuous) = self.grid.weave(&known.cells, ranges, &known.raw);
                if !samples.is_empty() {
                    sink.series(known.labels, samples, continuous);
                }
            }
        }
    }
}

fn set_count(cells: &mut Cells, cell: usize, value: f64) {
    if let Some(slot) = cells.count.get_mut(cell) {
        // A count of samples in an hour: at most 3.6 million, and never below zero.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let count = value as u32;
        *slot = count;
    }
}

fn set_last(cells: &mut Cells, cell: usize, value: f64) {
    if let Some(slot) = cells.last.get_mut(cell) {
        *slot = value;
    }
}

fn set_reset(cells: &mut Cells, cell: usize, _: f64) {
    if let Some(slot) = cells.reset.get_mut(cell) {
        *slot = true;
    }
}

/// `range` in pieces of at most `length`, newest first.
fn pieces((from, to): Range, length: Length) -> Vec<Range> {
    let mut pieces = Vec::new();
    let mut begin = from;
    while begin < to {
        let end = (begin + length).min(to);
        pieces.push((begin, end));
        begin = end;
    }
    pieces
}

/// `job` and `instance`, those that there are; else the metric.
fn target_of(labels: &Labels) -> Labels {
    let pick = |names: &[&str]| -> Labels {
        let pairs = names.iter().filter_map(|name| Some(((*name).to_owned(), labels.get(name)?.to_owned())));
        pairs.collect()
    };
    let target = pick(&["instance", "job"]);
    if target.is_empty() { pick(&["__name__"]) } else { target }
}
