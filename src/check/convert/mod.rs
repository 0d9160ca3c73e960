//! Files of other tools as native ones, with a note for each field on what became of it.
//!
//! Written from what the files mean, not from their text, so that the result means the same: objective, window, SLI,
//! groups and tiers are equal (a test converts every file that is accepted, and compares). What the native format cannot
//! say, the names of alerts above all, is told in the notes.
//!
//! A policy that is no preset (alerts switched off, `AlertWindows`, Pyrra's absence) is written as `policy/v1` in the
//! first file that needs it, so that all results of one run may lie in one folder.

mod parity;
mod policy;
mod write;

use std::sync::Arc;

use crate::check::convert::policy::Policies;
use crate::check::load::{Loaded, parts_of};
use crate::spec::kind::Kind;
use crate::spec::meant::Slo;
use crate::yaml::{Document, NodeId};

/// What became of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line of the field, from 1.
    pub line: u32,
    /// Where it stands: `slos/0/objective`.
    pub field: String,
    /// `same`, `as ..`, or `lost: ..` with the reason.
    pub fate: String,
}

/// A file as a native one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The file that was read.
    pub file: Arc<str>,
    /// One or more native documents; empty where all of the file went into the documents of others (`AlertWindows`).
    pub text: String,
    /// In the order of the file.
    pub notes: Vec<Note>,
}

/// A document of another tool with its SLOs.
struct Part<'a> {
    document: &'a Document,
    node: NodeId,
    kind: Kind,
    slos: Vec<&'a Slo>,
}

/// Every file that holds documents of other tools, converted. Nothing may be wrong with them.
#[must_use]
pub fn convert(loaded: &Loaded) -> Vec<Converted> {
    let mut policies = Policies::default();
    let mut converted: Vec<Converted> = Vec::new();
    let mut files: Vec<&Arc<str>> = loaded.documents.iter().map(Document::file).collect();
    files.dedup();
    for file in files {
        let parts = foreign_parts(loaded, file);
        if parts.is_empty() {
            continue;
        }
        let mut documents = Vec::new();
        let mut notes = Vec::new();
        let known = policies.count();
        for part in &parts {
            documents.extend(write::document(part, loaded, &mut policies));
        }
        documents.extend(policies.since(known));
        for part in &parts {
            notes.extend(parity::notes(part, loaded, &policies));
        }
        converted.push(Converted { file: Arc::clone(file), text: documents.join("---\n"), notes });
    }
    converted
}

/// The documents of other tools in a file, in its order.
fn foreign_parts<'a>(loaded: &'a Loaded, file: &str) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for (index, document) in
        loaded.documents.iter().enumerate().filter(|(_, document)| document.file().as_ref() == file)
    {
        for (node, kind) in parts_of(document) {
            if matches!(kind, Kind::Sloth(_) | Kind::Pyrra | Kind::AlertWindows) {
                let within = format!("{}/", document.path(node));
                let is_here = |slo: &&Arc<Slo>| {
                    let origin = loaded.slo_origins.get(&slo.id);
                    origin.is_some_and(|origin| origin.document == index && origin.path.starts_with(&within))
                };
                let mut slos: Vec<&Slo> = loaded.slos.iter().filter(is_here).map(Arc::as_ref).collect();
                slos.sort_by_key(|slo| (slo.place.line, slo.place.column));
                parts.push(Part { document, node, kind, slos });
            }
        }
    }
    parts
}
