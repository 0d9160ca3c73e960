//! Silences and deploy markers, as asked for and as shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::act::SilenceDraft;
use crate::policy::evidence::Deploy;
use crate::policy::silence::LabelMatcher;
use crate::runtime::service::SilenceView;
use crate::units::Timestamp;

/// One silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// `active`, `pending`, `expired`.
    pub state: String,
    /// All of them hold for an alert's labels.
    pub matchers: Vec<Matcher>,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// From here on.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// Until here; of one that was expired, when.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// How many alerts fire now that it covers, or will; none once it is over.
    pub firing_alerts: usize,
}

impl From<&SilenceView> for Silence {
    fn from(view: &SilenceView) -> Self {
        let silence = &view.silence;
        Self {
            id: silence.id.clone(),
            state: view.state.name().to_owned(),
            matchers: silence.matchers.iter().map(Matcher::from).collect(),
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            firing_alerts: view.covers.len(),
        }
    }
}

/// One matcher. Alertmanager's `isRegex` and `isEqual` are taken too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Name of the label; one that is not there is empty.
    pub name: String,
    /// Its value, or an expression that fits the whole of it.
    pub value: String,
    /// It is an expression.
    #[serde(alias = "isRegex", default)]
    pub is_regex: bool,
    /// It has to match; false: it must not.
    #[serde(alias = "isEqual", default = "yes")]
    pub is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl From<&LabelMatcher> for Matcher {
    fn from(matcher: &LabelMatcher) -> Self {
        let LabelMatcher { name, value, is_regex, is_equal } = matcher.clone();
        Self { name, value, is_regex, is_equal }
    }
}

impl From<Matcher> for LabelMatcher {
    fn from(matcher: Matcher) -> Self {
        let Matcher { name, value, is_regex, is_equal } = matcher;
        Self { name, value, is_regex, is_equal }
    }
}

/// A silence that is asked for; the body of Alertmanager's API is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// To change one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which alerts.
    pub matchers: Vec<Matcher>,
    /// Who asks; left out, it is the token's name.
    #[serde(alias = "createdBy", default)]
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Left out: now.
    #[serde(alias = "startsAt", default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// Until when.
    #[serde(alias = "endsAt")]
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
}

impl From<NewSilence> for SilenceDraft {
    fn from(asked: NewSilence) -> Self {
        let NewSilence { id, matchers, created_by, comment, starts_at, ends_at } = asked;
        let matchers = matchers.into_iter().map(LabelMatcher::from).collect();
        // Alertmanager's clients send an empty id for a new one.
        Self { id: id.filter(|id| !id.is_empty()), matchers, created_by, comment, starts_at, ends_at }
    }
}

/// The id of a silence, under our name and Alertmanager's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceId {
    /// Its id.
    pub id: String,
    /// The same.
    #[serde(rename = "silenceID")]
    pub silence_id: String,
    /// Why it is probably not what was meant, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A deploy of a service, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marker {
    /// Which service.
    pub service: String,
    /// What was deployed.
    pub version: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl From<Deploy> for Marker {
    fn from(deploy: Deploy) -> Self {
        let Deploy { service, version, at } = deploy;
        Self { service, version, at }
    }
}

/// A deploy that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMarker {
    /// Which service.
    pub service: String,
    /// What was deployed.
    pub version: String,
    /// Left out: now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Who tells it, where no token says.
    #[serde(default)]
    pub by: Option<String>,
}

/// What became of a marker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marked {
    /// Id of its record.
    pub id: String,
    /// In one sentence.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_alertmanager_and_ours_are_the_same() {
        let theirs = r#"{"id":"","matchers":[{"name":"a","value":"b","isRegex":true,"isEqual":false},{"name":"c","value":"d","isRegex":false}],
            "startsAt":"2026-11-21T10:00:00Z","endsAt":"2026-11-21T11:00:00Z","createdBy":"ann","comment":"why"}"#;
        let ours = r#"{"matchers":[{"name":"a","value":"b","is_regex":true,"is_equal":false},{"name":"c","value":"d"}],
            "starts_at":"2026-11-21T10:00:00Z","ends_at":"2026-11-21T11:00:00Z","created_by":"ann","comment":"why"}"#;
        let read = |text: &str| SilenceDraft::from(serde_json::from_str::<NewSilence>(text).unwrap());
        assert_eq!(read(theirs), read(ours));
        assert_eq!(read(ours).id, None);
        assert!(read(ours).matchers[1].is_equal);
        let slip = ours.replace("starts_at", "start_at");
        assert!(serde_json::from_str::<NewSilence>(&slip).unwrap_err().to_string().contains("start_at"));
    }
}
