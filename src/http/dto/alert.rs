//! Alerts with their tiers and transitions, who was told, and the deliveries that came of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::dto::case::{Acked, Case, Quiet};
use crate::http::dto::delivery::Delivery;
use crate::http::dto::figure::Figure;
use crate::http::dto::telling::Telling;
use crate::policy::alert::{
    Alert as PolicyAlert, AlertKind, AlertState, EndedBy, TierView, Transition as PolicyTransition, WindowView,
};
use crate::runtime::service::SinkView;
use crate::store::Delivery as StoreDelivery;
use crate::units::Timestamp;

/// One alert, from its first match to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Dedup key, begin of the episode and count of the alert in the episode.
    pub id: String,
    /// Constant for the instance, severity and kind.
    pub dedup_key: String,
    /// Begin of the episode; `null` while it has only been pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub episode: Option<Timestamp>,
    /// The instance, or `source/NAME`.
    pub slo: String,
    /// `page ticket notice`.
    pub severity: String,
    /// `burn budget down no_data source`.
    pub kind: String,
    /// `pending firing resolved`.
    pub state: String,
    /// Firing, and the data can neither confirm nor deny it.
    pub frozen: bool,
    /// `native`, or the format of the file that it comes from.
    pub origin: String,
    /// First slice end at which a tier matched, data time.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// Slice end at which it fired, data time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub fired_at: Option<Timestamp>,
    /// Slice end at which it ended, data time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// `known_false withdrawn closed`.
    pub ended_by: Option<String>,
    /// Why it is in its state, in one sentence.
    pub reason: String,
    /// Tiers that fire, or that fired last.
    pub tiers: Vec<Tier>,
    /// The slice end that the reason and the tiers are of, data time; `null` where no tier has a window.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// Who acknowledged it; the first one counts.
    pub acked: Option<Acked>,
    /// `real noise duplicate`: what it was worth, as somebody said.
    #[serde(default)]
    pub verdict: Option<String>,
    /// Why nobody is told now.
    #[serde(default)]
    pub quiet: Option<Quiet>,
    /// From its first telling to its acknowledgement.
    #[serde(default)]
    pub time_to_ack_seconds: Option<Figure>,
    /// From its firing to its end, data time.
    #[serde(default)]
    pub time_to_resolve_seconds: Option<Figure>,
    /// Not life: kept out of precision.
    #[serde(default)]
    pub drill: bool,
    /// The alert under which it is held back.
    pub held_back_by: Option<String>,
    /// What differed between bad and good when it was told, and what was deployed last; null where nothing is known.
    #[schema(value_type = Option<Object>)]
    pub evidence: Option<Value>,
    /// All its changes, oldest first.
    pub transitions: Vec<Transition>,
    /// Who was told, who waits for what, and what comes next.
    #[serde(default)]
    pub telling: Telling,
    /// What was sent, or waits, newest first; messages of several alerts that name it among them.
    pub deliveries: Vec<Delivery>,
}

/// One change of an alert's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transition {
    /// Its id.
    pub id: String,
    /// The slice end, data time.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Before.
    pub from: String,
    /// After.
    pub to: String,
    /// In words and numbers.
    pub reason: String,
}

/// One condition of the policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tier {
    /// `burn exhausts budget_left budget_drop sli_below no_traffic down no_data`.
    pub kind: String,
    /// `page ticket notice`.
    pub severity: String,
    /// `inactive pending firing`.
    pub state: String,
    /// Firing, neither matched nor known false.
    pub frozen: bool,
    /// `burning rising recovering ok`.
    pub trend: String,
    /// `k`: the burn rate that is too fast (of `exhausts` its `min_burn`); else `null`.
    pub factor: Option<Figure>,
    /// `k*B`: the bad share that is too high (of `sli_below` 1 - target).
    pub threshold_ratio: Option<Figure>,
    /// The long window.
    pub over: Option<TierWindow>,
    /// The short window that confirms it.
    pub confirm: Option<TierWindow>,
    /// The window by which it ends, while it fires.
    pub resolve: Option<TierWindow>,
    /// What `max_false_pages` came to, where the tier has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_pages: Option<FalsePages>,
}

/// A bound on false pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FalsePages {
    /// Bad events that are wanted for starting.
    pub min_bad: Figure,
    /// How often a service that just meets its objective would start the tier `within` this time.
    pub expected: Figure,
    /// As written.
    pub within: String,
}

/// A window of a tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TierWindow {
    /// As written.
    pub length: String,
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Inclusive.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Bad events.
    pub bad: Figure,
    /// All events.
    pub total: Figure,
    /// Share of bad events.
    pub ratio: Figure,
    /// The burn rate.
    pub rate: Figure,
    /// Measured share of the window.
    pub coverage: Figure,
}

