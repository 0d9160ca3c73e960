//! Rules for the rulers of Prometheus, Thanos, Mimir and VictoriaMetrics, compiled from the same SLOs that the service
//! evaluates: for those with more metrics than one poller should read.
//!
//! Why this way: events are summed, ratios never averaged. Windows up to 6 h are counted from the raw series at each
//! evaluation; longer ones are sums of recorded increases of 5 min (up to 4 d) or 1 h, on the boundaries of SEMANTICS 1,
//! so that at those boundaries every figure equals the service's. What a ruler cannot do (unmeasured time, folded gaps,
//! births of series, known false, hold-back) is named in notes and comments and not imitated badly.
//! Invariants: equal SLOs give equal bytes, whatever the order of the input; a record or alert is defined once; within a
//! group a rule comes after those that it reads.

mod alert;
mod document;
mod events;
mod label;
mod note;
mod record;
mod scope;
mod silence;
mod template;
pub mod watch;
mod window;

use std::collections::BTreeMap;

use crate::engine::definition::Definition;
use crate::ruler::document::{Group, Rule};
use crate::ruler::note::Notes;
use crate::ruler::scope::Parts;
use crate::spec::meant::{Mode, Slo};
use crate::spec::policy::AlertSeverity;
use crate::units::Length;

/// Rules in one group that Mimir takes by default (`-ruler.max-rules-per-rule-group`).
const MIMIR_RULES: usize = 20;
/// Groups of one tenant that Mimir takes by default (`-ruler.max-rule-groups-per-tenant`).
const MIMIR_GROUPS: usize = 70;
/// The label that tells the windows of one record apart.
const WINDOW: &str = "window";

/// Whose rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruler {
    /// Prometheus 2.42 and later.
    Prometheus,
    /// Thanos Ruler: incomplete answers are failures.
    Thanos,
    /// Mimir's ruler, as `mimirtool rules load` reads files: a namespace, groups of bounded size.
    Mimir,
    /// vmalert: `increase` does not extrapolate there and looks at the sample before the range.
    VictoriaMetrics,
}

impl Ruler {
    /// As chosen on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::Thanos => "thanos",
            Self::Mimir => "mimir",
            Self::VictoriaMetrics => "victoriametrics",
        }
    }
}

/// One SLO to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// As meant.
    pub slo: &'a Slo,
    /// In numbers.
    pub definition: &'a Definition,
    /// `i`, the scrape interval of its series.
    pub interval: Length,
}

/// What does not come from the SLOs.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Whose rules.
    pub ruler: Ruler,
    /// The label `severity` for our severities; one that is missing keeps our name.
    pub severity: &'a BTreeMap<AlertSeverity, String>,
}

/// A rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// YAML.
    pub text: String,
    /// How many groups it has.
    pub groups: usize,
    /// How many rules they have.
    pub rules: usize,
    /// What rules cannot express, each with the SLOs that it concerns.
    pub notes: Vec<String>,
}

impl Output {
    fn new(ruler: Ruler, head: &str, groups: &[Group], notes: Vec<String>) -> Self {
        let count = groups.iter().map(|group| group.rules.len()).sum();
        Self { text: document::text(ruler, head, groups), groups: groups.len(), rules: count, notes }
    }
}

/// The rule file of these SLOs.
#[must_use]
pub fn compile(items: &[Item<'_>], terms: Terms<'_>) -> Output {
    let mut sorted: Vec<&Item<'_>> = items.iter().collect();
    sorted.sort_by(|a, b| a.slo.id.cmp(&b.slo.id));
    let mut notes = Notes::default();
    let mut groups = Vec::new();
    for item in sorted {
        if let Some(rules) = rules_of(item, terms, &mut notes) {
            groups.extend(in_groups(item, terms.ruler, rules));
        }
    }
    if terms.ruler == Ruler::Mimir && groups.len() > MIMIR_GROUPS {
        notes.of_all(format!(
            "{} groups are more than the {MIMIR_GROUPS} that Mimir takes of a tenant by default; raise \
             `ruler_max_rule_groups_per_tenant`",
            groups.len()
        ));
    }
    Output::new(terms.ruler, document::HEAD, &groups, notes.into_lines())
}

/// All rules of an SLO, in an order in which each comes after those that it reads; `None` where there can be none.
fn rules_of(item: &Item<'_>, terms: Terms<'_>, notes: &mut Notes) -> Option<Vec<Rule>> {
    let id = &item.slo.id;
    if item.slo.by.iter().any(|label| label == WINDOW) {
        notes.add(id, "no rules are written: the label `window` of `by` is the rules' own");
        return None;
    }
    let parts = Parts::of(item);
    let mut rules = record::records(item, terms.ruler, &parts, notes);
    match item.slo.alerting.mode {
        Mode::Live => rules.extend(alert::alerts(item, terms, &parts, notes)),
        Mode::Shadow => notes.add(id, "no alert rules are written: its alerts are in shadow mode"),
        Mode::Off => {}
    }
    Some(rules)
}

/// One group, or several where the ruler bounds them; a later one reads what an earlier one recorded, at most one
/// evaluation late.
fn in_groups(item: &Item<'_>, ruler: Ruler, all: Vec<Rule>) -> Vec<Group> {
    let id = &item.slo.id;
    let name = format!("slo:{}:{}", id.service, id.name);
    let most = if ruler == Ruler::Mimir { MIMIR_RULES } else { usize::MAX };
    let mut groups: Vec<Group> = Vec::new();
    for rule in all {
        match groups.last_mut().filter(|group| group.rules.len() < most) {
            Some(group) => group.rules.push(rule),
            None => groups.push(Group {
                name: if groups.is_empty() { name.clone() } else { format!("{name}:{}", groups.len() + 1) },
                comment: format!("{id}: {} over {}", item.slo.objective, item.slo.window),
                interval: item.definition.slice.length(),
                partial_is_failure: true,
                rules: vec![rule],
            }),
        }
    }
    groups
}
