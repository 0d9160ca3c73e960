//! An SLO as meant: defaults applied, names resolved, queries parsed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diag::Place;
use crate::spec::policy::Policy;
use crate::spec::selector::Selector;
use crate::units::{Length, Objective, SloId};

/// One SLO, ready to be planned and evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// `service/name`.
    pub id: SloId,
    /// What it promises, in words.
    pub description: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Labels as written, the document's and its own.
    pub labels: BTreeMap<String, String>,
    /// `runbook`, `dashboard` and others: http or https addresses.
    pub links: BTreeMap<String, String>,
    /// `T`.
    pub objective: Objective,
    /// `W`, what the objective is judged over: rolling.
    pub window: Length,
    /// Name of the source that answers its queries.
    pub source: String,
    /// What is counted.
    pub sli: Sli,
    /// Labels that make groups, sorted as written; empty: one instance.
    pub by: Vec<String>,
    /// How "is the target up" is asked.
    pub alive: Alive,
    /// Policy, labels and annotations of its alerts.
    pub alerting: Alerting,
    /// Where it stands in the files.
    pub place: Place,
}

impl Slo {
    /// Names the data that the SLO counts: SHA-256, in hex, over its source, queries and `by`. An edit of anything
    /// else (objective, window, policy) keeps the generation, and with it what is stored (SEMANTICS 6, *Edits*).
    #[must_use]
    pub fn generation(&self) -> String {
        let side = |numerator: &Numerator| match numerator {
            Numerator::Bad => "bad".to_owned(),
            Numerator::Good => "good".to_owned(),
        };
        let unit = |query: &PushdownQuery| match query.unit {
            Unit::Rate => "rate".to_owned(),
            Unit::Count => "count".to_owned(),
        };
        let mut parts = vec![self.source.clone()];
        match &self.sli {
            Sli::Exact { numerator, events, total } => {
                parts.extend(["exact".to_owned(), side(numerator), events.to_string(), total.to_string()]);
            }
            Sli::Pushdown { numerator, events, total, step } => {
                parts.extend(["pushdown".to_owned(), side(numerator), step.to_string()]);
                parts.extend([unit(events), events.text.clone(), unit(total), total.text.clone()]);
            }
        }
        parts.extend(self.by.iter().cloned());
        let mut hash = Sha256::new();
        for part in parts {
            // With its length before it, so that no two lists of parts are one text.
            hash.update(format!("{}:{part}", part.len()));
        }
        hash.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// What is counted, and how the store is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Sli {
    /// Plain counters (or the buckets and count of a classic histogram): raw samples, exact counts (SEMANTICS 2).
    Exact {
        /// Bad or good events.
        numerator: Numerator,
        /// Selector of the numerator's series.
        events: Selector,
        /// Selector of all events.
        total: Selector,
    },
    /// Any PromQL with `$window`, evaluated by the store: estimated (SEMANTICS 2, *Pushdown mode*).
    Pushdown {
        /// Bad or good events.
        numerator: Numerator,
        /// The numerator's query, `$window` not replaced yet.
        events: PushdownQuery,
        /// The query of all events.
        total: PushdownQuery,
        /// `p`, how often the store is asked: a multiple of the slice.
        step: Length,
    },
}

/// Which side the files give beside the total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numerator {
    /// The query counts bad events.
    Bad,
    /// The query counts good events; bad is total minus good, per window, floored at 0.
    Good,
}

/// One PromQL text with the placeholder `$window`, and what its value means.
#[derive(Clone, Debug, PartialEq)]
pub struct PushdownQuery {
    /// PromQL with `$window` (the form `{{.window}}` is turned into it).
    pub text: String,
    /// Whether the value is events a second, or events in the range.
    pub unit: Unit,
}

/// What a pushdown query's value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Events a second (`rate`, `irate`): multiplied by `p`.
    Rate,
    /// Events within the range (`increase`): multiplied by `p / (p + i)`.
    Count,
}

/// How "is the target up" is asked (SEMANTICS 3).
#[derive(Clone, Debug, PartialEq)]
pub enum Alive {
    /// Not at all.
    None,
    /// This selector's series, as written or derived (`up` with the `job`, `namespace`, `instance` matchers of `total`).
    Selector(Selector),
}

/// How an SLO's alerts are made and told.
#[derive(Clone, Debug, PartialEq)]
pub struct Alerting {
    /// The policy, resolved.
    pub policy: Arc<Policy>,
    /// Labels added to its alerts.
    pub labels: BTreeMap<String, String>,
    /// Annotations added to its alerts.
    pub annotations: BTreeMap<String, String>,
    /// Whether they are sent.
    pub mode: Mode,
}

/// Whether alerts are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Evaluated, recorded, shown and sent.
    #[default]
    Live,
    /// Evaluated, recorded and shown; nothing is sent.
    Shadow,
    /// Budgets only: no alert is evaluated.
    Off,
}
