//! `/alerts/{id}`: one alert, and what happened to it in order: changes, who was told, what people did.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::api::alerts::{case_of, with_deliveries};
use crate::http::api::people::audited;
use crate::http::app::App;
use crate::http::dashboard::alerts::{delivery_table, line, said, times};
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{Frame, encoded, problem};
use crate::http::dashboard::tiers;
use crate::http::error::ApiError;
use crate::http::query::Parameters;
use crate::http::timeline::{self, Happened};
use crate::store::DeliveryFilter;

/// Deliveries shown.
const DELIVERIES: usize = 200;

/// Answers `/alerts/{id}`.
pub async fn page(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Response {
    render(&app, &id, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, id: &str, uri: &Uri) -> Result<Response, ApiError> {
    let frame = Frame::new(app, uri, &Parameters::lenient(uri)?)?;
    let unknown = || ApiError::not_found("unknown_alert", format!("there is no alert `{id}`"));
    let alert = app.service.alert(id).await?.ok_or_else(unknown)?;
    let case = case_of(app, id).await?;
    let shown = with_deliveries(app, std::slice::from_ref(&alert)).await?.pop().ok_or_else(unknown)?;
    let happened = timeline::of(&shown, &case, &audited(app, id).await?);
    let filter = DeliveryFilter { alert_id: Some(id.to_owned()), ..DeliveryFilter::default() };
    let deliveries = app.service.deliveries(&filter, DELIVERIES).await?;
    let content = html! {
        p.crumbs { a href=(frame.path("/alerts")) { "Alerts" } }
        section.card {
            h1.hidden { "Alert of " (alert.slo) }
            (line(&frame, &alert, &case))
            p { (alert.reason) }
            p.quiet { (times(&frame, &alert)) }
            (said(&case))
            @if let Some(above) = &alert.held_back_by { p { "Held back under " a href=(frame.alert(above)) { (above) } } }
        }
        section.card { h2 { "What happened" } (steps(&happened)) }
        @if !alert.tiers.is_empty() { section.card { h2 { "Tiers" } (tiers::table(&alert.tiers)) } }
        @if !deliveries.is_empty() { section.card { h2 { "Deliveries" } (delivery_table(&deliveries)) } }
        section.card.facts {
            p.quiet { "Id " code { (alert.id) } }
            p { "All of it as " a href=(bundle(&frame, id, "json")) { "JSON" } " or " a href=(bundle(&frame, id, "md")) { "Markdown" } }
        }
    };
    Ok(frame.page(&format!("Alert of {}", alert.slo), "/alerts", &content))
}

fn bundle(frame: &Frame, id: &str, as_what: &str) -> String {
    frame.path(&format!("/api/v1/alerts/{}/bundle?format={as_what}", encoded(id)))
}

fn steps(happened: &[Happened]) -> Markup {
    html! {
        ol.steps {
            @for step in happened {
                li {
                    time datetime=(step.at) { (format::moment(step.at)) } " " b { (step.what) }
                    @if !step.detail.is_empty() { " " (step.detail) }
                }
            }
        }
    }
}
