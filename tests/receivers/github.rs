//! GitHub's REST API for issues, as far as the sink speaks it.
//!
//! Copied: a missing `User-Agent` is a 403; a body over 65,536 characters is a 422; labels and assignees are dropped without
//! a word where the token may not push; moved repositories answer 301 (docs.github.com/rest: issues, best practices); both
//! forms of limits (rate limits for the REST API); 410 for what was deleted.

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::github::Github as Config;
use slo::policy::alert::AlertState;
use slo::sink::{DeliveryVerdict, Sink, github};
use slo::units::{Length, Timestamp};

use crate::kit::{self, env, golden, value_of};
use crate::server::{Answer, Fault, Receiver, Request, Server};
use crate::tickets::{self, Outbox, Seen, Tracker, page, parts, text};

#[derive(Debug)]
pub struct Github {
    tickets: Vec<Seen>,
    now: Timestamp,
    may_push: bool,
    moved_to: Option<String>,
    refused_label: Option<&'static str>,
}

impl Github {
    fn new() -> Self {
        Self { tickets: Vec::new(), now: Timestamp::default(), may_push: true, moved_to: None, refused_label: None }
    }

    fn shown(&self, number: usize) -> Value {
        let ticket = &self.tickets[number - 1];
        let labels: Vec<Value> = ticket.labels.iter().map(|name| json!({"id": 1, "name": name})).collect();
        json!({
            "id": 900_000 + number,
            "number": number,
            "title": ticket.title,
            "state": if ticket.open { "open" } else { "closed" },
            "labels": labels,
            "html_url": format!("https://github.com/shop/reliability/issues/{number}"),
        })
    }

    fn create(&mut self, body: &Value) -> Answer {
        let texts = |key: &str| -> Vec<String> {
            body[key].as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
        };
        let labels = texts("labels");
        if text(body, "title").is_empty() || text(body, "body").chars().count() > 65_536 {
            return Answer::new(422, json!({"message": "Validation Failed"}));
        }
        if labels.iter().any(|label| Some(label.as_str()) == self.refused_label) {
            return Answer::new(
                403,
                json!({"message": "You do not have permission to create labels on this repository."}),
            );
        }
        tickets::assert_inert(&text(body, "body"));
        self.tickets.push(Seen {
            title: text(body, "title"),
            body: text(body, "body"),
            labels: if self.may_push { labels } else { Vec::new() },
            open: true,
            made_at: self.now,
            ..Seen::default()
        });
        Answer::new(201, self.shown(self.tickets.len()))
    }

    fn list(&self, label: &str) -> Answer {
        let found = self.tickets.iter().enumerate().rev();
        let found = found.filter(|(_, ticket)| !ticket.deleted && ticket.labels.iter().any(|one| one == label));
        Answer::new(200, Value::Array(found.map(|(index, _)| self.shown(index + 1)).collect()))
    }

    fn change(&mut self, number: usize, body: &Value) -> Answer {
        let ticket = &mut self.tickets[number - 1];
        let open = body["state"] == "open";
        assert_eq!(body["state_reason"], if open { "reopened" } else { "completed" });
        ticket.moves += usize::from(ticket.open != open);
        ticket.open = open;
        Answer::new(200, self.shown(number))
    }
}

impl Receiver for Github {
    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("user-agent").is_none() {
            return Answer::new(403, "Request forbidden by administrative rules.");
        }
        if request.header("authorization") != Some(&format!("Bearer {}", value_of("GITHUB_TOKEN"))) {
            return Answer::new(401, json!({"message": "Bad credentials"}));
        }
        assert_eq!(request.header("x-github-api-version"), Some("2022-11-28"));
        if let (Some(moved), true) = (&self.moved_to, request.path.starts_with("/repos/shop/")) {
            return Answer::new(301, json!({"message": "Moved Permanently"})).with("location", moved);
        }
        let (path, query) = parts(request);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let body = request.json();
        let number = path.get(4).and_then(|number| number.parse::<usize>().ok());
        if let Some(number) = number
            && self.tickets.get(number.wrapping_sub(1)).is_none_or(|ticket| ticket.deleted)
        {
            return Answer::new(410, json!({"message": "This issue was deleted"}));
        }
        match (request.method.as_str(), path.as_slice(), number) {
            ("GET", ["repos", _, _, "issues"], _) => self.list(&query["labels"]),
            ("POST", ["repos", _, _, "issues"], _) => self.create(&body),
            ("GET", [_, _, _, _, _], Some(number)) => Answer::new(200, self.shown(number)),
            ("PATCH", [_, _, _, _, _], Some(number)) => self.change(number, &body),
            ("POST", [_, _, _, _, _, "comments"], Some(number)) => {
                tickets::assert_inert(&text(&body, "body"));
                self.tickets[number - 1].comments.push(text(&body, "body"));
                Answer::new(201, json!({"id": 1}))
            }
            _ => Answer::new(404, json!({"message": "Not Found"})),
        }
    }
}

