//! PagerDuty, Events API v2: a firing is a trigger, an end is a resolve, an acknowledgement made here is one there, all
//! under the dedup key.
//!
//! A repeat is a trigger again: on an open alert it adds a line to its log, and one that somebody has resolved there by hand
//! is opened again, which is what a repeat is for. Order is the outbox's: a trigger never follows its resolve. A resolve
//! under another routing key is dropped without a word, so the handle keeps a hash of the key that the trigger went to,
//! and a change of the key in between raises an alarm. Reviews and heartbeats are change events: they open nothing.
//!
//! Facts: PagerDuty's developer documentation, Events API v2.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::sinks::pagerduty::Pagerduty as Config;
use crate::policy::alert::AlertState;
use crate::policy::notification::{Mark, Notification};
use crate::sink::client::{Answer, Client, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::hide::hide;
use crate::sink::message::{Message, is_alert};
use crate::sink::text::Text;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, alertmanager, limits, preview, verdict};
use crate::units::{Length, Timestamp};

/// Below 120 a minute for each key.
const PACE: Length = Length::from_millis(600);
/// What is waited after a 429 that does not say how long: "a few minutes".
const WAIT: Length = Length::from_minutes(1);
/// Digits of the hash of a routing key that are kept: enough to see a change, of no use to find the key.
const DIGITS: usize = 12;

/// One integration of PagerDuty.
struct Pagerduty {
    client: Client,
    config: Config,
    credentials: Credentials,
    external_url: Option<String>,
    text: Text,
    destination: String,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    let client = parts.client(!config.url.starts_with("http:"))?;
    let credentials = Credentials::new([config.routing_key.clone()], parts.secrets)?;
    let key = credentials.values().map_err(|none| none.message)?;
    let key: String = key.iter().map(fingerprint).collect();
    Ok(Sink::Event(Arc::new(Pagerduty {
        client,
        config: config.clone(),
        credentials,
        external_url: parts.server.external_url.clone(),
        text: Text::of(parts),
        destination: format!("pagerduty {} {key}", config.url),
    })))
}

/// What does not change from one notification to the next.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The integration's key.
    pub routing_key: &'a str,
    /// What our severities are called there.
    pub config: &'a Config,
    /// Our own address for people.
    pub external_url: Option<&'a str>,
}

/// The path and the body of a notification; pure.
#[must_use]
pub fn render(notification: &Notification, message: &Message, frame: &Frame<'_>) -> (&'static str, Value) {
    let mut event = json!({ "routing_key": frame.routing_key });
    if !is_alert(notification) {
        event["payload"] = json!({
            "summary": limits::PAGERDUTY_SUMMARY.cut(&message.headline),
            "source": notification.slo,
            "timestamp": notification.as_of.to_string(),
            "custom_details": { "text": limits::PAGERDUTY_DETAIL.cut(&message.text()) },
        });
        event["links"] = links(message);
        return ("/v2/change/enqueue", event);
    }
    event["dedup_key"] = limits::key(&limits::PAGERDUTY_KEY, &notification.dedup_key).into();
    if notification.state == AlertState::Resolved {
        event["event_action"] = "resolve".into();
        return ("/v2/enqueue", event);
    }
    if notification.tells_ack() {
        // Also where it came from there: on an alert that is acknowledged it changes nothing, and what PagerDuty tells us
        // of it was done by no person but by the integration, which our hook leaves alone. So there is no loop.
        event["event_action"] = "acknowledge".into();
        return ("/v2/enqueue", event);
    }
    event["event_action"] = "trigger".into();
    event["client"] = "slo".into();
    if let Some(url) = frame.external_url.and_then(|base| alertmanager::page(base, notification)) {
        event["client_url"] = url.into();
    }
    event["links"] = links(message);
    event["payload"] = json!({
        "summary": limits::PAGERDUTY_SUMMARY.cut(&message.headline),
        "source": notification.slo,
        "severity": severity(notification, frame.config),
        "timestamp": notification.fired_at.to_string(),
        "component": notification.service,
        "group": notification.group.to_string(),
        "class": notification.kind.name(),
        "custom_details": details(notification, message, true),
    });
    if !limits::PAGERDUTY_BODY.fits(&event.to_string()) {
        event["payload"]["custom_details"] = details(notification, message, false);
        event["links"] = json!([]);
    }
    ("/v2/enqueue", event)
}

/// A test wakes nobody.
fn severity<'a>(notification: &Notification, config: &'a Config) -> &'a str {
    if notification.mark == Some(Mark::Test) {
        return "info";
    }
    config.severity.get(&notification.severity).map_or("critical", String::as_str)
}

