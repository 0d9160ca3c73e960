//! E-mail by SMTP.

use crate::config::sinks::email::Email;
use crate::sink::{Parts, Sink};

/// Makes one from its configuration; fails where a secret is missing or an address is none.
pub fn build(_config: &Email, _parts: &Parts<'_>) -> Result<Sink, String> {
    Err("sinks of type `email` are not built yet".to_owned())
}
