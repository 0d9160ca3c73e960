//! `{type: github}`: GitHub issues.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// GitHub issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Github {}

impl Github {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Github> {
    not_built(reader, node, "github");
    None
}
