//! HTTP towards sources: one client each, that follows nothing, waits for nobody beyond the timeout, and lets at most
//! `concurrency` requests out at once.
//!
//! It knows addresses, logging in and failures; not what is asked. A failure names the address without user, password
//! or query, and never a secret. Invariant: no answer is read here without a bound (see `body`).

use std::sync::{Arc, Once};
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::config::meant::{Auth, SecretRef, SourceConfig};
use crate::secret::{SecretError, Secrets};
use crate::source::body::{Body, read_all};
use crate::source::{BuildError, SourceError, SourceErrorKind};
use crate::telemetry::Telemetry;
use crate::telemetry::event::{RequestOutcome, SourceRequest};
use crate::units::{Length, Timestamp};

/// As much of a refusal as is looked at for its message.
const REFUSAL_BYTES: usize = 64 * 1024;
/// Longest stream: a server that sends a byte now and then must not hold a request for ever.
const LONGEST_STREAM: Length = Length::from_hours(1);
/// As much of a foreign text as is shown.
const SHOWN_CHARACTERS: usize = 200;

/// Sends requests of one source.
pub(super) struct Client {
    http: reqwest::Client,
    name: Arc<str>,
    timeout: Length,
    auth: Option<Auth>,
    headers: HeaderMap,
    secrets: Arc<Secrets>,
    permits: Semaphore,
    telemetry: Telemetry,
}

/// A request: where to, with what.
pub(super) struct Request<'a> {
    /// Full address.
    pub url: &'a Url,
    /// What it asks, for messages.
    pub about: &'a str,
    /// What it carries.
    pub payload: Payload<'a>,
    /// Accept and other headers.
    pub headers: &'a [(HeaderName, &'static str)],
    /// Whether the server may do without this page: 404, 405 and 501 are then `Unsupported`.
    pub optional: bool,
}

/// What a request carries.
pub(super) enum Payload<'a> {
    /// Nothing: GET.
    None,
    /// A form, by POST.
    Form(&'a [(&'a str, String)]),
    /// Bytes of a type, by POST.
    Bytes(Vec<u8>, &'static str),
}

/// An answer of status 2xx whose body has not been read.
pub(super) struct Reply {
    /// The bytes to come.
    pub body: Body,
    /// Media type, lower case; empty where none is said.
    pub content_type: String,
    /// The server's clock.
    pub clock: Option<Timestamp>,
    /// What was being done, for messages.
    pub doing: String,
}

