//! Backfill, backwards: a stretch of the past joins what is loaded (SEMANTICS 2, *History*).
//!
//! Inside the stretch the rules are those of live answers; at its end each series meets what is loaded of it: the
//! birth booked there is replaced by the true pair. Neighbours at most `G` apart, nearly all, cost one addition each;
//! siblings are looked up for births, gaps and seams only. Afterwards the cells equal those of a single pass.

use std::collections::BTreeMap;

use crate::engine::backfill::Piece;
use crate::engine::birth::{Sibling, newest_before, siblings_decide};
use crate::engine::derive::{Families, blank};
use crate::engine::observation::{History, Sample, SeriesHistory};
use crate::engine::seam::Entry;
use crate::engine::state::{Birth, Loaded, SloState, asked_target};
use crate::engine::tracker::{Registry, within};
use crate::engine::windows::FIVE_MINUTES;
use crate::units::{Length, Timestamp};

impl SloState {
    /// Takes a stretch of the past that ends where what is loaded begins. Afterwards the cells equal what a single pass
    /// over all samples would have given. Into an empty state it is the first thing loaded. Once own hours or slices were
    /// restored nothing can be put before them, and the call does nothing.
    pub fn prepend(&mut self, history: &History) {
        let slice = self.definition.slice;
        if self.loaded.is_none() {
            let end = self.whole_steps(slice.floor(history.to));
            self.begin(Loaded { from: end, end });
        }
        let Some(loaded) = self.loaded.filter(|loaded| history.from < loaded.from && !self.restored) else { return };
        for series in history.series.iter().filter(|series| series.series.roles.alive) {
            self.alive.take(&series.series, &self.definition.by, history.from, loaded.end);
        }
        // Slices are needed as far back as they are held one by one; before that sums of five minutes will do.
        let cut = self.whole_steps(self.fine_from(loaded.end).floor_to(FIVE_MINUTES));
        let from = self.whole_steps(history.from);
        if cut < loaded.from {
            self.prepend_part(history, from.max(cut), loaded.from, slice.length());
        }
        if from < cut {
            self.prepend_part(history, from, cut.min(loaded.from), FIVE_MINUTES);
        }
    }

    /// Takes what `history` holds in `(from, to]`, `to` being where what is loaded begins, in buckets of `step`.
    fn prepend_part(&mut self, history: &History, from: Timestamp, to: Timestamp, step: Length) {
        let Some(loaded) = self.loaded.filter(|_| from < to) else { return };
        let slice = self.definition.slice;
        let piece =
            Piece { from: slice.floor(from), to: slice.floor(to), step, mutable: loaded.end - self.definition.gap };
        if self.definition.pushdown.is_some() {
            self.prepend_points(&history.points, &piece, from, to);
        } else {
            self.prepend_samples(history, &piece, from, to);
        }
        self.loaded = Some(Loaded { from, ..loaded });
    }

    fn prepend_samples(&mut self, history: &History, piece: &Piece, from: Timestamp, to: Timestamp) {
        let mut first_seen = BTreeMap::new();
        let entries = self.entries(history, from, to, &mut first_seen);
        self.take_starts(&history.starts);
        let families = self.piece_families(&entries);
        let mut seams = self.seams(&entries, &families, &first_seen, piece);
        let late = self.fill_instances(&entries, &families, &mut seams, piece);
        drop(families);
        self.join_trackers(entries, seams, piece);
        self.book_late(late);
        if to > piece.mutable {
            let end = piece.mutable + self.definition.gap;
            for tracker in &mut self.registry.active {
                tracker.find_steady(self.definition.gap);
            }
            self.measure(piece.mutable.max(from), end, None);
        }
    }

