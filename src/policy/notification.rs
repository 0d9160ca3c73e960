//! What is told: one value, rendered per sink by pure functions (INTERFACES 5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::act::Ack;
use crate::policy::alert::{Alert, AlertKind, AlertState, EndedBy, TierView};
use crate::policy::episode::Episode;
use crate::policy::evidence::Evidence;
use crate::policy::facts::Facts;
use crate::policy::naming;
use crate::policy::report::Report;
use crate::policy::several::{News, Several};
use crate::policy::subject::{SEVERITY_LABEL, Subject, notification_id};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Timestamp};

/// Members that a message of several alerts names; its sentence counts them all.
pub const MEMBERS_NAMED: usize = 1_000;

/// The body of the webhook, and what every other sink is made from. Frozen when it is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Dedup key, episode and number of the transition: a receiver that sees it twice saw the same thing twice.
    pub id: String,
    /// The alert.
    pub alert_id: String,
    /// Constant for the instance, severity and kind.
    pub dedup_key: String,
    /// When the episode began, data time.
    pub episode: Timestamp,
    /// Number of the transition in the episode, counting states told or tellable.
    pub transition: u32,
    /// `firing` or `resolved`.
    pub state: AlertState,
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it is about.
    pub kind: AlertKind,
    /// Whose file asks for it: `native`, `sloth`, `pyrra`.
    pub origin: String,
    /// Instance id, or `source/NAME`.
    pub slo: String,
    /// The service; `source` for a source's alert.
    pub service: String,
    /// The SLO's name, or the source's.
    pub name: String,
    /// The group's labels.
    pub group: Labels,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where the owner is found, as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Constant for the episode: `alertname`, `slo_severity`, `slo_service`, `slo_name`, `owner`, group, files', external.
    /// `severity` is added by each sink's map ([`Self::takes_severity`]). Of another tool's file: that tool's.
    pub labels: BTreeMap<String, String>,
    /// As written in the files; of another tool's file with its placeholders filled.
    pub annotations: BTreeMap<String, String>,
    /// As written in the files.
    pub links: BTreeMap<String, String>,
    /// First slice end at which a tier matched.
    pub started_at: Timestamp,
    /// Slice end at which it fired.
    pub fired_at: Timestamp,
    /// Slice end at which it ended.
    pub resolved_at: Option<Timestamp>,
    /// The slice end that the figures are of.
    pub as_of: Timestamp,
    /// Why it ended.
    pub ended_by: Option<EndedBy>,
    /// One sentence in words and numbers.
    pub reason: String,
    /// Tiers that fire, with windows and thresholds.
    pub tiers: Vec<TierView>,
    /// `None` for a source's alert.
    pub budget: Option<BudgetView>,
    /// When the budget will be gone, or back; `None` for a source's alert, and where nothing was judged.
    pub forecast: Option<ForecastView>,
    /// What differs, what changed; `null` where nothing is known.
    pub evidence: Option<Evidence>,
    /// Alerts held back under this one, by id.
    pub context: Vec<String>,
    /// Coverage of the long window of the first firing tier.
    pub coverage: f64,
    /// What failed is a share of the time, not of requests (`gauge`, `probe`, `ratio`); left out where it is not so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub time_weighted: bool,
    /// The alerts that are told as one, where a route groups them, or a storm does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// What is said of all of them; `None` where it is one alone, which reads as that one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub several: Option<Several>,
    /// Why it is told now, or in this way, where that is not the alert itself: `silence ended`, `nobody acknowledged within
    /// 15m`, `delayed 2h10m`. Said in the reason too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What made it be told now.
    #[serde(default, skip_serializing_if = "Occasion::is_change")]
    pub occasion: Occasion,
    /// Who had taken it on when it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked: Option<Ack>,
    /// Not life: a drill, or a test of a sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// A review, where this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
}

/// What makes a notification be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It fires, or has ended.
    #[default]
    Change,
    /// It still fires, and nobody took it on.
    Repeat,
    /// Nobody took it on in time: others are told.
    Escalation,
    /// A silence, an exclusion or a hold is over, and it still fires.
    QuietEnded,
    /// Somebody took it on: told to sinks that stop calling people then, or keep a thread
    /// ([`crate::config::meant::SinkConfig::hears_acks`]).
    Acknowledged,
    /// Another sink could not be told.
    InPlace,
}

