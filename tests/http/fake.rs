//! A service with a rich day: a page with a ticket held back, a frozen ticket, a source that is down, shadow, pushdown,
//! an overspent budget, no data, a start, texts that try to break out of HTML, and 200 instances in all.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use slo::diag::{Diagnostic, Place};
use slo::engine::forecast::{Forecast, LikelyEnds};
use slo::engine::verdict::{Budget, Condition, WindowFigures};
use slo::policy::act::{Act, Acted, Actor};
use slo::policy::alert::{Alert, AlertKind, AlertState, EndedBy, TierView, Transition, WindowView};
use slo::policy::desk::found::DigestFound;
use slo::policy::evidence::{Deploy, Difference, Evidence};
use slo::policy::notification::Notification;
use slo::policy::silence::{LabelMatcher, Silence, SilenceState};
use slo::runtime::hooks::{HookAck, HookError, HookRequest};
use slo::runtime::links::LinkError;
use slo::runtime::service::{
    ActError, ConfigView, Counted, InstanceView, LinkView, MadeOf, Refusal, SeriesPoint, SeriesView, Service,
    SilenceView, SinkView, SourceView, Targets,
};
use slo::spec::policy::AlertSeverity;
use slo::store::{AlertFilter, Attempt, Delivery, DeliveryFilter, DeliveryState, Record, RecordKind, StoreError};
use slo::telemetry::Telemetry;
use slo::units::{InstanceId, Labels, Length, SloId, Timestamp};

use crate::fake_people::{DIGEST, FakePeople, digest};

/// The watermark.
pub const AS_OF: &str = "2026-11-21T03:00:00Z";

/// Id of the alert that pages.
pub const PAGE: &str = r#"checkout/availability{region="eu"}/page/burn/2026-11-21T02:55:00Z/alert-1"#;

/// A group that tries to break out of everything.
pub const NASTY: &str = "<script>alert(\"1\")</script>\\\n{é}";

/// How many instances there are.
pub const INSTANCES: usize = 200;

/// Of the fleet: the one that is weighted by time, and the one whose query finds nothing.
pub const GAUGE: usize = 30;
/// See [`GAUGE`].
pub const TYPO: usize = 31;

