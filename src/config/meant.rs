//! The configuration as meant: every default applied (FORMATS 3).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::sinks::email::Email;
use crate::config::sinks::exec::Exec;
use crate::config::sinks::file::File;
use crate::config::sinks::github::Github;
use crate::config::sinks::gitlab::Gitlab;
use crate::config::sinks::jira::Jira;
use crate::config::sinks::opsgenie::Opsgenie;
use crate::config::sinks::pagerduty::Pagerduty;
use crate::config::sinks::servicenow::Servicenow;
use crate::config::sinks::slack::Slack;
use crate::config::sinks::teams::Teams;
use crate::config::sinks::webhook::{self, WebhookShape};
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::spec::selector::Matcher;
use crate::units::{Length, Schedule, Step};

/// What `slo run` needs to know beside the SLO files.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folders and files of SLOs and policies, already relative to the working directory.
    pub files: Files,
    /// Evaluation step.
    pub slice: Step,
    /// Default alerting mode.
    pub mode: Mode,
    /// Who is told for whom.
    pub owners: BTreeMap<String, Owner>,
    /// By name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// By name.
    pub sinks: BTreeMap<String, SinkConfig>,
    /// What stands in place of the built-in text, by the name of the sink.
    pub templates: BTreeMap<String, TemplateFile>,
    /// First match wins.
    pub routes: Vec<Route>,
    /// Who is told of what could not be delivered to others, and gets it in their place.
    pub fallback: Vec<String>,
    /// Reviews that are sent at set times.
    pub reports: Vec<ReportPlan>,
    /// Who is told that the service is alive.
    pub watchdog: Vec<Watchdog>,
    /// Where state is kept.
    pub storage: Storage,
    /// Where the service listens.
    pub server: Server,
    /// Bounds.
    pub limits: Limits,
    /// Period of all SLOs of Sloth, whose files cannot say it.
    pub sloth_period: Length,
}

/// Where SLO files and policies are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// SLO files and folders.
    pub slos: Vec<PathBuf>,
    /// Policy files and folders.
    pub rules: Vec<PathBuf>,
    /// Files and folders of exclusions.
    pub exclusions: Vec<PathBuf>,
}

/// Sinks of an owner, by severity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Sink names by severity.
    pub sinks: BTreeMap<AlertSeverity, Vec<String>>,
    /// Where to find them, in words.
    pub contact: Option<String>,
}

/// A secret by reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `{env: NAME}`
    Env(String),
    /// `{file: PATH}`: read again when it changes.
    File(PathBuf),
}

/// How a source is asked to let us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer`.
    Bearer(SecretRef),
    /// HTTP Basic.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: SecretRef,
    },
}

/// One source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// Which kind, with what only that kind has.
    pub kind: SourceKind,
    /// Distance of the watermark from now (SEMANTICS 1).
    pub delay: Length,
    /// Whole request.
    pub timeout: Length,
    /// Requests at once.
    pub concurrency: usize,
    /// Scrape interval, for pushdown (`i`) and for scraping.
    pub interval: Length,
    /// `G`: at least 4 intervals.
    pub gap: Length,
    /// How long slices are replaced by re-reads.
    pub lateness: Length,
    /// Extra request headers.
    pub headers: BTreeMap<String, String>,
    /// How to log in.
    pub auth: Option<Auth>,
    /// After how long a failing source alerts, and as what.
    pub alert_after: Length,
    /// Severity of that alert.
    pub alert_severity: AlertSeverity,
}

/// The source types built so far.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// Prometheus, or what speaks its HTTP API.
    Prometheus {
        /// Flavour, for defaults and history.
        flavour: Flavour,
        /// Tried in order, staying with the one that answers.
        urls: Vec<String>,
        /// How history is read.
        history: HistoryMode,
    },
    /// Raw `/metrics` pages.
    Scrape {
        /// Addresses of the pages.
        targets: Vec<String>,
        /// Labels added to every series.
        labels: BTreeMap<String, String>,
    },
}

/// Which server stands behind the Prometheus API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Prometheus itself: delay 15 s, remote read.
    Prometheus,
    /// VictoriaMetrics: delay 45 s, no remote read, pushdown ranges are not overlapped.
    VictoriaMetrics,
    /// Thanos: delay 60 s, no remote read.
    Thanos,
    /// Mimir: delay 60 s, remote read.
    Mimir,
}

/// How the past is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryMode {
    /// Remote read where the store has it, else queries.
    Auto,
    /// Remote read only.
    RemoteRead,
    /// Hourly queries only.
    Query,
}

/// A sink, by its type.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkConfig {
    /// Alertmanager's v2 API, every url.
    Alertmanager {
        /// All peers.
        urls: Vec<String>,
        /// `endsAt` is now plus this while firing.
        expires: Length,
        /// What our severities are called there.
        severity: BTreeMap<AlertSeverity, String>,
    },
    /// JSON by POST, signed where there is a secret.
    Webhook {
        /// Address.
        url: WebhookUrl,
        /// Key of the signature.
        secret: Option<SecretRef>,
        /// What is posted.
        shape: WebhookShape,
    },
    /// One JSON object a line.
    Stdout,
    /// PagerDuty, Events API v2.
    Pagerduty(Pagerduty),
    /// Opsgenie, and Jira Service Management behind the same requests.
    Opsgenie(Opsgenie),
    /// Slack: an incoming webhook, or a bot.
    Slack(Slack),
    /// Microsoft Teams: a workflow.
    Teams(Teams),
    /// E-mail by SMTP.
    Email(Email),
    /// GitHub issues.
    Github(Github),
    /// GitLab issues.
    Gitlab(Gitlab),
    /// Jira issues, Cloud and Data Center.
    Jira(Jira),
    /// `ServiceNow` incidents.
    Servicenow(Servicenow),
    /// A program that is started for each notification.
    Exec(Exec),
    /// A file, one JSON object a line.
    File(File),
}

