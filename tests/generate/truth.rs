//! What the engine says about the same data: the same samples, through the same code as `slo run`.

use std::collections::BTreeMap;
use std::sync::Arc;

use slo::check::load::load;
use slo::engine::definition::{Definition, Kind, Tier};
use slo::engine::instance::Instance;
use slo::engine::observation::{Observation, Point, Roles, Sample, SeriesSamples};
use slo::engine::state::SloState;
use slo::engine::verdict::{TierSet, Verdict};
use slo::policy::compile::{Terms, definition};
use slo::spec::meant::{Bound, PushdownQuery, Sli, Slo, Unit};
use slo::spec::policy::AlertSeverity;
use slo::units::{Labels, Length, Step, Timestamp, exceeds};
use slo::yaml::SourceText;

use crate::world::{Answer, EVERY, Store, World};

const GAP: Length = Length::from_minutes(5);

/// One SLO on its way through time.
pub struct Truth {
    /// As meant.
    pub slo: Arc<Slo>,
    state: SloState,
    observation: Observation,
}

/// What is known of one group at one slice end: records by name and labels, alerts by name and severity.
#[derive(Debug, Default)]
pub struct Figures {
    /// Every record that can be compared here.
    pub records: BTreeMap<(String, Labels), f64>,
    /// Whether an alert of this name and severity matches, by the group.
    pub alerts: BTreeMap<(&'static str, &'static str, Labels), bool>,
}

impl Truth {
    /// All SLOs of these files. `overlap` is `i` of pushdown queries towards this store.
    pub async fn of(files: &str, world: &World, store: &Store, overlap: Length) -> Vec<Self> {
        let loaded = load(&[SourceText::named("slos.yaml", files)]);
        assert_eq!(loaded.findings, [], "the files are faultless");
        let mut all = Vec::new();
        for slo in loaded.slos {
            let terms = Terms { slice: Step::DEFAULT, gap: GAP, instances_limit: 1_000 };
            let definition = Arc::new(definition(&slo, terms).unwrap());
            let observation = observed(&slo, &definition, world, store, overlap).await;
            all.push(Self { state: SloState::new(definition), observation, slo });
        }
        all
    }

    /// Whether its watermark stops here.
    pub fn judges_at(&self, at: Timestamp) -> bool {
        self.state.definition().pushdown.is_none_or(|step| at.floor_to(step) == at)
    }

    /// Goes on to the slice end `at`.
    pub fn advance(&mut self, at: Timestamp) {
        self.state.advance(&self.observation, at);
    }

    /// Everything that rules say, too, about windows that begin alike in both.
    pub fn figures(&self, at: Timestamp) -> Figures {
        let mut figures = Figures::default();
        let definition = self.state.definition();
        for (group, instance) in self.state.instances() {
            let own = instance_definition(definition, group);
            let mut labels = group.clone();
            labels.insert("slo_service", &self.slo.id.service);
            labels.insert("slo_name", &self.slo.id.name);
            let mut record = |name: &str, window: Option<Length>, value: f64| {
                let mut labels = labels.clone();
                if let Some(window) = window {
                    labels.insert("window", window.to_string());
                }
                figures.records.insert((name.to_owned(), labels), value);
            };
            record("slo_objective_ratio", None, 1.0 - own.budget);
            let mut lengths = vec![Length::from_minutes(5), Length::from_hours(1), definition.window];
            lengths.extend(definition.tiers.iter().flat_map(|tier| windows(&tier.kind)));
            for length in lengths.into_iter().filter(|length| begins_alike(*length, at)) {
                let window = instance.window(length);
                record(&format!("slo:total_events:increase{length}"), None, window.total);
                record(&format!("slo:bad_events:increase{length}"), None, window.bad);
                record(&format!("slo:good_events:increase{length}"), None, window.total - window.bad);
                record("slo_error_ratio", Some(length), window.share);
                record("slo_burn_rate", Some(length), window.share / own.budget);
            }
            if begins_alike(definition.window, at) {
                record("slo_error_budget_remaining_ratio", None, instance.budget().remaining);
            }
            let mut verdict = Verdict::default();
            self.state.judge(instance, TierSet::default(), &mut verdict);
            for (tier, said) in definition.tiers.iter().zip(&verdict.tiers) {
                if windows(&tier.kind).chain([definition.window]).all(|length| begins_alike(length, at)) {
                    let key = (alert_name(&tier.kind), severity(tier.severity), group.clone());
                    let starts = starts(tier, instance).unwrap_or(said.matches && said.gates_hold);
                    *figures.alerts.entry(key).or_default() |= starts;
                }
            }
        }
        figures
    }
}

/// The conditions of SEMANTICS 5 that are a comparison of figures; `None`: the engine's own word.
fn starts(tier: &Tier, instance: &Instance) -> Option<bool> {
    let budget = instance.budget();
    let matches = match tier.kind {
        Kind::SliBelow { over, threshold, .. } => exceeds(instance.window(over).share, threshold),
        Kind::BudgetLeft { below } => exceeds(below, budget.remaining),
        Kind::BudgetDrop { drop, over } => exceeds(instance.window(over).bad, drop * budget.allowed),
        Kind::NoTraffic { over, min_total } => !exceeds(instance.window(over).total, min_total),
        Kind::Burn { .. } | Kind::Exhausts { .. } | Kind::Down { .. } | Kind::NoData { .. } => return None,
    };
    let window = instance.window(tier.kind.window()?);
    Some(matches && window.bad >= tier.gates.min_bad && window.total >= tier.gates.min_total)
}

