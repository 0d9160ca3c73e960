//! `/api/v1/deliveries`: the outbox, and what was given up put back into it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;

use crate::http::api::page;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::dto::delivery::Delivery;
use crate::http::dto::list::List;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::listing;
use crate::http::query::Parameters;
use crate::policy::act::Act;
use crate::store::{DeliveryFilter, DeliveryState};

/// Rows read from the store for one answer; older ones are reached by narrower filters.
const ROWS_MOST: usize = 10_000;

/// What follows the id of a delivery that is to be sent again.
const RESEND: &str = "/resend";

const STATES: [(&str, DeliveryState); 5] = [
    ("pending", DeliveryState::Pending),
    ("done", DeliveryState::Done),
    ("failed", DeliveryState::Failed),
    ("superseded", DeliveryState::Superseded),
    ("expired", DeliveryState::Expired),
];

/// The outbox, newest first; at most the newest 10,000 that match.
#[utoipa::path(
    get, path = "/api/v1/deliveries", tag = "alerts",
    params(
        ("state" = Option<String>, Query, description = "pending, done, failed, superseded or expired"),
        ("alert" = Option<String>, Query, description = "an alert's id"),
        ("sink" = Option<String>, Query, description = "name of a sink"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 5000, description = "most items of a part, 500 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before"),
    ),
    responses(
        (status = 200, description = "a part of the list", body = List<Delivery>),
        (status = 400, description = "a parameter that is not known or not allowed", body = ErrorBody),
        (status = 500, description = "the store failed", body = ErrorBody),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<List<Delivery>>, ApiError> {
    let parameters = Parameters::strict(&uri, &["state", "alert", "sink", "limit", "cursor"])?;
    let state = parameters.choice("state", &STATES.map(|(name, _)| name))?;
    let filter = DeliveryFilter {
        state: STATES.into_iter().find(|(name, _)| Some(*name) == state).map(|(_, state)| state),
        alert_id: parameters.one("alert")?.map(str::to_owned),
        sink: parameters.one("sink")?.map(str::to_owned),
    };
    let (limit, cursor) = page(&parameters)?;
    let found = app.service.deliveries(&filter, ROWS_MOST).await?;
    let total = found.len();
    let (found, next) = listing::part(found, |delivery| delivery.id.clone(), cursor.as_ref(), limit);
    Ok(Json(List {
        items: found.iter().map(Delivery::from).collect(),
        next_cursor: next.map(|cursor| cursor.write()),
        total,
        as_of: app.as_of(),
    }))
}

/// Puts a delivery that was given up back into the outbox, with its tries. The id holds slashes: as it is, or URL-encoded.
#[utoipa::path(
    post, path = "/api/v1/deliveries/{id}/resend", tag = "alerts",
    params(("id" = String, Path, description = "the delivery's id, URL-encoded or with its slashes as they are")),
    responses(
        (status = 200, description = "the delivery as it waits now", body = Delivery),
        (status = 403, description = "writes are open on loopback, or to a token with the role `operate`", body = ErrorBody),
        (status = 404, description = "no such delivery", body = ErrorBody),
        (status = 409, description = "it is done or waits, its alert is over, or its sink is gone", body = ErrorBody),
        (status = 503, description = "the store failed; nothing was done", body = ErrorBody),
    )
)]
pub async fn resend(
    State(app): State<App>,
    caller: Caller,
    Path(rest): Path<String>,
    body: Bytes,
) -> Result<Json<Delivery>, ApiError> {
    let unknown = |id: &str| ApiError::not_found("not_found", format!("there is no delivery `{id}`"));
    let id = rest.strip_suffix(RESEND).ok_or_else(|| {
        ApiError::not_found("not_found", "what is done to a delivery is `POST /api/v1/deliveries/{id}/resend`")
    })?;
    let by: Option<String> = serde_json::from_slice::<By>(&body).ok().and_then(|body| body.by);
    let acted = app.act(Act::Resend { delivery: id.to_owned() }, &caller.actor(by.as_deref())).await?;
    let found = app.service.delivery(&acted.id).await?.ok_or_else(|| unknown(&acted.id))?;
    Ok(Json(Delivery::from(&found)))
}

/// The body of a resend; it may be left out.
#[derive(serde::Deserialize)]
struct By {
    #[serde(default)]
    by: Option<String>,
}
