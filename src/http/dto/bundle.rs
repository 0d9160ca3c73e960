//! Everything about one alert, what people say to it, and what came of that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::dashboard::format::{percent, when};
use crate::http::dto::alert::{Alert, state_name};
use crate::http::dto::audit::Audited;
use crate::http::dto::case::{Acked, Case};
use crate::http::dto::instance::Instance;
use crate::policy::alert::AlertState;
use crate::policy::desk::found::{self as desk, DigestFound};
use crate::policy::evidence::Evidence;
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

const fn yes() -> bool {
    true
}

/// The alert as it is after an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// What was done, in one sentence.
    pub message: String,
    /// Something was done; `false`: it was so already.
    #[serde(default = "yes")]
    pub changed: bool,
    /// The alert.
    #[serde(flatten)]
    pub alert: Alert,
}

/// Several alerts that are told as one, after an act on their message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DigestDone {
    /// What was done, in one sentence.
    pub message: String,
    /// Something was done; `false`: it was so already.
    #[serde(default = "yes")]
    pub changed: bool,
    /// The id that the message has as an alert.
    pub id: String,
    /// Who took all of them on; `null` where one of them is left.
    pub acked: Option<Acked>,
    /// Its alerts: those that fire, and those whose end was not told yet.
    pub members: Vec<DigestMember>,
}

/// One alert of several that are told as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DigestMember {
    /// Its id.
    pub alert_id: String,
    /// Instance id, or `source/NAME`.
    pub slo: String,
    /// `firing` or `resolved`.
    pub state: String,
    /// Who took it on.
    pub acked: Option<Acked>,
}

/// What an act is answered with: the alert, or the alerts of a digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Answer {
    /// Of one alert.
    Alert(Box<Done>),
    /// Of several that are told as one.
    Digest(DigestDone),
}

impl Answer {
    /// What was done, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Alert(done) => &done.message,
            Self::Digest(done) => &done.message,
        }
    }

    /// Whether something was done.
    #[must_use]
    pub const fn changed(&self) -> bool {
        match self {
            Self::Alert(done) => done.changed,
            Self::Digest(done) => done.changed,
        }
    }
}

impl From<&DigestFound> for DigestDone {
    /// Without a message.
    fn from(found: &DigestFound) -> Self {
        let member = |member: &desk::DigestMember| DigestMember {
            alert_id: member.alert_id.clone(),
            slo: member.slo.clone(),
            state: state_name(if member.fires { AlertState::Firing } else { AlertState::Resolved }).to_owned(),
            acked: member.acked.as_ref().map(Acked::from),
        };
        Self {
            message: String::new(),
            changed: true,
            id: found.alert_id.clone(),
            acked: found.acked().map(Acked::from),
            members: found.members.iter().map(member).collect(),
        }
    }
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
    /// Where the owner is found, as the configuration says.
    #[serde(default)]
    pub contact: Option<String>,
    /// Runbook, dashboard and others, as written in the files.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// When this was put together, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
}

impl Bundle {
    /// What helps at three in the night, each with what it is: where it fails, what was deployed, whom to ask, where to
    /// look. Texts of others: to be escaped.
    #[must_use]
    pub fn around(&self) -> Vec<(String, String)> {
        let evidence = self.alert.evidence.clone().and_then(|value| serde_json::from_value::<Evidence>(value).ok());
        let evidence = evidence.unwrap_or_default();
        let differs = evidence.differs.iter().map(|one| {
            let (bad, good) = (percent(one.bad_ratio), percent(one.good_ratio));
            ("where", format!("{}={} {bad} of bad, {good} of good", one.name, one.value))
        });
        let deploy = evidence.deploy.iter().map(|deploy| {
            ("last deploy", format!("{} {}, {}", deploy.service, deploy.version, when(self.made_at, deploy.at)))
        });
        let contact = self.contact.as_ref().map_or_else(String::new, |contact| format!(" {contact}"));
        let owner = self.instance.iter().filter_map(|instance| instance.owner.as_ref());
        let owner = owner.map(|owner| ("owner", format!("{owner}{contact}")));
        let all = differs.chain(deploy).chain(owner).map(|(name, value)| (name.to_owned(), value));
        all.chain(self.links.clone()).collect()
    }
}
