//! The handlers of `/api/v1`, `/-/` and `/metrics`, one file a subject. Each reads parameters, asks the service, and
//! makes the objects of `http::dto`; nothing is worked out here.

pub mod alerts;
pub mod audit;
pub mod deliveries;
pub mod hooks;
pub mod metrics;
pub mod operations;
pub mod outbox;
pub mod parts;
pub mod people;
pub mod silences;
pub mod sink_test;
pub mod slos;

use crate::http::error::ApiError;
use crate::http::listing::Cursor;
use crate::http::query::{Parameters, bad};

/// Items of a part where `limit` is not said: all of most installations.
const LIMIT_DEFAULT: usize = 500;

/// Most items of a part: at about 1.5 KB each this is 7 MB.
const LIMIT_MOST: usize = 5_000;

/// The part of a list that is asked for.
fn page(parameters: &Parameters) -> Result<(usize, Option<Cursor>), ApiError> {
    let limit = parameters.number("limit", &(1..=LIMIT_MOST), LIMIT_DEFAULT)?;
    let cursor = match parameters.one("cursor")? {
        None => None,
        Some(text) => Some(Cursor::read(text).ok_or_else(|| {
            bad("cursor", "`cursor` is none that was given out; leave it out to begin at the first item")
        })?),
    };
    Ok((limit, cursor))
}
