//! Made-up notifications: what `slo check` renders templates with, and what `slo notify test` sends.
//!
//! Between them they have every shape that a sink meets: all figures known, an end, several alerts told as one, an alert
//! without a budget. Pure; nothing in them comes from a running service.

use std::collections::BTreeMap;

use crate::policy::alert::{AlertKind, AlertState, EndedBy, TierView, WindowView};
use crate::policy::evidence::{Deploy, Difference, Evidence};
use crate::policy::heartbeat::heartbeat;
use crate::policy::naming::NATIVE;
use crate::policy::notification::{BudgetView, ForecastView, Mark, MeasuredBudget, Member, Notification, Occasion};
use crate::policy::subject::{Subject, notification_id};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, SloId, Timestamp};

/// 2026-11-21T03:00:00Z: any constant time does.
const NIGHT: Timestamp = Timestamp::from_seconds(1_795_230_000);

/// The service and name that tests are told under.
const TEST: (&str, &str) = ("slo", "test");

/// A name for each, and the notification.
#[must_use]
pub fn samples() -> Vec<(&'static str, Notification)> {
    let firing = page(NIGHT);
    vec![
        ("a firing page", firing.clone()),
        ("its end", resolved(&firing, NIGHT + Length::from_minutes(39))),
        ("a digest", digest(&firing)),
        ("the alert of a source", source()),
        ("a heartbeat", heartbeat(&BTreeMap::new(), NIGHT)),
    ]
}

/// A page that has everything, judged at `at`.
#[must_use]
pub fn page(at: Timestamp) -> Notification {
    let mut subject = Subject::source("unused", &BTreeMap::new());
    subject.id = SloId::new("checkout", "availability");
    let group = Labels::from([("region", "eu")]);
    let (severity, kind) = (AlertSeverity::Page, AlertKind::Burn);
    let dedup_key = subject.dedup_key(&group, severity, kind);
    let begun = at - Length::from_minutes(6);
    let words = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Notification {
        id: notification_id(&dedup_key, begun, 1),
        alert_id: format!("{dedup_key}/{begun}/alert-1"),
        episode: begun,
        transition: 1,
        state: AlertState::Firing,
        severity,
        kind,
        origin: NATIVE.to_owned(),
        slo: subject.instance(&group),
        dedup_key,
        service: subject.id.service,
        name: subject.id.name,
        group,
        owner: Some("payments".to_owned()),
        contact: Some("#payments".to_owned()),
        labels: words(&[
            ("alertname", kind.alert_name()),
            ("owner", "payments"),
            ("region", "eu"),
            ("slo_name", "availability"),
            ("slo_service", "checkout"),
            ("slo_severity", severity.name()),
        ]),
        annotations: words(&[("description", "customers cannot pay")]),
        links: words(&[("runbook", "https://wiki.example/checkout")]),
        started_at: begun,
        fired_at: begun,
        resolved_at: None,
        as_of: at,
        ended_by: None,
        reason: "burns 31 times the budget over 1h and 31 times over 5m".to_owned(),
        tiers: vec![tier(at, 1_204.0)],
        budget: Some(BudgetView {
            allowed: 10_002.3,
            spent_ratio: 0.59,
            remaining_ratio: 0.41,
            remaining_events: 4_100.9,
            measured: MeasuredBudget { allowed: 10_002.3, spent_ratio: 0.59 },
        }),
        forecast: Some(ForecastView {
            exhausted: false,
            exhausts_at: Some(at + Length::from_minutes(570)),
            recovers_at: None,
            lookback: "6h".to_owned(),
        }),
        evidence: Some(evidence(begun)),
        members: Vec::new(),
        notes: Vec::new(),
        occasion: Occasion::default(),
        acked: None,
        mark: None,
        report: None,
        context: Vec::new(),
        coverage: 1.0,
        time_weighted: false,
    }
}

