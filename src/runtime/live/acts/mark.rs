//! A service was deployed.

use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What saying so changes.
pub(super) async fn prepare(
    _live: &Live,
    _service: &str,
    _version: &str,
    _at: Timestamp,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}