/// What stands beside the summary; without what has no limit of its own where all of it is too much.
fn details(notification: &Notification, message: &Message, all: bool) -> Value {
    let mut details = json!({
        "text": limits::PAGERDUTY_DETAIL.cut_card(&message.text(), str::to_owned),
        "alert_id": notification.alert_id,
        "notification_id": notification.id,
        "slo": notification.slo,
    });
    if let Some(owner) = &notification.owner {
        details["owner"] = owner.as_str().into();
    }
    if let Some(budget) = &notification.budget {
        details["budget_remaining_ratio"] = budget.remaining_ratio.into();
    }
    if all {
        details["labels"] = json!(notification.labels);
        if !notification.members.is_empty() {
            let slos: Vec<&str> = notification.members.iter().map(|member| member.slo.as_str()).collect();
            details["members"] = json!(slos);
        }
    }
    details
}

fn links(message: &Message) -> Value {
    message.links.iter().map(|link| json!({ "href": link.address, "text": link.name })).collect()
}

/// What an answer means; pure.
#[must_use]
pub fn judge(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Outcome {
    let mut outcome = verdict::judge(exchange, now);
    let Ok(answer) = exchange else { return outcome };
    match answer.status {
        // Never ours: a proxy or a wrong address answers everything with 200.
        200 | 201 | 203..=299 if !says_success(answer) => {
            outcome.verdict = DeliveryVerdict::Misconfigured;
            outcome.message = format!("{}; this is not PagerDuty's answer", outcome.message);
        }
        400 if answer.body.to_ascii_lowercase().replace(' ', "_").contains("routing_key") => {
            outcome.verdict = DeliveryVerdict::Misconfigured;
        }
        429 if outcome.verdict == DeliveryVerdict::Retry(None) => outcome.verdict = DeliveryVerdict::Retry(Some(WAIT)),
        _ => {}
    }
    outcome
}

fn says_success(answer: &Answer) -> bool {
    serde_json::from_str::<Value>(&answer.body).is_ok_and(|body| body["status"] == "success")
}

fn fingerprint(key: &SecretString) -> String {
    limits::hash(key.expose_secret()).chars().take(DIGITS).collect()
}

#[async_trait]
impl EventSink for Pagerduty {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let notification = &task.notification;
        let (message, alarm) = Message::of(&self.text, notification);
        let is_refused = |exchange: &Result<(Answer, String), NoAnswer>| {
            let Ok((answer, _)) = exchange else { return false };
            judge(&Ok(answer.clone()), now).verdict == DeliveryVerdict::Misconfigured
        };
        let sent =
            self.credentials.attempt_unless(is_refused, |values| self.send(notification, &message, values)).await;
        let (exchange, key) = match sent {
            Ok((answer, key)) => (Ok(answer), Some(key)),
            Err(none) => (Err(none), None),
        };
        let mut outcome = judge(&exchange, now).and_alarm(alarm);
        if outcome.verdict != DeliveryVerdict::Done || !is_alert(notification) {
            return outcome;
        }
        if task.handle.as_ref().zip(key.as_ref()).is_some_and(|(former, now)| former != now) {
            outcome.alarm = Some(
                "the routing key has changed since this was told: what was opened under the former one stays open, \
                 resolve it by hand"
                    .to_owned(),
            );
        }
        outcome.handle = key;
        outcome
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        let values = self.credentials.values().ok()?;
        let key: String = values.iter().map(|value| value.expose_secret().trim()).collect();
        let frame = Frame { routing_key: &key, config: &self.config, external_url: self.external_url.as_deref() };
        let (path, body) = render(&task.notification, &message, &frame);
        Some(preview::posted(&format!("{}{path}", self.config.url), &[], &body, alarm))
    }

    fn destination(&self) -> Option<String> {
        Some(self.destination.clone())
    }

    fn pace(&self) -> Length {
        PACE
    }
}

impl Pagerduty {
    /// One request; with what it was answered the fingerprint of the key.
    async fn send(
        &self,
        notification: &Notification,
        message: &Message,
        values: Vec<SecretString>,
    ) -> Result<(Answer, String), NoAnswer> {
        let key: String = values.iter().map(|value| value.expose_secret().trim()).collect();
        let frame = Frame { routing_key: &key, config: &self.config, external_url: self.external_url.as_deref() };
        let (path, body) = render(notification, message, &frame);
        let url = format!("{}{path}", self.config.url);
        let exchange = self.client.post(&url, &[], body.to_string().into_bytes()).await;
        hide(exchange, &values).map(|answer| (answer, values.iter().map(fingerprint).collect()))
    }
}
