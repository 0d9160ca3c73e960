//! Reads Pyrra's `ServiceLevelObjective`.
//!
//! A file is accepted where Pyrra accepts it. The exceptions, each with a reason in its finding: targets of 0% and 100%
//! (nothing to decide, no budget), names that no id can have, and windows that no policy fits (a period of zero; below
//! 2d19h12m Pyrra itself writes a page that can never fire). Unknown keys are errors, as Pyrra decodes strictly.
//!
//! Where several indicators stand, the first of ratio, latency, `latencyNative` and `bool_gauge` holds, as in Pyrra; the
//! others are told. The id is `namespace/name`, or `pyrra/name` without a namespace. All documents of a file are read,
//! where Pyrra takes the first.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::pyrra_alerts::{Propagated, read_alerting};
use crate::spec::foreign::pyrra_indicator::read_indicator;
use crate::spec::foreign::sloth::percentage;
use crate::spec::foreign::{
    Unknown, entries, flag, keys, mapping, not_honoured, prometheus_duration, required, source, template, text,
};
use crate::spec::meant::Slo;
use crate::spec::slos::{Surroundings, derived_alive, window_finding};
use crate::spec::value;
use crate::units::{Length, SloId, is_name};
use crate::yaml::{NodeId, Reader};

/// The service of an SLO without a namespace.
const SERVICE: &str = "pyrra";
/// Labels and annotations of this prefix are passed on, without it.
const PREFIX: &str = "pyrra.dev/";
/// Keys of the metadata of a Kubernetes object.
const METADATA: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
    "selfLink",
];
const SPEC: &[&str] = &[
    "description",
    "target",
    "window",
    "indicator",
    "alerting",
    "partial_response_strategy",
    "performanceOverAccuracy",
    "ruleOutput",
];

/// The SLO of a document with the node of its `spec`; what is wrong is noted.
pub fn read_pyrra(reader: &mut Reader<'_>, root: NodeId, around: &Surroundings<'_>) -> Option<(Slo, NodeId)> {
    keys(reader, root, &["apiVersion", "kind", "metadata", "spec", "status"], Unknown::Refused);
    let document = reader.document();
    let id = read_id(reader, root);
    reader.slo.clone_from(&id);
    let found = read_slo(reader, root, id, around);
    reader.slo = None;
    found.map(|slo| (slo, document.child(root, "spec").unwrap_or(root)))
}

fn read_slo(reader: &mut Reader<'_>, root: NodeId, id: Option<SloId>, around: &Surroundings<'_>) -> Option<Slo> {
    let document = reader.document();
    let propagated =
        Propagated { labels: passed_on(reader, root, "labels"), annotations: passed_on(reader, root, "annotations") };
    let Some(spec) = mapping(reader, root, "spec", SPEC, Unknown::Refused) else {
        reader.missing(root, "spec", "the target, the window and the indicator");
        return None;
    };
    let description = text(reader, spec, "description").unwrap_or_default().to_owned();
    let target = required(reader, spec, "target", "the percentage that must be good, such as \"99.9\"");
    let objective = target.and_then(|target| percentage(reader, spec, "target", target));
    let window = read_window(reader, spec);
    let indicator = read_indicator(reader, spec, around.slice);
    told(reader, spec);
    let source = source(reader, spec, around);
    let alerting = read_alerting(
        reader,
        spec,
        id.as_ref().map(|id| id.name.as_str()).unwrap_or_default(),
        &propagated,
        indicator.as_ref(),
        objective.zip(window),
        around,
    );
    let indicator = indicator?;
    Some(Slo {
        id: id?,
        description,
        owner: propagated.labels.get("owner").filter(|owner| is_name(owner)).cloned(),
        labels: propagated.labels,
        links: BTreeMap::new(),
        objective: objective?,
        window: window?,
        source: source?,
        sli: indicator.sli,
        by: indicator.by,
        overrides: Vec::new(),
        formerly: Vec::new(),
        review_by: None,
        alive: derived_alive(indicator.target),
        alerting: alerting?,
        place: document.place(spec),
    })
}

/// `namespace/name`.
fn read_id(reader: &mut Reader<'_>, root: NodeId) -> Option<SloId> {
    let Some(metadata) = mapping(reader, root, "metadata", METADATA, Unknown::Refused) else {
        reader.missing(root, "metadata", "the name of the SLO");
        return None;
    };
    let name = required(reader, metadata, "name", "the name of the SLO");
    let namespace = text(reader, metadata, "namespace");
    if namespace.is_none()
        && let Some(name) = name
    {
        let message = format!("there is no `namespace`, so the id is `{SERVICE}/{name}`");
        reader.report(metadata, Diagnostic::info(codes::NOT_HONOURED, message));
    }
    let mut usable = |key: &str, text: &str| {
        if !is_name(text) {
            reader.report_in(metadata, key, value::bad_name(text));
        }
        is_name(text)
    };
    let name = name.filter(|name| usable("name", name));
    let service = namespace.map_or(Some(SERVICE), |namespace| usable("namespace", namespace).then_some(namespace));
    Some(SloId::new(service?, name?))
}

/// The labels or annotations of `metadata` that Pyrra passes on.
fn passed_on(reader: &mut Reader<'_>, root: NodeId, key: &str) -> BTreeMap<String, String> {
    let Some(metadata) = reader.document().child(root, "metadata") else { return BTreeMap::new() };
    let mut passed = BTreeMap::new();
    for (name, text, node) in entries(reader, metadata, key) {
        if let Some(short) = name.strip_prefix(PREFIX) {
            template::check(reader, node, name, text);
            passed.insert(short.to_owned(), text.to_owned());
        }
    }
    passed
}

fn read_window(reader: &mut Reader<'_>, spec: NodeId) -> Option<Length> {
    let written = required(reader, spec, "window", "the period, such as 4w")?;
    let finding = match prometheus_duration(written) {
        None => {
            let message = format!("`{written}` is not a duration such as 30d or 4w");
            Diagnostic::error(codes::BAD_DURATION, message)
        }
        Some(length) => match window_finding(length) {
            None => return Some(length),
            Some(finding) => finding,
        },
    };
    reader.report_in(spec, "window", finding);
    None
}

/// Says what is not honoured, or does not matter here.
fn told(reader: &mut Reader<'_>, spec: NodeId) {
    match text(reader, spec, "partial_response_strategy") {
        None | Some("abort") => {}
        Some("warn") => {
            let finding =
                not_honoured("`partial_response_strategy: warn` is not kept: a partial answer is no answer here");
            reader.report_in(spec, "partial_response_strategy", finding);
        }
        Some(other) => {
            let finding = value::not_among("partial_response_strategy", other, ["abort", "warn"].into_iter());
            reader.report_in(spec, "partial_response_strategy", finding);
        }
    }
    if flag(reader, spec, "performanceOverAccuracy") == Some(true) {
        let message = "`performanceOverAccuracy` does not matter here: every event is counted, at no more cost";
        reader.report_in(spec, "performanceOverAccuracy", Diagnostic::info(codes::NOT_HONOURED, message));
    }
    let known = ["shortRulesLabels", "longRulesLabels", "enableDescriptionAsLabel"];
    if let Some(output) = mapping(reader, spec, "ruleOutput", &known, Unknown::Refused) {
        let message = "`ruleOutput` does not matter here: no rules are written";
        reader.report_key(output, Diagnostic::info(codes::NOT_HONOURED, message));
    }
}
