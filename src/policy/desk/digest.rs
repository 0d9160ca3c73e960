//! Several alerts told as one to one sink: a group of a route, or a storm.
//!
//! Kept as a record of kind `group`; its members are known by their cases, so that ten thousand of them do not write ten
//! thousand lists. A message is a notification of kind `digest` with a key of its own (external labels, the labels that
//! the members share, severity), counted up per message in an episode that begins with its first member. Invariant: what
//! was listed once is told ended by the digest, and by nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::meant::Grouping;
use crate::policy::alert::{AlertKind, AlertState, EndedBy};
use crate::policy::naming::NATIVE;
use crate::policy::notification::{Mark, Member, Notification};
use crate::policy::subject::{SEVERITY_LABEL, alert_id, notification_id};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, Timestamp};

/// The shape that is written.
const VERSION: u32 = 1;
/// A storm's digest is told at most this often (FORMATS 3, `limits.storm`).
const STORM_INTERVAL: Length = Length::from_minutes(1);
/// Members that a message names; its sentence counts them all.
const NAMED: usize = 1_000;
/// Members that the sentence names.
const IN_WORDS: usize = 5;

/// What makes alerts alike, and how often they are told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    /// Dedup key of the digest.
    pub key: String,
    /// What its members share.
    pub labels: Labels,
    /// It is a storm.
    pub storm: bool,
    /// From the first member to the first message.
    pub wait: Length,
    /// Between two messages.
    pub interval: Length,
    /// Told again after this while it fires.
    pub repeat: Option<Length>,
    /// Said at the end of its sentence.
    pub note: Option<String>,
}

impl Form {
    /// Of a route that groups.
    pub fn group(about: &Notification, grouping: &Grouping, external: &BTreeMap<String, String>) -> Self {
        let of = |name: &String| {
            let value = match name.as_str() {
                "service" => about.service.clone(),
                "owner" => about.owner.clone().unwrap_or_default(),
                "severity" => about.severity.name().to_owned(),
                "slo" => about.slo.split_once('{').map_or(about.slo.as_str(), |(slo, _)| slo).to_owned(),
                other => about.labels.get(other).cloned().unwrap_or_default(),
            };
            (name.clone(), value)
        };
        let labels: Labels = grouping.by.iter().map(of).collect();
        let key = key("group", &labels, about, external);
        let (wait, interval) = (grouping.wait, grouping.interval);
        Self { key, labels, storm: false, wait, interval, repeat: None, note: None }
    }

    /// Of a flood of pages to one sink, told again after the `repeat` of the member's route.
    pub fn storm(
        about: &Notification,
        sink: &str,
        repeat: Option<Length>,
        external: &BTreeMap<String, String>,
    ) -> Self {
        let labels = Labels::from([("sink", sink)]);
        let key = key("storm", &labels, about, external);
        Self { key, labels, storm: true, wait: Length::ZERO, interval: STORM_INTERVAL, repeat, note: None }
    }

    /// An escalation, which alone has a note; its route says nothing of those that it leads to.
    const fn is_escalation(&self) -> bool {
        self.note.is_some()
    }
}

/// Drills and life are never told as one.
fn key(word: &str, labels: &Labels, about: &Notification, external: &BTreeMap<String, String>) -> String {
    let external: Labels = external.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let external = if external.is_empty() { String::new() } else { format!("{{{external}}}") };
    let mark = match about.mark {
        None => "",
        Some(Mark::Drill) => "drill-",
        Some(Mark::Test) => "test-",
    };
    let (severity, kind) = (about.severity.name(), AlertKind::Digest.name());
    format!("{external}{mark}{word}{{{labels}}}/{severity}/{kind}")
}

/// One digest at one sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Digest {
    version: u32,
    pub key: String,
    pub sink: String,
    pub storm: bool,
    pub severity: AlertSeverity,
    pub labels: Labels,
    wait: Length,
    interval: Length,
    pub repeat: Option<Length>,
    note: Option<String>,
    /// When its first member came (wall clock).
    pub since: Timestamp,
    /// `fired_at` of its first member, data time; `None` before its first message.
    pub episode: Option<Timestamp>,
    /// Number of its newest message in the episode.
    pub transition: u32,
    /// When that was (wall clock); `None`: it was not told since it began.
    pub told_at: Option<Timestamp>,
    /// When it is told again though nothing changed (wall clock).
    pub repeat_at: Option<Timestamp>,
    /// Repeats of its newest message.
    pub repeats: u32,
    /// Its newest message does not say how it stands.
    pub changed: bool,
    /// When its last member ended (wall clock).
    pub ended_at: Option<Timestamp>,
    /// Ids of its alerts: those that fire, and those whose end was not told yet.
    #[serde(skip)]
    pub members: BTreeSet<String>,
    /// How many of them fire.
    #[serde(skip)]
    pub firing: usize,
}

