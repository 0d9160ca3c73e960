//! The dashboard: pages for people, rendered here, without any script.
//!
//! Every page is a function of views, a clock reading and a prefix, so it can be looked at in a test. Nothing is told
//! by colour alone; every page works at 390 px, in light and dark, and with 100,000 instances, by parts. Texts of users
//! are escaped by maud; an address of a user becomes a link only where it is http or https.

pub mod act;
pub mod alert;
pub mod alerts;
pub mod deliveries;
pub mod detail;
pub mod format;
pub mod forms;
pub mod health;
pub mod layout;
pub mod link;
pub mod overview;
pub mod plot;
pub mod silences;
pub mod sinks;
pub mod tiers;

use axum::http::header;
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("style.css");

/// The style sheet: the same for every page of a build.
pub async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    (headers, STYLE).into_response()
}
