//! Merging selectors, so that every series is fetched once a tick whatever the number of SLOs (SEMANTICS 2, *Asking*).
//!
//! Invariants of what comes out: every series of every selector asked for is in exactly one query, as far as two
//! queries can be proved disjoint, and queries that cannot are joined; a query holds no more than its bounds. How many
//! series too many come along is bounded by the common matchers; they are filtered by the router.
//!
//! A thousand SLOs over one metric must not compare each with each: selectors that all name the values of a label are
//! split by those values first, and only what is left together is compared pair by pair.

use std::collections::BTreeMap;

use crate::plan::alternatives::{Alternatives, MAX_ALTERNATIVES, MAX_BYTES};
use crate::plan::shape::Shape;
use crate::spec::selector::Selector;

/// Above this many selectors that no label tells apart, the common matchers are asked for at once.
const PAIRWISE: usize = 400;

/// A query, and which of the selectors asked for it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merged {
    pub(crate) selector: Selector,
    pub(crate) members: Vec<usize>,
}

/// Queries that together fetch every series of `selectors` once; in a stable order.
pub(crate) fn merge(selectors: &[&Selector]) -> Vec<Merged> {
    let mut metrics: BTreeMap<&str, Vec<Shape>> = BTreeMap::new();
    for (index, selector) in selectors.iter().enumerate() {
        metrics.entry(&selector.metric).or_default().push(Shape::of(selector, index));
    }
    let mut queries = Vec::new();
    for (metric, shapes) in metrics {
        for shape in combine(settle(shapes)) {
            let mut members = shape.members.clone();
            members.sort_unstable();
            // The bounds on alternatives keep an expression far below the library's limit; should one be refused all
            // the same, the bare metric holds every series.
            let selector = shape.selector(metric).unwrap_or_else(|_| Selector {
                metric: metric.to_owned(),
                matchers: Vec::new(),
                bucket: None,
            });
            queries.push(Merged { selector, members });
        }
    }
    queries
}

/// Joins what may overlap until nothing does.
fn settle(mut shapes: Vec<Shape>) -> Vec<Shape> {
    loop {
        let before = shapes.len();
        shapes = components(shapes).into_iter().flat_map(join_overlapping).collect();
        // Joining may drop a matcher that told two apart, so it is looked at again until the number stands.
        if shapes.len() == before {
            return shapes;
        }
    }
}

/// Splits by the values of labels that every shape names, as long as that tells any apart.
fn components(shapes: Vec<Shape>) -> Vec<Vec<Shape>> {
    let mut open = vec![shapes];
    let mut done = Vec::new();
    while let Some(shapes) = open.pop() {
        let labels: Vec<String> =
            shapes.first().map(|shape| shape.allowed.keys().cloned().collect()).unwrap_or_default();
        let mut whole = Some(shapes);
        for label in labels {
            let Some(shapes) = whole.take() else { break };
            match split_by(shapes, &label) {
                Ok(parts) => open.extend(parts),
                Err(shapes) => whole = Some(shapes),
            }
        }
        done.extend(whole);
    }
    done.reverse();
    done
}

/// The parts that share no value of `label`; the shapes back where it does not split them.
fn split_by(shapes: Vec<Shape>, label: &str) -> Result<Vec<Vec<Shape>>, Vec<Shape>> {
    let plain = |shape: &Shape| shape.allowed.get(label).is_some_and(|values| values.patterns.is_empty());
    if shapes.len() < 2 || !shapes.iter().all(plain) {
        return Err(shapes);
    }
    let mut sets = Sets::new(shapes.len());
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, shape) in shapes.iter().enumerate() {
        for literal in shape.allowed.get(label).into_iter().flat_map(|values| &values.literals) {
            let owner = *owners.entry(literal).or_insert(index);
            sets.join(owner, index);
        }
    }
    let parts = sets.group(shapes);
    if parts.len() > 1 { Ok(parts) } else { Err(parts.into_iter().flatten().collect()) }
}

/// Leaves out what another holds, and joins those that may overlap to one each.
fn join_overlapping(shapes: Vec<Shape>) -> Vec<Shape> {
    if shapes.len() > PAIRWISE {
        return shapes.into_iter().reduce(|all, shape| all.hull(&shape)).into_iter().collect();
    }
    let shapes = without_covered(shapes);
    let mut sets = Sets::new(shapes.len());
    for (left, a) in shapes.iter().enumerate() {
        for (right, b) in shapes.iter().enumerate().skip(left + 1) {
            if !a.is_disjoint(b) {
                sets.join(left, right);
            }
        }
    }
    let clusters = sets.group(shapes);
    clusters.into_iter().filter_map(|cluster| cluster.into_iter().reduce(|all, shape| all.hull(&shape))).collect()
}

