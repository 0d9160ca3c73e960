//! A file's content, handed in by whoever may read files.

use std::borrow::Cow;
use std::sync::Arc;

/// One file as read, not looked at yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// The file as it was named, `-` for standard input.
    pub file: Arc<str>,
    /// Its content; anything.
    pub bytes: Arc<[u8]>,
    /// Whether the user named this very file, rather than a folder that holds it.
    pub named: bool,
}

impl SourceText {
    /// A file that the user named.
    #[must_use]
    pub fn named(file: &str, content: impl AsRef<[u8]>) -> Self {
        Self { file: file.into(), bytes: content.as_ref().into(), named: true }
    }

    /// A file found in a folder.
    #[must_use]
    pub fn found(file: &str, content: impl AsRef<[u8]>) -> Self {
        Self { named: false, ..Self::named(file, content) }
    }

    /// The text, for excerpts; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}