impl Client {
    /// For the source `name`.
    ///
    /// # Errors
    /// Where a header cannot be sent or the TLS part cannot be built.
    pub(super) fn new(
        name: &str,
        config: &SourceConfig,
        secrets: &Arc<Secrets>,
        telemetry: &Telemetry,
    ) -> Result<Self, BuildError> {
        let failed = |problem: String| BuildError { name: name.to_owned(), problem };
        let mut headers = HeaderMap::new();
        for (key, value) in &config.headers {
            let key: HeaderName = key.parse().map_err(|_| failed(format!("`{key}` is not the name of a header")))?;
            let mut value: HeaderValue =
                value.parse().map_err(|_| failed(format!("the value of header `{key}` cannot be sent")))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Self {
            http: http(config).map_err(|error| failed(format!("no HTTP client: {}", innermost(&error))))?,
            name: name.into(),
            timeout: config.timeout,
            auth: config.auth.clone(),
            headers,
            secrets: Arc::clone(secrets),
            permits: Semaphore::new(config.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            telemetry: telemetry.clone(),
        })
    }

    /// The source's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Longest wait for an answer, or for the next piece of a long one.
    pub(super) fn timeout(&self) -> Length {
        self.timeout
    }

    /// An error of this source's configuration.
    pub(super) fn build_error(&self, problem: impl Into<String>) -> BuildError {
        BuildError { name: self.name.to_string(), problem: problem.into() }
    }

    /// Waits until a request may go out; it may as long as the permit is held. Whoever holds one must not ask for another.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }

    /// Sends and has the whole answer read by `read`, within the timeout; tells the outcome. The caller holds a permit.
    pub(super) async fn exchange<T>(
        &self,
        request: &Request<'_>,
        read: impl AsyncFnOnce(Reply) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let started = Instant::now();
        let whole = async { read(self.send(request).await?).await };
        let result = match timeout(self.timeout.to_std(), whole).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(doing(request))),
        };
        self.tell(started, result.as_ref().err());
        result
    }

    /// Sends, waits for the head of the answer within the timeout, and has the body read by `read` with the timeout for
    /// each piece; tells the outcome. The caller holds a permit.
    pub(super) async fn stream<T>(
        &self,
        request: &Request<'_>,
        read: impl AsyncFnOnce(Reply) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let started = Instant::now();
        let head = match timeout(self.timeout.to_std(), self.send(request)).await {
            Ok(head) => head,
            Err(_) => Err(self.timed_out(doing(request))),
        };
        let result = match head {
            Ok(mut reply) => {
                reply.body.wait_at_most(self.timeout);
                match timeout(LONGEST_STREAM.to_std(), read(reply)).await {
                    Ok(result) => result,
                    Err(_) => Err(SourceError {
                        doing: doing(request),
                        problem: format!("the answer did not end within {LONGEST_STREAM}"),
                        kind: SourceErrorKind::Timeout,
                    }),
                }
            }
            Err(error) => Err(error),
        };
        self.tell(started, result.as_ref().err());
        result
    }

    fn timed_out(&self, doing: String) -> SourceError {
        let problem = format!("no whole answer within the timeout of {}", self.timeout);
        SourceError { doing, problem, kind: SourceErrorKind::Timeout }
    }

    fn tell(&self, started: Instant, error: Option<&SourceError>) {
        let text = error.map(ToString::to_string);
        self.telemetry.tell(&SourceRequest {
            source: &self.name,
            outcome: error.map_or(RequestOutcome::Ok, |error| outcome(error.kind)),
            took: started.elapsed(),
            error: text.as_deref(),
        });
    }

    /// One try, and one more where a file's secret has changed since.
    async fn send(&self, request: &Request<'_>) -> Result<Reply, SourceError> {
        let unauthorized = |error: SecretError| failure(request, error.to_string(), SourceErrorKind::Unauthorized);
        let secret = match self.secret() {
            Some(reference) => Some(self.secrets.resolve(reference).map_err(unauthorized)?),
            None => None,
        };
        let response = self.attempt(request, secret.as_ref()).await?;
        let refused = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if refused && let (Some(reference), Some(before)) = (self.secret(), &secret) {
            let again = self.secrets.reread(reference).map_err(unauthorized)?;
            if let Some(now) = again.filter(|now| now.expose_secret() != before.expose_secret()) {
                let response = self.attempt(request, Some(&now)).await?;
                return accept(request, response).await;
            }
        }
        accept(request, response).await
    }

    fn secret(&self) -> Option<&SecretRef> {
        match &self.auth {
            Some(Auth::Bearer(reference) | Auth::Basic { password: reference, .. }) => Some(reference),
            None => None,
        }
    }

    async fn attempt(&self, request: &Request<'_>, secret: Option<&SecretString>) -> Result<Response, SourceError> {
        let method = if matches!(request.payload, Payload::None) { Method::GET } else { Method::POST };
        let mut builder = self.http.request(method, request.url.clone()).headers(self.headers.clone());
        for (key, value) in request.headers {
            builder = builder.header(key, *value);
        }
        builder = match &request.payload {
            Payload::None => builder,
            Payload::Form(form) => builder.form(form),
            Payload::Bytes(bytes, content_type) => builder.header(CONTENT_TYPE, *content_type).body(bytes.clone()),
        };
        let sent = self.log_in(builder, secret).send().await;
        sent.map_err(|error| {
            let problem = innermost(&error.without_url());
            failure(request, format!("no answer: {problem}"), SourceErrorKind::Unreachable)
        })
    }

    fn log_in(&self, builder: RequestBuilder, secret: Option<&SecretString>) -> RequestBuilder {
        match (&self.auth, secret) {
            (Some(Auth::Bearer(_)), Some(token)) => builder.bearer_auth(token.expose_secret()),
            (Some(Auth::Basic { user, .. }), Some(password)) => {
                builder.basic_auth(user, Some(password.expose_secret()))
            }
            _ => builder,
        }
    }
}

