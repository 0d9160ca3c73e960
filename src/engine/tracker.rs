//! What is remembered of one series: the samples that may still be replaced, one older neighbour, and its birth.
//!
//! Targets and metrics are numbers here, so that siblings are compared without labels. Trackers of series that have
//! died are kept apart (`dormant`), so that they cost nothing in a tick; they come back with their next sample.

use std::collections::BTreeMap;

use crate::engine::observation::{Roles, Sample};
use crate::engine::sums::increase;
use crate::units::{Labels, Length, Timestamp};

/// How the first sample of a series was judged (SEMANTICS 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Birth {
    /// `a'`: the newest time before it at which its target has a sample; `None` where nothing older is loaded.
    pub(crate) base: Option<Timestamp>,
    /// The slice that it is booked on; `None` where it is the baseline and counts nothing.
    pub(crate) slice: Option<Timestamp>,
}

/// One series of the numerator or of `total`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tracker {
    /// Of its labels.
    pub(crate) fingerprint: u64,
    /// What it counts for.
    pub(crate) roles: Roles,
    /// Its metric name, as a number.
    pub(crate) metric: u32,
    /// Its target, as a number.
    pub(crate) target: u32,
    /// Place of its instance in the list of instances.
    pub(crate) instance: u32,
    /// Samples of the last `G`, and the newest before them. Never empty.
    pub(crate) held: Vec<Sample>,
    /// The oldest sample loaded.
    pub(crate) first: Sample,
    /// How that one was judged.
    pub(crate) birth: Birth,
    /// Since then no two neighbours were more than `G` apart (or this is as far back as is held).
    pub(crate) steady_since: Timestamp,
    /// The newest look at its target; `None`: nobody knows of any.
    pub(crate) looked_at: Option<Timestamp>,
}

impl Tracker {
    /// Whether its target was looked at since its newest sample: then it is gone, and not only late.
    pub(crate) fn is_gone(&self) -> bool {
        self.looked_at > Some(self.newest())
    }

    /// Time of the newest sample.
    pub(crate) fn newest(&self) -> Timestamp {
        self.held.last().map_or(self.first.at, |sample| sample.at)
    }

    /// The samples held that are newer than `time`.
    pub(crate) fn held_after(&self, time: Timestamp) -> &[Sample] {
        after(&self.held, time)
    }

    /// Neighbour pairs held whose newer sample is newer than `time`.
    pub(crate) fn pairs_after(&self, time: Timestamp) -> impl Iterator<Item = (Sample, Sample)> + '_ {
        self.held.iter().zip(self.held.iter().skip(1)).map(|(a, b)| (*a, *b)).filter(move |(_, b)| b.at > time)
    }

    /// Forgets what is older than the newest sample at or before `time`.
    pub(crate) fn trim(&mut self, time: Timestamp) {
        let older = self.held.iter().take_while(|sample| sample.at <= time).count();
        if older > 1 {
            self.held.drain(..older - 1);
        }
    }

    /// Works out anew since when neighbours are at most `gap` apart.
    pub(crate) fn find_steady(&mut self, gap: Length) {
        let mut since = self.newest();
        for sample in self.held.iter().rev().skip(1) {
            if since.since(sample.at) > gap {
                break;
            }
            since = sample.at;
        }
        self.steady_since = since;
    }

    /// What a pair adds to the numerator and to `total`.
    pub(crate) fn amounts(&self, older: Sample, newer: Sample) -> (f64, f64) {
        amounts(self.roles, increase(older, newer))
    }
}

/// `amount` for each side that the roles name.
pub(crate) const fn amounts(roles: Roles, amount: f64) -> (f64, f64) {
    (if roles.events { amount } else { 0.0 }, if roles.total { amount } else { 0.0 })
}

/// The samples newer than `time`.
pub(crate) fn after(samples: &[Sample], time: Timestamp) -> &[Sample] {
    samples.split_at(samples.partition_point(|sample| sample.at <= time)).1
}

/// The samples in `(from, to]`.
pub(crate) fn within(samples: &[Sample], from: Timestamp, to: Timestamp) -> &[Sample] {
    let newer = after(samples, from);
    newer.split_at(newer.partition_point(|sample| sample.at <= to)).0
}

/// A target: the scraped thing (SEMANTICS 1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// `job` and `instance`, those that its series have; the metric's name where they have neither.
    pub(crate) labels: Labels,
    /// Oldest sample loaded of any of its series.
    pub(crate) first: Timestamp,
}

/// Series, targets and metric names of one SLO.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    /// Series with samples in the last `G`, by fingerprint.
    pub(crate) active: Vec<Tracker>,
    /// The others.
    pub(crate) dormant: BTreeMap<u64, Tracker>,
    /// Targets by number.
    pub(crate) targets: Vec<Target>,
    metrics: Vec<String>,
    target_numbers: BTreeMap<Labels, u32>,
}

impl Registry {
    /// Place of an active series; `hint` is looked at first.
    pub(crate) fn place(&self, fingerprint: u64, hint: usize) -> Option<usize> {
        if self.active.get(hint).is_some_and(|tracker| tracker.fingerprint == fingerprint) {
            return Some(hint);
        }
        self.active.binary_search_by_key(&fingerprint, |tracker| tracker.fingerprint).ok()
    }

