//! What is told in place of a receiver that does not take it, and the alarms of sinks: pure.
//!
//! A delivery that fails for good, expires, or meets a key that is not good goes to each fallback sink too, under the
//! same notification id; so does its end, but only to those who were told of the begin. Where no fallback is configured,
//! every other sink steps in for pages, alone. What a fallback sink does not take goes nowhere else.
//! Worked: the page to `oncall` gets 404: `mail` is told "delivery to `oncall` failed (status 404): 3.1% of requests
//! fail". Had its route named `mail` as well, that row has the same id, and nobody hears of it twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::policy::alert::{AlertKind, AlertState, EndedBy};
use crate::policy::figure::of_when;
use crate::policy::heartbeat::heartbeat;
use crate::policy::notification::{Notification, Occasion};
use crate::policy::subject::{SEVERITY_LABEL, Subject};
use crate::runtime::outbox::deliveries_for;
use crate::runtime::outbox::rule::is_test;
use crate::sink::verdict::status_of;
use crate::spec::policy::AlertSeverity;
use crate::store::{Delivery, NewDelivery};
use crate::units::{Labels, Length, SloId, Timestamp};

/// How the reason of what is told in another's place begins.
const IN_PLACE: &str = "delivery to `";
/// From this age on what is told in another's place says of when its figures are.
const OLD: Length = Length::from_minutes(2);
/// Characters of a receiver's message that are told to others.
const EXCERPT: usize = 120;
/// The service under which alarms of sinks are told.
const SINK_SERVICE: &str = "sink";

/// Who steps in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// Sinks of `fallback`.
    pub sinks: Vec<String>,
    /// Sinks that step in for pages where `fallback` names none.
    pub others: Vec<String>,
    /// Of the server, for what is told of sinks.
    pub external_labels: BTreeMap<String, String>,
}

impl Backing {
    /// Nobody steps in.
    pub fn is_empty(&self) -> bool {
        self.sinks.is_empty() && self.others.is_empty()
    }

    fn of(&self, notification: &Notification) -> &[String] {
        let is_page = notification.severity == AlertSeverity::Page;
        if self.sinks.is_empty() && is_page { &self.others } else { &self.sinks }
    }
}

/// Whether this is told in another receiver's place.
#[must_use]
pub fn is_in_place(notification: &Notification) -> bool {
    notification.reason.starts_with(IN_PLACE)
}

/// Whether this is about a sink, not about an SLO.
fn is_alarm(notification: &Notification) -> bool {
    notification.kind == AlertKind::Source && notification.service == SINK_SERVICE
}

/// The rows in place of one that does not get through; `why` as the receiver said it.
#[must_use]
pub fn in_place(backing: &Backing, row: &Delivery, why: &str, now: Timestamp) -> Vec<NewDelivery> {
    let notification = &row.notification;
    let never = notification.kind == AlertKind::Watchdog || is_test(notification);
    // Of an end those hear who were told of the begin ([`ends`]), and of who took it on only those who keep calling.
    let follows = notification.state != AlertState::Firing || notification.tells_ack();
    if never || follows || is_in_place(notification) || is_alarm(notification) {
        return Vec::new();
    }
    let why = status_of(why).map_or_else(|| why.chars().take(EXCERPT).collect(), |status| format!("status {status}"));
    let mut told = notification.clone();
    told.occasion = Occasion::InPlace;
    told.notes.push(format!("{IN_PLACE}{}` failed ({why})", row.sink));
    // It was frozen when it was decided, which may be hours ago.
    let age = now.since(told.as_of);
    if told.state == AlertState::Firing && told.report.is_none() && age >= OLD {
        told.add_note(&format!("figures {}", of_when(told.as_of, now)));
    }
    told.reason = format!("{IN_PLACE}{}` failed ({why}): {}", row.sink, told.reason);
    let others: Vec<String> = backing.of(notification).iter().filter(|sink| **sink != row.sink).cloned().collect();
    deliveries_for(&told, &others, now)
}

/// The rows of an end for those who were told of its begin in place of another, where they have none since. `rows` are
/// all of the alert; a digest that ended may have begun anew under its id, so only begins before this end count.
#[must_use]
pub fn ends(end: &Delivery, rows: &[Delivery], now: Timestamp) -> Vec<NewDelivery> {
    let of = |state| rows.iter().filter(move |row| row.notification.state == state);
    let begun: BTreeSet<&str> = of(AlertState::Firing)
        .filter(|row| row.sink == end.sink && row.sequence < end.sequence)
        .map(|row| row.notification.id.as_str())
        .collect();
    let has_ended =
        |told: &Delivery| of(AlertState::Resolved).any(|row| row.sink == told.sink && row.sequence > told.sequence);
    let told = of(AlertState::Firing).filter(|row| {
        is_in_place(&row.notification) && begun.contains(row.notification.id.as_str()) && !has_ended(row)
    });
    let sinks: Vec<String> = told.map(|row| row.sink.clone()).collect();
    deliveries_for(&end.notification, &sinks, now)
}