/// Whether a window that ends here begins at the same time in rules (SEMANTICS 1).
pub fn begins_alike(length: Length, at: Timestamp) -> bool {
    let step = if length <= Length::from_hours(6) {
        Length::from_seconds(30)
    } else if length <= Length::from_days(4) {
        Length::from_minutes(5)
    } else {
        Length::from_hours(1)
    };
    at.floor_to(step) == at
}

fn windows(kind: &Kind) -> impl Iterator<Item = Length> {
    [kind.window(), kind.confirm()].into_iter().flatten()
}

const fn alert_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Burn { .. } | Kind::SliBelow { .. } => "SLOBurn",
        Kind::Exhausts { .. } | Kind::BudgetLeft { .. } | Kind::BudgetDrop { .. } => "SLOBudget",
        Kind::Down { .. } => "SLODown",
        Kind::NoData { .. } | Kind::NoTraffic { .. } => "SLONoData",
    }
}

const fn severity(severity: AlertSeverity) -> &'static str {
    severity.name()
}

/// Its own objective, where an override has one.
fn instance_definition(definition: &Arc<Definition>, group: &Labels) -> Arc<Definition> {
    let matches = |wanted: &BTreeMap<String, String>| wanted.iter().all(|(name, value)| group.get(name) == Some(value));
    let own = definition.overrides.iter().find(|own| matches(&own.matches));
    own.map_or_else(|| Arc::clone(definition), |own| Arc::clone(&own.definition))
}

async fn observed(slo: &Slo, definition: &Definition, world: &World, store: &Store, overlap: Length) -> Observation {
    let to = world.end;
    let from = to - definition.window.max(Length::from_days(7)) - Length::from_hours(2);
    let mut observation = Observation { from, to, ..Observation::default() };
    match &slo.sli {
        Sli::Exact { events, total, .. } => {
            for (labels, samples) in &world.series {
                let roles = Roles { events: events.matches(labels), total: total.matches(labels), alive: false };
                if roles.events || roles.total {
                    observation.series.push(series(labels, samples, roles));
                }
            }
        }
        Sli::Pushdown { events, total, step, .. } => {
            let begin = from.ceil_to(*step);
            let [events, total] = [asked(events, *step, overlap), asked(total, *step, overlap)];
            let events = (store.range(&events.0, begin, to, *step).await, events.1);
            let total = (store.range(&total.0, begin, to, *step).await, total.1);
            observation.points = joined(&events, &total);
        }
        Sli::Gauge { query, bound, .. } => {
            let values = store.range(query, from.ceil_to(Length::from_seconds(30)), to, Length::from_seconds(30)).await;
            observation.points = weighed(&values, &slo.by, |value| f64::from(u8::from(!is_good(*bound, value))));
        }
        Sli::Ratio { query } => {
            let values = store.range(query, from.ceil_to(Length::from_seconds(30)), to, Length::from_seconds(30)).await;
            observation.points = weighed(&values, &slo.by, |value| value.clamp(0.0, 1.0));
        }
    }
    observation
}

fn series(labels: &Labels, samples: &[(i64, f64)], roles: Roles) -> SeriesSamples {
    let samples = samples.iter().map(|(at, value)| Sample { at: Timestamp::from_millis(*at), value: *value });
    SeriesSamples {
        fingerprint: labels.fingerprint(),
        labels: Arc::new(labels.clone()),
        roles,
        samples: samples.collect(),
    }
}

/// The query of one step, and what its value is multiplied by.
fn asked(query: &PushdownQuery, step: Length, overlap: Length) -> (String, f64) {
    let factor = match query.unit {
        Unit::Rate => step.seconds_f64(),
        Unit::Count => step.seconds_f64() / (step + overlap).seconds_f64(),
    };
    (query.text.replace("$window", &(step + overlap).to_string()), factor)
}

fn joined(events: &(Answer, f64), total: &(Answer, f64)) -> Vec<Point> {
    let mut points: BTreeMap<Timestamp, Point> = BTreeMap::new();
    for ((answer, factor), is_total) in [(events, false), (total, true)] {
        for (at, value) in answer.iter().flat_map(|(_, values)| values) {
            let empty = Point { at: *at, group: Labels::new(), events: None, total: None };
            let point = points.entry(*at).or_insert(empty);
            *(if is_total { &mut point.total } else { &mut point.events }) = Some(value * factor);
        }
    }
    points.into_values().collect()
}

/// One event for each value.
fn weighed(values: &Answer, by: &[String], bad: impl Fn(f64) -> f64) -> Vec<Point> {
    let mut counts: BTreeMap<(Timestamp, Labels), (f64, f64)> = BTreeMap::new();
    for (labels, values) in values {
        for (at, value) in values.iter().filter(|(_, value)| !value.is_nan()) {
            let count = counts.entry((*at, labels.project(by))).or_default();
            *count = (count.0 + bad(*value), count.1 + 1.0);
        }
    }
    let point = |((at, group), (bad, total))| Point { at, group, events: Some(bad), total: Some(total) };
    counts.into_iter().map(point).collect()
}

fn is_good(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::Below(most) => value <= most,
        Bound::Above(least) => value >= least,
        Bound::Equals(only) => (value - only).abs() < 1e-9,
    }
}

/// `i` of the configuration.
pub const fn overlap() -> Length {
    Length::from_seconds(EVERY)
}

impl Truth {
    /// Whether a tier or the budget looks at this window.
    pub fn looks_at(&self, length: Length) -> bool {
        let definition = self.state.definition();
        let mut all = definition.tiers.iter().flat_map(|tier| windows(&tier.kind));
        definition.window == length || all.any(|window| window == length)
    }
}
