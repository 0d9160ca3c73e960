//! An entry as people see it: figures, status and reason, worked out when asked for.
//!
//! `status` is the first that holds of `page ticket notice down no_data inconclusive starting ok` (INTERFACES 3).
//! Nothing is decided here: alerts and conditions come from the policy and the engine.

use std::collections::BTreeMap;

use crate::engine::definition::{Definition, Kind};
use crate::engine::instance::Instance;
use crate::engine::verdict::{Condition, TierSet, Verdict, WindowFigures};
use crate::policy::alert::{Alert, AlertState};
use crate::policy::describe;
use crate::runtime::entry::Inner;
use crate::runtime::service::{Counted, InstanceView, MadeOf, SeriesPoint, SeriesView, Summary};
use crate::spec::meant::{Absent, Alive, Bound, Mode, Numerator, Sli, Slo};
use crate::spec::policy::AlertSeverity;
use crate::units::{InstanceId, Labels, Length, Timestamp};

/// What an instance does not know of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around {
    /// A tick has judged it.
    pub judged: bool,
    /// How much of the period has been read.
    pub backfilled: f64,
}

/// One instance of an entry.
#[must_use]
pub fn instance_view(inner: &Inner, instance: &Instance, around: Around) -> InstanceView {
    let Around { judged, backfilled } = around;
    let blind = inner.blind;
    let slo = &inner.slo;
    let definition = inner.state.definition();
    let group = instance.labels();
    let mut verdict = Verdict::default();
    inner.state.judge(instance, inner.book.firing(definition, group), &mut verdict);
    let alerts = alerts(inner, group);
    let status = status(&alerts, verdict.condition, judged);
    let frozen = blind || alerts.iter().any(|alert| alert.state == AlertState::Firing && alert.frozen);
    let burn = burn_windows(inner, instance);
    let problem = inner.problem();
    let reason = reason(&alerts, &verdict, blind, judged, problem.as_deref());
    InstanceView {
        id: InstanceId { slo: slo.id.clone(), group: group.clone() },
        owner: slo.owner.clone(),
        contact: inner.subject.contact.clone(),
        description: slo.description.clone(),
        labels: slo.labels.clone(),
        links: slo.links.clone(),
        objective: slo.objective_of(group).good_ratio(),
        window: slo.window,
        status: status.to_owned(),
        frozen,
        shadow: inner.subject.mode == Mode::Shadow,
        as_of: instance.as_of(),
        mode: match slo.sli {
            Sli::Exact { .. } => "exact",
            Sli::Pushdown { .. } => "pushdown",
            Sli::Gauge { .. } => "gauge",
            Sli::Ratio { .. } => "ratio",
        }
        .to_owned(),
        condition: verdict.condition,
        budget: verdict.budget,
        forecast: instance.forecast(),
        likely_ends: None,
        counted: inner.counts.get(group).map_or_else(Counted::default, |count| count.counted),
        burn,
        recorded: recorded_windows(slo, instance),
        tiers: inner.book.tiers_of(definition, group, &verdict),
        alerts,
        reason,
        problem,
        backfilled,
        made_of: made_of(slo, instance.definition()),
    }
}

/// The open ones, with figures of now.
fn alerts(inner: &Inner, group: &Labels) -> Vec<Alert> {
    let mut alerts = inner.book.alerts_of(group).to_vec();
    for alert in &mut alerts {
        if let Some(figures) = inner.book.figures(
            &inner.subject,
            &inner.state,
            group,
            (&alert.id, crate::policy::current::Depth::Evidence),
        ) {
            figures.show(alert);
        }
    }
    alerts
}

fn made_of(slo: &Slo, definition: &Definition) -> MadeOf {
    let mut queries = BTreeMap::new();
    let side = |numerator| if numerator == Numerator::Bad { "bad" } else { "good" }.to_owned();
    match &slo.sli {
        Sli::Exact { numerator, events, total } => {
            queries.insert(side(*numerator), events.to_string());
            queries.insert("total".to_owned(), total.to_string());
        }
        Sli::Pushdown { numerator, events, total, .. } => {
            queries.insert(side(*numerator), events.text.clone());
            queries.insert("total".to_owned(), total.text.clone());
        }
        Sli::Gauge { query, bound, absent } => {
            queries.insert("gauge".to_owned(), query.clone());
            queries.insert("good".to_owned(), good_value(*bound, *absent));
        }
        Sli::Ratio { query } => drop(queries.insert("ratio".to_owned(), query.clone())),
    }
    if let Alive::Selector(alive) = &slo.alive {
        queries.insert("alive".to_owned(), alive.to_string());
    }
    MadeOf {
        source: slo.source.clone(),
        queries,
        policy: slo.alerting.policy.name.clone(),
        rules: definition.tiers.iter().map(describe::tier).collect(),
    }
}

/// `at most 900; no value is bad`.
fn good_value(bound: Bound, absent: Absent) -> String {
    let value = match bound {
        Bound::Below(most) => format!("at most {most}"),
        Bound::Above(least) => format!("at least {least}"),
        Bound::Equals(only) => format!("equal to {only}"),
    };
    let absent = if absent == Absent::Bad { "; no value is bad" } else { "" };
    format!("{value}{absent}")
}

