//! Notifications and alerts to work with, all different, all plausible.

use std::collections::BTreeMap;

use slo::policy::alert::{Alert, AlertKind, AlertState, EndedBy, TierView, Transition, WindowView};
use slo::policy::notification::{BudgetView, MeasuredBudget, Notification};
use slo::spec::policy::AlertSeverity;
use slo::units::{Labels, Length, Timestamp};

/// 2026-11-21T03:00:00Z, on which everything here happens.
pub const NIGHT: Timestamp = Timestamp::from_seconds(1_795_230_000);

/// An alert of one episode: the `number`th with this dedup key.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub instance: String,
    pub severity: AlertSeverity,
    pub number: u32,
}

impl Sample {
    pub fn new(instance: &str, severity: AlertSeverity, number: u32) -> Self {
        Self { instance: instance.to_owned(), severity, number }
    }

    pub fn dedup_key(&self) -> String {
        format!("{}/{}/burn", self.instance, self.severity.name())
    }

    pub fn id(&self) -> String {
        format!("{}/{NIGHT}/alert-{}", self.dedup_key(), self.number)
    }

    /// The alert in a state; a later number is a later alert.
    pub fn alert(&self, state: AlertState) -> Alert {
        let at = NIGHT + Length::from_minutes(i64::from(self.number) * 10);
        let fired = matches!(state, AlertState::Firing | AlertState::Resolved);
        let ended = (state == AlertState::Resolved).then_some(at + Length::from_minutes(5));
        Alert {
            id: self.id(),
            dedup_key: self.dedup_key(),
            episode: fired.then_some(NIGHT),
            slo: self.instance.clone(),
            severity: self.severity,
            kind: AlertKind::Burn,
            state,
            frozen: false,
            origin: "native".into(),
            started_at: at - Length::from_minutes(1),
            fired_at: fired.then_some(at),
            resolved_at: ended,
            ended_by: ended.map(|_| EndedBy::KnownFalse),
            reason: "3.1% of requests fail".into(),
            tiers: vec![tier()],
            as_of: None,
            held_back_by: None,
            told: fired,
            evidence: None,
            transitions: vec![Transition {
                id: format!("{}/1", self.id()),
                at,
                from: AlertState::Inactive,
                to: AlertState::Firing,
                reason: "burns 31.2 times the budget".into(),
            }],
        }
    }

    /// What is told of it.
    pub fn notification(&self, state: AlertState) -> Notification {
        let alert = self.alert(state);
        let transition = self.number * 2 - u32::from(state == AlertState::Firing);
        let fired_at = alert.fired_at.unwrap_or(NIGHT);
        let (service, name) =
            self.instance.split_once('{').map_or(self.instance.as_str(), |(slo, _)| slo).split_once('/').unwrap();
        let group = self.instance.split_once('{').map_or("", |(_, group)| group.trim_end_matches('}'));
        let labels = [
            ("alertname", "SLOBurn"),
            ("slo_severity", self.severity.name()),
            ("slo_service", service),
            ("slo_name", name),
            ("owner", "payments"),
            ("team-name", "core.pay"),
            ("cluster", "eu1"),
        ];
        let words = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Notification {
            id: format!("{}/{NIGHT}/{transition}", self.dedup_key()),
            alert_id: alert.id,
            dedup_key: alert.dedup_key,
            episode: NIGHT,
            transition,
            state,
            severity: self.severity,
            kind: alert.kind,
            origin: alert.origin,
            slo: self.instance.clone(),
            service: service.to_owned(),
            name: name.to_owned(),
            group: group.parse::<Labels>().unwrap(),
            owner: Some("payments".into()),
            contact: None,
            labels: words(&labels),
            annotations: words(&[("description", "Checkout requests fail.")]),
            links: words(&[("runbook", "https://wiki.example/checkout")]),
            started_at: alert.started_at,
            fired_at,
            resolved_at: alert.resolved_at,
            as_of: alert.resolved_at.unwrap_or(fired_at),
            ended_by: alert.ended_by,
            reason: alert.reason,
            tiers: alert.tiers,
            budget: Some(BudgetView {
                allowed: 10_002.3,
                spent_ratio: 1.29,
                remaining_ratio: -0.29,
                remaining_events: -2_900.7,
                measured: MeasuredBudget { allowed: 10_002.3, spent_ratio: 1.29 },
            }),
            forecast: None,
            evidence: None,
            members: Vec::new(),
            several: None,
            notes: Vec::new(),
            occasion: slo::policy::notification::Occasion::default(),
            acked: None,
            mark: None,
            report: None,
            context: vec!["search/availability/ticket/burn/2026-11-21T02:00:00Z/alert-1".into()],
            coverage: 1.0,
            time_weighted: false,
        }
    }
}

fn tier() -> TierView {
    let window = |length: &str, ratio: f64| WindowView {
        length: length.into(),
        from: NIGHT - Length::from_hours(1),
        to: NIGHT,
        bad: 1_204.0,
        total: 38_830.0,
        ratio,
        rate: ratio * 1_000.0,
        coverage: 1.0,
    };
    TierView {
        kind: "burn".into(),
        severity: AlertSeverity::Page,
        state: AlertState::Firing,
        frozen: false,
        trend: "burning".into(),
        factor: Some(14.4),
        threshold_ratio: Some(0.0144),
        over: Some(window("1h", 0.031)),
        confirm: Some(window("5m", 0.0312)),
        resolve: None,
        false_pages: None,
    }
}
