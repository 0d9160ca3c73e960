//! `/alerts/{id}`: one alert as of now, who was told, what may be done, and what happened to it in order.

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use maud::{Markup, html};

use crate::http::api::alerts::case_of;
use crate::http::api::outbox::Outbox;
use crate::http::api::people::audited;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dashboard::act;
use crate::http::dashboard::alerts::{line, said, times, told};
use crate::http::dashboard::deliveries::{self, Of};
use crate::http::dashboard::format::{self, percent, when};
use crate::http::dashboard::layout::{Frame, encoded, problem, web_address};
use crate::http::dashboard::tiers;
use crate::http::dto::alert::{Alert as Shown, as_of};
use crate::http::error::ApiError;
use crate::http::query::Parameters;
use crate::http::timeline::{self, Happened};
use crate::policy::evidence::Evidence;
use crate::runtime::service::InstanceView;
use crate::units::InstanceId;

/// Seconds after which a page with a field loads itself again, so that a name can be typed in.
const REFRESH_WITH_FIELD: usize = 60;

/// Answers `/alerts/{id}`.
pub async fn page(State(app): State<App>, caller: Caller, Path(id): Path<String>, uri: Uri) -> Response {
    render(&app, &caller, &id, &uri).await.unwrap_or_else(|error| problem(&app, &uri, &error))
}

async fn render(app: &App, caller: &Caller, id: &str, uri: &Uri) -> Result<Response, ApiError> {
    let mut frame = Frame::new(app, uri, &Parameters::lenient(uri)?)?;
    let unknown = || ApiError::not_found("unknown_alert", format!("there is no alert `{id}`"));
    let alert = app.service.alert(id).await?.ok_or_else(unknown)?;
    let case = case_of(app, id).await?;
    let rows = Outbox::new(app).of(id, &case).await?;
    let shown = Shown::new(&alert, &rows, &case, &app.service.sinks().await?);
    let happened = timeline::of(&shown, &case, &audited(app, id).await?);
    let instance = alert.slo.parse::<InstanceId>().ok().and_then(|id| app.service.instance(&id));
    let buttons = act::buttons(&frame, &alert, case.acked.is_some(), caller);
    if !buttons.0.is_empty() && !caller.has_token() && frame.refresh > 0 {
        frame.refresh = frame.refresh.max(REFRESH_WITH_FIELD);
    }
    let content = html! {
        p.crumbs { a href=(frame.path("/alerts")) { "Alerts" } }
        section.card {
            h1.hidden { "Alert of " (alert.slo) }
            (line(&frame, &alert, &case))
            p { (alert.reason) }
            p.quiet {
                (times(&frame, &alert))
                @if let Some(at) = as_of(&alert) { " · figures as of " (when(frame.now, at)) }
            }
            (said(&case))
            @if alert.fired_at.is_some() { (told(&frame, &alert, &shown.telling)) }
            @if let Some(above) = &alert.held_back_by { p { "Held back under " a href=(frame.alert(above)) { (above) } } }
            (buttons)
        }
        (around(&frame, alert.evidence.as_ref(), instance.as_ref()))
        section.card { h2 { "What happened" } (steps(&happened)) }
        @if !alert.tiers.is_empty() { section.card { h2 { "Tiers" } (tiers::table(&alert.tiers)) } }
        @if !rows.is_empty() { section.card { h2 { "Deliveries" } (deliveries::table(&frame, &rows, Of::Alert(id))) } }
        section.card.facts {
            p.quiet { "Id " code { (alert.id) } }
            p { "All of it as " a href=(bundle(&frame, id, "json")) { "JSON" } " or " a href=(bundle(&frame, id, "md")) { "Markdown" } }
        }
    };
    Ok(frame.page(&format!("Alert of {}", alert.slo), "/alerts", &content))
}

/// What helps at three in the night: where it fails, what was deployed, whom to ask, where to look.
fn around(frame: &Frame, evidence: Option<&Evidence>, instance: Option<&InstanceView>) -> Markup {
    let differs = evidence.map(|evidence| evidence.differs.as_slice()).unwrap_or_default();
    let deploy = evidence.and_then(|evidence| evidence.deploy.as_ref());
    let owner = instance.and_then(|view| view.owner.as_ref());
    let links = instance.map(|view| &view.links).filter(|links| !links.is_empty());
    html! {
        @if !differs.is_empty() || deploy.is_some() || owner.is_some() || links.is_some() {
            section.card.facts {
                dl {
                    @if !differs.is_empty() { div { dt { "Where" } dd { ul {
                        @for one in differs {
                            li { code { (one.name) "=" (one.value) } " " (percent(one.bad_ratio)) " of bad, " (percent(one.good_ratio)) " of good" }
                        }
                    } } } }
                    @if let Some(deploy) = deploy {
                        div { dt { "Last deploy" } dd { (deploy.service) " " b { (deploy.version) } ", " (when(frame.now, deploy.at)) } }
                    }
                    @if let Some(owner) = owner {
                        div { dt { "Owner" } dd { (owner) @if let Some(contact) = instance.and_then(|view| view.contact.as_ref()) { " " (contact) } } }
                    }
                    @for (name, address) in links.into_iter().flatten() {
                        div { dt { (name) } dd { @match web_address(address) {
                            Some(address) => a href=(address) rel="noreferrer" { (address) },
                            None => (address),
                        } } }
                    }
                }
            }
        }
    }
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
