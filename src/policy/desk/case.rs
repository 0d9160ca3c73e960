//! What became of one alert among people and receivers: who was told, who took it on, what it was worth.
//!
//! Kept as a record of kind `case` under the alert's id, versioned; its JSON is read by others (the API, the pages). A
//! field with a default keeps the version. Invariant: a sink stands in `told` from the telling of the firing on, and
//! exactly those hear of the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::act::{Ack, AlertVerdict};
use crate::policy::notification::{Mark, Notification};
use crate::policy::quiet::{Quiet, QuietKind};
use crate::units::Timestamp;

/// The shape that is written.
pub const VERSION: u32 = 1;

/// One alert that was handed to the desk, or that a person took on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Of its shape.
    pub version: u32,
    /// The alert.
    pub alert_id: String,
    /// Who took it on.
    #[serde(default)]
    pub acked: Option<Ack>,
    /// How often it was taken on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub acks: u32,
    /// What it was worth.
    #[serde(default)]
    pub verdict: Option<AlertVerdict>,
    /// Who said so.
    #[serde(default)]
    pub verdict_by: Option<String>,
    /// Why nobody is told now.
    #[serde(default)]
    pub quiet: Option<QuietNow>,
    /// By sink.
    #[serde(default)]
    pub told: BTreeMap<String, Told>,
    /// When anybody first heard of it (wall clock).
    #[serde(default)]
    pub first_told_at: Option<Timestamp>,
    /// When it was last escalated (wall clock).
    #[serde(default)]
    pub escalated_at: Option<Timestamp>,
    /// It is a drill.
    #[serde(default)]
    pub drill: bool,
    /// When its end was handed over (wall clock).
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// What is told, while there is anything left to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Box<Notification>>,
    /// Somebody has still to be told for the first time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// Until when whoever is to be told first waits: working hours, or the wait of a group (wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// When it is told again unless somebody takes it on (wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats_at: Option<Timestamp>,
    /// When others are told unless somebody takes it on (wall clock), and who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates: Option<NextEscalation>,
    /// Alert ids of the digests that named it: their deliveries tell it too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// How often a quiet has ended while it fired.
    #[serde(default)]
    pub quiets_ended: u32,
    /// When the last of them ended (wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_ended_at: Option<Timestamp>,
    /// The groups and storms that it is told in, by sink.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, Place>,
}

/// What happens where nobody takes it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextEscalation {
    /// When (wall clock).
    pub at: Timestamp,
    /// The sinks.
    pub to: Vec<String>,
}

/// What one sink was told of the firing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Last (wall clock).
    pub at: Timestamp,
    /// How often.
    pub count: u32,
    /// First (wall clock).
    #[serde(default)]
    pub first_at: Timestamp,
    /// By itself, so that its end is told by itself; else in a group or storm, which tells it.
    #[serde(default)]
    pub alone: bool,
    /// Repeats among `count`.
    #[serde(default)]
    pub repeats: u32,
    /// When the routes were asked that led there (wall clock); a group tells it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed_at: Option<Timestamp>,
    /// The configuration has this sink no longer: it may not have heard. It still is sent the end, which goes to whoever
    /// stands in for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Told {
    /// When the routes were asked that led there (wall clock).
    pub(super) fn routed_at(&self) -> Timestamp {
        self.routed_at.unwrap_or(self.first_at)
    }
}

/// Membership in a group or a storm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Of the group.
    pub group: String,
    /// A message of the group has named it.
    pub listed: bool,
    /// When it came to it (wall clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at: Option<Timestamp>,
}

/// A quiet as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietNow {
    /// `silence`, `exclusion`, `deploy`.
    pub kind: String,
    /// Id of the silence, name of the exclusion, version of the deploy.
    pub name: String,
    /// In words.
    pub reason: String,
    /// When it ends, as known when it was looked at.
    pub until: Timestamp,
}

impl From<Quiet> for QuietNow {
    fn from(quiet: Quiet) -> Self {
        let Quiet { kind, name, reason, until } = quiet;
        let kind = match kind {
            QuietKind::Silence => "silence",
            QuietKind::Exclusion => "exclusion",
            QuietKind::Deploy => "deploy",
        };
        Self { kind: kind.to_owned(), name, reason, until }
    }
}

impl QuietNow {
    /// What is said once it is over: `silence ended`.
    #[must_use]
    pub const fn ended(&self) -> &'static str {
        match self.kind.as_bytes() {
            b"exclusion" => "exclusion ended",
            b"deploy" => "hold after deploy ended",
            _ => "silence ended",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Case {
    /// One of which nobody knows yet.
    #[must_use]
    pub fn new(alert_id: &str) -> Self {
        Self {
            version: VERSION,
            alert_id: alert_id.to_owned(),
            acked: None,
            acks: 0,
            verdict: None,
            verdict_by: None,
            quiet: None,
            told: BTreeMap::new(),
            first_told_at: None,
            escalated_at: None,
            drill: false,
            ended_at: None,
            notification: None,
            waits: false,
            waits_until: None,
            repeats_at: None,
            escalates: None,
            digests: Vec::new(),
            quiets_ended: 0,
            quiet_ended_at: None,
            places: BTreeMap::new(),
        }
    }

    /// One that fires and is told from now on.
    #[must_use]
    pub fn open(notification: Notification) -> Self {
        let mut case = Self::new(&notification.alert_id);
        case.drill = notification.mark == Some(Mark::Drill);
        case.waits = true;
        case.notification = Some(Box::new(notification));
        case
    }

    /// Whether it fires and is told.
    #[must_use]
    pub const fn fires(&self) -> bool {
        self.ended_at.is_none() && self.notification.is_some()
    }

    /// Somebody takes it on: it is not told again, and to nobody else.
    pub(super) fn take_on(&mut self, ack: Ack) {
        self.acked = Some(ack);
        (self.repeats_at, self.escalates) = (None, None);
    }

    /// It has ended: nothing comes next.
    pub(super) fn end(&mut self, now: Timestamp) {
        self.ended_at = Some(now);
        (self.waits, self.quiet, self.waits_until) = (false, None, None);
        (self.repeats_at, self.escalates) = (None, None);
    }

    /// What a sink that is still there was told.
    pub(super) fn heard(&self, sink: &str) -> Option<&Told> {
        self.told.get(sink).filter(|told| !told.gone)
    }

    /// Whether a sink was told, or will be by a group.
    pub(super) fn reaches(&self, sink: &str) -> bool {
        self.heard(sink).is_some() || self.places.contains_key(sink)
    }

    /// The record's text.
    ///
    /// # Errors
    /// Where it cannot be written, which would be a fault of ours.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a record's text.
    ///
    /// # Errors
    /// Where it is no case of a version that is known.
    pub fn decode(text: &str) -> Result<Self, String> {
        let case: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if case.version != VERSION {
            return Err(format!("a case of version {}, this one knows {VERSION}", case.version));
        }
        Ok(case)
    }

    /// Notes that a sink is told at `now`.
    pub(super) fn note(&mut self, sink: &str, now: Timestamp, alone: bool) {
        let routed_at = self.places.get(sink).and_then(|place| place.joined_at).or(Some(now));
        let first = Told { at: now, first_at: now, routed_at, ..Told::default() };
        let told = self.told.entry(sink.to_owned()).or_insert_with(|| first.clone());
        if told.gone {
            *told = Told { count: told.count, repeats: told.repeats, ..first };
        }
        told.at = now;
        told.count = told.count.saturating_add(1);
        told.alone |= alone;
        self.first_told_at = self.first_told_at.or(Some(now));
    }
}
