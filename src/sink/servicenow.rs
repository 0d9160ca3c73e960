//! `ServiceNow` incidents over the Table API: one an episode ([`crate::sink::ticket`]).
//!
//! Found again by `correlation_id`, which has no unique index: two creates are two incidents. An instance that sleeps
//! answers 200 with a page of HTML: whatever is no JSON with a `result` is tried again. 403 may be an ACL, a business rule
//! or a data policy, whose text is shown; 404 may be an ACL, too. State and close code are per instance. A record that is
//! closed for good (not active) cannot be opened again.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::config::sinks::servicenow::{Servicenow, ServicenowLogin};
use crate::sink::client::{Answer, Method, NoAnswer};
use crate::sink::limits::{SERVICENOW_SHORT, SERVICENOW_TEXT};
use crate::sink::ticket::exchange::{self, Failure, Login, Speaker, segment, unexpected};
use crate::sink::ticket::words::Words;
use crate::sink::ticket::{Created, Draft, Found, Ticket, Tickets, Tracker};
use crate::sink::{DeliveryVerdict, Parts, Sink, escape, verdict};
use crate::units::{Length, Timestamp};

/// Our wait where a limit says nothing.
const LIMITED: Length = Length::from_seconds(60);
/// Below the limits by hour that instances set.
const PACE: Length = Length::from_seconds(1);
/// One database; reads may go to a copy.
const SETTLES: Length = Length::from_seconds(15);
/// In progress, in the incident table as it is delivered.
const IN_PROGRESS: &str = "2";

/// One table.
#[derive(Debug)]
pub struct Tracked {
    speaker: Speaker,
    config: Servicenow,
}

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(config: &Servicenow, parts: &Parts<'_>) -> Result<Sink, String> {
    let login = match &config.login {
        ServicenowLogin::Basic { user, password } => Login::Basic(user.clone(), password.clone()),
        ServicenowLogin::Token(token) => Login::Bearer(token.clone()),
    };
    let headers = vec![("accept", "application/json".to_owned())];
    let speaker = Speaker::new(&config.url, login, headers, parts)?;
    Ok(Tickets::sink(Tracked { speaker, config: config.clone() }, parts))
}

/// The `result` of an answer, or what the answer comes to; pure.
///
/// # Errors
/// Where it is no success, or nothing that the Table API would say.
pub fn judge(exchange: Result<Answer, NoAnswer>, now: Timestamp) -> Result<Value, Failure> {
    if let Ok(answer) = &exchange
        && answer.status == 429
    {
        return Err(Failure::new(DeliveryVerdict::Retry(Some(limited(answer, now))), verdict::shown(answer)));
    }
    let answer = exchange::judge(exchange, now)?;
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    match body.and_then(|mut body| body.get_mut("result").map(Value::take)) {
        Some(result) => Ok(result),
        // Made, and the answer is torn.
        None if answer.status == 201 => Err(unexpected(&answer, "result")),
        None => {
            let message = format!("{} (not the Table API: the instance may sleep)", verdict::shown(&answer));
            Err(Failure::new(DeliveryVerdict::Retry(None), message))
        }
    }
}

fn limited(answer: &Answer, now: Timestamp) -> Length {
    let reset = answer.header("x-ratelimit-reset").and_then(|text| text.parse().ok()).map(Timestamp::from_seconds);
    let told = verdict::retry_after(answer, now);
    told.or_else(|| reset.map(|reset| verdict::until(reset, answer, now))).unwrap_or(LIMITED)
}

/// The body that makes a record; pure.
#[must_use]
pub fn created(draft: &Draft, config: &Servicenow) -> Value {
    let mut fields = Map::new();
    fields.insert("urgency".to_owned(), json!(draft.urgency.to_string()));
    fields.insert("short_description".to_owned(), json!(SERVICENOW_SHORT.cut(&draft.title)));
    fields.insert("description".to_owned(), json!(text(&draft.words)));
    fields.extend(config.fields.iter().map(|(name, value)| (name.clone(), json!(value))));
    fields.insert("correlation_id".to_owned(), json!(draft.label));
    Value::Object(fields)
}

/// The body of a work note; pure.
#[must_use]
pub fn commented(words: &Words) -> Value {
    json!({"work_notes": text(words)})
}

/// The body that closes a record; pure.
#[must_use]
pub fn closed(words: &Words, config: &Servicenow) -> Value {
    json!({
        "state": config.close_state.to_string(),
        "close_code": config.close_code,
        "close_notes": text(words),
    })
}

