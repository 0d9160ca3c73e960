//! An SLO instance: the row of the list, and its detail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::confidence::wilson;
use crate::engine::forecast::Forecast as EngineForecast;
use crate::engine::verdict::{Budget as EngineBudget, Condition, WindowFigures};
use crate::http::dto::alert::{Alert, Tier};
use crate::http::dto::figure::Figure;
use crate::runtime::service::InstanceView;
use crate::units::{Labels, Length, Timestamp};

/// One instance with the figures of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// `service/name`, or `service/name{region="eu"}`.
    pub id: String,
    /// The service.
    pub service: String,
    /// The SLO's name.
    pub name: String,
    /// Labels of the group; empty without `by`.
    pub group: BTreeMap<String, String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Share of events that must be good.
    pub objective: Figure,
    /// What the objective is judged over, as written.
    pub window: String,
    /// `page ticket notice down no_data inconclusive starting ok`, the first that holds.
    pub status: String,
    /// The state cannot change: the data can neither confirm nor deny it.
    pub frozen: bool,
    /// Evaluated and shown, not sent.
    pub shadow: bool,
    /// The budget's events are not all counted ones.
    pub estimated: bool,
    /// Spans without a known sampling probability.
    pub unweighted: bool,
    /// The slice end that the figures are of.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Measured share of the window.
    pub coverage: Figure,
    /// What was measured over the window.
    pub sli: Sli,
    /// The error budget.
    pub budget: Budget,
    /// Begin of the window, exclusive.
    #[schema(value_type = String, format = DateTime)]
    pub window_from: Timestamp,
    /// `exact`, `pushdown`, or what is weighted by time: `gauge` (`probe` too), `ratio`.
    pub mode: String,
    /// What keeps it from counting anything, as a name that selects no series; `null` where nothing does.
    #[serde(default)]
    pub problem: Option<String>,
    /// Burn rates, one for each distinct `over` of the burn tiers, ascending.
    pub burn: Vec<BurnRate>,
    /// When the budget is used up.
    pub forecast: Forecast,
}

/// When the budget is used up at the burn of the lookback, old failures expiring; `null`: not within a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// Nothing of the budget is left now.
    pub exhausted: bool,
    /// When it is gone.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub exhausts_at: Option<Timestamp>,
    /// When an exhausted one is back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recovers_at: Option<Timestamp>,
    /// What the burn is taken from, as written.
    pub lookback: String,
    /// With likelihoods; of one SLO only, and where the lookback had events.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub likely: Option<LikelyEnds>,
}

/// When the budget is gone, for failures that come by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LikelyEnds {
    /// One in ten: gone by then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub p10: Option<Timestamp>,
    /// As likely as not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub p50: Option<Timestamp>,
    /// Nine in ten.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub p90: Option<Timestamp>,
}

/// What was measured over the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sli {
    /// Share of good events; 1 where there were none, `null` where nothing was measured.
    pub good_ratio: Option<Figure>,
    /// Low end of its 95% interval (Wilson); `null` without events, and where they are weighted by time.
    pub low: Option<Figure>,
    /// High end of its 95% interval (Wilson); likewise.
    pub high: Option<Figure>,
    /// Bad events.
    pub bad: Figure,
    /// All events.
    pub total: Figure,
}

/// The error budget; all `null` where nothing was measured over the window, for a full budget would be a claim.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// Bad events that the objective allows over the whole window.
    pub allowed: Option<Figure>,
    /// Share of them that happened.
    pub spent_ratio: Option<Figure>,
    /// Share left, negative when overspent.
    pub remaining_ratio: Option<Figure>,
    /// Events left, negative when overspent.
    pub remaining_events: Option<Figure>,
    /// From measured events alone.
    pub measured: MeasuredBudget,
}

/// The error budget from measured events alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredBudget {
    /// Bad events that the objective allows among those measured.
    pub allowed: Option<Figure>,
    /// Share of them that happened.
    pub spent_ratio: Option<Figure>,
}

/// How fast the budget burns: 1 spends exactly all of it over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BurnRate {
    /// Over which length.
    pub over: String,
    /// The burn rate.
    pub rate: Figure,
}

/// One instance with everything: tiers, alerts, links, the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// The figures of the list.
    #[serde(flatten)]
    pub instance: Instance,
    /// Why it is in its status, in one sentence.
    pub reason: String,
    /// In words, as written.
    pub description: String,
    /// Where the owner is found, as the configuration says.
    pub contact: Option<String>,
    /// As written.
    pub labels: BTreeMap<String, String>,
    /// As written.
    pub links: BTreeMap<String, String>,
    /// What the newest slice says about the data: `measured no_traffic idle down`.
    pub condition: String,
    /// Share of the window that has been read from history so far.
    pub backfilled_ratio: Figure,
    /// The source that answers its queries.
    pub source: String,
    /// What is asked, by what it counts: `bad` or `good`, `total`, `alive`, `gauge`, `ratio`.
    pub queries: BTreeMap<String, String>,
    /// The policy's name.
    pub policy: String,
    /// Every tier in words, in the order of the policy.
    pub rules: Vec<String>,
    /// Every tier, in the order of the policy.
    pub tiers: Vec<Tier>,
    /// Alerts that have not ended.
    pub alerts: Vec<Alert>,
}

