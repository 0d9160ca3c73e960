//! Microsoft Teams: a workflow.

use crate::config::sinks::teams::Teams;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Teams, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `teams` are not built yet".to_owned())
}
