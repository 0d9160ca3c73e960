//! Points of a plot: sums per step, and the budget as it stood at each.
//!
//! Steps lie on boundaries that are still held, so every figure is exact; nothing is interpolated.

use crate::engine::instance::{Instance, PlotPoint};
use crate::engine::windows::{FIVE_MINUTES, HOUR};
use crate::units::{Length, Timestamp};

impl Instance {
    /// At most `points` (at least 1) equally wide steps over `(from, to]`, cut to what is loaded. A step is a multiple
    /// of the resolution in which `from` is held, and ends on a multiple of itself, so that a plot drawn again a moment
    /// later has the same steps. The last one ends at `to`, where that is held, and is shorter.
    #[must_use]
    pub fn points(&self, from: Timestamp, to: Timestamp, points: usize) -> Vec<PlotPoint> {
        let to = to.min(self.as_of()).floor_to(self.windows.slice());
        let from = from.max(self.loaded_from()).max(self.windows.coarse_from());
        if to <= from {
            return Vec::new();
        }
        if points <= 1 {
            let begin = from.floor_to(self.plot_step(from, to, usize::MAX));
            return self.plot_point(begin.max(self.loaded_from()), to).into_iter().collect();
        }
        let mut step = self.plot_step(from, to, points);
        if ends(from, to, step) > points {
            // The shorter step at the end is one of them.
            step = self.plot_step(from, to, points - 1);
        }
        let mut end = (from + Length::from_millis(1)).ceil_to(step);
        let mut steps = Vec::new();
        while end < to {
            steps.extend(self.plot_point((end - step).max(self.loaded_from()), end));
            end = end + step;
        }
        steps.extend(self.plot_point((end - step).max(self.loaded_from()), to));
        steps
    }

    fn plot_point(&self, from: Timestamp, at: Timestamp) -> Option<PlotPoint> {
        let sums = self.between(from, at)?;
        let remaining = self.budget_at(at).map(|budget| budget.remaining);
        Some(PlotPoint { from, at, bad: self.bad(sums), total: sums.total, measured: self.measured(sums), remaining })
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

/// How many steps end within `(from, to]`, the last at `to`.
fn ends(from: Timestamp, to: Timestamp, step: Length) -> usize {
    let first = (from + Length::from_millis(1)).ceil_to(step);
    usize::try_from(to.ceil_to(step).since(first).count_of(step) + 1).unwrap_or(usize::MAX)
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
        // Whatever the number of points, the last is of the watermark, and all of them add up to the window.
        state.advance(&answer(&all, end - 300, end + 90), at(end + 90));
        let instance = state.instance(&Labels::new()).unwrap();
        for (length, most) in [(86_400, 24), (86_400, 7), (864_000, 200), (864_000, 1), (5_000, 2), (5_000, 13)] {
            let points = instance.points(at(end + 90 - length), at(end + 90), most);
            assert!(points.len() <= most && points.len() > most / 3, "{} of {most} over {length}", points.len());
            assert_eq!(points.last().unwrap().at, at(end + 90), "{most} over {length}");
            assert!(points.windows(2).all(|pair| pair[0].at == pair[1].from));
            let whole = instance.between(points[0].from, at(end + 90)).unwrap();
            assert_eq!(points.iter().map(|point| point.total).sum::<f64>(), whole.total);
        }
        assert_eq!(instance.points(at(end), at(end - 5), 10), []);
        // Windows at older ends: exact where both boundaries are held.
        let older = instance.window_at(Length::from_hours(6), at(end - 2 * 86_400)).unwrap();
        assert_eq!((older.bad, older.total, older.coverage), (6.0, 21_600.0, 1.0));
        assert_eq!(instance.window_at(Length::from_minutes(1), at(end - 2 * 86_400)), None);
    }
}
