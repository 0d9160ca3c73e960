//! When nobody is told although something fires: silences, exclusions of alerts, holds after a deploy.
//!
//! Pure. Quiet stops tellings of firings only, never a change of state and never an end; it is looked at when something is
//! about to be told, and ends by itself.

use std::collections::BTreeMap;

use crate::policy::notification::Notification;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// Why nobody is told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// `silence`, `exclusion`, `deploy`.
    pub kind: QuietKind,
    /// Id of the silence, name of the exclusion, version of the deploy.
    pub name: String,
    /// In words: the comment, the reason.
    pub reason: String,
    /// When it ends, as known now.
    pub until: Timestamp,
}

/// What makes it quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuietKind {
    /// A silence.
    Silence,
    /// An exclusion with `alerts_only`.
    Exclusion,
    /// `on_deploy` of a policy.
    Deploy,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The labels of the alert, before a sink's map.
    pub labels: &'a BTreeMap<String, String>,
    /// The instance id, or `source/NAME`.
    pub slo: &'a str,
    /// The service.
    pub service: &'a str,
    /// Who would be told.
    pub severity: AlertSeverity,
}

impl<'a> From<&'a Notification> for About<'a> {
    fn from(notification: &'a Notification) -> Self {
        let Notification { labels, slo, service, severity, .. } = notification;
        Self { labels, slo, service, severity: *severity }
    }
}

/// Everything that makes quiet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quiets {}

impl Quiets {
    /// What keeps this from being told at `now`: of several the one that lasts longest. `None`: it is told.
    #[must_use]
    pub fn over(&self, _about: About<'_>, _now: Timestamp) -> Option<Quiet> {
        None
    }
}
