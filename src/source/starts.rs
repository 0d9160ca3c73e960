//! Start times of targets, asked for when a series is born and its siblings do not decide (SEMANTICS 2, *Birth*).
//!
//! `process_start_time_seconds` is scraped with the newborn series, so its value at the birth is looked at, not one of
//! today. `_created` says when one series began, not when its target did; as a start counts for the whole target, it is
//! used only where all newborns of the target have one, and then the oldest.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::observation::Start;
use crate::plan::target_selectors;
use crate::source::{Newborn, Series, Source, SourceError};
use crate::units::{Labels, Length, Timestamp};

const PROCESS_START: &str = "process_start_time_seconds";

/// Newborns of the same hour are asked for together.
const TOGETHER: Length = Length::from_hours(1);

/// Start times that explain a birth of `newborns`, each once.
pub(crate) async fn starts(source: &dyn Source, newborns: &[Newborn], gap: Length) -> Result<Vec<Start>, SourceError> {
    let mut hours: BTreeMap<Timestamp, Vec<&Newborn>> = BTreeMap::new();
    for newborn in newborns {
        hours.entry(newborn.at.ceil_to(TOGETHER)).or_default().push(newborn);
    }
    let mut found = BTreeSet::new();
    for together in hours.values() {
        let targets: BTreeSet<Labels> = together.iter().map(|newborn| target_of(&newborn.labels)).collect();
        let series = fetch(source, PROCESS_START, &targets, together, gap).await?;
        let known: BTreeSet<Labels> = series.iter().map(|series| target_of(&series.labels)).collect();
        for series in &series {
            let target = target_of(&series.labels);
            for at in series.samples.iter().map(|sample| Timestamp::from_seconds_f64(sample.value)) {
                found.insert((target.clone(), at));
            }
        }
        let rest: Vec<&Newborn> =
            together.iter().filter(|newborn| !known.contains(&target_of(&newborn.labels))).copied().collect();
        found.extend(created(source, &rest, gap).await?);
    }
    let explains = |target: &Labels, at: Timestamp| {
        newborns
            .iter()
            .any(|newborn| at <= newborn.at && at > newborn.at - gap && target_of(&newborn.labels) == *target)
    };
    Ok(found
        .into_iter()
        .filter(|(target, at)| explains(target, *at))
        .map(|(target, at)| Start { target, at })
        .collect())
}

/// Series `metric` of `targets` around the births.
async fn fetch(
    source: &dyn Source,
    metric: &str,
    targets: &BTreeSet<Labels>,
    newborns: &[&Newborn],
    gap: Length,
) -> Result<Vec<Series>, SourceError> {
    let births = || newborns.iter().map(|newborn| newborn.at);
    let (Some(first), Some(last)) = (births().min(), births().max()) else { return Ok(Vec::new()) };
    let targets: Vec<Labels> = targets.iter().cloned().collect();
    let mut series = Vec::new();
    for selector in target_selectors(metric, &targets) {
        series.extend(source.samples(&selector, first - gap, last).await?.series);
    }
    Ok(series)
}

/// Starts by `_created`, for targets all of whose newborns have one.
async fn created(
    source: &dyn Source,
    newborns: &[&Newborn],
    gap: Length,
) -> Result<Vec<(Labels, Timestamp)>, SourceError> {
    let mut by_metric: BTreeMap<String, BTreeSet<Labels>> = BTreeMap::new();
    for newborn in newborns {
        if let Some(name) = created_labels(&newborn.labels).get("__name__") {
            by_metric.entry(name.to_owned()).or_default().insert(target_of(&newborn.labels));
        }
    }
    let mut known: BTreeMap<Labels, Vec<Series>> = BTreeMap::new();
    for (metric, targets) in by_metric {
        for series in fetch(source, &metric, &targets, newborns, gap).await? {
            known.entry((*series.labels).clone()).or_default().push(series);
        }
    }
    let mut oldest: BTreeMap<Labels, Option<Timestamp>> = BTreeMap::new();
    for newborn in newborns {
        let at = known
            .get(&created_labels(&newborn.labels))
            .into_iter()
            .flatten()
            .flat_map(|series| series.samples.iter())
            .rfind(|sample| sample.at <= newborn.at)
            .map(|sample| Timestamp::from_seconds_f64(sample.value));
        oldest.entry(target_of(&newborn.labels)).and_modify(|known| *known = (*known).min(at)).or_insert(at);
    }
    Ok(oldest.into_iter().filter_map(|(target, at)| at.map(|at| (target, at))).collect())
}

/// `job` and `instance` of a series, those that it has.
fn target_of(labels: &Labels) -> Labels {
    let names = ["instance", "job"];
    let pairs = names.into_iter().filter_map(|name| labels.get(name).map(|value| (name.to_owned(), value.to_owned())));
    pairs.collect()
}

/// Labels of the `_created` series of a counter, or of the buckets and count of a histogram.
fn created_labels(labels: &Labels) -> Labels {
    let mut created = labels.clone();
    created.remove("le");
    if let Some(name) = created.remove("__name__") {
        let base = ["_total", "_bucket", "_count", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        created.insert("__name__", format!("{}_created", base.unwrap_or(&name)));
    }
    created
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::observation::Sample;
    use crate::source::memory::Memory;

    const GAP: Length = Length::from_minutes(5);

    fn labels(name: &str, instance: &str) -> Labels {
        Labels::from([("__name__", name), ("job", "a"), ("instance", instance)])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn newborn(name: &str, instance: &str, seconds: i64) -> Newborn {
        Newborn { labels: Arc::new(labels(name, instance)), at: at(seconds) }
    }

    fn memory(series: &[(&str, &str, i64, f64)]) -> Memory {
        let mut memory = Memory::default();
        for (name, instance, seconds, value) in series {
            memory.add(labels(name, instance), [Sample { at: at(*seconds), value: *value }]);
        }
        memory
    }

    #[tokio::test]
    async fn the_value_at_the_birth_counts_and_only_if_it_explains_it() {
        let memory = memory(&[
            (PROCESS_START, "h1", 1_000, 995.5),
            (PROCESS_START, "h2", 1_000, 10.0),
            (PROCESS_START, "h3", 2_000, 1_999.0),
        ]);
        let born = [newborn("r_total", "h1", 1_000), newborn("r_total", "h2", 1_000), newborn("r_total", "h3", 1_000)];
        let starts = starts(&memory, &born, GAP).await.unwrap();
        assert_eq!(starts.len(), 1, "h2 is old, and h3 started after");
        assert_eq!(starts[0].target, Labels::from([("instance", "h1"), ("job", "a")]));
        assert_eq!(starts[0].at, Timestamp::from_millis(995_500));
    }

    #[tokio::test]
    async fn created_stands_in_where_every_newborn_has_it() {
        let memory = memory(&[("r_created", "h1", 1_000, 990.0), ("r_created", "h2", 1_000, 980.0)]);
        let born =
            [newborn("r_total", "h1", 1_000), newborn("r_total", "h2", 1_000), newborn("other_total", "h2", 1_000)];
        let starts = starts(&memory, &born, GAP).await.unwrap();
        assert_eq!(starts.len(), 1, "a newborn of h2 has none");
        assert_eq!(starts[0].at, at(990));
    }
}
