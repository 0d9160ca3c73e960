//! What the service tells by itself: the heartbeat of `watchdog`, which says "I am alive" so that silence itself is
//! noticed, and reviews.
//!
//! Shaped as every other one, so that each sink can send it. Its labels are constant and few: `alertname` `SLOWatchdog`,
//! `severity` `none` (as the `Watchdog` of the usual Prometheus rules has it; no route for pages or tickets takes it) and
//! the external ones. Pure. Invariant: equal slots give equal heartbeats, so of two copies of the service the receiver
//! gets each id twice and knows it for one.

use std::collections::BTreeMap;

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::naming::NATIVE;
use crate::policy::notification::{Notification, Occasion};
use crate::policy::report::{self, Report};
use crate::policy::subject::Subject;
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, SloId, Timestamp};

/// The service and name that heartbeats are told under.
const OWN: (&str, &str) = ("slo", "watchdog");

/// The name that reviews are told under.
const REPORT: &str = "report";

/// What receivers see as the label `severity`.
const SEVERITY: &str = "none";

/// The heartbeat of the slot that begins at `slot`.
#[must_use]
pub fn heartbeat(external_labels: &BTreeMap<String, String>, slot: Timestamp) -> Notification {
    let mut subject = Subject::source("unused", external_labels);
    subject.id = SloId::new(OWN.0, OWN.1);
    // The least of our severities: `severity` of the body has no fourth.
    let (severity, kind, group) = (AlertSeverity::Notice, AlertKind::Watchdog, Labels::new());
    let dedup_key = subject.dedup_key(&group, severity, kind);
    let mut labels = external_labels.clone();
    labels.insert("alertname".to_owned(), kind.alert_name().to_owned());
    labels.insert("severity".to_owned(), SEVERITY.to_owned());
    Notification {
        id: format!("{dedup_key}/{slot}"),
        alert_id: dedup_key.clone(),
        dedup_key,
        episode: slot,
        transition: 1,
        state: AlertState::Firing,
        severity,
        kind,
        origin: NATIVE.to_owned(),
        slo: subject.instance(&group),
        service: subject.id.service,
        name: subject.id.name,
        group,
        owner: None,
        contact: None,
        labels,
        annotations: BTreeMap::new(),
        links: BTreeMap::new(),
        started_at: slot,
        fired_at: slot,
        resolved_at: None,
        as_of: slot,
        ended_by: None,
        reason: "every source's loop makes progress and the store can be written".to_owned(),
        tiers: Vec::new(),
        budget: None,
        forecast: None,
        evidence: None,
        members: Vec::new(),
        several: None,
        notes: Vec::new(),
        occasion: Occasion::default(),
        acked: None,
        mark: None,
        report: None,
        context: Vec::new(),
        coverage: 0.0,
        time_weighted: false,
    }
}

/// The review that was due at `slot`, of the entry of `reports` that `name` tells from the others.
#[must_use]
pub fn report(external_labels: &BTreeMap<String, String>, name: &str, report: Report, slot: Timestamp) -> Notification {
    let mut told = heartbeat(external_labels, slot);
    let kind = AlertKind::Report;
    REPORT.clone_into(&mut told.name);
    told.slo = format!("{}/{REPORT}", OWN.0);
    let mut subject = Subject::source("unused", external_labels);
    subject.id = SloId::new(OWN.0, REPORT);
    told.dedup_key = format!("{}/{name}", subject.dedup_key(&told.group, told.severity, kind));
    told.id = format!("{}/{slot}", told.dedup_key);
    told.alert_id.clone_from(&told.id);
    told.kind = kind;
    told.labels.insert("alertname".to_owned(), kind.alert_name().to_owned());
    (told.started_at, told.fired_at, told.as_of) = (report.from, slot, report.to);
    told.reason = format!("review of {}", report::span(&report));
    told.report = Some(report);
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_copies_send_the_same_and_the_next_slot_has_another_id() {
        let external = BTreeMap::from([("cluster".to_owned(), "eu1".to_owned())]);
        let at = |seconds| heartbeat(&external, Timestamp::from_seconds(seconds));
        assert_eq!(at(60), at(60));
        assert_eq!(at(60).id, r#"{cluster="eu1"}slo/watchdog/notice/watchdog/1970-01-01T00:01:00Z"#);
        assert_ne!(at(60).id, at(120).id);
        assert_eq!((at(60).labels, at(60).dedup_key), (at(120).labels, at(120).dedup_key));
        let labels: Vec<(String, String)> = at(60).labels.into_iter().collect();
        let want = [("alertname", "SLOWatchdog"), ("cluster", "eu1"), ("severity", "none")];
        assert_eq!(labels, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(!at(60).takes_severity());
    }
}
