//! `/`: what fires, then all SLOs, worst first.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::api::alerts::{as_of_now, case_of, find};
use crate::http::api::slos::{Part, choice, part};
use crate::http::app::App;
use crate::http::dashboard::alerts::{case_marks, quiet_line};
use crate::http::dashboard::layout::{Frame, budget_bar, counted, encoded, mark, pill, problem, words};
use crate::http::dashboard::{format, sinks};
use crate::http::dto::case::Case;
use crate::http::dto::instance::good_ratio;
use crate::http::error::ApiError;
use crate::http::listing::{Cursor, SORTS, STATUSES};
use crate::http::query::{Parameters, bad};
use crate::policy::alert::Alert;
use crate::runtime::service::InstanceView;
use crate::store::{AlertFilter, Delivery, DeliveryFilter, DeliveryState};
use crate::units::{Length, Timestamp};

/// Rows of a part: as many as a person scrolls through.
const ROWS: usize = 100;

/// Firing alerts shown on top; the rest is behind a link.
const FIRING_SHOWN: usize = 8;

/// Messages that were given up, counted at most.
const GIVEN_UP_MOST: usize = 1_000;

/// Answers `/`.
pub async fn page(State(app): State<App>, uri: Uri) -> Response {
    render(&app, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, uri: &Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::lenient(uri)?;
    let frame = Frame::new(app, uri, &parameters)?;
    let (choice, sort) = choice(&parameters)?;
    let filter = Filter {
        text: choice.text.clone().unwrap_or_default(),
        service: choice.service.clone().unwrap_or_default(),
        owner: choice.owner.clone().unwrap_or_default(),
        statuses: choice.statuses.clone(),
        sort: sort.clone(),
    };
    let cursor = match parameters.one("cursor")? {
        None => None,
        Some(text) => Some(Cursor::read(text).ok_or_else(|| bad("cursor", "this part of the list is not there"))?),
    };
    let later = cursor.is_some();
    let mut firing = find(app, &["firing"], &AlertFilter::default()).await?;
    // What woke somebody first, then drills; what is held back under something else last. Newest first among equals.
    firing.sort_by_key(|alert| (alert.held_back_by.is_some(), alert.is_drill(), alert.severity));
    let others = firing.split_off(firing.len().min(FIRING_SHOWN));
    let mut firing = as_of_now(app, firing).await?;
    firing.extend(others);
    let mut cases = Vec::new();
    for alert in firing.iter().take(FIRING_SHOWN) {
        cases.push(case_of(app, &alert.id).await?);
    }
    let receivers = app.service.sinks().await?;
    let banner = sinks::banner(&frame, &receivers, given_up(app, frame.now).await?);
    let part = part(app, choice, sort, ROWS, cursor).await?;
    let content = html! {
        h1.hidden { "SLOs" }
        @if let Err(missing) = app.service.ready() { p.notice-bar role="status" { "Starting: " (missing) } }
        (banner)
        (firing_alerts(&frame, &firing, &cases, banner.0.is_empty()))
        (chips(&part, &filter))
        (filter.form())
        (table(&frame, &part.views))
        (pages(&part, &filter, later))
    };
    let title = if firing.is_empty() { "SLOs".to_owned() } else { format!("({}) SLOs", firing.len()) };
    Ok(frame.page(&title, "/", &content))
}

/// What the list is narrowed to, as in the address.
struct Filter {
    text: String,
    service: String,
    owner: String,
    statuses: Vec<String>,
    sort: String,
}

impl Filter {
    /// The query of the same list with other statuses, from its beginning.
    fn query(&self, statuses: &str) -> String {
        let mut pairs: Vec<String> = Vec::new();
        let fields =
            [("q", self.text.as_str()), ("service", &self.service), ("owner", &self.owner), ("status", statuses)];
        for (name, value) in fields.into_iter().chain([("sort", self.sort.as_str())]) {
            if !(value.is_empty() || name == "sort" && value == "worst") {
                pairs.push(format!("{name}={}", encoded(value)));
            }
        }
        format!("?{}", pairs.join("&"))
    }

    fn form(&self) -> Markup {
        html! {
            form.filter role="search" {
                label { "Find" input type="search" name="q" value=(self.text) placeholder="SLO, group or owner"; }
                label { "Owner" input name="owner" value=(self.owner) placeholder="any"; }
                label {
                    "Order"
                    select name="sort" {
                        @for sort in SORTS { option value=(sort) selected[sort == self.sort] { (order_name(sort)) } }
                    }
                }
                @if !self.service.is_empty() { input type="hidden" name="service" value=(self.service); }
                @if !self.statuses.is_empty() { input type="hidden" name="status" value=(self.statuses.join(",")); }
                button type="submit" { "Show" }
                @if self.query("").len() > 1 || !self.statuses.is_empty() { a.clear href="?" { "Clear" } }
            }
        }
    }
}

fn order_name(sort: &str) -> &'static str {
    match sort {
        "remaining" => "Least budget left",
        "burn" => "Fastest burn",
        "name" => "Name",
        _ => "Worst first",
    }
}

