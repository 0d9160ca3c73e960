//! `{type: exec}`: A program that is started for each notification.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// A program that is started for each notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {}

impl Exec {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Exec> {
    not_built(reader, node, "exec");
    None
}
