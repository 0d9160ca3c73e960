//! The durable form of an instance's alert state: versioned JSON, so that a restart goes on with the same alerts.
//!
//! One record an instance that is not quiet. Figures survive to the last bit (JSON numbers are read back exactly).
//! Invariant: what is read equals what was written, or is an error that says which record and why; nothing is guessed.

use serde::{Deserialize, Serialize};

use crate::policy::alert::AlertState;
use crate::policy::instance::InstanceState;
use crate::units::{InstanceId, Labels, SloId};

/// The version that this program writes and the only one that it reads.
pub const VERSION: u32 = 1;

/// A record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reading the alert state of `{instance}` from the store: {problem}")]
pub struct StateError {
    /// The record's key.
    pub instance: String,
    /// What is wrong, with the remedy.
    pub problem: String,
}

/// What stands in every version.
#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    slo: &'a SloId,
    group: &'a Labels,
    state: &'a InstanceState,
}

#[derive(Deserialize)]
struct Read {
    slo: SloId,
    group: Labels,
    state: InstanceState,
}

/// The record of an instance.
///
/// # Errors
/// Where a figure is no JSON number (infinite), which verdicts never hold.
pub fn write(id: &InstanceId, state: &InstanceState) -> Result<String, StateError> {
    let record = Written { version: VERSION, slo: &id.slo, group: &id.group, state };
    serde_json::to_string(&record).map_err(|error| StateError { instance: id.to_string(), problem: error.to_string() })
}

/// Reads the record stored under `key`.
///
/// # Errors
/// Where it has another version, is no such record, or contradicts itself.
pub fn read(key: &str, record: &str) -> Result<(InstanceId, InstanceState), StateError> {
    let error = |problem: String| StateError { instance: key.to_owned(), problem };
    let broken =
        |cause: serde_json::Error| error(format!("the record is damaged ({cause}); restore the store from a backup"));
    let header: Header = serde_json::from_str(record).map_err(broken)?;
    if header.version != VERSION {
        let found = header.version;
        return Err(error(format!(
            "the record has version {found} and this program reads version {VERSION}; use the program that wrote it, or a newer one"
        )));
    }
    let read: Read = serde_json::from_str(record).map_err(broken)?;
    let fires = read.state.alerts.iter().any(|alert| alert.state == AlertState::Firing);
    if fires && read.state.episode.is_none() {
        return Err(error("an alert fires outside of any episode; restore the store from a backup".to_owned()));
    }
    Ok((InstanceId { slo: read.slo, group: read.group }, read.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> InstanceId {
        InstanceId { slo: SloId::new("checkout", "availability"), group: Labels::from([("region", "eu")]) }
    }

    #[test]
    fn a_record_reads_back_as_it_was() {
        let record = write(&id(), &InstanceState::default()).unwrap();
        assert_eq!(read("k", &record).unwrap(), (id(), InstanceState::default()));
    }

    #[test]
    fn what_cannot_be_read_says_which_record_and_why() {
        let newer = write(&id(), &InstanceState::default()).unwrap().replace("\"version\":1", "\"version\":7");
        assert_eq!(
            read("checkout/availability", &newer).unwrap_err().to_string(),
            "reading the alert state of `checkout/availability` from the store: the record has version 7 and this program \
             reads version 1; use the program that wrote it, or a newer one"
        );
        for damaged in ["", "{}", "[]", "{\"version\":1}", "{\"version\":1,\"slo\":\"a/b\",\"group\":{},\"state\":3}"] {
            let error = read("checkout/availability", damaged).unwrap_err();
            assert!(error.to_string().contains("the record is damaged"), "{damaged}: {error}");
        }
    }
}
