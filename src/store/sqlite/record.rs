//! Alerts and notifications as JSON with the version of their shape.
//!
//! A new field with a default keeps the version; anything else raises it, and the older shape stays readable here.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::policy::alert::Alert;
use crate::policy::notification::Notification;
use crate::store::sqlite::failure::Failure;

/// The shape that is written.
pub(super) const SHAPE: i64 = 1;

/// The text that is stored.
pub(super) fn encode(what: &str, id: &str, value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|why| Failure::Record(format!("{what} `{id}` cannot be written: {why}")))
}

/// An alert from the columns `id`, `shape`, `record`.
pub(super) fn alert(row: &Row<'_>) -> Result<Alert, Failure> {
    decode("alert", row)
}

/// A notification from the columns `id`, `shape`, `record`.
pub(super) fn notification(row: &Row<'_>) -> Result<Notification, Failure> {
    decode("delivery", row)
}

fn decode<T: DeserializeOwned>(what: &str, row: &Row<'_>) -> Result<T, Failure> {
    let id: String = row.get("id")?;
    let shape: i64 = row.get("shape")?;
    if shape != SHAPE {
        return Err(Failure::Record(format!("{what} `{id}` has shape {shape}, this version knows {SHAPE}")));
    }
    let text = row.get_ref("record")?.as_str().map_err(|why| Failure::Record(format!("{what} `{id}`: {why}")))?;
    serde_json::from_str(text).map_err(|why| Failure::Record(format!("{what} `{id}` cannot be read: {why}")))
}
