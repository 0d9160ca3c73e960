//! Everything about one alert, what people say to it, and what came of that.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::dto::alert::Alert;
use crate::http::dto::audit::Audited;
use crate::http::dto::case::Case;
use crate::http::dto::instance::Instance;
use crate::units::Timestamp;

/// Who says something of an alert, and what. A token's name goes before `by`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Word {
    /// Who.
    pub by: Option<String>,
    /// In their words.
    pub note: Option<String>,
}

/// What an alert was worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictWord {
    /// Who says so.
    #[serde(default)]
    pub by: Option<String>,
    /// `real noise duplicate`.
    pub verdict: String,
}

/// A drill that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillWord {
    /// The SLO, or the instance.
    pub slo: String,
    /// The group, as within the braces of an id.
    #[serde(default)]
    pub group: Option<String>,
    /// `page ticket notice`; `page` where it is not said.
    #[serde(default)]
    pub severity: Option<String>,
    /// Who begins it.
    #[serde(default)]
    pub by: Option<String>,
}

/// The alert as it is after an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// What was done, in one sentence.
    pub message: String,
    /// The alert.
    #[serde(flatten)]
    pub alert: Alert,
}

/// Everything about one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// With transitions, and deliveries with every try.
    pub alert: Alert,
    /// What became of it among people and receivers.
    pub case: Case,
    /// What people did to it, oldest first.
    pub audit: Vec<Audited>,
    /// The instance as it is now, without its alerts; `null` where it is not loaded, or it is a source.
    pub instance: Option<Instance>,
    /// When this was put together, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
}
