//! History by queries, the pure part: which cells there are, which of them a last value describes, and how last values
//! and raw samples become one series again (SEMANTICS 2, *History*).
//!
//! A cell is an hour, or 5 min where the engine keeps 5 min. Its last value tells its whole increase if nothing happened
//! in it: no reset, no gap over `G`, the series neither new, nor back, nor gone. What happened is seen in three answers:
//! the last value, the count of samples, and the resets of this cell and the one before (a reset on the border lies in
//! neither alone). Such cells are read raw, half a `G` around them too, so that every neighbour pair that matters is of
//! true samples. A gap that straddles a border takes more than half a `G` from one of the two cells, so a cell is
//! judged by whether half a `G` fits beside its samples.
//! Whatever touches one series of a target is read raw for all of that target: births are judged by its siblings.

use crate::engine::observation::Sample;
use crate::source::{Refused, Stretch};
use crate::units::{Length, Timestamp};

/// A stretch `(from, to]`.
pub(super) type Range = (Timestamp, Timestamp);

const HOUR: Length = Length::from_hours(1);
const FINE: Length = Length::from_minutes(5);
/// True samples are looked at this often, to learn how often a target is scraped: 4% of all.
const PROBE_EVERY: Length = Length::from_hours(6);
/// Samples of one series in a probe that tell its interval.
const PROBE_SAMPLES: usize = 4;

/// The cells of a stretch: hours, then 5 min, without a hole between.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    hours: Range,
    fine: Range,
    gap: Length,
}

/// What queries say of one series, cell by cell.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub last: Vec<f64>,
    pub count: Vec<u32>,
    pub reset: Vec<bool>,
}

impl Cells {
    /// Nothing in any cell.
    pub(super) fn new(grid: &Grid) -> Self {
        let count = grid.len();
        Self { last: vec![f64::NAN; count], count: vec![0; count], reset: vec![false; count] }
    }

    fn count_at(&self, cell: Option<usize>) -> u32 {
        cell.and_then(|cell| self.count.get(cell)).copied().unwrap_or(0)
    }
}

impl Grid {
    /// Hours up to `fine_after`, 5 min up to `raw_after`, as far as whole ones fit.
    pub(super) fn of(stretch: &Stretch) -> Self {
        let Stretch { from, to, gap, fine_after, raw_after } = *stretch;
        let (begin, end) = (from.ceil_to(HOUR), fine_after.min(raw_after).min(to).floor_to(HOUR));
        let hours = if begin < end { (begin, end) } else { (from, from) };
        let begin = if begin < end { end } else { from.ceil_to(FINE) };
        let end = raw_after.min(to).floor_to(FINE);
        let fine = if begin < end { (begin, end) } else { (begin, begin) };
        Self { hours, fine, gap }
    }

    fn hour_count(&self) -> usize {
        usize::try_from(self.hours.1.since(self.hours.0).count_of(HOUR)).unwrap_or(0)
    }

    /// How many cells.
    pub(super) fn len(&self) -> usize {
        self.hour_count() + usize::try_from(self.fine.1.since(self.fine.0).count_of(FINE)).unwrap_or(0)
    }

