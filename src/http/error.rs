//! The one shape of every error: `{"error": {"code", "message", "detail"}}`.
//!
//! Codes are stable, messages are for people and say what to do, detail is for programs. Nothing internal leaks: a
//! failure of the store is told by its own words, which are redacted where they are made.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::runtime::service::ActError;
use crate::store::StoreError;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    failure: Failure,
}

/// The body of every error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// Stable, for programs: `group_required`, `unknown_slo` ..
    pub code: String,
    /// For people.
    pub message: String,
    /// More, depending on the code.
    #[schema(value_type = Object)]
    pub detail: Value,
}

impl ApiError {
    /// An error without detail.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, failure: Failure { code: code.to_owned(), message: message.into(), detail: json!({}) } }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// Adds what programs may want to know.
    #[must_use]
    pub fn with_detail(mut self, detail: Value) -> Self {
        self.failure.detail = detail;
        self
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.failure.message
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store_failed", error.to_string())
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let message = error.to_string();
        match error {
            ActError::NotFound(_) => Self::not_found("not_found", message),
            ActError::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", message),
            ActError::Invalid(_) => Self::bad_request("invalid", message),
            ActError::Store(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_failed", message),
            ActError::Refused(_) => Self::bad_request("invalid_files", message),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.failure })).into_response()
    }
}