/// Messages that were given up within the last day.
async fn given_up(app: &App, now: Timestamp) -> Result<usize, ApiError> {
    let mut count = 0;
    for state in [DeliveryState::Failed, DeliveryState::Expired] {
        let filter = DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
        let rows = app.service.deliveries(&filter, GIVEN_UP_MOST).await?;
        let last = |row: &Delivery| row.attempts.last().map_or(row.created_at, |attempt| attempt.at);
        count += rows.iter().filter(|row| now.since(last(row)) <= Length::from_days(1)).count();
    }
    Ok(count)
}

/// `cases` are those of the first alerts. Green only where whoever has to be told can be.
fn firing_alerts(frame: &Frame, firing: &[Alert], cases: &[Case], well: bool) -> Markup {
    html! {
        section.firing-alerts aria-label="Firing alerts" {
            @if firing.is_empty() && !well {
                p.calm.plain { "Nothing is firing" }
            } @else if firing.is_empty() {
                p.calm { span.sign aria-hidden="true" { "✓" } "Nothing is firing" }
            } @else {
                h2 { (counted(firing.len(), "alert")) " firing" }
                ul {
                    @for (alert, case) in firing.iter().zip(cases) { (firing_alert(frame, alert, case)) }
                }
                @if firing.len() > FIRING_SHOWN {
                    p { a href=(frame.path("/alerts?state=firing")) { "All " (firing.len()) " firing alerts" } }
                }
            }
        }
    }
}

fn firing_alert(frame: &Frame, alert: &Alert, case: &Case) -> Markup {
    let since = alert.fired_at.unwrap_or(alert.started_at);
    html! {
        li class={ "alert " (alert.severity.name()) } {
            div.line {
                (pill(alert.severity.name()))
                a.id href=(frame.subject(&alert.slo)) { (alert.slo) }
                @if alert.is_drill() { (mark("drill", "Not life: kept out of precision")) }
                @if alert.frozen { (mark("frozen", "The data can neither confirm nor deny it")) }
                @if alert.held_back_by.is_some() { (mark("held back", "Not sent while an alert above it fires")) }
                (case_marks(case))
                span.quiet { "for " (format::roughly(frame.as_of.since(since))) " · " a href=(frame.alert(&alert.id)) { "what happened" } }
            }
            p { (alert.reason) }
            @if let Some(quiet) = &case.quiet { (quiet_line(quiet)) }
        }
    }
}

