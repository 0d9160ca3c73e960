//! Silences at Alertmanager: what is posted, what is read back, and how matchers are mapped. Pure.
//!
//! Alertmanager gives silences ids of its own. Ours stands at the end of the comment, so that one whose answer was lost
//! is found again and not made twice.

use serde::{Deserialize, Serialize};

use crate::policy::silence::{LabelMatcher, Silence};
use crate::policy::subject::SEVERITY_LABEL;
use crate::units::{Timestamp, portable_name};

/// The label that our map of severities makes.
const SEVERITY: &str = "severity";

/// A silence as it is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostedSilence {
    /// Of one that is there, to change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// After our map.
    pub matchers: Vec<LabelMatcher>,
    /// A begin that is past is taken as now, but for one that is there.
    pub starts_at: Timestamp,
    /// Until here.
    pub ends_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// Why, with our id.
    pub comment: String,
}

/// A silence as it is read back: what matters of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundSilence {
    /// Its id there.
    pub id: String,
    /// With our id, where it is one of ours.
    #[serde(default)]
    pub comment: String,
    /// Kept where one is changed, else it becomes another.
    pub starts_at: Timestamp,
    /// Until here.
    pub ends_at: Timestamp,
    /// In an order of their own.
    #[serde(default)]
    pub matchers: Vec<LabelMatcher>,
    /// Where it stands.
    pub status: FoundStatus,
}

/// Where a silence stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FoundStatus {
    /// `active`, `pending`, `expired`.
    pub state: String,
}

impl FoundSilence {
    /// Whether it is this one of ours, and not over.
    #[must_use]
    pub fn is(&self, mark: &str) -> bool {
        self.status.state != "expired" && self.comment.ends_with(mark)
    }

    /// Whether it says the same already.
    #[must_use]
    pub fn says(&self, posted: &PostedSilence) -> bool {
        let sorted = |matchers: &[LabelMatcher]| {
            let mut sorted = matchers.to_vec();
            sorted.sort();
            sorted
        };
        (self.ends_at, &self.comment) == (posted.ends_at, &posted.comment)
            && sorted(&self.matchers) == sorted(&posted.matchers)
    }

    /// The mark of ours in its comment.
    #[must_use]
    pub fn mark(&self) -> Option<String> {
        let (_, mark) = self.comment.rsplit_once(" [slo ")?;
        mark.ends_with(']').then(|| format!(" [slo {mark}"))
    }
}

/// What the answer to a post says.
#[derive(Deserialize)]
pub(super) struct Made {
    #[serde(rename = "silenceID")]
    pub(super) silence_id: String,
}

/// What our silence is known by there: the end of its comment.
#[must_use]
pub fn mark_of(silence: &Silence) -> String {
    format!(" [slo {}]", silence.id)
}

/// The silence as it is posted, in place of one that is there.
///
/// # Errors
/// Says why its matchers mean nothing there.
pub fn render(silence: &Silence, known: Option<&FoundSilence>) -> Result<PostedSilence, String> {
    Ok(PostedSilence {
        id: known.map(|known| known.id.clone()),
        matchers: mapped(&silence.matchers)?,
        // Another begin would make it another silence.
        starts_at: known.map_or(silence.starts_at, |known| known.starts_at),
        ends_at: silence.ends_at,
        created_by: silence.created_by.clone(),
        comment: format!("{}{}", silence.comment, mark_of(silence)),
    })
}

