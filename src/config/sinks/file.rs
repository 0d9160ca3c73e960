//! `{type: file}`: A file, one JSON object a line.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// A file, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {}

impl File {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<File> {
    not_built(reader, node, "file");
    None
}
