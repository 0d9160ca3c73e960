//! `{type: file}`: A file, one JSON object a line.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::yaml::{NodeId, Reader, Written};

/// A file, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is, or will be; its folder has to be there.
    pub path: PathBuf,
}

impl File {
    /// Every secret that it names.
    #[must_use]
    pub const fn secrets(&self) -> Vec<&SecretRef> {
        Vec::new()
    }
}

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    path: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<File> {
    let item: Item = reader.decode(node)?;
    let Some(path) = item.path.filter(|path| !path.is_empty()) else {
        reader.missing(node, "path", "the file to append to");
        return None;
    };
    Some(File { path: folder.join(path) })
}
