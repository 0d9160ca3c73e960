//! What people said of an alert, in the record that the desk keeps of it (kind `case`).
//!
//! Read leniently and changed field by field: what else stands in a record is the desk's, and stays as it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::policy::act::{Ack, AlertVerdict};
use crate::store::{Record, RecordKind, Store, StoreError};
use crate::units::Timestamp;

/// Version of the record.
const VERSION: u32 = 1;

/// What people said of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who took it on.
    #[serde(default)]
    pub acked: Option<Ack>,
    /// What it was worth.
    #[serde(default)]
    pub verdict: Option<AlertVerdict>,
    /// Who said so.
    #[serde(default)]
    pub verdict_by: Option<String>,
    /// It is a drill.
    #[serde(default)]
    pub drill: bool,
}

/// What was said of an alert so far.
///
/// # Errors
/// As the store's.
pub async fn said(store: &dyn Store, alert: &str) -> Result<Said, StoreError> {
    let text = store.record(RecordKind::Case, alert).await?.and_then(|record| record.text);
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// The record of an alert with `said` in it.
///
/// # Errors
/// As the store's.
pub async fn with(store: &dyn Store, alert: &str, said: &Said, now: Timestamp) -> Result<Record, StoreError> {
    let known = store.record(RecordKind::Case, alert).await?;
    let at = known.as_ref().map_or(now, |record| record.at);
    let known = known.and_then(|record| serde_json::from_str::<Map<String, Value>>(&record.text?).ok());
    let mut case = known.unwrap_or_else(|| {
        Map::from_iter([("version".to_owned(), json!(VERSION)), ("alert_id".to_owned(), json!(alert))])
    });
    if let Ok(Value::Object(said)) = serde_json::to_value(said) {
        case.extend(said);
    }
    Ok(Record { kind: RecordKind::Case, id: alert.to_owned(), at, text: Some(Value::Object(case).to_string()) })
}