/// As in [`Alert::kind`].
pub const fn kind_name(kind: AlertKind) -> &'static str {
    kind.name()
}

/// As in [`Alert::state`] and [`Tier::state`].
pub const fn state_name(state: AlertState) -> &'static str {
    match state {
        AlertState::Inactive => "inactive",
        AlertState::Pending => "pending",
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }
}

const fn ended_by_name(ended_by: EndedBy) -> &'static str {
    match ended_by {
        EndedBy::KnownFalse => "known_false",
        EndedBy::Withdrawn => "withdrawn",
        EndedBy::Closed => "closed",
    }
}

impl Alert {
    /// An alert with its deliveries, newest first, its case, and the sinks as they stand.
    pub fn new(alert: &PolicyAlert, deliveries: &[StoreDelivery], case: &Case, sinks: &[SinkView]) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| Figure(to.since(from).seconds_f64());
        Self {
            id: alert.id.clone(),
            dedup_key: alert.dedup_key.clone(),
            episode: alert.episode,
            slo: alert.slo.clone(),
            severity: alert.severity.name().to_owned(),
            kind: kind_name(alert.kind).to_owned(),
            state: state_name(alert.state).to_owned(),
            frozen: alert.frozen,
            origin: alert.origin.clone(),
            started_at: alert.started_at,
            fired_at: alert.fired_at,
            resolved_at: alert.resolved_at,
            ended_by: alert.ended_by.map(|by| ended_by_name(by).to_owned()),
            reason: alert.reason.clone(),
            tiers: alert.tiers.iter().map(Tier::from).collect(),
            acked: case.acked.clone(),
            verdict: case.verdict.clone(),
            quiet: case.quiet.clone(),
            time_to_ack_seconds: case
                .acked
                .as_ref()
                .and_then(|acked| Some(seconds(first_told(case, deliveries)?, acked.at))),
            time_to_resolve_seconds: alert.fired_at.zip(alert.resolved_at).map(|(from, to)| seconds(from, to)),
            drill: alert.is_drill(),
            held_back_by: alert.held_back_by.clone(),
            evidence: alert.evidence.as_ref().and_then(|evidence| serde_json::to_value(evidence).ok()),
            transitions: alert.transitions.iter().map(Transition::from).collect(),
            as_of: as_of(alert),
            telling: Telling::of(alert, case, deliveries, sinks),
            deliveries: deliveries.iter().map(|row| Delivery::about(row, &alert.id)).collect(),
        }
    }
}

/// The slice end that an alert's figures are of.
pub fn as_of(alert: &PolicyAlert) -> Option<Timestamp> {
    let windows =
        |tier: &TierView| [&tier.over, &tier.confirm, &tier.resolve].into_iter().flatten().map(|w| w.to).max();
    alert.tiers.iter().filter_map(windows).max()
}

/// When anybody was told first, or it was decided to.
fn first_told(case: &Case, deliveries: &[StoreDelivery]) -> Option<Timestamp> {
    let firing = deliveries.iter().filter(|delivery| delivery.notification.state == AlertState::Firing);
    case.first_told_at.or_else(|| firing.map(|delivery| delivery.created_at).min())
}

impl From<&PolicyTransition> for Transition {
    fn from(transition: &PolicyTransition) -> Self {
        Self {
            id: transition.id.clone(),
            at: transition.at,
            from: state_name(transition.from).to_owned(),
            to: state_name(transition.to).to_owned(),
            reason: transition.reason.clone(),
        }
    }
}

impl From<&TierView> for Tier {
    fn from(tier: &TierView) -> Self {
        Self {
            kind: tier.kind.clone(),
            severity: tier.severity.name().to_owned(),
            state: state_name(tier.state).to_owned(),
            frozen: tier.frozen,
            trend: tier.trend.clone(),
            factor: tier.factor.map(Figure),
            threshold_ratio: tier.threshold_ratio.map(Figure),
            over: tier.over.as_ref().map(TierWindow::from),
            confirm: tier.confirm.as_ref().map(TierWindow::from),
            resolve: tier.resolve.as_ref().map(TierWindow::from),
            false_pages: tier.false_pages.as_ref().map(|figure| FalsePages {
                min_bad: Figure(figure.min_bad),
                expected: Figure(figure.expected),
                within: figure.within.clone(),
            }),
        }
    }
}

impl From<&WindowView> for TierWindow {
    fn from(window: &WindowView) -> Self {
        Self {
            length: window.length.clone(),
            from: window.from,
            to: window.to,
            bad: Figure(window.bad),
            total: Figure(window.total),
            ratio: Figure(window.ratio),
            rate: Figure(window.rate),
            coverage: Figure(window.coverage),
        }
    }
}