/// Hands the members of every shape that another covers to the one that does.
fn without_covered(shapes: Vec<Shape>) -> Vec<Shape> {
    let mut kept: Vec<Shape> = Vec::with_capacity(shapes.len());
    for mut shape in shapes {
        if let Some(wider) = kept.iter_mut().find(|kept| kept.covers(&shape)) {
            wider.members.append(&mut shape.members);
            continue;
        }
        let (covered, rest): (Vec<Shape>, Vec<Shape>) = kept.into_iter().partition(|kept| shape.covers(kept));
        shape.members.extend(covered.into_iter().flat_map(|narrow| narrow.members));
        kept = rest;
        kept.push(shape);
    }
    kept
}

/// Asks shapes that differ in one label alone as one: `job=~"a|b|c"`. Label by label, most merging first.
fn combine(mut shapes: Vec<Shape>) -> Vec<Shape> {
    loop {
        let mut labels: Vec<&String> = shapes.iter().flat_map(|shape| shape.allowed.keys()).collect();
        labels.sort_unstable();
        labels.dedup();
        let combined = labels.into_iter().map(|label| combine_by(&shapes, label)).min_by_key(Vec::len);
        match combined {
            Some(fewer) if fewer.len() < shapes.len() => shapes = fewer,
            _ => return shapes,
        }
    }
}

fn combine_by(shapes: &[Shape], label: &str) -> Vec<Shape> {
    let mut groups: BTreeMap<String, Vec<&Shape>> = BTreeMap::new();
    let mut combined = Vec::new();
    for shape in shapes {
        if shape.allowed.contains_key(label) {
            groups.entry(shape.without(label)).or_default().push(shape);
        } else {
            combined.push(shape.clone());
        }
    }
    for group in groups.into_values() {
        let mut open: Option<Shape> = None;
        for shape in group {
            open = Some(match open.take() {
                None => shape.clone(),
                Some(before) if fits(&before, shape, label) => before.hull(shape),
                Some(full) => {
                    combined.push(full);
                    shape.clone()
                }
            });
        }
        combined.extend(open);
    }
    combined
}

fn fits(a: &Shape, b: &Shape, label: &str) -> bool {
    let size = |shape: &Shape, of: fn(&Alternatives) -> usize| shape.allowed.get(label).map(of).unwrap_or_default();
    size(a, Alternatives::len) + size(b, Alternatives::len) <= MAX_ALTERNATIVES
        && size(a, Alternatives::bytes) + size(b, Alternatives::bytes) <= MAX_BYTES
}

/// Disjoint sets of indexes (union-find with path halving).
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&mut self, mut index: usize) -> usize {
        while let Some(&parent) = self.0.get(index)
            && parent != index
        {
            let grandparent = self.0.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.0.get_mut(index) {
                *slot = grandparent;
            }
            index = grandparent;
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }

    /// The items of each set, in their order.
    fn group<T>(mut self, items: Vec<T>) -> Vec<Vec<T>> {
        let mut groups: BTreeMap<usize, Vec<T>> = BTreeMap::new();
        for (index, item) in items.into_iter().enumerate() {
            groups.entry(self.root(index)).or_default().push(item);
        }
        groups.into_values().collect()
    }
}

