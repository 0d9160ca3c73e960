//! Which questions to ask a source, each once, and whose the answers are.
//!
//! Why this way: the load on a store must depend on its series, not on the number of SLOs. So the selectors of all SLOs
//! of a source are merged into few queries, every series is fetched once a tick, and the samples are shared between
//! the SLOs that they count for. Pure: it sends nothing and reads no clock.
//! Invariants: two queries of a plan have no series in common; an observation holds every fetched series that its SLO's
//! selectors match, and no other.

mod alternatives;
mod merge;
pub mod pushdown;
pub mod route;
mod shape;
mod time_weighted;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::config::meant::{Flavour, SourceConfig, SourceKind};
use crate::engine::observation::{Observation, Roles, SeriesSamples};
use crate::plan::merge::{Merged, connected, merge};
use crate::plan::pushdown::{Meaning, Pushdown, Question, filled, question};
use crate::plan::route::{Route, Router};
use crate::spec::meant::{Alive, Sli, Slo};
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::units::{Labels, Length, Step, Timestamp};

/// Targets named in one query of start times.
const TARGETS_PER_QUERY: usize = 100;

/// One query for raw samples, asked once a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is asked.
    pub selector: Selector,
    /// Places of the SLOs that need it, ascending: without its answer their watermark stands still.
    pub slos: Vec<usize>,
    /// Whether it is needed for `alive` alone.
    pub alive_only: bool,
}

/// All questions to one source.
#[derive(Debug)]
pub struct Plan {
    slos: Vec<Arc<Slo>>,
    queries: Vec<Query>,
    questions: Vec<Question>,
    pushdowns: Vec<Option<Pushdown>>,
    families: Vec<Vec<usize>>,
    router: Router,
}

const EVENTS: Roles = Roles { events: true, total: false, alive: false };
const TOTAL: Roles = Roles { events: false, total: true, alive: false };
const ALIVE: Roles = Roles { events: false, total: false, alive: true };

impl Plan {
    /// The plan of these SLOs, all of one source; an SLO is known by its place in `slos`. `overlap` is `i` of pushdown
    /// queries, see [`overlap`]; what is weighted by time is asked at each end of a `slice`.
    #[must_use]
    pub fn new(slos: &[Arc<Slo>], overlap: Length, slice: Step) -> Self {
        let selectors: Vec<(usize, Roles, &Selector)> =
            slos.iter().enumerate().flat_map(|(place, slo)| selectors_of(place, slo)).collect();
        let merged = merge(&selectors.iter().map(|(_, _, selector)| *selector).collect::<Vec<_>>());
        let queries: Vec<Query> = merged.into_iter().map(|query| owned(query, &selectors)).collect();
        let (questions, pushdowns) = pushdowns(slos, overlap, slice.length());
        let families = families(slos.len(), &queries);
        Self { slos: slos.to_vec(), queries, questions, pushdowns, families, router: Router::new(selectors) }
    }

    /// One plan for each source that is configured and has SLOs, by its name.
    #[must_use]
    pub fn by_source(
        slos: &[Arc<Slo>],
        sources: &BTreeMap<String, SourceConfig>,
        slice: Step,
    ) -> BTreeMap<String, Self> {
        let mut groups: BTreeMap<&String, Vec<Arc<Slo>>> = BTreeMap::new();
        for slo in slos {
            groups.entry(&slo.source).or_default().push(Arc::clone(slo));
        }
        groups
            .into_iter()
            .filter_map(|(name, slos)| {
                sources.get(name).map(|source| (name.clone(), Self::new(&slos, overlap(source), slice)))
            })
            .collect()
    }

    /// The SLOs, in their places.
    #[must_use]
    pub fn slos(&self) -> &[Arc<Slo>] {
        &self.slos
    }

    /// Queries for raw samples.
    #[must_use]
    pub fn queries(&self) -> &[Query] {
        &self.queries
    }

    /// PromQL for pushdown, each text once.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The questions of the SLO at `place`; `None` for an exact one.
    #[must_use]
    pub fn pushdown(&self, place: usize) -> Option<&Pushdown> {
        self.pushdowns.get(place)?.as_ref()
    }

