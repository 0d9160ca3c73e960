//! `/alerts`: what fires and fired, with transitions and deliveries.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::api::alerts::{ALERT_STATES, as_of_now, case_of, find};
use crate::http::api::outbox::Outbox;
use crate::http::app::App;
use crate::http::dashboard::deliveries::{self, Of};
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{Frame, counted, encoded, mark, pill, problem, words};
use crate::http::dashboard::tiers;
use crate::http::dto::alert::{kind_name, state_name};
use crate::http::dto::case::{Case, Quiet};
use crate::http::dto::telling::Telling;
use crate::http::error::ApiError;
use crate::http::listing::{self, Cursor};
use crate::http::query::{Parameters, bad};
use crate::policy::alert::{Alert, AlertState, EndedBy};
use crate::store::{AlertFilter, Delivery};

/// Rows of a part.
const ROWS: usize = 50;

/// Deliveries shown with an alert.
const DELIVERIES: usize = 20;

/// Answers `/alerts`.
pub async fn page(State(app): State<App>, uri: Uri) -> Response {
    render(&app, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, uri: &Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::lenient(uri)?;
    let frame = Frame::new(app, uri, &parameters)?;
    let states = parameters.choices("state", &ALERT_STATES)?;
    let cursor = match parameters.one("cursor")? {
        None => None,
        Some(text) => Some(Cursor::read(text).ok_or_else(|| bad("cursor", "this part of the list is not there"))?),
    };
    let found = find(app, &states, &AlertFilter::default()).await?;
    let total = found.len();
    let (shown, next) = listing::part(found, |alert| alert.id.clone(), cursor.as_ref(), ROWS);
    let shown = as_of_now(app, shown).await?;
    let chosen = states.join(",");
    let content = html! {
        h1 { "Alerts" }
        nav.chips aria-label="States" {
            a href="?" aria-current=[chosen.is_empty().then_some("true")] { "All" }
            @for state in ["firing", "pending", "resolved"] {
                @let (sign, word) = words(state);
                a class=(state) href={ "?state=" (state) } aria-current=[(chosen == state).then_some("true")] {
                    span.sign aria-hidden="true" { (sign) } (word)
                }
            }
        }
        @if shown.is_empty() {
            section.card.empty { p { "No alert " @if !chosen.is_empty() { "is " (chosen) } @else { "so far" } "." } }
        } @else {
            section.card { (list(app, &frame, &shown).await?) }
        }
        nav.pages aria-label="Parts of the list" {
            span.quiet { (shown.len()) " of " (total) " shown" }
            @if cursor.is_some() { a href={ "?state=" (chosen) } { "From the beginning" } }
            @if let Some(next) = next { a.next href={ "?state=" (encoded(&chosen)) "&cursor=" (next.write()) } { "Next " (ROWS) } }
        }
    };
    Ok(frame.page("Alerts", "/alerts", &content))
}

/// Alerts as a list; each opens to its tiers, transitions and deliveries.
pub async fn list(app: &App, frame: &Frame, alerts: &[Alert]) -> Result<Markup, ApiError> {
    let sinks = if alerts.is_empty() { Vec::new() } else { app.service.sinks().await? };
    let mut outbox = Outbox::new(app);
    let mut items = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let case = case_of(app, &alert.id).await?;
        let deliveries = outbox.of(&alert.id, &case).await?;
        let telling = Telling::of(alert, &case, &deliveries, &sinks);
        items.push(item(frame, alert, &deliveries, (&case, &telling)));
    }
    Ok(html! { ul.alerts { @for item in &items { (item) } } })
}

