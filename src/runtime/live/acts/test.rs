//! A marked message goes to one sink.

use crate::policy::act::Actor;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// What sending it changes.
pub(super) async fn prepare(
    _live: &Live,
    _sink: &str,
    _severity: AlertSeverity,
    _by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}
