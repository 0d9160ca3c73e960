//! PagerDuty's Events API v2, as its developer documentation has it (docs/events-API-v2: overview, trigger events, API
//! responses): required fields and their limits, 202 with the dedup key, 400 with a list of errors, 120 events a minute for
//! each key, 512 KB a body, stray resolves dropped without a word, a closed key opened again by a trigger.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::pagerduty::Pagerduty as Config;
use slo::policy::alert::{AlertKind, AlertState};
use slo::policy::notification::Mark;
use slo::sink::DeliveryVerdict::{Ambiguous, Done, Misconfigured, Refused, Retry};
use slo::sink::client::{Answer as Said, NoAnswer};
use slo::sink::message::Message;
use slo::sink::pagerduty::{Frame, judge, render};
use slo::sink::text::Text;
use slo::sink::{DeliveryVerdict, Sink};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;

use crate::kit::{deliver, env, golden, page, preview, read, read_well, sink, taken_on, task, value_of};
use crate::sample::NIGHT;
use crate::server::{Answer, Fault, Receiver, Request, Server};

/// What PagerDuty knows of one (routing key, dedup key).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    pub open: bool,
    pub acknowledged: bool,
    /// How many incidents were opened under it.
    pub incidents: u32,
    /// Triggers on an open one: lines of its log.
    pub repeats: u32,
}

#[derive(Debug, Default)]
pub struct Pagerduty {
    pub alerts: BTreeMap<(String, String), Alert>,
    pub changes: Vec<Value>,
    /// Resolves and triggers in this minute, by routing key; the tests have one minute.
    pub taken: BTreeMap<String, u32>,
}

impl Receiver for Pagerduty {
    fn answer(&mut self, request: &Request) -> Answer {
        if request.method != "POST" || request.header("content-type") != Some("application/json") {
            return Answer::new(400, json!({ "status": "Unrecognized object" }));
        }
        if request.body.len() > 512 * 1_024 {
            return Answer::new(413, "");
        }
        let event = request.json();
        let errors = if request.path == "/v2/change/enqueue" { change_errors(&event) } else { errors(&event) };
        if !errors.is_empty() {
            let body = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
            return Answer::new(400, body);
        }
        let routing_key = event["routing_key"].as_str().unwrap().to_owned();
        let taken = self.taken.entry(routing_key.clone()).or_default();
        *taken += 1;
        if *taken > 120 {
            return Answer::new(429, json!({ "status": "throttle exceeded", "message": "Requests limited" }));
        }
        if request.path == "/v2/change/enqueue" {
            self.changes.push(event);
            return Answer::new(202, json!({ "status": "success", "message": "Change event processed" }));
        }
        let dedup_key = event["dedup_key"].as_str().unwrap().to_owned();
        let alert = self.alerts.entry((routing_key, dedup_key.clone())).or_default();
        match event["event_action"].as_str().unwrap() {
            "trigger" if alert.open => alert.repeats += 1,
            "trigger" => {
                alert.open = true;
                alert.incidents += 1;
            }
            "resolve" => alert.open = false,
            // One that is not open is left alone.
            "acknowledge" => alert.acknowledged = alert.open,
            _ => {}
        }
        Answer::new(202, json!({ "status": "success", "message": "Event processed", "dedup_key": dedup_key }))
    }
}

fn text_of<'a>(value: &'a Value, most: usize, name: &str, errors: &mut Vec<String>) -> &'a str {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() || text.chars().count() > most {
        errors.push(format!("'{name}' is missing, blank or too long"));
    }
    text
}

fn errors(event: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    text_of(&event["routing_key"], 64, "routing_key", &mut errors);
    text_of(&event["dedup_key"], 255, "dedup_key", &mut errors);
    let action = text_of(&event["event_action"], 20, "event_action", &mut errors);
    if !["trigger", "acknowledge", "resolve"].contains(&action) {
        errors.push("'event_action' is unknown".to_owned());
    }
    if action == "trigger" {
        let payload = &event["payload"];
        text_of(&payload["summary"], 1_024, "payload.summary", &mut errors);
        text_of(&payload["source"], 100_000, "payload.source", &mut errors);
        let severity = payload["severity"].as_str().unwrap_or_default();
        if !["critical", "error", "warning", "info"].contains(&severity) {
            errors.push("'payload.severity' is invalid (must be one of the following: ..)".to_owned());
        }
        errors.extend(link_errors(event));
    }
    errors
}

fn change_errors(event: &Value) -> Vec<String> {
    let mut errors = link_errors(event);
    text_of(&event["routing_key"], 64, "routing_key", &mut errors);
    text_of(&event["payload"]["summary"], 1_024, "payload.summary", &mut errors);
    errors
}

fn link_errors(event: &Value) -> Vec<String> {
    let links = event["links"].as_array().cloned().unwrap_or_default();
    let bad = links.iter().filter(|link| !link["href"].as_str().is_some_and(|href| href.starts_with("http")));
    bad.map(|_| "'links' need a 'href'".to_owned()).collect()
}

