//! A drill is begun.

use crate::policy::act::Actor;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, not_built};
use crate::runtime::service::ActError;
use crate::spec::policy::AlertSeverity;
use crate::units::{InstanceId, Timestamp};

/// What beginning it changes.
pub(super) async fn prepare(
    _live: &Live,
    _instance: &InstanceId,
    _severity: AlertSeverity,
    _by: &Actor,
    _now: Timestamp,
) -> Result<Prepared, ActError> {
    Err(not_built())
}
