//! Whether the targets are up (SEMANTICS 3, *alive*): raw samples of the `alive` selector at a slice end.
//!
//! The value is the greatest over the series whose newest sample is younger than `G`; with none it is gone. A series
//! that has all labels of a group speaks for that group, any other for all of them.

use crate::engine::observation::{Sample, SeriesSamples};
use crate::engine::tracker::within;
use crate::units::{Labels, Length, Timestamp};

/// How long a target that is gone is remembered as having been up (SEMANTICS 3, *down*).
const REMEMBERED: Length = Length::from_days(7);

/// What `alive` says for one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Alive {
    /// Not asked, or never seen.
    #[default]
    Unknown,
    /// Above 0.
    Up,
    /// 0.
    Zero,
    /// No sample younger than `G`, but above 0 in the last 7 d.
    Gone,
}

/// One series of the `alive` selector.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AliveSeries {
    /// Of its labels.
    pub(crate) fingerprint: u64,
    /// The group that it speaks for; `None`: all.
    pub(crate) group: Option<Labels>,
    /// Its newest sample.
    pub(crate) newest: Sample,
    /// When it was above 0 last.
    pub(crate) up_at: Option<Timestamp>,
}

/// All series of the `alive` selector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AliveSet {
    series: Vec<AliveSeries>,
}

impl AliveSet {
    /// Takes the samples of `series` in `(from, to]`.
    pub(crate) fn take(&mut self, series: &SeriesSamples, by: &[String], from: Timestamp, to: Timestamp) {
        let samples = within(&series.samples, from, to);
        let Some(newest) = samples.last().copied() else { return };
        let up_at = samples.iter().rev().find(|sample| sample.value > 0.0).map(|sample| sample.at);
        if let Some(known) = self.series.iter_mut().find(|known| known.fingerprint == series.fingerprint) {
            if newest.at >= known.newest.at {
                known.newest = newest;
            }
            known.up_at = known.up_at.max(up_at);
            return;
        }
        let has_all = !by.is_empty() && by.iter().all(|name| series.labels.get(name).is_some_and(|v| !v.is_empty()));
        let group = has_all.then(|| series.labels.project(by));
        self.series.push(AliveSeries { fingerprint: series.fingerprint, group, newest, up_at });
    }

    /// What they say for `group` at `time`.
    pub(crate) fn state(&self, group: &Labels, time: Timestamp, gap: Length) -> Alive {
        let mut state = Alive::Unknown;
        for series in self.series.iter().filter(|series| series.group.as_ref().is_none_or(|own| own == group)) {
            let fresh = series.newest.at <= time && time.since(series.newest.at) < gap;
            if fresh && series.newest.value > 0.0 {
                return Alive::Up;
            }
            if fresh {
                state = Alive::Zero;
            } else if state == Alive::Unknown && series.up_at.is_some_and(|at| at > time - REMEMBERED) {
                state = Alive::Gone;
            }
        }
        state
    }

    /// Whether every series has a fresh sample above 0: then no group is down.
    pub(crate) fn all_up(&self, time: Timestamp, gap: Length) -> bool {
        let up = |newest: Sample| newest.at <= time && time.since(newest.at) < gap && newest.value > 0.0;
        self.series.iter().all(|series| up(series.newest))
    }

    /// Forgets series that are older than what is remembered.
    pub(crate) fn forget(&mut self, time: Timestamp) {
        self.series.retain(|series| series.newest.at > time - REMEMBERED);
    }

    /// The series, for packing.
    pub(crate) fn series(&self) -> &[AliveSeries] {
        &self.series
    }

    /// From what `series` gave.
    pub(crate) const fn from_series(series: Vec<AliveSeries>) -> Self {
        Self { series }
    }
}
