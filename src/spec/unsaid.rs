//! Documents that look like ours and do not say so: a forgotten or misspelt `version` must not take an SLO out of force
//! without a word.
//!
//! Only for documents that are skipped. By keys alone, and by few of them: what other tools write must not be told of.

use crate::diag::{Diagnostic, codes};
use crate::yaml::{Document, NodeId, Reader, Shape, suggestion};

/// Notes a document that is skipped and looks like one of ours: an error in a file that was `named`.
pub fn note(reader: &mut Reader<'_>, node: NodeId, named: bool) {
    let document = reader.document();
    let Some((version, what)) = looks_like(document, node) else { return };
    let said = |key: &str| document.child(node, key).and_then(|said| document.text(said));
    let (key, message) = match (said("version"), said("apiVersion")) {
        (Some(text), _) => ("version", format!("this looks like {what}, and `version: {text}` is none of ours")),
        (None, Some(text)) => ("apiVersion", format!("this looks like {what}, and its `apiVersion` is `{text}`")),
        (None, None) => ("", format!("this looks like {what}, and has no `version`")),
    };
    let finding = if named { Diagnostic::error } else { Diagnostic::warning };
    let finding = finding(codes::UNSAID_VERSION, format!("{message}: it is skipped"));
    reader.report_in(node, key, finding.with_help(format!("write `{version}`, or move it out of the folder")));
}

/// The version that is meant, and what the document is.
fn looks_like(document: &Document, node: NodeId) -> Option<(&'static str, &'static str)> {
    let has = |key: &str, shape: Shape| document.child(node, key).is_some_and(|child| document.shape(child) == shape);
    let spec = document.child(node, "spec");
    let specified = |key: &str| spec.is_some_and(|spec| document.child(spec, key).is_some());
    let items_have = |list: &str, key: &str| {
        let items = document.child(node, list).map_or(&[][..], |list| document.children(list));
        has(list, Shape::List) && items.iter().any(|item| document.child(*item, key).is_some())
    };
    if has("service", Shape::Text) && (has("slos", Shape::List) || has("use", Shape::List)) {
        Some(("version: slo/v1", "an SLO file"))
    } else if items_have("policies", "tiers") {
        Some(("version: policy/v1", "a file of alert policies"))
    } else if items_have("templates", "slos") {
        Some(("version: template/v1", "a file of templates"))
    } else if items_have("exclusions", "slos") {
        Some(("version: exclusion/v1", "a file of exclusions"))
    } else if has("sources", Shape::Mapping) && (has("sinks", Shape::Mapping) || has("routes", Shape::List)) {
        Some(("version: config/v1", "a configuration"))
    } else if has("slo", Shape::Text) && items_have("tests", "expect") {
        Some(("version: slo-test/v1", "a file of tests"))
    } else if specified("service") && specified("slos") {
        Some(("apiVersion: sloth.slok.dev/v1", "an SLO of Sloth"))
    } else if specified("indicator") && specified("target") && specified("window") {
        Some(("apiVersion: pyrra.dev/v1alpha1", "an SLO of Pyrra"))
    } else {
        misspelt_key(document, node)
    }
}

/// A key such as `verison` with a version of ours.
fn misspelt_key(document: &Document, node: NodeId) -> Option<(&'static str, &'static str)> {
    const OURS: [(&str, &str, &str); 3] = [
        ("slo/v1", "version: slo/v1", "an SLO file"),
        ("policy/v1", "version: policy/v1", "a file of alert policies"),
        ("config/v1", "version: config/v1", "a configuration"),
    ];
    document.children(node).iter().find_map(|child| {
        let near = suggestion(document.key(*child)?, std::iter::once("version")).is_some();
        let text = document.text(*child).filter(|_| near)?;
        OURS.iter().find(|(version, _, _)| *version == text).map(|(_, version, what)| (*version, *what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{SourceText, parse};

    fn told(text: &str) -> Vec<String> {
        let (document, _) = parse(&SourceText::named("f", text)).documents.remove(0);
        let mut reader = Reader::new(&document);
        note(&mut reader, document.root(), false);
        reader.into_findings().iter().map(crate::diag::concise::line).collect()
    }

    #[test]
    fn what_looks_like_ours_is_told() {
        for (text, expected) in [
            ("service: a\nslos: []\n", "f:1:1: warning[SLO066]: this looks like an SLO file, and has no `version`"),
            (
                "version: 1\nservice: a\nuse: []\n",
                "f:1:10: warning[SLO066]: this looks like an SLO file, and `version: 1`",
            ),
            ("verison: slo/v1\nservce: a\n", "f:1:1: warning[SLO066]: this looks like an SLO file"),
            ("policies: [{tiers: []}]\n", "f:1:1: warning[SLO066]: this looks like a file of alert policies"),
            (
                "apiVersion: sloth.slok.de/v1\nkind: X\nspec: {service: a, slos: []}\n",
                "f:1:13: warning[SLO066]: this looks like an SLO of Sloth, and its `apiVersion` is `sloth.slok.de/v1`",
            ),
        ] {
            let found = told(text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_others_write_is_not() {
        for text in [
            "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2, template: {spec: {}}}\n",
            "version: '3'\nservices: {web: {image: x}}\n",
            "service: web\nreplicas: 2\n",
            "policies: [{name: x, rules: []}]\n",
            "templates: [a.tmpl]\n",
            "version: 2\nsources: [a]\n",
            "- a\n- b\n",
            "version: 0.2\nphases: {}\n",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }
}
