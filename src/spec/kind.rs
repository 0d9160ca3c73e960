//! What a document says it is: ours, one of another tool that is to be read later, or foreign.

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::sloth::Dialect;
use crate::yaml::{Document, NodeId, Shape, suggestion};

/// A document's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `slo/v1`
    Slos,
    /// `policy/v1`
    Policies,
    /// `config/v1`
    Configuration,
    /// `template/v1`
    Templates,
    /// `exclusion/v1`
    Exclusions,
    /// Sloth's, in either spelling.
    Sloth(Dialect),
    /// Sloth's `AlertWindows`.
    AlertWindows,
    /// Pyrra's `ServiceLevelObjective`.
    Pyrra,
    /// Of the formats, and not built yet; says what it is.
    NotBuilt(&'static str),
    /// `kind: List`: its items are documents.
    List,
    /// A kind that is not ours.
    Foreign,
    /// Neither `version` nor `apiVersion` and `kind`.
    Unmarked,
    /// Looks like one of ours, with a version that there is not.
    Misspelt,
}

/// Kinds of our own, by `version`.
const OURS: &[(&str, Kind)] = &[
    ("slo/v1", Kind::Slos),
    ("policy/v1", Kind::Policies),
    ("config/v1", Kind::Configuration),
    ("template/v1", Kind::Templates),
    ("slo-test/v1", Kind::NotBuilt("`slo-test/v1`")),
    ("exclusion/v1", Kind::Exclusions),
    ("incidents/v1", Kind::NotBuilt("`incidents/v1`")),
    ("prometheus/v1", Kind::Sloth(Dialect::Native)),
];

/// Kinds of other tools that are read, by `apiVersion` and `kind`.
const RESOURCES: &[(&str, &str, Kind)] = &[
    ("sloth.slok.dev/v1", "PrometheusServiceLevel", Kind::Sloth(Dialect::Resource)),
    ("sloth.slok.dev/v1", "AlertWindows", Kind::AlertWindows),
    ("pyrra.dev/v1alpha1", "ServiceLevelObjective", Kind::Pyrra),
];

/// Kinds of other tools that the formats name and that are not read yet, by group of `apiVersion`.
const OTHERS: &[(&str, &str)] = &[("openslo", "reading OpenSLO"), ("openslo.com", "reading OpenSLO")];

/// The kind of the document that begins at `node`.
#[must_use]
pub fn kind_of(document: &Document, node: NodeId) -> Kind {
    let text = |key: &str| document.child(node, key).and_then(|child| document.text(child));
    if document.shape(node) != Shape::Mapping {
        return Kind::Unmarked;
    }
    if let Some(version) = text("version") {
        let known = OURS.iter().find(|(name, _)| *name == version).map(|(_, kind)| *kind);
        return known.unwrap_or(if nearest(version).is_some() { Kind::Misspelt } else { Kind::Foreign });
    }
    match (text("apiVersion"), text("kind")) {
        (Some(_), Some("List")) => Kind::List,
        (Some(version), Some(kind)) => {
            if let Some((_, _, kind)) = RESOURCES.iter().find(|(of, name, _)| (*of, *name) == (version, kind)) {
                return *kind;
            }
            let group = group(version);
            if RESOURCES.iter().any(|(of, ..)| group == self::group(of)) {
                return Kind::Misspelt;
            }
            OTHERS.iter().find(|(name, _)| *name == group).map_or(Kind::Foreign, |(_, what)| Kind::NotBuilt(what))
        }
        _ => Kind::Unmarked,
    }
}

fn group(version: &str) -> &str {
    version.split('/').next().unwrap_or_default()
}

/// The version of ours that `version` must mean, if it looks like one.
fn nearest(version: &str) -> Option<&'static str> {
    let names = || OURS.iter().map(|(name, _)| *name);
    let stem = |text: &'static str| text.split('/').next().unwrap_or_default();
    let same_stem = names().find(|name| version.split('/').next() == Some(stem(name)));
    same_stem.or_else(|| suggestion(version, names()))
}

/// What is wrong with a document of kind [`Kind::NotBuilt`], [`Kind::Misspelt`] or [`Kind::Unmarked`], and at which
/// key; `None` for the others.
#[must_use]
pub fn finding(document: &Document, node: NodeId) -> Option<(Diagnostic, &'static str)> {
    let key = if document.child(node, "version").is_some() { "version" } else { "apiVersion" };
    match kind_of(document, node) {
        Kind::NotBuilt(what) => Some((Diagnostic::error(codes::NOT_BUILT, format!("{what} is not built yet")), key)),
        Kind::Misspelt if key == "apiVersion" => Some(misspelt_resource(document, node)),
        Kind::Misspelt => {
            let version = document.child(node, "version").and_then(|child| document.text(child)).unwrap_or_default();
            let finding = Diagnostic::error(codes::UNKNOWN_DOCUMENT, format!("there is no version `{version}`"));
            let near = nearest(version).unwrap_or("slo/v1");
            Some((finding.with_help(format!("did you mean `{near}`?")), "version"))
        }
        Kind::Unmarked => {
            let message = "this document has neither `version` nor `apiVersion` and `kind`";
            let finding = Diagnostic::error(codes::UNKNOWN_DOCUMENT, message);
            Some((finding.with_help("an SLO file begins with `version: slo/v1`"), key))
        }
        _ => None,
    }
}

/// A resource of a tool that we read, of a version or kind that it does not have.
fn misspelt_resource(document: &Document, node: NodeId) -> (Diagnostic, &'static str) {
    let text = |key: &str| document.child(node, key).and_then(|child| document.text(child)).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let same_group = || RESOURCES.iter().filter(|(of, ..)| group(of) == group(version));
    if let Some((of, ..)) = same_group().find(|(of, ..)| *of != version) {
        let finding = Diagnostic::error(codes::UNKNOWN_DOCUMENT, format!("there is no version `{version}`"));
        return (finding.with_help(format!("`{of}` is read")), "apiVersion");
    }
    let known: Vec<String> = same_group().map(|(_, kind, _)| format!("`{kind}`")).collect();
    let finding = Diagnostic::error(codes::UNKNOWN_DOCUMENT, format!("there is no kind `{kind}` in `{version}`"));
    (finding.with_help(format!("known here: {}", known.join(", "))), "kind")
}
