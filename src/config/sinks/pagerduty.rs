//! `{type: pagerduty}`: PagerDuty, Events API v2.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::{address, secret};
use crate::config::sinks::{required_secret, words_of_severities};
use crate::spec::policy::AlertSeverity;
use crate::yaml::{NodeId, Reader, Written};

/// The vendor's; `https://events.eu.pagerduty.com` in the EU.
const URL: &str = "https://events.pagerduty.com";
/// What PagerDuty knows.
const WORDS: &[&str] = &["critical", "error", "warning", "info"];

/// PagerDuty, Events API v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pagerduty {
    /// The integration's key.
    pub routing_key: SecretRef,
    /// Base, without a slash at its end.
    pub url: String,
    /// Signs what PagerDuty's webhooks tell us (acknowledged, resolved).
    pub hook_secret: Option<SecretRef>,
    /// What our severities are called there.
    pub severity: BTreeMap<AlertSeverity, String>,
}

impl Pagerduty {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        [&self.routing_key].into_iter().chain(&self.hook_secret).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    url: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "routing_key", "hook_secret", "severity", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Pagerduty> {
    let item: Item = reader.decode(node)?;
    let url = match &item.url {
        Some(url) => address(reader, node, "url", Some(url)),
        None => Some(URL.to_owned()),
    };
    let routing_key = required_secret(reader, node, "routing_key", folder);
    let hook_secret = secret(reader, node, "hook_secret", folder);
    let severity = words_of_severities(reader, node, "severity", WORDS, ["critical", "warning", "info"]);
    Some(Pagerduty { routing_key: routing_key?, url: url?, hook_secret, severity })
}
