//! The configuration as written: the scalars of each mapping, all as text. What is nested is decoded apart.
//!
//! A key that is here, in `NESTED` or in `NOT_BUILT` is a key of the format; every other one is a finding.

use serde::Deserialize;

use crate::yaml::{Flag, Written};

/// The document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigFile {
    pub(super) slice: Option<String>,
    pub(super) fallback: Option<Vec<String>>,
}

impl Written for ConfigFile {
    const NESTED: &'static [&'static str] = &[
        "version", "files", "alerting", "owners", "sources", "sinks", "routes", "watchdog", "storage", "server",
        "limits", "sloth", "reports",
    ];
    const NOT_BUILT: &'static [&'static str] = &["evidence"];
}

/// `sloth`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SlothItem {
    pub(super) period: Option<String>,
}

impl Written for SlothItem {}

/// `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilesItem {
    pub(super) slos: Option<Vec<String>>,
    pub(super) rules: Option<Vec<String>>,
    pub(super) exclusions: Option<Vec<String>>,
}

impl Written for FilesItem {}

/// `alerting`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertingItem {
    pub(super) mode: Option<String>,
}

impl Written for AlertingItem {}

/// One of `owners`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnerItem {
    pub(super) page: Option<Vec<String>>,
    pub(super) ticket: Option<Vec<String>>,
    pub(super) notice: Option<Vec<String>>,
    pub(super) contact: Option<String>,
}

impl Written for OwnerItem {}

/// A source that speaks Prometheus' HTTP API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PrometheusItem {
    pub(super) urls: Option<Vec<String>>,
    pub(super) history: Option<String>,
    pub(super) concurrency: Option<String>,
}

impl Written for PrometheusItem {
    const NESTED: &'static [&'static str] = COMMON;
}

/// A source of `/metrics` pages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ScrapeItem {
    pub(super) targets: Option<Vec<String>>,
    pub(super) concurrency: Option<String>,
}

impl Written for ScrapeItem {
    const NESTED: &'static [&'static str] =
        &["type", "delay", "timeout", "interval", "gap", "lateness", "headers", "auth", "alert", "labels"];
}

/// Keys of every source, read by [`SourceItem`].
pub(super) const COMMON: &[&str] =
    &["type", "delay", "timeout", "interval", "gap", "lateness", "headers", "auth", "alert"];

/// What every source has; its own keys are looked at by the type's item.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceItem {
    pub(super) delay: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) interval: Option<String>,
    pub(super) gap: Option<String>,
    pub(super) lateness: Option<String>,
}

impl Written for SourceItem {
    const NESTED: &'static [&'static str] = &["type", "headers", "auth", "alert"];
    fn allows(_key: &str) -> bool {
        true
    }
}

/// `alert` of a source.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceAlertItem {
    pub(super) after: Option<String>,
    pub(super) severity: Option<String>,
}

impl Written for SourceAlertItem {}

/// `auth` of a source.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthItem {}

impl Written for AuthItem {
    const NESTED: &'static [&'static str] = &["bearer", "basic"];
}

/// `basic` of `auth`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BasicItem {
    pub(super) user: Option<String>,
}

impl Written for BasicItem {
    const NESTED: &'static [&'static str] = &["password"];
}

/// A secret by reference.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SecretItem {
    pub(super) env: Option<String>,
    pub(super) file: Option<String>,
}

impl Written for SecretItem {}

/// `{type: alertmanager}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertmanagerItem {
    pub(super) urls: Option<Vec<String>>,
    pub(super) expires: Option<String>,
}

impl Written for AlertmanagerItem {
    const NESTED: &'static [&'static str] = &["type", "severity"];
}

/// Names of severities at a sink.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeverityNames {
    pub(super) page: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) notice: Option<String>,
}

impl Written for SeverityNames {}

/// `{type: stdout}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StdoutItem {}

impl Written for StdoutItem {
    const NESTED: &'static [&'static str] = &["type"];
}

/// One of `routes`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteItem {
    pub(super) to: Option<Vec<String>>,
    #[serde(rename = "continue")]
    pub(super) continue_: Option<Flag>,
    pub(super) repeat: Option<String>,
    pub(super) group_by: Option<Vec<String>>,
    pub(super) group_wait: Option<String>,
    pub(super) group_interval: Option<String>,
    pub(super) outside: Option<String>,
}

impl Written for RouteItem {
    const NESTED: &'static [&'static str] = &["match", "escalate", "active"];
}

/// One of `escalate` of a route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EscalationItem {
    pub(super) after: Option<String>,
    pub(super) to: Option<Vec<String>>,
}

impl Written for EscalationItem {}

/// `match` of a route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MatchItem {
    pub(super) severity: Option<String>,
    pub(super) service: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) slo: Option<String>,
}

impl Written for MatchItem {
    const NESTED: &'static [&'static str] = &["labels"];
}

/// One of `watchdog`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WatchdogItem {
    pub(super) to: Option<Vec<String>>,
    pub(super) every: Option<String>,
}

impl Written for WatchdogItem {}

/// `storage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StorageItem {
    pub(super) path: Option<String>,
    pub(super) history: Option<String>,
}

impl Written for StorageItem {
    const NOT_BUILT: &'static [&'static str] = &["postgres"];
}

/// `server`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerItem {
    pub(super) listen: Option<String>,
    pub(super) external_url: Option<String>,
    pub(super) compat: Option<String>,
}

impl Written for ServerItem {
    const NESTED: &'static [&'static str] = &["external_labels", "auth", "link_secret"];
    const NOT_BUILT: &'static [&'static str] = &["tls"];
}

/// `limits`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LimitsItem {
    pub(super) instances_per_slo: Option<String>,
    pub(super) instances: Option<String>,
    pub(super) series_per_query: Option<String>,
    pub(super) storm: Option<String>,
}

impl Written for LimitsItem {}
