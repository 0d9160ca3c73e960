//! What follows from the type of a sink: what it is told beside alerts and their ends, its name, what comes back from it.

use crate::config::meant::{SecretRef, SinkConfig};

impl SinkConfig {
    /// Whether it calls people until somebody takes an alert on, and calls nobody again under that key.
    #[must_use]
    pub const fn calls_people(&self) -> bool {
        matches!(self, Self::Pagerduty(_) | Self::Opsgenie(_))
    }

    /// Whether it is told that somebody took an alert on: it calls people until then, or keeps a thread that they read.
    #[must_use]
    pub const fn hears_acks(&self) -> bool {
        match self {
            Self::Pagerduty(_)
            | Self::Opsgenie(_)
            | Self::Slack(_)
            | Self::Teams(_)
            | Self::Github(_)
            | Self::Gitlab(_)
            | Self::Jira(_)
            | Self::Servicenow(_) => true,
            Self::Alertmanager { .. }
            | Self::Webhook { .. }
            | Self::Stdout
            | Self::Email(_)
            | Self::Exec(_)
            | Self::File(_) => false,
        }
    }

    /// Whether it is told of pages that another sink does not take, where `fallback` names nobody: an event that a
    /// person hears of.
    #[must_use]
    pub const fn steps_in(&self) -> bool {
        !matches!(self, Self::Alertmanager { .. } | Self::Stdout | Self::File(_))
    }

    /// Whether a report can go there; elsewhere all that is sent is an alert.
    #[must_use]
    pub const fn takes_reports(&self) -> bool {
        match self {
            Self::Webhook { .. }
            | Self::Stdout
            | Self::Slack(_)
            | Self::Teams(_)
            | Self::Email(_)
            | Self::Exec(_)
            | Self::File(_) => true,
            Self::Alertmanager { .. }
            | Self::Pagerduty(_)
            | Self::Opsgenie(_)
            | Self::Github(_)
            | Self::Gitlab(_)
            | Self::Jira(_)
            | Self::Servicenow(_) => false,
        }
    }

    /// By what it is proved that something comes back from its receiver.
    #[must_use]
    pub const fn hook_secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Pagerduty(sink) => sink.hook_secret.as_ref(),
            Self::Slack(sink) => sink.signing_secret.as_ref(),
            _ => None,
        }
    }

    /// The `type` as written in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alertmanager { .. } => "alertmanager",
            Self::Webhook { .. } => "webhook",
            Self::Stdout => "stdout",
            Self::Pagerduty(_) => "pagerduty",
            Self::Opsgenie(_) => "opsgenie",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Email(_) => "email",
            Self::Github(_) => "github",
            Self::Gitlab(_) => "gitlab",
            Self::Jira(_) => "jira",
            Self::Servicenow(_) => "servicenow",
            Self::Exec(_) => "exec",
            Self::File(_) => "file",
        }
    }
}
