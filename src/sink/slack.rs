//! Slack: an incoming webhook, or a bot.
//!
//! That somebody took it on is said in one line: by a webhook as a message, by a bot in the thread and in the message
//! itself, whose button goes. A webhook posts each notification as a message of its own. A bot posts one message an episode, changes it to the newest
//! state, and adds a reply to its thread for each later notification: the message says how it stands, the thread what
//! happened. A reply that tells of a firing is shown in the channel too, because nobody is called by a reply. A message
//! that cannot be changed any more is posted anew. After a lost answer there may be two messages: Slack has no key, and a
//! double beats a loss.
//!
//! Facts: Slack's documentation of incoming webhooks, `chat.postMessage`, `chat.update` and Block Kit.

pub mod answer;
pub mod blocks;
pub mod thread;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::sinks::slack::{Slack as Config, SlackReceiver};
use crate::policy::notification::Notification;
use crate::sink::client::{Answer, Client, NoAnswer};
use crate::sink::credentials::Credentials;
use crate::sink::hide::hide;
use crate::sink::message::{Message, is_firing, who_took_it_on};
use crate::sink::slack::answer::Read;
use crate::sink::slack::blocks::Rendered;
use crate::sink::slack::thread::Thread;
use crate::sink::text::Text;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, limits, preview};
use crate::units::{Length, Timestamp};

/// Below one a second for each channel.
const PACE: Length = Length::from_millis(1_100);

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    let text = Text::of(parts);
    let has_ack = config.signing_secret.is_some();
    match &config.to {
        SlackReceiver::Webhook { url } => {
            let credentials = Credentials::new([url.clone()], parts.secrets)?;
            let address = value(&credentials.values().map_err(|none| none.message)?);
            let url = reqwest::Url::parse(&address).map_err(|why| format!("its address is none: {why}"))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err("its address is neither http nor https".to_owned());
            }
            let client = parts.client(url.scheme() == "https")?;
            let digest: String = limits::hash(&address).chars().take(12).collect();
            Ok(Sink::event(Webhook { client, credentials, text, has_ack, destination: format!("slack {digest}") }))
        }
        SlackReceiver::Bot { token, channel, url } => {
            let client = parts.client(!url.starts_with("http:"))?;
            let credentials = Credentials::new([token.clone()], parts.secrets)?;
            Ok(Sink::event(Bot { client, credentials, text, has_ack, channel: channel.clone(), url: url.clone() }))
        }
    }
}

fn value(values: &[SecretString]) -> String {
    values.iter().map(|value| value.expose_secret().trim()).collect()
}

/// An incoming webhook.
struct Webhook {
    client: Client,
    credentials: Credentials,
    text: Text,
    has_ack: bool,
    destination: String,
}

#[async_trait]
impl EventSink for Webhook {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let (rendered, alarm) = self.render(&task.notification);
        let mut outcome = self.post(&body(&rendered), now).await;
        if outcome.verdict == DeliveryVerdict::Refused {
            // Perhaps the blocks are at fault; the text says all of it.
            outcome = self.post(&json!({ "text": rendered.text }), now).await;
        }
        outcome.and_alarm(alarm)
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (rendered, alarm) = self.render(&task.notification);
        Some(preview::posted("***", &[], &body(&rendered), alarm))
    }

    fn destination(&self) -> Option<String> {
        Some(self.destination.clone())
    }

    fn pace(&self) -> Length {
        PACE
    }
}

impl Webhook {
    fn render(&self, notification: &Notification) -> (Rendered, Option<String>) {
        if let Some(short) = blocks::taken_on(notification) {
            return (short, None);
        }
        let (message, alarm) = Message::of(&self.text, notification);
        (blocks::render(notification, &message, self.has_ack, None), alarm)
    }

    async fn post(&self, body: &Value, now: Timestamp) -> Outcome {
        let exchange = self
            .credentials
            .attempt(|values| async move {
                let body = body.to_string().into_bytes();
                hide(self.client.post(&value(&values), &[], body).await, &values)
            })
            .await;
        answer::of_webhook(&exchange, now)
    }
}

fn body(rendered: &Rendered) -> Value {
    json!({ "text": rendered.text, "blocks": rendered.blocks, "unfurl_links": false, "unfurl_media": false })
}

/// A bot in one channel.
struct Bot {
    client: Client,
    credentials: Credentials,
    text: Text,
    has_ack: bool,
    channel: String,
    url: String,
}

#[async_trait]
impl EventSink for Bot {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        let thread = task.handle.as_deref().and_then(Thread::parse);
        if let Some(line) = blocks::taken_on(&task.notification) {
            let outcome = self.taken_on(thread.as_ref(), &task.notification, (&message, &line), now).await;
            return outcome.and_alarm(alarm);
        }
        let outcome = match thread {
            None => self.open(&task.notification, &message, None, now).await,
            Some(thread) => self.go_on(&thread, &task.notification, &message, now).await,
        };
        outcome.and_alarm(alarm)
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (message, alarm) = Message::of(&self.text, &task.notification);
        let rendered = blocks::taken_on(&task.notification)
            .unwrap_or_else(|| blocks::render(&task.notification, &message, self.has_ack, None));
        let mut request = body(&rendered);
        request["channel"] = self.channel.as_str().into();
        let url = format!("{}/chat.postMessage", self.url);
        Some(preview::posted(&url, &[("authorization", "Bearer ***")], &request, alarm))
    }

    fn keeps_threads(&self) -> bool {
        true
    }

    fn destination(&self) -> Option<String> {
        Some(format!("slack {} {}", self.url, self.channel))
    }

    fn pace(&self) -> Length {
        PACE
    }
}

