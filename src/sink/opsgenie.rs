//! Opsgenie, and Jira Service Management behind the same requests: a firing creates an alert, an end
//! closes it by alias, an acknowledgement made here is one there.
//!
//! Both answer 202 before anything is done, so the status of the request is looked at once, and what is known by then
//! counts: a create that was refused is refused; a close that found nothing shortly after the end is tried again, because
//! the create may still be on its way. Where the status is not known yet, or the receiver has none, 202 has to do. While an
//! alert is open, a create with its alias raises its count and changes nothing else.
//!
//! Facts: Opsgenie's alert API, "Integration events" of the JSM operations API. Opsgenie's own API ends on 2027-04-05.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::sinks::opsgenie::Opsgenie as Config;
use crate::policy::alert::AlertState;
use crate::policy::notification::{Mark, Notification};
use crate::sink::client::{Answer, Client, Method, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::hide::hide;
use crate::sink::limits::MARK;
use crate::sink::message::{Message, is_alert, who_took_it_on};
use crate::sink::text::Text;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, escape, limits, preview, verdict};
use crate::units::{Length, Timestamp};

/// Their limits are per account and not published: a few a second are well below.
const PACE: Length = Length::from_millis(200);
/// For the status of a request, which is a bonus.
const LOOK: Duration = Duration::from_secs(3);
/// How long after an end a create may still be on its way.
const ON_ITS_WAY: Length = Length::from_minutes(5);
/// Before a close is tried again.
const AGAIN: Length = Length::from_seconds(15);
/// What is waited after a 429 that does not say how long.
const WAIT: Length = Length::from_seconds(30);
/// Priority of what is no alert, and of tests.
const LEAST: &str = "P5";

/// One integration.
struct Opsgenie {
    client: Client,
    config: Config,
    credentials: Credentials,
    text: Text,
    destination: String,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    let client = parts.client(!config.url.starts_with("http:"))?;
    let credentials = Credentials::new([config.api_key.clone()], parts.secrets)?;
    let text = Text::of(parts);
    let destination = format!("opsgenie {}", config.url);
    Ok(Sink::event(Opsgenie { client, config: config.clone(), credentials, text, destination }))
}

/// The path, below the base, and the body of a notification; pure.
#[must_use]
pub fn render(notification: &Notification, message: &Message, config: &Config) -> (String, Value) {
    let alias = alias(&notification.dedup_key);
    if is_alert(notification) && notification.state == AlertState::Resolved {
        let note = limits::OPSGENIE_NOTE.cut_card(&message.text(), str::to_owned);
        let path = format!("/v2/alerts/{alias}/close?identifierType=alias");
        return (path, json!({ "note": note, "source": "slo", "user": "slo" }));
    }
    if let Some(who) = who_took_it_on(notification) {
        let note = limits::OPSGENIE_NOTE.cut(&who);
        let by = notification.acked.as_ref().map_or("slo", |ack| ack.by.as_str());
        let user = limits::OPSGENIE_USER.cut(&escape::line(by));
        let path = format!("/v2/alerts/{alias}/acknowledge?identifierType=alias");
        return (path, json!({ "note": note, "source": "slo", "user": user }));
    }
    let priority = match notification.mark {
        Some(Mark::Test) => LEAST,
        _ if !is_alert(notification) => LEAST,
        _ => config.priority.get(&notification.severity).map_or("P3", String::as_str),
    };
    let mut body = json!({
        "message": limits::OPSGENIE_MESSAGE.cut(&message.headline),
        "alias": alias,
        "description": limits::OPSGENIE_DESCRIPTION.cut_card(&message.text(), str::to_owned),
        "tags": tags(notification),
        "details": details(notification),
        "entity": limits::OPSGENIE_ENTITY.cut(&notification.slo),
        "source": "slo",
        "priority": priority,
    });
    if let Some(team) = &config.team {
        body["responders"] = json!([{ "name": team, "type": "team" }]);
    }
    ("/v2/alerts".to_owned(), body)
}

/// The dedup key in a form that stands in a path: what is replaced is told apart by a hash.
#[must_use]
pub fn alias(dedup_key: &str) -> String {
    const DIGITS: usize = 16;
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let digest: String = limits::hash(dedup_key).chars().take(DIGITS).collect();
    let name: String = dedup_key.chars().map(safe).take(limits::OPSGENIE_ALIAS.max - DIGITS - 1).collect();
    format!("{name}-{digest}")
}

fn tags(notification: &Notification) -> Vec<String> {
    let mut tags = vec!["slo".to_owned(), notification.severity.name().to_owned(), notification.kind.name().to_owned()];
    tags.extend(notification.mark.map(|mark| match mark {
        Mark::Drill => "drill".to_owned(),
        Mark::Test => "test".to_owned(),
    }));
    tags.push(limits::OPSGENIE_TAG.cut(&notification.service.replace(',', " ")));
    tags
}

