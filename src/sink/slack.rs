//! Slack: an incoming webhook, or a bot.

use crate::config::sinks::slack::Slack;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Slack, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `slack` are not built yet".to_owned())
}
