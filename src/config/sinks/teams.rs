//! `{type: teams}`: Microsoft Teams, a workflow with the trigger "When a Teams webhook request is received".

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::sinks::required_secret;
use crate::yaml::{NodeId, Reader, Written};

/// Microsoft Teams: a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teams {
    /// The whole address: its signature lets everybody write who has it.
    pub url: SecretRef,
}

impl Teams {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        vec![&self.url]
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "url", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Teams> {
    let _: Item = reader.decode(node)?;
    required_secret(reader, node, "url", folder).map(|url| Teams { url })
}
