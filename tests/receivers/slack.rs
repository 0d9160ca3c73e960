//! Slack: an incoming webhook, and the Web API for a bot.
//!
//! Sources: "Sending messages using incoming webhooks" (`ok` as plain text, errors as a status and a word),
//! `chat.postMessage` and `chat.update` (a 200 with `ok: false` and a word; channels by id only in an update; blocks that
//! are left out stay; `edit_window_closed`, `message_not_found`), Block Kit's reference (50 blocks, section 3,000, button
//! 75 and 2,000), bolt-js#2509 (13,200 characters over all blocks: `msg_blocks_too_long`), rate limits (429, `Retry-After`).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::slack::{Slack as Config, SlackReceiver};
use slo::policy::alert::{AlertKind, AlertState};
use slo::policy::notification::{Member, Notification};
use slo::policy::sample as samples;
use slo::sink::DeliveryVerdict::{Ambiguous, Done, Misconfigured, Refused, Retry};
use slo::sink::client::Answer as Said;
use slo::sink::message::Message;
use slo::sink::slack::answer::{of_bot, of_webhook};
use slo::sink::slack::blocks::{render, taken_on as taken_on_line};
use slo::sink::slack::thread::Thread;
use slo::sink::text::Text;
use slo::sink::{DeliveryVerdict, Sink};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;

use crate::kit::{deliver, env, golden, page, preview, read, read_well, sink, taken_on, task, value_of};
use crate::sample::NIGHT;
use crate::server::{Answer, Fault, Receiver, Request, Server};

const CHANNEL: &str = "C024BE91L";
const HOOK: &str = "/services/T00000000/B00000000/hook-canary-4711";

#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    pub body: Value,
    pub thread: Option<String>,
    pub updates: u32,
}

#[derive(Debug, Default)]
pub struct Slack {
    /// By time stamp, in their order.
    pub messages: BTreeMap<String, Posted>,
    /// Messages that can be changed no more.
    pub closed: Vec<String>,
}

impl Slack {
    fn root(&self) -> (&String, &Posted) {
        self.messages.iter().rfind(|(_, message)| message.thread.is_none()).unwrap()
    }

    fn roots(&self) -> usize {
        self.messages.values().filter(|message| message.thread.is_none()).count()
    }

    fn post(&mut self, body: Value) -> String {
        let ts = format!("1795230000.{:06}", self.messages.len() + 1);
        let thread = body["thread_ts"].as_str().map(str::to_owned);
        self.messages.insert(ts.clone(), Posted { body, thread, updates: 0 });
        ts
    }

    fn call(&mut self, method: &str, body: &Value) -> Result<Value, &'static str> {
        if let Some(error) = error(body) {
            return Err(error);
        }
        let channel = body["channel"].as_str().ok_or("channel_not_found")?;
        match method {
            "chat.postMessage" => {
                if ![CHANNEL, "#oncall"].contains(&channel) {
                    return Err("channel_not_found");
                }
                if body["thread_ts"].as_str().is_some_and(|ts| !self.messages.contains_key(ts)) {
                    return Err("thread_not_found");
                }
                let ts = self.post(body.clone());
                Ok(json!({ "ok": true, "channel": CHANNEL, "ts": ts, "message": {} }))
            }
            "chat.update" => {
                if channel != CHANNEL {
                    return Err("channel_not_found");
                }
                let ts = body["ts"].as_str().unwrap_or_default();
                if self.closed.iter().any(|closed| closed == ts) {
                    return Err("edit_window_closed");
                }
                let message = self.messages.get_mut(ts).ok_or("message_not_found")?;
                for key in ["text", "blocks"] {
                    if !body[key].is_null() {
                        message.body[key] = body[key].clone();
                    }
                }
                message.updates += 1;
                Ok(json!({ "ok": true, "channel": CHANNEL, "ts": ts, "text": body["text"] }))
            }
            _ => Err("unknown_method"),
        }
    }
}

impl Receiver for Slack {
    fn answer(&mut self, request: &Request) -> Answer {
        let body = request.json();
        if request.path == HOOK {
            return if let Some(word) = error(&body) {
                Answer::new(400, word)
            } else {
                self.post(body);
                Answer::new(200, "ok")
            };
        }
        let Some(method) = request.path.strip_prefix("/api/") else { return Answer::new(404, "no_service") };
        let token = format!("Bearer {}", value_of("SLACK_TOKEN"));
        let authorized = request.header("authorization") == Some(&token);
        let result = if authorized { self.call(method, &body) } else { Err("invalid_auth") };
        Answer::new(200, result.unwrap_or_else(|error| json!({ "ok": false, "error": error })))
    }
}

