//! Points for plots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::confidence::wilson;
use crate::http::dto::figure::Figure;
use crate::runtime::service::{SeriesPoint, SeriesView};
use crate::units::Timestamp;

/// Points of a plot, equally wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Inclusive.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Width of a point; the last, which ends at `to`, may be shorter.
    pub step_seconds: Figure,
    /// Oldest first.
    pub points: Vec<Point>,
}

/// One point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// End of the step.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Bad events in the step.
    pub bad: Figure,
    /// All events in the step.
    pub total: Figure,
    /// Measured time in the step.
    pub measured_seconds: Figure,
    /// Share of good events; `null` where there were none.
    pub good_ratio: Option<Figure>,
    /// Low end of its 95% interval (Wilson); `null` without events, and where they are weighted by time.
    pub low: Option<Figure>,
    /// High end of its 95% interval (Wilson); likewise.
    pub high: Option<Figure>,
    /// Budget left at the end of the step; `null` where the window is not known that far back.
    pub remaining_ratio: Option<Figure>,
    /// Burn rate by window length at the end of the step.
    pub burn: BTreeMap<String, Figure>,
}

impl Point {
    fn of(point: &SeriesPoint, time_weighted: bool) -> Self {
        let interval = if time_weighted { None } else { wilson(point.bad, point.total) };
        Self {
            at: point.at,
            bad: Figure(point.bad),
            total: Figure(point.total),
            measured_seconds: Figure(point.measured.seconds_f64()),
            good_ratio: (point.total > 0.0).then(|| Figure(((point.total - point.bad) / point.total).max(0.0))),
            low: interval.map(|(low, _)| Figure(low)),
            high: interval.map(|(_, high)| Figure(high)),
            remaining_ratio: point.remaining_ratio.map(Figure),
            burn: point.burn.iter().map(|(over, rate)| (over.to_string(), Figure(*rate))).collect(),
        }
    }
}

impl From<&SeriesView> for Series {
    fn from(view: &SeriesView) -> Self {
        Self {
            from: view.from,
            to: view.to,
            step_seconds: Figure(view.step.seconds_f64()),
            points: view.points.iter().map(|point| Point::of(point, view.time_weighted)).collect(),
        }
    }
}
