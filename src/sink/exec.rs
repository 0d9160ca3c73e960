//! A program that is started for each notification.

use crate::config::sinks::exec::Exec;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Exec, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `exec` are not built yet".to_owned())
}
