//! Jira's REST API for issues, Cloud (3) and Data Center (2), as far as the sink speaks it.
//!
//! Copied: the search does not see what was written a moment ago (developer.atlassian.com: search and reconcile); the
//! classic search of Cloud is gone, 410 (CHANGE-2046); names of statuses and transitions are translated, categories are
//! not; a write soon after another on the same issue is a 429 with `RateLimit-Reason: jira-per-issue-on-write` (rate
//! limiting); a summary over 255 or with a line break, or a description over 32,767 characters, is a 400 with `errors` by
//! field; texts of API 3 are documents of nodes, whose texts are not empty.

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::jira::Jira as Config;
use slo::policy::alert::AlertState;
use slo::sink::{DeliveryVerdict, Sink, jira};
use slo::units::{Length, Timestamp};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::kit::{self, env, golden, value_of};
use crate::server::{Answer, Fault, Receiver, Request, Server};
use crate::tickets::{self, Outbox, Seen, Tracker, page, parts, text};

#[derive(Debug)]
pub struct Jira {
    tickets: Vec<Seen>,
    now: Timestamp,
    cloud: bool,
    lag: Length,
    has_done: bool,
    has_way_back: bool,
    takes_labels: bool,
    /// A write a second and issue.
    per_issue: bool,
    written: Option<(usize, Timestamp)>,
}

impl Jira {
    fn cloud() -> Self {
        Self {
            tickets: Vec::new(),
            now: Timestamp::default(),
            cloud: true,
            lag: Length::from_seconds(40),
            has_done: true,
            has_way_back: true,
            takes_labels: true,
            per_issue: false,
            written: None,
        }
    }

    fn data_center() -> Self {
        Self { cloud: false, lag: Length::ZERO, ..Self::cloud() }
    }

    fn status(open: bool) -> Value {
        let (name, key) = if open { ("Zu erledigen", "new") } else { ("Fertig", "done") };
        json!({"name": name, "statusCategory": {"key": key, "name": name}})
    }

    fn transitions(&self, open: bool) -> Value {
        let to = |id: &str, name: &str, key: &str| json!({"id": id, "name": name, "to": {"name": name, "statusCategory": {"key": key}}});
        let mut all = Vec::new();
        if open {
            all.push(to("11", "In Arbeit", "indeterminate"));
            if self.has_done {
                all.push(to("31", "Fertig", "done"));
            }
        } else if self.has_way_back {
            all.push(to("41", "Wieder aufnehmen", "indeterminate"));
        }
        json!({"expand": "transitions", "transitions": all})
    }

    /// The text of a document or of markup, checked.
    fn read(&self, value: &Value) -> Result<String, Answer> {
        let text = if self.cloud { flat(value) } else { value.as_str().unwrap_or_default().to_owned() };
        let refused = json!({"errorMessages": [], "errors": {"description": "The entered text is too long."}});
        if text.is_empty() || text.encode_utf16().count() > 32_767 {
            return Err(Answer::new(400, refused));
        }
        Ok(text)
    }

