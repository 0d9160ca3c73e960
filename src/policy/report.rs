//! A review of a time: how the objectives were met, what was spent, who was woken and whether it was worth it.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// A review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
}
