//! Points of a plot: sums per step, and the budget as it stood at each.
//!
//! Steps lie on boundaries that are still held, so every figure is exact; nothing is interpolated.

use crate::engine::instance::{Instance, PlotPoint};
use crate::engine::windows::{FIVE_MINUTES, HOUR};
use crate::units::{Length, Timestamp};

impl Instance {
    /// At most `points` (at least 1) equally wide steps over `(from, to]`, cut to what is loaded. A step is a multiple
    /// of the resolution in which `from` is held, and ends on a multiple of itself; the last one ends at or before `to`.
    #[must_use]
    pub fn points(&self, from: Timestamp, to: Timestamp, points: usize) -> Vec<PlotPoint> {
        let to = to.min(self.as_of());
        let from = from.max(self.loaded_from()).max(self.windows.coarse_from());
        if to <= from {
            return Vec::new();
        }
        let step = self.plot_step(from, to, points);
        let mut end = from.ceil_to(step);
        let mut steps = Vec::new();
        if end == from {
            end = end + step;
        }
        while end <= to {
            if let Some(sums) = self.between((end - step).max(self.loaded_from()), end) {
                steps.push(PlotPoint {
                    at: end,
                    bad: self.bad(sums),
                    total: sums.total,
                    measured: self.measured(sums),
                    remaining: self.budget_at(end).map(|budget| budget.remaining),
                });
            }
            end = end + step;
        }
        steps
    }

    /// Width of the steps for a plot of `(from, to]`.
    #[must_use]
    pub fn plot_step(&self, from: Timestamp, to: Timestamp, points: usize) -> Length {
        let resolution = if from >= self.windows.fine_from() {
            self.windows.slice()
        } else if from >= self.windows.middle_from() {
            FIVE_MINUTES
        } else {
            HOUR
        };
        let points = i64::try_from(points.max(1)).unwrap_or(i64::MAX);
        let least = to.since(from).millis() / points;
        resolution * (least / resolution.millis() + i64::from(least % resolution.millis() > 0)).max(1)
    }
}
