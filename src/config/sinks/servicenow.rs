//! `{type: servicenow}`: `ServiceNow` incidents.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// `ServiceNow` incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servicenow {}

impl Servicenow {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Servicenow> {
    not_built(reader, node, "servicenow");
    None
}
