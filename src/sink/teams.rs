//! Microsoft Teams: an adaptive card, posted to a workflow.
//!
//! No key, no update: an end is a second card, and that somebody took it on is one line. 202 means that the flow has begun; a card of more than about 28 KB is
//! accepted and lost in a later step, so it is cut far below. The address is the credential. Office connectors
//! (`webhook.office.com`) ended in May 2026 and told errors as text in a 200; gateways in front of workflows do so too,
//! and that text is read.
//!
//! Facts: Microsoft's documentation of workflows and connectors, adaptive cards.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::sinks::teams::Teams as Config;
use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::sink::client::{Answer, Client, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::hide::hide;
use crate::sink::message::{Link, Message, is_alert, taken_on};
use crate::sink::text::Text;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, escape, limits, preview, verdict};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// Below 4 a second.
const PACE: Length = Length::from_millis(300);
/// What is waited after a 429 that does not say how long.
const WAIT: Length = Length::from_minutes(1);
/// Buttons that Teams shows at once.
const BUTTONS: usize = 6;
/// How the text of an error begins that comes with a 200; the status follows.
const ERROR_IN_200: &str = "returned http error ";
/// Where connectors were.
const RETIRED: &str = "webhook.office.com";

/// One workflow.
struct Teams {
    client: Client,
    credentials: Credentials,
    text: Text,
    destination: String,
    retired: bool,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    let credentials = Credentials::new([config.url.clone()], parts.secrets)?;
    let values = credentials.values().map_err(|none| none.message)?;
    let address: String = values.iter().map(|value| value.expose_secret().trim()).collect();
    let url = reqwest::Url::parse(&address).map_err(|why| format!("its address is none: {why}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("its address is neither http nor https".to_owned());
    }
    let digest: String = limits::hash(&address).chars().take(12).collect();
    Ok(Sink::Event(Arc::new(Teams {
        client: parts.client(url.scheme() == "https")?,
        credentials,
        text: Text::of(parts),
        destination: format!("teams {digest}"),
        retired: url.host_str().is_some_and(|host| host == RETIRED || host.ends_with(&format!(".{RETIRED}"))),
    })))
}

/// The body of a notification; pure.
#[must_use]
pub fn render(notification: &Notification, message: &Message) -> Value {
    if let Some(headline) = taken_on(notification) {
        let short = Message { headline, lines: Vec::new(), links: Vec::new(), templated: false };
        return envelope(&card(notification, &short, limits::TEAMS_TEXT.max, false));
    }
    // Half as much text each time, until all of it fits.
    let sizes = [limits::TEAMS_TEXT.max, 3_000, 1_500, 600, 200];
    let mut body = Value::Null;
    for (tried, size) in sizes.into_iter().enumerate() {
        body = envelope(&card(notification, message, size, tried < 2));
        if limits::TEAMS_BODY.fits(&body.to_string()) {
            break;
        }
    }
    body
}

fn envelope(card: &Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// A card whose text has at most `size` bytes; with facts and all buttons, or with two buttons.
fn card(notification: &Notification, message: &Message, size: usize, facts: bool) -> Value {
    let text = limits::TEAMS_TEXT.at_most(size);
    let block = |text: String| json!({ "type": "TextBlock", "text": text, "wrap": true, "spacing": "Small" });
    let mut body = vec![json!({
        "type": "TextBlock",
        "text": text.at_most(1_000).cut_escaped(&message.headline, escape::teams),
        "wrap": true,
        "weight": "Bolder",
        "size": "Medium",
        "color": color(notification),
    })];
    let others = message.lines.join("\n");
    let others = text.cut_card(&others, escape::teams);
    body.extend(others.lines().filter(|line| !line.is_empty()).map(|line| block(line.to_owned())));
    if facts {
        body.push(json!({ "type": "FactSet", "facts": facts_of(notification) }));
    }
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "full" },
        "body": body,
    });
    let buttons: Vec<Value> = message.links.iter().filter_map(button).take(if facts { BUTTONS } else { 2 }).collect();
    if !buttons.is_empty() {
        card["actions"] = buttons.into();
    }
    card
}

/// What a person copies into a command or a search.
fn facts_of(notification: &Notification) -> Vec<Value> {
    let fact = |title: &str, value: &str| {
        let value = limits::TEAMS_FACT.cut_escaped(value, escape::teams);
        json!({ "title": limits::TEAMS_FACT.cut_escaped(title, escape::teams), "value": value })
    };
    let mut facts = vec![fact("slo", &notification.slo)];
    if is_alert(notification) {
        facts.push(fact("alert", &notification.alert_id));
    }
    facts.extend(notification.owner.iter().map(|owner| fact("owner", owner)));
    facts
}

fn button(link: &Link) -> Option<Value> {
    // An address that is cut leads nowhere.
    limits::TEAMS_URL.fits(&link.address).then(|| {
        let title = limits::TEAMS_FACT.at_most(80).cut(&link.name);
        json!({ "type": "Action.OpenUrl", "title": title, "url": link.address })
    })
}

fn color(notification: &Notification) -> &'static str {
    match (notification.state, notification.severity) {
        _ if !is_alert(notification) => "Default",
        (AlertState::Resolved, _) => "Good",
        _ if notification.tells_ack() => "Accent",
        (_, AlertSeverity::Page) => "Attention",
        (_, AlertSeverity::Ticket) => "Warning",
        (_, AlertSeverity::Notice) => "Accent",
    }
}

/// What an answer means; pure.
#[must_use]
pub fn judge(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Outcome {
    let Ok(answer) = exchange else { return verdict::judge(exchange, now) };
    let said = answer.body.to_ascii_lowercase();
    let status = match answer.status {
        200..=299 => status_in(&said).unwrap_or(answer.status),
        // The flow is switched off, or wants a login: somebody has to mend it.
        400 if said.contains("trigger") && said.contains("notenabled") => 404,
        400 if said.contains("authorizationrequired") => 401,
        other => other,
    };
    let mut outcome = verdict::judge(&Ok(Answer { status, ..answer.clone() }), now);
    if outcome.verdict == DeliveryVerdict::Retry(None) {
        outcome.verdict = DeliveryVerdict::Retry(Some(WAIT));
    }
    outcome
}

/// The status of an error that is told in the text of a success.
fn status_in(said: &str) -> Option<u16> {
    if let Some((_, rest)) = said.split_once(ERROR_IN_200) {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // An error that names no status that is one: nothing is known but that it failed.
        return Some(digits.parse().ok().filter(|status| *status >= 300).unwrap_or(500));
    }
    let failed = said.contains("message delivery failed") || said.contains("is required");
    failed.then_some(400)
}

#[async_trait]
impl EventSink for Teams {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        let body = render(&task.notification, &message).to_string().into_bytes();
        let exchange = self.credentials.attempt(|values| self.send(body.clone(), values)).await;
        let outcome = judge(&exchange, now).and_alarm(alarm);
        if self.retired {
            let hint = format!("its address is a connector of {RETIRED}, which ended in May 2026: make a workflow");
            return outcome.with_alarm(hint);
        }
        outcome
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        Some(preview::posted("***", &[], &render(&task.notification, &message), alarm))
    }

    fn destination(&self) -> Option<String> {
        Some(self.destination.clone())
    }

    fn pace(&self) -> Length {
        PACE
    }
}

impl Teams {
    async fn send(&self, body: Vec<u8>, values: Vec<SecretString>) -> Result<Answer, NoAnswer> {
        let address: String = values.iter().map(|value| value.expose_secret().trim()).collect();
        hide(self.client.post(&address, &[], body).await, &values)
    }
}
