//! What a notification looks like in Slack: a fallback text, and blocks within Slack's limits.
//!
//! Pure. Links are words in the text, not buttons: a button needs an app that answers. `Ack` is a button, and stands there
//! only where presses of it can be trusted (`signing_secret`).

use serde_json::{Value, json};

use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::sink::message::{Link, Message, is_alert, is_firing};
use crate::sink::{escape, limits, message};
use crate::spec::policy::AlertSeverity;

/// The id of the button that acknowledges; its value is the alert's id.
pub const ACK: &str = "ack";

/// A message as Slack takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Shown in notifications, and where blocks are not.
    pub text: String,
    /// The message.
    pub blocks: Vec<Value>,
}

/// The message of a notification. `has_ack`: presses of its button come back to us. `also` is said below the message.
#[must_use]
pub fn render(notification: &Notification, message: &Message, has_ack: bool, also: Option<&str>) -> Rendered {
    let text = limits::SLACK_TEXT.cut_card(&message.text(), escape::slack);
    let mut blocks = vec![section(&main_text(notification, message))];
    blocks.extend(also.map(|also| section(&limits::SLACK_SECTION.cut_escaped(also, escape::slack))));
    let has_value = limits::SLACK_VALUE.fits(&notification.alert_id);
    if has_ack && has_value && is_firing(notification) && notification.acked.is_none() {
        let label = json!({ "type": "plain_text", "text": "Ack" });
        let button = json!({
            "type": "button", "style": "primary", "text": label, "action_id": ACK, "value": notification.alert_id,
        });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    Rendered { text, blocks }
}

/// All that is said of an acknowledgement, as a message of its own or a line in a thread; `None` where it is none.
#[must_use]
pub fn taken_on(notification: &Notification) -> Option<Rendered> {
    let line = message::taken_on(notification)?;
    let shown = limits::SLACK_SECTION.cut_escaped(&format!("👀 {line}"), escape::slack);
    Some(Rendered { text: limits::SLACK_TEXT.cut_escaped(&line, escape::slack), blocks: vec![section(&shown)] })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

/// First line in bold, what follows, what to do.
fn main_text(notification: &Notification, message: &Message) -> String {
    let links = links(&message.links);
    let what_to_do = if message.templated || links.is_empty() { String::new() } else { format!("\n{links}") };
    let symbol = symbol(notification);
    let unit = limits::SLACK_SECTION.unit;
    let taken = unit.measure(&what_to_do) + unit.measure(symbol) + 4;
    let room = limits::SLACK_SECTION.at_most(limits::SLACK_SECTION.max - taken);
    let body = [&message.headline].into_iter().chain(&message.lines).map(String::as_str).collect::<Vec<_>>().join("\n");
    let body = room.cut_card(&body, escape::slack);
    let (first, rest) = body.split_once('\n').map_or((body.as_str(), ""), |(first, rest)| (first, rest));
    // A star of its own would end the bold text early.
    let first = if first.is_empty() || first.contains('*') { first.to_owned() } else { format!("*{first}*") };
    let rest = if rest.is_empty() { String::new() } else { format!("\n{rest}") };
    format!("{symbol}{first}{rest}{what_to_do}")
}

/// `<https://..|runbook> | <https://..|dashboard>`: as many as fit into a third of a section.
fn links(links: &[Link]) -> String {
    let room = limits::SLACK_SECTION.at_most(limits::SLACK_SECTION.max / 3);
    let mut text = String::new();
    for link in links {
        let separator = if text.is_empty() { "" } else { " | " };
        let name = escape::slack(&link.name).replace('|', "/");
        let longer = format!("{text}{separator}<{}|{name}>", link.address.replace('&', "&amp;").replace('|', "%7C"));
        if room.fits(&longer) {
            text = longer;
        }
    }
    text
}

/// What is seen before anything is read.
fn symbol(notification: &Notification) -> &'static str {
    match (notification.state, notification.severity) {
        _ if !is_alert(notification) => "",
        (AlertState::Resolved, _) => "🟢 ",
        (_, AlertSeverity::Page) => "🔴 ",
        (_, AlertSeverity::Ticket) => "🟠 ",
        (_, AlertSeverity::Notice) => "🔵 ",
    }
}