/// What can be changed while it runs.
pub struct Fake {
    instances: Vec<InstanceView>,
    alerts: Vec<Alert>,
    deliveries: Vec<Delivery>,
    /// Rows of the outbox beside those of the day.
    pub more_deliveries: Mutex<Vec<Delivery>>,
    /// What was asked of the outbox.
    pub asked: Mutex<Vec<DeliveryFilter>>,
    /// As shown.
    pub sinks: Mutex<Vec<SinkView>>,
    /// Findings of the next reload.
    pub findings: Mutex<Vec<Diagnostic>>,
    /// What is missing until it is ready.
    pub missing: Mutex<Option<String>>,
    /// Whether the store answers.
    pub store_broken: Mutex<bool>,
    /// Whether asking for instances panics.
    pub panics: Mutex<bool>,
    /// As configured.
    pub external_url: String,
    /// `compat: sloth`.
    sloth_names: bool,
    telemetry: Telemetry,
    /// What people do.
    pub people: FakePeople,
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn length(text: &str) -> Length {
    text.parse().unwrap()
}

pub fn figures(over: &str, bad: f64, total: f64, coverage: f64, objective_budget: f64) -> WindowFigures {
    let to = time(AS_OF);
    let over = length(over);
    let share = if total > 0.0 { (bad / total).min(1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, reason = "test figures")]
    let measured = Length::from_millis((over.seconds_f64() * coverage * 1000.0) as i64);
    WindowFigures {
        length: over,
        from: to - over,
        to,
        bad,
        total,
        measured,
        coverage,
        share,
        rate: share / objective_budget,
    }
}

fn budget(window: WindowFigures, budget: f64) -> Budget {
    let expected_total = if window.coverage > 0.0 { window.total / window.coverage } else { 0.0 };
    let allowed = budget * expected_total;
    let spent = if allowed > 0.0 { window.bad / allowed } else { 0.0 };
    let measured_allowed = budget * window.total;
    Budget {
        window,
        expected_total,
        allowed,
        spent,
        remaining: 1.0 - spent,
        remaining_events: allowed - window.bad,
        measured_allowed,
        spent_so_far: if measured_allowed > 0.0 { window.bad / measured_allowed } else { 0.0 },
        estimated: (window.coverage - 1.0).abs() > f64::EPSILON,
    }
}

fn window_view(figures: &WindowFigures) -> WindowView {
    WindowView {
        length: figures.length.to_string(),
        from: figures.from,
        to: figures.to,
        bad: figures.bad,
        total: figures.total,
        ratio: figures.share,
        rate: figures.rate,
        coverage: figures.coverage,
    }
}

/// One tier of burn over two windows.
fn tier(
    severity: AlertSeverity,
    factor: f64,
    objective_budget: f64,
    over: &WindowFigures,
    confirm: &WindowFigures,
) -> TierView {
    let threshold = factor * objective_budget;
    let trend = match (over.share > threshold, confirm.share > threshold) {
        (true, true) => "burning",
        (true, false) => "recovering",
        (false, true) => "rising",
        (false, false) => "ok",
    };
    let firing = trend == "burning";
    TierView {
        kind: "burn".into(),
        severity,
        state: if firing { AlertState::Firing } else { AlertState::Inactive },
        frozen: false,
        trend: trend.into(),
        factor: Some(factor),
        threshold_ratio: Some(threshold),
        over: Some(window_view(over)),
        confirm: Some(window_view(confirm)),
        resolve: firing.then(|| window_view(confirm)),
        false_pages: None,
    }
}

fn plain_tier(severity: AlertSeverity, kind: &str, state: AlertState) -> TierView {
    TierView {
        kind: kind.into(),
        severity,
        state,
        frozen: false,
        trend: "ok".into(),
        factor: None,
        threshold_ratio: None,
        over: None,
        confirm: None,
        resolve: None,
        false_pages: None,
    }
}

fn figures_of(view: &WindowView) -> WindowFigures {
    WindowFigures {
        length: view.length.parse().unwrap(),
        from: view.from,
        to: view.to,
        bad: view.bad,
        total: view.total,
        measured: view.to.since(view.from),
        coverage: view.coverage,
        share: view.ratio,
        rate: view.rate,
    }
}

/// An instance at 99.9% over 30 d with these (bad, total) over 5m, 30m, 1h, 2h, 6h, 1d, 3d, 30d.
fn instance(id: InstanceId, status: &str, counts: [(f64, f64); 8], coverage: f64) -> InstanceView {
    let b = 0.001;
    let lengths = ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"];
    let windows: Vec<WindowFigures> =
        lengths.iter().zip(counts).map(|(over, (bad, total))| figures(over, bad, total, coverage, b)).collect();
    let [w5m, w30m, w1h, w2h, w6h, w1d, w3d, month] = windows.try_into().unwrap();
    InstanceView {
        id,
        owner: Some("payments".into()),
        contact: Some("#payments".to_owned()),
        description: "Checkout requests succeed.".into(),
        labels: BTreeMap::from([("tier".into(), "1".into())]),
        links: BTreeMap::from([("runbook".into(), "https://wiki.example/checkout".into())]),
        objective: 0.999,
        window: Length::from_days(30),
        status: status.into(),
        frozen: false,
        shadow: false,
        as_of: time(AS_OF),
        mode: "exact".into(),
        condition: Condition::Measured,
        budget: budget(month, b),
        forecast: Forecast {
            exhausted: month.bad > b * month.total,
            exhausts_at: (month.bad <= b * month.total).then(|| time(AS_OF) + Length::from_minutes(570)),
            recovers_at: (month.bad > b * month.total).then(|| time("2026-11-26T14:00:00Z")),
            lookback: Length::from_hours(6),
            known: true,
        },
        likely_ends: Some(LikelyEnds {
            p10: Some(time("2026-11-21T12:00:00Z")),
            p50: Some(time("2026-11-21T12:30:00Z")),
            p90: None,
        }),
        counted: Counted { good: w1h.total - w1h.bad, bad: w1h.bad },
        burn: vec![w1h, w6h, w1d, w3d],
        recorded: vec![],
        tiers: vec![
            tier(AlertSeverity::Page, 14.4, b, &w1h, &w5m),
            tier(AlertSeverity::Page, 6.0, b, &w6h, &w30m),
            tier(AlertSeverity::Ticket, 3.0, b, &w1d, &w2h),
            tier(AlertSeverity::Ticket, 1.0, b, &w3d, &w6h),
            plain_tier(AlertSeverity::Page, "down", AlertState::Inactive),
            plain_tier(AlertSeverity::Ticket, "no_data", AlertState::Inactive),
        ],
        alerts: vec![],
        reason: "no tier matches".into(),
        problem: None,
        backfilled: 1.0,
        made_of: MadeOf::default(),
    }
}

/// Counts of even traffic: `rate` events a second of which `share` are bad.
fn even(rate: f64, share: f64) -> [(f64, f64); 8] {
    [300.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 86_400.0, 259_200.0, 2_592_000.0].map(|seconds| {
        let total: f64 = (rate * seconds).round();
        ((total * share).round(), total)
    })
}

fn id(service: &str, name: &str) -> InstanceId {
    InstanceId::ungrouped(SloId::new(service, name))
}

fn group(service: &str, name: &str, labels: Labels) -> InstanceId {
    InstanceId { slo: SloId::new(service, name), group: labels }
}

fn alert(id: &InstanceId, severity: AlertSeverity, state: AlertState, begin: &str, reason: &str) -> Alert {
    let dedup_key = format!("{id}/{}/burn", severity.name());
    let at = time(begin);
    let alert_id = format!("{dedup_key}/{at}/alert-1");
    let step = |number: u32, at: Timestamp, from, to, reason: &str| Transition {
        id: format!("{dedup_key}/{begin}/{number}"),
        at,
        from,
        to,
        reason: reason.into(),
    };
    let mut transitions = vec![step(1, at, AlertState::Inactive, AlertState::Firing, reason)];
    let resolved_at = (state == AlertState::Resolved).then(|| at + Length::from_minutes(44));
    if let Some(end) = resolved_at {
        transitions.push(step(2, end, AlertState::Firing, AlertState::Resolved, "0% of requests fail over 5m"));
    }
    Alert {
        id: alert_id,
        dedup_key,
        episode: Some(at),
        slo: id.to_string(),
        severity,
        kind: AlertKind::Burn,
        state,
        frozen: false,
        origin: "native".into(),
        started_at: at,
        fired_at: Some(at),
        resolved_at,
        ended_by: resolved_at.map(|_| EndedBy::KnownFalse),
        reason: reason.into(),
        tiers: vec![],
        as_of: None,
        held_back_by: None,
        told: true,
        evidence: None,
        transitions,
    }
}

/// A row that tells that an alert fires.
pub fn delivery(alert: &Alert, sink: &str, state: DeliveryState, sequence: i64) -> Delivery {
    let notification = Notification {
        id: format!("{}/{}/1", alert.dedup_key, alert.started_at),
        alert_id: alert.id.clone(),
        dedup_key: alert.dedup_key.clone(),
        episode: alert.started_at,
        transition: 1,
        state: AlertState::Firing,
        severity: alert.severity,
        kind: alert.kind,
        origin: "native".into(),
        slo: alert.slo.clone(),
        service: "checkout".into(),
        name: "availability".into(),
        group: Labels::new(),
        owner: None,
        contact: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        links: BTreeMap::new(),
        started_at: alert.started_at,
        fired_at: alert.started_at,
        resolved_at: None,
        as_of: alert.started_at,
        ended_by: None,
        reason: alert.reason.clone(),
        tiers: vec![],
        budget: None,
        forecast: None,
        evidence: None,
        members: Vec::new(),
        several: None,
        notes: Vec::new(),
        occasion: slo::policy::notification::Occasion::default(),
        acked: None,
        mark: None,
        report: None,
        context: vec![],
        coverage: 1.0,
        time_weighted: false,
    };
    let outcome = match state {
        DeliveryState::Done => ("done", "200 OK"),
        DeliveryState::Failed => ("refused", "400: no such routing key"),
        _ => ("retry", "503: come back later"),
    };
    Delivery {
        id: format!("{}@{sink}", notification.id),
        sink: sink.into(),
        notification,
        state,
        attempts: vec![Attempt {
            at: time("2026-11-21T02:55:16Z"),
            outcome: outcome.0.into(),
            message: outcome.1.into(),
        }],
        created_at: time("2026-11-21T02:55:15Z"),
        next_attempt_at: (state == DeliveryState::Pending).then(|| time("2026-11-21T03:01:00Z")),
        resent_at: None,
        handle: None,
        sequence,
    }
}

impl Default for Fake {
    fn default() -> Self {
        let (instances, alerts, deliveries) = day();
        let telemetry = Telemetry::new("0.0.0");
        telemetry.tell(&slo::telemetry::event::SourceHealth { source: "prometheus", up: true, error: None });
        Self {
            instances,
            alerts,
            deliveries,
            more_deliveries: Mutex::default(),
            asked: Mutex::default(),
            sinks: Mutex::default(),
            findings: Mutex::default(),
            missing: Mutex::default(),
            store_broken: Mutex::default(),
            panics: Mutex::default(),
            external_url: "http://127.0.0.1:9777".into(),
            sloth_names: false,
            telemetry,
            people: FakePeople::default(),
        }
    }
}

/// What differs, and what was deployed.
fn evidence() -> Evidence {
    let differs = Difference {
        name: "code".into(),
        value: "503".into(),
        bad_ratio: 0.97,
        good_ratio: 0.001,
        bad: 436.0,
        good: 14.0,
    };
    let deploy = Deploy { service: "checkout".into(), version: "v41".into(), at: time("2026-11-20T02:49:00Z") };
    Evidence { traces: vec![], differs: vec![differs], deploy: Some(deploy) }
}

/// The alert that pages, for rows of the outbox about it.
pub fn paging() -> Alert {
    day().1.into_iter().find(|alert| alert.id == PAGE).unwrap()
}

/// The instances, alerts and deliveries of the day.
fn day() -> (Vec<InstanceView>, Vec<Alert>, Vec<Delivery>) {
    let eu = group("checkout", "availability", Labels::from([("region", "eu")]));
    let reason = "3.12% of 14,400 events over 1h are bad, burning 31.2 times the budget; pages above 14.4";
    let mut paging = instance(
        eu.clone(),
        "page",
        [
            (38.0, 1_200.0),
            (224.0, 7_200.0),
            (450.0, 14_400.0),
            (520.0, 28_800.0),
            (640.0, 86_400.0),
            (898.0, 345_600.0),
            (1_555.0, 1_036_800.0),
            (12_903.0, 10_002_315.0),
        ],
        1.0,
    );
    paging.reason = reason.into();
    let mut page = alert(&eu, AlertSeverity::Page, AlertState::Firing, "2026-11-21T02:55:00Z", reason);
    assert_eq!(page.id, PAGE);
    page.tiers = paging.tiers[..1].to_vec();
    page.evidence = Some(evidence());
    let mut ticket = alert(
        &eu,
        AlertSeverity::Ticket,
        AlertState::Firing,
        "2026-11-21T02:59:00Z",
        "0.26% of events over 1d are bad",
    );
    ticket.held_back_by = Some(page.id.clone());
    paging.alerts = vec![page.clone(), ticket.clone()];
    let us =
        instance(group("checkout", "availability", Labels::from([("region", "us")])), "ok", even(9.0, 0.000_2), 1.0);

    let mut frozen = instance(id("checkout", "latency"), "ticket", even(4.0, 0.002), 0.71);
    frozen.frozen = true;
    frozen.reason = "no data since 02:31; what fires stays until the data says otherwise".into();
    let mut frozen_alert =
        alert(&frozen.id, AlertSeverity::Ticket, AlertState::Firing, "2026-11-20T21:10:00Z", &frozen.reason);
    frozen_alert.frozen = true;

    let mut down = instance(id("search", "availability"), "down", even(2.0, 0.003_1), 0.98);
    down.condition = Condition::Down;
    down.owner = Some("search".into());
    down.reason = "`up` is 0 since 02:48".into();
    down.tiers[4].state = AlertState::Pending;

    let mut shadow = instance(id("search", "freshness"), "notice", even(0.5, 0.000_9), 1.0);
    (shadow.shadow, shadow.mode, shadow.owner) = (true, "pushdown".into(), None);

    let mut nasty =
        instance(group("shop", "markup", Labels::from([("path", NASTY), ("window", "w")])), "ok", even(1.0, 0.0), 1.0);
    nasty.description = "<img src=x onerror=alert(2)> & \"more\"".into();
    nasty.reason = "</p><b>bold".into();
    nasty.links = BTreeMap::from([
        ("evil".into(), "javascript:alert(3)".into()),
        ("fine".into(), "https://x.example/?a=1&b=\"2\"".into()),
    ]);
    nasty.labels = BTreeMap::from([("<i>".into(), "'quoted'".into())]);

    let mut empty = instance(id("catalog", "items"), "no_data", even(0.0, 0.0), 0.0);
    (empty.condition, empty.owner) = (Condition::Idle, Some("catalog".into()));
    let mut starting = instance(id("payments", "settlement"), "starting", even(3.0, 0.000_4), 0.3);
    starting.backfilled = 0.3;

    let mut instances = vec![paging, us, frozen, down, shadow, nasty, empty, starting];
    for index in instances.len()..INSTANCES {
        let step = f64::from(u32::try_from(index).unwrap());
        let mut one =
            instance(id("fleet", &format!("service-{index:03}")), "ok", even(step / 10.0, step / 250_000.0), 1.0);
        one.owner = Some("fleet".into());
        match index {
            GAUGE => one.mode = "gauge".into(),
            TYPO => one.problem = Some("`reqests_total` selects no series".into()),
            _ => {}
        }
        instances.push(one);
    }
    let past =
        alert(&eu, AlertSeverity::Page, AlertState::Resolved, "2026-11-14T10:20:00Z", "8% of events over 1h were bad");
    let pending = Alert {
        state: AlertState::Pending,
        episode: None,
        fired_at: None,
        ..alert(&down_id(), AlertSeverity::Page, AlertState::Firing, "2026-11-21T02:58:30Z", "down for 1m30s of 3m")
    };
    let source = Alert {
        slo: "source/backup".into(),
        kind: AlertKind::Source,
        ..alert(
            &id("source", "backup"),
            AlertSeverity::Page,
            AlertState::Firing,
            "2026-11-21T02:30:00Z",
            "no answer since 02:25: connection refused",
        )
    };
    let deliveries = vec![
        delivery(&page, "hook", DeliveryState::Pending, 3),
        delivery(&page, "oncall", DeliveryState::Done, 2),
        delivery(&past, "mail", DeliveryState::Failed, 1),
    ];
    (instances, vec![ticket, pending, page, source, frozen_alert, past], deliveries)
}

fn down_id() -> InstanceId {
    id("search", "availability")
}

/// A silence of two matchers, with what it covers.
fn silence(id: &str, state: SilenceState, (starts, ends): (&str, &str), covers: Vec<Alert>) -> SilenceView {
    let matcher = |name: &str, value: &str, plain: bool| LabelMatcher {
        name: name.into(),
        value: value.into(),
        is_regex: !plain,
        is_equal: plain,
    };
    let silence = Silence {
        id: id.into(),
        matchers: vec![matcher("slo_service", "checkout", true), matcher("region", "eu|us", false)],
        created_by: "<b>ann</b>".into(),
        comment: "database upgrade".into(),
        starts_at: time(starts),
        ends_at: time(ends),
    };
    SilenceView { silence, state, covers }
}

/// What becomes of acts that make quiet.
fn quieted(act: Act) -> Result<Acted, ActError> {
    match act {
        Act::Silence(_) => Ok(Acted { id: "dddddddddddd".into(), message: String::new(), ..Acted::default() }),
        Act::Expire { silence } if silence == "aaaaaaaaaaaa" => {
            Ok(Acted { id: silence, message: String::new(), ..Acted::default() })
        }
        Act::Mark { service, version, .. } => {
            Ok(Acted { id: "m".into(), message: format!("{service} {version}"), ..Acted::default() })
        }
        act => Err(ActError::NotFound(format!("{act:?}"))),
    }
}

#[async_trait]
impl Service for Fake {
    async fn act(&self, act: Act, by: &Actor) -> Result<Acted, ActError> {
        if act == Act::Reload {
            let findings = self.findings.lock().unwrap().clone();
            let refused = || ActError::Refused(Refusal { findings: findings.clone() });
            return if findings.is_empty() { Ok(Acted::default()) } else { Err(refused()) };
        }
        let slow = self.people.slow.lock().unwrap().clone();
        if let Some((begun, may_end)) = slow {
            begun.notify_one();
            may_end.notified().await;
        }
        let done = match &act {
            Act::Silence(_) | Act::Expire { .. } | Act::Mark { .. } => quieted(act.clone()),
            act => FakePeople::judged(&self.alerts, act),
        };
        if done.is_ok() {
            self.people.acts.lock().unwrap().push((act, by.clone()));
        }
        done
    }

