//! Jira issues, Cloud and Data Center: one an episode ([`crate::sink::ticket`]).
//!
//! With a user it is Cloud: API 3, whose texts are documents of nodes; without, Data Center: API 2, whose texts are
//! markup. Its search lags behind by seconds to minutes, and never says so: what may have been created is looked for
//! again after a minute. Names of transitions are of the workflow and translated: the first whose status is of the
//! category `done` closes, the first of another category opens again; none there is an alarm, and the comment stands.

pub mod text;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config::sinks::jira::Jira;
use crate::sink::client::{Answer, Method, NoAnswer};
use crate::sink::limits::JIRA_SUMMARY;
use crate::sink::ticket::exchange::{self, Failure, Login, Speaker, segment, unexpected};
use crate::sink::ticket::words::Words;
use crate::sink::ticket::{Created, Draft, Found, Ticket, Tickets, Tracker};
use crate::sink::{DeliveryVerdict, Parts, Sink, escape, verdict};
use crate::units::{Length, Timestamp};

/// Our wait where a limit says nothing.
const LIMITED: Length = Length::from_seconds(60);
/// One write a second and issue is theirs; bursts of a tenant are limited, too.
const PACE: Length = Length::from_seconds(1);
/// The lag of the search, as it is told.
const SETTLES: Length = Length::from_seconds(60);

/// One project.
#[derive(Debug)]
pub struct Tracked {
    speaker: Speaker,
    config: Jira,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Jira, parts: &Parts<'_>) -> Result<Sink, String> {
    let login = match &config.user {
        Some(user) => Login::Basic(user.clone(), config.token.clone()),
        None => Login::Bearer(config.token.clone()),
    };
    let headers = vec![("accept", "application/json".to_owned()), ("accept-language", "en".to_owned())];
    let speaker = Speaker::new(&config.url, login, headers, parts)?;
    Ok(Tickets::sink(Tracked { speaker, config: config.clone() }, parts))
}

/// What an answer of Jira comes to; pure.
///
/// # Errors
/// Where it is no success.
pub fn judge(exchange: Result<Answer, NoAnswer>, now: Timestamp) -> Result<Answer, Failure> {
    let (wait, answer) = match &exchange {
        Ok(answer) if answer.status == 429 => (Some(limited(answer, now)), answer),
        // Somebody else changes the same issue.
        Ok(answer) if answer.status == 409 => (None, answer),
        _ => return exchange::judge(exchange, now),
    };
    let reason = answer.header("ratelimit-reason").map(|reason| format!(" ({})", escape::line(reason)));
    let message = format!("{}{}", verdict::shown(answer), reason.unwrap_or_default());
    Err(Failure::new(DeliveryVerdict::Retry(wait), message))
}

fn limited(answer: &Answer, now: Timestamp) -> Length {
    let reset = answer.header("x-ratelimit-reset").and_then(|text| text.parse::<Timestamp>().ok());
    let told = verdict::retry_after(answer, now);
    told.or_else(|| reset.map(|reset| verdict::until(reset, answer, now))).unwrap_or(LIMITED)
}

/// The body that makes an issue; pure.
#[must_use]
pub fn created(draft: &Draft, config: &Jira) -> Value {
    let labels: Vec<&String> = draft.labels.iter().chain([&draft.label]).chain(&config.labels).collect();
    json!({"fields": {
        "project": {"key": config.project},
        "issuetype": {"name": config.issue_type},
        "summary": JIRA_SUMMARY.cut(&draft.title),
        "description": text::of(&draft.words, is_cloud(config)),
        "labels": labels,
    }})
}

/// The body of a comment; pure.
#[must_use]
pub fn commented(words: &Words, config: &Jira) -> Value {
    json!({"body": text::of(words, is_cloud(config))})
}

/// The body of a search for a label, in one project; pure.
#[must_use]
pub fn searched(label: &str, config: &Jira) -> Value {
    let (project, label) = (escape::jql(&config.project), escape::jql(label));
    let jql = format!("project = \"{project}\" AND labels = \"{label}\" ORDER BY created DESC");
    json!({"jql": jql, "fields": ["status"], "maxResults": 10})
}

