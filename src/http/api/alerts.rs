//! `/api/v1/alerts`: what fires and fired.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use crate::http::api::outbox::Outbox;
use crate::http::api::{page, people};
use crate::http::app::App;
use crate::http::dto::alert::Alert;
use crate::http::dto::case::Case;
use crate::http::dto::list::List;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::listing;
use crate::http::query::Parameters;
use crate::policy::alert::Alert as PolicyAlert;
use crate::policy::desk::found::DigestFound;
use crate::store::{AlertFilter, RecordKind};

/// Rows read from the store for one answer. Older ones are reached by narrower filters: paging through years of rows
/// is not what an API for people and dashboards is for.
const ROWS_MOST: usize = 10_000;

/// States of an alert that can be asked for.
pub const ALERT_STATES: [&str; 3] = ["pending", "firing", "resolved"];

/// What stands behind an alert's id for everything about it.
const BUNDLE: &str = "/bundle";

/// As written.
pub const SEVERITIES: [&str; 3] = ["page", "ticket", "notice"];

/// Alerts in any of these states (all where there are none), newest first.
pub async fn find(app: &App, states: &[&str], filter: &AlertFilter) -> Result<Vec<PolicyAlert>, ApiError> {
    if states.is_empty() {
        return Ok(app.service.alerts(filter, ROWS_MOST).await?);
    }
    let mut alerts = Vec::new();
    for state in states {
        let filter = AlertFilter { state: Some((*state).to_owned()), ..filter.clone() };
        alerts.extend(app.service.alerts(&filter, ROWS_MOST).await?);
    }
    if states.len() > 1 {
        alerts.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| a.id.cmp(&b.id)));
    }
    Ok(alerts)
}

/// These alerts as they stand now.
pub async fn as_of_now(app: &App, mut alerts: Vec<PolicyAlert>) -> Result<Vec<PolicyAlert>, ApiError> {
    app.compute(move |service| {
        service.show_as_of_now(&mut alerts);
        alerts
    })
    .await
}

/// Alerts with the deliveries that came of them, and what people said.
pub async fn with_deliveries(app: &App, alerts: &[PolicyAlert]) -> Result<Vec<Alert>, ApiError> {
    let sinks = if alerts.is_empty() { Vec::new() } else { app.service.sinks().await? };
    let mut outbox = Outbox::new(app);
    let mut shown = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let case = case_of(app, &alert.id).await?;
        shown.push(Alert::new(alert, &outbox.of(&alert.id, &case).await?, &case, &sinks));
    }
    Ok(shown)
}

/// What became of an alert among people and receivers; nothing where nobody did anything yet.
pub async fn case_of(app: &App, alert: &str) -> Result<Case, ApiError> {
    let record = app.service.record(RecordKind::Case, alert).await?;
    Ok(record.and_then(|record| record.text).map_or_else(Case::default, |text| Case::read(&text)))
}

/// One alert, as shown.
///
/// # Errors
/// 404 where there is none.
pub async fn shown(app: &App, id: &str) -> Result<Alert, ApiError> {
    let Some(alert) = app.service.alert(id).await? else {
        return Err(match app.service.digest(id).await {
            Some(digest) => several(&digest),
            None => unknown(id),
        });
    };
    with_deliveries(app, &[alert]).await?.pop().ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found("unknown_alert", format!("there is no alert `{id}`; `/api/v1/alerts` lists those there are"))
        .with_detail(json!({"alert": id}))
}

/// Several alerts have one message, and no alert of its id.
fn several(digest: &DigestFound) -> ApiError {
    let members: Vec<&str> = digest.members.iter().map(|member| member.alert_id.as_str()).collect();
    let message = format!("{}; `/ack` takes all of them on", digest.one_by_one());
    ApiError::not_found("unknown_alert", message).with_detail(json!({"alert": digest.alert_id, "members": members}))
}

/// Alerts, newest first; at most the newest 10,000 that match.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "alerts",
    params(
        ("state" = Option<String>, Query, description = "one state or several with commas between: pending firing resolved"),
        ("severity" = Option<String>, Query, description = "page, ticket or notice"),
        ("slo" = Option<String>, Query, description = "an SLO, one of its instances, or `source/NAME`"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Alert>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<List<Alert>>, ApiError> {
    let parameters = Parameters::strict(&uri, &["state", "severity", "slo", "limit", "cursor"])?;
    let states = parameters.choices("state", &ALERT_STATES)?;
    let filter = AlertFilter {
        state: None,
        severity: parameters.choice("severity", &SEVERITIES)?.map(str::to_owned),
        slo: parameters.one("slo")?.map(str::to_owned),
    };
    let (limit, cursor) = page(&parameters)?;
    let alerts = find(&app, &states, &filter).await?;
    let total = alerts.len();
    let (alerts, next) = listing::part(alerts, |alert| alert.id.clone(), cursor.as_ref(), limit);
    let alerts = as_of_now(&app, alerts).await?;
    Ok(Json(List {
        items: with_deliveries(&app, &alerts).await?,
        next_cursor: next.map(|cursor| cursor.write()),
        total,
        as_of: app.as_of(),
    }))
}

/// One alert. Its id holds slashes, braces and quotes: as it is, or URL-encoded.
#[utoipa::path(
    get, path = "/api/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "the alert's id, URL-encoded or with its slashes as they are")),
    responses(
        (status = 200, description = "the alert", body = Alert),
        (status = 404, description = "no such alert; of a digest it names its alerts", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn one(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Result<Response, ApiError> {
    if let Some(alert) = id.strip_suffix(BUNDLE) {
        return people::bundle(&app, alert, &uri).await;
    }
    Parameters::strict(&uri, &[])?;
    Ok(Json(shown(&app, &id).await?).into_response())
}