    /// The series of `history` with samples in `(from, to]`; their instances are born. Notes since when the targets
    /// have been known.
    fn entries<'a>(
        &mut self,
        history: &'a History,
        from: Timestamp,
        to: Timestamp,
        first_seen: &mut BTreeMap<u32, Timestamp>,
    ) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry<'a>> = Vec::with_capacity(history.series.len());
        for past in &history.series {
            let Some((first, samples)) = counted_samples(past, from, to) else { continue };
            let labels = &past.series.labels;
            if let Some(known) = self.registry.known_target(labels)
                && let Some(target) = self.registry.targets.get(known as usize)
            {
                first_seen.entry(known).or_insert(target.first);
            }
            let known = self.registry.find(past.series.fingerprint);
            let newer = known.map(|tracker| (tracker.first, tracker.birth));
            let instance = known.map(|tracker| tracker.instance);
            entries.push(Entry {
                series: &past.series,
                samples,
                continuous: joined(&past.continuous),
                metric: self.registry.metric(labels),
                target: self.registry.target(labels, first.at),
                instance: instance.unwrap_or_else(|| self.instance_for(labels)),
                newer,
            });
        }
        entries.sort_by_key(|entry| entry.instance);
        entries
    }

    /// All series of the targets in the piece: with their samples in it, and where what is loaded of them begins.
    fn piece_families<'a>(&self, entries: &'a [Entry<'a>]) -> Families<'a> {
        let mut families = Families::new();
        for entry in entries {
            families.entry(entry.target).or_default().push(entry.sibling());
        }
        for family in families.values_mut() {
            family.sort_unstable_by_key(|sibling| sibling.fingerprint);
        }
        let mut loaded_only = Vec::new();
        for tracker in self.registry.all() {
            let Some(family) = families.get(&tracker.target) else { continue };
            if family.binary_search_by_key(&tracker.fingerprint, |sibling| sibling.fingerprint).is_err() {
                let newer = Some(tracker.first.at);
                let sibling = Sibling { newer, ..blank(tracker.fingerprint, tracker.metric, tracker.roles) };
                loaded_only.push((tracker.target, sibling));
            }
        }
        for (target, sibling) in loaded_only {
            families.entry(target).or_default().push(sibling);
        }
        families
    }

    /// Births within `history` that rule (b) does not decide: those whose target's start is worth asking for before
    /// the history is prepended. Series that are there from its begin on are left out: older history tells more.
    #[must_use]
    pub fn undecided_in_history(&self, history: &History) -> Vec<Birth> {
        let gap = self.definition.gap;
        let mut names = Registry::default();
        let mut families = Families::new();
        let mut newborn = Vec::new();
        let continuous: Vec<_> = history.series.iter().map(|past| joined(&past.continuous)).collect();
        for (past, continuous) in history.series.iter().zip(&continuous) {
            let Some((first, samples)) = counted_samples(past, history.from, history.to) else { continue };
            let series = &past.series;
            let (metric, target) = (names.metric(&series.labels), names.target(&series.labels, first.at));
            let sibling = Sibling { samples, continuous, ..blank(series.fingerprint, metric, series.roles) };
            families.entry(target).or_default().push(sibling);
            if first.at > history.from + gap {
                newborn.push((series, metric, target, first.at));
            }
        }
        let undecided =
            |(series, metric, target, at): &(&crate::engine::observation::SeriesSamples, u32, u32, Timestamp)| {
                let siblings = families.get(target).map(Vec::as_slice).unwrap_or_default();
                let me = (series.fingerprint, *metric, series.roles);
                !newest_before(siblings, *at, gap).is_some_and(|base| siblings_decide(siblings, me, (base, *at), gap))
            };
        newborn
            .into_iter()
            .filter(undecided)
            .map(|(series, _, _, at)| Birth {
                fingerprint: series.fingerprint,
                target: asked_target(&series.labels),
                at,
            })
            .collect()
    }
}

/// The samples of a series in `(from, to]`, with the first, if it counts for the numerator or for `total`.
fn counted_samples(past: &SeriesHistory, from: Timestamp, to: Timestamp) -> Option<(Sample, &[Sample])> {
    let counts = past.series.roles.events || past.series.roles.total;
    let samples = within(&past.series.samples, from, to);
    samples.first().copied().filter(|_| counts).map(|first| (first, samples))
}

/// Stretches in order, those that touch joined.
fn joined(stretches: &[(Timestamp, Timestamp)]) -> Vec<(Timestamp, Timestamp)> {
    let mut sorted = stretches.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(sorted.len());
    for (from, to) in sorted {
        match joined.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}
