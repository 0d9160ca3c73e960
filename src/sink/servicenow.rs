//! `ServiceNow` incidents.

use crate::config::sinks::servicenow::Servicenow;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Servicenow, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `servicenow` are not built yet".to_owned())
}
