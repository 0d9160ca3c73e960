//! The HTTP client of all sinks: one exchange, bounded in time and size, told without secrets.
//!
//! No redirects: following one turns a POST into an empty GET that answers 200, a lost page that looks delivered. 5 s to
//! connect, 15 s for the whole exchange, slow drips included; at most 64 KiB of the answer are read. No proxy from the
//! environment (it is read through `{env: NAME}` only). Error texts carry no address: a webhook's address is often its
//! secret. The status decides; a broken body after it changes nothing.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client as Http, Method as Verb, Response};

/// Headers of an answer that some sink reads: limits, and where something is now.
const KEPT: &[&str] = &[
    "location",
    "ratelimit-reason",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-period-in-sec",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-rule",
];

/// How long an exchange may take, and how much of the answer is read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// To connect.
    pub connect: Duration,
    /// For all of it.
    pub total: Duration,
    /// For the body, once the status is known: it is for people only.
    pub body: Duration,
    /// Largest part of the body that is read.
    pub bytes: usize,
}

impl Default for Bounds {
    /// Those of INTERFACES 5.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(15),
            body: Duration::from_secs(2),
            bytes: 64 * 1024,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads: trying again does no harm.
    Get,
    /// Makes something.
    Post,
    /// Changes a part.
    Patch,
    /// Puts something in its place.
    Put,
    /// Ends something.
    Delete,
}

impl From<Method> for Verb {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Patch => Self::PATCH,
            Method::Put => Self::PUT,
            Method::Delete => Self::DELETE,
        }
    }
}

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    bounds: Bounds,
}

/// What a receiver answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as written.
    pub retry_after: Option<String>,
    /// `Date`, as written.
    pub date: Option<String>,
    /// Limits and `location`, where the receiver tells them: names in lower case, values as written.
    pub headers: Vec<(&'static str, String)>,
    /// Beginning of the body.
    pub body: String,
}

impl Answer {
    /// A header that is kept, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// The request may have been read and acted on.
    pub perhaps_read: bool,
    /// The address or a header is not usable: trying again is in vain.
    pub unusable: bool,
    /// A secret cannot be had just now: trying again is in vain until somebody has mended it.
    pub keyless: bool,
    /// For people; no address in it.
    pub message: String,
}

impl NoAnswer {
    fn unusable(message: String) -> Self {
        Self { perhaps_read: false, unusable: true, keyless: false, message }
    }

    /// Nothing was sent for want of a secret.
    pub(super) const fn keyless(message: String) -> Self {
        Self { perhaps_read: false, unusable: false, keyless: true, message }
    }
}

impl Client {
    /// With the bounds of INTERFACES 5, or others in tests. Fails where there is no TLS to be had.
    pub fn new(bounds: Bounds) -> Result<Self, String> {
        Self::make(bounds, true)
    }

    /// For plain http alone: works on a machine that has no TLS roots.
    pub fn without_tls(bounds: Bounds) -> Result<Self, String> {
        Self::make(bounds, false)
    }

    fn make(bounds: Bounds, tls: bool) -> Result<Self, String> {
        // Installed once for the whole process; who comes second finds it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = Http::builder()
            .redirect(Policy::none())
            .connect_timeout(bounds.connect)
            .timeout(bounds.total)
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("slo/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .no_gzip();
        if !tls {
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|why| format!("no HTTP client: {}", explain(why)))?;
        Ok(Self { http, bounds })
    }

    /// The same, reading at most so many bytes of an answer.
    #[must_use]
    pub fn reading(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// One POST of JSON.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<Answer, NoAnswer> {
        self.send(Method::Post, url, headers, Some(body)).await
    }

    /// One exchange; a body is JSON, unless the headers say otherwise.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Answer, NoAnswer> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| NoAnswer::unusable(format!("the header `{name}` cannot hold its value")))?;
            map.insert(HeaderName::from_static(name), value);
        }
        let mut request = self.http.request(method.into(), url);
        if let Some(body) = body {
            map.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
            request = request.body(body);
        }
        let response = request.headers(map).send().await.map_err(no_answer)?;
        Ok(self.read(response).await)
    }

    async fn read(&self, mut response: Response) -> Answer {
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after"),
            date: header("date"),
            headers: KEPT.iter().filter_map(|name| Some((*name, header(name)?))).collect(),
            body: String::new(),
        };
        let mut bytes = Vec::new();
        let drain = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                bytes.extend_from_slice(&chunk);
                if bytes.len() >= self.bounds.bytes {
                    break;
                }
            }
        };
        // Late or broken, the body is what has come so far.
        drop(tokio::time::timeout(self.bounds.body, drain).await);
        bytes.truncate(self.bounds.bytes);
        answer.body = String::from_utf8_lossy(&bytes).into_owned();
        answer
    }
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    let unusable = error.is_builder();
    let perhaps_read = !unusable && !error.is_connect();
    NoAnswer { perhaps_read, unusable, keyless: false, message: explain(error) }
}

/// The error and its causes in one line, without the address.
fn explain(error: reqwest::Error) -> String {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let part = next.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = next.source();
    }
    if timed_out && !text.contains("timed out") { format!("{text}: timed out") } else { text }
}