const fn is_cloud(config: &Jira) -> bool {
    config.user.is_some()
}

/// Whether the refusal is about the labels: they are not on every project's screens.
fn refuses_labels(answer: &Answer) -> bool {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    answer.status == 400 && body.pointer("/errors/labels").is_some()
}

impl Tracked {
    fn path(&self, rest: &str) -> String {
        format!("/rest/api/{}/{rest}", if is_cloud(&self.config) { "3" } else { "2" })
    }

    async fn ask(&self, method: Method, rest: &str, body: Option<&Value>, now: Timestamp) -> Result<Answer, Failure> {
        judge(self.speaker.ask(method, &self.path(rest), body).await, now)
    }

    /// Takes the first transition to a status that is of the category `done`, or is not.
    async fn transition(&self, id: &str, to_done: bool, now: Timestamp) -> Result<(), Failure> {
        let path = format!("issue/{}/transitions", segment(id));
        let answer = self.ask(Method::Get, &path, None, now).await?;
        let body = exchange::json(&answer)?;
        let all =
            body.get("transitions").and_then(Value::as_array).ok_or_else(|| unexpected(&answer, "transitions"))?;
        let fits = |transition: &&Value| transition.get("to").and_then(is_done) == Some(to_done);
        let Some(transition) = all.iter().find(fits).and_then(|transition| transition.get("id")) else {
            let kind = if to_done { "`done`" } else { "another category than `done`" };
            let message = format!("the workflow has no transition from here to a status of {kind}");
            return Err(Failure::new(DeliveryVerdict::Refused, message));
        };
        let body = json!({"transition": {"id": transition}});
        self.ask(Method::Post, &path, Some(&body), now).await.map(drop)
    }
}

/// Whether a status is of the category `done`; categories have the same keys in every language.
fn is_done(status: &Value) -> Option<bool> {
    status.pointer("/statusCategory/key").and_then(Value::as_str).map(|key| key == "done")
}

#[async_trait]
impl Tracker for Tracked {
    fn destination(&self) -> String {
        format!("jira {}", self.speaker.host())
    }

    fn pace(&self) -> Length {
        PACE
    }

    fn settles(&self) -> Length {
        SETTLES
    }

    async fn find(&self, label: &str, now: Timestamp) -> Result<Option<Found>, Failure> {
        let path = if is_cloud(&self.config) { "search/jql" } else { "search" };
        let answer = self.ask(Method::Post, path, Some(&searched(label, &self.config)), now).await?;
        let body = exchange::json(&answer)?;
        let issues = body.get("issues").and_then(Value::as_array).ok_or_else(|| unexpected(&answer, "issues"))?;
        let found = issues.iter().filter_map(|issue| {
            let ticket = self.ticket(issue.get("key")?.as_str()?);
            let open = issue.pointer("/fields/status").and_then(is_done) != Some(true);
            Some(Found { ticket, open })
        });
        Ok(found.max_by_key(|found| found.open))
    }

    async fn create(&self, draft: &Draft, now: Timestamp) -> Result<Created, Failure> {
        let mut body = created(draft, &self.config);
        let path = self.path("issue");
        let mut exchange = self.speaker.ask(Method::Post, &path, Some(&body)).await;
        let mut warning = None;
        if let Ok(answer) = &exchange
            && refuses_labels(answer)
            && let Some(fields) = body.pointer_mut("/fields").and_then(Value::as_object_mut)
        {
            fields.remove("labels");
            warning = Some(format!("labels were refused: {}", verdict::shown(answer)));
            exchange = self.speaker.ask(Method::Post, &path, Some(&body)).await;
        }
        let answer = judge(exchange, now)?;
        let issue = exchange::json(&answer)?;
        let key = issue.get("key").and_then(Value::as_str).ok_or_else(|| unexpected(&answer, "key"))?;
        Ok(Created { ticket: self.ticket(key), warning })
    }

