//! Made-up notifications: what `slo check` renders templates with, and what `slo notify test` sends.
//!
//! Between them they have every shape that a sink meets: all figures known, an end, several alerts told as one, an alert
//! without a budget. Pure; nothing in them comes from a running service.

use std::collections::BTreeMap;

use crate::policy::act::AlertVerdict;
use crate::policy::alert::{AlertKind, AlertState, EndedBy, TierView, WindowView};
use crate::policy::evidence::{Deploy, Difference, Evidence};
use crate::policy::heartbeat::heartbeat;
use crate::policy::naming::NATIVE;
use crate::policy::notification::{BudgetView, ForecastView, Mark, MeasuredBudget, Member, Notification, Occasion};
use crate::policy::report::{Fired, Heard, Report, ReportLine, Totals};
use crate::policy::several::{News, Several};
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
        ("a digest", digest(2)),
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
        several: None,
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

/// So many pages of a service that are told as one.
#[must_use]
pub fn digest(count: usize) -> Notification {
    let of = page(NIGHT);
    let names = ["cart", "search", "login", "stock", "prices", "images", "reviews"];
    let member = |index: usize| {
        let name = names.get(index).map_or_else(|| format!("part-{index}"), |name| (*name).to_owned());
        let alert_id = format!("shop/{name}/page/burn/{}/alert-1", of.episode);
        Member { alert_id, slo: format!("shop/{name}"), news: Some(News::New), ..Member::of(&of) }
    };
    let interval = Length::from_minutes(5);
    let (dedup_key, group) = ("group{service=\"shop\"}/page/digest".to_owned(), Labels::from([("service", "shop")]));
    Notification {
        id: notification_id(&dedup_key, of.episode, 1),
        alert_id: format!("{dedup_key}/{}/alert-1", of.episode),
        slo: dedup_key.clone(),
        dedup_key,
        service: "shop".to_owned(),
        name: "group".to_owned(),
        group,
        kind: AlertKind::Digest,
        labels: BTreeMap::from([
            ("alertname".to_owned(), AlertKind::Digest.alert_name().to_owned()),
            ("service".to_owned(), "shop".to_owned()),
            ("slo_severity".to_owned(), of.severity.name().to_owned()),
        ]),
        reason: format!("{count} alerts fire: shop/cart, shop/search"),
        members: (0..count).map(member).collect(),
        several: Some(Several { storm: false, firing: count, ended: 0, new: count, apart: 0, interval }),
        notes: vec!["what changes is told together, 5m from now at the earliest".to_owned()],
        tiers: Vec::new(),
        budget: None,
        forecast: None,
        evidence: None,
        ..of
    }
}

/// The second message of a storm: 12 of its pages fire, two of them new, one has ended, and 20 were told one by one.
#[must_use]
pub fn storm() -> Notification {
    let mut told = digest(13);
    for (index, member) in told.members.iter_mut().enumerate() {
        member.news = Some(if index < 2 { News::New } else { News::Still });
        member.remaining_ratio = Some(0.97 - index as f64 / 10.0);
        member.link = Some(format!("https://slo.example/slo/{}", member.slo));
        if let Some(burn) = &mut member.burn {
            burn.rate = 50.0 - index as f64;
        }
    }
    if let Some(taken) = told.members.get_mut(2) {
        taken.acked_by = Some("kim".to_owned());
    }
    if let Some(over) = told.members.last_mut() {
        let end = Some(NIGHT - Length::from_minutes(1));
        (over.state, over.resolved_at, over.news) = (AlertState::Resolved, end, Some(News::Ended));
        "12 of 38830 requests failed over 5m".clone_into(&mut over.reason);
    }
    let interval = Length::from_minutes(1);
    told.several = Some(Several { storm: true, firing: 12, ended: 1, new: 2, apart: 20, interval });
    "storm{sink=\"mail\"}/page/digest".clone_into(&mut told.dedup_key);
    told.slo.clone_from(&told.dedup_key);
    told.id = notification_id(&told.dedup_key, told.episode, 2);
    told.alert_id = format!("{}/{}/alert-1", told.dedup_key, told.episode);
    (told.name, told.group, told.transition) = ("storm".to_owned(), Labels::new(), 2);
    told.notes = [
        "too many pages within a minute, so these come as one",
        "20 other pages fire and were told one by one",
        "what changes is told together, 1m from now at the earliest",
    ]
    .map(str::to_owned)
    .into();
    let links = [("ack", "https://slo.example/a/TOKEN"), ("why", "https://slo.example/alerts?state=firing")];
    told.links.extend(links.map(|(name, address)| (name.to_owned(), address.to_owned())));
    "12 alerts fire: shop/cart, shop/search, ..; 1 has ended: shop/part-12".clone_into(&mut told.reason);
    told
}

/// A review of a week: one SLO that missed, one that somebody was told of, and many with nothing to say.
#[must_use]
pub fn review() -> Notification {
    let quiet = (0..23).map(|index| line(&format!("shop/s{index:02}"), 0.9999, 0.88 + f64::from(index) / 200.0));
    let mut slos = vec![line("checkout/availability", 0.998_999, -0.29), line("shop/latency", 0.9995, 0.61)];
    slos.extend(quiet);
    slos.push(ReportLine { attained: None, spent_ratio: None, remaining_ratio: None, ..line("shop/new", 1.0, 1.0) });
    let (page, ticket) = (AlertSeverity::Page, AlertSeverity::Ticket);
    let (real, noise) = (Some(AlertVerdict::Real), Some(AlertVerdict::Noise));
    let fired = |slo: &str, severity, verdict, heard| Fired {
        heard,
        slo: slo.to_owned(),
        severity,
        episode: NIGHT,
        verdict,
        acked_after: (heard == Heard::Told).then(|| Length::from_minutes(4)),
    };
    let alerts = [
        fired("checkout/availability", page, real, Heard::Told),
        fired("checkout/availability", page, noise, Heard::Told),
        fired("checkout/availability", ticket, None, Heard::HeldBack),
        fired("shop/latency", ticket, None, Heard::Told),
        fired("shop/latency", ticket, None, Heard::Quiet),
    ];
    let report = Report::of((NIGHT - Length::from_days(7), NIGHT), slos, &alerts);
    crate::policy::heartbeat::report(&BTreeMap::new(), "0 9 * * Mon", report, NIGHT)
}

fn line(slo: &str, attained: f64, remaining: f64) -> ReportLine {
    ReportLine {
        slo: slo.to_owned(),
        owner: None,
        objective: 0.999,
        attained: Some(attained),
        coverage: 1.0,
        window: "30d".to_owned(),
        spent_ratio: Some(1.0 - remaining),
        remaining_ratio: Some(remaining),
        totals: Totals::default(),
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
