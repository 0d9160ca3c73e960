//! GitHub issues.

use crate::config::sinks::github::Github;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Github, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `github` are not built yet".to_owned())
}