/// Which indexes belong together when each list in `links` ties its members: connected components, in a stable order.
pub(crate) fn connected(count: usize, links: impl IntoIterator<Item = Vec<usize>>) -> Vec<Vec<usize>> {
    let mut sets = Sets::new(count);
    for link in links {
        for pair in link.windows(2) {
            if let [a, b] = pair {
                sets.join(*a, *b);
            }
        }
    }
    sets.group((0..count).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::selector::{Matcher, Operation};
    use crate::units::Labels;

    fn selector(text: &str) -> Selector {
        let (metric, rest) = text.split_once('{').unwrap_or((text, "}"));
        let matchers = rest
            .trim_end_matches('}')
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let at = part.find(['=', '!']).unwrap();
                let (name, rest) = part.split_at(at);
                let length = if rest.starts_with("=\"") { 1 } else { 2 };
                let (operator, value) = rest.split_at(length);
                let operation = match operator {
                    "=" => Operation::Equal,
                    "!=" => Operation::NotEqual,
                    "=~" => Operation::Match,
                    _ => Operation::NotMatch,
                };
                Matcher::new(name, operation, value.trim_matches('"')).unwrap()
            })
            .collect();
        Selector { metric: metric.to_owned(), matchers, bucket: None }
    }

    fn merged(texts: &[&str]) -> Vec<String> {
        let selectors: Vec<Selector> = texts.iter().map(|text| selector(text)).collect();
        let mut texts: Vec<String> =
            merge(&selectors.iter().collect::<Vec<_>>()).iter().map(|query| query.selector.to_string()).collect();
        texts.sort();
        texts
    }

    #[test]
    fn a_numerator_inside_its_total_is_not_asked_again() {
        assert_eq!(merged(&[r#"r{job="a",code=~"5.."}"#, r#"r{job="a"}"#]), [r#"r{job="a"}"#]);
        assert_eq!(merged(&[r#"r{job="a"}"#, r#"r{job="a"}"#]), [r#"r{job="a"}"#]);
        assert_eq!(merged(&[r#"r{job="a"}"#, "r"]), ["r"]);
    }

    #[test]
    fn services_of_one_shape_are_one_query() {
        assert_eq!(merged(&[r#"r{job="a"}"#, r#"r{job="b.c"}"#, r#"r{job="d"}"#]), [r#"r{job=~"a|b\\.c|d"}"#]);
        assert_eq!(merged(&[r#"r{job="a"}"#, r#"s{job="a"}"#]).len(), 2);
    }

    #[test]
    fn good_and_bad_of_one_metric_stay_apart_where_that_is_certain() {
        assert_eq!(merged(&[r#"r{code="200"}"#, r#"r{code=~"5.."}"#]), [r#"r{code=~"200|(?:5..)"}"#]);
        assert_eq!(merged(&[r#"r{a="1",code="200"}"#, r#"r{a="2",code=~"5.."}"#]).len(), 2);
        assert_eq!(merged(&[r#"r{code=~"5.."}"#, r#"r{code!~"5.."}"#]).len(), 2);
    }

    #[test]
    fn what_may_overlap_falls_back_to_the_common_matchers() {
        assert_eq!(merged(&[r#"r{job="a",code!="200"}"#, r#"r{job="a",path!="/x"}"#]), [r#"r{job="a"}"#]);
        assert_eq!(
            merged(&[r#"r{job="a",code!="200"}"#, r#"r{job="a",path!="/x"}"#, r#"r{job="b"}"#]),
            [r#"r{job=~"a|b"}"#]
        );
    }

    #[test]
    fn a_thousand_services_are_a_handful_of_bounded_queries() {
        let selectors: Vec<Selector> = (0..1_000)
            .flat_map(|i| {
                [selector(&format!(r#"r{{slo="{i}",code=~"5.."}}"#)), selector(&format!(r#"r{{slo="{i}"}}"#))]
            })
            .collect();
        let queries = merge(&selectors.iter().collect::<Vec<_>>());
        assert_eq!(queries.len(), 5);
        assert_eq!(queries.iter().map(|query| query.members.len()).sum::<usize>(), 2_000);
    }

    #[test]
    fn many_that_nothing_tells_apart_become_one() {
        let selectors: Vec<Selector> = (0..500).map(|i| selector(&format!(r#"r{{job="a",x!="{i}"}}"#))).collect();
        let queries = merge(&selectors.iter().collect::<Vec<_>>());
        assert_eq!(queries.len(), 1);
        assert_eq!(queries[0].selector.to_string(), r#"r{job="a"}"#);
    }

    #[test]
    fn connected_components() {
        assert_eq!(connected(5, [vec![0, 3], vec![1, 2]]), [vec![0, 3], vec![1, 2], vec![4]]);
    }

    fn any_selector() -> impl Strategy<Value = Selector> {
        let matcher = (
            prop::sample::select(vec!["a", "b", "c"]),
            prop::sample::select(vec![Operation::Equal, Operation::NotEqual, Operation::Match, Operation::NotMatch]),
            prop::sample::select(vec!["1", "2", "1|2", "2|3", ".", "1.*", "", "|3"]),
        );
        (prop::sample::select(vec!["m", "n"]), prop::collection::vec(matcher, 0..4)).prop_map(|(metric, matchers)| {
            Selector {
                metric: metric.to_owned(),
                matchers: matchers
                    .into_iter()
                    .map(|(name, op, value)| Matcher::new(name, op, value).unwrap())
                    .collect(),
                bucket: None,
            }
        })
    }

    proptest! {
        #[test]
        fn every_series_asked_for_is_fetched_exactly_once(selectors in prop::collection::vec(any_selector(), 1..12)) {
            let queries = merge(&selectors.iter().collect::<Vec<_>>());
            for metric in ["m", "n"] {
                for values in 0..64_usize {
                    let value = |shift: usize| ["", "1", "2", "3"][values >> shift & 3];
                    let labels: Labels = [("__name__", metric), ("a", value(0)), ("b", value(2)), ("c", value(4))]
                        .into_iter().filter(|(_, value)| !value.is_empty())
                        .map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    let wanted: Vec<usize> = (0..selectors.len()).filter(|i| selectors[*i].matches(&labels)).collect();
                    let fetched = queries.iter().filter(|query| query.selector.matches(&labels)).count();
                    prop_assert!(fetched <= 1, "{labels} is fetched {fetched} times");
                    if !wanted.is_empty() {
                        prop_assert_eq!(fetched, 1, "{} is not fetched", labels);
                    }
                    for query in queries.iter().filter(|query| query.selector.matches(&labels)) {
                        prop_assert!(wanted.iter().all(|member| query.members.contains(member)));
                    }
                }
            }
        }
    }
}
