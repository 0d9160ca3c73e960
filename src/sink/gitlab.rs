//! GitLab issues: one an episode ([`crate::sink::ticket`]).
//!
//! An issue is known by its `iid`, its number in the project, never by its `id`. A 400 is text or a mapping by field: the
//! same refusal. A line that begins with `/` would be a quick action: what comes from elsewhere stands in code, where none
//! runs.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config::sinks::gitlab::Gitlab;
use crate::sink::client::{Answer, Method, NoAnswer};
use crate::sink::limits::{GITLAB_BODY, GITLAB_TITLE};
use crate::sink::ticket::exchange::{self, Failure, Login, Speaker, segment, unexpected};
use crate::sink::ticket::words::Words;
use crate::sink::ticket::{Created, Draft, Found, Ticket, Tickets, Tracker, markdown};
use crate::sink::{DeliveryVerdict, Parts, Sink, verdict};
use crate::units::{Length, Timestamp};

/// Our wait where a limit says nothing.
const LIMITED: Length = Length::from_seconds(60);
/// Below 300 notes a minute, two requests an attempt.
const PACE: Length = Length::from_millis(500);
/// Lists are read from copies of the database that may lag.
const SETTLES: Length = Length::from_seconds(15);

/// One project.
#[derive(Debug)]
pub struct Tracked {
    speaker: Speaker,
    config: Gitlab,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Gitlab, parts: &Parts<'_>) -> Result<Sink, String> {
    let speaker = Speaker::new(&config.url, Login::Bearer(config.token.clone()), Vec::new(), parts)?;
    Ok(Tickets::sink(Tracked { speaker, config: config.clone() }, parts))
}

/// What an answer of GitLab comes to; pure.
///
/// # Errors
/// Where it is no success.
pub fn judge(exchange: Result<Answer, NoAnswer>, now: Timestamp) -> Result<Answer, Failure> {
    let wait = match &exchange {
        Ok(answer) if answer.status == 429 => Some(limited(answer, now)),
        // Somebody else changes the same issue.
        Ok(answer) if answer.status == 409 => None,
        _ => return exchange::judge(exchange, now),
    };
    let message = exchange.map(|answer| verdict::shown(&answer)).unwrap_or_default();
    Err(Failure::new(DeliveryVerdict::Retry(wait), message))
}

fn limited(answer: &Answer, now: Timestamp) -> Length {
    let reset = answer.header("ratelimit-reset").and_then(|text| text.parse().ok()).map(Timestamp::from_seconds);
    let told = verdict::retry_after(answer, now);
    told.or_else(|| reset.map(|reset| verdict::until(reset, answer, now))).unwrap_or(LIMITED)
}

/// The body that makes an issue; pure.
#[must_use]
pub fn created(draft: &Draft, config: &Gitlab) -> Value {
    let labels: Vec<&str> =
        draft.labels.iter().chain([&draft.label]).chain(&config.labels).map(String::as_str).collect();
    json!({
        "title": GITLAB_TITLE.cut(&draft.title),
        "description": markdown::render(&draft.words, &GITLAB_BODY),
        "labels": labels.join(","),
    })
}

/// The body of a note; pure.
#[must_use]
pub fn commented(words: &Words) -> Value {
    json!({"body": markdown::render(words, &GITLAB_BODY)})
}

impl Tracked {
    async fn ask(&self, method: Method, rest: &str, body: Option<&Value>, now: Timestamp) -> Result<Answer, Failure> {
        let path = format!("/api/v4/projects/{}/issues{rest}", segment(&self.config.project));
        judge(self.speaker.ask(method, &path, body).await, now)
    }

    async fn change(&self, id: &str, event: &str, now: Timestamp) -> Result<(), Failure> {
        self.ask(Method::Put, &format!("/{id}"), Some(&json!({"state_event": event})), now).await.map(drop)
    }
}

fn ticket(issue: &Value) -> Option<Ticket> {
    let id = issue.get("iid")?.as_u64()?.to_string();
    Some(Ticket { id, url: issue.get("web_url")?.as_str()?.to_owned() })
}

