//! Which SLOs a series counts for, and as what; worked out once per label set.
//!
//! Why this way: a thousand SLOs and ten thousand series are ten million tests a tick if each is tried on each. Rules
//! are found by an equality matcher through an index, so a series is tested on the few rules that name one of its
//! values, and the outcome is kept by the fingerprint of its labels.
//! Invariant: what is kept is only ever a copy of what the rules say; forgetting it changes nothing but time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::engine::observation::Roles;
use crate::spec::selector::{Operation, Selector};
use crate::units::Labels;

/// An SLO by its place in the plan, and what a series counts for in it.
pub type Route = (usize, Roles);

/// Ticks after which a label set that was not seen is forgotten.
const KEPT_TICKS: u64 = 20;

/// Rules of one metric.
#[derive(Debug, Default)]
struct Metric {
    /// By label and value of one equality matcher of the rule.
    indexed: BTreeMap<String, HashMap<String, Vec<usize>>>,
    /// Rules without an equality matcher.
    rest: Vec<usize>,
}

#[derive(Debug)]
struct Rule {
    slo: usize,
    roles: Roles,
    selector: Selector,
}

/// Finds the SLOs of a series.
#[derive(Debug, Default)]
pub struct Router {
    rules: Vec<Rule>,
    metrics: HashMap<String, Metric>,
    known: HashMap<u64, (Arc<[Route]>, u64)>,
    tick: u64,
}

impl Router {
    /// Of these selectors: the SLO's place, what a series counts for, and which series.
    pub(crate) fn new<'a>(rules: impl IntoIterator<Item = (usize, Roles, &'a Selector)>) -> Self {
        let rules: Vec<Rule> =
            rules.into_iter().map(|(slo, roles, selector)| Rule { slo, roles, selector: selector.clone() }).collect();
        let mut frequency: HashMap<(&str, &str, &str), usize> = HashMap::new();
        for rule in &rules {
            for (name, value) in equalities(&rule.selector) {
                *frequency.entry((&rule.selector.metric, name, value)).or_default() += 1;
            }
        }
        let mut metrics: HashMap<String, Metric> = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            let metric = metrics.entry(rule.selector.metric.clone()).or_default();
            // The rarest value leaves the fewest rules to test.
            let rarest = equalities(&rule.selector)
                .min_by_key(|(name, value)| frequency.get(&(rule.selector.metric.as_str(), *name, *value)).copied());
            match rarest {
                Some((name, value)) => {
                    let values = metric.indexed.entry(name.to_owned()).or_default();
                    values.entry(value.to_owned()).or_default().push(index);
                }
                None => metric.rest.push(index),
            }
        }
        Self { rules, metrics, known: HashMap::new(), tick: 0 }
    }

    /// The SLOs for which a series with these labels counts, ascending; `fingerprint` is that of the labels.
    pub fn route(&mut self, labels: &Labels, fingerprint: u64) -> Arc<[Route]> {
        if let Some((routes, seen)) = self.known.get_mut(&fingerprint) {
            *seen = self.tick;
            return Arc::clone(routes);
        }
        let routes = self.find(labels);
        self.known.insert(fingerprint, (Arc::clone(&routes), self.tick));
        routes
    }

    /// A tick has passed: label sets that were not seen for long are forgotten, so that churn does not fill memory.
    pub fn turn(&mut self) {
        self.tick += 1;
        let tick = self.tick;
        if tick.is_multiple_of(KEPT_TICKS) {
            self.known.retain(|_, (_, seen)| *seen + KEPT_TICKS > tick);
        }
    }

    fn find(&self, labels: &Labels) -> Arc<[Route]> {
        let Some(metric) = labels.get("__name__").and_then(|name| self.metrics.get(name)) else {
            return Arc::new([]);
        };
        let by_value = metric
            .indexed
            .iter()
            .filter_map(|(label, values)| values.get(labels.get(label).unwrap_or_default()))
            .flatten();
        let mut routes: BTreeMap<usize, Roles> = BTreeMap::new();
        for rule in by_value.chain(&metric.rest).filter_map(|index| self.rules.get(*index)) {
            if rule.selector.matches(labels) {
                let roles = routes.entry(rule.slo).or_default();
                roles.events |= rule.roles.events;
                roles.total |= rule.roles.total;
                roles.alive |= rule.roles.alive;
            }
        }
        routes.into_iter().collect()
    }
}

