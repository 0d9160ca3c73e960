//! `/api/v1/audit`: who did what.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use crate::http::api::page;
use crate::http::app::App;
use crate::http::dto::audit::Audited;
use crate::http::dto::list::List;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::listing;
use crate::http::query::Parameters;
use crate::store::RecordKind;

/// Entries read for one answer. What is older is reached by nobody through here; it stays in the store.
const ROWS_MOST: usize = 10_000;

/// Every act that was done, newest first; at most the newest 10,000. What failed or was refused has no entry.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "parts",
    params(
        ("actor" = Option<String>, Query, description = "exact name of a token or person"),
        ("action" = Option<String>, Query, description = "ack unack close verdict silence.add silence.change silence.expire mark drill resend test reload"),
        ("object" = Option<String>, Query, description = "exact id of what was changed"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Audited>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<List<Audited>>, ApiError> {
    let parameters = Parameters::strict(&uri, &["actor", "action", "object", "limit", "cursor"])?;
    let (actor, action, object) = (parameters.one("actor")?, parameters.one("action")?, parameters.one("object")?);
    let (limit, cursor) = page(&parameters)?;
    let mut found = newest(&app, ROWS_MOST).await?;
    found.retain(|entry| {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        is(actor, &entry.actor) && is(action, &entry.action) && is(object, &entry.object)
    });
    let total = found.len();
    let (items, next) = listing::part(found, |entry| entry.id.clone(), cursor.as_ref(), limit);
    Ok(Json(List { items, next_cursor: next.map(|cursor| cursor.write()), total, as_of: app.as_of() }))
}

/// The newest entries.
pub async fn newest(app: &App, limit: usize) -> Result<Vec<Audited>, ApiError> {
    let records = app.service.records(RecordKind::Audit, limit).await?;
    Ok(records.iter().filter_map(Audited::of).collect())
}
