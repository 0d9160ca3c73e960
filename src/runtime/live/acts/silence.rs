//! Silences are added, changed and expired.

use crate::policy::act::{Actor, SilenceDraft};
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What adding or changing one changes.
pub(super) async fn add(
    _live: &Live,
    _draft: &SilenceDraft,
    _by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}

/// What ending one now changes.
pub(super) async fn expire(_live: &Live, _silence: &str, _by: &Actor, _now: Timestamp) -> Result<Prepared, ActError> {
    Err(not_built())
}
