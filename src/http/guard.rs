//! What every request passes: who may ask and write, how long an answer may take, what browsers are told.
//!
//! Without tokens reading is open, and writing where only people on the machine reach us. With tokens every request needs
//! one, but for what has a check of its own (signed links, hooks) or tells nothing of the SLOs (health, own metrics).

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;

use crate::config::access::Role;
use crate::http::app::{App, Reach};
use crate::http::caller::LetIn;
use crate::http::error::ApiError;
use crate::http::needs::{Needs, needs};
use crate::runtime::access::{Admission, Presented};
use crate::telemetry::event::{HttpRequest, RequestRefused};

/// Longest time for an answer: a scrape gives up after 10 s by default, a person before 30.
const TIMEOUT: Duration = Duration::from_secs(30);

/// No scripts at all, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const BROWSER_HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Basic first: a browser asks for name and secret, programs send `Bearer NAME.SECRET`.
const CHALLENGES: [&str; 2] = ["Basic realm=\"slo\", charset=\"UTF-8\"", "Bearer realm=\"slo\""];

/// What is logged of the path of a signed link: its token is a secret.
const LINK: &str = "/a/";

/// Why a request was not let through.
struct Refusal {
    /// Label of the metric.
    reason: &'static str,
    error: ApiError,
}

/// Refuses what may not be, answers in time, and tells.
pub async fn watch(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = match may(&app, &method, request.uri(), request.headers()).await {
        Ok(let_in) => {
            request.extensions_mut().insert(let_in);
            answer(request, next).await
        }
        Err(refusal) => {
            app.telemetry.tell(&RequestRefused { reason: refusal.reason });
            refused(refusal.error)
        }
    };
    for (name, value) in BROWSER_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Figures are of a moment; the style sheet says otherwise for itself.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let shown = if path.starts_with(LINK) { LINK } else { &path };
    app.telemetry.tell(&HttpRequest { method: method.as_str(), path: shown, status: response.status().as_u16() });
    response
}

/// Gives what whoever asks is let in as.
async fn may(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<LetIn, Refusal> {
    if app.reach == Reach::Here {
        return Ok(LetIn::default());
    }
    let needs = needs(method, uri.path());
    let presented = presented(headers).filter(|_| needs != Needs::Nothing);
    let checked = match (needs, app.service.admit(presented.as_ref()).await) {
        // A signature of its own is the permission, on every address.
        (Needs::Nothing, _) => LetIn::default(),
        (_, Admission::Open) => LetIn { token: None, role: without_tokens(app, method, uri, headers)? },
        (Needs::Role(role), Admission::Known { name, role: has }) if has >= role => {
            LetIn { token: Some(name), role: Some(has) }
        }
        (Needs::Role(role), Admission::Known { name, role: has }) => {
            let message = format!("this needs the role `{}`; the token `{name}` has `{}`", role.name(), has.name());
            return Err(refusal("forbidden", StatusCode::FORBIDDEN, "forbidden", message));
        }
        (Needs::Role(_), Admission::Unknown) => {
            let message = match presented {
                Some(_) => "the token is not known; it is NAME.SECRET as `slo token` printed it",
                None => "a token is needed: `Authorization: Bearer NAME.SECRET`; `slo token` makes one",
            };
            return Err(refusal("unauthorized", StatusCode::UNAUTHORIZED, "unauthorized", message));
        }
        (Needs::Role(_), Admission::Busy) => {
            let message = "too many tokens are being checked; try again in a few seconds";
            return Err(refusal("busy", StatusCode::TOO_MANY_REQUESTS, "busy", message));
        }
    };
    if !method.is_safe() && !is_of_own_page(app, headers) {
        let message = "writes from pages of other sites are refused";
        return Err(refusal("cross_site", StatusCode::FORBIDDEN, "cross_site", message));
    }
    Ok(checked)
}

fn refusal(reason: &'static str, status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
    Refusal { reason, error: ApiError::new(status, code, message) }
}

/// Reading is open. Writing is open on loopback, where only people on the machine reach us, under a name of ours. Gives
/// what whoever asks may do.
fn without_tokens(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Option<Role>, Refusal> {
    let is_ours = app.reach == Reach::Loopback && is_asked_by_our_name(app, uri, headers);
    if is_ours || method.is_safe() {
        return Ok(is_ours.then_some(Role::Admin));
    }
    if app.reach == Reach::Loopback {
        let message =
            "writes under a foreign host name are refused; use the address, `localhost` or `server.external_url`";
        return Err(refusal("cross_site", StatusCode::FORBIDDEN, "cross_site", message));
    }
    let message =
        "writes are refused: the service listens on an address that is not loopback, and no `auth` is configured";
    Err(refusal("forbidden", StatusCode::FORBIDDEN, "forbidden", message))
}

/// Whether the host that is asked is an address, `localhost`, or that of the address for people. A page of any other site
/// may have its own name lead to loopback, and is then of one origin with us (DNS rebinding). Browsers always name it.
fn is_asked_by_our_name(app: &App, uri: &Uri, headers: &HeaderMap) -> bool {
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().unwrap_or_default(),
        None => match uri.authority() {
            Some(authority) => authority.as_str(),
            None => return true,
        },
    };
    let name = host_name(host);
    let is_external = || {
        app.service
            .external_url()
            .parse::<Uri>()
            .is_ok_and(|url| url.host().is_some_and(|own| host_name(own).eq_ignore_ascii_case(name)))
    };
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || is_external()
}

/// Without a port, and without the brackets of an IPv6 address.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a write comes from a program, or from a page of ours: a browser sends along what it knows of the user, and
/// reaches loopback, whatever site shows the page. Browsers that do not say where a request comes from name its origin.
fn is_of_own_page(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return true };
    let host = |url: &str| url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default().to_owned());
    let external = app.service.external_url();
    host(origin).is_some_and(|origin| text("host") == Some(&*origin) || host(&external) == Some(origin))
}

/// What is shown: a bearer token, or name and secret from a browser's prompt. There the whole token will do as well.
fn presented(headers: &HeaderMap) -> Option<Presented> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        let (name, secret) = rest.rsplit_once('.')?;
        return Some(Presented { name: name.to_owned(), secret: secret.to_owned() });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    let own = secret.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).unwrap_or(secret);
    Some(Presented { name: name.to_owned(), secret: own.to_owned() })
}

fn refused(error: ApiError) -> Response {
    let status = error.status();
    let mut response = error.into_response();
    if status == StatusCode::UNAUTHORIZED {
        for challenge in CHALLENGES {
            response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Option<(String, String)> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
        presented(&headers).map(|shown| (shown.name, shown.secret))
    }

    #[test]
    fn a_token_is_shown_as_bearer_or_by_a_browser() {
        let expected = Some(("a.b".to_owned(), "s-_1".to_owned()));
        assert_eq!(shown("Bearer a.b.s-_1"), expected);
        assert_eq!(shown("bearer  a.b.s-_1 "), expected);
        assert_eq!(shown(&format!("Basic {}", STANDARD.encode("a.b:s-_1"))), expected);
        assert_eq!(shown(&format!("Basic {}", STANDARD.encode("a.b:a.b.s-_1"))), expected);
        for none in ["Bearer nodot", "Basic !!!", "Digest x", "Bearer", ""] {
            assert_eq!(shown(none), None, "{none}");
        }
    }
}
