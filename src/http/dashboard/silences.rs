//! `/silences`: who wants to hear nothing of what, until when and why, and what it covers now.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::api::silences::SILENCE_STATES;
use crate::http::app::App;
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{Frame, counted, encoded, pill, problem, words};
use crate::http::error::ApiError;
use crate::http::listing::{self, Cursor};
use crate::http::query::{Parameters, bad};
use crate::policy::silence::SilenceState;
use crate::runtime::service::SilenceView;
use crate::units::Timestamp;

/// Rows of a part.
const ROWS: usize = 50;

/// Alerts named below a silence.
const NAMED: usize = 20;

/// Answers `/silences`.
pub async fn page(State(app): State<App>, uri: Uri) -> Response {
    render(&app, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, uri: &Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::lenient(uri)?;
    let frame = Frame::new(app, uri, &parameters)?;
    let states = parameters.choices("state", &SILENCE_STATES)?;
    let cursor = match parameters.one("cursor")? {
        None => None,
        Some(text) => Some(Cursor::read(text).ok_or_else(|| bad("cursor", "this part of the list is not there"))?),
    };
    let mut found = app.service.silences().await?;
    found.retain(|view| states.is_empty() || states.contains(&view.state.name()));
    let total = found.len();
    let (shown, next) = listing::part(found, |view| view.silence.id.clone(), cursor.as_ref(), ROWS);
    let chosen = states.join(",");
    let content = html! {
        h1 { "Silences" }
        nav.chips aria-label="States" {
            a href="?" aria-current=[chosen.is_empty().then_some("true")] { "All" }
            @for state in SILENCE_STATES {
                @let (sign, word) = state_words(state);
                a href={ "?state=" (state) } aria-current=[(chosen == state).then_some("true")] {
                    span.sign aria-hidden="true" { (sign) } (word)
                }
            }
        }
        @if shown.is_empty() {
            section.card.empty {
                p { "No silence " @if !chosen.is_empty() { "is " (chosen) } @else { "so far" } "." }
                p.quiet { "Add one: " code { "slo silence add checkout/availability --for 2h --comment 'database upgrade' --by ann" } }
            }
        } @else {
            section.card { ul.silences { @for view in &shown { (item(&frame, view)) } } }
        }
        nav.pages aria-label="Parts of the list" {
            span.quiet { (shown.len()) " of " (total) " shown" }
            @if cursor.is_some() { a href={ "?state=" (chosen) } { "From the beginning" } }
            @if let Some(next) = next { a.next href={ "?state=" (encoded(&chosen)) "&cursor=" (next.write()) } { "Next " (ROWS) } }
        }
    };
    Ok(frame.page("Silences", "/silences", &content))
}

fn item(frame: &Frame, view: &SilenceView) -> Markup {
    let silence = &view.silence;
    let (sign, word) = state_words(view.state.name());
    html! {
        li class={ "silence " (view.state.name()) } {
            div.line {
                span class={ "state " (view.state.name()) } { span.sign aria-hidden="true" { (sign) } (word) }
                span.matchers { @for matcher in &silence.matchers { code.label { (matcher) } } }
            }
            p { (silence.comment) }
            p.quiet { (silence.created_by) ", " (times(frame.now, view)) }
            @if view.state != SilenceState::Expired { (covered(frame, view)) }
            p.quiet.small { "Id " code { (silence.id) } }
        }
    }
}

/// The alerts that it covers, or will.
fn covered(frame: &Frame, view: &SilenceView) -> Markup {
    let count = view.covers.len();
    let verb = if count == 1 { "fires" } else { "fire" };
    let covers = if view.state == SilenceState::Pending { "Would cover" } else { "Covers" };
    if count == 0 {
        return html! { p.quiet { (covers) " nothing that fires now" } };
    }
    html! {
        details open[count <= 3] {
            summary { (covers) " " (counted(count, "alert")) " that " (verb) " now" }
            ul {
                @for alert in view.covers.iter().take(NAMED) {
                    li.line { (pill(alert.severity.name())) a.id href=(frame.subject(&alert.slo)) { (alert.slo) } }
                }
                @if count > NAMED { li.quiet { "and " (count - NAMED) " more" } }
            }
        }
    }
}

fn times(now: Timestamp, view: &SilenceView) -> String {
    let silence = &view.silence;
    let (begin, end) = (format::short_moment(silence.starts_at), format::short_moment(silence.ends_at));
    match view.state {
        SilenceState::Active => {
            format!("since {begin} until {end}, {} left", format::roughly(silence.ends_at.since(now)))
        }
        SilenceState::Pending => {
            format!("from {begin} until {end}, begins in {}", format::roughly(silence.starts_at.since(now)))
        }
        SilenceState::Expired => format!("from {begin} until {end}, over {}", format::ago(now, silence.ends_at)),
    }
}

/// Sign and word of a silence's state. Its `expired` is an end like any other, where that of a delivery is a failure.
fn state_words(state: &str) -> (&'static str, &'static str) {
    match state {
        "active" => ("◑", "Active"),
        "expired" => ("–", "Expired"),
        other => words(other),
    }
}
