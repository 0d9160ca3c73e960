//! `ServiceNow`'s Table API for incidents, as far as the sink speaks it.
//!
//! Copied: a create answers 201 with `Location`, and the same `correlation_id` makes a second record (servicenow.com/docs,
//! Table API); data policies answer 403 with their text; what an ACL hides is a 404 with the words of one that is not there;
//! a sleeping instance answers 200 with HTML; limits by hour answer 429 with `X-RateLimit-Reset` (inbound REST API rate
//! limiting); `close_code` is of a list of the instance; every field is text; a closed record is not active.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::servicenow::{Servicenow as Config, ServicenowLogin};
use slo::policy::alert::AlertState;
use slo::sink::{DeliveryVerdict, Sink, servicenow};
use slo::units::{Length, Timestamp};

use crate::kit::{self, env, golden, value_of};
use crate::server::{Answer, Fault, Receiver, Request, Server};
use crate::tickets::{self, Outbox, Seen, Tracker, page, parts};

#[derive(Debug)]
pub struct Servicenow {
    tickets: Vec<Seen>,
    now: Timestamp,
    /// A business rule closes what is resolved.
    closes_at_once: bool,
    needs_caller: bool,
}

impl Servicenow {
    fn new() -> Self {
        Self { tickets: Vec::new(), now: Timestamp::default(), closes_at_once: false, needs_caller: false }
    }

    fn shown(ticket: &Seen) -> Value {
        let field = |name: &str| ticket.fields.get(name).cloned().unwrap_or_default();
        json!({"sys_id": field("sys_id"), "number": field("number"), "state": field("state"), "active": field("active")})
    }

    fn refused(message: &str) -> Answer {
        let detail = json!({"message": "Operation Failed", "detail": message});
        Answer::new(403, json!({"error": detail, "status": "failure"}))
    }

    fn create(&mut self, body: &Value) -> Answer {
        let mut ticket = Seen { open: true, made_at: self.now, ..Seen::default() };
        for (name, value) in body.as_object().unwrap() {
            ticket.fields.insert(name.clone(), value.as_str().expect("every field is text").to_owned());
        }
        if self.needs_caller && !ticket.fields.contains_key("caller_id") {
            return Self::refused("Data Policy Exception: The following fields are mandatory: Caller");
        }
        assert!(ticket.fields["short_description"].encode_utf16().count() <= 160);
        assert!(ticket.fields["description"].encode_utf16().count() <= 4_000);
        let id = format!("{:032x}", 0xa1_0000 + self.tickets.len());
        ticket.title.clone_from(&ticket.fields["short_description"]);
        ticket.body.clone_from(&ticket.fields["description"]);
        ticket.labels.push(ticket.fields["correlation_id"].clone());
        for (name, value) in [("sys_id", id.as_str()), ("number", "INC0010001"), ("state", "1"), ("active", "true")] {
            ticket.fields.insert(name.to_owned(), value.to_owned());
        }
        let shown = Self::shown(&ticket);
        self.tickets.push(ticket);
        Answer::new(201, json!({"result": shown})).with("location", format!("/api/now/table/incident/{id}"))
    }

    fn change(&mut self, index: usize, body: &Value) -> Answer {
        let closes_at_once = self.closes_at_once;
        let ticket = &mut self.tickets[index];
        let text = |name: &str| body.get(name).map(|value| value.as_str().expect("every field is text").to_owned());
        if ticket.fields["active"] == "false" {
            return Self::refused("Operation against file 'incident' was aborted by Business Rule 'Closed is closed'");
        }
        if let Some(state) = text("state") {
            if state == "6" {
                let known =
                    ["Solution provided", "Known error"].contains(&text("close_code").unwrap_or_default().as_str());
                if !known || text("close_notes").is_none() {
                    return Self::refused("Data Policy Exception: The following fields are mandatory: Resolution code");
                }
            }
            ticket.moves += usize::from(ticket.open != (state != "6"));
            ticket.open = state != "6";
            if state == "6" && closes_at_once {
                ticket.fields.insert("active".to_owned(), "false".to_owned());
            }
            ticket.fields.insert("state".to_owned(), state);
        }
        ticket.comments.extend(text("work_notes"));
        Answer::new(200, json!({"result": Self::shown(ticket)}))
    }
}

