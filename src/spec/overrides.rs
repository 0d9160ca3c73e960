//! `overrides` of an SLO: another objective for some of its groups.
//!
//! The first that matches a group holds. One that changes nothing is told: it says the SLO's own objective, or an earlier
//! one takes all of its groups.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, codes};
use crate::spec::meant::Override;
use crate::spec::value;
use crate::spec::written::OverrideItem;
use crate::units::Objective;
use crate::yaml::{NodeId, Reader, Shape, suggestion};

/// An override with its item.
type Read = (Override, NodeId);

/// Reads `overrides`; what is wrong is noted, and such an override is left out.
pub fn read_overrides(
    reader: &mut Reader<'_>,
    node: NodeId,
    by: &[String],
    objective: Option<Objective>,
) -> Vec<Override> {
    let items = reader.items(node, "overrides");
    let read: Vec<Read> = items.iter().filter_map(|item| Some((read_override(reader, *item, by)?, *item))).collect();
    for (index, (override_, item)) in read.iter().enumerate() {
        let (earlier, later) = (read.get(..index).unwrap_or_default(), read.get(index + 1..).unwrap_or_default());
        useless(reader, override_, *item, (earlier, later), objective);
    }
    read.into_iter().map(|(override_, _)| override_).collect()
}

fn read_override(reader: &mut Reader<'_>, node: NodeId, by: &[String]) -> Option<Override> {
    let item: OverrideItem = reader.decode(node)?;
    let before = reader.count();
    reader.missing(node, "match", "labels of `by` with the values of the groups, such as {region: us}");
    if item.objective.is_none() {
        reader.missing(node, "objective", "the objective of these groups");
    }
    let document = reader.document();
    let matches = value::texts(reader, node, "match");
    let labels = document.child(node, "match").filter(|labels| document.shape(*labels) == Shape::Mapping);
    for label in labels.map_or(&[][..], |labels| document.children(labels)) {
        let name = document.key(*label).unwrap_or_default();
        if !by.iter().any(|known| known == name) {
            reader.report_key(*label, not_among(name, by));
        }
    }
    let objective = value::parsed(reader, node, "objective", item.objective.as_deref(), codes::BAD_OBJECTIVE)?;
    (reader.count() == before).then_some(Override { matches, objective })
}

fn not_among(name: &str, by: &[String]) -> Diagnostic {
    let help = match (suggestion(name, by.iter().map(String::as_str)), by) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => format!("the SLO has no groups; `by: [{name}]` makes them"),
        (None, by) => {
            format!("`by` has {}", by.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", "))
        }
    };
    Diagnostic::error(codes::BAD_OVERRIDE, format!("`{name}` is not in `by`")).with_help(help)
}

/// An override and its item.
type Read = (Override, NodeId);

/// Notes an override that changes nothing.
fn useless(
    reader: &mut Reader<'_>,
    override_: &Override,
    node: NodeId,
    (earlier, later): (&[Read], &[Read]),
    objective: Option<Objective>,
) {
    let document = reader.document();
    if let Some((_, first)) = earlier.iter().find(|(earlier, _)| takes_all(&earlier.matches, &override_.matches)) {
        let mut finding =
            Diagnostic::warning(codes::USELESS_OVERRIDE, "an earlier override takes all groups of this one");
        finding.related.push((document.place(*first), "this one".to_owned()));
        reader.report_in(node, "match", finding.with_help("put the narrower one first, or take it out"));
    } else if Some(override_.objective) == objective && !later.iter().any(|(later, _)| meet(override_, later)) {
        // Before one that takes more groups it is an exception from that one.
        let message = "this override says the objective that the SLO has anyway";
        reader.report_in(
            node,
            "objective",
            Diagnostic::warning(codes::USELESS_OVERRIDE, message).with_help("change it, or take it out"),
        );
    }
}

/// Whether every group that `narrow` matches is matched by `wide`.
fn takes_all(wide: &BTreeMap<String, String>, narrow: &BTreeMap<String, String>) -> bool {
    wide.iter().all(|(label, value)| narrow.get(label) == Some(value))
}

/// Whether some group may be matched by both.
fn meet(one: &Override, other: &Override) -> bool {
    one.matches.iter().all(|(label, value)| other.matches.get(label).is_none_or(|own| own == value))
}