fn chips(part: &Part, filter: &Filter) -> Markup {
    let all: usize = part.counts.iter().sum();
    html! {
        nav.chips aria-label="Statuses" {
            a href=(filter.query("")) aria-current=[filter.statuses.is_empty().then_some("true")] { "All " b { (all) } }
            @for (status, count) in STATUSES.iter().zip(part.counts).filter(|(_, count)| *count > 0) {
                @let (sign, word) = words(status);
                @let chosen = filter.statuses.iter().any(|chosen| chosen == status);
                a class=(status) href=(filter.query(status)) aria-current=[chosen.then_some("true")] {
                    span.sign aria-hidden="true" { (sign) } (word) " " b { (count) }
                }
            }
        }
    }
}

fn table(frame: &Frame, views: &[InstanceView]) -> Markup {
    html! {
        @if views.is_empty() {
            section.card.empty {
                p { "No SLO is shown here." }
                p.quiet { "Either none is loaded, or none is as asked for. `slo init` writes a first set, `slo check` says what is wrong with it." }
            }
        } @else {
            div.scroll {
                table.slos {
                    thead { tr {
                        th scope="col" { "Status" }
                        th scope="col" { "SLO" }
                        th scope="col" { "Objective" }
                        th scope="col" { "Measured" }
                        th scope="col" { "Budget left" }
                        th scope="col" { "Burn rate" }
                    } }
                    tbody { @for view in views { (row(frame, view)) } }
                }
            }
        }
    }
}

fn row(frame: &Frame, view: &InstanceView) -> Markup {
    let window = &view.budget.window;
    html! {
        tr class={ "row " (view.status) } {
            td.status { div { (pill(&view.status)) (marks(view)) } }
            th.slo scope="row" {
                a href=(frame.instance(&view.id)) {
                    span.quiet { (view.id.slo.service) "/" } b { (view.id.slo.name) }
                }
                @for (name, value) in view.id.group.iter() { span.label { (name) "=" (value) } }
                @if let Some(owner) = &view.owner { span.quiet.owner { (owner) } }
            }
            td.objective data-name="Objective" { (format::objective(view.objective)) span.quiet { " over " (view.window) } }
            td.measured data-name="Measured" {
                @if window.total > 0.0 {
                    (format::good_percent(good_ratio(window.bad, window.total), view.objective))
                } @else { span.quiet { @if view.is_time_weighted() { "no readings" } @else { "no events" } } }
            }
            td.left data-name="Budget left" {
                @if view.is_known() { (budget_bar(view.budget.remaining)) } @else { span.quiet { "nothing measured" } }
            }
            td.burn data-name="Burn rate" { (burn_rates(view)) }
        }
    }
}

/// Burn rates over the windows of the tiers; those over 1 stand out.
pub fn burn_rates(view: &InstanceView) -> Markup {
    html! {
        @if view.burn.is_empty() { span.quiet { "–" } }
        ul.rates {
            @for window in &view.burn {
                li class=[(window.rate > 1.0).then_some("fast")] {
                    span.quiet { (window.length) } " " b { (format::burn(window.rate)) }
                }
            }
        }
    }
}

/// Marks that stand beside a status.
pub fn marks(view: &InstanceView) -> Markup {
    html! {
        @if view.frozen { (mark("frozen", "The state cannot change: the data can neither confirm nor deny it")) }
        @if view.shadow { (mark("shadow", "Evaluated and shown, not sent")) }
        @if view.is_time_weighted() { (mark("by time", "Weighted by time: a share of the window, not of requests")) }
        @if view.problem.is_some() { (mark("nothing to count", "Its query has found nothing")) }
        @if view.budget.estimated || view.mode == "pushdown" {
            (mark("estimated", "Not all of the window was counted event by event"))
        }
    }
}

fn pages(part: &Part, filter: &Filter, later: bool) -> Markup {
    let query = filter.query(&filter.statuses.join(","));
    html! {
        nav.pages aria-label="Parts of the list" {
            span.quiet { (part.views.len()) " of " (part.total) " shown" }
            @if later { a href=(query) { "From the beginning" } }
            @if let Some(next) = &part.next {
                a.next href={ (query) @if query.len() > 1 { "&" } "cursor=" (next.write()) } { "Next " (ROWS) }
            }
        }
    }
}
