//! A workflow of Microsoft Teams, and the text of an error in a 200 that connectors were known for.
//!
//! Sources: "Create incoming webhooks with workflows" (202 and no body; the signature in the address), the connector's
//! limits (about 28 KB a message; here: accepted, and lost in a later step), the documentation of connectors ("Microsoft
//! Teams endpoint returned HTTP error 429" in a 200), the schema of adaptive cards (types, versions, at most six buttons).

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::teams::Teams as Config;
use slo::policy::alert::{AlertKind, AlertState};
use slo::policy::notification::{Member, Notification};
use slo::policy::sample as samples;
use slo::sink::DeliveryVerdict::{Ambiguous, Done, Misconfigured, Refused, Retry};
use slo::sink::client::Answer as Said;
use slo::sink::message::Message;
use slo::sink::teams::{judge, render};
use slo::sink::text::Text;
use slo::sink::{DeliveryVerdict, Sink};
use slo::units::Length;

use crate::kit::{CANARY, deliver, env, golden, page, preview, read, read_well, sink, taken_on, task};
use crate::sample::NIGHT;
use crate::server::{Answer, Fault, Receiver, Request, Server};

const PATH: &str = "/workflows/0a1b/triggers/manual/paths/invoke?api-version=2016-06-01&sig=sig-canary-4711";

#[derive(Debug, Default)]
pub struct Teams {
    /// Cards that reached the channel.
    pub cards: Vec<Value>,
    /// Accepted, and lost in a later step.
    pub lost: u32,
}

impl Receiver for Teams {
    fn answer(&mut self, request: &Request) -> Answer {
        if request.path != PATH {
            return Answer::new(401, json!({ "error": { "code": "AuthorizationFailed", "message": request.path } }));
        }
        let body = request.json();
        let content = &body["attachments"][0]["content"];
        let whole = body["type"] == "message"
            && body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive"
            && content["type"] == "AdaptiveCard"
            && content["version"].is_string()
            && content["body"].as_array().is_some_and(|body| body.iter().all(is_element))
            && content["actions"].as_array().is_none_or(|actions| actions.len() <= 6 && actions.iter().all(is_action));
        if !whole || request.body.len() > 28 * 1_024 {
            // The flow starts, and fails where nobody sees it.
            self.lost += 1;
        } else {
            self.cards.push(content.clone());
        }
        Answer::new(202, "")
    }
}

fn is_element(element: &Value) -> bool {
    match element["type"].as_str() {
        Some("TextBlock") => element["text"].as_str().is_some_and(|text| !text.is_empty()),
        Some("FactSet") => {
            let facts = element["facts"].as_array().cloned().unwrap_or_default();
            !facts.is_empty() && facts.iter().all(|fact| fact["title"].is_string() && fact["value"].is_string())
        }
        _ => false,
    }
}

fn is_action(action: &Value) -> bool {
    action["type"] == "Action.OpenUrl" && action["url"].as_str().is_some_and(|url| url.starts_with("http"))
}

fn build(url: &str) -> Sink {
    sink(&SinkConfig::Teams(Config { url: env("TEAMS_URL") }), &[("TEAMS_URL", url)])
}

async fn started() -> (Server<Teams>, Sink) {
    let server = Server::start(Teams::default()).await;
    let sink = build(&format!("{}{PATH}", server.url));
    (server, sink)
}

fn rendered(notification: &Notification) -> String {
    let (message, _) = Message::of(&Text::default(), notification);
    serde_json::to_string_pretty(&render(notification, &message)).unwrap()
}

#[test]
fn what_is_sent() {
    golden("teams_firing.json", &rendered(&page(AlertState::Firing)));
    golden("teams_acknowledged.json", &rendered(&taken_on()));
    golden("teams_resolved.json", &rendered(&page(AlertState::Resolved)));
    golden("teams_storm.json", &rendered(&samples::storm()));
}