fn equalities(selector: &Selector) -> impl Iterator<Item = (&str, &str)> {
    let equal = selector.matchers.iter().filter(|matcher| matcher.operation == Operation::Equal);
    equal.map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::selector::Matcher;

    const EVENTS: Roles = Roles { events: true, total: false, alive: false };
    const TOTAL: Roles = Roles { events: false, total: true, alive: false };

    fn selector(metric: &str, matchers: &[(&str, Operation, &str)]) -> Selector {
        let matchers = matchers.iter().map(|(name, op, value)| Matcher::new(name, *op, value).unwrap()).collect();
        Selector { metric: metric.to_owned(), matchers, bucket: None }
    }

    fn route(router: &mut Router, labels: &Labels) -> Vec<Route> {
        router.route(labels, labels.fingerprint()).to_vec()
    }

    #[test]
    fn a_series_has_all_its_roles_in_all_its_slos() {
        let bad = selector("r", &[("job", Operation::Equal, "a"), ("code", Operation::Match, "5..")]);
        let total = selector("r", &[("job", Operation::Equal, "a")]);
        let all = selector("r", &[]);
        let mut router = Router::new([(0, EVENTS, &bad), (0, TOTAL, &total), (3, TOTAL, &all)]);
        let both = Roles { events: true, total: true, alive: false };
        let failed = Labels::from([("__name__", "r"), ("job", "a"), ("code", "503")]);
        assert_eq!(route(&mut router, &failed), [(0, both), (3, TOTAL)]);
        assert_eq!(route(&mut router, &failed), [(0, both), (3, TOTAL)], "the same from memory");
        assert_eq!(route(&mut router, &Labels::from([("__name__", "r"), ("job", "b")])), [(3, TOTAL)]);
        assert_eq!(route(&mut router, &Labels::from([("__name__", "s"), ("job", "a")])), []);
    }

    #[test]
    fn an_equality_with_nothing_is_found_too() {
        let without = selector("r", &[("zone", Operation::Equal, "")]);
        let mut router = Router::new([(0, TOTAL, &without)]);
        assert_eq!(route(&mut router, &Labels::from([("__name__", "r")])), [(0, TOTAL)]);
        assert_eq!(route(&mut router, &Labels::from([("__name__", "r"), ("zone", "x")])), []);
    }

    #[test]
    fn forgetting_changes_nothing() {
        let all = selector("r", &[]);
        let mut router = Router::new([(0, TOTAL, &all)]);
        let labels = Labels::from([("__name__", "r")]);
        route(&mut router, &labels);
        (0..3 * KEPT_TICKS).for_each(|_| router.turn());
        assert!(router.known.is_empty());
        assert_eq!(route(&mut router, &labels), [(0, TOTAL)]);
    }

    #[test]
    fn a_thousand_slos_cost_a_series_a_handful_of_tests() {
        let selectors: Vec<Selector> = (0..1_000)
            .map(|i| selector("r", &[("job", Operation::Equal, "a"), ("slo", Operation::Equal, &i.to_string())]))
            .collect();
        let router = Router::new(selectors.iter().enumerate().map(|(slo, selector)| (slo, TOTAL, selector)));
        let metric = &router.metrics["r"];
        assert_eq!(metric.indexed.keys().collect::<Vec<_>>(), ["slo"]);
        assert_eq!(metric.indexed["slo"]["7"], [7]);
    }
}
