//! `/-/healthy`, `/-/ready`, `/-/reload`: as in Prometheus.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::diag::json::Finding;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dto::state::Config;
use crate::http::error::{ApiError, ErrorBody};
use crate::policy::act::Act;
use crate::runtime::service::ActError;

/// The state of the process in a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy` or `ready`.
    pub status: String,
}

/// The process answers.
#[utoipa::path(
    get, path = "/-/healthy", tag = "operations",
    responses((status = 200, description = "the process answers", body = Health))
)]
pub async fn healthy() -> Json<Health> {
    Json(Health { status: "healthy".to_owned() })
}

/// Files loaded, store open, page tiers judged once or known to be unmeasured.
#[utoipa::path(
    get, path = "/-/ready", tag = "operations",
    responses(
        (status = 200, description = "ready", body = Health),
        (status = 503, description = "`not_ready`: the message says what is missing", body = ErrorBody),
    )
)]
pub async fn ready(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    match app.service.ready() {
        Ok(()) => Ok(Json(Health { status: "ready".to_owned() })),
        Err(missing) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", missing)),
    }
}

/// Reads the files again. On any error the old set stays.
#[utoipa::path(
    post, path = "/-/reload", tag = "operations",
    responses(
        (status = 200, description = "taken over: the configuration in use", body = Config),
        (status = 400, description = "`invalid_files`: `detail.findings` as `slo check --format json` prints them", body = ErrorBody),
        (status = 403, description = "writes are open on loopback only", body = ErrorBody),
        (status = 413, description = "the body is larger than 64 KiB; none is needed", body = ErrorBody),
    )
)]
pub async fn reload(
    State(app): State<App>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Config>, ApiError> {
    // No body is needed, but one that is too large or broken off is still said to be.
    body.map_err(|rejection| ApiError::new(rejection.status(), "bad_body", rejection.body_text().to_lowercase()))?;
    match app.act(Act::Reload, &caller.actor(None)).await {
        Ok(_) => Ok(Json(Config::from(app.service.config()))),
        Err(ActError::Refused(refusal)) => {
            let refusal = refusal.worst_first();
            let findings: Vec<Finding<'_>> = refusal.findings.iter().map(Finding::from).collect();
            let more = match findings.len().saturating_sub(1) {
                0 => String::new(),
                1 => " and 1 more finding".to_owned(),
                more => format!(" and {more} more findings"),
            };
            let message = format!("the files do not pass: {}{more}; the old set stays in use", refusal.headline());
            Err(ApiError::bad_request("invalid_files", message).with_detail(json!({"findings": findings})))
        }
        Err(error) => Err(error.into()),
    }
}
