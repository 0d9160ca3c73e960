//! `/a/{token}`: what a signed link does. Looking shows a button and changes nothing, for scanners of mail follow links;
//! pressing it acts, whatever address we listen on: the signature is the permission.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};

use crate::http::api::alerts::case_of;
use crate::http::app::App;
use crate::http::dashboard::act::{nothing_told, silence_of, silenced};
use crate::http::dashboard::layout::{Frame, counted, mark, pill};
use crate::http::dashboard::{format, forms, tiers};
use crate::http::dto::alert::state_name;
use crate::http::dto::case::Acked;
use crate::http::error::ApiError;
use crate::policy::act::{Act, Actor, SilenceDraft};
use crate::policy::alert::{Alert, AlertState};
use crate::policy::desk::found::DigestFound;
use crate::runtime::links::{LinkAction, LinkError, MUTE};
use crate::runtime::service::{LinkAbout, LinkView};

/// Who acts where no name is typed in, and on what way.
const VIA: &str = "link";
/// Alerts of a digest that are named.
const NAMED: usize = 50;

/// Answers GET: what the link does, and a button.
pub async fn page(State(app): State<App>, Path(token): Path<String>, uri: Uri) -> Response {
    shown(&app, &token, &uri).await.unwrap_or_else(|error| forms::problem(&app, &uri, &error))
}

/// Answers POST: does it.
pub async fn act(
    State(app): State<App>,
    Path(token): Path<String>,
    uri: Uri,
    form: Result<Bytes, BytesRejection>,
) -> Response {
    let form = form.unwrap_or_default();
    done(&app, &token, &uri, &form).await.unwrap_or_else(|error| forms::problem(&app, &uri, &error))
}

async fn shown(app: &App, token: &str, uri: &Uri) -> Result<Response, ApiError> {
    let frame = forms::still(app, uri)?;
    let link = app.service.link(token).await.map_err(|error| refused(&error))?;
    let acked = match &link.about {
        LinkAbout::Alert(alert, _) => case_of(app, &alert.id).await?.acked,
        LinkAbout::Digest(digest) => digest.acked().map(Acked::from),
    };
    let over = over(&link.about);
    let already = acked.filter(|_| link.action == LinkAction::Ack);
    let content = html! {
        section.card {
            h1 { (title(link.action)) }
            (about(&frame, &link.about))
            @if over.is_none() && already.is_none() { p { (what(&link)) } }
            @if let Some(over) = over {
                p.notice-bar role="status" { (over) }
            } @else if let Some(acked) = already {
                p.notice-bar role="status" { (acked.by) " acknowledged it already, " (format::moment(acked.at)) "." }
            } @else {
                form.filter method="post" {
                    (forms::name_field())
                    button type="submit" { (title(link.action)) }
                }
            }
            p.quiet { "This link holds until " (format::moment(link.expires_at)) "." }
        }
    };
    Ok(frame.page(title(link.action), "", &content))
}

async fn done(app: &App, token: &str, uri: &Uri, form: &Bytes) -> Result<Response, ApiError> {
    let frame = forms::still(app, uri)?;
    let link = app.service.link(token).await.map_err(|error| refused(&error))?;
    if let Some(over) = over(&link.about) {
        return Err(ApiError::new(StatusCode::CONFLICT, "conflict", over));
    }
    let by = Actor { name: forms::name(form).unwrap_or_else(|| VIA.to_owned()), via: VIA.to_owned() };
    let act = match link.action {
        LinkAction::Ack => Act::Ack { alert: id(&link.about).to_owned(), note: None },
        LinkAction::Mute => Act::Silence(silence(app, &link.about, &by)?),
    };
    let acted = app.act(act, &by).await?;
    let content = html! {
        section.card {
            h1 { "Done" }
            (about(&frame, &link.about))
            p.notice-bar role="status" {
                @match link.action {
                    LinkAction::Ack => (acted.message),
                    LinkAction::Mute => (silenced(frame.now + MUTE, frame.now)),
                }
            }
            @if let LinkAbout::Alert(alert, _) = &link.about {
                p { a href=(frame.subject(&alert.slo)) { "Why it fires" } }
            }
        }
    };
    Ok(frame.page("Done", "", &content).into_response())
}