impl Occasion {
    /// Whether it is the alert itself.
    #[must_use]
    pub fn is_change(&self) -> bool {
        *self == Self::Change
    }
}

/// Why a notification is not life; said first in every text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// `slo drill`.
    Drill,
    /// `slo notify test`.
    Test,
}

/// One alert of several that are told as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub alert_id: String,
    /// Instance id, or `source/NAME`.
    pub slo: String,
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it is about.
    pub kind: AlertKind,
    /// `firing` or `resolved`.
    pub state: AlertState,
    /// When it fired, data time.
    pub fired_at: Timestamp,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// One sentence in words and numbers.
    pub reason: String,
    /// What became of it since the last message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<News>,
    /// Share of its budget that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ratio: Option<f64>,
    /// How it burns, over the window that speaks first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn: Option<MemberBurn>,
    /// Who took it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acked_by: Option<String>,
    /// The page of its SLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// How fast an alert of several burns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberBurn {
    /// The window, as written.
    pub length: String,
    /// Burn rate: 1 spends the budget in its period.
    pub rate: f64,
    /// The tier fires above this.
    pub factor: f64,
}

impl Member {
    /// As a message of several names an alert that is told.
    #[must_use]
    pub fn of(about: &Notification) -> Self {
        let burn = |tier: &TierView| {
            let window = tier.confirm.as_ref().or(tier.over.as_ref())?;
            let factor = tier.factor.filter(|factor| factor.is_finite() && *factor > 0.0)?;
            Some(MemberBurn { length: window.length.clone(), rate: window.rate, factor })
        };
        let burns = about.tiers.iter().filter(|tier| tier.kind == "burn").filter_map(burn);
        Self {
            alert_id: about.alert_id.clone(),
            slo: about.slo.clone(),
            severity: about.severity,
            kind: about.kind,
            state: about.state,
            fired_at: about.fired_at,
            resolved_at: about.resolved_at,
            reason: about.reason.clone(),
            news: None,
            remaining_ratio: about.budget.as_ref().map(|budget| budget.remaining_ratio).filter(|left| left.is_finite()),
            burn: burns.max_by(|a, b| a.rate.total_cmp(&b.rate)),
            acked_by: None,
            link: None,
        }
    }

    /// What is worse comes first: pages, then what is down or cannot be seen, then what burns fastest, then the oldest.
    #[must_use]
    pub fn worse_first(&self, other: &Self) -> std::cmp::Ordering {
        let blind = |member: &Self| matches!(member.kind, AlertKind::Down | AlertKind::Source);
        let rate = |member: &Self| member.burn.as_ref().map_or(0.0, |burn| burn.rate);
        self.severity
            .cmp(&other.severity)
            .then_with(|| blind(other).cmp(&blind(self)))
            .then_with(|| rate(other).total_cmp(&rate(self)))
            .then_with(|| (self.fired_at, &self.alert_id).cmp(&(other.fired_at, &other.alert_id)))
    }
}

/// The budget as shown (INTERFACES 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetView {
    /// `B * N(W)`.
    pub allowed: f64,
    /// Share spent.
    pub spent_ratio: f64,
    /// Share left, negative when overspent.
    pub remaining_ratio: f64,
    /// Events left.
    pub remaining_events: f64,
    /// What was measured alone.
    pub measured: MeasuredBudget,
}

/// The forecast as shown (INTERFACES 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    /// Nothing is left now.
    pub exhausted: bool,
    /// When it will be gone at the burn of the lookback; `null`: not within a period, or gone already.
    pub exhausts_at: Option<Timestamp>,
    /// When an exhausted one will be back; `null` likewise.
    pub recovers_at: Option<Timestamp>,
    /// As written: `6h`.
    pub lookback: String,
}

/// The budget from measured events alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredBudget {
    /// `B * total`.
    pub allowed: f64,
    /// `bad / allowed`.
    pub spent_ratio: f64,
}

