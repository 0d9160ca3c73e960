//! GitLab's REST API for issues, as far as the sink speaks it.
//!
//! Copied: a project's path must be encoded, else 404; issues are known by `iid`, and the `id` of one may be the `iid` of
//! none (doc/api/rest); a 400 is text or a mapping by field; at most 5,000 notes an issue, then 400
//! (`doc/administration/instance_limits`); quick actions run where a line begins with `/` outside of code
//! (`doc/user/project/quick_actions`).

use serde_json::{Value, json};
use slo::config::meant::SinkConfig;
use slo::config::sinks::gitlab::Gitlab as Config;
use slo::policy::alert::AlertState;
use slo::sink::{DeliveryVerdict, Sink, gitlab};
use slo::units::Timestamp;

use crate::kit::{self, env, golden, value_of};
use crate::server::{Answer, Receiver, Request, Server};
use crate::tickets::{self, Outbox, Seen, Tracker, page, parts, text};

#[derive(Debug)]
pub struct Gitlab {
    tickets: Vec<Seen>,
    now: Timestamp,
    most_notes: usize,
}

impl Gitlab {
    fn new() -> Self {
        Self { tickets: Vec::new(), now: Timestamp::default(), most_notes: 5_000 }
    }

    fn shown(&self, iid: usize) -> Value {
        let ticket = &self.tickets[iid - 1];
        json!({
            "id": 84_000_000 + iid,
            "iid": iid,
            "title": ticket.title,
            "state": if ticket.open { "opened" } else { "closed" },
            "labels": ticket.labels,
            "web_url": format!("https://gitlab.com/shop/reliability/-/issues/{iid}"),
        })
    }

    fn create(&mut self, body: &Value) -> Answer {
        let title = text(body, "title");
        if title.is_empty() {
            return Answer::new(400, json!({"message": "400 (Bad request) \"title\" not given"}));
        }
        if title.chars().count() > 255 {
            return Answer::new(400, json!({"message": {"title": ["is too long (maximum is 255 characters)"]}}));
        }
        tickets::assert_inert(&text(body, "description"));
        self.tickets.push(Seen {
            title,
            body: text(body, "description"),
            labels: text(body, "labels").split(',').map(str::to_owned).collect(),
            open: true,
            made_at: self.now,
            ..Seen::default()
        });
        Answer::new(201, self.shown(self.tickets.len()))
    }

    fn change(&mut self, iid: usize, body: &Value) -> Answer {
        let open = match body["state_event"].as_str() {
            Some("close") => false,
            Some("reopen") => true,
            _ => return Answer::new(400, json!({"error": "state_event does not have a valid value"})),
        };
        let ticket = &mut self.tickets[iid - 1];
        ticket.moves += usize::from(ticket.open != open);
        ticket.open = open;
        Answer::new(200, self.shown(iid))
    }

    fn note(&mut self, iid: usize, body: &Value) -> Answer {
        let ticket = &mut self.tickets[iid - 1];
        if ticket.comments.len() >= self.most_notes {
            return Answer::new(400, json!({"message": {"base": ["Maximum number of comments exceeded"]}}));
        }
        tickets::assert_inert(&text(body, "body"));
        ticket.comments.push(text(body, "body"));
        Answer::new(201, json!({"id": 1}))
    }
}

impl Receiver for Gitlab {
    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Bearer {}", value_of("GITLAB_TOKEN"))) {
            return Answer::new(401, json!({"message": "401 Unauthorized"}));
        }
        let (path, query) = parts(request);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let ["api", "v4", "projects", "shop%2Freliability", "issues", rest @ ..] = path.as_slice() else {
            return Answer::new(404, json!({"error": "404 Not Found"}));
        };
        let iid = rest.first().and_then(|iid| iid.parse::<usize>().ok());
        if let Some(iid) = iid
            && self.tickets.get(iid.wrapping_sub(1)).is_none_or(|ticket| ticket.deleted)
        {
            return Answer::new(404, json!({"message": "404 Issue Not Found"}));
        }
        let body = request.json();
        match (request.method.as_str(), rest, iid) {
            ("GET", [], _) => {
                let found = self.tickets.iter().enumerate().rev();
                let has = |ticket: &Seen| ticket.labels.contains(&query["labels"]) && !ticket.deleted;
                let found = found.filter(|(_, ticket)| has(ticket)).map(|(index, _)| self.shown(index + 1));
                Answer::new(200, Value::Array(found.collect()))
            }
            ("POST", [], _) => self.create(&body),
            ("GET", [_], Some(iid)) => Answer::new(200, self.shown(iid)),
            ("PUT", [_], Some(iid)) => self.change(iid, &body),
            ("POST", [_, "notes"], Some(iid)) => self.note(iid, &body),
            _ => Answer::new(404, json!({"error": "404 Not Found"})),
        }
    }
}

impl Tracker for Gitlab {
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
        project: "shop/reliability".to_owned(),
        token: env("GITLAB_TOKEN"),
        labels: vec!["sev::1".to_owned()],
    }
}

fn sink(url: &str) -> Sink {
    kit::sink(&SinkConfig::Gitlab(config(url)), &[])
}

#[test]
fn it_says() {
    let (draft, again, over) = tickets::samples();
    let bodies = [
        ("create", gitlab::created(&draft, &config("https://gitlab.com"))),
        ("second alert", gitlab::commented(&again)),
        ("end", gitlab::commented(&over)),
    ];
    golden("gitlab.json", &tickets::bodies(&bodies));
}

#[tokio::test]
async fn one_issue_an_episode() {
    let server = Server::start(Gitlab::new()).await;
    let ticket = tickets::told_without_fault(sink(&server.url), &server).await;
    assert_eq!(ticket.labels, ["slo", &tickets::label_of_page(), "sev::1"]);
}

#[tokio::test]
async fn a_template_stands_in_place_of_the_card() {
    tickets::templates_stand_in_place_of_the_card(Gitlab::new, |url| SinkConfig::Gitlab(config(url))).await;
}

#[tokio::test]
async fn one_issue_whatever_happens() {
    tickets::told_whatever_happens(Gitlab::new, sink).await;
    tickets::other_stories(Gitlab::new, sink).await;
}

#[tokio::test]
async fn an_issue_with_too_many_notes_is_closed_all_the_same() {
    let server = Server::start(Gitlab { most_notes: 0, ..Gitlab::new() }).await;
    let mut outbox = Outbox::new(sink(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    let ended = outbox.done(&server, &page(1, AlertState::Resolved)).await;
    assert!(ended.alarm.unwrap().contains("the ticket takes no comment: status 400"));
    server.with(|gitlab| assert!(!gitlab.tickets[0].open));
    // A second alert that cannot be said is no success.
    let (outcome, _) = outbox.tell(&server, &page(2, AlertState::Firing)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Refused);
}