/// The matchers for labels as they are posted: under names that Alertmanager takes, and with the `severity` that our map
/// adds to alerts of our own. Ours have no `severity` here: a matcher that wants one means alerts of other tools' files.
fn mapped(matchers: &[LabelMatcher]) -> Result<Vec<LabelMatcher>, String> {
    let mut mapped: Vec<LabelMatcher> =
        matchers.iter().map(|matcher| LabelMatcher { name: portable_name(&matcher.name), ..matcher.clone() }).collect();
    let of_severity: Vec<&LabelMatcher> = matchers.iter().filter(|matcher| matcher.name == SEVERITY).collect();
    if of_severity.is_empty() {
        return Ok(mapped);
    }
    let wants_one = |matcher: &&LabelMatcher| matcher.compiled().is_ok_and(|compiled| !compiled.allows(""));
    if !of_severity.iter().any(wants_one) {
        let matchers: Vec<String> = of_severity.iter().map(ToString::to_string).collect();
        return Err(format!(
            "`{}` matches alerts without that label, and here each alert has one; match `{SEVERITY_LABEL}` instead",
            matchers.join("`, `")
        ));
    }
    mapped.push(LabelMatcher {
        name: SEVERITY_LABEL.to_owned(),
        value: String::new(),
        is_regex: false,
        is_equal: true,
    });
    Ok(mapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(name: &str, value: &str, is_equal: bool) -> LabelMatcher {
        LabelMatcher { name: name.into(), value: value.into(), is_regex: false, is_equal }
    }

    fn silence(matchers: Vec<LabelMatcher>) -> Silence {
        Silence {
            id: "0123456789ab".into(),
            matchers,
            created_by: "ann".into(),
            comment: "why".into(),
            starts_at: Timestamp::from_seconds(1_000),
            ends_at: Timestamp::from_seconds(2_000),
        }
    }

    #[test]
    fn a_silence_is_posted_under_names_that_are_taken_there() {
        let posted = render(&silence(vec![matcher("team-name", "core.pay", true)]), None).unwrap();
        let wanted = serde_json::json!({
            "matchers": [{"name": "team_name", "value": "core.pay", "isRegex": false, "isEqual": true}],
            "startsAt": "1970-01-01T00:16:40Z", "endsAt": "1970-01-01T00:33:20Z",
            "createdBy": "ann", "comment": "why [slo 0123456789ab]",
        });
        assert_eq!(serde_json::to_value(posted).unwrap(), wanted);
    }

    #[test]
    fn one_that_is_there_is_changed_and_keeps_its_begin() {
        let text = r#"{"id":"x","comment":"why [slo 0123456789ab]","startsAt":"1970-01-01T00:20:00.000Z",
                       "endsAt":"1970-01-01T00:33:20.000Z",
                       "matchers":[{"isEqual":true,"isRegex":false,"name":"a","value":"b"}],
                       "status":{"state":"active"},"updatedAt":"1970-01-01T00:20:00.000Z"}"#;
        let found: FoundSilence = serde_json::from_str(text).unwrap();
        let ours = silence(vec![matcher("a", "b", true)]);
        assert!(found.is(&mark_of(&ours)) && !found.is(" [slo 0123456789ac]"));
        assert_eq!(found.mark(), Some(mark_of(&ours)));
        let over = FoundSilence { status: FoundStatus { state: "expired".into() }, ..found.clone() };
        assert!(!over.is(&mark_of(&ours)));
        let posted = render(&ours, Some(&found)).unwrap();
        assert_eq!((posted.id.as_deref(), posted.starts_at), (Some("x"), Timestamp::from_seconds(1_200)));
        assert!(found.says(&posted), "nothing has to be posted");
        assert!(!found.says(&PostedSilence { ends_at: Timestamp::from_seconds(2_001), ..posted.clone() }));
        assert!(!found.says(&PostedSilence { matchers: vec![matcher("a", "c", true)], ..posted }));
        assert_eq!(FoundSilence { comment: "by hand".into(), ..found }.mark(), None);
    }

    #[test]
    fn a_severity_of_other_tools_does_not_become_ours() {
        let posted = render(&silence(vec![matcher("severity", "page", true)]), None).unwrap();
        assert_eq!(posted.matchers, [matcher("severity", "page", true), matcher("slo_severity", "", true)]);
        let posted = render(&silence(vec![matcher("slo_severity", "page", true)]), None).unwrap();
        assert_eq!(posted.matchers, [matcher("slo_severity", "page", true)]);
        let both = silence(vec![matcher("severity", "page", false), matcher("a", "b", true)]);
        assert!(render(&both, None).unwrap_err().contains("match `slo_severity` instead"));
    }
}
