//! Silences: who wants to hear nothing of which alerts, until when, and why.

use serde::{Deserialize, Serialize};

use crate::units::Timestamp;

/// One silence. All its matchers hold for the labels of an alert, before a sink's map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Made when it is added; known to people.
    pub id: String,
    /// At least one, and not all match the empty value.
    pub matchers: Vec<LabelMatcher>,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// From here on (wall clock).
    pub starts_at: Timestamp,
    /// Until here; an earlier end than asked for is one that was expired.
    pub ends_at: Timestamp,
}

/// A matcher as Alertmanager writes it; expressions are anchored at both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// Name of the label; one that is not there is empty.
    pub name: String,
    /// Value, or an expression.
    pub value: String,
    /// It is an expression.
    #[serde(rename = "isRegex", default)]
    pub is_regex: bool,
    /// It has to match; false: it must not.
    #[serde(rename = "isEqual", default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}