fn length(value: &Value) -> usize {
    value.as_str().unwrap_or_default().encode_utf16().count()
}

/// What is wrong with a message.
fn error(body: &Value) -> Option<&'static str> {
    let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    if blocks.is_empty() && length(&body["text"]) == 0 {
        return Some("no_text");
    }
    let mut sum = 0;
    let mut right = blocks.len() <= 50;
    for block in &blocks {
        match block["type"].as_str() {
            Some("section") => {
                sum += length(&block["text"]["text"]);
                right &= (1..=3_000).contains(&length(&block["text"]["text"])) && block["text"]["type"] == "mrkdwn";
            }
            Some("actions") => {
                let elements = block["elements"].as_array().cloned().unwrap_or_default();
                right &= !elements.is_empty() && elements.len() <= 25 && elements.iter().all(is_button);
            }
            _ => right = false,
        }
    }
    if sum > 13_200 {
        return Some("msg_blocks_too_long");
    }
    (!right).then_some("invalid_blocks")
}

fn is_button(button: &Value) -> bool {
    button["type"] == "button"
        && button["text"]["type"] == "plain_text"
        && (1..=75).contains(&length(&button["text"]["text"]))
        && (1..=255).contains(&length(&button["action_id"]))
        && length(&button["value"]) <= 2_000
}

fn bot(url: &str) -> Config {
    let to = SlackReceiver::Bot { token: env("SLACK_TOKEN"), channel: "#oncall".to_owned(), url: format!("{url}/api") };
    Config { to, signing_secret: Some(env("SLACK_SIGNING")) }
}

async fn started() -> (Server<Slack>, Sink) {
    let server = Server::start(Slack::default()).await;
    let sink = sink(&SinkConfig::Slack(bot(&server.url)), &[]);
    (server, sink)
}

fn rendered(notification: &Notification, has_ack: bool) -> String {
    let (message, _) = Message::of(&Text::default(), notification);
    let rendered = render(notification, &message, has_ack, None);
    serde_json::to_string_pretty(&json!({ "text": rendered.text, "blocks": rendered.blocks })).unwrap()
}

fn of(severity: AlertSeverity, state: AlertState) -> Notification {
    let mut notification = page(state);
    notification.severity = severity;
    notification
}

fn flood() -> Notification {
    let mut flood = page(AlertState::Firing);
    flood.kind = AlertKind::Digest;
    let member = |number: usize| Member {
        alert_id: format!("a{number}"),
        slo: format!("shop/{number}"),
        kind: AlertKind::Burn,
        reason: "🔥<!channel>&".repeat(200),
        ..Member::of(&flood)
    };
    flood.members = (0..1_000).map(member).collect();
    flood
}

#[test]
fn what_is_sent() {
    golden("slack_firing.json", &rendered(&page(AlertState::Firing), true));
    let line = taken_on_line(&taken_on()).unwrap();
    let line = json!({ "text": line.text, "blocks": line.blocks });
    golden("slack_acknowledged.json", &serde_json::to_string_pretty(&line).unwrap());
    golden("slack_resolved.json", &rendered(&page(AlertState::Resolved), true));
    golden("slack_storm.json", &rendered(&samples::storm(), true));
}

#[test]
fn nobody_is_called_by_a_label_and_ack_needs_the_secret() {
    let shown = rendered(&page(AlertState::Firing), false);
    assert!(!shown.contains("<!channel>") && shown.contains("&lt;!channel&gt;"), "{shown}");
    assert!(!shown.contains("\"ack\""), "{shown}");
    assert!(rendered(&page(AlertState::Firing), true).contains("\"ack\""));
}