    /// Places of queries whose past has to be read together, because an SLO needs them all: a series of one may decide
    /// over the birth of a series of the other. Queries for `alive` stand alone.
    #[must_use]
    pub fn families(&self) -> &[Vec<usize>] {
        &self.families
    }

    /// For which SLOs a series counts, and as what.
    pub fn route(&mut self, labels: &Labels, fingerprint: u64) -> Arc<[Route]> {
        self.router.route(labels, fingerprint)
    }

    /// The answers to all queries for `(from, to]`, one observation for each SLO in its place. Roles of `series` are
    /// filled in here; one that comes twice is taken once. Points, starts and the mark of another replica are added by
    /// the caller.
    pub fn observe(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        series: impl IntoIterator<Item = SeriesSamples>,
    ) -> Vec<Observation> {
        let mut observations: Vec<Observation> =
            self.slos.iter().map(|_| Observation { from, to, ..Observation::default() }).collect();
        let mut seen = HashSet::new();
        for series in series {
            if !seen.insert(series.fingerprint) {
                continue;
            }
            for (place, roles) in self.router.route(&series.labels, series.fingerprint).iter() {
                if let Some(observation) = observations.get_mut(*place) {
                    observation.series.push(SeriesSamples { roles: *roles, ..series.clone() });
                }
            }
        }
        self.router.turn();
        observations
    }
}

/// `i` of a source: what pushdown ranges reach back beyond the step (SEMANTICS 2, *Pushdown mode*).
#[must_use]
pub fn overlap(source: &SourceConfig) -> Length {
    match source.kind {
        // Its range functions look at the sample before the range by themselves.
        SourceKind::Prometheus { flavour: Flavour::VictoriaMetrics, .. } => Length::ZERO,
        SourceKind::Prometheus { .. } | SourceKind::Scrape { .. } => source.interval,
    }
}

/// Selectors that fetch `process_start_time_seconds` of `targets`, see [`target_selectors`].
#[must_use]
pub fn start_selectors(targets: &[Labels]) -> Vec<Selector> {
    target_selectors("process_start_time_seconds", targets)
}

/// Selectors that fetch `metric` of `targets` (their labels `job` and `instance`), a bounded number of targets each. A
/// target with neither label is left out.
#[must_use]
pub fn target_selectors(metric: &str, targets: &[Labels]) -> Vec<Selector> {
    let mut jobs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for target in targets.iter().filter(|target| !target.is_empty()) {
        jobs.entry(target.get("job").unwrap_or_default()).or_default().push(target.get("instance").unwrap_or_default());
    }
    let mut selectors = Vec::new();
    for (job, mut instances) in jobs {
        instances.sort_unstable();
        instances.dedup();
        for some in instances.chunks(TARGETS_PER_QUERY) {
            let names: Vec<String> = some.iter().map(|name| regex::escape(name)).collect();
            let matchers = [("job", Operation::Equal, job.to_owned()), ("instance", Operation::Match, names.join("|"))]
                .into_iter()
                .filter_map(|(name, operation, value)| Matcher::new(name, operation, &value).ok())
                .collect();
            selectors.push(Selector { metric: metric.to_owned(), matchers, bucket: None });
        }
    }
    selectors
}

fn selectors_of(place: usize, slo: &Slo) -> Vec<(usize, Roles, &Selector)> {
    let mut selectors = Vec::new();
    if let Sli::Exact { events, total, .. } = &slo.sli {
        selectors.push((place, EVENTS, events));
        selectors.push((place, TOTAL, total));
    }
    if let Alive::Selector(alive) = &slo.alive {
        selectors.push((place, ALIVE, alive));
    }
    selectors
}

fn owned(merged: Merged, selectors: &[(usize, Roles, &Selector)]) -> Query {
    let members = || merged.members.iter().filter_map(|member| selectors.get(*member));
    let mut slos: Vec<usize> = members().map(|(place, _, _)| *place).collect();
    slos.sort_unstable();
    slos.dedup();
    let alive_only = members().all(|(_, roles, _)| roles.alive);
    Query { selector: merged.selector, slos, alive_only }
}

