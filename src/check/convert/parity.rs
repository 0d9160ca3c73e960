//! What became of each field of a foreign document.
//!
//! Every scalar of the document has a note: `same`, `as ..` with its place in the native file, or `lost: ..` with the
//! reason. A field that nobody here knows is one that its tool ignores.

use crate::check::convert::policy::Policies;
use crate::check::convert::write::why_not;
use crate::check::convert::{Note, Part};
use crate::check::load::Loaded;
use crate::spec::foreign::sloth::Dialect;
use crate::spec::foreign::windows;
use crate::spec::kind::Kind;
use crate::spec::meant::{Mode, Numerator, Origin, Sli, Slo};
use crate::spec::value::{is_http, is_label};
use crate::yaml::{Document, NodeId, Shape};

/// What the notes of a document need to know.
struct Around<'a> {
    part: &'a Part<'a>,
    loaded: &'a Loaded,
    policies: &'a Policies,
}

/// The notes of a document, in the order of its fields.
pub(super) fn notes(part: &Part<'_>, loaded: &Loaded, policies: &Policies) -> Vec<Note> {
    let around = Around { part, loaded, policies };
    let document = part.document;
    let base = document.path(part.node);
    let mut leaves = Vec::new();
    collect(document, part.node, &mut leaves);
    let note = |leaf: NodeId| {
        let path = document.path(leaf);
        let field = path.strip_prefix(&base).unwrap_or(&path).trim_start_matches('/').to_owned();
        let segments: Vec<String> = field.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        let fate = around.fate(&segments.iter().map(String::as_str).collect::<Vec<_>>(), document.text(leaf));
        Note { line: document.key_place(leaf).line, field, fate }
    };
    let mut notes: Vec<Note> = leaves.into_iter().map(note).collect();
    notes.extend(default_name(part, &notes));
    notes
}

/// Pyrra's alerts have a name where the file gives none, and lose that one too.
fn default_name(part: &Part<'_>, notes: &[Note]) -> Option<Note> {
    let field = "spec/alerting/name";
    let slo = part.slos.first().filter(|slo| part.kind == Kind::Pyrra && slo.alerting.mode != Mode::Off)?;
    if notes.iter().any(|note| note.field == field) {
        return None;
    }
    let alert = slo.alerting.foreign.as_ref()?.alerts.first()?;
    let fate = format!("{} (it is `{}` by default)", name(slo), alert.name);
    Some(Note { line: part.document.place(part.node).line, field: field.to_owned(), fate })
}

/// Scalars, and whatever is empty.
fn collect(document: &Document, node: NodeId, leaves: &mut Vec<NodeId>) {
    let children = document.children(node);
    if children.is_empty() && document.shape(node) != Shape::Nothing {
        leaves.push(node);
    }
    for child in children {
        collect(document, *child, leaves);
    }
}

fn same() -> String {
    "same".to_owned()
}

fn as_(what: &str) -> String {
    format!("as {what}")
}

fn lost(why: &str) -> String {
    format!("lost: {why}")
}