#[test]
fn every_answer_has_its_verdict() {
    let minute = Length::from_minutes(1);
    let failed = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with \
                  ContextId tcid=0,server=DB5";
    let table: &[(u16, &str, DeliveryVerdict)] = &[
        (202, "", Done),
        (200, "1", Done),
        (200, "{\"id\":\"1\"}", Done),
        (200, failed, Retry(Some(minute))),
        (200, "Microsoft Teams endpoint returned HTTP error 413 with ContextId x", Refused),
        (200, "Microsoft Teams endpoint returned HTTP error 500 with ContextId x", Ambiguous),
        (200, "Microsoft Teams endpoint returned HTTP error 200", Ambiguous),
        (200, "Summary or Text is required.", Refused),
        (400, r#"{"error":{"code":"InvalidRequestContent"}}"#, Refused),
        (400, r#"{"error":{"code":"WorkflowTriggerIsNotEnabled"}}"#, Misconfigured),
        (401, "", Misconfigured),
        (404, "", Misconfigured),
        (410, "", Misconfigured),
        (413, "", Refused),
        (429, "", Retry(Some(minute))),
        (502, "", Ambiguous),
    ];
    for (status, text, verdict) in table {
        let answer = Said { status: *status, body: (*text).to_owned(), ..Said::default() };
        assert_eq!(judge(&Ok(answer), NIGHT).verdict, *verdict, "{status} {text}");
    }
    let told = Said { status: 429, retry_after: Some("12".to_owned()), ..Said::default() };
    assert_eq!(judge(&Ok(told), NIGHT).verdict, Retry(Some(Length::from_seconds(12))));
}

#[tokio::test]
async fn a_firing_and_its_end_are_two_cards() {
    let (server, sink) = started().await;
    assert_eq!(deliver(&sink, &task(page(AlertState::Firing), None)).await.verdict, Done);
    assert_eq!(deliver(&sink, &task(page(AlertState::Resolved), None)).await.verdict, Done);
    let colors =
        server.with(|teams| teams.cards.iter().map(|card| card["body"][0]["color"].clone()).collect::<Vec<_>>());
    assert_eq!(colors, ["Attention", "Good"]);
    assert_eq!(server.with(|teams| teams.lost), 0);
}

#[tokio::test]
async fn who_took_it_on_is_one_line() {
    let (server, sink) = started().await;
    assert_eq!(deliver(&sink, &task(taken_on(), None)).await.verdict, Done);
    server.with(|teams| {
        let [card] = teams.cards.as_slice() else { panic!("one card") };
        assert_eq!((card["body"].as_array().unwrap().len(), card["actions"].is_null()), (1, true));
        assert!(card["body"][0]["text"].as_str().unwrap().contains("taken on by kim"), "{card}");
    });
}

#[test]
fn what_would_be_sent_is_shown_without_the_address() {
    let shown = preview(&SinkConfig::Teams(Config { url: env("TEAMS_URL") }), page(AlertState::Firing));
    assert!(shown.starts_with("POST ***\n") && shown.contains("AdaptiveCard"), "{shown}");
}

#[test]
fn what_is_written_is_read() {
    let read_one = read_well("{type: teams, url: {env: TEAMS_URL}, template: t.j2}");
    assert_eq!(read_one, SinkConfig::Teams(Config { url: env("TEAMS_URL") }));
    assert_eq!(read("{type: teams}").1, ["SLO006 `url` is missing"]);
}

#[tokio::test]
async fn a_flood_is_cut_before_it_is_lost() {
    let (server, sink) = started().await;
    let mut flood = page(AlertState::Firing);
    flood.kind = AlertKind::Digest;
    flood.links = (0..50).map(|number| (format!("link {number}"), format!("https://x.example/{number}"))).collect();
    let member = |number: usize| Member {
        alert_id: format!("a{number}"),
        slo: format!("shop/{number}{}", "ü\"\\".repeat(300)),
        kind: AlertKind::Burn,
        reason: "🔥[x](https://evil.example)".repeat(100),
        ..Member::of(&flood)
    };
    flood.members = (0..1_000).map(member).collect();
    assert_eq!(deliver(&sink, &task(flood, None)).await.verdict, Done);
    assert_eq!(server.with(|teams| (teams.cards.len(), teams.lost)), (1, 0));
    let card = server.with(|teams| teams.cards[0].to_string());
    assert!(card.contains("shop/0"), "the first alert is named");
    assert!(!card.contains("](https://evil"), "no link is made by a label");
}

#[tokio::test]
async fn an_error_page_that_repeats_the_address_shows_no_secret() {
    let server = Server::start(Teams::default()).await;
    let sink = build(&format!("{}/workflows/wrong{CANARY}", server.url));
    // The receiver says the path again; `deliver` looks for the secret in the outcome.
    let outcome = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, Misconfigured);
    assert!(outcome.message.contains("AuthorizationFailed"), "{outcome:?}");
}

#[tokio::test]
async fn a_limit_told_in_a_success_is_waited_for() {
    let (server, sink) = started().await;
    let text = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
    server.fault(Fault::Instead(Answer::new(200, text)));
    let firing = task(page(AlertState::Firing), None);
    assert_eq!(deliver(&sink, &firing).await.verdict, Retry(Some(Length::from_minutes(1))));
    assert_eq!(deliver(&sink, &firing).await.verdict, Done);
    assert_eq!(server.with(|teams| teams.cards.len()), 1);
}
