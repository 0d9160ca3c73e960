//! Opsgenie's alert API, and the same of JSM operations: limits of fields as in "Alerts and alert fields" (message 130,
//! alias 512, description 15,000, 20 tags of 50, details 8,000), 202 with a request id before anything is done, the status
//! of a request 404 until it is looked at ("Get request status"), one open alert an alias (a further create raises its
//! count), a close of nothing is accepted and fails later.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::opsgenie::Opsgenie as Config;
use slo::policy::alert::AlertState;
use slo::policy::notification::{Mark, Notification};
use slo::sink::DeliveryVerdict::{Ambiguous, Done, Misconfigured, Refused, Retry};
use slo::sink::client::Answer as Said;
use slo::sink::message::Message;
use slo::sink::opsgenie::{alias, judge, render};
use slo::sink::text::Text;
use slo::sink::{DeliveryVerdict, Sink};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;

use crate::kit::{deliver, env, golden, page, preview, read, read_well, sink, taken_on, task, value_of};
use crate::sample::NIGHT;
use crate::server::{Answer, Fault, Receiver, Request, Server};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    pub open: bool,
    /// By whom.
    pub acknowledged: Option<String>,
    pub count: u32,
    pub body: Value,
}

#[derive(Debug, Default)]
pub struct Opsgenie {
    pub alerts: BTreeMap<String, Alert>,
    /// Requests that were accepted and not looked at yet.
    pub waiting: Vec<(String, Request)>,
    /// What became of those that were.
    pub status: BTreeMap<String, (bool, String)>,
    /// Requests wait until somebody calls [`Opsgenie::work`].
    pub slow: bool,
    accepted: u32,
}

impl Opsgenie {
    /// Looks at every request that waits.
    pub fn work(&mut self) {
        for (id, request) in std::mem::take(&mut self.waiting) {
            let status = self.act(&request);
            self.status.insert(id, status);
        }
    }

    fn act(&mut self, request: &Request) -> (bool, String) {
        let body = request.json();
        if request.path == "/v2/alerts" {
            let alert = self.alerts.entry(body["alias"].as_str().unwrap().to_owned()).or_default();
            alert.count = if alert.open { alert.count + 1 } else { 1 };
            alert.open = true;
            alert.body = body;
            return (true, "Created alert".to_owned());
        }
        let alias = request.path.split('/').nth(3).unwrap();
        match self.alerts.get_mut(alias).filter(|alert| alert.open) {
            Some(alert) if request.path.contains("/acknowledge?") => {
                alert.acknowledged = Some(body["user"].as_str().unwrap().to_owned());
                (true, "Acknowledged alert".to_owned())
            }
            Some(alert) => {
                alert.open = false;
                (true, "Closed alert".to_owned())
            }
            None => (false, "Alert does not exist".to_owned()),
        }
    }
}

impl Receiver for Opsgenie {
    fn answer(&mut self, request: &Request) -> Answer {
        let key = format!("GenieKey {}", value_of("OG_KEY"));
        if request.header("authorization") != Some(&key) {
            return Answer::new(401, json!({ "message": "Could not authenticate", "took": 0.0, "requestId": "r" }));
        }
        if let Some(id) = request.path.strip_prefix("/v2/alerts/requests/") {
            let Some((success, status)) = self.status.get(id) else {
                return Answer::new(404, json!({ "message": "Request not found", "took": 0.0, "requestId": "x" }));
            };
            let data = json!({ "success": success, "isSuccess": success, "status": status, "action": "x" });
            return Answer::new(200, json!({ "data": data, "took": 0.1, "requestId": "x" }));
        }
        let errors = if request.path == "/v2/alerts" { errors(&request.json()) } else { close_errors(request) };
        if !errors.is_empty() {
            return Answer::new(422, json!({ "message": "Request body is not processable", "errors": errors }));
        }
        self.accepted += 1;
        let id = format!("43a29c5c-3dbf-4fa4-9c26-{:012}", self.accepted);
        self.waiting.push((id.clone(), request.clone()));
        if !self.slow {
            self.work();
        }
        Answer::new(202, json!({ "result": "Request will be processed", "took": 0.302, "requestId": id }))
            .with("x-ratelimit-state", "OK")
    }
}

