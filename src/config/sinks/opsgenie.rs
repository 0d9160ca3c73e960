//! `{type: opsgenie}`: Opsgenie, and Jira Service Management behind the same requests.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::address;
use crate::config::sinks::{required_secret, words_of_severities};
use crate::spec::policy::AlertSeverity;
use crate::yaml::{NodeId, Reader, Written};

/// Opsgenie's own: `https://api.eu.opsgenie.com` in the EU; Jira Service Management:
/// `https://api.atlassian.com/jsm/ops/integration`.
const URL: &str = "https://api.opsgenie.com";
/// What both know.
const WORDS: &[&str] = &["P1", "P2", "P3", "P4", "P5"];

/// Opsgenie, and Jira Service Management behind the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opsgenie {
    /// The integration's key.
    pub api_key: SecretRef,
    /// Base, without a slash at its end.
    pub url: String,
    /// `P1` to `P5` for each of our severities.
    pub priority: BTreeMap<AlertSeverity, String>,
    /// The team that answers; without one the integration decides.
    pub team: Option<String>,
}

impl Opsgenie {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        vec![&self.api_key]
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    url: Option<String>,
    team: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "api_key", "priority", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Opsgenie> {
    let item: Item = reader.decode(node)?;
    let url = match &item.url {
        Some(url) => address(reader, node, "url", Some(url)),
        None => Some(URL.to_owned()),
    };
    let api_key = required_secret(reader, node, "api_key", folder);
    let priority = words_of_severities(reader, node, "priority", WORDS, ["P1", "P3", "P5"]);
    let team = item.team.filter(|team| !team.trim().is_empty());
    Some(Opsgenie { api_key: api_key?, url: url?, priority, team })
}