fn config(url: &str) -> Config {
    Config {
        routing_key: env("PD_KEY"),
        url: url.to_owned(),
        hook_secret: None,
        severity: BTreeMap::from([
            (AlertSeverity::Page, "critical".to_owned()),
            (AlertSeverity::Ticket, "warning".to_owned()),
            (AlertSeverity::Notice, "info".to_owned()),
        ]),
    }
}

fn build(url: &str, key: &str) -> Sink {
    sink(&SinkConfig::Pagerduty(config(url)), &[("PD_KEY", key)])
}

async fn started() -> (Server<Pagerduty>, Sink) {
    let server = Server::start(Pagerduty::default()).await;
    let sink = build(&server.url, &value_of("PD_KEY"));
    (server, sink)
}

fn only(server: &Server<Pagerduty>) -> Alert {
    server.with(|pagerduty| {
        assert_eq!(pagerduty.alerts.len(), 1, "{:?}", pagerduty.alerts);
        pagerduty.alerts.values().next().unwrap().clone()
    })
}

fn rendered(notification: &slo::policy::notification::Notification) -> String {
    let config = config("https://events.example");
    let frame = Frame { routing_key: "KEY", config: &config, external_url: Some("https://slo.example") };
    let (message, alarm) = Message::of(&Text::default(), notification);
    assert_eq!(alarm, None);
    let (path, body) = render(notification, &message, &frame);
    format!("POST {path}\n{}", serde_json::to_string_pretty(&body).unwrap())
}

#[test]
fn what_is_sent() {
    golden("pagerduty_trigger.txt", &rendered(&page(AlertState::Firing)));
    golden("pagerduty_acknowledge.txt", &rendered(&taken_on()));
    golden("pagerduty_resolve.txt", &rendered(&page(AlertState::Resolved)));
    golden("pagerduty_storm.txt", &rendered(&slo::policy::sample::storm()));
    let mut report = page(AlertState::Firing);
    report.kind = AlertKind::Report;
    golden("pagerduty_report.txt", &rendered(&report));
}

