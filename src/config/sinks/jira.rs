//! `{type: jira}`: Jira issues, Cloud and Data Center.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// Jira issues, Cloud and Data Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jira {}

impl Jira {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Jira> {
    not_built(reader, node, "jira");
    None
}
