//! `/health`: sources, sinks, files in use, what waits to be delivered or was given up, who did what.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::config::access::Role;
use crate::http::api::audit::newest;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dashboard::deliveries::{self, Of};
use crate::http::dashboard::layout::{Frame, mark, problem, words};
use crate::http::dashboard::{format, sinks};
use crate::http::dto::audit::Audited;
use crate::http::error::ApiError;
use crate::http::query::Parameters;
use crate::runtime::service::{ConfigView, SourceView};
use crate::store::{DeliveryFilter, DeliveryState};

/// Deliveries shown.
const DELIVERIES: usize = 50;

/// Acts shown.
const ACTS: usize = 20;

/// Answers `/health`.
pub async fn page(State(app): State<App>, caller: Caller, uri: Uri) -> Response {
    render(&app, &caller, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, caller: &Caller, uri: &Uri) -> Result<Response, ApiError> {
    let frame = Frame::new(app, uri, &Parameters::lenient(uri)?)?;
    let of = |state| DeliveryFilter { state: Some(state), ..DeliveryFilter::default() };
    let pending = app.service.deliveries(&of(DeliveryState::Pending), DELIVERIES).await?;
    let mut given_up = app.service.deliveries(&of(DeliveryState::Failed), DELIVERIES).await?;
    given_up.extend(app.service.deliveries(&of(DeliveryState::Expired), DELIVERIES).await?);
    given_up.sort_by_key(|delivery| std::cmp::Reverse(delivery.sequence));
    let acts = newest(app, ACTS).await?;
    let receivers = app.service.sinks().await?;
    let content = html! {
        h1 { "Health" }
        @if let Err(missing) = app.service.ready() { p.notice-bar role="status" { "Not ready: " (missing) } }
        section.card { h2 { "Sources" } (sources(&frame, &app.service.sources())) }
        section.card { h2 { "Sinks" } (sinks::table(&frame, &receivers)) }
        section.card { h2 { "Files" } (files(&frame, &app.service.config())) }
        section.card {
            h2 { "Waiting to be delivered" }
            @if pending.is_empty() { p.quiet { "Nothing waits." } } @else { (deliveries::table(&frame, &pending, Of::All)) }
            @if pending.len() == DELIVERIES { p { a href=(frame.path("/api/v1/deliveries?state=pending")) { "All of them" } } }
        }
        @if !given_up.is_empty() {
            section.card {
                h2 { "Given up" }
                p.quiet { "Once the receiver is mended, send them again here or with " code { "slo deliveries resend ID" } "." }
                (deliveries::table(&frame, &given_up, Of::GivenUp { may: caller.may(Role::Operate) }))
            }
        }
        section.card {
            h2 { "Done by people" }
            @if acts.is_empty() { p.quiet { "Nothing so far." } } @else { (audit(&frame, &acts)) }
        }
    };
    Ok(frame.page("Health", "/health", &content))
}

/// The newest entries of the audit.
fn audit(frame: &Frame, acts: &[Audited]) -> Markup {
    html! {
        div.scroll {
            table.audit {
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } th scope="col" { "To" }
                    th scope="col" { "Detail" }
                } }
                tbody { @for act in acts { tr {
                    th.nobreak scope="row" { (format::moment(act.at)) }
                    td.nobreak data-name="Who" { @if act.actor != act.via { (act.actor) " " } span.quiet { "by " (act.via) } }
                    td data-name="What" { (act.action) }
                    td data-name="To" { code { (act.object) } }
                    td data-name="Detail" { (act.detail) }
                } } }
            }
        }
        p { a href=(frame.path("/api/v1/audit")) { "All of it" } }
    }
}

fn sources(frame: &Frame, sources: &[SourceView]) -> Markup {
    html! {
        @if sources.is_empty() { p.quiet { "No source is configured." } } @else {
            div.scroll {
                table.sources {
                    thead { tr {
                        th scope="col" { "Source" } th scope="col" { "State" } th scope="col" { "Data as of" }
                        th scope="col" { "Last answer" } th scope="col" { "Failed requests" } th scope="col" { "Last error" }
                    } }
                    tbody { @for source in sources { (row(frame, source)) } }
                }
            }
        }
    }
}

fn row(frame: &Frame, source: &SourceView) -> Markup {
    let status = if source.up { "up" } else { "down" };
    let (sign, word) = words(status);
    html! {
        tr {
            th scope="row" { (source.name) " " span.quiet { (source.kind) } }
            td data-name="State" {
                span class={ "pill " (if source.up { "ok" } else { "down" }) } { span.sign aria-hidden="true" { (sign) } (word) }
                @if source.replicas_differ { (mark("replicas differ", "An answer came from another replica than what is held")) }
                @if let Some(targets) = source.targets.filter(|targets| targets.failed > 0) {
                    (mark(&format!("{} of {} targets fail", targets.failed, targets.all), "What they export is not measured"))
                }
                @if source.clock_skew_seconds.abs() > 2.0 {
                    (mark(&format!("clock {:+.1} s", source.clock_skew_seconds), "Its clock minus ours"))
                }
            }
            td data-name="Data as of" { (source.watermark.map_or_else(|| "never".to_owned(), format::moment)) }
            td data-name="Last answer" { (source.last_success_at.map_or_else(|| "never".to_owned(), |at| format::ago(frame.now, at))) }
            td data-name="Failed requests" { (source.requests_failed) }
            td data-name="Last error" {
                @match &source.last_error {
                    Some((at, message)) => { (message) span.quiet { " " (format::ago(frame.now, *at)) } }
                    None => span.quiet { "none" },
                }
            }
        }
    }
}

/// That the files which are there are not those in use, and the first reason.
pub fn refused_reload(config: &ConfigView) -> Markup {
    html! {
        p.notice-bar role="status" {
            "The last reload was refused: the set before it is in use. "
            @if let Some(error) = &config.reload_error { code { (error) } " " }
            code { "slo check" } " says all."
        }
    }
}

fn files(frame: &Frame, config: &ConfigView) -> Markup {
    html! {
        @if !config.reload_ok {
            (refused_reload(config))
        }
        dl {
            div { dt { "Revision" } dd { (config.revision.as_deref().unwrap_or("not in Git")) } }
            div { dt { "Digest" } dd { code { (config.digest) } } }
            div { dt { "Loaded" } dd { (format::moment(config.loaded_at)) " " span.quiet { (format::ago(frame.now, config.loaded_at)) } } }
            div { dt { "Configuration" } dd { a href=(frame.path("/api/v1/config")) { "as in use, secrets redacted" } } }
        }
    }
}
