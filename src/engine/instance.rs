//! One SLO, or one group of it: its sums over time and what they say about any window (SEMANTICS 1 and 4).
//!
//! It is filled by `SloState` and asked by everybody. All figures come from the difference of two cumulative cells.

use std::sync::Arc;

use crate::engine::budget::budget_of;
use crate::engine::coverage::{Balance, Coverage};
use crate::engine::definition::Definition;
use crate::engine::false_pages::Bounds;
use crate::engine::sums::Sums;
use crate::engine::verdict::{Budget, WindowFigures};
use crate::engine::windows::WindowStore;
use crate::spec::meant::Numerator;
use crate::units::{Labels, Length, Timestamp};

/// Sums of one instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub(crate) definition: Arc<Definition>,
    pub(crate) labels: Labels,
    pub(crate) windows: WindowStore,
    pub(crate) coverage: Coverage,
    /// Oldest sample or measured hour known.
    pub(crate) first_data: Option<Timestamp>,
    /// Oldest sample of `total` that the source gave.
    pub(crate) first_total: Option<Timestamp>,
    /// Newest sample of `total`: what the newest slice with data is.
    pub(crate) newest_total: Option<Timestamp>,
    /// Slices that changed since the hours were taken: first and last end.
    pub(crate) changed: Option<(Timestamp, Timestamp)>,
    /// Slices that changed since they were packed: first and last end.
    pub(crate) unpacked: Option<(Timestamp, Timestamp)>,
    /// Hours that ended after this were lived through, not read from history.
    pub(crate) lived_from: Option<Timestamp>,
    /// Hours up to this end were taken.
    pub(crate) taken: Timestamp,
    /// In this tick: a series of `total` alone shows that all recent slices are measured.
    pub(crate) anchored: bool,
    /// In this tick: time after the newest sample may be taken as measured (`alive` is not 0).
    pub(crate) provisional: bool,
    /// What the bounds on false pages came to, where a tier has one.
    pub(crate) bounds: Option<Box<Bounds>>,
    /// In this tick: what its new samples add to the numerator and to `total`.
    pub(crate) fresh: (f64, f64),
}

/// One step of a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlotPoint {
    /// Begin of the step, exclusive.
    pub from: Timestamp,
    /// End of the step.
    pub at: Timestamp,
    /// Bad events in the step.
    pub bad: f64,
    /// All events in the step.
    pub total: f64,
    /// Measured time in the step.
    pub measured: Length,
    /// Budget left at the end of the step; `None` where the period is not known that far back.
    pub remaining: Option<f64>,
}

impl Instance {
    /// An instance whose loaded time is `(origin, end]`, all of it unmeasured.
    pub(crate) fn new(definition: Arc<Definition>, labels: Labels, origin: Timestamp, end: Timestamp) -> Self {
        let windows = WindowStore::new(definition.slice, definition.reach(), origin, end);
        Self {
            definition,
            labels,
            windows,
            coverage: Coverage::unmeasured(origin, end),
            first_data: None,
            first_total: None,
            newest_total: None,
            changed: None,
            unpacked: None,
            lived_from: None,
            taken: origin,
            anchored: false,
            provisional: true,
            bounds: None,
            fresh: (0.0, 0.0),
        }
    }