/// `template` of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateFile {
    /// Where it is.
    pub path: PathBuf,
    /// It has to render JSON.
    pub json: bool,
}

/// A webhook's address: plain, or a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookUrl {
    /// As written.
    Plain(String),
    /// By reference.
    Secret(SecretRef),
}

/// Where alerts of a kind go: first match wins. What a route does not name matches everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Route {
    /// Empty: any severity.
    pub severity: Option<AlertSeverity>,
    /// Exact service.
    pub service: Option<String>,
    /// Exact owner.
    pub owner: Option<String>,
    /// Instance or SLO id, `*` for any part: `checkout/*`.
    pub slo: Option<String>,
    /// All of them hold for the alert's labels, before a sink's map.
    pub labels: Vec<Matcher>,
    /// Sink names, or `owner`.
    pub to: Vec<String>,
    /// Goes on to later routes.
    pub continue_: bool,
    /// One message for all alerts that are alike in some labels.
    pub grouping: Option<Grouping>,
    /// Told again after this, while firing and not acknowledged.
    pub repeat: Option<Length>,
    /// Who else is told where nobody acknowledges; ascending.
    pub escalate: Vec<Escalation>,
    /// Working hours; outside them what fires waits, or goes on to the next route.
    pub active: Option<Schedule>,
    /// What happens outside `active`.
    pub outside: Outside,
}

/// `group_by`, `group_wait`, `group_interval` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Labels; `service`, `owner`, `severity` and `slo` are those of the alert.
    pub by: Vec<String>,
    /// From the first alert of a group to its first message.
    pub wait: Length,
    /// Between two messages of one group.
    pub interval: Length,
}

/// `escalate` of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Since it was first told by the route.
    pub after: Length,
    /// Sink names, or `owner`.
    pub to: Vec<String>,
}

/// What a route does outside its working hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// Holds what fires until they begin.
    #[default]
    Wait,
    /// Is as if it were not there.
    Skip,
}

/// One of `reports`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportPlan {
    /// When one is made; its window has no length.
    pub schedule: Schedule,
    /// Sink names.
    pub to: Vec<String>,
    /// The time it tells of; `None`: since the schedule's last begin.
    pub period: Option<Length>,
}

/// A heartbeat to some sinks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// Sink names.
    pub to: Vec<String>,
    /// Time between two heartbeats.
    pub every: Length,
}

/// Where state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// SQLite file.
    pub path: PathBuf,
    /// How long daily buckets are kept.
    pub history: Length,
}

/// Where the service listens, and how it is called from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// Its address for people, without a trailing slash.
    pub external_url: Option<String>,
    /// Added to every alert and to its dedup key.
    pub external_labels: BTreeMap<String, String>,
    /// Whose series `/metrics/slos` has beside ours.
    pub compat: Compat,
    /// The file of tokens, one a line: `name role hash`. Without it everything is open on loopback, and writes are refused
    /// elsewhere.
    pub tokens: Option<PathBuf>,
    /// What signed links are made with, for copies of the service that answer for each other; without it each store has a
    /// key of its own.
    pub link_secret: Option<SecretRef>,
}

/// Another tool's names on `/metrics/slos`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Ours alone.
    #[default]
    None,
    /// Sloth's too.
    Sloth,
}

impl Compat {
    /// As written in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sloth => "sloth",
        }
    }
}

/// Bounds; reaching one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Groups of one SLO; more are summed in the group `other`.
    pub instances_per_slo: usize,
    /// Instances of the service.
    pub instances: usize,
    /// Series that one query may return.
    pub series_per_query: usize,
    /// Pages a minute to one sink; more come as one digest.
    pub storm: usize,
}

impl SourceKind {
    /// The `type` as written in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Prometheus { flavour, .. } => match flavour {
                Flavour::Prometheus => "prometheus",
                Flavour::VictoriaMetrics => "victoriametrics",
                Flavour::Thanos => "thanos",
                Flavour::Mimir => "mimir",
            },
            Self::Scrape { .. } => "scrape",
        }
    }
}

impl SinkConfig {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        match self {
            Self::Webhook { url, secret, .. } => webhook::secrets(url, secret.as_ref()),
            Self::Alertmanager { .. } | Self::Stdout => Vec::new(),
            Self::Pagerduty(sink) => sink.secrets(),
            Self::Opsgenie(sink) => sink.secrets(),
            Self::Slack(sink) => sink.secrets(),
            Self::Teams(sink) => sink.secrets(),
            Self::Email(sink) => sink.secrets(),
            Self::Github(sink) => sink.secrets(),
            Self::Gitlab(sink) => sink.secrets(),
            Self::Jira(sink) => sink.secrets(),
            Self::Servicenow(sink) => sink.secrets(),
            Self::Exec(sink) => sink.secrets(),
            Self::File(sink) => sink.secrets(),
        }
    }
}