fn length(value: &Value) -> usize {
    value.as_str().unwrap_or_default().encode_utf16().count()
}

fn errors(body: &Value) -> Vec<&'static str> {
    let mut errors = Vec::new();
    let mut want = |right: bool, what| {
        if !right {
            errors.push(what);
        }
    };
    want((1..=130).contains(&length(&body["message"])), "message");
    want((1..=512).contains(&length(&body["alias"])), "alias");
    want(length(&body["description"]) <= 15_000, "description");
    want(length(&body["entity"]) <= 512, "entity");
    want(length(&body["source"]) <= 100, "source");
    let tags = body["tags"].as_array().cloned().unwrap_or_default();
    want(tags.len() <= 20 && tags.iter().all(|tag| (1..=50).contains(&length(tag))), "tags");
    let details = body["details"].as_object().cloned().unwrap_or_default();
    let size: usize = details.iter().map(|(name, value)| name.encode_utf16().count() + length(value)).sum();
    want(size <= 8_000 && details.values().all(Value::is_string), "details");
    want(["P1", "P2", "P3", "P4", "P5"].contains(&body["priority"].as_str().unwrap_or("P3")), "priority");
    let responders = body["responders"].as_array().cloned().unwrap_or_default();
    want(responders.iter().all(|one| one["type"] == "team" && one["name"].is_string()), "responders");
    errors
}

fn close_errors(request: &Request) -> Vec<&'static str> {
    let mut errors = Vec::new();
    let parts: Vec<&str> = request.path.split('/').collect();
    let actions = ["close?identifierType=alias", "acknowledge?identifierType=alias"];
    if parts.len() != 5 || !actions.contains(&parts[4]) {
        errors.push("path");
    }
    if length(&request.json()["note"]) > 25_000 {
        errors.push("note");
    }
    if length(&request.json()["user"]) > 100 {
        errors.push("user");
    }
    errors
}

fn config(url: &str) -> Config {
    Config {
        api_key: env("OG_KEY"),
        url: url.to_owned(),
        priority: BTreeMap::from([
            (AlertSeverity::Page, "P1".to_owned()),
            (AlertSeverity::Ticket, "P3".to_owned()),
            (AlertSeverity::Notice, "P5".to_owned()),
        ]),
        team: Some("payments".to_owned()),
    }
}

async fn started() -> (Server<Opsgenie>, Sink) {
    let server = Server::start(Opsgenie::default()).await;
    let sink = sink(&SinkConfig::Opsgenie(config(&server.url)), &[]);
    (server, sink)
}

fn only(server: &Server<Opsgenie>) -> Alert {
    server.with(|opsgenie| {
        assert_eq!(opsgenie.alerts.len(), 1, "{:?}", opsgenie.alerts);
        opsgenie.alerts.values().next().unwrap().clone()
    })
}

fn rendered(notification: &Notification) -> String {
    let (message, _) = Message::of(&Text::default(), notification);
    let (path, body) = render(notification, &message, &config("https://api.example"));
    format!("POST {path}\n{}", serde_json::to_string_pretty(&body).unwrap())
}

#[test]
fn what_is_sent() {
    golden("opsgenie_create.txt", &rendered(&page(AlertState::Firing)));
    golden("opsgenie_acknowledge.txt", &rendered(&taken_on()));
    golden("opsgenie_close.txt", &rendered(&page(AlertState::Resolved)));
    golden("opsgenie_storm.txt", &rendered(&slo::policy::sample::storm()));
}