/// The key of the alarms of a sink.
fn alarm_key(backing: &Backing, sink: &str) -> String {
    let mut subject = Subject::source(sink, &backing.external_labels);
    subject.id = SloId::new(SINK_SERVICE, sink);
    subject.dedup_key(&Labels::new(), AlertSeverity::Ticket, AlertKind::Source)
}

/// The alert id of the alarms of a sink on the day (of UTC) of `at`: one episode a day, thus one ticket or incident.
#[must_use]
pub fn alarm_id(backing: &Backing, sink: &str, at: Timestamp) -> String {
    format!("{}/{}", alarm_key(backing, sink), at.floor_to(Length::from_days(1)))
}

/// The rows that tell of what a person has to mend at a sink: once an hour for each text, whatever figures are in it. Not
/// about what was said of sinks itself.
#[must_use]
pub fn alarm(backing: &Backing, row: &Delivery, text: &str, now: Timestamp) -> Vec<NewDelivery> {
    if is_alarm(&row.notification) {
        return Vec::new();
    }
    let hour = now.floor_to(Length::from_hours(1));
    let mut subject = Subject::source(&row.sink, &backing.external_labels);
    subject.id = SloId::new(SINK_SERVICE, &row.sink);
    let (severity, kind) = (AlertSeverity::Ticket, AlertKind::Source);
    let mut notification = heartbeat(&backing.external_labels, hour);
    notification.dedup_key = alarm_key(backing, &row.sink);
    notification.id = format!("{}/{hour}/{}", notification.dedup_key, mark_of(text));
    notification.alert_id = alarm_id(backing, &row.sink, now);
    notification.episode = now.floor_to(Length::from_days(1));
    (notification.severity, notification.kind) = (severity, kind);
    notification.slo = subject.instance(&Labels::new());
    notification.labels.remove("severity");
    for (name, value) in [
        ("alertname", kind.alert_name()),
        (SEVERITY_LABEL, severity.name()),
        ("slo_service", SINK_SERVICE),
        ("slo_name", row.sink.as_str()),
    ] {
        notification.labels.insert(name.to_owned(), value.to_owned());
    }
    (notification.service, notification.name) = (subject.id.service, subject.id.name);
    notification.reason = format!("sink `{}` needs attention: {text}", row.sink);
    deliveries_for(&notification, &backing.sinks, now)
}

/// The rows that end the alarms of a day, for those who were told; none where they have ended already. `rows` are those of
/// [`alarm_id`]. The id follows from the last alarm's, so one that comes and goes ends at most once an hour for each text.
#[must_use]
pub fn end_of_alarm(rows: &[Delivery], now: Timestamp) -> Vec<NewDelivery> {
    let of = |state| rows.iter().filter(move |row| row.notification.state == state);
    let Some(last) = of(AlertState::Firing).max_by_key(|row| row.sequence) else { return Vec::new() };
    if of(AlertState::Resolved).any(|row| row.sequence > last.sequence) {
        return Vec::new();
    }
    let mut end = last.notification.clone();
    end.id = format!("{}/end", end.id);
    end.transition += 1;
    (end.state, end.ended_by) = (AlertState::Resolved, Some(EndedBy::KnownFalse));
    (end.resolved_at, end.as_of) = (Some(now), now);
    end.reason = format!("sink `{}` takes what it is sent again", end.name);
    let sinks: Vec<String> = of(AlertState::Firing).map(|row| row.sink.clone()).collect();
    deliveries_for(&end, &sinks, now)
}

/// Tells texts apart in ids, whatever figures are in them: how long ago a certificate expired is no news.
fn mark_of(text: &str) -> String {
    let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
    let digest = Sha256::digest(words.as_bytes());
    digest.iter().take(4).fold(String::new(), |mut mark, byte| {
        // Writing into a string does not fail.
        let _ = write!(mark, "{byte:02x}");
        mark
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_stands_in_for_one_who_does_not_hear_of_an_acknowledgement() {
        let (_, mut notification) = crate::policy::sample::samples().remove(0);
        let row = |notification: &Notification| Delivery {
            id: "1@pd".to_owned(),
            sink: "pd".to_owned(),
            notification: notification.clone(),
            state: crate::store::DeliveryState::Failed,
            attempts: Vec::new(),
            created_at: Timestamp::from_seconds(0),
            next_attempt_at: None,
            resent_at: None,
            handle: None,
            sequence: 1,
        };
        let backing = Backing { sinks: vec!["mail".to_owned()], ..Backing::default() };
        let now = Timestamp::from_seconds(1);
        assert_eq!(in_place(&backing, &row(&notification), "status 404", now).len(), 1);
        notification.occasion = crate::policy::notification::Occasion::Acknowledged;
        assert_eq!(in_place(&backing, &row(&notification), "status 404", now), []);
    }

    #[test]
    fn texts_that_differ_in_figures_only_are_one() {
        assert_eq!(mark_of("expired 12 seconds ago"), mark_of("expired 134 seconds ago"));
        assert_ne!(mark_of("expired"), mark_of("for another name"));
        assert_eq!(mark_of("expired").len(), 8);
    }
}
