//! GitHub issues: one an episode ([`crate::sink::ticket`]).
//!
//! Found again by a label, in the list of issues and not by search, which has an index of its own. Labels and assignees
//! are dropped silently where the token may not push: what stands in the answer is compared. A create that is refused
//! with them (a label that is not there, an assignee who left) is made once more without. A limit is a 403 or a 429, with
//! `x-ratelimit-remaining: 0`, with `retry-after`, or with words alone. Issues that were moved answer 301: followed by
//! hand, on the same host.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::config::sinks::github::Github;
use crate::sink::client::{Answer, Method, NoAnswer};
use crate::sink::limits::{GITHUB_BODY, GITHUB_TITLE};
use crate::sink::ticket::exchange::{self, Failure, Login, Speaker, segment, unexpected};
use crate::sink::ticket::words::Words;
use crate::sink::ticket::{Created, Draft, Found, Ticket, Tickets, Tracker, markdown};
use crate::sink::{DeliveryVerdict, Parts, Sink, verdict};
use crate::units::{Length, Timestamp};

/// The API that these requests were written for.
const VERSION: &str = "2022-11-28";
/// Their least wait where a limit says nothing.
const LIMITED: Length = Length::from_seconds(60);
/// Writes one a second, as they ask; 80 new texts a minute are their limit.
const PACE: Length = Length::from_seconds(1);
/// Lists are read from copies of the database that may lag.
const SETTLES: Length = Length::from_seconds(15);

/// One repository.
#[derive(Debug)]
pub struct Tracked {
    speaker: Speaker,
    config: Github,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Github, parts: &Parts<'_>) -> Result<Sink, String> {
    let headers =
        vec![("accept", "application/vnd.github+json".to_owned()), ("x-github-api-version", VERSION.to_owned())];
    let speaker = Speaker::new(&config.url, Login::Bearer(config.token.clone()), headers, parts)?;
    Ok(Tickets::sink(Tracked { speaker, config: config.clone() }, parts))
}

/// What an answer of GitHub comes to; pure.
///
/// # Errors
/// Where it is no success.
pub fn judge(exchange: Result<Answer, NoAnswer>, now: Timestamp) -> Result<Answer, Failure> {
    if let Ok(answer) = &exchange
        && let Some(wait) = limited(answer, now)
    {
        return Err(Failure::new(DeliveryVerdict::Retry(Some(wait)), verdict::shown(answer)));
    }
    exchange::judge(exchange, now)
}

/// How long to wait, where the answer is a limit.
fn limited(answer: &Answer, now: Timestamp) -> Option<Length> {
    if !matches!(answer.status, 403 | 429) {
        return None;
    }
    if let Some(told) = verdict::retry_after(answer, now) {
        return Some(told);
    }
    if answer.header("x-ratelimit-remaining") == Some("0") {
        let reset = answer.header("x-ratelimit-reset").and_then(|text| text.parse().ok()).map(Timestamp::from_seconds);
        return Some(reset.map_or(LIMITED, |reset| verdict::until(reset, answer, now)));
    }
    let said = answer.body.to_lowercase().contains("rate limit");
    (said || answer.status == 429).then_some(LIMITED)
}

/// The body that makes an issue; pure.
#[must_use]
pub fn created(draft: &Draft, config: &Github) -> Value {
    let labels: Vec<&String> = draft.labels.iter().chain([&draft.label]).chain(&config.labels).collect();
    let mut body = plain(draft);
    body["labels"] = json!(labels);
    if !config.assignees.is_empty() {
        body["assignees"] = json!(config.assignees);
    }
    body
}

/// The same without what may be refused.
fn plain(draft: &Draft) -> Value {
    json!({"title": GITHUB_TITLE.cut(&draft.title), "body": markdown::render(&draft.words, &GITHUB_BODY)})
}

/// The body of a comment; pure.
#[must_use]
pub fn commented(words: &Words) -> Value {
    json!({"body": markdown::render(words, &GITHUB_BODY)})
}

impl Tracked {
    async fn ask(&self, method: Method, rest: &str, body: Option<&Value>, now: Timestamp) -> Result<Answer, Failure> {
        let path = format!("/repos/{}/issues{rest}", self.config.repo);
        judge(self.speaker.ask_on(method, &path, body).await, now)
    }

    async fn change(&self, id: &str, body: &Value, now: Timestamp) -> Result<(), Failure> {
        self.ask(Method::Patch, &format!("/{id}"), Some(body), now).await.map(drop)
    }
}

fn ticket(issue: &Value) -> Option<Ticket> {
    let id = issue.get("number")?.as_u64()?.to_string();
    Some(Ticket { id, url: issue.get("html_url")?.as_str()?.to_owned() })
}

fn is_open(issue: &Value) -> bool {
    issue.get("state").and_then(Value::as_str) == Some("open")
}

