//! What every request passes: who may write, how long an answer may take, what browsers are told.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;

use crate::http::app::App;
use crate::http::error::ApiError;
use crate::telemetry::event::HttpRequest;

/// Longest time for an answer: a scrape gives up after 10 s by default, a person before 30.
const TIMEOUT: Duration = Duration::from_secs(30);

/// No scripts at all, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Before the token of a link, which is told to nobody.
const LINKS: &str = "/a/";

const BROWSER_HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Refuses what may not be, answers in time, and tells.
pub async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let may = if proves_itself(&path) { Ok(()) } else { may(&app, &method, request.headers()) };
    let mut response = match may {
        Ok(()) => answer(request, next).await,
        Err(error) => error.into_response(),
    };
    for (name, value) in BROWSER_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Figures are of a moment; the style sheet says otherwise for itself.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let path = if path.starts_with(LINKS) { LINKS } else { &path };
    app.telemetry.tell(&HttpRequest { method: method.as_str(), path, status: response.status().as_u16() });
    response
}

/// Signed links, and requests of receivers: the signature is the permission, on every address.
fn proves_itself(path: &str) -> bool {
    path.starts_with(LINKS) || path.starts_with("/api/v1/hooks/")
}

/// Reading is open. Writing is open on loopback, where only people on the machine reach us, and even there not to a
/// page of another site that a browser on the machine happens to show.
fn may(app: &App, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    if !app.loopback {
        let message =
            "writes are refused: the service listens on an address that is not loopback, and no `auth` is configured";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", message));
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", "writes from pages of other sites are refused"));
    }
    Ok(())
}

/// The handler's answer; an error where it takes too long, or breaks.
async fn answer(request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(TIMEOUT, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            let message = "the answer could not be worked out; this is a fault of the service, please report it";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
        }
        Err(_) => {
            let message = format!("no answer within {} s; ask for less", TIMEOUT.as_secs());
            ApiError::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message).into_response()
        }
    }
}
