//! The shape of every list.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::units::Timestamp;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The part asked for.
    pub items: Vec<T>,
    /// Asks for the next part, as the parameter `cursor`; `null` where this is the last.
    pub next_cursor: Option<String>,
    /// How many there are in all, over every part.
    pub total: usize,
    /// The newest slice end that any source has reached.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
}