#[test]
fn aliases_stand_in_a_path_and_stay_different() {
    let (eu, us) = (alias("a/b{region=\"eu-1\"}/page/burn"), alias("a/b{region=\"eu/1\"}/page/burn"));
    assert_ne!(eu, us);
    assert_eq!(eu, alias("a/b{region=\"eu-1\"}/page/burn"));
    assert!(eu.starts_with("a-b-region--eu-1---page-burn-"), "{eu}");
    let long = alias(&"ü/".repeat(2_000));
    assert_eq!(long.len(), 250);
    assert!(long.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{long}");
}

#[test]
fn every_answer_has_its_verdict() {
    let accepted = r#"{"result":"Request will be processed","took":0.3,"requestId":"43a29c5c-3dbf"}"#;
    let table: &[(u16, &str, DeliveryVerdict)] = &[
        (202, accepted, Done),
        (202, "", Done),
        (200, accepted, Done),
        (200, "<html>sign in</html>", Misconfigured),
        (400, "", Refused),
        (401, "", Misconfigured),
        (402, "", Misconfigured),
        (403, r#"{"code":40301}"#, Misconfigured),
        (404, "", Misconfigured),
        (422, "", Refused),
        (429, "", Retry(Some(Length::from_seconds(30)))),
        (500, "", Ambiguous),
        (503, "", Ambiguous),
    ];
    for (status, text, verdict) in table {
        let answer = Said { status: *status, body: (*text).to_owned(), ..Said::default() };
        assert_eq!(judge(&Ok(answer), NIGHT).verdict, *verdict, "{status} {text}");
    }
    let headers = vec![("x-ratelimit-period-in-sec", "60".to_owned())];
    let limited = Said { status: 429, headers, ..Said::default() };
    assert_eq!(judge(&Ok(limited), NIGHT).verdict, Retry(Some(Length::from_minutes(1))));
}

#[tokio::test]
async fn an_alert_is_created_counted_and_closed() {
    let (server, sink) = started().await;
    let created = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(created.verdict, Done, "{created:?}");
    assert_eq!(created.handle.as_deref(), Some("43a29c5c-3dbf-4fa4-9c26-000000000001"));
    let mut drill = page(AlertState::Firing);
    drill.mark = Some(Mark::Drill);
    assert_eq!(deliver(&sink, &task(drill, None)).await.verdict, Done);
    let alert = only(&server);
    assert_eq!((alert.open, alert.count), (true, 2));
    assert_eq!(alert.body["priority"], "P1");
    assert!(alert.body["message"].as_str().unwrap().starts_with("[DRILL] [PAGE] checkout/availability"));
    assert_eq!(deliver(&sink, &task(page(AlertState::Resolved), None)).await.verdict, Done);
    assert!(!only(&server).open);
}

#[tokio::test]
async fn what_is_taken_on_here_is_acknowledged_there() {
    let (server, sink) = started().await;
    let mut taken = taken_on();
    // Its create may still be on its way.
    let early = deliver(&sink, &task(taken.clone(), None)).await;
    assert_eq!(early.verdict, Retry(Some(Length::from_seconds(15))), "{early:?}");
    deliver(&sink, &task(page(AlertState::Firing), None)).await;
    if let Some(ack) = &mut taken.acked {
        ack.by = "k".repeat(300);
    }
    assert_eq!(deliver(&sink, &task(taken.clone(), None)).await.verdict, Done);
    let alert = only(&server);
    assert!(alert.open && alert.acknowledged.unwrap().starts_with("kkk"));
    deliver(&sink, &task(page(AlertState::Resolved), None)).await;
    if let Some(ack) = &mut taken.acked {
        ack.at = NIGHT;
    }
    let late = deliver(&sink, &task(taken, None)).await;
    assert_eq!((late.verdict, late.message.as_str()), (Done, "nothing was open: Alert does not exist"));
}

#[test]
fn what_would_be_sent_is_shown_without_the_key() {
    let shown = preview(&SinkConfig::Opsgenie(config("https://api.example")), page(AlertState::Firing));
    assert!(shown.starts_with("POST https://api.example/v2/alerts\nauthorization: GenieKey ***\n"), "{shown}");
    assert!(shown.contains(r#""priority": "P1""#), "{shown}");
}

#[test]
fn what_is_written_is_read_with_every_default() {
    let SinkConfig::Opsgenie(plain) = read_well("{type: opsgenie, api_key: {env: OG_KEY}}") else { panic!() };
    assert_eq!(plain, Config { team: None, ..config("https://api.opsgenie.com") });
    let all = "{type: opsgenie, api_key: {file: key}, url: \"https://api.atlassian.com/jsm/ops/integration/\", \
               priority: {page: P2, notice: P4}, team: payments, template: t.j2}";
    let SinkConfig::Opsgenie(all) = read_well(all) else { panic!() };
    assert_eq!(all.url, "https://api.atlassian.com/jsm/ops/integration");
    assert_eq!(all.secrets(), [&slo::config::meant::SecretRef::File("/etc/slo/key".into())]);
    let words: Vec<&str> = all.priority.values().map(String::as_str).collect();
    assert_eq!((words.as_slice(), all.team.as_deref()), (["P2", "P3", "P4"].as_slice(), Some("payments")));
    assert_eq!(read("{type: opsgenie, routing_key: {env: K}}").1.len(), 2, "a key of another, and none of its own");
    assert_eq!(read("{type: opsgenie, api_key: {env: K}, priority: {page: high}}").1.len(), 1);
}

#[tokio::test]
async fn what_is_not_looked_at_yet_is_accepted() {
    let (server, sink) = started().await;
    server.with(|opsgenie| opsgenie.slow = true);
    assert_eq!(deliver(&sink, &task(page(AlertState::Firing), None)).await.verdict, Done);
    server.with(Opsgenie::work);
    assert!(only(&server).open);
}

#[tokio::test]
async fn a_close_that_overtakes_its_create_is_tried_again() {
    let (server, sink) = started().await;
    // The end is of 03:15, which is the time of the attempt.
    let closed = deliver(&sink, &task(page(AlertState::Resolved), None)).await;
    assert_eq!(closed.verdict, Retry(Some(Length::from_seconds(15))), "{closed:?}");
    deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(deliver(&sink, &task(page(AlertState::Resolved), None)).await.verdict, Done);
    assert!(!only(&server).open);
}

#[tokio::test]
async fn what_a_person_has_closed_is_done() {
    let (_server, sink) = started().await;
    let mut ended = page(AlertState::Resolved);
    ended.resolved_at = Some(NIGHT);
    let closed = deliver(&sink, &task(ended, None)).await;
    assert_eq!((closed.verdict, closed.message.as_str()), (Done, "nothing was open: Alert does not exist"));
}

#[tokio::test]
async fn a_create_that_is_refused_after_it_was_accepted_is_refused() {
    let (server, sink) = started().await;
    let id = "43a29c5c-3dbf-4fa4-9c26-000000000001";
    server.with(|opsgenie| {
        opsgenie.slow = true;
        opsgenie.status.insert(id.to_owned(), (false, "Integration is disabled".to_owned()));
    });
    let outcome = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(
        (outcome.verdict, outcome.message.as_str()),
        (Refused, "accepted, then refused: Integration is disabled")
    );
}

#[tokio::test]
async fn a_lost_answer_opens_nothing_twice() {
    let (server, sink) = started().await;
    server.fault(Fault::LostAnswer);
    let firing = task(page(AlertState::Firing), None);
    assert_eq!(deliver(&sink, &firing).await.verdict, Ambiguous);
    assert_eq!(deliver(&sink, &firing).await.verdict, Done);
    assert_eq!(only(&server).count, 2);
}

#[tokio::test]
async fn whatever_the_labels_hold_is_taken() {
    let (server, sink) = started().await;
    let mut large = page(AlertState::Firing);
    large.service = "🔥,".repeat(100);
    large.slo = "s".repeat(5_000);
    large.dedup_key = "k/".repeat(5_000);
    large.labels = (0..300).map(|number| (format!("label_{number}"), "🔥<&>\"".repeat(500))).collect();
    let outcome = deliver(&sink, &task(large, None)).await;
    assert_eq!(outcome.verdict, Done, "{outcome:?}");
    assert!(only(&server).open);
}

#[tokio::test]
async fn a_wrong_key_is_told_and_not_shown() {
    let server = Server::start(Opsgenie::default()).await;
    let sink = sink(&SinkConfig::Opsgenie(config(&server.url)), &[("OG_KEY", "wrong-canary-4711")]);
    assert_eq!(deliver(&sink, &task(page(AlertState::Firing), None)).await.verdict, Misconfigured);
}