/// A client that follows nothing. TLS roots are loaded only where an address wants TLS, so that a machine without any
/// can still ask its neighbour.
fn http(config: &SourceConfig) -> Result<reqwest::Client, reqwest::Error> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Refused only where one is installed already, and then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(config.timeout.to_std())
        .pool_idle_timeout(Duration::from_secs(90))
        .user_agent(concat!("slo/", env!("CARGO_PKG_VERSION")));
    if !addresses(config).any(|address| address.starts_with("https:")) {
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

fn addresses(config: &SourceConfig) -> impl Iterator<Item = &String> {
    use crate::config::meant::SourceKind;
    match &config.kind {
        SourceKind::Prometheus { urls, .. } => urls.iter(),
        SourceKind::Scrape { targets, .. } => targets.iter(),
    }
}

/// An address as configured, checked.
pub(super) fn parse_url(client: &Client, text: &str) -> Result<Url, BuildError> {
    if let Some(meant) = meant_address(text) {
        return Err(client.build_error(format!("`{text}` is not an http or https address; did you mean {meant}?")));
    }
    let url = Url::parse(text).map_err(|error| client.build_error(format!("`{text}` is not an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(client.build_error(format!("`{}` is not an http or https address", shown(&url))));
    }
    Ok(url)
}

/// The address that is meant by one without a scheme, as in `127.0.0.1:9090`; `None` where nothing tells.
#[must_use]
pub fn meant_address(text: &str) -> Option<String> {
    let whole = format!("http://{text}");
    let url = Url::parse(&whole).ok().filter(|url| !text.contains("://") && url.username().is_empty())?;
    let host = url.host_str()?;
    (url.port().is_some() || host.contains('.') || host == "localhost").then_some(whole)
}

/// An address without user, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Both fail only for addresses that have no host, which are refused before.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.to_string()
}

fn doing(request: &Request<'_>) -> String {
    format!("asking `{}` for {}", shown(request.url), request.about)
}

/// An error of this request.
fn failure(request: &Request<'_>, problem: String, kind: SourceErrorKind) -> SourceError {
    SourceError { doing: doing(request), problem, kind }
}

/// The answer, if its status is 2xx; else what the server said.
async fn accept(request: &Request<'_>, response: Response) -> Result<Reply, SourceError> {
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let clock = header(DATE).and_then(clock_of);
    let location = header(LOCATION).map(ToOwned::to_owned);
    let reply = Reply { body: Body::new(response), content_type, clock, doing: doing(request) };
    if status.is_success() {
        return Ok(reply);
    }
    if status.is_redirection() {
        let to = location.and_then(|to| request.url.join(&to).ok()).map(|to| shown(&to));
        let to = to.map_or_else(String::new, |to| format!(" to `{to}`"));
        let problem = format!("a redirect{to}, which is not followed; write the final address into the configuration");
        return Err(failure(request, problem, SourceErrorKind::Malformed));
    }
    let said = said(reply).await;
    let (problem, kind) = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED if request.optional => {
            (format!("the server does not have that ({status}){said}"), SourceErrorKind::Unsupported)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            (format!("access is refused ({status}){said}; see `auth` and `headers`"), SourceErrorKind::Unauthorized)
        }
        StatusCode::NOT_FOUND => {
            (format!("there is no such page ({status}){said}; is the address right?"), SourceErrorKind::Rejected)
        }
        StatusCode::TOO_MANY_REQUESTS => {
            (format!("too many requests ({status}){said}; see `concurrency`"), SourceErrorKind::Unavailable)
        }
        _ if status.is_server_error() => (format!("the server failed ({status}){said}"), SourceErrorKind::Unavailable),
        _ => (format!("the question was refused ({status}){said}"), SourceErrorKind::Rejected),
    };
    Err(failure(request, problem, kind))
}

/// What a refusal says: the field `error` of Prometheus' JSON, or the beginning of a text; nothing of an HTML page.
async fn said(reply: Reply) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        error: String,
    }
    let is_html = reply.content_type.starts_with("text/html");
    // A refusal that cannot be read is a refusal all the same.
    let Ok(body) = read_all(reply, REFUSAL_BYTES).await else { return String::new() };
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) {
        return format!(": {}", excerpt(refusal.error.as_bytes()));
    }
    let text = excerpt(&body);
    if is_html || text.is_empty() || text.starts_with('<') { String::new() } else { format!(": {text}") }
}

/// The beginning of a foreign text, on one line.
pub(super) fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let clean = text.trim().chars().map(|character| if character.is_control() { ' ' } else { character });
    let short: String = clean.take(SHOWN_CHARACTERS).collect();
    if text.trim().chars().nth(SHOWN_CHARACTERS).is_some() { short + ".." } else { short }
}

/// The `Date` header, plus the half second that it has lost on average.
fn clock_of(date: &str) -> Option<Timestamp> {
    let time = DateTime::parse_from_rfc2822(date).ok()?;
    Some(Timestamp::from_millis(time.timestamp_millis()) + Length::from_millis(500))
}

/// The innermost cause of an error: the one that says what happened.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

const fn outcome(kind: SourceErrorKind) -> RequestOutcome {
    match kind {
        SourceErrorKind::Unreachable => RequestOutcome::Unreachable,
        SourceErrorKind::Timeout => RequestOutcome::Timeout,
        SourceErrorKind::Unauthorized => RequestOutcome::Unauthorized,
        SourceErrorKind::Rejected => RequestOutcome::Rejected,
        SourceErrorKind::Unavailable => RequestOutcome::Unavailable,
        SourceErrorKind::Malformed => RequestOutcome::Malformed,
        SourceErrorKind::TooLarge => RequestOutcome::TooLarge,
        SourceErrorKind::Unsupported => RequestOutcome::Unsupported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_may_be_secret() {
        let url = Url::parse("https://user:pass@store.example:9090/prom?token=abc#x").unwrap();
        assert_eq!(shown(&url), "https://store.example:9090/prom");
    }

    #[test]
    fn the_clock_is_the_date_and_half_a_second() {
        assert_eq!(clock_of("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_millis(784_111_777_500)));
        assert_eq!(clock_of("yesterday"), None);
    }

    #[test]
    fn foreign_text_is_shown_on_one_line_and_not_at_length() {
        assert_eq!(excerpt(b" a\nb\x07c "), "a b c");
        assert_eq!(excerpt("ä".repeat(300).as_bytes()), format!("{}..", "ä".repeat(200)));
    }
}
