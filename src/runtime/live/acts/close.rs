//! An alert whose data will not come back is ended.

use crate::policy::act::Actor;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What ending it changes.
pub(super) async fn prepare(
    _live: &Live,
    _alert: &str,
    _note: Option<&str>,
    _by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}
