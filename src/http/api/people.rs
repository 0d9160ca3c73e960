//! What people do with an alert: `/api/v1/alerts/{id}/ack`, `/close`, `/verdict`, `/bundle`, and `/api/v1/drills`.
//!
//! Ids hold slashes, so the router gives everything behind `/api/v1/alerts/`; what is asked for stands at its end. Answers
//! of acts are the alert as it is afterwards, or the alerts of a digest, with one sentence of what was done.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::http::api::alerts::{SEVERITIES, case_of, shown};
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dto::audit::Audited;
use crate::http::dto::bundle::{Answer, Bundle, DigestDone, Done, DrillWord, VerdictWord, Word};
use crate::http::dto::instance::Instance;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::markdown;
use crate::http::query::Parameters;
use crate::policy::act::{Act, Actor, AlertVerdict};
use crate::runtime::service::ActError;
use crate::spec::policy::AlertSeverity;
use crate::store::RecordKind;
use crate::units::InstanceId;

/// Addresses below an alert's: in the document, beside those of the router.
pub const BELOW_AN_ALERT: [&str; 4] = ["ack", "close", "verdict", "bundle"];

/// Longest note, in characters: a page of text.
const NOTE_LONGEST: usize = 2_000;

/// Entries of the audit that are looked through for one alert.
const ENTRIES: usize = 100_000;

const VERDICTS: [(&str, AlertVerdict); 3] =
    [("real", AlertVerdict::Real), ("noise", AlertVerdict::Noise), ("duplicate", AlertVerdict::Duplicate)];

type Body = Result<Bytes, BytesRejection>;

/// What is done to an alert, as the end of the address says.
pub async fn act(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Json<Answer>, ApiError> {
    Parameters::strict(&uri, &[])?;
    match id.rsplit_once('/') {
        Some((alert, "ack")) => ack(app, caller, alert, body).await,
        Some((alert, "close")) => close(app, caller, alert, body).await,
        Some((alert, "verdict")) => verdict(app, caller, alert, body).await,
        _ => Err(ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "an alert takes `/ack`, `/close` or `/verdict` behind its id",
        )),
    }
}

