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

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "counts are exact")]
mod tests {
    use crate::engine::fixture::{EVENTS, TOTAL, answer, at, definition, series, state};
    use crate::units::{Labels, Length};

    #[test]
    fn steps_add_up_to_the_window_and_know_the_budget_of_their_time() {
        let end = 20 * 86_400;
        let begin = end - 10 * 86_400;
        let totals: Vec<(i64, f64)> = (begin..=end).step_by(30).map(|time| (time, (time - begin) as f64)).collect();
        let bads: Vec<(i64, f64)> =
            (begin..=end).step_by(30).map(|time| (time, ((time - begin) / 3_600) as f64)).collect();
        let all = [
            series(&[("__name__", "errors_total")], EVENTS, &bads),
            series(&[("__name__", "all_total")], TOTAL, &totals),
        ];
        let mut state = state(definition());
        state.advance(&answer(&all, begin - 86_400, end), at(end));
        let instance = state.instance(&Labels::new()).unwrap();
        let points = instance.points(at(end - 86_400), at(end), 24);
        assert_eq!(points.len(), 24);
        assert_eq!((points[0].at, points[23].at), (at(end - 82_800), at(end)));
        assert!(points.iter().all(|point| point.total == 3_600.0 && point.measured == Length::from_hours(1)));
        assert_eq!(points.iter().map(|point| point.bad).sum::<f64>(), instance.window(Length::from_days(1)).bad);
        // Born ten days ago within loaded time: what was before is known to be unmeasured, so every budget is known.
        assert_eq!(points[23].remaining, Some(instance.budget().remaining));
        assert!(points[0].remaining.is_some());
        let fine = instance.points(at(end - 600), at(end), 1_000);
        assert_eq!((fine.len(), fine[0].at), (20, at(end - 570)));
        assert_eq!(instance.points(at(end), at(end - 5), 10), []);
        // Windows at older ends: exact where both boundaries are held.
        let older = instance.window_at(Length::from_hours(6), at(end - 2 * 86_400)).unwrap();
        assert_eq!((older.bad, older.total, older.coverage), (6.0, 21_600.0, 1.0));
        assert_eq!(instance.window_at(Length::from_minutes(1), at(end - 2 * 86_400)), None);
    }
}
