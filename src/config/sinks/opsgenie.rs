//! `{type: opsgenie}`: Opsgenie, and Jira Service Management behind the same requests.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// Opsgenie, and Jira Service Management behind the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opsgenie {}

impl Opsgenie {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Opsgenie> {
    not_built(reader, node, "opsgenie");
    None
}