/// What a notification is made from, beside the alert itself.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Whom it is about.
    pub subject: &'a Subject,
    /// The group's labels.
    pub group: &'a Labels,
    /// The episode: it keeps the labels.
    pub episode: &'a Episode,
    /// Number of the transition in the episode.
    pub transition: u32,
    /// What was judged.
    pub facts: Facts<'a>,
}

impl Notification {
    /// Tells `alert` as it stands. `context` are the ids of the alerts held back under it.
    #[must_use]
    pub fn of(alert: &Alert, telling: &Telling<'_>, context: Vec<String>) -> Self {
        let Telling { subject, group, episode: kept, transition, facts } = telling;
        let at = facts.at();
        let fired_at = alert.fired_at.unwrap_or(at);
        let episode = alert.episode.unwrap_or(fired_at);
        let this = (alert.severity, alert.kind);
        let labels = kept.labels_of(this);
        let foreign = subject.foreign.as_deref();
        let annotations = foreign.and_then(|foreign| naming::annotations(foreign, this, &labels, &alert.tiers));
        Self {
            id: notification_id(&alert.dedup_key, episode, *transition),
            alert_id: alert.id.clone(),
            dedup_key: alert.dedup_key.clone(),
            episode,
            transition: *transition,
            state: alert.state,
            severity: alert.severity,
            kind: alert.kind,
            origin: alert.origin.clone(),
            slo: alert.slo.clone(),
            service: subject.id.service.clone(),
            name: subject.id.name.clone(),
            group: (*group).clone(),
            owner: subject.owner.clone(),
            contact: subject.contact.clone(),
            labels,
            annotations: annotations.unwrap_or_else(|| subject.annotations.clone()),
            links: subject.links.clone(),
            started_at: alert.started_at,
            fired_at,
            resolved_at: alert.resolved_at,
            as_of: at,
            ended_by: alert.ended_by,
            reason: alert.reason.clone(),
            tiers: alert.tiers.clone(),
            budget: facts.budget(),
            forecast: facts.forecast(),
            evidence: alert.evidence.clone(),
            members: Vec::new(),
            several: None,
            notes: Vec::new(),
            occasion: Occasion::Change,
            acked: None,
            mark: None,
            report: None,
            context,
            coverage: facts.coverage(&alert.tiers),
            time_weighted: subject.time_weighted,
        }
    }

    /// Says why it is told now, or in this way: as a note, and at the end of its sentence.
    pub fn add_note(&mut self, note: &str) {
        self.reason = format!("{}; {note}", self.reason);
        self.notes.push(note.to_owned());
    }

    /// What a sink that keeps one ticket or one thread knows it by: external labels, instance and episode. The alerts of an
    /// instance in one episode share it.
    #[must_use]
    pub fn thread(&self) -> String {
        let kind = format!("/{}/{}", self.severity.name(), self.kind.name());
        let instance = self.dedup_key.strip_suffix(&kind).unwrap_or(&self.dedup_key);
        format!("{instance}/{}", self.episode)
    }

    /// Whether it only tells that somebody took the alert on.
    #[must_use]
    pub fn tells_ack(&self) -> bool {
        self.occasion == Occasion::Acknowledged && self.state != AlertState::Resolved
    }

    /// Its links but for `ack` and `mute`, which act for whoever follows them: for receivers that many may read.
    #[must_use]
    pub fn open_links(&self) -> BTreeMap<String, String> {
        let signed = |name: &str| matches!(name, "ack" | "mute");
        self.links.iter().filter(|(name, _)| !signed(name)).map(|(name, url)| (name.clone(), url.clone())).collect()
    }

    /// As it is told where there is no map of severities: its label `severity` added (`page`, `ticket`, `notice`), but not
    /// to an alert of another tool's file.
    #[must_use]
    pub fn labelled(&self) -> Self {
        let mut told = self.clone();
        if told.takes_severity() {
            told.labels.insert("severity".to_owned(), told.severity.name().to_owned());
        }
        told
    }

    /// Whether a sink adds `severity` by its map: not to the alert of another tool's file, whose labels say it in their
    /// own way. Ours are known by `slo_severity`.
    #[must_use]
    pub fn takes_severity(&self) -> bool {
        self.labels.contains_key(SEVERITY_LABEL)
    }
}
