//! What the buttons of the pages do: the acts of the API, under the same rules (`guard`, `needs`), answered with a page.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};

use crate::config::access::Role;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dashboard::format::when;
use crate::http::dashboard::forms;
use crate::http::dashboard::layout::{Frame, encoded};
use crate::http::error::ApiError;
use crate::policy::act::{Act, Actor, SilenceDraft};
use crate::policy::alert::{Alert, AlertState};
use crate::policy::silence::LabelMatcher;
use crate::runtime::links::MUTE;
use crate::units::Timestamp;

/// On what way, for the audit.
const VIA: &str = "dashboard";

type Form = Result<Bytes, BytesRejection>;

/// The buttons of an alert: those that the visitor may press, none where it does not fire.
pub fn buttons(frame: &Frame, alert: &Alert, acked: bool, caller: &Caller) -> Markup {
    let to = |act: &str| frame.path(&format!("/alerts/{}/{act}", encoded(&alert.id)));
    let fires = alert.state == AlertState::Firing;
    html! {
        @if fires && caller.may(Role::Operate) {
            form.filter.acts method="post" {
                @if !caller.has_token() { (forms::name_field()) }
                @if !acked { button type="submit" formaction=(to("ack")) { "Acknowledge" } }
                button.plain type="submit" formaction=(to("silence")) { "Silence for " (MUTE) }
                @if caller.may(Role::Admin) && (alert.is_drill() || !alert.slo.starts_with("source/")) {
                    details {
                        summary { "Close" }
                        p.quiet.small { "Ends it although the data does not: for data that will not come back. It fires again after a slice end without a match; one that burns on also once its long window lies behind the close." }
                        button.plain type="submit" formaction=(to("close")) { "Close it" }
                    }
                }
            }
        }
    }
}

/// Answers POST `/alerts/{id}/ack|silence|close`.
pub async fn alert(State(app): State<App>, caller: Caller, Path(rest): Path<String>, uri: Uri, form: Form) -> Response {
    let by = Actor { via: VIA.to_owned(), ..caller.actor(forms::name(&form.unwrap_or_default()).as_deref()) };
    acted(&app, &rest, &uri, &by).await.unwrap_or_else(|error| forms::problem(&app, &uri, &error))
}

async fn acted(app: &App, rest: &str, uri: &Uri, by: &Actor) -> Result<Response, ApiError> {
    let frame = forms::still(app, uri)?;
    let nothing = || ApiError::not_found("not_found", "an alert takes `ack`, `silence` or `close` behind its id");
    let (id, what) = rest.rsplit_once('/').ok_or_else(nothing)?;
    let (id, act) = match what {
        "ack" => (id, Act::Ack { alert: id.to_owned(), note: None }),
        "close" => (id, Act::Close { alert: id.to_owned(), note: None }),
        "silence" => {
            let unknown = || ApiError::not_found("unknown_alert", format!("there is no alert `{id}`"));
            let alert = app.service.alert(id).await?.ok_or_else(unknown)?;
            let labels = app.service.labels(&alert).await.ok_or_else(nothing_told)?;
            (id, Act::Silence(silence_of(labels, "silenced on the alert's page", by, app.service.now())))
        }
        _ => return Err(nothing()),
    };
    let until = if let Act::Silence(draft) = &act { Some(draft.ends_at) } else { None };
    let acted = app.act(act, by).await?;
    let message = until.map_or(acted.message, |until| silenced(until, app.service.now()));
    Ok(done(&frame, &message, &html! { a href=(frame.alert(id)) { "Back to the alert" } }))
}

/// Answers POST `/deliveries/{id}/resend`.
pub async fn resend(
    State(app): State<App>,
    caller: Caller,
    Path(rest): Path<String>,
    uri: Uri,
    form: Form,
) -> Response {
    let by = Actor { via: VIA.to_owned(), ..caller.actor(forms::name(&form.unwrap_or_default()).as_deref()) };
    resent(&app, &rest, &uri, &by).await.unwrap_or_else(|error| forms::problem(&app, &uri, &error))
}

async fn resent(app: &App, rest: &str, uri: &Uri, by: &Actor) -> Result<Response, ApiError> {
    let frame = forms::still(app, uri)?;
    let nothing = || ApiError::not_found("not_found", "a delivery takes `resend` behind its id");
    let id = rest.strip_suffix("/resend").ok_or_else(nothing)?;
    let acted = app.act(Act::Resend { delivery: id.to_owned() }, by).await?;
    Ok(done(&frame, &acted.message, &html! { a href=(frame.path("/health")) { "Back to health" } }))
}

fn done(frame: &Frame, message: &str, back: &Markup) -> Response {
    let content = html! {
        section.card.problem { h1 { "Done" } p.notice-bar role="status" { (message) } p { (back) } }
    };
    frame.page("Done", "", &content)
}

/// What is said of a silence that was made.
pub fn silenced(until: Timestamp, now: Timestamp) -> String {
    format!("Silenced until {}. What still fires then is told once more.", when(now, until))
}

/// Nobody knows the labels of an alert that was not told.
pub fn nothing_told() -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "conflict", "nobody was told of this alert: nothing to silence")
}

/// A silence of exactly these labels.
pub fn silence_of(labels: BTreeMap<String, String>, comment: &str, by: &Actor, now: Timestamp) -> SilenceDraft {
    let matcher = |(name, value)| LabelMatcher { name, value, is_regex: false, is_equal: true };
    SilenceDraft {
        id: None,
        matchers: labels.into_iter().map(matcher).collect(),
        created_by: by.name.clone(),
        comment: comment.to_owned(),
        starts_at: None,
        ends_at: now + MUTE,
    }
}
