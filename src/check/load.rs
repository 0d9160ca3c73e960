//! From source texts to everything that they mean: the one entry point of `slo check` and of a service's reload.
//!
//! Pure: files are read by whoever may, their texts come in. Everything wrong is found in one run; what could be
//! understood comes along even where other things could not, so that lints can speak about it. Lints are not here.
//! Invariant: where no finding is an error, the SLOs, policies and configuration are complete and fit each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::meant::Config;
use crate::diag::{Diagnostic, Place, Severity};
use crate::spec::meant::Slo;
use crate::spec::policy::Policy;
use crate::units::SloId;
use crate::yaml::{Document, NodeId, SourceText};

/// Where something stands: a document of [`Loaded::documents`], and the path of the thing within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index into [`Loaded::documents`].
    pub document: usize,
    /// Path of the item, such as `/slos/0`.
    pub path: String,
}

/// Everything that the files say.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The SLOs that could be understood, ascending by id.
    pub slos: Vec<Arc<Slo>>,
    /// The policies by name, the embedded presets among them.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The configuration, every default applied, if a `config/v1` document was among the texts.
    pub config: Option<Config>,
    /// Everything wrong, in the order of files and lines.
    pub findings: Vec<Diagnostic>,
    /// The documents of ours, with the places of everything in them.
    pub documents: Vec<Document>,
    /// Where each SLO stands.
    pub slo_origins: BTreeMap<SloId, Origin>,
    /// Where each policy stands; a preset that no file repeats has none.
    pub policy_origins: BTreeMap<String, Origin>,
    /// Where the configuration stands.
    pub config_origin: Option<Origin>,
    /// Files looked at.
    pub files: usize,
    /// Documents of foreign kinds, skipped.
    pub skipped: usize,
    /// Places of literal secrets: no excerpt may show their text, whatever the finding that it is for.
    pub masked: Vec<Place>,
}

impl Loaded {
    /// Whether anything is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The document and node of an origin, joined with a path below it (`/sli/events/total`); where that is not
    /// written, the nearest thing that is.
    #[must_use]
    pub fn node(&self, origin: &Origin, below: &str) -> Option<(&Document, NodeId)> {
        let document = self.documents.get(origin.document)?;
        Some((document, document.nearest(&format!("{}{below}", origin.path))))
    }

    /// The place of something of an SLO, `below` as in [`Loaded::node`]; the SLO's own where the path is not written.
    #[must_use]
    pub fn place(&self, slo: &SloId, below: &str) -> Option<Place> {
        let (document, node) = self.node(self.slo_origins.get(slo)?, below)?;
        Some(document.place(node))
    }
}

/// Reads all texts.
#[must_use]
pub fn load(texts: &[SourceText]) -> Loaded {
    Loaded { files: texts.len(), ..Loaded::default() }
}
