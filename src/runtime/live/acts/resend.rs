//! A delivery that was given up goes back into the outbox.

use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What putting it back changes.
pub(super) async fn prepare(_live: &Live, _delivery: &str, _now: Timestamp) -> Result<Prepared, ActError> {
    Err(not_built())
}
