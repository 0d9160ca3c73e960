//! `/slo/{service}/{name}`: one SLO with its budget, plots, tiers and alerts.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::engine::confidence::wilson;
use crate::http::api::alerts::as_of_now;
use crate::http::app::{App, gone};
use crate::http::dashboard::alerts::list as alert_list;
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{Frame, budget_bar, encoded, group_query, pill, problem, web_address};
use crate::http::dashboard::overview::marks;
use crate::http::dashboard::plot::{Plot, key};
use crate::http::dashboard::tiers;
use crate::http::dto::instance::{condition_name, good_ratio};
use crate::http::error::ApiError;
use crate::http::query::Parameters;
use crate::policy::ahead::in_minutes;
use crate::policy::alert::Alert;
use crate::runtime::service::{InstanceView, SeriesView};
use crate::store::AlertFilter;
use crate::units::{InstanceId, Labels, Length, SloId, Timestamp};

/// Points of a plot: one every few pixels.
const POINTS: usize = 240;

/// Past alerts shown.
const ALERTS: usize = 20;

/// Other groups linked to; the rest is behind the search.
const GROUPS: usize = 12;

/// Answers `/slo/{service}/{name}`.
pub async fn page(State(app): State<App>, Path((service, name)): Path<(String, String)>, uri: Uri) -> Response {
    render(&app, &uri, &service, &name).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, uri: &Uri, service: &str, name: &str) -> Result<Response, ApiError> {
    let parameters = Parameters::lenient(uri)?;
    let frame = Frame::new(app, uri, &parameters)?;
    let slo = SloId::new(service, name);
    let group = parameters.one("group")?;
    let groups = app.service.groups(&slo).unwrap_or_default();
    // A grouped SLO without a group is a choice to make, not an error, for a person.
    if group.is_none() && groups.iter().any(|group| !group.is_empty()) {
        return Ok(frame.page(&slo.to_string(), "", &chooser(&frame, &slo, &groups)));
    }
    let id = app.resolve(service, name, group)?;
    let view = app.service.instance(&id).ok_or_else(|| gone(&id))?;
    let (asked, from, to) = (id.clone(), view.as_of - view.window, view.as_of);
    let series = app.compute(move |service| service.series(&asked, from, to, POINTS)).await?;
    let filter = AlertFilter { slo: Some(id.to_string()), ..AlertFilter::default() };
    let past = as_of_now(app, app.service.alerts(&filter, ALERTS).await?).await?;
    let content = html! {
        (heading(&frame, &view, &groups))
        (tiles(&view))
        @if let Some(series) = &series { (plots(&view, series, &past)) }
        section.card { h2 { "Alert policy" }
            @if view.tiers.is_empty() { p.quiet { "Alerting is off for this SLO." } } @else { (tiers::table(&view.tiers)) }
        }
        section.card { h2 { "Alerts" }
            @if past.is_empty() { p.quiet { "None so far." } } @else { (alert_list(app, &frame, &past).await?) }
        }
        (facts(&frame, &view))
    };
    Ok(frame.page(&id.to_string(), "", &content))
}

fn chooser(frame: &Frame, slo: &SloId, groups: &[Labels]) -> Markup {
    html! {
        section.card {
            h1 { (slo) }
            p { "This SLO has " (groups.len()) " groups, each with a budget of its own." }
            ul.groups { @for group in groups { li { (group_link(frame, slo, group)) } } }
            p { a href={ (frame.path("/")) "?q=" (encoded(&slo.to_string())) } { "All of them, worst first" } }
        }
    }
}

fn group_link(frame: &Frame, slo: &SloId, group: &Labels) -> Markup {
    let id = InstanceId { slo: slo.clone(), group: group.clone() };
    let words: Vec<String> = group.iter().map(|(name, value)| format!("{name}={value}")).collect();
    html! { a.label href=(frame.instance(&id)) { (words.join(" ")) } }
}

fn heading(frame: &Frame, view: &InstanceView, groups: &[Labels]) -> Markup {
    let slo = &view.id.slo;
    html! {
        section.heading {
            p.crumbs { a href=(frame.path("/")) { "SLOs" } " / " a href={ (frame.path("/")) "?service=" (encoded(&slo.service)) } { (slo.service) } }
            h1 {
                (slo.name)
                @for (name, value) in view.id.group.iter() { " " span.label { (name) "=" (value) } }
            }
            p.line { (pill(&view.status)) (marks(view)) span { (view.reason) } }
            @if !view.description.is_empty() { p { (view.description) } }
            @if let Some(problem) = &view.problem { p.notice-bar role="status" { (problem) } }
            @if view.backfilled < 1.0 {
                p.quiet { "History is being read: " (format::percent(view.backfilled)) " of the period is there." }
            }
            @if groups.len() > 1 {
                nav.groups aria-label="Other groups" {
                    span.quiet { "Other groups " }
                    @for group in groups.iter().filter(|group| **group != view.id.group).take(GROUPS) { (group_link(frame, slo, group)) " " }
                    @if groups.len() > GROUPS + 1 { a href={ (frame.path("/")) "?q=" (encoded(&slo.to_string())) } { "all " (groups.len()) } }
                }
            }
        }
    }
}

