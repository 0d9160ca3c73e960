//! GitLab issues.

use crate::config::sinks::gitlab::Gitlab;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Gitlab, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `gitlab` are not built yet".to_owned())
}