impl Receiver for Servicenow {
    fn answer(&mut self, request: &Request) -> Answer {
        let expected = format!("Basic {}", STANDARD.encode(format!("slo:{}", value_of("SNOW_PASSWORD"))));
        if request.header("authorization") != Some(&expected) {
            return Answer::new(401, json!({"error": {"message": "User Not Authenticated"}, "status": "failure"}));
        }
        let (path, query) = parts(request);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let ["api", "now", "table", "incident", rest @ ..] = path.as_slice() else {
            return Answer::new(400, json!({"error": {"message": "Invalid table"}, "status": "failure"}));
        };
        let body = request.json();
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let wanted = query["sysparm_query"].split('^').next().unwrap().strip_prefix("correlation_id=").unwrap();
                let found = self.tickets.iter().rev().filter(|ticket| !ticket.deleted && ticket.labels[0] == wanted);
                Answer::new(200, json!({"result": found.map(Self::shown).collect::<Vec<_>>()}))
            }
            ("POST", []) => self.create(&body),
            (method, [id]) => {
                let index = self.tickets.iter().position(|ticket| ticket.fields["sys_id"] == *id && !ticket.deleted);
                let Some(index) = index else {
                    let detail = "Record doesn't exist or ACL restricts the record retrieval";
                    let error = json!({"message": "No Record found", "detail": detail});
                    return Answer::new(404, json!({"error": error, "status": "failure"}));
                };
                // A person closes by the field that people see.
                if !self.tickets[index].open && self.tickets[index].fields["state"] == "1" {
                    self.tickets[index].fields.insert("state".to_owned(), "6".to_owned());
                }
                if method == "GET" {
                    Answer::new(200, json!({"result": Self::shown(&self.tickets[index])}))
                } else {
                    self.change(index, &body)
                }
            }
            _ => Answer::new(405, "{}"),
        }
    }
}

impl Tracker for Servicenow {
    fn tickets(&mut self) -> &mut Vec<Seen> {
        &mut self.tickets
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }
}

fn config(url: &str) -> Config {
    Config {
        url: url.to_owned(),
        login: ServicenowLogin::Basic { user: "slo".to_owned(), password: env("SNOW_PASSWORD") },
        table: "incident".to_owned(),
        fields: [("assignment_group".to_owned(), "SRE".to_owned()), ("urgency".to_owned(), "2".to_owned())].into(),
        close_code: "Solution provided".to_owned(),
        close_state: 6,
    }
}

fn sink(url: &str) -> Sink {
    kit::sink(&SinkConfig::Servicenow(config(url)), &[])
}

#[test]
fn it_says() {
    let (draft, again, over) = tickets::samples();
    let config = config("https://shop.service-now.com");
    let bodies = [
        ("create", servicenow::created(&draft, &config)),
        ("second alert", servicenow::commented(&again)),
        ("end", servicenow::closed(&over, &config)),
        ("storm", servicenow::created(&tickets::storm(), &config)),
    ];
    golden("servicenow.json", &tickets::bodies(&bodies));
}

#[tokio::test]
async fn one_incident_an_episode() {
    let server = Server::start(Servicenow::new()).await;
    let ticket = tickets::told_without_fault(sink(&server.url), &server).await;
    assert_eq!(ticket.fields["correlation_id"], tickets::label_of_page());
    assert_eq!((ticket.fields["assignment_group"].as_str(), ticket.fields["urgency"].as_str()), ("SRE", "2"));
}

#[tokio::test]
async fn a_template_stands_in_place_of_the_card() {
    tickets::templates_stand_in_place_of_the_card(Servicenow::new, |url| SinkConfig::Servicenow(config(url))).await;
}

#[tokio::test]
async fn one_incident_whatever_happens() {
    tickets::told_whatever_happens(Servicenow::new, sink).await;
    tickets::other_stories(Servicenow::new, sink).await;
}

#[tokio::test]
async fn what_is_closed_for_good_is_an_alarm() {
    let server = Server::start(Servicenow { closes_at_once: true, ..Servicenow::new() }).await;
    let mut outbox = Outbox::new(sink(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    // Neither opened nor commented: it was not told, and says why.
    let (again, _) = outbox.tell(&server, &page(2, AlertState::Firing)).await;
    assert_eq!(again.verdict, DeliveryVerdict::Misconfigured);
    assert!(again.message.contains("Closed is closed"), "{}", again.message);
}

#[tokio::test]
async fn an_instance_that_sleeps_or_limits_is_tried_again_and_a_policy_is_shown() {
    let server = Server::start(Servicenow::new()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    server.fault(Fault::Instead(Answer::new(200, "<html>Your instance is hibernating</html>")));
    assert_eq!(outbox.once(&page(1, AlertState::Firing), false).await.verdict, DeliveryVerdict::Retry(None));
    let reset = (outbox.now + Length::from_minutes(20)).millis() / 1_000;
    server.pass();
    server.fault(Fault::Instead(Answer::new(429, "{}").with("x-ratelimit-reset", reset)));
    let limited = outbox.once(&page(1, AlertState::Firing), false).await;
    assert_eq!(limited.verdict, DeliveryVerdict::Retry(Some(Length::from_minutes(20))));
    server.with(|servicenow| servicenow.needs_caller = true);
    let refused = outbox.once(&page(1, AlertState::Firing), false).await;
    assert_eq!(refused.verdict, DeliveryVerdict::Misconfigured);
    assert!(refused.message.contains("fields are mandatory: Caller"), "{}", refused.message);
    server.with(|servicenow| assert!(servicenow.tickets.is_empty()));
}
