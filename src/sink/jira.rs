//! Jira issues, Cloud and Data Center.

use crate::config::sinks::jira::Jira;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Jira, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `jira` are not built yet".to_owned())
}