/// `gone in 9h30m at the burn of the last 6h`.
fn ahead(view: &InstanceView) -> String {
    let forecast = &view.forecast;
    let until = |at: Timestamp| in_minutes(at.since(view.as_of));
    let what = match (forecast.exhausts_at, forecast.recovers_at) {
        _ if !forecast.known => return format!("no forecast: nothing was measured in the last {}", forecast.lookback),
        (Some(at), _) => format!("gone in {}", until(at)),
        (None, Some(at)) => format!("back in {}", until(at)),
        (None, None) if forecast.exhausted => "never back".to_owned(),
        (None, None) => "never gone".to_owned(),
    };
    format!("{what} at the burn of the last {}", forecast.lookback)
}

fn tiles(view: &InstanceView) -> Markup {
    let window = &view.budget.window;
    let budget = &view.budget;
    html! {
        dl.tiles {
            div.tile { dt { "Objective" } dd { b { (format::objective(view.objective)) } span.quiet { "good over " (view.window) } } }
            div.tile { dt { "Measured" } dd {
                @if view.is_time_weighted() && window.total > 0.0 {
                    b { (format::good_percent(good_ratio(window.bad, window.total), view.objective)) }
                    span.quiet {
                        "of the time; " (format::count(window.bad)) " of " (format::count(window.total)) " readings bad"
                    }
                } @else if let Some((low, high)) = wilson(window.bad, window.total) {
                    b { (format::good_percent(good_ratio(window.bad, window.total), view.objective)) }
                    span.quiet {
                        (format::count(window.bad)) " of " (format::count(window.total)) " bad; 95% interval "
                        (format::good_percent(low, view.objective)) " to " (format::good_percent(high, view.objective))
                    }
                } @else { b { "–" } span.quiet { "no events in the window" } }
            } }
            div.tile { dt { "Budget left" } dd {
                @if view.is_known() {
                    (budget_bar(budget.remaining))
                    span.quiet {
                        @if view.is_time_weighted() {
                            (bad_time(view))
                        } @else if budget.remaining_events < 0.0 {
                            (format::count(-budget.remaining_events)) " bad events too many of " (format::count(budget.allowed)) " allowed"
                        } @else {
                            (format::count(budget.remaining_events)) " of " (format::count(budget.allowed)) " bad events left"
                        }
                    }
                    br;
                    span.quiet { (ahead(view)) }
                } @else { b { "–" } span.quiet { "nothing measured" } }
            } }
            div.tile { dt { "Burn rate" } dd {
                ul.rates.large {
                    @for burn in &view.burn {
                        li class=[(burn.rate > 1.0).then_some("fast")] { span.quiet { (burn.length) } " " b { (format::burn(burn.rate)) } }
                    }
                }
                span.quiet { "1 spends exactly the budget" }
            } }
            div.tile { dt { "Data" } dd {
                b { (format::percent(window.coverage)) " measured" }
                span.quiet { "as of " (format::moment(view.as_of)) ", " (condition_words(view)) }
            } }
        }
    }
}

/// Of what is weighted by time the budget is a part of the window.
fn bad_time(view: &InstanceView) -> Markup {
    let allowed = view.window.seconds_f64() * (1.0 - view.objective);
    let length = |seconds: f64| format::roughly(Timestamp::from_seconds_f64(seconds).since(Timestamp::default()));
    html! {
        @if view.budget.remaining < 0.0 {
            (length(-view.budget.remaining * allowed)) " of bad time too much of " (length(allowed)) " allowed"
        } @else {
            (length(view.budget.remaining * allowed)) " of " (length(allowed)) " of bad time left"
        }
    }
}

fn condition_words(view: &InstanceView) -> &'static str {
    match condition_name(view.condition) {
        "measured" => "with traffic",
        "no_traffic" => "no traffic now",
        "down" => "down now",
        _ => "no data now",
    }
}