/// Any window that ends at the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Inclusive: the watermark.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Bad events.
    pub bad: Figure,
    /// All events.
    pub total: Figure,
    /// Measured time.
    pub measured_seconds: Figure,
    /// Measured share of the window.
    pub coverage: Figure,
    /// Share of good events; 1 where there were none, null where nothing was measured.
    pub good_ratio: Option<Figure>,
    /// The burn rate; null where nothing was measured.
    pub burn_rate: Option<Figure>,
}

/// Share of good events, from the counts, so that it is rounded once; 1 where there were none, as `share` is 0 there.
pub fn good_ratio(bad: f64, total: f64) -> f64 {
    if total > 0.0 { ((total - bad) / total).max(0.0) } else { 1.0 }
}

/// A group's labels as an object.
pub fn group(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// As in [`Detail::condition`].
pub const fn condition_name(condition: Condition) -> &'static str {
    match condition {
        Condition::Measured => "measured",
        Condition::NoTraffic => "no_traffic",
        Condition::Idle => "idle",
        Condition::Down => "down",
    }
}

impl Sli {
    /// Neighbouring slices are not independent, so what is weighted by time has no interval (SEMANTICS 8).
    fn of(window: &WindowFigures, time_weighted: bool) -> Self {
        let interval = if time_weighted { None } else { wilson(window.bad, window.total) };
        Self {
            good_ratio: window.is_measured().then(|| Figure(good_ratio(window.bad, window.total))),
            low: interval.map(|(low, _)| Figure(low)),
            high: interval.map(|(_, high)| Figure(high)),
            bad: Figure(window.bad),
            total: Figure(window.total),
        }
    }
}

impl From<&EngineBudget> for Budget {
    fn from(budget: &EngineBudget) -> Self {
        let known = |figure: f64| budget.window.is_measured().then_some(Figure(figure));
        Self {
            allowed: known(budget.allowed),
            spent_ratio: known(budget.spent),
            remaining_ratio: known(budget.remaining),
            remaining_events: known(budget.remaining_events),
            measured: MeasuredBudget {
                allowed: known(budget.measured_allowed),
                spent_ratio: known(budget.spent_so_far),
            },
        }
    }
}

impl From<&EngineForecast> for Forecast {
    fn from(forecast: &EngineForecast) -> Self {
        Self {
            exhausted: forecast.exhausted,
            exhausts_at: forecast.exhausts_at,
            recovers_at: forecast.recovers_at,
            lookback: written(forecast.lookback),
            likely: None,
        }
    }
}

impl From<&WindowFigures> for Window {
    fn from(window: &WindowFigures) -> Self {
        Self {
            from: window.from,
            to: window.to,
            bad: Figure(window.bad),
            total: Figure(window.total),
            measured_seconds: Figure(window.measured.seconds_f64()),
            coverage: Figure(window.coverage),
            good_ratio: window.is_measured().then(|| Figure(good_ratio(window.bad, window.total))),
            burn_rate: window.is_measured().then_some(Figure(window.rate)),
        }
    }
}

impl From<&InstanceView> for Instance {
    fn from(view: &InstanceView) -> Self {
        let burn = |figures: &WindowFigures| BurnRate { over: written(figures.length), rate: Figure(figures.rate) };
        Self {
            id: view.id.to_string(),
            service: view.id.slo.service.clone(),
            name: view.id.slo.name.clone(),
            group: group(&view.id.group),
            owner: view.owner.clone(),
            objective: Figure(view.objective),
            window: written(view.window),
            status: view.status.clone(),
            frozen: view.frozen,
            shadow: view.shadow,
            estimated: view.budget.estimated || view.mode == "pushdown",
            unweighted: false,
            as_of: view.as_of,
            coverage: Figure(view.budget.window.coverage),
            sli: Sli::of(&view.budget.window, view.is_time_weighted()),
            budget: Budget::from(&view.budget),
            window_from: view.budget.window.from,
            mode: view.mode.clone(),
            problem: view.problem.clone(),
            burn: view.burn.iter().map(burn).collect(),
            forecast: Forecast::from(&view.forecast),
        }
    }
}

impl Detail {
    /// The detail of a view, with the alerts already made (they carry their deliveries).
    pub fn new(view: &InstanceView, alerts: Vec<Alert>) -> Self {
        let likely = view.likely_ends.map(|ends| LikelyEnds { p10: ends.p10, p50: ends.p50, p90: ends.p90 });
        Self {
            instance: Instance {
                forecast: Forecast { likely, ..Forecast::from(&view.forecast) },
                ..Instance::from(view)
            },
            reason: view.reason.clone(),
            description: view.description.clone(),
            contact: view.contact.clone(),
            labels: view.labels.clone(),
            links: view.links.clone(),
            condition: condition_name(view.condition).to_owned(),
            backfilled_ratio: Figure(view.backfilled),
            source: view.made_of.source.clone(),
            queries: view.made_of.queries.clone(),
            policy: view.made_of.policy.clone(),
            rules: view.made_of.rules.clone(),
            tiers: view.tiers.iter().map(Tier::from).collect(),
            alerts,
        }
    }
}

fn written(length: Length) -> String {
    length.to_string()
}
