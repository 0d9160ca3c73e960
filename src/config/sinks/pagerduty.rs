//! `{type: pagerduty}`: PagerDuty, Events API v2.

use std::path::Path;

use crate::config::meant::SecretRef;
use crate::config::sinks::not_built;
use crate::yaml::{NodeId, Reader};

/// PagerDuty, Events API v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pagerduty {}

impl Pagerduty {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, _folder: &Path) -> Option<Pagerduty> {
    not_built(reader, node, "pagerduty");
    None
}
