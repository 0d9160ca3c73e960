//! A webhook: the body of INTERFACES 5 by POST, with the headers of Standard Webhooks and an `Idempotency-Key`.
//!
//! The id is the same on every try, the time stamp is that of the try; the signature covers id, time and the exact bytes
//! sent. After a 401 or 403 secrets that come from files are read again and the request is made once more at once. Where
//! the address is a secret no part of the answer is shown, since servers like to repeat the path in it. The body is ours,
//! Alertmanager's ([`alertmanager_body`]) or what the operator's template makes.

pub mod alertmanager_body;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::config::meant::{SecretRef, WebhookUrl};
use crate::config::sinks::webhook::{WebhookFormat, WebhookShape};
use crate::policy::notification::Notification;
use crate::secret::Secrets;
use crate::sink::client::{Answer, Client, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::text::Text;
use crate::sink::{EventSink, Outcome, Parts, Task, body, verdict};
use crate::units::Timestamp;

/// In front of a key that is written in base64.
const KEY_PREFIX: &str = "whsec_";

/// The media type of every body but a template's that says another.
const JSON: &str = "application/json";

/// One webhook.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: WebhookUrl,
    is_signed: bool,
    /// The address where it is a secret, then the key where there is one.
    credentials: Credentials,
    body: Body,
    /// Host, and a hash of the address.
    destination: String,
}

/// What is posted.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// INTERFACES 5.
    #[default]
    Own,
    /// Alertmanager's.
    Alertmanager {
        /// What it calls us: the sink's name.
        receiver: String,
        /// This service's address for people.
        external_url: Option<String>,
    },
    /// What a template makes of it.
    Templated(Text, String),
}

impl Body {
    /// As this sink is configured.
    #[must_use]
    pub fn of(shape: &WebhookShape, parts: &Parts<'_>) -> Self {
        let text = Text::of(parts);
        match shape.format {
            _ if text.is_templated() => {
                Self::Templated(text, shape.content_type.clone().unwrap_or_else(|| JSON.to_owned()))
            }
            WebhookFormat::Own => Self::Own,
            WebhookFormat::Alertmanager => {
                Self::Alertmanager { receiver: parts.name.to_owned(), external_url: parts.server.external_url.clone() }
            }
        }
    }

    /// The bytes, their media type, and what to mend where a template failed and they are our own.
    fn render(&self, notification: &Notification) -> (String, &str, Option<String>) {
        let own = || body::render(notification);
        match self {
            Self::Own => (own(), JSON, None),
            Self::Alertmanager { receiver, external_url } => {
                (alertmanager_body::render(notification, receiver, external_url.as_deref()), JSON, None)
            }
            Self::Templated(text, media_type) => match text.own(notification) {
                None => (own(), JSON, None),
                Some(Err(alarm)) => (own(), JSON, Some(alarm)),
                Some(Ok(text)) if media_type == JSON => match serde_json::from_str::<serde_json::Value>(&text) {
                    Ok(_) => (text, JSON, None),
                    Err(why) => {
                        (own(), JSON, Some(format!("the template renders no JSON: {why}; our own body was sent")))
                    }
                },
                Some(Ok(text)) => (text, media_type, None),
            },
        }
    }
}

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Header names in lower case, and their values.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes that are signed and sent.
    pub body: String,
}

/// The request of a notification; pure. `key` signs it; without one the signature is left out.
#[must_use]
pub fn render(notification: &Notification, key: Option<&[u8]>, now: Timestamp) -> Request {
    request(notification, body::render(notification), key, now)
}

/// The request with this body, signed over it.
fn request(notification: &Notification, body: String, key: Option<&[u8]>, now: Timestamp) -> Request {
    let id = encoded(&notification.id, |byte| byte == b'.');
    let seconds = now.millis().div_euclid(1_000).to_string();
    let mut headers = vec![
        ("idempotency-key", encoded(&notification.id, |_| false)),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", seconds.clone()),
    ];
    if let Some(signature) = key.and_then(|key| sign(key, &id, &seconds, &body)) {
        headers.push(("webhook-signature", signature));
    }
    Request { headers, body }
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks). `None` does not happen: HMAC takes
/// a key of any length.
fn sign(key: &[u8], id: &str, seconds: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id, ".", seconds, ".", body] {
        mac.update(part.as_bytes());
    }
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// The id with everything that a header cannot hold percent-encoded, and what `also` says; `%` always, so that decoding
/// gives the id back.
fn encoded(id: &str, also: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        if !(b' '..=b'~').contains(&byte) || byte == b'%' || also(byte) {
            let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 });
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            text.push(char::from(byte));
        }
    }
    text
}