/// What a list needs of one instance to choose and order it.
#[must_use]
pub fn summary(inner: &Inner, instance: &Instance, judged: bool) -> Summary {
    let mut verdict = Verdict::default();
    // Tiers that fire are known from the alerts; whether they are known false is the detail's affair.
    inner.state.judge(instance, TierSet::default(), &mut verdict);
    Summary {
        id: InstanceId { slo: inner.slo.id.clone(), group: instance.labels().clone() },
        owner: inner.slo.owner.clone(),
        status: status(inner.book.alerts_of(instance.labels()), verdict.condition, judged).to_owned(),
        remaining: verdict.budget.remaining,
        burn: verdict.tiers.iter().filter_map(|tier| tier.over).map(|window| window.rate).fold(0.0, f64::max),
    }
}

/// The windows of the burn tiers, each length once, ascending.
fn burn_windows(inner: &Inner, instance: &Instance) -> Vec<WindowFigures> {
    burn_lengths(inner).into_iter().map(|over| instance.window(over)).collect()
}

/// Those that the tool of the file records, as far back as the instance looks.
fn recorded_windows(slo: &Slo, instance: &Instance) -> Vec<WindowFigures> {
    let lengths = slo.alerting.foreign.iter().flat_map(|foreign| &foreign.recorded);
    let reach = instance.definition().reach();
    lengths.filter(|length| **length <= reach).map(|length| instance.window(*length)).collect()
}

fn burn_lengths(inner: &Inner) -> Vec<Length> {
    let tiers = &inner.state.definition().tiers;
    let mut lengths: Vec<Length> = tiers
        .iter()
        .filter_map(|tier| match tier.kind {
            Kind::Burn { over, .. } => Some(over),
            _ => None,
        })
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

fn status(alerts: &[Alert], condition: Condition, judged: bool) -> &'static str {
    let firing = |severity| alerts.iter().any(|alert| alert.state == AlertState::Firing && alert.severity == severity);
    let severities = [AlertSeverity::Page, AlertSeverity::Ticket, AlertSeverity::Notice];
    if let Some(severity) = severities.into_iter().find(|severity| firing(*severity)) {
        return severity.name();
    }
    match (judged, condition) {
        (false, _) => "starting",
        (true, Condition::Down) => "down",
        (true, Condition::Idle) => "no_data",
        (true, Condition::Measured | Condition::NoTraffic) => "ok",
    }
}

/// The worst alert's reason, else what the data is.
fn reason(alerts: &[Alert], verdict: &Verdict, blind: bool, judged: bool, problem: Option<&str>) -> String {
    if let Some(alert) = alerts.iter().min_by_key(|alert| (alert.state != AlertState::Firing, alert.severity)) {
        return alert.reason.clone();
    }
    if blind {
        return "the source does not answer; figures stand still".to_owned();
    }
    if !judged {
        return "not evaluated yet".to_owned();
    }
    if let Some(problem) = problem {
        return problem.to_owned();
    }
    match verdict.condition {
        Condition::Measured => "no tier matches",
        Condition::NoTraffic => "measured, and no traffic",
        Condition::Idle => "the source has no data for it now; the target is not known to be down",
        Condition::Down => "no data, and `alive` says that the target is down",
    }
    .to_owned()
}

/// A plot of an instance.
#[must_use]
pub fn series_view(inner: &Inner, group: &Labels, from: Timestamp, to: Timestamp, points: usize) -> Option<SeriesView> {
    let instance = inner.state.instance(group)?;
    let plot = instance.points(from, to, points);
    let lengths = burn_lengths(inner);
    let step = plot.first().map_or(to.since(from), |first| first.at.since(first.from));
    let from = plot.first().map_or(from, |first| first.from);
    let points: Vec<SeriesPoint> = plot
        .into_iter()
        .map(|point| SeriesPoint {
            at: point.at,
            bad: point.bad,
            total: point.total,
            measured: point.measured,
            remaining_ratio: point.remaining,
            burn: lengths.iter().filter_map(|over| Some((*over, instance.window_at(*over, point.at)?.rate))).collect(),
        })
        .collect();
    let to = points.last().map_or(to, |point| point.at);
    Some(SeriesView { from, to, step, points, time_weighted: inner.state.definition().time_weighted })
}

/// Worst first: by status, then by what is left of the budget, then by name.
pub fn sort_worst_first(views: &mut [InstanceView]) {
    const ORDER: [&str; 8] = ["page", "ticket", "notice", "down", "no_data", "inconclusive", "starting", "ok"];
    let rank = |view: &InstanceView| ORDER.iter().position(|status| *status == view.status).unwrap_or(ORDER.len());
    views.sort_by(|a, b| {
        let left = a.budget.remaining.total_cmp(&b.budget.remaining);
        rank(a).cmp(&rank(b)).then(left).then_with(|| a.id.cmp(&b.id))
    });
}