fn has_label(issue: &Value, label: &str) -> bool {
    let labels = issue.get("labels").and_then(Value::as_array);
    labels.is_some_and(|labels| labels.iter().any(|one| one.get("name").and_then(Value::as_str) == Some(label)))
}

#[async_trait]
impl Tracker for Tracked {
    fn destination(&self) -> String {
        format!("github {}", self.speaker.host())
    }

    fn pace(&self) -> Length {
        PACE
    }

    fn settles(&self) -> Length {
        SETTLES
    }

    async fn find(&self, label: &str, now: Timestamp) -> Result<Option<Found>, Failure> {
        let query = format!("?labels={}&state=all&per_page=10", segment(label));
        let answer = self.ask(Method::Get, &query, None, now).await?;
        let list = exchange::json(&answer)?;
        let issues = list.as_array().ok_or_else(|| unexpected(&answer, "list"))?;
        // Pull requests are issues, too.
        let issues = issues.iter().filter(|issue| issue.get("pull_request").is_none() && has_label(issue, label));
        let found = issues.filter_map(|issue| Some(Found { ticket: ticket(issue)?, open: is_open(issue) }));
        Ok(found.max_by_key(|found| found.open))
    }

    async fn create(&self, draft: &Draft, now: Timestamp) -> Result<Created, Failure> {
        let whole = self.ask(Method::Post, "", Some(&created(draft, &self.config)), now).await;
        let (answer, refused) = match whole {
            Ok(answer) => (answer, None),
            // Refused for what is in it, and certainly not made.
            Err(failure) if matches!(failure.status, Some(403 | 422)) => {
                (self.ask(Method::Post, "", Some(&plain(draft)), now).await?, Some(failure.message))
            }
            Err(failure) => return Err(failure),
        };
        let issue = exchange::json(&answer)?;
        let ticket = ticket(&issue).ok_or_else(|| unexpected(&answer, "number"))?;
        let warning = match refused {
            Some(why) => Some(format!("labels and assignees were refused: {why}")),
            None if has_label(&issue, &draft.label) => None,
            None => Some("labels were dropped: the token may not push to the repository".to_owned()),
        };
        Ok(Created { ticket, warning })
    }

    async fn is_open(&self, id: &str, now: Timestamp) -> Result<bool, Failure> {
        let answer = self.ask(Method::Get, &format!("/{id}"), None, now).await?;
        Ok(is_open(&exchange::json(&answer)?))
    }

    async fn comment(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.ask(Method::Post, &format!("/{id}/comments"), Some(&commented(words)), now).await.map(drop)
    }

    async fn reopen(&self, id: &str, now: Timestamp) -> Result<(), Failure> {
        self.change(id, &json!({"state": "open", "state_reason": "reopened"}), now).await
    }

    async fn close(&self, id: &str, _words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.change(id, &json!({"state": "closed", "state_reason": "completed"}), now).await
    }

    fn shows_draft(&self, draft: &Draft) -> (String, Value) {
        (self.speaker.url(&format!("/repos/{}/issues", self.config.repo)), created(draft, &self.config))
    }

    fn shows_comment(&self, words: &Words) -> Value {
        commented(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn verdict_of(
        status: u16,
        retry_after: Option<&str>,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> DeliveryVerdict {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let retry_after = retry_after.map(str::to_owned);
        let answer = Answer { status, retry_after, headers, body: body.to_owned(), ..Answer::default() };
        judge(Ok(answer), NOW).map_or_else(|failure| failure.verdict, |_| DeliveryVerdict::Done)
    }

    #[test]
    fn a_limit_is_known_in_all_its_forms_and_nothing_else_is_one() {
        let wait = |seconds| DeliveryVerdict::Retry(Some(Length::from_seconds(seconds)));
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795230090")];
        let left = [("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "1795230090")];
        let secondary = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}"#;
        let forbidden = r#"{"message":"Resource not accessible by personal access token"}"#;
        for (status, told, headers, body, expected) in [
            (403, None, &spent[..], "", wait(90)),
            (429, None, &spent[..], "", wait(90)),
            (403, Some("30"), &left[..], secondary, wait(30)),
            (429, Some("30"), &left[..], "", wait(30)),
            (403, None, &left[..], secondary, wait(60)),
            (429, None, &[][..], "", wait(60)),
            (403, None, &spent[..1], "", wait(60)),
            (403, None, &left[..], forbidden, DeliveryVerdict::Misconfigured),
            (201, None, &spent[..], "{}", DeliveryVerdict::Done),
            (301, None, &[][..], "", DeliveryVerdict::Misconfigured),
            (404, None, &[][..], "", DeliveryVerdict::Misconfigured),
            (410, None, &[][..], "", DeliveryVerdict::Misconfigured),
            (422, None, &[][..], "", DeliveryVerdict::Refused),
            (502, None, &[][..], "", DeliveryVerdict::Ambiguous),
        ] {
            assert_eq!(verdict_of(status, told, headers, body), expected, "{status} {told:?} {body}");
        }
    }
}
