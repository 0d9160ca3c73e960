//! Which recorded series a rule reads: those of one SLO, or of the groups that share an objective.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::engine::definition::Definition;
use crate::ruler::Item;
use crate::units::SloId;

/// Text as a string of PromQL.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// The series `metric` of an SLO: `metric{slo_service="checkout",slo_name="latency"}`, with more labels where given.
pub(super) fn series(id: &SloId, metric: &str, more: &[(&str, &str)]) -> String {
    let mut text = format!("{metric}{{slo_service={},slo_name={}", quoted(&id.service), quoted(&id.name));
    for (name, value) in more {
        // Writing to a string cannot fail.
        let _ = write!(text, ",{name}={}", quoted(value));
    }
    text.push('}');
    text
}

/// The groups of an SLO that share an objective.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    id: &'a SloId,
    /// Labels that they have.
    matches: Option<&'a BTreeMap<String, String>>,
    /// Labels of those before, of which they are none: the first that matches holds.
    without: Vec<&'a BTreeMap<String, String>>,
    /// `T`.
    pub(super) objective: f64,
    /// Their numbers.
    pub(super) definition: &'a Definition,
}

/// All of them; together they have every group once.
#[derive(Clone, Debug)]
pub(super) struct Parts<'a>(pub(super) Vec<Part<'a>>);

impl<'a> Parts<'a> {
    /// Of an SLO: one part without overrides.
    pub(super) fn of(item: &Item<'a>) -> Self {
        let id = &item.slo.id;
        let mut parts = Vec::new();
        let mut before = Vec::new();
        for (written, compiled) in item.slo.overrides.iter().zip(&item.definition.overrides) {
            parts.push(Part {
                id,
                matches: Some(&compiled.matches),
                without: before.clone(),
                objective: written.objective.good_ratio(),
                definition: &compiled.definition,
            });
            before.push(&compiled.matches);
        }
        let objective = item.slo.objective.good_ratio();
        parts.push(Part { id, matches: None, without: before, objective, definition: item.definition });
        Self(parts)
    }

    /// What `of` says of each part, all in one vector.
    pub(super) fn join(&self, of: impl Fn(&Part<'a>) -> String) -> String {
        self.0.iter().map(of).collect::<Vec<_>>().join("\nor\n")
    }
}

impl Part<'_> {
    /// The series `metric` of these groups.
    pub(super) fn series(&self, metric: &str, more: &[(&str, &str)]) -> String {
        let one = |matches: Option<&BTreeMap<String, String>>| {
            let group = matches.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str()));
            series(self.id, metric, &more.iter().copied().chain(group).collect::<Vec<_>>())
        };
        if self.without.is_empty() {
            return one(self.matches);
        }
        let without = self.without.iter().map(|others| format!(" unless {}", one(Some(others))));
        format!("({}{})", one(self.matches), without.collect::<String>())
    }
}