    async fn link(&self, token: &str) -> Result<LinkView, LinkError> {
        FakePeople::link(&self.alerts, token, self.now())
    }

    async fn hook(&self, sink: &str, request: &HookRequest) -> Result<Option<(Actor, HookAck)>, HookError> {
        FakePeople::hook(sink, request, self.now())
    }

    async fn silences(&self) -> Result<Vec<SilenceView>, StoreError> {
        let firing = self.alerts.iter().filter(|alert| alert.state == AlertState::Firing).take(2).cloned().collect();
        Ok(vec![
            silence("aaaaaaaaaaaa", SilenceState::Active, ("2026-11-21T02:00:30Z", "2026-11-21T04:00:30Z"), firing),
            silence("bbbbbbbbbbbb", SilenceState::Pending, ("2026-11-21T22:00:00Z", "2026-11-22T00:00:00Z"), vec![]),
            silence("cccccccccccc", SilenceState::Expired, ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"), vec![]),
        ])
    }

    async fn deploys(&self) -> Result<Vec<Deploy>, StoreError> {
        Ok(vec![Deploy { service: "checkout".into(), version: "v1".into(), at: time("2026-11-21T02:50:00Z") }])
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        Ok(self.deliveries(&DeliveryFilter::default(), usize::MAX).await?.into_iter().find(|row| row.id == id))
    }

    async fn sinks(&self) -> Result<Vec<SinkView>, StoreError> {
        Ok(self.sinks.lock().unwrap().clone())
    }

    async fn labels(&self, _alert: &Alert) -> Option<BTreeMap<String, String>> {
        Some(BTreeMap::from([("slo_name".to_owned(), "availability".to_owned())]))
    }

    async fn records(&self, kind: RecordKind, _limit: usize) -> Result<Vec<Record>, StoreError> {
        Ok(FakePeople::audit(kind))
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.people.record(kind, id))
    }

