//! Several alerts told as one to one sink: a group of a route, or a storm.
//!
//! Kept as a record of kind `group`; its members are known by their cases, so that ten thousand of them do not write ten
//! thousand lists. A message is a notification of kind `digest` with a key of its own (external labels, the labels that
//! the members share, severity), counted up per message in an episode that begins with its first member. Invariant: what
//! was listed once is told ended by the digest, and by nothing else. One that was taken on where people are called is
//! sealed: its key wakes nobody any more, so who comes then is told by the next digest, under a key with a number.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::meant::Grouping;
use crate::policy::act::Ack;
use crate::policy::alert::{AlertKind, AlertState, EndedBy};
use crate::policy::evidence::Evidence;
use crate::policy::naming::NATIVE;
use crate::policy::notification::{MEMBERS_NAMED, Mark, Member, Notification, Occasion};
use crate::policy::several::{News, Several};
use crate::policy::subject::{SEVERITY_LABEL, alert_id, notification_id};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, Timestamp};

/// The shape that is written.
const VERSION: u32 = 1;
/// A storm's digest is told at most this often (FORMATS 3, `limits.storm`).
const STORM_INTERVAL: Length = Length::from_minutes(1);
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
    /// A quiet of its members ended since its newest message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quiet_over: bool,
    /// All that it had named was taken on at a sink that calls people: nobody is called again under its key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// A message of this episode has named more than one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_several: bool,
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
            quiet_over: false,
            sealed: false,
            was_several: false,
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
            (self.sealed, self.was_several) = (false, false);
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

    /// What those are told in who come after it was sealed.
    pub fn form(&self, key: String) -> Form {
        let Self { labels, storm, wait, interval, repeat, note, .. } = self.clone();
        Form { key, labels, storm, wait, interval, repeat, note }
    }

    /// Key of the digest with this number, counted from 1, of all that came to be because those before were sealed.
    pub fn numbered(key: &str, number: usize) -> String {
        if number == 1 { key.to_owned() } else { format!("{key}/{number}") }
    }

    /// Without the number.
    pub fn first_key(&self) -> &str {
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.key.rsplit_once('/').filter(|(_, number)| is_number(number)).map_or(&self.key, |(first, _)| first)
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

    /// Its message was made.
    pub const fn was_told(&mut self, named: usize) {
        self.quiet_over = false;
        self.was_several |= named > 1;
    }

    /// It is told again at once where that is overdue: nobody works on it any more.
    pub fn repeat_again(&mut self) {
        self.repeat_at = self.told_at.zip(self.repeat).map(|(told, repeat)| told + repeat);
    }

    /// Waits for the next repeat without one.
    pub fn skip_repeat(&mut self, now: Timestamp) {
        self.repeat_at = self.repeat.map(|repeat| now + repeat);
    }

    /// The message as it stands.
    pub fn notification(&self, listed: &Listed<'_>, external: &BTreeMap<String, String>) -> Option<Notification> {
        let all = || listed.all().map(|named| named.about.as_ref());
        let base = all().next()?;
        let first = all().map(|other| other.fired_at).min()?;
        let episode = self.episode.unwrap_or(first);
        let is_over = listed.firing.is_empty();
        // The end of the last one is the end of all that were told with it.
        let alone = listed.all().count() == 1 && !self.storm && !(is_over && self.was_several);
        let mut id = notification_id(&self.key, episode, self.transition);
        if self.repeats > 0 {
            id = format!("{id}/r{}", self.repeats);
        }
        let told = if alone { base.clone() } else { self.shared(base, listed) };
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
            reason: self.sentence(listed, alone),
            notes: self.notes(listed, alone),
            occasion: self.occasion(),
            acked: listed.acked().cloned(),
            members: listed.all().take(MEMBERS_NAMED).map(|named| named.member.clone()).collect(),
            several: (!alone).then(|| self.several(listed)),
            ..told
        })
    }

    /// What is true of all of them: nothing in it is of one alone.
    fn shared(&self, base: &Notification, listed: &Listed<'_>) -> Notification {
        let all = || listed.all().map(|named| named.about.as_ref());
        let service = all().all(|other| other.service == base.service).then(|| base.service.clone());
        let mut told = Notification {
            slo: self.key.clone(),
            service: service.unwrap_or_else(|| "slo".to_owned()),
            name: if self.storm { "storm" } else { "group" }.to_owned(),
            // What a storm shares is where it goes, which who reads it knows.
            group: if self.storm { Labels::new() } else { self.labels.clone() },
            origin: NATIVE.to_owned(),
            time_weighted: false,
            tiers: Vec::new(),
            budget: None,
            forecast: None,
            context: Vec::new(),
            coverage: all().map(|other| other.coverage).fold(1.0, f64::min),
            ..base.clone()
        };
        if all().any(|other| other.owner != base.owner) {
            (told.owner, told.contact) = (None, None);
        }
        told.annotations.retain(|name, text| all().all(|other| other.annotations.get(name) == Some(text)));
        told.links.retain(|name, address| all().all(|other| other.links.get(name) == Some(address)));
        let deploy = |of: &Notification| of.evidence.as_ref().and_then(|evidence| evidence.deploy.clone());
        let same = deploy(base).filter(|same| all().all(|other| deploy(other).as_ref() == Some(same)));
        told.evidence = same.map(|deploy| Evidence { deploy: Some(deploy), ..Evidence::default() });
        told
    }

    fn several(&self, listed: &Listed<'_>) -> Several {
        Several {
            storm: self.storm,
            firing: listed.firing.len(),
            ended: listed.ended.len(),
            new: listed.all().filter(|named| named.member.news == Some(News::New)).count(),
            apart: listed.apart,
            interval: self.interval,
        }
    }

    const fn occasion(&self) -> Occasion {
        match self.repeats {
            0 if self.quiet_over => Occasion::QuietEnded,
            0 if self.note.is_some() && self.transition == 1 => Occasion::Escalation,
            0 => Occasion::Change,
            _ => Occasion::Repeat,
        }
    }

    fn told_labels(&self, external: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> =
            self.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.extend(external.clone());
        labels.insert("alertname".to_owned(), AlertKind::Digest.alert_name().to_owned());
        labels.insert(SEVERITY_LABEL.to_owned(), self.severity.name().to_owned());
        labels
    }

    /// Why it is told, and in this way: nothing while nothing fires but for what fires beside a storm.
    fn notes(&self, listed: &Listed<'_>, alone: bool) -> Vec<String> {
        let apart = listed.apart;
        let others = match apart {
            1 => "1 other page fires and was told by itself".to_owned(),
            _ => format!("{apart} other pages fire and were told one by one"),
        };
        let others = (self.storm && apart > 0).then_some(others);
        if listed.firing.is_empty() {
            return others.into_iter().collect();
        }
        let flood = self.storm.then(|| "too many pages within a minute, so these come as one".to_owned());
        let next =
            (self.first_key() != self.key).then(|| "what fired before was taken on, so this is told anew".to_owned());
        let interval = self.interval;
        let more = (!alone).then(|| format!("what changes is told together, {interval} from now at the earliest"));
        // One alone says of when its own figures are.
        let own = listed.all().next().filter(|_| alone).map(|only| only.about.notes.clone());
        let mut notes: Vec<String> = own.into_iter().flatten().chain(flood).chain(next).chain(others).collect();
        notes.extend(self.why_now());
        notes.extend(more);
        notes
    }

    /// Why it is told now, where no alert changed.
    fn why_now(&self) -> Vec<String> {
        let quiet = self.quiet_over.then(|| "what kept it quiet has ended".to_owned());
        let repeat = self.repeat.filter(|_| self.repeats > 0);
        let repeat = repeat.map(|repeat| format!("still firing, told again after {repeat}"));
        quiet.into_iter().chain(self.note.clone()).chain(repeat).collect()
    }

    /// `3 alerts fire, 1 has ended: checkout/availability, ..`
    fn sentence(&self, listed: &Listed<'_>, alone: bool) -> String {
        let Listed { firing, ended, .. } = listed;
        let why = |text: String| {
            let why = if firing.is_empty() { Vec::new() } else { self.why_now() };
            why.iter().fold(text, |text, note| with_note(&text, Some(note)))
        };
        if let Some(only) = listed.all().next().filter(|_| alone) {
            return why(only.about.reason.clone());
        }
        let names = |of: &[Named<'_>]| {
            let mut names: Vec<&str> = of.iter().take(IN_WORDS).map(|other| other.about.slo.as_str()).collect();
            if of.len() > IN_WORDS {
                names.push("..");
            }
            names.join(", ")
        };
        let fire = |count: usize| if count == 1 { "1 alert fires".to_owned() } else { format!("{count} alerts fire") };
        let end = |count: usize| if count == 1 { "1 has ended".to_owned() } else { format!("{count} have ended") };
        let text = match (firing.len(), ended.len()) {
            (0, over) => format!("all alerts have ended, {over} of them since the last message: {}", names(ended)),
            (count, 0) => format!("{}: {}", fire(count), names(firing)),
            (count, over) => format!("{}: {}; {}: {}", fire(count), names(firing), end(over), names(ended)),
        };
        let flood = (self.storm && !firing.is_empty()).then_some(FLOOD);
        why(with_note(&text, flood))
    }
}

