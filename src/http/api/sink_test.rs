//! `/api/v1/sinks/{sink}/test`: a marked message through the outbox, and its end.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;

use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dto::delivery::Delivery;
use crate::http::error::{ApiError, ErrorBody};
use crate::policy::act::Act;
use crate::spec::policy::SEVERITIES;

/// What is asked for; all of it may be left out.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestRequest {
    /// `page` (the default), `ticket` or `notice`
    pub severity: Option<String>,
    /// The delivery of a test that is ended
    pub ends: Option<String>,
    /// Who asks, where no token says so
    pub by: Option<String>,
}

/// Sends a marked message to one sink through the outbox, or the end of one; the answer is its delivery.
#[utoipa::path(
    post, path = "/api/v1/sinks/{sink}/test", tag = "parts",
    params(("sink" = String, Path, description = "name of the sink")),
    request_body = TestRequest,
    responses(
        (status = 200, description = "the delivery, which is tried from now on", body = Delivery),
        (status = 400, description = "the body is not understood", body = ErrorBody),
        (status = 403, description = "writes are open on loopback, or to a token with the role `operate`", body = ErrorBody),
        (status = 404, description = "no such sink, or no such test", body = ErrorBody),
        (status = 409, description = "a test was sent in the same second", body = ErrorBody),
        (status = 503, description = "the store failed; nothing was done", body = ErrorBody),
    )
)]
pub async fn send(
    State(app): State<App>,
    caller: Caller,
    Path(sink): Path<String>,
    body: Bytes,
) -> Result<Json<Delivery>, ApiError> {
    let wrong = |message: String| ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message);
    let asked: TestRequest = match body.as_ref() {
        b"" => TestRequest::default(),
        text => serde_json::from_slice(text).map_err(|why| wrong(format!("the body is not understood: {why}")))?,
    };
    let name = asked.severity.as_deref().unwrap_or("page");
    let severity = SEVERITIES.iter().find(|(known, _)| *known == name).map(|(_, severity)| *severity);
    let severity = severity.ok_or_else(|| wrong(format!("`{name}` is no severity: page, ticket or notice")))?;
    let act = Act::Test { sink, severity, ends: asked.ends };
    let acted = app.act(act, &caller.actor(asked.by.as_deref())).await?;
    let missing = || ApiError::not_found("not_found", format!("the delivery `{}` is gone", acted.id));
    let found = app.service.delivery(&acted.id).await?.ok_or_else(missing)?;
    Ok(Json(Delivery::from(&found)))
}
