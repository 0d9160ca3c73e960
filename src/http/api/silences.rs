//! `/api/v1/silences` and `/api/v1/markers`: who wants to hear nothing of what, and what was deployed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde::de::DeserializeOwned;

use crate::http::api::page;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dto::list::List;
use crate::http::dto::silence::{Marked, Marker, NewMarker, NewSilence, Silence, SilenceId};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::listing;
use crate::http::query::Parameters;
use crate::policy::act::{Act, SilenceDraft};

/// States of a silence that can be asked for.
pub const SILENCE_STATES: [&str; 3] = ["active", "pending", "expired"];

type Body = Result<Bytes, BytesRejection>;

/// Silences: those that hold first, then those to come, then those that are over, newest first.
#[utoipa::path(
    get, path = "/api/v1/silences", tag = "silences",
    params(
        ("state" = Option<String>, Query, description = "one state or several with commas between: active pending expired"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Silence>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<List<Silence>>, ApiError> {
    let parameters = Parameters::strict(&uri, &["state", "limit", "cursor"])?;
    let states = parameters.choices("state", &SILENCE_STATES)?;
    let (limit, cursor) = page(&parameters)?;
    let mut items: Vec<Silence> = app.service.silences().await?.iter().map(Silence::from).collect();
    items.retain(|silence| states.is_empty() || states.contains(&silence.state.as_str()));
    let total = items.len();
    let (items, next) = listing::part(items, |silence| silence.id.clone(), cursor.as_ref(), limit);
    Ok(Json(List { items, next_cursor: next.map(|cursor| cursor.write()), total, as_of: app.as_of() }))
}

/// Adds a silence, or changes the one whose `id` is said. It keeps its id while its matchers and its begin stay; else that
/// one is ended, and the answer names the new one.
#[utoipa::path(
    post, path = "/api/v1/silences", tag = "silences",
    request_body = NewSilence,
    responses(
        (status = 200, description = "its id", body = SilenceId),
        (status = 400, description = "a body that is none, or a silence that makes no sense", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "there is no silence with the `id` that was said", body = ErrorBody),
        (status = 413, description = "the body is larger than 64 KiB", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
pub async fn add(State(app): State<App>, caller: Caller, uri: Uri, body: Body) -> Result<Json<SilenceId>, ApiError> {
    Parameters::strict(&uri, &[])?;
    let draft = SilenceDraft::from(read::<NewSilence>(body)?);
    let by = caller.actor(Some(&draft.created_by));
    let acted = app.act(Act::Silence(draft), &by).await?;
    Ok(Json(SilenceId { id: acted.id.clone(), silence_id: acted.id, hint: acted.hint }))
}

/// Ends a silence now. What still fires under it is told.
#[utoipa::path(
    delete, path = "/api/v1/silences/{id}", tag = "silences",
    params(
        ("id" = String, Path, description = "the silence's id"),
        ("by" = Option<String>, Query, description = "who ends it, where no token says"),
    ),
    responses(
        (status = 200, description = "its id", body = SilenceId),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "no such silence", body = ErrorBody),
        (status = 409, description = "it is over", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
pub async fn expire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<SilenceId>, ApiError> {
    let parameters = Parameters::strict(&uri, &["by"])?;
    let by = caller.actor(parameters.one("by")?);
    let acted = app.act(Act::Expire { silence: id }, &by).await?;
    Ok(Json(SilenceId { id: acted.id.clone(), silence_id: acted.id, hint: acted.hint }))
}

/// Deploys that were marked, newest first.
#[utoipa::path(
    get, path = "/api/v1/markers", tag = "silences",
    params(
        ("service" = Option<String>, Query, description = "of this service only"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Marker>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn markers(State(app): State<App>, uri: Uri) -> Result<Json<List<Marker>>, ApiError> {
    let parameters = Parameters::strict(&uri, &["service", "limit", "cursor"])?;
    let service = parameters.one("service")?;
    let (limit, cursor) = page(&parameters)?;
    let mut items: Vec<Marker> = app.service.deploys().await?.into_iter().map(Marker::from).collect();
    items.retain(|marker| service.is_none_or(|service| marker.service == service));
    let total = items.len();
    let id = |marker: &Marker| format!("{} {} {}", marker.at, marker.service, marker.version);
    let (items, next) = listing::part(items, id, cursor.as_ref(), limit);
    Ok(Json(List { items, next_cursor: next.map(|cursor| cursor.write()), total, as_of: app.as_of() }))
}

/// Says that a service was deployed: shown in alerts that fire after it, and what policies hold back with `on_deploy`.
/// The same deploy told twice is one.
#[utoipa::path(
    post, path = "/api/v1/markers", tag = "silences",
    request_body = NewMarker,
    responses(
        (status = 200, description = "marked", body = Marked),
        (status = 400, description = "a body that is none, or a deploy that makes no sense", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 413, description = "the body is larger than 64 KiB", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
pub async fn mark(State(app): State<App>, caller: Caller, uri: Uri, body: Body) -> Result<Json<Marked>, ApiError> {
    Parameters::strict(&uri, &[])?;
    let NewMarker { service, version, at, by } = read(body)?;
    let by = caller.actor(by.as_deref());
    let acted = app.act(Act::Mark { service, version, at }, &by).await?;
    Ok(Json(Marked { id: acted.id, message: acted.message }))
}

/// The body as what it should be.
fn read<T: DeserializeOwned>(body: Body) -> Result<T, ApiError> {
    let bytes =
        body.map_err(|rejection| ApiError::new(rejection.status(), "bad_body", rejection.body_text().to_lowercase()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::bad_request("bad_body", format!("the body cannot be read: {error}")))
}