impl Tracker for Github {
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
        repo: "shop/reliability".to_owned(),
        token: env("GITHUB_TOKEN"),
        labels: vec!["sev".to_owned()],
        assignees: vec!["octocat".to_owned()],
    }
}

fn sink(url: &str) -> Sink {
    kit::sink(&SinkConfig::Github(config(url)), &[])
}

#[test]
fn it_says() {
    let (draft, again, over) = tickets::samples();
    let bodies = [
        ("create", github::created(&draft, &config("https://api.github.com"))),
        ("second alert", github::commented(&again)),
        ("end", github::commented(&over)),
        ("storm", github::created(&tickets::storm(), &config("https://api.github.com"))),
    ];
    golden("github.json", &tickets::bodies(&bodies));
}

#[tokio::test]
async fn one_issue_an_episode() {
    let server = Server::start(Github::new()).await;
    let ticket = tickets::told_without_fault(sink(&server.url), &server).await;
    assert!(ticket.title.starts_with("[PAGE] checkout/availability region="), "{}", ticket.title);
    assert_eq!(ticket.labels, ["slo", &tickets::label_of_page(), "sev"]);
}

#[tokio::test]
async fn a_template_stands_in_place_of_the_card() {
    tickets::templates_stand_in_place_of_the_card(Github::new, |url| SinkConfig::Github(config(url))).await;
}

#[tokio::test]
async fn one_issue_whatever_happens() {
    tickets::told_whatever_happens(Github::new, sink).await;
    tickets::other_stories(Github::new, sink).await;
}

#[tokio::test]
async fn dropped_and_refused_labels_are_an_alarm_and_no_loss() {
    let server = Server::start(Github { may_push: false, ..Github::new() }).await;
    let outcome = Outbox::new(sink(&server.url)).done(&server, &page(1, AlertState::Firing)).await;
    assert!(outcome.alarm.unwrap().contains("may not push"));
    let server = Server::start(Github { refused_label: Some("sev"), ..Github::new() }).await;
    let outcome = Outbox::new(sink(&server.url)).done(&server, &page(1, AlertState::Firing)).await;
    assert!(outcome.alarm.unwrap().contains("labels and assignees were refused: status 403"));
    server.with(|github| assert_eq!((github.tickets.len(), github.tickets[0].labels.len()), (1, 0)));
}

#[tokio::test]
async fn a_moved_repository_is_followed_on_the_same_host_only() {
    let server = Server::start(Github::new()).await;
    server.with(|github| github.moved_to = Some(format!("{}/repos/new/name/issues", server.url)));
    // The moved list has no query, so only the create lands there.
    let mut outbox = Outbox::new(sink(&server.url));
    server.fault(Fault::Instead(Answer::new(200, "[]")));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    server.with(|github| assert_eq!(github.tickets.len(), 1));
    let elsewhere = Server::start(Github::new()).await;
    server.with(|github| github.moved_to = Some(format!("{}/repos/new/name/issues", elsewhere.url)));
    let (outcome, _) = Outbox::new(sink(&server.url)).tell(&server, &page(2, AlertState::Firing)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Misconfigured, "{}", outcome.message);
    assert!(elsewhere.seen().is_empty(), "the token goes nowhere else");
}

#[tokio::test]
async fn limits_hold_it_up_as_long_as_they_say() {
    let server = Server::start(Github::new()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    let reset = (outbox.now + Length::from_minutes(7)).millis() / 1_000;
    let spent = Answer::new(403, "{}").with("x-ratelimit-remaining", 0).with("x-ratelimit-reset", reset);
    server.fault(Fault::Instead(spent));
    let outcome = outbox.once(&page(1, AlertState::Firing), false).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(Some(Length::from_minutes(7))));
    server.pass();
    server.fault(Fault::Instead(Answer::new(403, json!({"message": "You have exceeded a secondary rate limit."}))));
    let outcome = outbox.once(&page(1, AlertState::Firing), false).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(Some(Length::from_seconds(60))));
    server.with(|github| assert_eq!(github.tickets.len(), 0));
}