    async fn is_open(&self, id: &str, now: Timestamp) -> Result<bool, Failure> {
        let answer = self.ask(Method::Get, &format!("issue/{}?fields=status", segment(id)), None, now).await?;
        let issue = exchange::json(&answer)?;
        Ok(issue.pointer("/fields/status").and_then(is_done) != Some(true))
    }

    async fn comment(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure> {
        let body = commented(words, &self.config);
        self.ask(Method::Post, &format!("issue/{}/comment", segment(id)), Some(&body), now).await.map(drop)
    }

    async fn reopen(&self, id: &str, now: Timestamp) -> Result<(), Failure> {
        self.transition(id, false, now).await
    }

    async fn close(&self, id: &str, _words: &Words, now: Timestamp) -> Result<(), Failure> {
        // From a status that is done there may be no way to another one: that is no failure.
        if self.is_open(id, now).await? { self.transition(id, true, now).await } else { Ok(()) }
    }

    fn shows_draft(&self, draft: &Draft) -> (String, Value) {
        (self.speaker.url(&self.path("issue")), created(draft, &self.config))
    }

    fn shows_comment(&self, words: &Words) -> Value {
        commented(words, &self.config)
    }
}

impl Tracked {
    fn ticket(&self, key: &str) -> Ticket {
        Ticket { id: key.to_owned(), url: format!("{}/browse/{key}", self.config.url) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn judged(status: u16, retry_after: Option<&str>, headers: &[(&'static str, &str)], body: &str) -> Failure {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let retry_after = retry_after.map(str::to_owned);
        let answer = Answer { status, retry_after, headers, body: body.to_owned(), ..Answer::default() };
        judge(Ok(answer), NOW).unwrap_err()
    }

    #[test]
    fn every_answer_has_its_verdict() {
        let wait = |seconds| DeliveryVerdict::Retry(Some(Length::from_seconds(seconds)));
        let per_issue = [("ratelimit-reason", "jira-per-issue-on-write")];
        let limited = judged(429, Some("3"), &per_issue, "");
        assert_eq!((limited.verdict, limited.message.as_str()), (wait(3), "status 429 (jira-per-issue-on-write)"));
        let reset = [("x-ratelimit-reset", "2026-11-21T03:00:07Z")];
        assert_eq!(judged(429, None, &reset, "").verdict, wait(7));
        assert_eq!(judged(429, None, &[], "").verdict, wait(60));
        assert_eq!(judged(409, None, &[], "").verdict, DeliveryVerdict::Retry(None));
        assert_eq!(judged(503, Some("9"), &[], "").verdict, wait(9));
        assert_eq!(judged(500, None, &[], "").verdict, DeliveryVerdict::Ambiguous);
        let wrong = r#"{"errorMessages":[],"errors":{"issuetype":"The issue type selected is invalid."}}"#;
        let refused = judged(400, None, &[], wrong);
        assert_eq!(refused.verdict, DeliveryVerdict::Refused);
        assert!(refused.message.contains("issue type selected is invalid"), "{}", refused.message);
        let classic = judged(410, None, &[], r#"{"errorMessages":["The requested API has been removed."]}"#);
        assert_eq!((classic.verdict, classic.is_gone()), (DeliveryVerdict::Misconfigured, true));
        assert_eq!(judged(401, None, &[], "").verdict, DeliveryVerdict::Misconfigured);
    }

    #[test]
    fn the_search_cannot_be_broken_out_of() {
        let config = Jira {
            url: "https://jira.example".to_owned(),
            project: "OPS".to_owned(),
            issue_type: "Task".to_owned(),
            user: None,
            token: crate::config::meant::SecretRef::Env("T".to_owned()),
            labels: Vec::new(),
        };
        let jql = searched("a\" OR project = \"b", &config);
        let expected = "project = \"OPS\" AND labels = \"a\\\" OR project = \\\"b\" ORDER BY created DESC";
        assert_eq!(jql["jql"], expected);
    }
}
