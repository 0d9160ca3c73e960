//! Evidence inside a page: what differs between bad and good, what changed, which traces to look at (INTERFACES 5).

use serde::{Deserialize, Serialize};

use crate::engine::verdict::ValueShares;
use crate::units::Timestamp;

/// What helps at three in the night.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Bad traces, up to five.
    #[serde(default)]
    pub traces: Vec<TraceEvidence>,
    /// The label values with the largest difference of shares, largest first; at most five.
    #[serde(default)]
    pub differs: Vec<Difference>,
    /// The newest deploy of the service.
    #[serde(default)]
    pub deploy: Option<Deploy>,
}

/// A bad trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceEvidence {
    /// Its id.
    pub trace_id: String,
    /// Where it is shown.
    pub link: Option<String>,
    /// How long it took.
    pub duration_seconds: f64,
    /// It failed.
    pub error: bool,
}

/// A label value that is more frequent among bad events than among good ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Name of the label.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Share of the bad events that have it, 0 to 1.
    pub bad_ratio: f64,
    /// Share of the good events that have it.
    pub good_ratio: f64,
    /// Bad events that have it.
    pub bad: f64,
    /// Good events that have it.
    pub good: f64,
}

impl Difference {
    /// As told.
    #[must_use]
    pub fn of(shares: &ValueShares) -> Self {
        let ValueShares { name, value, bad, good, bad_ratio, good_ratio } = shares.clone();
        Self { name, value, bad_ratio, good_ratio, bad, good }
    }
}

/// A deploy of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// Which service.
    pub service: String,
    /// What was deployed.
    pub version: String,
    /// When (wall clock).
    pub at: Timestamp,
}
