//! Somebody says what an alert was worth.

use crate::policy::act::{Actor, AlertVerdict};
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What saying so changes.
pub(super) async fn prepare(
    _live: &Live,
    _alert: &str,
    _verdict: AlertVerdict,
    _by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}