    /// First and last end of the hours and of the 5 min cells, with their length; without those that are not there.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Range, Length)> + use<> {
        let parts = [(self.hours, HOUR), (self.fine, FINE)];
        parts.into_iter().filter(|(part, _)| part.0 < part.1).map(|(part, length)| ((part.0 + length, part.1), length))
    }

    /// Begin and end of all cells.
    fn span(&self) -> Range {
        if self.hour_count() > 0 { (self.hours.0, self.fine.1.max(self.hours.1)) } else { self.fine }
    }

    /// The cell that `time` lies in.
    pub(super) fn cell_of(&self, time: Timestamp) -> Option<usize> {
        let place = |begin: Timestamp, length: Length| {
            usize::try_from((time - Length::from_millis(1)).since(begin).count_of(length)).ok()
        };
        if time > self.hours.0 && time <= self.hours.1 {
            place(self.hours.0, HOUR)
        } else if time > self.fine.0 && time <= self.fine.1 {
            place(self.fine.0, FINE).map(|cell| cell + self.hour_count())
        } else {
            None
        }
    }

    /// Begin and end of a cell.
    fn range_of(&self, cell: usize) -> Range {
        let at = |begin: Timestamp, length: Length, place: usize| {
            let begin = begin + length * i64::try_from(place).unwrap_or(i64::MAX);
            (begin, begin + length)
        };
        match cell.checked_sub(self.hour_count()) {
            Some(place) => at(self.fine.0, FINE, place),
            None => at(self.hours.0, HOUR, cell),
        }
    }

    /// Half a `G`.
    fn margin(&self) -> Length {
        Length::from_millis(self.gap.millis() / 2)
    }

    /// What is read raw of every series: what no cell covers, both ends, and a probe every 6 h.
    pub(super) fn common(&self, stretch: &Stretch) -> Ranges {
        let (begin, end) = self.span();
        if self.len() == 0 {
            return Ranges::of(vec![(stretch.from, stretch.to)]);
        }
        let probe = (self.gap * 3).max(Length::from_minutes(15));
        let mut ranges = vec![(stretch.from, begin + probe), (end - probe, stretch.to)];
        let mut at = end;
        while at > begin {
            ranges.push((at - probe, at));
            at = at - PROBE_EVERY;
        }
        let cut = |(from, to): Range| (from.max(stretch.from), to.min(stretch.to));
        Ranges::of(ranges.into_iter().map(cut).collect())
    }

    /// The ranges around the cells of a series that a last value does not describe, `interval` being the shortest
    /// distance of two samples of its target.
    pub(super) fn irregular(&self, cells: &Cells, interval: Option<Length>) -> Vec<Range> {
        let mut ranges = Vec::new();
        for cell in 0..self.len() {
            let (here, before) = (cells.count_at(Some(cell)), cells.count_at(cell.checked_sub(1)));
            let is_first = cell == 0;
            let marked = if here == 0 {
                if before == 0 {
                    continue;
                }
                // Gone: its last true sample is in the cell before.
                cell - 1
            } else {
                let appeared = !is_first && before == 0;
                let value = cells.last.get(cell).is_some_and(|value| Refused::default().admits(*value));
                let reset = cells.reset.get(cell).copied().unwrap_or(true);
                if !appeared && value && !reset && !self.is_sparse(cells, cell, interval) {
                    continue;
                }
                cell
            };
            let (from, to) = self.range_of(marked);
            ranges.push((from - self.margin(), to + self.margin()));
        }
        ranges
    }

    /// Whether half a `G` without a sample fits into the cell beside the samples that it has.
    fn is_sparse(&self, cells: &Cells, cell: usize, interval: Option<Length>) -> bool {
        let (from, to) = self.range_of(cell);
        let length = to.since(from);
        let room = length.millis() - self.margin().millis();
        if room <= 0 {
            // Half a gap is longer than the cell: a gap leaves a whole cell empty, and that is seen.
            return false;
        }
        let Some(interval) = interval else { return true };
        // A denser cell next to it says that the interval may be shorter here too.
        let near = [cell.checked_sub(1), Some(cell), Some(cell + 1)];
        let densest = near.into_iter().map(|cell| i64::from(cells.count_at(cell))).max().unwrap_or(1).max(1);
        let interval = interval.millis().min(length.millis() / densest).max(1);
        i64::from(cells.count_at(Some(cell))) <= room / interval + 1
    }

    /// One series of cells and of raw samples within `raw_ranges`: samples, and stretches known to be continuous.
    pub(super) fn weave(&self, cells: &Cells, raw_ranges: &Ranges, raw: &[Sample]) -> (Vec<Sample>, Vec<Range>) {
        let mut points: Vec<(Sample, bool)> = raw.iter().map(|sample| (*sample, true)).collect();
        for cell in (0..self.len()).filter(|cell| cells.count_at(Some(*cell)) > 0) {
            let (_, end) = self.range_of(cell);
            if raw_ranges.holding(end).is_none()
                && let Some(value) = cells.last.get(cell)
            {
                points.push((Sample { at: end, value: *value }, false));
            }
        }
        points.sort_by_key(|(sample, _)| sample.at);
        let mut continuous: Vec<Range> = Vec::new();
        for pair in points.windows(2) {
            let [(a, a_raw), (b, b_raw)] = pair else { continue };
            let same = *a_raw && *b_raw && raw_ranges.holding(a.at).is_some_and(|(_, to)| b.at <= to);
            if same || !self.is_filled(cells, (a.at, b.at)) {
                continue;
            }
            match continuous.last_mut() {
                Some(last) if last.1 == a.at => last.1 = b.at,
                _ => continuous.push((a.at, b.at)),
            }
        }
        (points.into_iter().map(|(sample, _)| sample).collect(), continuous)
    }

    /// Whether the series has samples in every cell that `range` touches.
    fn is_filled(&self, cells: &Cells, (from, to): Range) -> bool {
        match (self.cell_of(from + Length::from_millis(1)), self.cell_of(to)) {
            (Some(first), Some(last)) => (first..=last).all(|cell| cells.count_at(Some(cell)) > 0),
            _ => false,
        }
    }
}

