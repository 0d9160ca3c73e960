//! `{type: slack}`: Slack: an incoming webhook, or a bot.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// Slack: an incoming webhook, or a bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slack {}

impl Slack {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Slack> {
    not_built(reader, node, "slack");
    None
}