/// Said of a storm.
const FLOOD: &str = "told as one because there are very many";

/// A sentence with something more at its end.
pub(super) fn with_note(reason: &str, note: Option<&str>) -> String {
    note.map_or_else(|| reason.to_owned(), |note| format!("{reason}; {note}"))
}

/// An alert as a message names it.
pub(super) struct Named<'a> {
    /// What is told of it.
    pub about: Cow<'a, Notification>,
    /// Its line.
    pub member: Member,
    /// Who took it on.
    pub acked: Option<&'a Ack>,
}

impl<'a> Named<'a> {
    /// `listed`: an earlier message has named it.
    pub fn of(about: Cow<'a, Notification>, acked: Option<&'a Ack>, listed: bool) -> Self {
        let mut member = Member::of(&about);
        member.acked_by = acked.map(|ack| ack.by.clone());
        member.news = Some(match (about.resolved_at, listed) {
            (Some(_), _) => News::Ended,
            (None, true) => News::Still,
            (None, false) => News::New,
        });
        Self { about, member, acked }
    }
}

/// What a message names.
pub(super) struct Listed<'a> {
    /// Worst first.
    pub firing: Vec<Named<'a>>,
    /// Since the last message, oldest first.
    pub ended: Vec<Named<'a>>,
    /// Of a storm: other pages that fire and that its sink was told of one by one.
    pub apart: usize,
}

impl<'a> Listed<'a> {
    /// In the order in which they are named.
    pub fn all(&self) -> impl Iterator<Item = &Named<'a>> {
        self.firing.iter().chain(&self.ended)
    }

    /// Who took it on first, where nothing of it is left to take on.
    pub fn acked(&self) -> Option<&'a Ack> {
        let all = self.firing.iter().all(|named| named.acked.is_some());
        self.firing.iter().filter_map(|named| named.acked).min_by_key(|ack| ack.at).filter(|_| all)
    }
}