    fn has_sloth_names(&self) -> bool {
        self.sloth_names
    }

    fn instances(&self) -> Vec<InstanceView> {
        assert!(!*self.panics.lock().unwrap(), "told to panic");
        self.instances.clone()
    }

    fn groups(&self, slo: &SloId) -> Option<Vec<Labels>> {
        let groups: Vec<Labels> =
            self.instances.iter().filter(|view| view.id.slo == *slo).map(|view| view.id.group.clone()).collect();
        (!groups.is_empty()).then_some(groups)
    }

    fn instance(&self, id: &InstanceId) -> Option<InstanceView> {
        self.instances.iter().find(|view| view.id == *id).cloned()
    }

    fn window(&self, id: &InstanceId, over: Length) -> Option<WindowFigures> {
        let view = self.instance(id)?;
        let exact = view.burn.iter().chain([&view.budget.window]).find(|window| window.length == over).copied();
        exact.or_else(|| (over < view.window).then(|| figures(&over.to_string(), 1.0, 1_000.0, 1.0, 0.001)))
    }

    fn series(&self, id: &InstanceId, from: Timestamp, to: Timestamp, points: usize) -> Option<SeriesView> {
        let view = self.instance(id)?;
        let hours = i64::try_from(points).unwrap().min(to.since(from).millis() / 60_000).max(1);
        let step = Length::from_millis(to.since(from).millis() / hours);
        let mut remaining = 1.0;
        let points = (1..=hours)
            .map(|index| {
                let last = index * 20 > hours * 19;
                let hole = index * 10 / hours == 4;
                let wave = 0.000_4 * (1.0 + (f64::from(u32::try_from(index).unwrap()) / 9.0).sin());
                let share = if last && view.status == "page" { 0.031 } else { wave };
                let total = if hole || view.budget.window.total <= 0.0 { 0.0 } else { 40_000.0 };
                remaining -= share * total / 40_000.0 * (1.0 - view.budget.remaining) * 12.0;
                SeriesPoint {
                    at: from + step * index,
                    bad: (total * share).round(),
                    total,
                    measured: if hole { Length::ZERO } else { step },
                    remaining_ratio: (index > 3).then_some(remaining),
                    burn: vec![(Length::from_hours(1), share / 0.001)],
                }
            })
            .collect();
        Some(SeriesView { from, to, step, points, time_weighted: false })
    }

    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError> {
        self.store()?;
        let state = |alert: &Alert| serde_json::to_value(alert.state).unwrap();
        let takes = |alert: &&Alert| {
            filter.state.as_ref().is_none_or(|wanted| state(alert) == json!(wanted))
                && filter.severity.as_ref().is_none_or(|wanted| alert.severity.name() == wanted)
                && filter
                    .slo
                    .as_ref()
                    .is_none_or(|wanted| alert.slo == *wanted || alert.slo.starts_with(&format!("{wanted}{{")))
        };
        Ok(self.alerts.iter().filter(takes).take(limit).cloned().collect())
    }

    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        self.store()?;
        Ok(self.alerts.iter().find(|alert| alert.id == id).cloned())
    }