impl Digest {
    /// An empty one.
    pub fn new(form: &Form, sink: &str, severity: AlertSeverity, now: Timestamp) -> Self {
        let Form { key, labels, storm, wait, interval, repeat, note } = form.clone();
        Self {
            version: VERSION,
            key,
            sink: sink.to_owned(),
            storm,
            severity,
            labels,
            wait,
            interval,
            repeat,
            note,
            since: now,
            episode: None,
            transition: 0,
            told_at: None,
            repeat_at: None,
            repeats: 0,
            changed: false,
            ended_at: None,
            members: BTreeSet::new(),
            firing: 0,
        }
    }

    /// Of the record and of the members' places.
    pub fn id(sink: &str, key: &str) -> String {
        format!("{sink} {key}")
    }

    /// The alert's id that its messages have.
    pub fn alert_id(&self) -> Option<String> {
        self.episode.map(|episode| alert_id(&self.key, episode, 1))
    }

    /// One more that fires; one that had ended begins anew. The terms are those of the newest member's route, but for
    /// escalations into what is there; a storm is of many routes, and repeated after the shortest time.
    pub fn join(&mut self, alert: &str, form: &Form, now: Timestamp) {
        let is_empty = self.members.is_empty();
        if self.ended_at.take().is_some() {
            self.since = now;
            self.told_at = None;
        }
        if is_empty || !(self.storm || form.is_escalation()) {
            (self.wait, self.interval, self.repeat) = (form.wait, form.interval, form.repeat);
            self.note.clone_from(&form.note);
        } else if self.storm {
            self.repeat = self.repeat.into_iter().chain(form.repeat).min();
        }
        self.changed = true;
        if self.members.insert(alert.to_owned()) {
            self.firing += 1;
        }
    }

    /// When it has to be looked at (wall clock).
    pub fn due(&self) -> Option<Timestamp> {
        match self.told_at {
            _ if self.ended_at.is_some() => None,
            None => Some(self.since + self.wait),
            // All ended: that is told at once.
            Some(told) if self.firing == 0 => Some(told),
            Some(told) if self.changed => Some(told + self.interval),
            Some(_) => self.repeat_at,
        }
    }

    /// The clock was set back: nothing lies in what is now the future.
    pub fn set_back(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.told_at = self.told_at.map(|at| at.min(now));
        self.repeat_at = self.repeat_at.zip(self.repeat).map(|(at, repeat)| at.min(now + repeat));
    }

    /// It is told at `now`, or told again; its notification is made after this.
    pub fn count_up(&mut self, first: Timestamp, now: Timestamp) {
        if self.changed || self.told_at.is_none() {
            // Another episode of the same key only where its name differs: an id is never used twice.
            if self.told_at.is_none() && self.episode.is_none_or(|episode| first > episode) {
                self.episode = Some(first);
                self.transition = 0;
            }
            self.transition = self.transition.saturating_add(1);
            self.repeats = 0;
        } else {
            self.repeats = self.repeats.saturating_add(1);
        }
        self.changed = false;
        self.told_at = Some(now);
        self.repeat_at = self.repeat.map(|repeat| now + repeat);
        if self.firing == 0 {
            self.ended_at = Some(now);
            self.members.clear();
        }
    }

    /// Waits for the next repeat without one.
    pub fn skip_repeat(&mut self, now: Timestamp) {
        self.repeat_at = self.repeat.map(|repeat| now + repeat);
    }