#[test]
fn every_answer_to_a_bot_has_its_verdict() {
    let second = Length::from_seconds(30);
    let table: &[(u16, &str, DeliveryVerdict)] = &[
        (200, r#"{"ok":true,"channel":"C1","ts":"1.2"}"#, Done),
        (200, r#"{"ok":false,"error":"ratelimited"}"#, Retry(Some(second))),
        (200, r#"{"ok":false,"error":"internal_error"}"#, Ambiguous),
        (200, r#"{"ok":false,"error":"fatal_error"}"#, Ambiguous),
        (200, r#"{"ok":false,"error":"service_unavailable"}"#, Ambiguous),
        (200, r#"{"ok":false,"error":"invalid_auth"}"#, Misconfigured),
        (200, r#"{"ok":false,"error":"account_inactive"}"#, Misconfigured),
        (200, r#"{"ok":false,"error":"not_in_channel"}"#, Misconfigured),
        (200, r#"{"ok":false,"error":"is_archived"}"#, Misconfigured),
        (200, r#"{"ok":false,"error":"channel_not_found"}"#, Misconfigured),
        (200, r#"{"ok":false,"error":"msg_too_long"}"#, Refused),
        (200, r#"{"ok":false,"error":"a_word_of_tomorrow"}"#, Refused),
        // The verdict stands in the body.
        (200, r#"{"ok":tr"#, Ambiguous),
        (200, "", Ambiguous),
        (429, r#"{"retry_after":1,"ok":false,"error":"rate_limited"}"#, Retry(Some(Length::from_seconds(1)))),
        (500, "", Ambiguous),
        (404, "", Misconfigured),
        (302, "", Misconfigured),
    ];
    for (status, text, verdict) in table {
        let answer = Said { status: *status, body: (*text).to_owned(), ..Said::default() };
        assert_eq!(of_bot(&Ok(answer), NIGHT).outcome.verdict, *verdict, "{status} {text}");
    }
    let told = Said { status: 429, retry_after: Some("9".to_owned()), ..Said::default() };
    assert_eq!(of_bot(&Ok(told), NIGHT).outcome.verdict, Retry(Some(Length::from_seconds(9))));
}

#[test]
fn every_answer_to_a_webhook_has_its_verdict() {
    let table: &[(u16, &str, DeliveryVerdict)] = &[
        (200, "ok", Done),
        (200, "", Done),
        (200, r#"{"ok":false,"error":"rate_limited","retry_after":3}"#, Retry(Some(Length::from_seconds(3)))),
        (200, "<html>sign in</html>", Misconfigured),
        (200, "invalid_payload", Refused),
        (400, "invalid_payload", Refused),
        (400, "user_not_found", Misconfigured),
        (403, "action_prohibited", Misconfigured),
        (404, "channel_not_found", Misconfigured),
        (404, "no_service", Misconfigured),
        (410, "channel_is_archived", Misconfigured),
        (500, "rollup_error", Retry(Some(Length::from_seconds(30)))),
        (503, "", Ambiguous),
    ];
    for (status, text, verdict) in table {
        let answer = Said { status: *status, body: (*text).to_owned(), ..Said::default() };
        assert_eq!(of_webhook(&Ok(answer), NIGHT).verdict, *verdict, "{status} {text}");
    }
}

#[tokio::test]
async fn a_message_follows_its_alert_and_its_thread_tells_what_happened() {
    let (server, sink) = started().await;
    let opened = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(opened.verdict, Done, "{opened:?}");
    let handle = opened.handle.unwrap();
    assert_eq!(Thread::parse(&handle).unwrap().channel, CHANNEL, "an update needs the channel's id");

    let repeated = deliver(&sink, &task(page(AlertState::Firing), Some(&handle))).await;
    let ended = deliver(&sink, &task(page(AlertState::Resolved), repeated.handle.as_deref())).await;
    assert_eq!(ended.verdict, Done, "{ended:?}");
    server.with(|slack| {
        assert_eq!((slack.roots(), slack.messages.len()), (1, 3));
        let (ts, root) = slack.root();
        assert_eq!(root.updates, 2);
        assert!(root.body["text"].as_str().unwrap().starts_with("[RESOLVED] "), "{}", root.body);
        assert_eq!(root.body["blocks"].as_array().unwrap().len(), 1, "an end needs no button");
        let replies: Vec<&Posted> =
            slack.messages.values().filter(|message| message.thread.as_ref() == Some(ts)).collect();
        let broadcast: Vec<bool> = replies.iter().map(|reply| reply.body["reply_broadcast"] == true).collect();
        assert_eq!(broadcast, [true, false], "a firing is shown in the channel, an end is not");
    });
}

#[tokio::test]
async fn who_took_it_on_stands_in_the_message_and_in_its_thread() {
    let (server, sink) = started().await;
    let handle = deliver(&sink, &task(page(AlertState::Firing), None)).await.handle.unwrap();
    let told = deliver(&sink, &task(taken_on(), Some(&handle))).await;
    assert_eq!((told.verdict, told.handle.as_deref()), (Done, Some(handle.as_str())));
    server.with(|slack| {
        assert_eq!((slack.roots(), slack.messages.len()), (1, 2));
        let (ts, root) = slack.root();
        let (ts, blocks) = (ts.clone(), root.body["blocks"].to_string());
        assert!(blocks.contains("taken on by kim: &lt;!channel&gt;"), "{blocks}");
        assert!(blocks.contains("[PAGE]") && !blocks.contains("\"ack\""), "nobody has to press it any more: {blocks}");
        let reply = slack.messages.values().find(|message| message.thread == Some(ts.clone())).unwrap();
        assert!(
            reply.body["text"].as_str().unwrap().contains("region=&lt;!channel&gt; @all: taken on by kim"),
            "{}",
            reply.body
        );
        assert!(reply.body["reply_broadcast"].is_null(), "it calls nobody");
    });
    let ended = deliver(&sink, &task(page(AlertState::Resolved), told.handle.as_deref())).await;
    assert_eq!(ended.verdict, Done);
    assert_eq!(server.with(|slack| slack.roots()), 1);
}

#[tokio::test]
async fn who_took_it_on_is_a_line_of_its_own_where_the_message_is_not_known_or_gone() {
    let (server, sink) = started().await;
    let handle = deliver(&sink, &task(page(AlertState::Firing), None)).await.handle.unwrap();
    let told = deliver(&sink, &task(taken_on(), None)).await;
    assert_eq!((told.verdict, told.handle), (Done, None));
    assert_eq!(server.with(|slack| slack.roots()), 2);
    server.with(|slack| {
        slack.messages.clear();
        slack.post(json!({ "text": "somebody else's" }));
        slack.messages.clear();
    });
    assert_eq!(deliver(&sink, &task(taken_on(), Some(&handle))).await.verdict, Done);
    let text = server.with(|slack| slack.root().1.body["text"].as_str().unwrap().to_owned());
    assert!(text.contains("taken on by kim"), "{text}");
}

#[test]
fn what_would_be_sent_is_shown_without_the_secret() {
    let shown = preview(&SinkConfig::Slack(bot("https://slack.example")), page(AlertState::Firing));
    assert!(
        shown.starts_with("POST https://slack.example/api/chat.postMessage\nauthorization: Bearer ***\n"),
        "{shown}"
    );
    assert!(shown.contains(r##""channel": "#oncall""##), "{shown}");
    let to = SlackReceiver::Webhook { url: env("SLACK_URL") };
    let shown = preview(&SinkConfig::Slack(Config { to, signing_secret: None }), page(AlertState::Firing));
    assert!(shown.starts_with("POST ***\n") && shown.contains("mrkdwn"), "{shown}");
}

#[test]
fn what_is_written_is_read_with_every_default() {
    let of = |sink: &str| match read_well(sink) {
        SinkConfig::Slack(slack) => slack,
        other => panic!("{other:?}"),
    };
    let hook = of("{type: slack, url: {env: SLACK_URL}, template: t.j2}");
    assert_eq!(hook, Config { to: SlackReceiver::Webhook { url: env("SLACK_URL") }, signing_secret: None });
    let plain =
        of("{type: slack, token: {env: SLACK_TOKEN}, channel: \"#oncall\", signing_secret: {env: SLACK_SIGNING}}");
    let SlackReceiver::Bot { url, .. } = &plain.to else { panic!("{plain:?}") };
    assert_eq!(url, "https://slack.com/api");
    assert_eq!(plain.secrets(), [&env("SLACK_TOKEN"), &env("SLACK_SIGNING")]);
    let all = of("{type: slack, token: {env: SLACK_TOKEN}, channel: \"#oncall\", url: \"https://s.example/api/\", \
                  signing_secret: {env: SLACK_SIGNING}}");
    assert_eq!(all, bot("https://s.example"));
    assert_eq!(read("{type: slack}").1, ["SLO006 `url` is missing"]);
    assert_eq!(read("{type: slack, token: {env: T}}").1, ["SLO006 `channel` is missing"]);
}

#[tokio::test]
async fn a_page_takes_the_place_of_a_ticket_and_says_what_goes_on_after_it() {
    let (server, sink) = started().await;
    let mut handle = None;
    let steps = [
        (AlertSeverity::Ticket, AlertState::Firing, "[TICKET]"),
        (AlertSeverity::Page, AlertState::Firing, "[PAGE]"),
        (AlertSeverity::Page, AlertState::Resolved, "[RESOLVED]"),
    ];
    for (severity, state, word) in steps {
        let outcome = deliver(&sink, &task(of(severity, state), handle.as_deref())).await;
        handle = outcome.handle;
        let text = server.with(|slack| slack.root().1.body["text"].as_str().unwrap().to_owned());
        assert!(text.starts_with(word), "{word}: {text}");
    }
    let blocks = server.with(|slack| slack.root().1.body["blocks"].to_string());
    assert!(blocks.contains("still firing: ticket/burn"), "{blocks}");
}

#[tokio::test]
async fn a_message_that_cannot_be_changed_is_posted_anew() {
    for gone in ["edit_window_closed", "message_not_found"] {
        let (server, sink) = started().await;
        let handle = deliver(&sink, &task(page(AlertState::Firing), None)).await.handle.unwrap();
        server.with(|slack| {
            let ts = slack.root().0.clone();
            if gone == "edit_window_closed" {
                slack.closed.push(ts);
            } else {
                slack.messages.clear();
                slack.post(json!({ "text": "somebody else's" }));
                slack.post(json!({ "text": "somebody else's" }));
                slack.messages.remove(&ts);
            }
        });
        let ended = deliver(&sink, &task(page(AlertState::Resolved), Some(&handle))).await;
        assert_eq!(ended.verdict, Done, "{gone}: {ended:?}");
        server.with(|slack| {
            let (ts, root) = slack.root();
            assert!(root.body["text"].as_str().unwrap().starts_with("[RESOLVED] "), "{gone}: {}", root.body);
            assert_eq!(&Thread::parse(&ended.handle.unwrap()).unwrap().ts, ts);
        });
    }
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_an_update_can_be_made_twice() {
    let (server, sink) = started().await;
    server.fault(Fault::LostAnswer);
    let firing = task(page(AlertState::Firing), None);
    assert_eq!(deliver(&sink, &firing).await.verdict, Ambiguous);
    let handle = deliver(&sink, &firing).await.handle.unwrap();
    // Slack has no key: a double beats a loss.
    assert_eq!(server.with(|slack| slack.roots()), 2);
    server.fault(Fault::LostAnswer);
    let ended = task(page(AlertState::Resolved), Some(&handle));
    assert_eq!(deliver(&sink, &ended).await.verdict, Ambiguous);
    assert_eq!(deliver(&sink, &ended).await.verdict, Done);
    assert_eq!(server.with(|slack| (slack.roots(), slack.messages.len())), (2, 3));
}

#[tokio::test]
async fn a_flood_is_within_every_limit() {
    let (server, sink) = started().await;
    let outcome = deliver(&sink, &task(flood(), None)).await;
    assert_eq!(outcome.verdict, Done, "{outcome:?}");
    assert_eq!(server.seen().len(), 1, "taken at once");
    let blocks = server.with(|slack| slack.root().1.body["blocks"].to_string());
    assert!(blocks.contains("shop/0"), "the first alert is named");
}

#[tokio::test]
async fn a_rule_about_blocks_that_nobody_knows_loses_no_page() {
    let (server, sink) = started().await;
    server.fault(Fault::Instead(Answer::new(200, json!({ "ok": false, "error": "invalid_blocks" }))));
    let outcome = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, Done, "{outcome:?}");
    let body = server.with(|slack| slack.root().1.body.clone());
    assert_eq!(body["blocks"], json!([]));
    assert!(body["text"].as_str().unwrap().starts_with("[PAGE] "));
}

#[tokio::test]
async fn a_limit_is_waited_for_and_a_wrong_token_is_told() {
    let (server, sink) = started().await;
    let limited = Answer::new(429, json!({ "retry_after": 1, "ok": false, "error": "rate_limited" }));
    server.fault(Fault::Instead(limited.with("retry-after", 17)));
    let firing = task(page(AlertState::Firing), None);
    assert_eq!(deliver(&sink, &firing).await.verdict, Retry(Some(Length::from_seconds(17))));
    let wrong = crate::kit::sink(&SinkConfig::Slack(bot(&server.url)), &[("SLACK_TOKEN", "wrong-canary-4711")]);
    assert_eq!(deliver(&wrong, &firing).await.verdict, Misconfigured);
}

#[tokio::test]
async fn a_webhook_posts_each_notification() {
    let server = Server::start(Slack::default()).await;
    let config = Config { to: SlackReceiver::Webhook { url: env("SLACK_URL") }, signing_secret: None };
    let url = format!("{}{HOOK}", server.url);
    let sink = sink(&SinkConfig::Slack(config.clone()), &[("SLACK_URL", &url)]);
    for told in [page(AlertState::Firing), taken_on(), page(AlertState::Resolved)] {
        let outcome = deliver(&sink, &task(told, None)).await;
        assert_eq!((outcome.verdict, outcome.handle), (Done, None));
    }
    assert_eq!(server.with(|slack| slack.roots()), 3);
    let revoked = format!("{}/services/T0/B0/gone-canary-4711", server.url);
    let sink = crate::kit::sink(&SinkConfig::Slack(config), &[("SLACK_URL", &revoked)]);
    assert_eq!(deliver(&sink, &task(page(AlertState::Firing), None)).await.verdict, Misconfigured);
}