    async fn digest(&self, id: &str) -> Option<DigestFound> {
        (id == DIGEST).then(digest)
    }

    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.store()?;
        let takes = |delivery: &&Delivery| {
            filter.state.is_none_or(|wanted| delivery.state == wanted)
                && filter.alert_id.as_ref().is_none_or(|wanted| delivery.notification.alert_id == *wanted)
                && filter.sink.as_ref().is_none_or(|wanted| delivery.sink == *wanted)
        };
        self.asked.lock().unwrap().push(filter.clone());
        let more = self.more_deliveries.lock().unwrap();
        Ok(more.iter().chain(&self.deliveries).filter(takes).take(limit).cloned().collect())
    }

    fn sources(&self) -> Vec<SourceView> {
        let up = SourceView {
            name: "prometheus".into(),
            kind: "prometheus".into(),
            up: true,
            watermark: Some(time(AS_OF)),
            last_success_at: Some(time("2026-11-21T03:00:16Z")),
            last_error: None,
            requests_failed: 0,
            clock_skew_seconds: 0.25,
            replicas_differ: false,
            targets: None,
        };
        let down = SourceView {
            name: "backup".into(),
            kind: "scrape".into(),
            up: false,
            watermark: Some(time("2026-11-21T02:25:00Z")),
            last_success_at: Some(time("2026-11-21T02:25:01Z")),
            last_error: Some((
                time("2026-11-21T03:00:15Z"),
                "asking `http://10.0.0.9:9100/metrics`: connection refused <b>".into(),
            )),
            requests_failed: 70,
            clock_skew_seconds: -3.5,
            replicas_differ: true,
            targets: Some(Targets { all: 2, failed: 2 }),
        };
        vec![up, down]
    }

    fn config(&self) -> ConfigView {
        let findings = self.findings.lock().unwrap().clone();
        ConfigView {
            revision: Some("58cf4cc0a1b2c3d4e5f60718293a4b5c6d7e8f90".into()),
            digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            loaded_at: time("2026-11-21T01:00:00Z"),
            reload_ok: findings.is_empty(),
            reload_error: (!findings.is_empty()).then(|| Refusal { findings }.headline()),
            config: json!({"slice": "30s", "sources": {"prometheus": {"auth": "redacted"}}}),
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.missing.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn now(&self) -> Timestamp {
        time("2026-11-21T03:00:20Z")
    }

    fn own_metrics(&self) -> String {
        self.telemetry.render()
    }

    fn external_url(&self) -> String {
        self.external_url.clone()
    }
}

impl Fake {
    pub fn with_sloth_names(mut self) -> Self {
        self.sloth_names = true;
        self
    }

    /// As where the page alert of a Sloth file is disabled: its windows belong to no tier.
    pub fn with_pages_disabled(mut self) -> Self {
        for view in &mut self.instances {
            let windows = view.tiers.iter().flat_map(|tier| [&tier.confirm, &tier.over]).flatten();
            view.recorded = windows.map(figures_of).collect();
            view.tiers.retain(|tier| tier.severity != AlertSeverity::Page);
            view.burn.retain(|window| window.length > Length::from_hours(6));
        }
        self
    }

    fn store(&self) -> Result<(), StoreError> {
        if *self.store_broken.lock().unwrap() {
            return Err(StoreError {
                doing: "reading alerts from `slo.db`".into(),
                problem: "disk I/O error".into(),
                locked: false,
            });
        }
        Ok(())
    }
}

/// A finding with a place.
pub fn finding() -> Diagnostic {
    let place = Place { file: "slos/a.yaml".into(), line: 7, column: 5, end_line: 7, end_column: 12 };
    Diagnostic::error("SLO001", "`objectiv` is not a key").with_help("did you mean `objective`?").at(place, "/slos/0")
}
