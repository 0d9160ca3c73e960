//! Which address is answered by which handler, and what every request passes on its way.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use serde_json::json;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::{api, dashboard, guard};

/// Largest body of a request.
const BODY_LIMIT: usize = 64 * 1024;

/// Addresses of programs. Each stands in the OpenAPI document.
pub fn api_routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/api/v1/slos", get(api::slos::list)),
        ("/api/v1/slos/{service}/{name}", get(api::slos::one)),
        ("/api/v1/slos/{service}/{name}/series", get(api::slos::series)),
        ("/api/v1/slos/{service}/{name}/window", get(api::slos::window)),
        ("/api/v1/alerts", get(api::alerts::list)),
        // Ids hold slashes: what follows is all id, encoded or not.
        ("/api/v1/alerts/{*id}", get(api::alerts::one).post(api::people::act)),
        ("/api/v1/drills", post(api::people::drill)),
        ("/api/v1/hooks/{sink}", post(api::hooks::hook).layer(DefaultBodyLimit::max(api::hooks::BODY_LIMIT))),
        ("/api/v1/silences", get(api::silences::list).post(api::silences::add)),
        ("/api/v1/silences/{id}", delete(api::silences::expire)),
        ("/api/v1/markers", get(api::silences::markers).post(api::silences::mark)),
        ("/api/v1/deliveries", get(api::deliveries::list)),
        // As with alerts: all but the last word is id.
        ("/api/v1/deliveries/{*id}", post(api::deliveries::resend)),
        ("/api/v1/audit", get(api::audit::list)),
        ("/api/v1/sinks", get(api::parts::sinks)),
        ("/api/v1/sinks/{sink}/test", post(api::sink_test::send)),
        ("/api/v1/sources", get(api::parts::sources)),
        ("/api/v1/config", get(api::parts::config)),
        ("/api/v1/openapi.json", get(api::parts::document)),
        ("/metrics", get(api::metrics::own)),
        ("/metrics/slos", get(api::metrics::slos)),
        ("/-/healthy", get(api::operations::healthy)),
        ("/-/ready", get(api::operations::ready)),
        ("/-/reload", post(api::operations::reload)),
    ]
}

/// Addresses of people.
fn dashboard_routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/", get(dashboard::overview::page)),
        ("/slo/{service}/{name}", get(dashboard::detail::page)),
        ("/alerts", get(dashboard::alerts::page)),
        ("/alerts/{*id}", get(dashboard::alert::page).post(dashboard::act::alert)),
        ("/deliveries/{*id}", post(dashboard::act::resend)),
        ("/silences", get(dashboard::silences::page)),
        ("/health", get(dashboard::health::page)),
        ("/a/{token}", get(dashboard::link::page).post(dashboard::link::act)),
        ("/assets/style.css", get(dashboard::style)),
    ]
}

/// All of it.
pub fn router(app: App) -> Router {
    let routes = api_routes().into_iter().chain(dashboard_routes());
    routes
        .fold(Router::new(), |router, (path, handlers)| router.route(path, handlers))
        .fallback(no_such_address)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), guard::watch))
        .with_state(app)
}

async fn no_such_address(uri: Uri) -> Response {
    let message = format!("there is nothing at `{}`; `/api/v1/openapi.json` lists the addresses", uri.path());
    ApiError::not_found("not_found", message).with_detail(json!({"path": uri.path()})).into_response()
}

async fn no_such_method(method: Method, uri: Uri) -> Response {
    let message = format!("`{}` does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        .with_detail(json!({"path": uri.path(), "method": method.as_str()}))
        .into_response()
}
