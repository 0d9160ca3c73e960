//! Asking a service: one question, one answer, a bound on time and size, and errors that say what to do. The service
//! runs elsewhere, or its API answers in this process.
//!
//! Not for sources and sinks: those have clients of their own with other rules. Follows no redirect: a page to log in
//! at is no answer of ours.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{Server, words};
use crate::http::direct::Direct;
use crate::http::error::ErrorBody;

/// Whole time for one answer: longer than the service takes at most.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Largest answer read: 5,000 instances with all figures are 7 MB.
const LIMIT: usize = 64 * 1024 * 1024;

/// Items asked for at once: as many as the service gives.
const PART: &str = "5000";

/// A service.
#[derive(Debug)]
pub struct Client {
    base: Url,
    shown: String,
    door: Door,
}

/// The way to it.
#[derive(Debug)]
enum Door {
    Network(reqwest::Client),
    Here(Direct),
}

/// The service answered that it will not: why, in the words of the command line.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable: `group_required`, `unknown_slo` ..
    pub code: String,
    /// For people.
    pub message: String,
}

impl Client {
    /// A client of the service that the arguments name.
    ///
    /// # Errors
    /// Where the address is none.
    pub fn new(server: &Server) -> anyhow::Result<Self> {
        let remedy = "say for example `--server http://127.0.0.1:9777`";
        let base: Url = server.url.parse().with_context(|| format!("`{}` is not an address; {remedy}", server.url))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            bail!("`{}` is not an http address; {remedy}", server.url);
        }
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("slo/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = server.token.as_ref().filter(|token| !token.is_empty()) {
            let header = token.header().context("`SLO_TOKEN` holds what no token does; it is NAME.SECRET")?;
            builder = builder.default_headers([(reqwest::header::AUTHORIZATION, header)].into_iter().collect());
        }
        if is_loopback(&base) {
            // A proxy cannot reach what listens on this machine alone.
            builder = builder.no_proxy();
        }
        let http = builder.build().context("setting up the HTTP client")?;
        Ok(Self { base, shown: server.url.clone(), door: Door::Network(http) })
    }

    /// A client of a service in this process.
    ///
    /// # Errors
    /// None in practice: the address that stands in for one is a constant.
    pub fn direct(direct: Direct) -> anyhow::Result<Self> {
        let shown = "http://this.process/";
        Ok(Self { base: shown.parse()?, shown: shown.to_owned(), door: Door::Here(direct) })
    }

    /// Asks in a runtime of its own, for verbs that do nothing else.
    ///
    /// # Errors
    /// Those of the work.
    pub fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("starting the asynchronous runtime")?.block_on(work)
    }

    /// One object. `path` is a list of segments, encoded here.
    ///
    /// # Errors
    /// [`Refused`] where the service answered with an error; else why it cannot be asked, and what to do.
    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = self.address(path, query)?;
        let (status, body) = match &self.door {
            Door::Network(http) => self.over_the_network(http.get(url)).await?,
            Door::Here(direct) => {
                let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
                direct.get(&path, LIMIT).await.context("the answer is larger than it may be")?
            }
        };
        self.said(status, &body)
    }

    /// Writes: posts an object.
    ///
    /// # Errors
    /// As [`Self::get`]; a service in this process takes no writes.
    pub async fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        let (http, url) = (self.network()?, self.address(path, &[])?);
        let request = http.post(url).header("content-type", "application/json").body(serde_json::to_vec(body)?);
        let (status, body) = self.over_the_network(request).await?;
        self.said(status, &body)
    }

    /// Writes: deletes what stands at a path.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let (http, url) = (self.network()?, self.address(path, query)?);
        let (status, body) = self.over_the_network(http.delete(url)).await?;
        self.said(status, &body)
    }

    fn network(&self) -> anyhow::Result<&reqwest::Client> {
        match &self.door {
            Door::Network(http) => Ok(http),
            Door::Here(_) => bail!("this needs a running service; say which with `--server` or `SLO_SERVER`"),
        }
    }

    /// What an answer says: an object, or why not.
    fn said(&self, status: StatusCode, body: &[u8]) -> anyhow::Result<Value> {
        let not_ours =
            || format!("what answers at `{}` is not slo ({status}); check `--server` or `SLO_SERVER`", self.shown);
        if status.is_success() {
            return serde_json::from_slice(body).with_context(not_ours);
        }
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => {
                let message = words::of_the_command_line(&error);
                Err(Refused { status, code: error.code, message }.into())
            }
            Err(_) => bail!(not_ours()),
        }
    }

    async fn over_the_network(&self, request: reqwest::RequestBuilder) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let unreachable = || {
            format!(
                "cannot ask the service at `{}`; is `slo run` running there? say where it is with `--server` or `SLO_SERVER`",
                self.shown
            )
        };
        let answer = request.send().await.map_err(|error| root(&error)).with_context(unreachable)?;
        let status = answer.status();
        Ok((status, read(answer).await.with_context(unreachable)?))
    }

    /// A whole list, part by part, as one object of the API.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn list(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        let mut whole: Option<Value> = None;
        let mut cursor = String::new();
        loop {
            let mut query = query.to_vec();
            query.push(("limit", PART));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let mut part = self.get(path, &query).await?;
            let next = part.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
            let items = part.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
            let Some(items) = items else {
                bail!("what answers at `{}` is not slo: a list without `items`", self.shown);
            };
            let held = whole.as_mut().and_then(|whole| whole.get_mut("items")).and_then(Value::as_array_mut);
            if let Some(held) = held {
                held.extend(items);
            } else {
                part["items"] = Value::Array(items);
                part["next_cursor"] = Value::Null;
                whole = Some(part);
            }
            match next {
                Some(next) if next != cursor => cursor = next,
                _ => return Ok(whole.unwrap_or_default()),
            }
        }
    }

    fn address(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Url> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().extend(path);
            }
            Err(()) => bail!("`{}` cannot have a path", self.base),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// An object of the API, read as what it should be.
///
/// # Errors
/// Where it is something else: most likely another version of the service.
pub fn decoded<T: DeserializeOwned>(value: Value) -> anyhow::Result<T> {
    serde_json::from_value(value).context("the service answers in a way that this version of `slo` does not know")
}

async fn read(mut answer: reqwest::Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| root(&error))? {
        if body.len() + chunk.len() > LIMIT {
            bail!("the answer is larger than {} MiB", LIMIT / 1024 / 1024);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What lies under an error of the HTTP client: the layers above say little, and may name the address with its secrets.
fn root(error: &reqwest::Error) -> anyhow::Error {
    if error.is_timeout() {
        return anyhow::anyhow!("no answer in time");
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    anyhow::anyhow!(deepest.to_string())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(url: &str) -> Client {
        Client::new(&Server { url: url.into(), token: None }).unwrap()
    }

    #[test]
    fn ids_with_slashes_and_braces_are_one_segment() {
        let url = client("https://ops.example/slo/").address(&["api", "v1", "alerts", "a/b{c=\"d\"}"], &[("x", "1&2")]);
        assert_eq!(url.unwrap().as_str(), "https://ops.example/slo/api/v1/alerts/a%2Fb%7Bc=%22d%22%7D?x=1%262");
    }

    #[test]
    fn what_is_no_address_is_said_to_be_none() {
        for url in ["localhost:9777", "ftp://x", "", "http://"] {
            let error = Client::new(&Server { url: url.into(), token: None }).unwrap_err().to_string();
            assert!(error.contains("--server http://127.0.0.1:9777"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_asked_without_a_proxy() {
        for (url, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), loopback, "{url}");
        }
    }
}