/// The bytes of a key: base64 after `whsec_`, else as they are.
fn key_bytes(secret: &SecretString) -> Result<Vec<u8>, String> {
    match secret.expose_secret().strip_prefix(KEY_PREFIX) {
        Some(text) => {
            STANDARD.decode(text).map_err(|_| "the secret begins with `whsec_`, and is not base64 after it".to_owned())
        }
        None => Ok(secret.expose_secret().as_bytes().to_vec()),
    }
}

/// What an address is known by without its path, which may be a secret: host, and the begin of a hash of all of it.
fn destination(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let digest = Sha256::digest(address.as_bytes());
    digest.iter().take(4).fold(format!("{host} #"), |text, byte| format!("{text}{byte:02x}"))
}

impl Webhook {
    /// Fails where a secret is missing, the key is not what its prefix says, or the address is none.
    pub fn new(
        client: Client,
        url: WebhookUrl,
        key: Option<SecretRef>,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, String> {
        let secret_url = if let WebhookUrl::Secret(reference) = &url { Some(reference.clone()) } else { None };
        let is_signed = key.is_some();
        let credentials = Credentials::new(secret_url.into_iter().chain(key), secrets)?;
        let mut sink = Self { client, url, is_signed, credentials, body: Body::Own, destination: String::new() };
        let values = sink.credentials.values().map_err(|none| none.message)?;
        sink.key(&values)?;
        let address = sink.address(&values);
        let shown = destination(address);
        let address = reqwest::Url::parse(address).map_err(|why| format!("its address is none: {why}"))?;
        sink.destination = shown;
        if matches!(address.scheme(), "http" | "https") {
            Ok(sink)
        } else {
            Err("its address is neither http nor https".to_owned())
        }
    }

    /// With another body than our own.
    #[must_use]
    pub fn shaped(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    fn address<'a>(&'a self, values: &'a [SecretString]) -> &'a str {
        match &self.url {
            WebhookUrl::Plain(url) => url,
            WebhookUrl::Secret(_) => values.first().map_or("", |value| value.expose_secret()),
        }
    }

    fn key(&self, values: &[SecretString]) -> Result<Option<Vec<u8>>, String> {
        values.last().filter(|_| self.is_signed).map(key_bytes).transpose()
    }

    async fn post(
        &self,
        task: &Task,
        (body, media_type): (&str, &str),
        values: Vec<SecretString>,
        now: Timestamp,
    ) -> Result<Answer, NoAnswer> {
        let key = self.key(&values).map_err(NoAnswer::keyless)?;
        let mut request = request(&task.notification, body.to_owned(), key.as_deref(), now);
        request.headers.push(("content-type", media_type.to_owned()));
        let address = self.address(&values);
        let mut exchange = self.client.post(address, &request.headers, request.body.into_bytes()).await;
        if let (Ok(answer), WebhookUrl::Secret(_)) = (&mut exchange, &self.url) {
            answer.body.clear();
        }
        exchange
    }
}

#[async_trait]
impl EventSink for Webhook {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let (body, media_type, alarm) = self.body.render(&task.notification);
        let exchange = self.credentials.attempt(|values| self.post(task, (&body, media_type), values, now)).await;
        verdict::judge(&exchange, now).and_alarm(alarm)
    }

    fn destination(&self) -> Option<String> {
        Some(self.destination.clone())
    }

    fn preview(&self, task: &Task, now: Timestamp) -> Option<String> {
        let (body, media_type, alarm) = self.body.render(&task.notification);
        let request = request(&task.notification, body, None, now);
        let mut lines: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if self.is_signed {
            lines.push("webhook-signature: v1,***".to_owned());
        }
        lines.push(format!("content-type: {media_type}"));
        lines.extend(alarm.map(|alarm| format!("(alarm: {alarm})")));
        Some(format!("{}\n\n{}", lines.join("\n"), request.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_published_vector() {
        // Example of the Standard Webhooks specification and its reference libraries.
        let key = key_bytes(&SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", r#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_are_base64_after_their_prefix_and_raw_otherwise() {
        assert_eq!(key_bytes(&SecretString::from("whsec_AAEC")).unwrap(), [0, 1, 2]);
        assert_eq!(key_bytes(&SecretString::from("plain")).unwrap(), b"plain");
        let error = key_bytes(&SecretString::from("whsec_canary!")).unwrap_err();
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn ids_are_encoded_only_where_a_header_or_the_signed_text_needs_it() {
        let id = "checkout.v2/a{zone=\"ü\n%\"}/page";
        assert_eq!(encoded(id, |_| false), "checkout.v2/a{zone=\"%C3%BC%0A%25\"}/page");
        assert_eq!(encoded(id, |byte| byte == b'.'), "checkout%2Ev2/a{zone=\"%C3%BC%0A%25\"}/page");
    }
}