    /// The group's labels; empty without `by`.
    #[must_use]
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What it is judged by: the SLO's definition, or that of the override that matches its group.
    #[must_use]
    pub const fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// The watermark: the newest slice end that it was advanced to.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.windows.end()
    }

    /// Nothing at or before this time is loaded.
    #[must_use]
    pub const fn loaded_from(&self) -> Timestamp {
        self.windows.origin()
    }

    /// The newest slice end that was measured; the watermark while data comes. Time that is taken for measured until a
    /// series is known to be gone ends with its newest sample: nothing was counted after it.
    #[must_use]
    pub fn measured_until(&self) -> Timestamp {
        let end = self.as_of();
        let Some(hole) = self.coverage.holes().last().filter(|hole| hole.to >= end) else { return end };
        let slice = self.windows.slice();
        let newest = self.newest_total.map(|newest| (newest + slice - Length::from_millis(1)).floor_to(slice));
        newest.map_or(hole.from, |newest| newest.min(hole.from))
    }

    /// Oldest sample of `total` that the source gave; the store's hours win from the first full hour after it.
    #[must_use]
    pub const fn oldest_total(&self) -> Option<Timestamp> {
        self.first_total
    }

    /// The window of `length` that ends at the watermark. Where it would begin before anything that is held, it begins
    /// there, and its true length is `to - from`.
    #[must_use]
    pub fn window(&self, length: Length) -> WindowFigures {
        self.window_from(length, None)
    }

    /// The same, where its begin and the sums up to there may have been looked up already.
    pub(crate) fn window_from(&self, length: Length, begin: Option<(Timestamp, Sums)>) -> WindowFigures {
        let (from, before) = begin.unwrap_or_else(|| self.windows.begin(length));
        self.figures(length, from, self.windows.end(), before, self.windows.head())
    }

    /// The window of `length` that ends at `end`; `None` where `end` or its begin is no boundary that is still held.
    #[must_use]
    pub fn window_at(&self, length: Length, end: Timestamp) -> Option<WindowFigures> {
        if end > self.windows.end() {
            return None;
        }
        let from = self.windows.boundary(length, end);
        let (before, until) = (self.windows.sums_at(from)?, self.windows.sums_at(end)?);
        Some(self.figures(length, from, end, before, until))
    }

    /// The error budget at the watermark (SEMANTICS 4).
    #[must_use]
    pub fn budget(&self) -> Budget {
        budget_of(&self.definition, self.window(self.definition.window))
    }

    /// The error budget as it stood at `end`; `None` where the period is not known that far back.
    #[must_use]
    pub fn budget_at(&self, end: Timestamp) -> Option<Budget> {
        let window = self.window_at(self.definition.window, end)?;
        let known = window.from >= self.windows.origin() || self.is_born_after(self.windows.origin());
        known.then(|| budget_of(&self.definition, window))
    }

    /// Whether there is nothing before its first sample, although older time is loaded.
    fn is_born_after(&self, loaded: Timestamp) -> bool {
        self.first_data.is_some_and(|first| first > loaded + self.definition.gap)
    }

    /// Sums over `(from, to]`, both held boundaries.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Option<Sums> {
        Some(self.windows.sums_at(to)?.minus(self.windows.sums_at(from)?))
    }

    /// Bad events of a sum: `total - good`, floored at 0, where good ones are counted.
    pub(crate) fn bad(&self, sums: Sums) -> f64 {
        match self.definition.numerator {
            Numerator::Bad => sums.events,
            Numerator::Good => (sums.total - sums.events).max(0.0),
        }
    }

    /// Measured slices as time.
    pub(crate) fn measured(&self, sums: Sums) -> Length {
        // A difference below zero cannot be; it would show as a huge count.
        self.windows.slice() * i64::from(sums.measured.cast_signed().max(0))
    }

    /// The figures of `(from, to]`, given the cumulative sums at both ends.
    pub(crate) fn figures(
        &self,
        length: Length,
        from: Timestamp,
        to: Timestamp,
        before: Sums,
        until: Sums,
    ) -> WindowFigures {
        let sums = until.minus(before);
        let bad = self.bad(sums);
        let measured = self.measured(sums);
        let true_length = to.since(from);
        let coverage = if measured >= true_length {
            f64::from(u8::from(true_length > Length::ZERO))
        } else {
            measured.millis() as f64 / true_length.millis() as f64
        };
        let share = if bad > 0.0 && sums.total > 0.0 { (bad / sums.total).min(1.0) } else { 0.0 };
        let rate = if share > 0.0 { share / self.definition.budget } else { 0.0 };
        WindowFigures { length, from, to, bad, total: sums.total, measured, coverage, share, rate }
    }

    /// Notes that slices from `first` to `last` changed.
    pub(crate) fn touch(&mut self, first: Timestamp, last: Timestamp) {
        let wider = |known: Option<(Timestamp, Timestamp)>| {
            Some(known.map_or((first, last), |(from, to)| (from.min(first), to.max(last))))
        };
        self.changed = wider(self.changed);
        self.unpacked = wider(self.unpacked);
    }

    /// Changes what is measured after `since`, and the cells with it: `change` alters the lists there, the balance does
    /// the rest. No slice or gap that it removes or adds begins before `since`, unless the gap is in the lists already.
    /// What is older is not looked at, so a slice end costs the same however many holes there are.
    pub(crate) fn change_coverage(&mut self, since: Timestamp, change: impl FnOnce(&mut Coverage)) {
        let slice = self.windows.slice();
        let since = self.coverage.apart_before(since, slice);
        let before = self.coverage.balance_after(since, slice);
        change(&mut self.coverage);
        let after = self.coverage.balance_after(since, slice);
        self.rebalance(&before, &after);
    }

    fn rebalance(&mut self, before: &Balance, after: &Balance) {
        let Some((first, last)) = after.difference(before, self.windows.origin()) else { return };
        self.windows.adjust(first, |end| Sums { measured: wrapped(after.at(end) - before.at(end)), ..Sums::ZERO });
        self.touch(first, last);
    }

    /// Heap bytes that it holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = std::mem::size_of_val(self.coverage.holes()) + std::mem::size_of_val(self.coverage.gaps());
        size_of::<Self>() + self.windows.bytes() + lists
    }
}

/// A change of a count that wraps.
pub(crate) fn wrapped(change: i64) -> u32 {
    i32::try_from(change).unwrap_or(0).cast_unsigned()
}