impl Bot {
    /// A new message; in place of one that cannot be changed any more, where there is one.
    async fn open(
        &self,
        notification: &Notification,
        message: &Message,
        former: Option<&Thread>,
        now: Timestamp,
    ) -> Outcome {
        let others = former.and_then(|former| former.after(notification).0.others());
        let rendered = blocks::render(notification, message, self.has_ack, others.as_deref());
        let mut request = body(&rendered);
        request["channel"] = self.channel.as_str().into();
        let read = self.call_smaller("chat.postMessage", request, now).await;
        let Some((channel, ts)) = read.message else { return read.outcome };
        let thread = match former {
            None => Thread::new(&channel, &ts, notification),
            Some(former) => Thread { shown: crate::sink::message::which(notification), ..former.after(notification).0 }
                .moved(&channel, &ts),
        };
        read.outcome.with_handle(thread.handle())
    }

    /// The message of an episode changes, its thread grows.
    async fn go_on(&self, thread: &Thread, notification: &Notification, message: &Message, now: Timestamp) -> Outcome {
        let (next, shows) = thread.after(notification);
        if shows {
            let rendered = blocks::render(notification, message, self.has_ack, next.others().as_deref());
            let request = json!({
                "channel": thread.channel, "ts": thread.ts, "text": rendered.text, "blocks": rendered.blocks,
            });
            let read = self.call_smaller("chat.update", request, now).await;
            if read.gone {
                return self.open(notification, message, Some(thread), now).await;
            }
            if read.outcome.verdict != DeliveryVerdict::Done {
                return read.outcome;
            }
        }
        let rendered = blocks::render(notification, message, false, None);
        let mut request = body(&rendered);
        request["channel"] = thread.channel.as_str().into();
        request["thread_ts"] = thread.ts.as_str().into();
        request["reply_broadcast"] = is_firing(notification).into();
        let read = self.call_smaller("chat.postMessage", request, now).await;
        if read.gone {
            return self.open(notification, message, Some(thread), now).await;
        }
        if read.outcome.verdict == DeliveryVerdict::Done {
            read.outcome.with_handle(next.handle())
        } else {
            read.outcome
        }
    }

    /// The message says who took it on, where it shows this alert, and has no button any more; the thread says it too.
    /// Where no message is left to change, the line is one of its own.
    async fn taken_on(
        &self,
        thread: Option<&Thread>,
        notification: &Notification,
        (message, line): (&Message, &Rendered),
        now: Timestamp,
    ) -> Outcome {
        let mut request = body(line);
        request["channel"] = self.channel.as_str().into();
        let Some(thread) = thread else { return self.call_smaller("chat.postMessage", request, now).await.outcome };
        if thread.after(notification).1 {
            let who = who_took_it_on(notification);
            let rendered = blocks::render(notification, message, false, who.as_deref());
            let change = json!({
                "channel": thread.channel, "ts": thread.ts, "text": rendered.text, "blocks": rendered.blocks,
            });
            let read = self.call_smaller("chat.update", change, now).await;
            if !read.gone && read.outcome.verdict != DeliveryVerdict::Done {
                return read.outcome;
            }
        }
        let mut reply = request.clone();
        reply["channel"] = thread.channel.as_str().into();
        reply["thread_ts"] = thread.ts.as_str().into();
        let mut read = self.call_smaller("chat.postMessage", reply, now).await;
        if read.gone {
            read = self.call_smaller("chat.postMessage", request, now).await;
        }
        read.outcome.with_handle(thread.handle())
    }

    /// A call, and once more without blocks where those are refused: a page is not lost to a rule about blocks. An empty
    /// list, because an update without any keeps the old ones.
    async fn call_smaller(&self, method: &str, mut request: Value, now: Timestamp) -> Read {
        let read = self.call(method, &request, now).await;
        if !read.too_much {
            return read;
        }
        request["blocks"] = json!([]);
        self.call(method, &request, now).await
    }

    async fn call(&self, method: &str, request: &Value, now: Timestamp) -> Read {
        let url = format!("{}/{method}", self.url);
        let send = |values: Vec<SecretString>| {
            let url = &url;
            async move {
                let headers = [("authorization", format!("Bearer {}", value(&values)))];
                hide(self.client.post(url, &headers, request.to_string().into_bytes()).await, &values)
            }
        };
        let is_refused = |exchange: &Result<Answer, NoAnswer>| answer::of_bot(exchange, now).refused;
        answer::of_bot(&self.credentials.exchange_unless(is_refused, send).await, now)
    }
}