fn plots(view: &InstanceView, series: &SeriesView, past: &[Alert]) -> Markup {
    let mut fired: Vec<(Timestamp, Timestamp, &'static str)> = past
        .iter()
        .filter_map(|alert| Some((alert.fired_at?, alert.resolved_at.unwrap_or(series.to), alert.severity.name())))
        .filter(|(_, end, _)| *end > series.from)
        .collect();
    // Pages last, so that they are drawn above tickets.
    fired.sort_by_key(|(_, _, severity)| std::cmp::Reverse(*severity != "page"));
    let mut severities: Vec<&str> = fired.iter().map(|(_, _, severity)| *severity).collect();
    severities.sort_unstable();
    severities.dedup();
    html! {
        section.card {
            h2 { "Budget left" }
            (budget_plot(view, series, &fired).draw())
            (key(&severities))
        }
        section.card {
            h2 { "Bad share " span.quiet { "in steps of " (step_words(series.step)) } }
            (share_plot(view, series, &fired).draw())
            (key(&severities))
        }
    }
}

fn budget_plot<'a>(
    view: &InstanceView,
    series: &SeriesView,
    fired: &[(Timestamp, Timestamp, &'static str)],
) -> Plot<'a> {
    let points: Vec<_> = series.points.iter().map(|point| (point.at, point.remaining_ratio)).collect();
    let lowest =
        points.iter().filter_map(|(_, value)| *value).filter(|value| value.is_finite()).fold(0.0_f64, f64::min);
    // An overspent budget needs room below zero, but a catastrophe must not flatten all that led to it.
    let floor = if lowest < 0.0 { (lowest * 1.1).max(-1.0) } else { 0.0 };
    let mut grid = vec![(1.0, "100%".to_owned()), (0.5, "50%".to_owned())];
    if floor < -0.3 {
        grid.push((floor, format::percent(floor)));
    }
    Plot {
        title: "Budget left over the window",
        description: format!("{} left at {}", format::percent(view.budget.remaining), format::moment(view.as_of)),
        from: series.from,
        to: series.to,
        points,
        range: (floor, 1.0),
        grid,
        limit: Some((0.0, "spent".to_owned())),
        alerts: fired.to_vec(),
        class: if view.budget.remaining <= 0.0 { "budget overspent" } else { "budget" },
    }
}

fn share_plot<'a>(
    view: &InstanceView,
    series: &SeriesView,
    fired: &[(Timestamp, Timestamp, &'static str)],
) -> Plot<'a> {
    let share = |bad: f64, total: f64| (total > 0.0).then(|| (bad / total).clamp(0.0, 1.0));
    let points: Vec<_> = series.points.iter().map(|point| (point.at, share(point.bad, point.total))).collect();
    let budget = 1.0 - view.objective;
    let highest = points.iter().filter_map(|(_, value)| *value).fold(2.0 * budget, f64::max);
    let top = (highest * 1.05).min(1.0);
    Plot {
        title: if view.is_time_weighted() { "Share of bad time" } else { "Share of bad events" },
        description: format!(
            "at most {}, the objective allows {}",
            format::bad_percent(highest),
            format::bad_percent(budget)
        ),
        from: series.from,
        to: series.to,
        points,
        range: (0.0, top),
        grid: vec![(highest.min(1.0), format::bad_percent(highest.min(1.0)))],
        limit: Some((budget, format!("{} allowed", format::bad_percent(budget)))),
        alerts: fired.to_vec(),
        class: "share",
    }
}

fn step_words(step: Length) -> String {
    step.to_string()
}

fn facts(frame: &Frame, view: &InstanceView) -> Markup {
    let api = format!("{}{}", frame.path("/api/v1/slos/"), view.id.slo);
    let query = group_query(&view.id);
    html! {
        section.card.facts {
            h2 { "About" }
            dl {
                div { dt { "Id" } dd { code { (view.id) } } }
                @if let Some(owner) = &view.owner { div { dt { "Owner" } dd { (owner) @if let Some(contact) = &view.contact { span.quiet { " " (contact) } } } } }
                @for (name, address) in &view.links {
                    div { dt { (name) } dd {
                        @match web_address(address) {
                            Some(address) => a href=(address) rel="noopener noreferrer" { (address) },
                            None => (address),
                        }
                    } }
                }
                @for (name, value) in &view.labels { div { dt { (name) } dd { (value) } } }
                div { dt { "Window" } dd { "from " (format::moment(view.budget.window.from)) } }
                div { dt { "Counting" } dd { (view.mode) } }
                div { dt { "API" } dd {
                    a href={ (api) (query) } { "all figures" } " · "
                    a href={ (api) "/series" (query) } { "series" }
                } }
            }
        }
    }
}