fn families(slos: usize, queries: &[Query]) -> Vec<Vec<usize>> {
    let mut links: Vec<Vec<usize>> = vec![Vec::new(); slos];
    for (place, query) in queries.iter().enumerate().filter(|(_, query)| !query.alive_only) {
        for slo in &query.slos {
            if let Some(link) = links.get_mut(*slo) {
                link.push(place);
            }
        }
    }
    connected(queries.len(), links)
}

fn pushdowns(slos: &[Arc<Slo>], overlap: Length, slice: Length) -> (Vec<Question>, Vec<Option<Pushdown>>) {
    let mut questions: Vec<Question> = Vec::new();
    let mut places: BTreeMap<Question, usize> = BTreeMap::new();
    let mut place_of = |question: Question| {
        *places.entry(question).or_insert_with_key(|question| {
            questions.push(question.clone());
            questions.len() - 1
        })
    };
    let pushdowns = slos
        .iter()
        .map(|slo| {
            let (events, total, step, meaning) = match &slo.sli {
                Sli::Exact { .. } => return None,
                Sli::Pushdown { events, total, step, .. } => {
                    let [numerator, all] =
                        [events, total].map(|query| place_of(question(query, *step, overlap, &slo.by)));
                    (numerator, all, *step, Meaning::Counts(events.unit, total.unit))
                }
                Sli::Gauge { query, bound, absent } => {
                    let place = place_of(filled(query, slice, overlap));
                    (place, place, slice, Meaning::Gauge(*bound, *absent))
                }
                Sli::Ratio { query } => {
                    // Weighted by time, so ranges may overlap; four scrapes, lest a target that is scraped half as often
                    // has no rate.
                    let range = (slice + overlap).max(overlap * 4);
                    let place = place_of(Question { step: slice, ..filled(query, range, Length::ZERO) });
                    (place, place, slice, Meaning::Ratio)
                }
            };
            Some(Pushdown { events, total, step, overlap, meaning, by: slo.by.clone() })
        })
        .collect();
    (questions, pushdowns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::engine::observation::Sample;
    use crate::spec::meant::{Absent, Alerting, Bound, Mode, Numerator, PushdownQuery, Unit};
    use crate::spec::policy::Policy;
    use crate::units::SloId;

    fn selector(metric: &str, matchers: &[(&str, &str)]) -> Selector {
        let matchers =
            matchers.iter().map(|(name, value)| Matcher::new(name, Operation::Match, value).unwrap()).collect();
        Selector { metric: metric.to_owned(), matchers, bucket: None }
    }

    fn slo(name: &str, sli: Sli, alive: Alive) -> Arc<Slo> {
        Arc::new(Slo {
            id: SloId::new("shop", name),
            description: String::new(),
            owner: None,
            labels: BTreeMap::new(),
            links: BTreeMap::new(),
            objective: "99.9%".parse().unwrap(),
            window: Length::from_days(30),
            source: "prometheus".to_owned(),
            sli,
            by: Vec::new(),
            overrides: Vec::new(),
            formerly: Vec::new(),
            review_by: None,
            alive,
            alerting: Alerting {
                policy: Arc::new(Policy {
                    name: String::new(),
                    description: String::new(),
                    tiers: Vec::new(),
                    periods: Vec::new(),
                    scale_below: None,
                    on_deploy: None,
                }),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                mode: Mode::Live,
                foreign: None,
            },
            place: Place { file: "slo.yaml".into(), line: 1, column: 1, end_line: 1, end_column: 2 },
        })
    }

    fn exact(events: Selector, total: Selector) -> Sli {
        Sli::Exact { numerator: Numerator::Bad, events, total }
    }

    fn series(labels: Labels, value: f64) -> SeriesSamples {
        SeriesSamples {
            fingerprint: labels.fingerprint(),
            labels: Arc::new(labels),
            roles: Roles::default(),
            samples: Arc::new([Sample { at: Timestamp::from_seconds(30), value }]),
        }
    }

    fn two_slos() -> Plan {
        let bad = |job: &str| selector("requests_total", &[("job", job), ("code", "5..")]);
        let total = |job: &str| selector("requests_total", &[("job", job)]);
        let up = |job: &str| Alive::Selector(selector("up", &[("job", job)]));
        let slos = [
            slo("a", exact(bad("a"), total("a")), up("a")),
            slo("b", exact(selector("failed_total", &[("job", "b")]), total("b")), up("b")),
        ];
        Plan::new(&slos, Length::ZERO, Step::DEFAULT)
    }

    #[test]
    fn queries_know_their_slos_and_families() {
        let plan = two_slos();
        let shown: Vec<_> =
            plan.queries().iter().map(|q| (q.selector.to_string(), q.slos.clone(), q.alive_only)).collect();
        assert_eq!(
            shown,
            [
                (r#"failed_total{job="b"}"#.to_owned(), vec![1], false),
                (r#"requests_total{job=~"a|b"}"#.to_owned(), vec![0, 1], false),
                (r#"up{job=~"a|b"}"#.to_owned(), vec![0, 1], true),
            ]
        );
        assert_eq!(plan.families(), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn samples_are_shared_and_carry_the_roles_of_each_slo() {
        let mut plan = two_slos();
        let bad = series(Labels::from([("__name__", "requests_total"), ("job", "a"), ("code", "500")]), 7.0);
        let other = series(Labels::from([("__name__", "requests_total"), ("job", "c")]), 1.0);
        let (from, to) = (Timestamp::from_seconds(0), Timestamp::from_seconds(30));
        let observations = plan.observe(from, to, [bad.clone(), other, bad.clone()]);
        assert_eq!(observations.len(), 2);
        assert_eq!((observations[0].from, observations[0].to), (from, to));
        assert_eq!(observations[0].series.len(), 1, "a series that comes twice is taken once");
        assert_eq!(observations[0].series[0].roles, Roles { events: true, total: true, alive: false });
        assert!(Arc::ptr_eq(&observations[0].series[0].samples, &bad.samples));
        assert!(observations[1].series.is_empty());
    }

    #[test]
    fn equal_pushdown_questions_are_asked_once() {
        let query = |text: &str| PushdownQuery { text: text.to_owned(), unit: Unit::Rate };
        let sli = |bad: &str| Sli::Pushdown {
            numerator: Numerator::Bad,
            events: query(bad),
            total: query("sum(rate(t[$window]))"),
            step: Length::from_minutes(1),
        };
        let slos = [slo("a", sli("x"), Alive::None), slo("b", sli("y"), Alive::None)];
        let plan = Plan::new(&slos, Length::from_seconds(30), Step::DEFAULT);
        assert_eq!(plan.questions().len(), 3);
        assert!(plan.queries().is_empty());
        assert_eq!(plan.pushdown(0).map(|p| p.total), plan.pushdown(1).map(|p| p.total));
    }

    #[test]
    fn what_is_weighted_by_time_is_asked_once_at_each_slice_end_and_not_summed() {
        let ratio = slo("a", Sli::Ratio { query: "sum by (x) (rate(e[$window]))".to_owned() }, Alive::None);
        let gauge = Sli::Gauge { query: "queue".to_owned(), bound: Bound::Below(9.0), absent: Absent::Ignore };
        let mut gauge = slo("b", gauge, Alive::None);
        Arc::make_mut(&mut gauge).by = vec!["x".to_owned()];
        let plan = Plan::new(&[ratio, gauge], Length::from_seconds(15), Step::DEFAULT);
        let asked: Vec<_> = plan.questions().iter().map(|question| (question.promql.as_str(), question.step)).collect();
        let slice = Length::from_seconds(30);
        assert_eq!(asked, [("sum by (x) (rate(e[1m]))", slice), ("queue", slice)]);
    }

    #[test]
    fn start_times_are_asked_for_some_targets_at_once() {
        let targets: Vec<Labels> =
            (0..150).map(|i| Labels::from([("job", "a"), ("instance", format!("h{i}:80").as_str())])).collect();
        let selectors = start_selectors(&targets);
        assert_eq!(selectors.len(), 2);
        let labels =
            |instance| Labels::from([("__name__", "process_start_time_seconds"), ("job", "a"), ("instance", instance)]);
        assert_eq!(selectors.iter().filter(|selector| selector.matches(&labels("h149:80"))).count(), 1);
    }
}
