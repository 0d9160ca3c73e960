//! `/api/v1/hooks/{sink}`: acknowledgements that come back from PagerDuty and Slack.
//!
//! The signature is the permission, whatever address we listen on. What was understood and could not be done for good is a
//! success that says so: else the receiver would send it for hours.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::error::{ApiError, ErrorBody};
use crate::policy::act::Act;
use crate::runtime::hooks::{HookAck, HookError, HookRequest};
use crate::runtime::service::ActError;

/// Largest body: Slack sends the whole message along.
pub const BODY_LIMIT: usize = 256 * 1024;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hooked {
    /// Whether something was done.
    pub done: bool,
    /// What, or why not.
    pub message: String,
}

/// Takes an acknowledgement: PagerDuty's webhooks v3, or Slack's interactivity.
#[utoipa::path(
    post, path = "/api/v1/hooks/{sink}", tag = "alerts",
    params(("sink" = String, Path, description = "name of the sink")),
    request_body(content = String, description = "as the receiver sends it", content_type = "application/json"),
    responses(
        (status = 200, description = "understood; `done` says whether it changed anything", body = Hooked),
        (status = 400, description = "signed, and not what the receiver documents", body = ErrorBody),
        (status = 401, description = "not signed, or not with our secret", body = ErrorBody),
        (status = 403, description = "the sink has no secret to prove it by", body = ErrorBody),
        (status = 404, description = "no such sink", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
pub async fn hook(
    State(app): State<App>,
    Path(sink): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Hooked>, ApiError> {
    let body = body.map_err(|why| ApiError::new(why.status(), "bad_body", why.body_text().to_lowercase()))?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = HookRequest {
        signature: header("x-pagerduty-signature").or_else(|| header("x-slack-signature")),
        timestamp: header("x-slack-request-timestamp"),
        body: body.to_vec(),
    };
    let hooked = |done: bool, message: &str| Ok(Json(Hooked { done, message: message.to_owned() }));
    let asked = app.service.hook(&sink, &request).await.map_err(|error| refused(&error))?;
    let Some((by, ack)) = asked else { return hooked(false, "nothing that we follow, or no such alert fires") };
    let HookAck { key: alert, note, taken_back, .. } = ack;
    let act = if taken_back { Act::Unack { alert, note } } else { Act::Ack { alert, note } };
    match app.act(act, &by).await {
        Ok(acted) => hooked(true, &acted.message),
        Err(error @ (ActError::NotFound(_) | ActError::Conflict(_))) => hooked(false, &error.to_string()),
        Err(error) => Err(error.into()),
    }
}

fn refused(error: &HookError) -> ApiError {
    let (status, code) = match error {
        HookError::Unknown => (StatusCode::NOT_FOUND, "unknown_sink"),
        HookError::NoSecret => (StatusCode::FORBIDDEN, "no_secret"),
        HookError::Unsigned => (StatusCode::UNAUTHORIZED, "unsigned"),
        HookError::Unreadable(_) => (StatusCode::BAD_REQUEST, "bad_body"),
        HookError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_failed"),
    };
    ApiError::new(status, code, error.to_string())
}