    /// A series, active or dormant.
    pub(crate) fn find(&self, fingerprint: u64) -> Option<&Tracker> {
        let active = self.place(fingerprint, usize::MAX).and_then(|place| self.active.get(place));
        active.or_else(|| self.dormant.get(&fingerprint))
    }

    /// A series, active or dormant.
    pub(crate) fn find_mut(&mut self, fingerprint: u64) -> Option<&mut Tracker> {
        match self.place(fingerprint, usize::MAX) {
            Some(place) => self.active.get_mut(place),
            None => self.dormant.get_mut(&fingerprint),
        }
    }

    /// All series, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Tracker> {
        self.active.iter().chain(self.dormant.values())
    }

    /// All series, in no order.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Tracker> {
        self.active.iter_mut().chain(self.dormant.values_mut())
    }

    /// Puts a series among the active ones.
    pub(crate) fn activate(&mut self, tracker: Tracker) {
        let place = self.active.partition_point(|other| other.fingerprint < tracker.fingerprint);
        self.active.insert(place, tracker);
    }

    /// Puts a series where its newest sample says: active if that is newer than `time`.
    pub(crate) fn insert(&mut self, tracker: Tracker, time: Timestamp) {
        if tracker.newest() > time {
            self.activate(tracker);
        } else {
            self.dormant.insert(tracker.fingerprint, tracker);
        }
    }

    /// Moves series without a sample newer than `time` to the dormant ones.
    pub(crate) fn put_to_sleep(&mut self, time: Timestamp) {
        if self.active.iter().all(|tracker| tracker.newest() > time) {
            return;
        }
        let (awake, asleep): (Vec<_>, Vec<_>) = self.active.drain(..).partition(|tracker| tracker.newest() > time);
        self.active = awake;
        for mut tracker in asleep {
            tracker.held.drain(..tracker.held.len().saturating_sub(1));
            tracker.held.shrink_to_fit();
            self.dormant.insert(tracker.fingerprint, tracker);
        }
    }

    /// Forgets series whose newest sample is at or before `time`.
    pub(crate) fn forget(&mut self, time: Timestamp) {
        self.dormant.retain(|_, tracker| tracker.newest() > time);
    }

    /// The number of the series' metric name.
    pub(crate) fn metric(&mut self, labels: &Labels) -> u32 {
        let name = labels.get("__name__").unwrap_or_default();
        let known = self.metrics.iter().position(|metric| metric == name);
        number(known.unwrap_or_else(|| {
            self.metrics.push(name.to_owned());
            self.metrics.len() - 1
        }))
    }

    /// The number of the series' target; `first` is the time of one of its samples.
    pub(crate) fn target(&mut self, labels: &Labels, first: Timestamp) -> u32 {
        let labels = target_labels(labels);
        if let Some(number) = self.target_numbers.get(&labels) {
            if let Some(target) = self.targets.get_mut(*number as usize) {
                target.first = target.first.min(first);
            }
            return *number;
        }
        let number = number(self.targets.len());
        self.targets.push(Target { labels: labels.clone(), first });
        self.target_numbers.insert(labels, number);
        number
    }

    /// The number of a target that is known already.
    pub(crate) fn known_target(&self, labels: &Labels) -> Option<u32> {
        self.target_numbers.get(&target_labels(labels)).copied()
    }

    /// The numbers of the targets that a source calls so: without `job` and `instance`, all that have neither.
    pub(crate) fn targets_called<'a>(&'a self, labels: &'a Labels) -> impl Iterator<Item = u32> + 'a {
        let named = if labels.is_empty() { None } else { self.known_target(labels) };
        let unnamed =
            (0_u32..).zip(&self.targets).filter(|(_, target)| labels.is_empty() && is_unnamed(&target.labels));
        named.into_iter().chain(unnamed.map(|(number, _)| number))
    }

    /// Metric names by number.
    pub(crate) fn metrics(&self) -> &[String] {
        &self.metrics
    }

    /// Puts metric names and targets back as they were, for numbers that were written down.
    pub(crate) fn restore_names(&mut self, metrics: Vec<String>, targets: Vec<Target>) {
        self.metrics = metrics;
        self.target_numbers =
            targets.iter().enumerate().map(|(index, target)| (target.labels.clone(), number(index))).collect();
        self.targets = targets;
    }
}

/// What names the target of a series with these labels (SEMANTICS 1, *target*).
pub(crate) fn target_labels(labels: &Labels) -> Labels {
    let has = |name: &&str| labels.get(name).is_some_and(|value| !value.is_empty());
    let named: Labels = ["job", "instance"]
        .into_iter()
        .filter(has)
        .map(|name| (name.to_owned(), labels.get(name).unwrap_or_default().to_owned()))
        .collect();
    if named.is_empty() { Labels::from([("__name__", labels.get("__name__").unwrap_or_default())]) } else { named }
}

/// Whether a target is named by its metric only.
fn is_unnamed(target: &Labels) -> bool {
    target.get("__name__").is_some()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