#[test]
fn a_drill_pages_and_a_test_does_not() {
    let mut drill = page(AlertState::Firing);
    drill.mark = Some(Mark::Drill);
    assert!(rendered(&drill).contains(r#""severity": "critical""#));
    assert!(rendered(&drill).contains(r#""summary": "[DRILL] [PAGE] "#));
    drill.mark = Some(Mark::Test);
    assert!(rendered(&drill).contains(r#""severity": "info""#));
    assert!(rendered(&drill).contains(r#""summary": "[TEST] [PAGE] "#));
}

#[test]
fn every_answer_has_its_verdict() {
    let body = |text: &str| text.to_owned();
    let accepted = r#"{"status":"success","message":"Event processed","dedup_key":"k"}"#;
    let table: &[(u16, &str, Option<&str>, DeliveryVerdict)] = &[
        (202, accepted, None, Done),
        (202, "", None, Done),
        (202, "{\"status\":\"succ", None, Done),
        (200, accepted, None, Done),
        (200, "<html>sign in</html>", None, Misconfigured),
        (400, r#"{"status":"invalid event","errors":["Length of 'dedup_key' is too long"]}"#, None, Refused),
        (400, r#"{"status":"invalid event","errors":["Invalid routing key"]}"#, None, Misconfigured),
        (401, "", None, Misconfigured),
        (404, "", None, Misconfigured),
        (301, "", None, Misconfigured),
        (413, "", None, Refused),
        (408, "", None, Ambiguous),
        (429, "", None, Retry(Some(Length::from_minutes(1)))),
        (429, "", Some("7"), Retry(Some(Length::from_seconds(7)))),
        (500, "", None, Ambiguous),
        (503, "", Some("30"), Retry(Some(Length::from_seconds(30)))),
    ];
    for (status, text, retry_after, verdict) in table {
        let retry_after = retry_after.map(body);
        let answer = Said { status: *status, retry_after, body: body(text), ..Said::default() };
        assert_eq!(judge(&Ok(answer), NIGHT).verdict, *verdict, "{status} {text}");
    }
    let none = |perhaps_read| Err(NoAnswer { perhaps_read, unusable: false, keyless: false, message: String::new() });
    assert_eq!(judge(&none(true), NIGHT).verdict, Ambiguous);
    assert_eq!(judge(&none(false), NIGHT).verdict, Retry(None));
}

#[tokio::test]
async fn an_alert_is_opened_repeated_and_closed_under_one_key() {
    let (server, sink) = started().await;
    let opened = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(opened.verdict, Done, "{opened:?}");
    let handle = opened.handle.unwrap();
    assert_eq!(only(&server), Alert { open: true, acknowledged: false, incidents: 1, repeats: 0 });

    let mut repeat = page(AlertState::Firing);
    repeat.id.push_str("/r1");
    let repeated = deliver(&sink, &task(repeat, Some(&handle))).await;
    assert_eq!((repeated.verdict, repeated.alarm), (Done, None));
    assert_eq!(only(&server), Alert { open: true, acknowledged: false, incidents: 1, repeats: 1 });

    let ended = deliver(&sink, &task(page(AlertState::Resolved), Some(&handle))).await;
    assert_eq!((ended.verdict, ended.alarm), (Done, None));
    assert!(!only(&server).open);
}

#[tokio::test]
async fn what_is_taken_on_here_is_acknowledged_there_however_often_it_is_said() {
    let (server, sink) = started().await;
    let handle = deliver(&sink, &task(page(AlertState::Firing), None)).await.handle.unwrap();
    for _ in 0..2 {
        let told = deliver(&sink, &task(taken_on(), Some(&handle))).await;
        assert_eq!((told.verdict, told.handle.as_deref(), told.alarm), (Done, Some(handle.as_str()), None));
    }
    assert_eq!(only(&server), Alert { open: true, acknowledged: true, incidents: 1, repeats: 0 });
}

#[test]
fn what_would_be_sent_is_shown_without_the_key() {
    let shown = preview(&SinkConfig::Pagerduty(config("https://events.example")), page(AlertState::Firing));
    assert!(shown.starts_with("POST https://events.example/v2/enqueue\n"), "{shown}");
    assert!(shown.contains(r#""routing_key": "***""#) && shown.contains(r#""event_action": "trigger""#), "{shown}");
}

#[test]
fn what_is_written_is_read_with_every_default() {
    let SinkConfig::Pagerduty(read_one) = read_well("{type: pagerduty, routing_key: {env: PD_KEY}}") else { panic!() };
    assert_eq!(read_one, config("https://events.pagerduty.com"));
    let all = "{type: pagerduty, routing_key: {env: PD_KEY}, url: \"https://events.eu.pagerduty.com/\", \
               hook_secret: {file: hook}, severity: {page: error, notice: warning}, template: t.j2}";
    let SinkConfig::Pagerduty(all) = read_well(all) else { panic!() };
    assert_eq!(all.url, "https://events.eu.pagerduty.com");
    assert_eq!(all.secrets(), [&env("PD_KEY"), &slo::config::meant::SecretRef::File("/etc/slo/hook".into())]);
    let words: Vec<&str> = all.severity.values().map(String::as_str).collect();
    assert_eq!(words, ["error", "warning", "warning"]);
    assert_eq!(read("{type: pagerduty}").1, ["SLO006 `routing_key` is missing"]);
    assert_eq!(read("{type: pagerduty, routing_key: {env: K}, severity: {page: loud}}").1.len(), 1);
}

#[tokio::test]
async fn a_lost_answer_opens_nothing_twice() {
    let (server, sink) = started().await;
    server.fault(Fault::LostAnswer);
    let firing = task(page(AlertState::Firing), None);
    assert_eq!(deliver(&sink, &firing).await.verdict, Ambiguous);
    assert_eq!(deliver(&sink, &firing).await.verdict, Done);
    assert_eq!(only(&server).incidents, 1);
}

#[tokio::test]
async fn a_changed_routing_key_is_told_because_its_resolve_is_dropped() {
    let (server, sink) = started().await;
    let handle = deliver(&sink, &task(page(AlertState::Firing), None)).await.handle.unwrap();
    assert!(!handle.contains("canary"), "{handle}");
    let moved = build(&server.url, "another-canary-4711");
    let ended = deliver(&moved, &task(page(AlertState::Resolved), Some(&handle))).await;
    assert_eq!(ended.verdict, Done);
    assert!(ended.alarm.unwrap().contains("routing key has changed"));
    // PagerDuty dropped it: this is what the alarm is for.
    let open = server.with(|pagerduty| pagerduty.alerts.values().filter(|alert| alert.open).count());
    assert_eq!(open, 1);
}

#[tokio::test]
async fn a_flood_within_the_limits_of_a_minute_waits_for_the_next() {
    let (server, sink) = started().await;
    server.with(|pagerduty| pagerduty.taken.insert(value_of("PD_KEY"), 120));
    let outcome = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, Retry(Some(Length::from_minutes(1))), "{outcome:?}");
    let Sink::Event(sink) = sink else { panic!("an event sink") };
    assert!(sink.pace().millis() * 120 > 60_000, "120 in a minute are refused");
}

#[tokio::test]
async fn whatever_the_labels_hold_is_taken() {
    let (server, sink) = started().await;
    let mut large = page(AlertState::Firing);
    large.dedup_key = format!("checkout/availability{{x=\"{}\"}}/page/burn", "ü".repeat(400));
    large.slo = "s".repeat(5_000);
    large.labels = (0..300).map(|number| (format!("label_{number}"), "\u{1}<&>\"".repeat(500))).collect();
    large.reason = "r".repeat(5_000);
    let outcome = deliver(&sink, &task(large, None)).await;
    assert_eq!(outcome.verdict, Done, "{outcome:?}");
    assert!(only(&server).open);
}

#[tokio::test]
async fn a_review_opens_nothing() {
    let (server, sink) = started().await;
    let mut report = page(AlertState::Firing);
    report.kind = AlertKind::Report;
    let outcome = deliver(&sink, &task(report, None)).await;
    assert_eq!((outcome.verdict, outcome.handle), (Done, None));
    assert_eq!(server.with(|pagerduty| (pagerduty.alerts.len(), pagerduty.changes.len())), (0, 1));
}
