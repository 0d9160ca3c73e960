//! One request to a tracker: logged in, bounded, and what its answer is worth.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::config::meant::SecretRef;
use crate::sink::client::{Answer, Bounds, Client, Method, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::{DeliveryVerdict, Parts, verdict};
use crate::units::Timestamp;

/// A list of tickets, or one with a long text, is larger than what other sinks answer.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Why a step was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to do next.
    pub verdict: DeliveryVerdict,
    /// For people; no secret in it.
    pub message: String,
    /// With which it was answered, where that is what it failed by.
    pub status: Option<u16>,
}

impl Failure {
    /// This verdict, whatever the status was.
    pub fn new(verdict: DeliveryVerdict, message: impl Into<String>) -> Self {
        Self { verdict, message: message.into(), status: None }
    }

    /// What was asked for is not there, or not for us.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.status, Some(404 | 410))
    }
}

/// The general verdict on an exchange ([`verdict::judge`]): the part that the trackers share.
///
/// # Errors
/// Where the answer is no success.
pub fn judge(exchange: Result<Answer, NoAnswer>, now: Timestamp) -> Result<Answer, Failure> {
    let outcome = verdict::judge(&exchange, now);
    match exchange {
        Ok(answer) if outcome.verdict == DeliveryVerdict::Done => Ok(answer),
        exchange => {
            let status = exchange.ok().map(|answer| answer.status);
            Err(Failure { verdict: outcome.verdict, message: outcome.message, status })
        }
    }
}

/// The JSON of an answer; where it must say what was made and does not, it may have been made.
///
/// # Errors
/// Where it is no JSON.
pub fn json(answer: &Answer) -> Result<Value, Failure> {
    serde_json::from_str(&answer.body).map_err(|_| {
        let message = format!("{} (not the JSON that was expected)", verdict::shown(answer));
        Failure::new(DeliveryVerdict::Ambiguous, message)
    })
}

/// An answer that is JSON and not of its shape.
pub fn unexpected(answer: &Answer, what: &str) -> Failure {
    Failure::new(DeliveryVerdict::Ambiguous, format!("{} (no {what} in it)", verdict::shown(answer)))
}

/// How a request says who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// `Authorization: Bearer`.
    Bearer(SecretRef),
    /// `Authorization: Basic`.
    Basic(String, SecretRef),
}

impl Login {
    const fn reference(&self) -> &SecretRef {
        match self {
            Self::Bearer(secret) | Self::Basic(_, secret) => secret,
        }
    }

    fn header(&self, secret: &SecretString) -> (&'static str, String) {
        let secret = secret.expose_secret();
        match self {
            Self::Bearer(_) => ("authorization", format!("Bearer {secret}")),
            Self::Basic(user, _) => ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))),
        }
    }
}

/// What speaks to one tracker.
#[derive(Debug)]
pub struct Speaker {
    client: Client,
    base: String,
    login: Login,
    credentials: Credentials,
    headers: Vec<(&'static str, String)>,
}

impl Speaker {
    /// Fails where the secret is missing or the address is none.
    pub fn new(
        base: &str,
        login: Login,
        headers: Vec<(&'static str, String)>,
        parts: &Parts<'_>,
    ) -> Result<Self, String> {
        let url = reqwest::Url::parse(base).map_err(|why| format!("its address is none: {why}"))?;
        let bounds = Bounds { bytes: LARGEST_ANSWER, ..Bounds::default() };
        let client = match url.scheme() {
            "https" => Client::new(bounds)?,
            "http" => Client::without_tls(bounds)?,
            _ => return Err("its address is neither http nor https".to_owned()),
        };
        let credentials = Credentials::new([login.reference().clone()], parts.secrets)?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), login, credentials, headers })
    }

    /// Host and port, by which limits are counted.
    #[must_use]
    pub fn host(&self) -> String {
        let rest = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_owned()
    }

    /// The address of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// One request; `path` begins with a slash. No redirect is followed.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, NoAnswer> {
        self.ask_at(method, &self.url(path), body).await
    }

    /// The same, where the tracker says that it moved: to the same host only, since the token goes along.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn ask_on(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, NoAnswer> {
        let answer = self.ask(method, path, body).await?;
        let moved = matches!(answer.status, 301 | 302 | 307 | 308);
        match answer.header("location").and_then(|location| self.same_host(location)) {
            Some(url) if moved => self.ask_at(method, &url, body).await,
            _ => Ok(answer),
        }
    }

    fn same_host(&self, location: &str) -> Option<String> {
        let base = reqwest::Url::parse(&self.base).ok()?;
        let url = base.join(location).ok()?;
        (url.origin() == base.origin()).then(|| url.into())
    }

    async fn ask_at(&self, method: Method, url: &str, body: Option<&Value>) -> Result<Answer, NoAnswer> {
        // A limit of the receiver is no refusal of the token.
        let refused = |exchange: &Result<Answer, NoAnswer>| match exchange {
            Ok(answer) => answer.status == 401 || (answer.status == 403 && answer.retry_after.is_none()),
            Err(_) => false,
        };
        let attempt = |values: Vec<SecretString>| async move {
            let mut headers = self.headers.clone();
            headers.extend(values.first().map(|secret| self.login.header(secret)));
            self.client.send(method, url, &headers, body.map(|body| body.to_string().into_bytes())).await
        };
        self.credentials.exchange_unless(refused, attempt).await
    }
}

/// One segment of a path, or a value of a query.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 });
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}