fn item(frame: &Frame, alert: &Alert, deliveries: &[Delivery], (case, telling): (&Case, &Telling)) -> Markup {
    html! {
        li class={ "alert " (alert.severity.name()) " " (state_name(alert.state)) } {
            (line(frame, alert, case))
            p { (alert.reason) }
            p.quiet { (times(frame, alert)) " · " a href=(frame.alert(&alert.id)) { "what happened" } }
            (said(case))
            @if alert.fired_at.is_some() { (told(frame, alert, telling)) }
            details {
                summary { (counted(alert.transitions.len(), "transition")) ", " (deliveries_counted(deliveries.len())) }
                @if !alert.tiers.is_empty() { (tiers::table(&alert.tiers)) }
                ol.steps {
                    @for step in &alert.transitions {
                        li { time datetime=(step.at) { (format::moment(step.at)) } " " b { (words(state_name(step.to)).1) } " " (step.reason) }
                    }
                }
                @if let Some(above) = &alert.held_back_by { p { "Held back under " code { (above) } } }
                @if !deliveries.is_empty() { (deliveries::table(frame, deliveries.get(..DELIVERIES).unwrap_or(deliveries), Of::Alert(&alert.id))) }
                p.quiet { "Id " code { (alert.id) } }
            }
        }
    }
}

/// What an alert is, in one line of marks.
pub fn line(frame: &Frame, alert: &Alert, case: &Case) -> Markup {
    html! {
        div.line {
            (pill(alert.severity.name()))
            (tiers::state(alert.state))
            a.id href=(frame.subject(&alert.slo)) { (alert.slo) }
            span.quiet { (tiers::kind_words(kind_name(alert.kind))) }
            @if alert.is_drill() { (mark("drill", "Not life: kept out of precision")) }
            @if alert.frozen { (mark("frozen", "The data can neither confirm nor deny it")) }
            @if alert.held_back_by.is_some() { (mark("held back", "Not sent while an alert above it fires")) }
            (case_marks(case))
        }
    }
}

/// What people and silences made of it.
pub fn case_marks(case: &Case) -> Markup {
    html! {
        @if let Some(acked) = &case.acked {
            (mark(&format!("acknowledged by {}", acked.by), "Somebody took it on: neither repeated nor escalated"))
        }
        @if case.quiet.is_some() { (mark("quiet", "Nobody is told of it now")) }
        @if let Some(verdict) = &case.verdict { (mark(verdict, "What it was worth, as somebody said")) }
    }
}

/// Who was told, who waits for what, and what comes next.
pub fn told(frame: &Frame, alert: &Alert, telling: &Telling) -> Markup {
    html! {
        @for (name, line) in telling.lines(alert.state == AlertState::Firing, frame.now) {
            p { span.quiet { (capital(name)) ":" } " " (line) }
        }
    }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Who took it on, what it was worth, why nobody is told.
pub fn said(case: &Case) -> Markup {
    html! {
        @if let Some(acked) = &case.acked {
            p { "Acknowledged by " b { (acked.by) } ", " (format::short_moment(acked.at))
                @if let Some(note) = &acked.note { ": " (note) } }
        }
        @if let Some(quiet) = &case.quiet { (quiet_line(quiet)) }
        @if let Some(verdict) = &case.verdict {
            p { "Judged " b { (verdict) } @if let Some(by) = &case.verdict_by { " by " (by) } }
        }
    }
}

/// Why nobody is told.
pub fn quiet_line(quiet: &Quiet) -> Markup {
    html! {
        p { "Quiet: " (quiet.kind) " " b { (quiet.name) }
            @if let Some(until) = quiet.until { " until " (format::short_moment(until)) }
            @if !quiet.reason.is_empty() { ", " (quiet.reason) } }
    }
}

fn deliveries_counted(count: usize) -> String {
    if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") }
}

/// Since when, and until when.
pub fn times(frame: &Frame, alert: &Alert) -> String {
    let matched = format!("matched since {}", format::short_moment(alert.started_at));
    let Some(fired) = alert.fired_at else { return matched };
    let before = if alert.started_at < fired { format!("{matched}, ") } else { String::new() };
    let begin = format!("{before}fired {}", format::short_moment(fired));
    let Some(end) = alert.resolved_at else {
        return format!("{begin}, for {} now", format::roughly(frame.as_of.since(fired)));
    };
    let how = match alert.ended_by {
        Some(EndedBy::Withdrawn) => "withdrawn",
        Some(EndedBy::Closed) if alert.is_drill() => "ended",
        Some(EndedBy::Closed) => "closed by a person",
        Some(EndedBy::KnownFalse) | None => "ended",
    };
    format!("{begin}, {how} {} after {}", format::short_moment(end), format::roughly(end.since(fired)))
}