impl Around<'_> {
    fn fate(&self, path: &[&str], text: Option<&str>) -> String {
        match (self.part.kind, path) {
            (_, ["version" | "apiVersion" | "kind"]) => as_("`version: slo/v1`"),
            (_, ["status", ..]) => lost("it is what Kubernetes says of the object"),
            (Kind::AlertWindows, _) => self.of_windows(path),
            (Kind::Pyrra, _) => self.of_pyrra(path),
            (Kind::Sloth(Dialect::Resource), ["metadata", ..]) => lost("a native file is no object of Kubernetes"),
            (Kind::Sloth(dialect), path) => self.of_sloth(dialect, path.strip_prefix(&["spec"]).unwrap_or(path), text),
            _ => lost("it is not known"),
        }
    }

    fn of_windows(&self, path: &[&str]) -> String {
        let is_used = self.loaded.policy_origins.get(windows::POLICY).is_some_and(|origin| {
            let here = self.loaded.documents.get(origin.document);
            let spec = format!("{}/spec", self.part.document.path(self.part.node));
            here.is_some_and(|here| here == self.part.document) && origin.path == spec
        });
        match path {
            ["spec", ..] if is_used => as_(&format!("the policies named `{}`", windows::POLICY)),
            ["spec", ..] => lost("no SLO uses these windows"),
            _ => lost("a policy has no metadata"),
        }
    }

    fn of_sloth(&self, dialect: Dialect, path: &[&str], text: Option<&str>) -> String {
        match path {
            ["service"] => same(),
            ["labels", name] => self.part.slos.first().map_or_else(same, |slo| self.label(name, slo, "labels")),
            ["slos", index, path @ ..] => match self.slo(index) {
                Some(slo) => self.of_sloth_slo(dialect, slo, path, text),
                None => lost("the SLO was not read"),
            },
            [key, ..] if *key == dialect.key("slo_plugins") => lost("the chain is empty"),
            _ => lost("Sloth ignores it too"),
        }
    }

    /// The SLO that is this item of `slos`.
    fn slo(&self, index: &str) -> Option<&Slo> {
        let end = format!("/slos/{index}");
        let is_it =
            |slo: &&&Slo| self.loaded.slo_origins.get(&slo.id).is_some_and(|origin| origin.path.ends_with(&end));
        self.part.slos.iter().find(is_it).copied()
    }

    fn of_sloth_slo(&self, dialect: Dialect, slo: &Slo, path: &[&str], text: Option<&str>) -> String {
        let [page, ticket] = ["page_alert", "ticket_alert"].map(|key| dialect.key(key));
        match path {
            ["name" | "description" | "objective"] => same(),
            ["labels", name] => self.label(name, slo, "labels"),
            ["plugins", ..] => lost("the chain is empty"),
            ["sli", "events", key] if *key == dialect.key("error_query") => side(&slo.sli),
            ["sli", "events", key] if *key == dialect.key("total_query") => as_("`sli.events.total`"),
            ["sli", "raw", key] if *key == dialect.key("error_ratio_query") => as_("`sli.ratio`"),
            ["alerting", "name"] => name(slo),
            ["alerting", "labels", name] => self.label(name, slo, "alerting.labels"),
            ["alerting", "annotations", name] => annotation(name, slo, text),
            ["alerting", key, "disable"] if *key == page || *key == ticket => self.policy(slo),
            ["alerting", key, "annotations", "runbook" | "runbook_url"]
                if *key == page && text.is_some_and(is_http) && slo.alerting.mode != Mode::Off =>
            {
                as_("`links.runbook`, unless all alerts have one")
            }
            ["alerting", key, "labels" | "annotations", ..] if *key == page || *key == ticket => {
                lost("native labels and annotations are those of all alerts of an SLO")
            }
            ["alerting", key] if *key == page || *key == ticket => self.policy(slo),
            ["alerting"] | ["alerting", "labels" | "annotations"] => lost("it is empty"),
            _ => lost("Sloth ignores it too"),
        }
    }

    fn of_pyrra(&self, path: &[&str]) -> String {
        let Some(slo) = self.part.slos.first() else { return lost("the SLO was not read") };
        match path {
            ["metadata", "name"] => as_("`name`"),
            ["metadata", "namespace"] => as_("`service`"),
            ["metadata", kind @ ("labels" | "annotations"), name] => match (name.strip_prefix("pyrra.dev/"), *kind) {
                (Some(name), "labels") => self.label(name, slo, "labels"),
                (Some(name), _) => annotation(name, slo, None),
                (None, _) => lost("Pyrra puts it on objects of Kubernetes only"),
            },
            ["metadata", ..] => lost("a native file is no object of Kubernetes"),
            ["spec", "description" | "window"] => same(),
            ["spec", "target"] => as_("`objective`"),
            ["spec", "indicator", kind, path @ ..] => indicator(slo, kind, path),
            ["spec", "alerting"] | ["spec", "alerting", "disabled" | "burnrates" | "absent"] => self.policy(slo),
            ["spec", "alerting", "name" | "absentName"] => name(slo),
            ["spec", "alerting", "severities", ..] => lost("`severity` comes from the sink's map of severities"),
            ["spec", "partial_response_strategy"] => lost("a partial answer is no answer here"),
            ["spec", "performanceOverAccuracy"] => lost("every event is counted, at no more cost"),
            ["spec", "ruleOutput", ..] => lost("no rules are written"),
            _ => lost("it is not known"),
        }
    }

    fn label(&self, name: &str, slo: &Slo, at: &str) -> String {
        let off = at.starts_with("alerting") && slo.alerting.mode == Mode::Off;
        match why_not(name, slo, self.loaded) {
            _ if off => lost("there are no alerts"),
            _ if name == "owner" && at == "labels" && slo.owner.is_some() => as_("`owner`"),
            Some(reason) => lost(reason),
            None if at.starts_with("alerting") => same(),
            None => as_("`labels`"),
        }
    }

    fn policy(&self, slo: &Slo) -> String {
        if slo.alerting.mode == Mode::Off {
            return as_("`alerting.mode: off`");
        }
        as_(&format!("`alerting.policy: {}`", self.policies.known(slo)))
    }
}