fn id(about: &LinkAbout) -> &str {
    match about {
        LinkAbout::Alert(alert, _) => &alert.id,
        LinkAbout::Digest(digest) => &digest.alert_id,
    }
}

fn about(frame: &Frame, about: &LinkAbout) -> Markup {
    match about {
        LinkAbout::Alert(alert, _) => about_alert(frame, alert),
        LinkAbout::Digest(digest) => about_digest(frame, digest),
    }
}

/// The alerts of one message, each with where it stands.
fn about_digest(frame: &Frame, digest: &DigestFound) -> Markup {
    let more = digest.members.len().saturating_sub(NAMED);
    html! {
        p { (pill(digest.severity.name())) " " (counted(digest.members.len(), "alert")) " told as one" }
        ul {
            @for member in digest.members.iter().take(NAMED) {
                li {
                    a.id href=(frame.alert(&member.alert_id)) { (member.slo) } ": " (member.reason)
                    @if !member.fires { " (has ended)" }
                    @else if let Some(ack) = &member.acked { " (acknowledged by " (ack.by) ")" }
                }
            }
            @if more > 0 { li { "and " (more) " more" } }
        }
    }
}

fn about_alert(frame: &Frame, alert: &Alert) -> Markup {
    html! {
        div.line {
            (pill(alert.severity.name()))
            (tiers::state(alert.state))
            a.id href=(frame.subject(&alert.slo)) { (alert.slo) }
            @if alert.is_drill() { (mark("drill", "Not life: nothing is wrong")) }
        }
        p { (alert.reason) }
    }
}

const fn title(action: LinkAction) -> &'static str {
    match action {
        LinkAction::Ack => "Acknowledge",
        LinkAction::Mute => "Mute for 1 h",
    }
}

const fn what(link: &LinkView) -> &'static str {
    match link.action {
        LinkAction::Ack if matches!(link.about, LinkAbout::Digest(_)) => {
            "The button says that you take all of these on: they are neither repeated nor escalated any more."
        }
        LinkAction::Ack => {
            "The button says that you take this alert on: it is neither repeated nor escalated any more."
        }
        LinkAction::Mute => "The button silences this alert's labels for 1 h. Still firing then, it is told once more.",
    }
}

/// Why nothing can be done any more.
fn over(about: &LinkAbout) -> Option<String> {
    let alert = match about {
        LinkAbout::Alert(alert, _) => alert,
        LinkAbout::Digest(digest) if digest.fires() => return None,
        LinkAbout::Digest(_) => return Some("All of its alerts have ended: nothing is left to do.".to_owned()),
    };
    let ended = alert.resolved_at.map_or_else(String::new, |at| format!(", {}", format::moment(at)));
    match alert.state {
        AlertState::Firing => None,
        AlertState::Resolved => Some(format!("The alert has ended{ended}: nothing is left to do.")),
        state => Some(format!("The alert is {}: there is nothing to do.", state_name(state))),
    }
}

/// A silence of exactly this alert's labels.
fn silence(app: &App, about: &LinkAbout, by: &Actor) -> Result<SilenceDraft, ApiError> {
    let LinkAbout::Alert(_, Some(labels)) = about else { return Err(nothing_told()) };
    Ok(silence_of(labels.clone(), "muted by the link in a message", by, app.service.now()))
}

fn refused(error: &LinkError) -> ApiError {
    let (status, code) = match error {
        LinkError::Forged => (StatusCode::FORBIDDEN, "forged_link"),
        LinkError::Expired => (StatusCode::GONE, "expired_link"),
        LinkError::Gone => (StatusCode::NOT_FOUND, "unknown_alert"),
        LinkError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_failed"),
    };
    ApiError::new(status, code, error.to_string())
}