/// Takes an alert on: no escalation and no repeat from then on. The first one counts; a later one is told so. By the id
/// of a digest, all of its alerts.
#[utoipa::path(
    post, path = "/api/v1/alerts/{id}/ack", tag = "alerts",
    params(("id" = String, Path, description = "the alert's id, URL-encoded or with its slashes as they are")),
    request_body = Word,
    responses(
        (status = 200, description = "the alert, or the alerts of a digest, with `message`", body = Answer),
        (status = 400, description = "a body that is none", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "no such alert", body = ErrorBody),
        (status = 409, description = "it has ended, or only waits", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
async fn ack(app: App, caller: Caller, alert: &str, body: Body) -> Result<Json<Answer>, ApiError> {
    let word: Word = read_or_default(body)?;
    let note = note(word.note)?;
    done(&app, Act::Ack { alert: alert.to_owned(), note }, alert, &caller.actor(word.by.as_deref())).await
}

/// Ends an alert whose data will not come back. It starts again after a slice end without a match; one
/// that burns on also once its long window lies behind the close.
#[utoipa::path(
    post, path = "/api/v1/alerts/{id}/close", tag = "alerts",
    params(("id" = String, Path, description = "the alert's id, URL-encoded or with its slashes as they are")),
    request_body = Word,
    responses(
        (status = 200, description = "the alert, with `message`", body = Done),
        (status = 400, description = "a body that is none", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "no such alert", body = ErrorBody),
        (status = 409, description = "it has ended, only waits, or is a source's", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
async fn close(app: App, caller: Caller, alert: &str, body: Body) -> Result<Json<Answer>, ApiError> {
    let word: Word = read_or_default(body)?;
    let note = note(word.note)?;
    done(&app, Act::Close { alert: alert.to_owned(), note }, alert, &caller.actor(word.by.as_deref())).await
}

/// Says what an alert was worth: `real`, `noise` or `duplicate`. May be said again; the newest counts.
#[utoipa::path(
    post, path = "/api/v1/alerts/{id}/verdict", tag = "alerts",
    params(("id" = String, Path, description = "the alert's id, URL-encoded or with its slashes as they are")),
    request_body = VerdictWord,
    responses(
        (status = 200, description = "the alert, with `message`", body = Done),
        (status = 400, description = "a body or a verdict that is none", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "no such alert", body = ErrorBody),
        (status = 409, description = "it only waits, or is a drill", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
async fn verdict(app: App, caller: Caller, alert: &str, body: Body) -> Result<Json<Answer>, ApiError> {
    let word: VerdictWord = read(&bytes(body)?)?;
    let known = VERDICTS.into_iter().find(|(name, _)| *name == word.verdict);
    let (_, verdict) = known.ok_or_else(|| not_allowed("verdict", &word.verdict, &VERDICTS.map(|(name, _)| name)))?;
    done(&app, Act::Judge { alert: alert.to_owned(), verdict }, alert, &caller.actor(word.by.as_deref())).await
}

/// Plays an alert through the real routes, escalation and acknowledgement. It is marked, and ends by itself after 30 min.
#[utoipa::path(
    post, path = "/api/v1/drills", tag = "alerts",
    request_body = DrillWord,
    responses(
        (status = 200, description = "the drill's alert, with `message`", body = Done),
        (status = 400, description = "a body or severity that is none, or a group that is missing", body = ErrorBody),
        (status = 403, description = "writes are not open", body = ErrorBody),
        (status = 404, description = "no such SLO or group", body = ErrorBody),
        (status = 409, description = "nobody would be told, it runs in shadow, or a drill is under way", body = ErrorBody),
        (status = 503, description = "it could not be written, and was not done", body = ErrorBody),
    )
)]
pub async fn drill(State(app): State<App>, caller: Caller, uri: Uri, body: Body) -> Result<Json<Answer>, ApiError> {
    Parameters::strict(&uri, &[])?;
    let word: DrillWord = read(&bytes(body)?)?;
    let named = word.severity.as_deref().unwrap_or(AlertSeverity::Page.name());
    let known = [AlertSeverity::Page, AlertSeverity::Ticket, AlertSeverity::Notice];
    let severity = known.into_iter().find(|severity| severity.name() == named);
    let severity = severity.ok_or_else(|| not_allowed("severity", named, &SEVERITIES))?;
    let id: InstanceId = word.slo.parse().map_err(|_| {
        ApiError::not_found("unknown_slo", format!("`{}` is no SLO; `/api/v1/slos` lists those there are", word.slo))
            .with_detail(json!({"slo": word.slo}))
    })?;
    let group = word.group.or_else(|| (!id.group.is_empty()).then(|| id.group.to_string()));
    let instance = app.resolve(&id.slo.service, &id.slo.name, group.as_deref())?;
    let acted = app.act(Act::Drill { instance, severity }, &caller.actor(word.by.as_deref())).await?;
    Ok(Json(Answer::Alert(Box::new(Done {
        message: acted.message,
        changed: true,
        alert: shown(&app, &acted.id).await?,
    }))))
}

/// Everything about one alert: itself, its transitions, deliveries with every try, its case, what people did, and the
/// instance as it is now.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}/bundle", tag = "alerts",
    params(
        ("id" = String, Path, description = "the alert's id, URL-encoded or with its slashes as they are"),
        ("format" = Option<String>, Query, description = "`json`, the default, or `md`: Markdown for a review"),
    ),
    responses(
        (status = 200, description = "all of it", body = Bundle),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 404, description = "no such alert", body = ErrorBody),
    )
)]
pub async fn bundle(app: &App, alert: &str, uri: &Uri) -> Result<Response, ApiError> {
    let parameters = Parameters::strict(uri, &["format"])?;
    let format = parameters.choice("format", &["json", "md"])?;
    let shown = shown(app, alert).await?;
    let instance = shown.slo.parse::<InstanceId>().ok().and_then(|id| app.service.instance(&id));
    let bundle = Bundle {
        case: case_of(app, alert).await?,
        audit: audited(app, alert).await?,
        contact: instance.as_ref().and_then(|view| view.contact.clone()),
        links: instance.as_ref().map(|view| view.links.clone()).unwrap_or_default(),
        instance: instance.as_ref().map(Instance::from),
        made_at: app.service.now(),
        alert: shown,
    };
    if format == Some("md") {
        let headers = [(header::CONTENT_TYPE, "text/markdown; charset=utf-8")];
        return Ok((headers, markdown::bundle(&bundle)).into_response());
    }
    Ok(Json(bundle).into_response())
}

/// What people did to an alert, oldest first.
pub async fn audited(app: &App, alert: &str) -> Result<Vec<Audited>, ApiError> {
    let records = app.service.records(RecordKind::Audit, ENTRIES).await?;
    let entries = records.iter().filter_map(Audited::of);
    let mut about: Vec<Audited> = entries.filter(|entry| entry.object == alert).collect();
    about.reverse();
    Ok(about)
}

/// What was done is never answered as missing: several alerts that are told as one have no alert of their id.
async fn done(app: &App, act: Act, alert: &str, by: &Actor) -> Result<Json<Answer>, ApiError> {
    let acted = app.act(act, by).await.map_err(|error| match error {
        ActError::NotFound(message) => {
            ApiError::not_found("unknown_alert", message).with_detail(json!({"alert": alert}))
        }
        other => other.into(),
    })?;
    if app.service.alert(alert).await?.is_some() {
        let done = Done { message: acted.message, changed: !acted.unchanged, alert: shown(app, alert).await? };
        return Ok(Json(Answer::Alert(Box::new(done))));
    }
    let nothing =
        || DigestDone { message: String::new(), changed: true, id: alert.to_owned(), acked: None, members: Vec::new() };
    let members = app.service.digest(alert).await.as_ref().map_or_else(nothing, DigestDone::from);
    Ok(Json(Answer::Digest(DigestDone { message: acted.message, changed: !acted.unchanged, ..members })))
}

fn bytes(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| ApiError::new(rejection.status(), "bad_body", rejection.body_text().to_lowercase()))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let unread = |error: serde_json::Error| {
        ApiError::bad_request("bad_body", format!("the body is not the JSON object that is wanted: {error}"))
    };
    // An object: a list would be taken as its values in order.
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(unread)?;
    serde_json::from_value(Value::Object(object)).map_err(unread)
}

/// Without a body nothing is said.
fn read_or_default<T: DeserializeOwned + Default>(body: Body) -> Result<T, ApiError> {
    let body = bytes(body)?;
    if body.is_empty() { Ok(T::default()) } else { read(&body) }
}

/// Without what terminals and pages would take for commands.
fn note(note: Option<String>) -> Result<Option<String>, ApiError> {
    let Some(note) = note else { return Ok(None) };
    if note.chars().count() > NOTE_LONGEST {
        let message = format!("`note` is longer than {NOTE_LONGEST} characters; link to what is longer");
        return Err(ApiError::bad_request("bad_body", message));
    }
    let note = note.replace(char::is_control, " ").trim().to_owned();
    Ok((!note.is_empty()).then_some(note))
}

fn not_allowed(name: &str, value: &str, allowed: &[&str]) -> ApiError {
    let message = format!("`{name}` is `{value}`; allowed are `{}`", allowed.join("`, `"));
    ApiError::bad_request("bad_body", message).with_detail(json!({"key": name, "allowed": allowed}))
}
