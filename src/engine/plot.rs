//! Points of a plot: sums per step, and the budget as it stood at each.

use crate::engine::instance::{Instance, PlotPoint};
use crate::units::Timestamp;

impl Instance {
    /// At most `points` equally wide steps that cover `(from, to]`, on boundaries that are held; the budget at each.
    #[must_use]
    pub fn points(&self, from: Timestamp, to: Timestamp, points: usize) -> Vec<PlotPoint> {
        let _ = (from, to, points);
        Vec::new()
    }
}