/// The median distance of two samples in a probe; `None` for too few samples to tell.
pub(super) fn interval_of(samples: &[Sample], probe: Range) -> Option<Length> {
    let from = samples.partition_point(|sample| sample.at <= probe.0);
    let to = samples.partition_point(|sample| sample.at <= probe.1);
    let inside = samples.get(from..to).filter(|inside| inside.len() >= PROBE_SAMPLES)?;
    let mut distances: Vec<Length> =
        inside.windows(2).filter_map(|pair| pair.last().zip(pair.first()).map(|(b, a)| b.at.since(a.at))).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied()
}

/// Stretches, ascending, with something between any two.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ranges(Vec<Range>);

impl Ranges {
    /// The union of these.
    pub(super) fn of(mut ranges: Vec<Range>) -> Self {
        ranges.retain(|(from, to)| from < to);
        ranges.sort_unstable();
        let mut union: Vec<Range> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match union.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => union.push((from, to)),
            }
        }
        Self(union)
    }

    /// The stretches.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    /// The one that `time` lies in.
    pub(super) fn holding(&self, time: Timestamp) -> Option<Range> {
        let place = self.0.partition_point(|(_, to)| *to < time);
        self.0.get(place).filter(|(from, _)| *from < time).copied()
    }

    /// This and these.
    pub(super) fn with(&self, ranges: Vec<Range>, within: Range) -> Self {
        let cut = ranges.into_iter().map(|(from, to)| (from.max(within.0), to.min(within.1)));
        Self::of(self.iter().chain(cut).collect())
    }

    /// What of this is not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        for (mut from, to) in self.iter() {
            let whole = (from, to);
            for (begin, end) in other.iter().filter(|(begin, end)| *end > whole.0 && *begin < whole.1) {
                rest.push((from, begin));
                from = end;
            }
            rest.push((from, to));
        }
        rest.retain(|(from, to)| from < to);
        Self(rest)
    }

    /// Their lengths together.
    pub(super) fn length(&self) -> Length {
        self.iter().fold(Length::ZERO, |sum, (from, to)| sum + to.since(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: Length = Length::from_minutes(5);
    const HALF: Length = Length::from_seconds(30);

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn stretch(from: i64, to: i64, fine_after: i64, raw_after: i64) -> Stretch {
        Stretch { from: at(from), to: at(to), gap: G, fine_after: at(fine_after), raw_after: at(raw_after) }
    }

    /// Ten hours of hourly cells.
    fn ten_hours() -> Grid {
        Grid::of(&stretch(0, 36_000, 36_000, 36_000))
    }

    /// What queries say of these samples.
    fn cells_of(grid: &Grid, samples: &[Sample]) -> Cells {
        let mut cells = Cells::new(grid);
        for cell in 0..grid.len() {
            let (from, to) = grid.range_of(cell);
            let inside: Vec<_> = samples.iter().filter(|sample| sample.at > from && sample.at <= to).collect();
            cells.count[cell] = u32::try_from(inside.len()).unwrap();
            cells.last[cell] = inside.last().map_or(f64::NAN, |sample| sample.value);
            let length = to.since(from);
            let wide: Vec<_> = samples.iter().filter(|s| s.at > from - length && s.at <= to).collect();
            cells.reset[cell] = wide.windows(2).any(|pair| pair[1].value < pair[0].value);
        }
        cells
    }

    fn steady(from: i64, to: i64, step: i64) -> Vec<Sample> {
        (from..=to).step_by(usize::try_from(step).unwrap()).map(|s| Sample { at: at(s), value: s as f64 }).collect()
    }

    #[test]
    fn cells_are_hours_then_five_minutes_without_a_hole() {
        let grid = Grid::of(&stretch(100, 20_000, 10_000, 18_050));
        assert_eq!(grid.hours, (at(3_600), at(7_200)));
        assert_eq!(grid.fine, (at(7_200), at(18_000)));
        assert_eq!(grid.len(), 1 + 36);
        assert_eq!(grid.cell_of(at(3_600)), None);
        assert_eq!(grid.cell_of(at(7_200)), Some(0));
        assert_eq!(grid.cell_of(Timestamp::from_millis(7_200_001)), Some(1));
        assert_eq!(grid.range_of(36), (at(17_700), at(18_000)));
        let short = Grid::of(&stretch(100, 3_500, 10_000, 10_000));
        assert_eq!((short.hour_count(), short.fine), (0, (at(300), at(3_300))));
        let none = stretch(100, 200, 0, 0);
        assert_eq!(Grid::of(&none).common(&none), Ranges::of(vec![(at(100), at(200))]));
    }

    #[test]
    fn ranges_unite_and_subtract() {
        let ranges = Ranges::of(vec![(at(5), at(9)), (at(0), at(2)), (at(2), at(3)), (at(7), at(8)), (at(4), at(4))]);
        assert_eq!(ranges.0, [(at(0), at(3)), (at(5), at(9))]);
        assert_eq!(ranges.holding(at(0)), None);
        assert_eq!(ranges.holding(at(3)), Some((at(0), at(3))));
        assert_eq!(ranges.holding(at(4)), None);
        let rest = ranges.without(&Ranges::of(vec![(at(1), at(2)), (at(4), at(6))]));
        assert_eq!(rest.0, [(at(0), at(1)), (at(2), at(3)), (at(6), at(9))]);
        assert_eq!(rest.length(), Length::from_seconds(5));
    }

    #[test]
    fn steady_samples_need_no_raw_ones_even_if_a_scrape_is_lost() {
        let grid = ten_hours();
        for step in [15, 30, 60] {
            let mut samples = steady(7, 36_000, step);
            samples.remove(150);
            let cells = cells_of(&grid, &samples);
            assert_eq!(grid.irregular(&cells, Some(Length::from_seconds(step))), [], "{step}");
        }
    }

    #[test]
    fn a_gap_is_seen_wherever_it_lies() {
        let grid = ten_hours();
        for begin in (10_000..18_000).step_by(100) {
            let samples: Vec<Sample> =
                steady(7, 36_000, 30).into_iter().filter(|s| s.at <= at(begin) || s.at > at(begin + 330)).collect();
            let cells = cells_of(&grid, &samples);
            let ranges = Ranges::of(grid.irregular(&cells, Some(HALF)));
            let last = samples.iter().rfind(|sample| sample.at <= at(begin)).unwrap().at;
            let next = samples.iter().find(|sample| sample.at > at(begin)).unwrap().at;
            let held = ranges.holding(next).unwrap_or_else(|| panic!("gap after {begin} is not read"));
            assert!(held.0 < last, "the sample before the gap at {begin} is not read");
        }
    }

    #[test]
    fn a_gap_in_every_hour_is_seen() {
        let grid = ten_hours();
        let samples: Vec<Sample> =
            steady(7, 36_000, 30).into_iter().filter(|sample| sample.at.millis() % 3_600_000 > 600_000).collect();
        assert_eq!(grid.irregular(&cells_of(&grid, &samples), Some(HALF)).len(), 10);
    }

    #[test]
    fn resets_births_and_deaths_are_read_raw_with_their_neighbours() {
        let grid = ten_hours();
        let mut samples = steady(10_800 - 30, 25_000, 30);
        // A reset on the hour: the sample at 18,000 is the first of the new life.
        samples.iter_mut().filter(|sample| sample.at >= at(18_000)).for_each(|sample| sample.value -= 18_000.0);
        let ranges = Ranges::of(grid.irregular(&cells_of(&grid, &samples), Some(HALF)));
        for seconds in [10_770, 10_830, 17_970, 18_000, 18_030, 24_990, 25_000] {
            assert!(ranges.holding(at(seconds)).is_some(), "{seconds}");
        }
        assert!(ranges.holding(at(13_000)).is_none());
    }

    #[test]
    fn without_a_known_interval_everything_is_read_raw() {
        let grid = ten_hours();
        let cells = cells_of(&grid, &steady(7, 36_000, 30));
        assert_eq!(Ranges::of(grid.irregular(&cells, None)).length().count_of(HOUR), 10);
    }

    #[test]
    fn woven_series_hold_last_values_between_true_samples() {
        let grid = ten_hours();
        let samples = steady(7, 36_000, 30);
        let cells = cells_of(&grid, &samples);
        let ranges = Ranges::of(vec![(at(0), at(900)), (at(14_250), at(18_150)), (at(35_100), at(36_000))]);
        let raw: Vec<Sample> = samples.iter().filter(|s| ranges.holding(s.at).is_some()).copied().collect();
        let (woven, continuous) = grid.weave(&cells, &ranges, &raw);
        let made: Vec<i64> =
            woven.iter().filter(|s| ranges.holding(s.at).is_none()).map(|s| s.at.millis() / 1_000).collect();
        assert_eq!(made, [3_600, 7_200, 10_800, 21_600, 25_200, 28_800, 32_400]);
        assert_eq!(continuous.len(), 2);
        assert_eq!(continuous[0], (at(877), at(14_257)), "from the last true sample to the next");
        let total: f64 = woven.windows(2).map(|pair| pair[1].value - pair[0].value).sum();
        assert!((total - (35_977.0 - 7.0)).abs() < 35.0);
    }

    #[test]
    fn nothing_is_continuous_where_the_series_was_gone() {
        let grid = ten_hours();
        let mut samples = steady(7, 10_000, 30);
        samples.extend(steady(25_207, 36_000, 30));
        let cells = cells_of(&grid, &samples);
        let all = stretch(0, 36_000, 36_000, 36_000);
        let ranges = grid.common(&all).with(grid.irregular(&cells, Some(HALF)), (all.from, all.to));
        let raw: Vec<Sample> = samples.iter().filter(|s| ranges.holding(s.at).is_some()).copied().collect();
        let (_, continuous) = grid.weave(&cells, &ranges, &raw);
        assert!(continuous.iter().all(|(from, to)| *to <= at(10_000) || *from >= at(25_207)), "{continuous:?}");
    }

    #[test]
    fn the_interval_is_the_median_of_a_probe() {
        let mut samples = steady(0, 900, 30);
        samples.drain(10..20);
        assert_eq!(interval_of(&samples, (at(0), at(900))), Some(HALF));
        assert_eq!(interval_of(&samples, (at(0), at(90))), None);
    }
}
