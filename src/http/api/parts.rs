//! `/api/v1/sources`, `/api/v1/sinks`, `/api/v1/config`, `/api/v1/openapi.json`: state of the parts, redacted.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::Value;

use crate::http::app::App;
use crate::http::dto::list::List;
use crate::http::dto::state::{Config, Sink, Source};
use crate::http::error::{ApiError, ErrorBody};
use crate::http::openapi;
use crate::http::query::Parameters;

/// The sources, by name.
#[utoipa::path(
    get, path = "/api/v1/sources", tag = "parts",
    responses((status = 200, description = "the whole list", body = List<Source>))
)]
pub async fn sources(State(app): State<App>, uri: Uri) -> Result<Json<List<Source>>, ApiError> {
    Parameters::strict(&uri, &[])?;
    let mut items: Vec<Source> = app.service.sources().iter().map(Source::from).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(List { total: items.len(), items, next_cursor: None, as_of: app.as_of() }))
}

/// The sinks, by name: what waits for each, and how the newest try ended.
#[utoipa::path(
    get, path = "/api/v1/sinks", tag = "parts",
    responses(
        (status = 200, description = "the whole list", body = List<Sink>),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn sinks(State(app): State<App>, uri: Uri) -> Result<Json<List<Sink>>, ApiError> {
    Parameters::strict(&uri, &[])?;
    let items: Vec<Sink> = app.service.sinks().await?.iter().map(Sink::from).collect();
    Ok(Json(List { total: items.len(), items, next_cursor: None, as_of: app.as_of() }))
}

/// What is loaded: revision, digest, and the configuration as meant with secrets redacted.
#[utoipa::path(
    get, path = "/api/v1/config", tag = "parts",
    responses((status = 200, description = "the configuration in use", body = Config))
)]
pub async fn config(State(app): State<App>, uri: Uri) -> Result<Json<Config>, ApiError> {
    Parameters::strict(&uri, &[])?;
    Ok(Json(Config::from(app.service.config())))
}

/// This document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "parts",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object),
        (status = 500, description = "the document cannot be written", body = ErrorBody),
    )
)]
pub async fn document() -> Result<Json<Value>, ApiError> {
    openapi::document().map(Json)
}