/// Texts only; the ones of ours first, then labels as long as there is room.
fn details(notification: &Notification) -> BTreeMap<&str, String> {
    let ours =
        [("alert_id", &notification.alert_id), ("notification_id", &notification.id), ("slo", &notification.slo)];
    let labels = notification.labels.iter().map(|(name, value)| (name.as_str(), value));
    let mut details = BTreeMap::new();
    let mut room = limits::OPSGENIE_DETAILS.max;
    for (name, value) in ours.into_iter().chain(labels) {
        let unit = limits::OPSGENIE_DETAILS.unit;
        let left = room.saturating_sub(unit.measure(name));
        if left <= unit.measure(MARK) {
            break;
        }
        let value = limits::OPSGENIE_DETAILS.at_most(left).cut(value);
        room = left.saturating_sub(unit.measure(&value));
        details.entry(name).or_insert(value);
    }
    details
}

/// What the first answer means; pure.
#[must_use]
pub fn judge(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Outcome {
    let mut outcome = verdict::judge(exchange, now);
    let Ok(answer) = exchange else { return outcome };
    match answer.status {
        // A proxy or a wrong address answers everything with 200; a body that was cut is nothing to go by.
        200 if request_id(answer).is_none() => {
            outcome.verdict = DeliveryVerdict::Misconfigured;
            outcome.message = format!("{}; this is not Opsgenie's answer", outcome.message);
        }
        429 if outcome.verdict == DeliveryVerdict::Retry(None) => {
            let told = answer.header("x-ratelimit-period-in-sec").and_then(|text| text.trim().parse().ok());
            let wait = told.map_or(WAIT, |seconds: i64| Length::from_seconds(seconds.clamp(1, 3_600)));
            outcome.verdict = DeliveryVerdict::Retry(Some(wait));
        }
        _ => {}
    }
    outcome
}

/// The id under which the status of a request is asked for; plain characters only, because it goes into a path.
fn request_id(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_str(&answer.body).ok()?;
    let id = body["requestId"].as_str()?;
    let is_plain = !id.is_empty() && id.len() <= 128 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_plain.then(|| id.to_owned())
}

/// What became of a request that was accepted; pure. `accepted` is the outcome so far.
#[must_use]
pub fn judge_status(
    accepted: Outcome,
    status: &Result<Answer, NoAnswer>,
    notification: &Notification,
    now: Timestamp,
) -> Outcome {
    let Ok(answer) = status else { return accepted };
    // 404: not looked at yet.
    let Some(data) = serde_json::from_str::<Value>(&answer.body).ok().filter(|_| answer.status == 200) else {
        return accepted;
    };
    let data = &data["data"];
    if data["isSuccess"].as_bool().or(data["success"].as_bool()) != Some(false) {
        return accepted;
    }
    let why: String = data["status"].as_str().unwrap_or("no reason").chars().take(200).collect();
    let changed_at = match &notification.acked {
        Some(ack) if notification.tells_ack() => Some(ack.at),
        _ => notification.resolved_at,
    };
    let Some(changed_at) = changed_at.filter(|_| is_alert(notification)) else {
        return Outcome::new(DeliveryVerdict::Refused, format!("accepted, then refused: {why}"));
    };
    if now.since(changed_at) < ON_ITS_WAY {
        let what = if notification.tells_ack() { "acknowledged" } else { "closed" };
        let message = format!("not {what}: {why}; perhaps it is still being opened");
        return Outcome::new(DeliveryVerdict::Retry(Some(AGAIN)), message);
    }
    // Closed by hand, or deleted.
    Outcome::done(format!("nothing was open: {why}"))
}

#[async_trait]
impl EventSink for Opsgenie {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let notification = &task.notification;
        let (message, alarm) = Message::of(&self.text, notification);
        let (path, body) = render(notification, &message, &self.config);
        let body = body.to_string().into_bytes();
        let exchange =
            self.credentials.attempt(|values| self.send(Method::Post, path.clone(), Some(body.clone()), values)).await;
        let mut outcome = judge(&exchange, now);
        let id = exchange.as_ref().ok().and_then(request_id);
        if let Some(id) = id.filter(|_| outcome.verdict == DeliveryVerdict::Done) {
            let path = format!("/v2/alerts/requests/{id}");
            let look = self.credentials.attempt(|values| self.send(Method::Get, path.clone(), None, values));
            if let Ok(status) = tokio::time::timeout(LOOK, look).await {
                outcome = judge_status(outcome, &status, notification, now);
            }
            if outcome.verdict == DeliveryVerdict::Done {
                outcome = outcome.with_handle(id);
            }
        }
        outcome.and_alarm(alarm)
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        let (path, body) = render(&task.notification, &message, &self.config);
        let headers = [("authorization", "GenieKey ***")];
        Some(preview::posted(&format!("{}{path}", self.config.url), &headers, &body, alarm))
    }

    fn destination(&self) -> Option<String> {
        Some(self.destination.clone())
    }

    fn pace(&self) -> Length {
        PACE
    }
}

impl Opsgenie {
    async fn send(
        &self,
        method: Method,
        path: String,
        body: Option<Vec<u8>>,
        values: Vec<SecretString>,
    ) -> Result<Answer, NoAnswer> {
        let key: String = values.iter().map(|value| value.expose_secret().trim()).collect();
        let headers = [("authorization", format!("GenieKey {key}"))];
        hide(self.client.send(method, &format!("{}{path}", self.config.url), &headers, body).await, &values)
    }
}