    fn create(&mut self, fields: &Value) -> Answer {
        let refused = |field: &str, why: &str| Answer::new(400, json!({"errorMessages": [], "errors": {field: why}}));
        let summary = text(fields, "summary");
        if summary.is_empty() || summary.encode_utf16().count() > 255 || summary.contains('\n') {
            return refused("summary", "You must specify a summary of the issue.");
        }
        if fields["project"]["key"] != "OPS" || fields["issuetype"]["name"] != "Task" {
            return refused("project", "valid project is required");
        }
        if fields.get("labels").is_some() && !self.takes_labels {
            return refused("labels", "Field 'labels' cannot be set. It is not on the appropriate screen, or unknown.");
        }
        let labels = fields["labels"].as_array().into_iter().flatten();
        let labels: Vec<String> = labels.map(|label| label.as_str().unwrap().to_owned()).collect();
        if labels.iter().any(|label| label.contains(' ')) {
            return refused("labels", "The label can't contain spaces.");
        }
        let body = match self.read(&fields["description"]) {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        self.tickets.push(Seen { title: summary, body, labels, open: true, made_at: self.now, ..Seen::default() });
        let number = self.tickets.len();
        Answer::new(
            201,
            json!({"id": (10_000 + number).to_string(), "key": format!("OPS-{number}"), "self": "https://x"}),
        )
    }

    fn search(&self, body: &Value) -> Answer {
        let jql = text(body, "jql");
        let label = jql.split("labels = \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        assert!(body["fields"].as_array().is_some(), "Cloud gives ids alone where no field is named");
        let indexed = |ticket: &Seen| ticket.made_at + self.lag <= self.now && !ticket.deleted;
        let found = self.tickets.iter().enumerate().rev();
        let found = found.filter(|(_, ticket)| ticket.labels.contains(&label) && indexed(ticket));
        let shown = found.map(|(index, ticket)| {
            json!({"key": format!("OPS-{}", index + 1), "fields": {"status": Self::status(ticket.open)}})
        });
        Answer::new(200, json!({"issues": shown.collect::<Vec<_>>(), "isLast": true}))
    }

    /// A write to an issue; the answer where it comes too soon.
    fn too_soon(&mut self, number: usize) -> Option<Answer> {
        let soon = self.per_issue && self.written == Some((number, self.now));
        self.written = Some((number, self.now));
        soon.then(|| Answer::new(429, "{}").with("retry-after", 1).with("ratelimit-reason", "jira-per-issue-on-write"))
    }

    fn is_let_in(&self, request: &Request) -> bool {
        let token = value_of("JIRA_TOKEN");
        let expected = if self.cloud {
            format!("Basic {}", STANDARD.encode(format!("bot@shop.example:{token}")))
        } else {
            format!("Bearer {token}")
        };
        request.header("authorization") == Some(&expected)
    }

    fn of_issue(&mut self, method: &str, number: usize, rest: &[&str], body: &Value) -> Answer {
        if method != "GET"
            && let Some(answer) = self.too_soon(number)
        {
            return answer;
        }
        let open = self.tickets[number - 1].open;
        match (method, rest) {
            ("GET", []) => {
                Answer::new(200, json!({"key": format!("OPS-{number}"), "fields": {"status": Self::status(open)}}))
            }
            ("GET", ["transitions"]) => Answer::new(200, self.transitions(open)),
            ("POST", ["transitions"]) => {
                let all = self.transitions(open);
                let known =
                    all["transitions"].as_array().unwrap().iter().find(|one| one["id"] == body["transition"]["id"]);
                let Some(known) = known else {
                    return Answer::new(400, json!({"errorMessages": ["not valid"], "errors": {}}));
                };
                let ticket = &mut self.tickets[number - 1];
                ticket.open = known["to"]["statusCategory"]["key"] != "done";
                ticket.moves += 1;
                Answer::new(204, "")
            }
            ("POST", ["comment"]) => match self.read(&body["body"]) {
                Ok(comment) => {
                    self.tickets[number - 1].comments.push(comment);
                    Answer::new(201, json!({"id": "1"}))
                }
                Err(refused) => refused,
            },
            _ => Answer::new(404, "{}"),
        }
    }
}

/// The texts of a document; fails where it is none.
fn flat(node: &Value) -> String {
    let kind = text(node, "type");
    let known = ["doc", "paragraph", "codeBlock", "bulletList", "listItem", "text"];
    assert!(known.contains(&kind.as_str()), "{node}");
    assert_eq!(node.get("version").is_some(), kind == "doc");
    if kind == "text" {
        assert!(!text(node, "text").is_empty(), "{node}");
        return text(node, "text");
    }
    let content = node["content"].as_array().unwrap();
    content.iter().map(flat).collect::<Vec<_>>().join("\n")
}

impl Receiver for Jira {
    fn answer(&mut self, request: &Request) -> Answer {
        if !self.is_let_in(request) {
            return Answer::new(401, "Client must be authenticated to access this resource.");
        }
        let (path, _) = parts(request);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let ["rest", "api", version, rest @ ..] = path.as_slice() else { return Answer::new(404, "{}") };
        assert_eq!(*version, if self.cloud { "3" } else { "2" });
        let body = request.json();
        match (request.method.as_str(), rest) {
            ("POST", ["search"]) if self.cloud => {
                Answer::new(410, json!({"errorMessages": ["The requested API has been removed."]}))
            }
            ("POST", ["search"] | ["search", "jql"]) => self.search(&body),
            ("POST", ["issue"]) => self.create(&body["fields"]),
            (method, ["issue", key, rest @ ..]) => {
                let number: usize = key.strip_prefix("OPS-").unwrap().parse().unwrap();
                if self.tickets[number - 1].deleted {
                    let none = "Issue does not exist or you do not have permission to see it.";
                    return Answer::new(404, json!({"errorMessages": [none], "errors": {}}));
                }
                self.of_issue(method, number, rest, &body)
            }
            _ => Answer::new(404, "{}"),
        }
    }
}

impl Tracker for Jira {
    fn tickets(&mut self) -> &mut Vec<Seen> {
        &mut self.tickets
    }

    fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }
}

fn config(url: &str, user: Option<&str>) -> Config {
    Config {
        url: url.to_owned(),
        project: "OPS".to_owned(),
        issue_type: "Task".to_owned(),
        user: user.map(str::to_owned),
        token: env("JIRA_TOKEN"),
        labels: vec!["sev1".to_owned()],
    }
}

fn cloud(url: &str) -> Sink {
    kit::sink(&SinkConfig::Jira(config(url, Some("bot@shop.example"))), &[])
}

fn data_center(url: &str) -> Sink {
    kit::sink(&SinkConfig::Jira(config(url, None)), &[])
}

#[test]
fn it_says() {
    let (draft, again, over) = tickets::samples();
    for (name, user) in [("jira_cloud.json", Some("bot@shop.example")), ("jira_data_center.json", None)] {
        let config = config("https://jira.example", user);
        let bodies = [
            ("create", jira::created(&draft, &config)),
            ("second alert", jira::commented(&again, &config)),
            ("end", jira::commented(&over, &config)),
        ];
        golden(name, &tickets::bodies(&bodies));
    }
}

#[tokio::test]
async fn one_issue_an_episode() {
    let server = Server::start(Jira::cloud()).await;
    let ticket = tickets::told_without_fault(cloud(&server.url), &server).await;
    assert_eq!(ticket.labels, ["slo", &tickets::label_of_page(), "sev1"]);
    assert!(ticket.body.contains("[PAGE] checkout/availability"), "{}", ticket.body);
    let server = Server::start(Jira::data_center()).await;
    let ticket = tickets::told_without_fault(data_center(&server.url), &server).await;
    assert!(ticket.body.starts_with("{noformat}\n[PAGE] checkout/availability"), "{}", ticket.body);
}

#[tokio::test]
async fn a_template_stands_in_place_of_the_card() {
    let cloud = |url: &str| SinkConfig::Jira(config(url, Some("bot@shop.example")));
    tickets::templates_stand_in_place_of_the_card(Jira::cloud, cloud).await;
    let data_center = |url: &str| SinkConfig::Jira(config(url, None));
    tickets::templates_stand_in_place_of_the_card(Jira::data_center, data_center).await;
}

#[tokio::test]
async fn one_issue_whatever_happens() {
    tickets::told_whatever_happens(Jira::cloud, cloud).await;
    tickets::told_whatever_happens(Jira::data_center, data_center).await;
    tickets::other_stories(Jira::cloud, cloud).await;
    tickets::other_stories(Jira::data_center, data_center).await;
}

#[tokio::test]
async fn what_the_search_does_not_see_yet_is_waited_for() {
    for (lag, issues) in [(55, 1), (600, 2)] {
        let server = Server::start(Jira { lag: Length::from_seconds(lag), ..Jira::cloud() }).await;
        server.pass();
        server.fault(Fault::LostAnswer);
        let mut outbox = Outbox::new(cloud(&server.url));
        let (outcome, tries) = outbox.tell(&server, &page(1, AlertState::Firing)).await;
        assert_eq!(outcome.verdict, DeliveryVerdict::Done);
        assert!(tries >= 6, "{tries}");
        // The second one is what no search can save from: it lags for longer than a minute.
        server.with(|jira| assert_eq!(jira.tickets.len(), issues, "lag {lag} s"));
    }
}

#[tokio::test]
async fn a_workflow_without_a_way_is_an_alarm_and_the_comment_stands() {
    let server = Server::start(Jira { has_done: false, ..Jira::cloud() }).await;
    let mut outbox = Outbox::new(cloud(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    let ended = outbox.done(&server, &page(1, AlertState::Resolved)).await;
    assert!(ended.alarm.unwrap().contains("no transition from here to a status of `done`"));
    server.with(|jira| assert!(jira.tickets[0].open && jira.tickets[0].comments.len() == 1));

    let server = Server::start(Jira { has_way_back: false, ..Jira::cloud() }).await;
    let mut outbox = Outbox::new(cloud(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    let again = outbox.done(&server, &page(2, AlertState::Firing)).await;
    assert!(again.alarm.unwrap().contains("cannot be opened again"));
    server.with(|jira| assert_eq!(jira.tickets[0].comments.len(), 2));
}

#[tokio::test]
async fn limits_of_an_issue_and_screens_without_labels_lose_nothing() {
    let server = Server::start(Jira { per_issue: true, ..Jira::cloud() }).await;
    let ticket = tickets::told_without_fault(cloud(&server.url), &server).await;
    assert_eq!(ticket.comments.len(), 4);
    let server = Server::start(Jira { takes_labels: false, ..Jira::cloud() }).await;
    let outcome = Outbox::new(cloud(&server.url)).done(&server, &page(1, AlertState::Firing)).await;
    assert!(outcome.alarm.unwrap().starts_with("labels were refused: status 400"));
    server.with(|jira| assert_eq!(jira.tickets.len(), 1));
}
