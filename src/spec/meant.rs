//! An SLO as meant: defaults applied, names resolved, queries parsed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::diag::Place;
use crate::spec::policy::{AlertSeverity, Policy};
use crate::spec::selector::Selector;
use crate::units::{Day, Labels, Length, Objective, SloId};

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
    /// Other objectives for some of its groups; the first that matches holds.
    pub overrides: Vec<Override>,
    /// Ids that it had before: what is stored under them is its own (SEMANTICS 6, *Edits*).
    pub formerly: Vec<SloId>,
    /// The day by which somebody has to look at it again.
    pub review_by: Option<Day>,
    /// How "is the target up" is asked.
    pub alive: Alive,
    /// Policy, labels and annotations of its alerts.
    pub alerting: Alerting,
    /// Where it stands in the files.
    pub place: Place,
}

impl Slo {
    /// `T` of a group: that of the first override that matches, else the SLO's.
    #[must_use]
    pub fn objective_of(&self, group: &Labels) -> Objective {
        let over = self.overrides.iter().find(|over| over.holds(group));
        over.map_or(self.objective, |over| over.objective)
    }

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
            Sli::Gauge { query, bound, absent } => {
                parts.extend(["gauge".to_owned(), query.clone(), format!("{bound:?}"), format!("{absent:?}")]);
            }
            Sli::Ratio { query } => parts.extend(["ratio".to_owned(), query.clone()]),
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
    /// `gauge` and `probe`: a value at each slice end that is good or bad, weighted by time (SEMANTICS 2, *Other kinds*).
    Gauge {
        /// PromQL; each series that it gives is one event a slice.
        query: String,
        /// When a value is good.
        bound: Bound,
        /// What no value means.
        absent: Absent,
    },
    /// `ratio`: an error ratio at each slice end, weighted by time (SEMANTICS 2, *Other kinds*).
    Ratio {
        /// PromQL that gives 0 to 1, `$window` not replaced yet.
        query: String,
    },
}

/// When a gauge's value is good; both bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// At most this.
    Below(f64),
    /// At least this.
    Above(f64),
    /// This; probes: 1.
    Equals(f64),
}

/// What it means that a gauge has no value, or NaN, although the source answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Absent {
    /// Unmeasured.
    #[default]
    Ignore,
    /// A bad event.
    Bad,
}

/// Another objective for the groups that have these labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Labels of `by` with the values that a group must have; all of them.
    pub matches: BTreeMap<String, String>,
    /// `T` of those groups.
    pub objective: Objective,
}

impl Override {
    /// Whether a group has its labels.
    #[must_use]
    pub fn holds(&self, group: &Labels) -> bool {
        self.matches.iter().all(|(name, value)| group.get(name) == Some(value))
    }
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
    /// Names and labels that the tool of a foreign file would give them; `None`: a native file, names of our own.
    pub foreign: Option<Arc<Foreign>>,
}

/// How the alerts of another tool's file are named and labelled, so that the routes of its users match (INTERFACES 5).
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// The tool.
    pub origin: Origin,
    /// One for each severity and sort of alert that the tool would make.
    pub alerts: Vec<ForeignAlert>,
    /// Windows that the tool records whatever alerts are disabled: shown, not judged. The first is that of its current
    /// burn rate.
    pub recorded: Vec<Length>,
}

/// Where an SLO comes from: told with its alerts as `origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Sloth's `prometheus/v1` or its custom resource.
    Sloth,
    /// Pyrra's `ServiceLevelObjective`.
    Pyrra,
}

/// The name, labels and annotations of one alert of a foreign file.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignAlert {
    /// Which of our severities it is.
    pub severity: AlertSeverity,
    /// It is about missing data (`down`, `no_data`) and not about the budget.
    pub silence: bool,
    /// `alertname`.
    pub name: String,
    /// Its labels, all but the group's and the external ones; templates not rendered yet.
    pub labels: BTreeMap<String, String>,
    /// Its annotations; templates not rendered yet.
    pub annotations: BTreeMap<String, String>,
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
