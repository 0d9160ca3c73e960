//! The OpenAPI document, generated from the handlers and the objects that they answer with.

use axum::http::StatusCode;
use serde_json::Value;
use utoipa::OpenApi;

use crate::http::api;
use crate::http::error::ApiError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "slo",
        description = "SLOs, error budgets and alerts of a running service. Ratios run from 0 to 1, times are RFC 3339 \
                       in UTC, durations are seconds with the unit in the key, except `length`, `over` and `window`, \
                       which are as written (`1h`)."
    ),
    paths(
        api::slos::list,
        api::slos::one,
        api::slos::series,
        api::slos::window,
        api::alerts::list,
        api::alerts::one,
        api::people::ack,
        api::people::close,
        api::people::verdict,
        api::people::bundle,
        api::people::drill,
        api::hooks::hook,
        api::silences::list,
        api::silences::add,
        api::silences::expire,
        api::silences::markers,
        api::silences::mark,
        api::deliveries::list,
        api::deliveries::resend,
        api::audit::list,
        api::parts::sinks,
        api::sink_test::send,
        api::parts::sources,
        api::parts::config,
        api::parts::document,
        api::metrics::own,
        api::metrics::slos,
        api::operations::healthy,
        api::operations::ready,
        api::operations::reload,
    ),
    tags(
        (name = "slos", description = "SLO instances: budget, burn, windows, plots"),
        (name = "alerts", description = "alerts, their transitions and deliveries"),
        (name = "silences", description = "silences, and deploys that were marked"),
        (name = "parts", description = "sources, configuration, this document"),
        (name = "metrics", description = "pages for Prometheus"),
        (name = "operations", description = "health and reload"),
    )
)]
struct Document;

/// The document as JSON.
pub fn document() -> Result<Value, ApiError> {
    serde_json::to_value(Document::openapi()).map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the document cannot be written: {error}"))
    })
}
