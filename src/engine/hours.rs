//! Whole hours, for the store: taken when they are finished, put back where the source does not reach (SEMANTICS 2).

use crate::engine::state::SloState;
use crate::engine::verdict::HourBucket;
use crate::units::{Labels, Timestamp};

impl SloState {
    /// Whole loaded hours that ended at least `lateness` before the watermark and are new or changed since they were
    /// taken last (or near one that is: taking one twice is harmless).
    pub fn take_finished_hours(&mut self) -> Vec<(Labels, HourBucket)> {
        Vec::new()
    }

    /// Puts own hours back, ascending, that end at or before `before`: the first full hour after the source's oldest
    /// sample of `total` ([`crate::engine::instance::Instance::oldest_total`]), or where loading began. What is loaded
    /// before `before` gives way to them.
    pub fn restore_hours(&mut self, group: &Labels, hours: &[HourBucket], before: Timestamp) {
        let _ = (group, hours, before);
    }
}