fn is_open(issue: &Value) -> bool {
    issue.get("state").and_then(Value::as_str) == Some("opened")
}

fn has_label(issue: &Value, label: &str) -> bool {
    let labels = issue.get("labels").and_then(Value::as_array);
    labels.is_some_and(|labels| labels.iter().any(|one| one.as_str() == Some(label)))
}

#[async_trait]
impl Tracker for Tracked {
    fn destination(&self) -> String {
        format!("gitlab {}", self.speaker.host())
    }

    fn pace(&self) -> Length {
        PACE
    }

    fn settles(&self) -> Length {
        SETTLES
    }

    async fn find(&self, label: &str, now: Timestamp) -> Result<Option<Found>, Failure> {
        let query = format!("?labels={}&scope=all&per_page=10", segment(label));
        let answer = self.ask(Method::Get, &query, None, now).await?;
        let list = exchange::json(&answer)?;
        let issues = list.as_array().ok_or_else(|| unexpected(&answer, "list"))?;
        let issues = issues.iter().filter(|issue| has_label(issue, label));
        let found = issues.filter_map(|issue| Some(Found { ticket: ticket(issue)?, open: is_open(issue) }));
        Ok(found.max_by_key(|found| found.open))
    }

    async fn create(&self, draft: &Draft, now: Timestamp) -> Result<Created, Failure> {
        let answer = self.ask(Method::Post, "", Some(&created(draft, &self.config)), now).await?;
        let issue = exchange::json(&answer)?;
        let ticket = ticket(&issue).ok_or_else(|| unexpected(&answer, "iid"))?;
        let dropped = !has_label(&issue, &draft.label);
        let warning = dropped.then(|| "labels were dropped: the token may not set them in the project".to_owned());
        Ok(Created { ticket, warning })
    }

    async fn is_open(&self, id: &str, now: Timestamp) -> Result<bool, Failure> {
        let answer = self.ask(Method::Get, &format!("/{id}"), None, now).await?;
        Ok(is_open(&exchange::json(&answer)?))
    }

    async fn comment(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.ask(Method::Post, &format!("/{id}/notes"), Some(&commented(words)), now).await.map(drop)
    }

    async fn reopen(&self, id: &str, now: Timestamp) -> Result<(), Failure> {
        self.change(id, "reopen", now).await
    }

    async fn close(&self, id: &str, _words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.change(id, "close", now).await
    }

    fn shows_draft(&self, draft: &Draft) -> (String, Value) {
        (
            self.speaker.url(&format!("/api/v4/projects/{}/issues", segment(&self.config.project))),
            created(draft, &self.config),
        )
    }

    fn shows_comment(&self, words: &Words) -> Value {
        commented(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn verdict_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> DeliveryVerdict {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = Answer { status, headers, body: body.to_owned(), ..Answer::default() };
        judge(Ok(answer), NOW).map_or_else(|failure| failure.verdict, |_| DeliveryVerdict::Done)
    }

    #[test]
    fn every_answer_has_its_verdict() {
        let wait = |seconds| DeliveryVerdict::Retry(Some(Length::from_seconds(seconds)));
        let text = r#"{"message":"400 (Bad request) \"title\" not given"}"#;
        let fields = r#"{"message":{"title":["is too long (maximum is 255 characters)"]}}"#;
        assert_eq!(verdict_of(400, &[], text), DeliveryVerdict::Refused);
        assert_eq!(verdict_of(400, &[], fields), DeliveryVerdict::Refused);
        assert_eq!(verdict_of(409, &[], ""), DeliveryVerdict::Retry(None));
        assert_eq!(verdict_of(429, &[], ""), wait(60));
        assert_eq!(verdict_of(429, &[("ratelimit-reset", "1795230005")], ""), wait(5));
        assert_eq!(verdict_of(404, &[], ""), DeliveryVerdict::Misconfigured);
        assert_eq!(verdict_of(503, &[], ""), DeliveryVerdict::Ambiguous);
        assert_eq!(verdict_of(201, &[], "{}"), DeliveryVerdict::Done);
    }
}