/// What became of the name of its alerts.
fn name(slo: &Slo) -> String {
    if slo.alerting.mode == Mode::Off {
        return lost("there are no alerts");
    }
    let labels = match slo.alerting.foreign.as_ref().map(|foreign| foreign.origin) {
        Some(Origin::Sloth) => "`sloth_` labels",
        _ => "the label `slo`",
    };
    lost(&format!("native alerts are `SLOBurn` and the like, with `slo_service` and `slo_name` for {labels}"))
}

/// Where the numerator went.
fn side(sli: &Sli) -> String {
    match sli {
        Sli::Exact { numerator: Numerator::Good, events, .. } if events.bucket.is_some() => as_("`sli.latency`"),
        Sli::Exact { numerator: Numerator::Bad, .. } => as_("`sli.events.bad`, counted exactly"),
        Sli::Exact { .. } => as_("`sli.events.good`, counted exactly"),
        Sli::Pushdown { numerator: Numerator::Bad, .. } => as_("`sli.events.bad`, evaluated by the store"),
        Sli::Pushdown { .. } => as_("`sli.events.good`, evaluated by the store"),
        Sli::Gauge { .. } => as_("`sli.probe`"),
        Sli::Ratio { .. } => as_("`sli.ratio`"),
    }
}

/// What became of a field of an indicator.
fn indicator(slo: &Slo, kind: &str, path: &[&str]) -> String {
    let used = match &slo.sli {
        Sli::Exact { numerator: Numerator::Bad, .. } => "ratio",
        Sli::Exact { .. } => "latency",
        Sli::Pushdown { .. } => "latencyNative",
        Sli::Gauge { .. } | Sli::Ratio { .. } => "bool_gauge",
    };
    match path {
        _ if kind != used => lost("Pyrra ignores it too"),
        ["grouping", ..] => as_("`by`"),
        ["total", _] if matches!(&slo.sli, Sli::Exact { events, .. } if events.bucket.is_none()) => {
            as_("`sli.events.total`")
        }
        _ => side(&slo.sli),
    }
}

fn annotation(name: &str, slo: &Slo, text: Option<&str>) -> String {
    if slo.alerting.mode == Mode::Off {
        return lost("there are no alerts");
    }
    if !is_label(name) {
        return lost("a native annotation has letters, digits and `_` only");
    }
    let text = text.or_else(|| slo.alerting.annotations.get(name).map(String::as_str)).unwrap_or_default();
    if text.contains("{{") {
        as_("`alerting.annotations`, its template sent as written")
    } else {
        as_("`alerting.annotations`")
    }
}
