//! What became of an alert among people and receivers: its case, as the desk keeps it, read for showing.
//!
//! Read field by field: a record of another version shows what it has.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::policy::act::Ack;
use crate::policy::desk::case::NextEscalation;
use crate::units::Timestamp;

/// The case of an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Case {
    /// Who took it on; the first one counts.
    pub acked: Option<Acked>,
    /// `real noise duplicate`: what it was worth.
    pub verdict: Option<String>,
    /// Who said so.
    pub verdict_by: Option<String>,
    /// Why nobody is told now.
    pub quiet: Option<Quiet>,
    /// To whom it was told, by sink.
    pub told: BTreeMap<String, Told>,
    /// When it was told first, wall clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_told_at: Option<Timestamp>,
    /// When somebody else was told because nobody had acknowledged it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub escalated_at: Option<Timestamp>,
    /// Not life: kept out of precision.
    pub drill: bool,
    /// Somebody has still to be told for the first time.
    #[serde(default)]
    pub waits: bool,
    /// Until when whoever is to be told first waits, wall clock: working hours, or the wait of a group.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waits_until: Option<Timestamp>,
    /// It waits with others of its group, which are told as one.
    #[serde(default)]
    pub waits_for_group: bool,
    /// When it is told again unless somebody takes it on, wall clock.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub repeats_at: Option<Timestamp>,
    /// Who is told, and when, unless somebody takes it on.
    #[serde(default)]
    pub escalates: Option<Escalates>,
    /// Ids of the messages of several alerts that named it.
    #[serde(default)]
    pub digests: Vec<String>,
}

/// Who is told next where nobody takes an alert on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Escalates {
    /// When, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The sinks.
    pub to: Vec<String>,
}

impl From<NextEscalation> for Escalates {
    fn from(next: NextEscalation) -> Self {
        let NextEscalation { at, to } = next;
        Self { at, to }
    }
}

/// Somebody took an alert on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acked {
    /// Who.
    pub by: String,
    /// When, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In their words.
    #[serde(default)]
    pub note: Option<String>,
}

impl From<&Ack> for Acked {
    fn from(ack: &Ack) -> Self {
        Self { by: ack.by.clone(), at: ack.at, note: ack.note.clone() }
    }
}

/// Why nobody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quiet {
    /// `silence exclusion deploy`.
    pub kind: String,
    /// Id of the silence, name of the exclusion, version of the deploy.
    #[serde(default)]
    pub name: String,
    /// In words.
    #[serde(default)]
    pub reason: String,
    /// When it ends, as known now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What one sink was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Told {
    /// When it was told last.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How often.
    #[serde(default)]
    pub count: u32,
    /// When it was told first.
    #[serde(default)]
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
}

impl Case {
    /// Of the text of a record; nothing where it says nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let record: Value = serde_json::from_str(text).unwrap_or_default();
        Self {
            acked: field(&record, "acked"),
            verdict: field(&record, "verdict"),
            verdict_by: field(&record, "verdict_by"),
            quiet: field(&record, "quiet"),
            told: field(&record, "told").unwrap_or_default(),
            first_told_at: field(&record, "first_told_at"),
            escalated_at: field(&record, "escalated_at"),
            drill: field(&record, "drill").unwrap_or_default(),
            waits: field(&record, "waits").unwrap_or_default(),
            waits_until: field(&record, "waits_until"),
            waits_for_group: waits_for_group(&record),
            repeats_at: field(&record, "repeats_at"),
            escalates: field::<NextEscalation>(&record, "escalates").map(Escalates::from),
            digests: field(&record, "digests").unwrap_or_default(),
        }
    }
}

/// Whether a group that no message has named it in yet is what it waits for.
fn waits_for_group(record: &Value) -> bool {
    let places = record.get("places").and_then(Value::as_object);
    let is_listed = |place: &Value| place.get("listed").and_then(Value::as_bool).unwrap_or_default();
    places.is_some_and(|places| places.values().any(|place| !is_listed(place)))
}

fn field<T: DeserializeOwned>(record: &Value, name: &str) -> Option<T> {
    record.get(name).and_then(|value| serde_json::from_value(value.clone()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_shows_what_it_has_and_nothing_is_shown_of_rubbish() {
        let case = Case::read(
            r#"{"version":1,"alert_id":"a","acked":{"by":"anna","at":"2026-11-21T03:01:00Z","note":null},"verdict":"noise",
            "verdict_by":"bob","quiet":{"kind":"silence","name":"s1","reason":"batch","until":"2026-11-21T04:00:00Z"},
            "told":{"hook":{"at":"2026-11-21T02:55:00Z","count":2}},"first_told_at":"2026-11-21T02:55:00Z","drill":true,
            "steps":[1]}"#,
        );
        assert_eq!(case.acked.as_ref().map(|acked| acked.by.as_str()), Some("anna"));
        assert_eq!((case.verdict.as_deref(), case.verdict_by.as_deref()), (Some("noise"), Some("bob")));
        assert_eq!(case.quiet.as_ref().map(|quiet| quiet.name.as_str()), Some("s1"));
        assert_eq!(case.told["hook"].count, 2);
        assert!(case.drill && case.first_told_at.is_some() && case.escalated_at.is_none());
        let waiting = Case::read(
            r#"{"waits":true,"waits_until":"2026-11-21T09:00:00Z","repeats_at":"2026-11-21T04:00:00Z","digests":["d"],
            "places":{"hook":{"group":"g","listed":false}},"escalates":{"at":"2026-11-21T03:15:00Z","to":["boss"]}}"#,
        );
        assert!(waiting.waits && waiting.waits_for_group && waiting.repeats_at.is_some());
        assert_eq!(waiting.escalates.map(|next| next.to), Some(vec!["boss".to_owned()]));
        assert_eq!(waiting.digests, ["d"]);
        let listed = Case::read(r#"{"waits":true,"places":{"hook":{"group":"g","listed":true}}}"#);
        assert!(!listed.waits_for_group);
        assert_eq!(Case::read("[]"), Case::default());
        assert_eq!(Case::read(r#"{"acked":7,"verdict":"real"}"#).verdict.as_deref(), Some("real"));
    }
}