/// Plain text within its limit. `[code]` would make HTML of what follows in a journal.
#[must_use]
pub fn text(words: &Words) -> String {
    let words = words.within(&SERVICENOW_TEXT, 10, 5, inert);
    let mut parts = Vec::new();
    if !words.lead.is_empty() {
        parts.push(words.lead.join(" "));
    }
    parts.push(words.card);
    if !words.links.is_empty() {
        let line = |(name, url): &(String, String)| format!("{}: {}", inert(name), inert(url));
        parts.push(words.links.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    parts.extend(words.foot);
    SERVICENOW_TEXT.cut(&parts.join("\n\n"))
}

fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    let mut after_bracket = false;
    for character in text.chars() {
        if after_bracket && matches!(character, 'c' | 'C' | '/') {
            inert.push('\u{200b}');
        }
        inert.push(character);
        after_bracket = character == '[';
    }
    inert
}

impl Tracked {
    async fn ask(&self, method: Method, rest: &str, body: Option<&Value>, now: Timestamp) -> Result<Value, Failure> {
        let path = format!("/api/now/table/{}{rest}", self.config.table);
        judge(self.speaker.ask(method, &path, body).await, now)
    }

    async fn read(&self, id: &str, now: Timestamp) -> Result<Value, Failure> {
        self.ask(Method::Get, &format!("/{}?sysparm_fields=sys_id,state,active", segment(id)), None, now).await
    }

    async fn change(&self, id: &str, body: &Value, now: Timestamp) -> Result<(), Failure> {
        self.ask(Method::Patch, &format!("/{}", segment(id)), Some(body), now).await.map(drop)
    }

    fn ticket(&self, record: &Value) -> Option<Ticket> {
        let id = record.get("sys_id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
        let url = format!("{}/{}.do?sys_id={}", self.config.url, self.config.table, segment(&id));
        Some(Ticket { id, url })
    }

    fn is_open_record(&self, record: &Value) -> bool {
        is_active(record) && record.get("state").and_then(Value::as_str) != Some(&self.config.close_state.to_string())
    }
}

/// Everything in a record is text.
fn is_active(record: &Value) -> bool {
    record.get("active").and_then(Value::as_str) != Some("false")
}

#[async_trait]
impl Tracker for Tracked {
    fn destination(&self) -> String {
        format!("servicenow {}", self.speaker.host())
    }

    fn pace(&self) -> Length {
        PACE
    }

    fn settles(&self) -> Length {
        SETTLES
    }

    async fn find(&self, label: &str, now: Timestamp) -> Result<Option<Found>, Failure> {
        let query = format!("correlation_id={}^ORDERBYDESCsys_created_on", escape::servicenow_query(label));
        let fields = "sysparm_limit=10&sysparm_fields=sys_id,state,active";
        let result = self.ask(Method::Get, &format!("?sysparm_query={}&{fields}", segment(&query)), None, now).await?;
        let records = result.as_array().map(Vec::as_slice).unwrap_or_default();
        let found = records
            .iter()
            .filter_map(|record| Some(Found { ticket: self.ticket(record)?, open: self.is_open_record(record) }));
        Ok(found.max_by_key(|found| found.open))
    }

    async fn create(&self, draft: &Draft, now: Timestamp) -> Result<Created, Failure> {
        let record = self.ask(Method::Post, "", Some(&created(draft, &self.config)), now).await?;
        let nameless = || Failure::new(DeliveryVerdict::Ambiguous, "a record was made, and no `sys_id` is told");
        let ticket = self.ticket(&record).ok_or_else(nameless)?;
        Ok(Created { ticket, warning: None })
    }

    async fn is_open(&self, id: &str, now: Timestamp) -> Result<bool, Failure> {
        Ok(self.is_open_record(&self.read(id, now).await?))
    }

    async fn comment(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.change(id, &commented(words), now).await
    }

    async fn reopen(&self, id: &str, now: Timestamp) -> Result<(), Failure> {
        if !is_active(&self.read(id, now).await?) {
            return Err(Failure::new(DeliveryVerdict::Refused, "the record is closed for good"));
        }
        self.change(id, &json!({"state": IN_PROGRESS}), now).await
    }

    async fn close(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure> {
        self.change(id, &closed(words, &self.config), now).await
    }

    fn shows_draft(&self, draft: &Draft) -> (String, Value) {
        (self.speaker.url(&format!("/api/now/table/{}", self.config.table)), created(draft, &self.config))
    }

    fn shows_comment(&self, words: &Words) -> Value {
        commented(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn judged(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Value, DeliveryVerdict> {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let answer = Answer { status, headers, body: body.to_owned(), ..Answer::default() };
        judge(Ok(answer), NOW).map_err(|failure| failure.verdict)
    }

    #[test]
    fn every_answer_has_its_verdict() {
        let wait = |seconds| Err(DeliveryVerdict::Retry(Some(Length::from_seconds(seconds))));
        assert_eq!(judged(201, &[], r#"{"result":{"sys_id":"a1"}}"#), Ok(json!({"sys_id": "a1"})));
        assert_eq!(judged(200, &[], "<html>Instance Hibernating</html>"), Err(DeliveryVerdict::Retry(None)));
        assert_eq!(judged(201, &[], r#"{"result":{"sys"#), Err(DeliveryVerdict::Ambiguous));
        let policy =
            r#"{"error":{"message":"Operation Failed","detail":"Data Policy Exception: Caller is mandatory"}}"#;
        assert_eq!(judged(403, &[], policy), Err(DeliveryVerdict::Misconfigured));
        assert_eq!(judged(404, &[], r#"{"error":{"message":"No Record found"}}"#), Err(DeliveryVerdict::Misconfigured));
        assert_eq!(judged(429, &[("x-ratelimit-reset", "1795230300")], ""), wait(300));
        assert_eq!(judged(429, &[], ""), wait(60));
        assert_eq!(judged(400, &[], ""), Err(DeliveryVerdict::Refused));
        assert_eq!(judged(500, &[], ""), Err(DeliveryVerdict::Ambiguous));
    }

    #[test]
    fn journals_make_no_html_of_what_others_write() {
        let words = Words { card: "[PAGE] [code]<b>[/CODE] ".to_owned() + &"x".repeat(9_000), ..Words::default() };
        let text = text(&words);
        assert!(text.starts_with("[PAGE] [\u{200b}code]<b>[\u{200b}/CODE] xxx") && SERVICENOW_TEXT.fits(&text));
    }
}
