//! The samples of the last scrapes, in memory: what a store would hold, for as long as the engine may ask for it.
//!
//! Invariants: samples of a series ascend, no time twice (a page that repeats an old time stamp adds nothing); what is
//! older than `keep` is dropped, and a series with it when nothing is left.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::observation::{Looks, Sample};
use crate::source::{Refused, Series};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// Series by fingerprint, fingerprints by metric, and when targets were looked at.
pub(super) struct Held {
    keep: Length,
    series: HashMap<u64, HeldSeries>,
    metrics: BTreeMap<String, Vec<u64>>,
    refused: Refused,
    /// By `job` and `instance`, ascending.
    looks: BTreeMap<Labels, VecDeque<Timestamp>>,
    /// Time of the first sample ever.
    first: Option<Timestamp>,
}

struct HeldSeries {
    labels: Arc<Labels>,
    samples: VecDeque<Sample>,
}

impl Held {
    /// Nothing yet; samples will be kept for this long.
    pub(super) fn new(keep: Length) -> Self {
        Self {
            keep,
            series: HashMap::new(),
            metrics: BTreeMap::new(),
            refused: Refused::default(),
            looks: BTreeMap::new(),
            first: None,
        }
    }

    /// Time of the first sample ever, kept or forgotten since.
    pub(super) const fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Adds a sample; false where its series has one at that time or after.
    pub(super) fn add(&mut self, labels: Labels, at: Timestamp, value: f64) -> bool {
        if !self.refused.admits(value) {
            return true;
        }
        self.first = self.first.or(Some(at));
        let fingerprint = labels.fingerprint();
        let held = self.series.entry(fingerprint).or_insert_with(|| {
            let metric = labels.get("__name__").unwrap_or_default().to_owned();
            self.metrics.entry(metric).or_default().push(fingerprint);
            HeldSeries { labels: Arc::new(labels), samples: VecDeque::new() }
        });
        if held.samples.back().is_some_and(|newest| newest.at >= at) {
            return false;
        }
        held.samples.push_back(Sample { at, value });
        true
    }

    /// Notes that all that a target (its `job` and `instance`) has at `at` is held now, be it nothing.
    pub(super) fn look(&mut self, target: &Labels, at: Timestamp) {
        let looks = self.looks.entry(target.clone()).or_default();
        if looks.back().is_none_or(|newest| *newest < at) {
            looks.push_back(at);
        }
    }

    /// When the targets were looked at.
    pub(super) fn looks(&self) -> Arc<[Looks]> {
        let looks = |(target, at): (&Labels, &VecDeque<Timestamp>)| Looks {
            target: target.clone(),
            at: at.iter().copied().collect(),
        };
        self.looks.iter().map(looks).collect()
    }

    /// Drops what is too old at `now`.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let oldest = now - self.keep;
        for looks in self.looks.values_mut() {
            let older = looks.partition_point(|at| *at <= oldest);
            looks.drain(..older);
        }
        self.series.retain(|_, held| {
            while held.samples.front().is_some_and(|sample| sample.at <= oldest) {
                held.samples.pop_front();
            }
            !held.samples.is_empty()
        });
        for fingerprints in self.metrics.values_mut() {
            fingerprints.retain(|fingerprint| self.series.contains_key(fingerprint));
        }
        self.metrics.retain(|_, fingerprints| !fingerprints.is_empty());
    }

    /// The samples of `selector` in `(from, to]`, in a stable order.
    pub(super) fn samples(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Vec<Series> {
        let fingerprints = self.metrics.get(&selector.metric).into_iter().flatten();
        let held = fingerprints.filter_map(|fingerprint| self.series.get(fingerprint).map(|held| (*fingerprint, held)));
        held.filter(|(_, held)| selector.matches(&held.labels))
            .filter_map(|(fingerprint, held)| {
                let inside = held.samples.iter().filter(|sample| sample.at > from && sample.at <= to);
                let samples: Arc<[Sample]> = inside.copied().collect();
                let labels = Arc::clone(&held.labels);
                (!samples.is_empty()).then_some(Series { labels, fingerprint, samples })
            })
            .collect()
    }

    /// What was refused since the last time this was asked.
    pub(super) fn take_refused(&mut self) -> Refused {
        std::mem::take(&mut self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn samples_ascend_are_cut_and_forgotten() {
        let mut held = Held::new(Length::from_seconds(100));
        let labels = || Labels::from([("__name__", "r"), ("job", "a")]);
        assert!(held.add(labels(), at(10), 1.0));
        assert!(!held.add(labels(), at(10), 2.0), "the same time again");
        assert!(held.add(labels(), at(20), f64::NAN), "refused is not repeated");
        assert!(held.add(labels(), at(30), 3.0));
        let selector = Selector { metric: "r".to_owned(), matchers: Vec::new(), bucket: None };
        let series = held.samples(&selector, at(10), at(30));
        assert_eq!(series[0].samples.to_vec(), [Sample { at: at(30), value: 3.0 }]);
        assert_eq!(held.take_refused(), Refused { nan: 1, infinite: 0, negative: 0 });
        held.forget(at(110));
        assert_eq!(held.samples(&selector, at(0), at(30))[0].samples.len(), 1);
        held.forget(at(130));
        assert!(held.metrics.is_empty() && held.series.is_empty());
    }

    #[test]
    fn looks_ascend_and_are_forgotten() {
        let mut held = Held::new(Length::from_seconds(100));
        let place = Labels::from([("job", "a")]);
        for seconds in [10, 30, 20, 30, 90] {
            held.look(&place, at(seconds));
        }
        let looks = Looks { target: place, at: vec![at(10), at(30), at(90)] };
        assert_eq!((looks.newest(at(9)), looks.newest(at(89))), (None, Some(at(30))));
        assert_eq!(held.looks().to_vec(), [looks]);
        held.forget(at(130));
        assert_eq!(held.looks()[0].at, [at(90)]);
    }
}