/// What `slo notify test` sends: marked, under a key of its own, with made-up figures. `at` tells two tests apart.
#[must_use]
pub fn test(
    external_labels: &BTreeMap<String, String>,
    severity: AlertSeverity,
    by: &str,
    at: Timestamp,
) -> Notification {
    let mut subject = Subject::source("unused", external_labels);
    subject.id = SloId::new(TEST.0, TEST.1);
    let (kind, group) = (AlertKind::Burn, Labels::new());
    let dedup_key = subject.dedup_key(&group, severity, kind);
    let mut labels = external_labels.clone();
    labels.extend(
        [
            ("alertname", kind.alert_name()),
            ("slo_name", TEST.1),
            ("slo_service", TEST.0),
            ("slo_severity", severity.name()),
            ("slo_test", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let tiers = page(at).tiers.into_iter().map(|tier| TierView { severity, ..tier });
    Notification {
        id: notification_id(&dedup_key, at, 1),
        alert_id: format!("{dedup_key}/{at}/alert-1"),
        dedup_key,
        episode: at,
        severity,
        slo: subject.instance(&group),
        service: subject.id.service,
        name: subject.id.name,
        group,
        owner: None,
        contact: None,
        labels,
        annotations: BTreeMap::new(),
        links: BTreeMap::new(),
        started_at: at,
        fired_at: at,
        reason: format!("a test of this receiver, sent by {by}: nothing is wrong, the figures are made up"),
        tiers: tiers.collect(),
        evidence: None,
        mark: Some(Mark::Test),
        ..page(at)
    }
}

/// The end of a firing one, at `at`.
#[must_use]
pub fn resolved(firing: &Notification, at: Timestamp) -> Notification {
    Notification {
        id: notification_id(&firing.dedup_key, firing.episode, firing.transition + 1),
        transition: firing.transition + 1,
        state: AlertState::Resolved,
        resolved_at: Some(at),
        as_of: at,
        ended_by: Some(EndedBy::KnownFalse),
        reason: "no tier matches any more".to_owned(),
        tiers: firing.tiers.iter().map(|_| tier(at, 12.0)).collect(),
        forecast: None,
        ..firing.clone()
    }
}

fn tier(at: Timestamp, bad: f64) -> TierView {
    let window = |length: Length, bad: f64, total: f64| WindowView {
        length: length.to_string(),
        from: at - length,
        to: at,
        bad,
        total,
        ratio: bad / total,
        rate: bad / total * 1_000.0,
        coverage: 1.0,
    };
    TierView {
        kind: "burn".to_owned(),
        severity: AlertSeverity::Page,
        state: AlertState::Firing,
        frozen: false,
        trend: "burning".to_owned(),
        factor: Some(14.4),
        threshold_ratio: Some(0.0144),
        over: Some(window(Length::from_hours(1), 14_448.0, 465_960.0)),
        confirm: Some(window(Length::from_minutes(5), bad, 38_830.0)),
        resolve: None,
        false_pages: None,
    }
}

fn evidence(begun: Timestamp) -> Evidence {
    let differs = |name: &str, value: &str, bad_ratio: f64, good_ratio: f64| Difference {
        name: name.to_owned(),
        value: value.to_owned(),
        bad_ratio,
        good_ratio,
        bad: bad_ratio * 1_204.0,
        good: good_ratio * 37_626.0,
    };
    Evidence {
        traces: Vec::new(),
        differs: vec![differs("code", "503", 0.97, 0.001), differs("instance", "eu-3", 0.88, 0.09)],
        deploy: Some(Deploy {
            service: "checkout".to_owned(),
            version: "v41".to_owned(),
            at: begun - Length::from_minutes(5),
        }),
    }
}

fn digest(of: &Notification) -> Notification {
    let member = |name: &str| Member {
        alert_id: format!("shop/{name}/page/burn/{}/alert-1", of.episode),
        slo: format!("shop/{name}"),
        severity: of.severity,
        kind: AlertKind::Burn,
        state: AlertState::Firing,
        fired_at: of.fired_at,
        resolved_at: None,
        reason: of.reason.clone(),
    };
    Notification {
        kind: AlertKind::Digest,
        members: vec![member("cart"), member("search")],
        tiers: Vec::new(),
        budget: None,
        forecast: None,
        evidence: None,
        ..of.clone()
    }
}

fn source() -> Notification {
    let subject = Subject::source("prometheus", &BTreeMap::new());
    let (severity, kind, group) = (AlertSeverity::Page, AlertKind::Source, Labels::new());
    let firing = page(NIGHT);
    let dedup_key = subject.dedup_key(&group, severity, kind);
    Notification {
        id: notification_id(&dedup_key, firing.episode, 1),
        alert_id: format!("{dedup_key}/{}/alert-1", firing.episode),
        dedup_key,
        kind,
        slo: subject.instance(&group),
        service: subject.id.service,
        name: subject.id.name,
        group,
        owner: None,
        contact: None,
        labels: BTreeMap::from([("alertname".to_owned(), kind.alert_name().to_owned())]),
        annotations: BTreeMap::new(),
        links: BTreeMap::new(),
        reason: "no answer for 5m".to_owned(),
        tiers: Vec::new(),
        budget: None,
        forecast: None,
        evidence: None,
        ..firing
    }
}