    /// The message as it stands: `firing` and `ended` since the last one, in the order in which they are named.
    pub fn notification(
        &self,
        firing: &[&Notification],
        ended: &[&Notification],
        external: &BTreeMap<String, String>,
    ) -> Option<Notification> {
        let all = || firing.iter().chain(ended).copied();
        let base = all().next()?;
        let episode = self.episode.unwrap_or(base.fired_at);
        let alone = firing.len() + ended.len() == 1;
        let is_over = firing.is_empty();
        let mut id = notification_id(&self.key, episode, self.transition);
        if self.repeats > 0 {
            id = format!("{id}/r{}", self.repeats);
        }
        let mut told = base.clone();
        if !alone {
            let service = all().all(|other| other.service == base.service).then(|| base.service.clone());
            told.slo.clone_from(&self.key);
            told.service = service.unwrap_or_else(|| "slo".to_owned());
            if self.storm { "storm" } else { "group" }.clone_into(&mut told.name);
            told.group = self.labels.clone();
            NATIVE.clone_into(&mut told.origin);
            told.time_weighted = false;
            if all().any(|other| other.owner != base.owner) {
                (told.owner, told.contact) = (None, None);
            }
            told.annotations.retain(|name, text| all().all(|other| other.annotations.get(name) == Some(text)));
            told.links.retain(|name, address| all().all(|other| other.links.get(name) == Some(address)));
        }
        Some(Notification {
            id,
            alert_id: alert_id(&self.key, episode, 1),
            dedup_key: self.key.clone(),
            episode,
            transition: self.transition,
            state: if is_over { AlertState::Resolved } else { AlertState::Firing },
            severity: self.severity,
            kind: AlertKind::Digest,
            labels: self.told_labels(external),
            started_at: all().map(|other| other.started_at).min()?,
            fired_at: episode,
            resolved_at: if is_over { all().filter_map(|other| other.resolved_at).max() } else { None },
            as_of: all().map(|other| other.as_of).max()?,
            ended_by: is_over.then_some(base.ended_by.unwrap_or(EndedBy::KnownFalse)),
            reason: self.sentence(firing, ended),
            notes: self.notes(!firing.is_empty()),
            members: all().take(NAMED).map(member).collect(),
            ..told
        })
    }

    fn told_labels(&self, external: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> =
            self.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.extend(external.clone());
        labels.insert("alertname".to_owned(), AlertKind::Digest.alert_name().to_owned());
        labels.insert(SEVERITY_LABEL.to_owned(), self.severity.name().to_owned());
        labels
    }

    /// Why it is told, while something fires.
    fn notes(&self, fires: bool) -> Vec<String> {
        let flood = self.storm.then(|| FLOOD.to_owned());
        flood.into_iter().chain(self.note.clone()).filter(|_| fires).collect()
    }

    /// `3 alerts fire, 1 has ended: checkout/availability, ..`
    fn sentence(&self, firing: &[&Notification], ended: &[&Notification]) -> String {
        if let ([only], []) | ([], [only]) = (firing, ended) {
            return with_note(&only.reason, self.note.as_deref().filter(|_| ended.is_empty()));
        }
        let names = |of: &[&Notification]| {
            let mut names: Vec<&str> = of.iter().take(IN_WORDS).map(|other| other.slo.as_str()).collect();
            if of.len() > IN_WORDS {
                names.push("..");
            }
            names.join(", ")
        };
        let fire = |count: usize| if count == 1 { "1 alert fires".to_owned() } else { format!("{count} alerts fire") };
        let end = |count: usize| if count == 1 { "1 has ended".to_owned() } else { format!("{count} have ended") };
        let text = match (firing.len(), ended.len()) {
            (0, _) => {
                format!("all alerts have ended, {} of them since the last message: {}", ended.len(), names(ended))
            }
            (count, 0) => format!("{}: {}", fire(count), names(firing)),
            (count, over) => format!("{}: {}; {}: {}", fire(count), names(firing), end(over), names(ended)),
        };
        let flood = (self.storm && !firing.is_empty()).then_some(FLOOD);
        with_note(&with_note(&text, flood), self.note.as_deref().filter(|_| !firing.is_empty()))
    }
}

/// Said of a storm.
const FLOOD: &str = "told as one because there are very many";

/// A sentence with something more at its end.
pub(super) fn with_note(reason: &str, note: Option<&str>) -> String {
    note.map_or_else(|| reason.to_owned(), |note| format!("{reason}; {note}"))
}

fn member(of: &Notification) -> Member {
    Member {
        alert_id: of.alert_id.clone(),
        slo: of.slo.clone(),
        severity: of.severity,
        kind: of.kind,
        state: of.state,
        fired_at: of.fired_at,
        resolved_at: of.resolved_at,
        reason: of.reason.clone(),
    }
}
