//! What an earlier run left in the store, handed out to the entries at start.
//!
//! An SLO that an earlier run evaluated goes on from that run's watermark: its slice ends up to there were decided. One
//! that is new has its newest 6 h evaluated. A record that cannot be read is told and left alone, never guessed at.

use std::collections::BTreeMap;

use crate::policy::book::AlertBook;
use crate::policy::source::SourceAlert;
use crate::policy::state::read;
use crate::policy::subject::SOURCE_SERVICE;
use crate::runtime::blueprint::{Blueprint, SloPlan};
use crate::runtime::core::Core;
use crate::runtime::entry::{Entry, SharedEntry, withdraw_book};
use crate::runtime::evaluation::Evaluated;
use crate::runtime::poller::CATCH_UP;
use crate::store::{Commit, Snapshot, Store, StoreError};
use crate::units::{InstanceId, Length, SloId, Timestamp};

/// Slices of pages are put back as far as the rings of slices and of 5 min reach.
const SLICES: Length = Length::from_days(4);

/// What was stored.
#[derive(Default)]
pub struct Stored {
    snapshot: Snapshot,
    /// Policy states: key and record, by SLO.
    states: BTreeMap<SloId, Vec<(String, String)>>,
}

/// Key under which it is kept how far an SLO's generation was decided. Of each SLO by itself: others of its source may
/// be ahead, where its own question failed.
#[must_use]
pub fn decided_key(slo: &SloId, generation: &str) -> String {
    format!("slo/{slo}@{generation}")
}

impl Stored {
    /// Reads it.
    ///
    /// # Errors
    /// As the store's.
    pub async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let snapshot = store.snapshot().await?;
        let mut states: BTreeMap<SloId, Vec<(String, String)>> = BTreeMap::new();
        for (key, record) in &snapshot.states {
            match key.parse::<InstanceId>() {
                Ok(id) => states.entry(id.slo).or_default().push((key.clone(), record.clone())),
                Err(error) => tracing::error!(%error, "a stored state has a key that cannot be read; it is left alone"),
            }
        }
        Ok(Self { snapshot, states })
    }

    /// What is stored under former ids of the SLOs (`formerly`), under their ids. SLOs that are `running` hand over by
    /// themselves. Nothing is left to do of a pair `(former, id)` that
    /// `is_done`. Where an SLO has states of its own, those of its former id are left, to end as withdrawn.
    #[must_use]
    pub fn take_over(
        &self,
        blueprint: &Blueprint,
        running: &dyn Fn(&SloId) -> bool,
        is_done: &dyn Fn(&SloId, &SloId) -> bool,
    ) -> Commit {
        let mut commit = Commit::default();
        for plan in &blueprint.slos {
            let id = &plan.slo.id;
            let mut has_states = running(id) || self.states.contains_key(id);
            for former in plan.slo.formerly.iter().filter(|former| !running(former) && !is_done(former, id)) {
                commit.renamed.push((former.to_string(), id.to_string()));
                let key = |slo: &SloId| decided_key(slo, &plan.generation);
                let watermarks = &self.snapshot.watermarks;
                // One that runs writes its own.
                let is_ahead = |at: &&Timestamp| !running(id) && watermarks.get(&key(id)).is_none_or(|own| own < *at);
                let decided = watermarks.get(&key(former)).filter(is_ahead);
                commit.watermarks.extend(decided.map(|at| (key(id), *at)));
                if let Some(records) = self.states.get(former).filter(|_| !has_states) {
                    has_states = true;
                    rename_states((former, id), records, &mut commit);
                }
            }
        }
        commit
    }

    /// The entry of an SLO, going on from what was stored of it.
    pub async fn entry(&self, core: &Core, blueprint: &Blueprint, plan: &SloPlan) -> SharedEntry {
        let records = self.states.get(&plan.slo.id).map(Vec::as_slice).unwrap_or_default();
        let book = AlertBook::restore(plan.slo.id.clone(), pairs(records)).unwrap_or_else(|error| {
            tracing::error!(slo = %plan.slo.id, %error, "the stored alert states cannot be read; they are left out");
            AlertBook::new(plan.slo.id.clone())
        });
        let now = core.clock.now();
        let watermark = self.snapshot.watermarks.get(&decided_key(&plan.slo.id, &plan.generation)).copied();
        let entry = Entry::new(plan, book, watermark, now - CATCH_UP);
        let packs = blueprint.sources.get(&plan.slo.source).is_some_and(|source| !source.has_history());
        if packs {
            self.put_slices_back(core, &entry, now).await;
        }
        entry
    }

    async fn put_slices_back(&self, core: &Core, entry: &SharedEntry, now: Timestamp) {
        match core.store.slices(&entry.id().to_string(), entry.generation(), now - SLICES).await {
            Ok(hours) => {
                if let Err(error) = entry.put_slices_back(&hours) {
                    tracing::error!(slo = %entry.id(), %error, "stored slices cannot be read; they are left out");
                }
            }
            Err(error) => tracing::error!(slo = %entry.id(), %error, "stored slices cannot be read"),
        }
    }

    /// SLOs that left the files while the service was down: what fired ends as withdrawn.
    #[must_use]
    pub fn withdrawn(&self, core: &Core, blueprint: &Blueprint) -> Evaluated {
        let ids = blueprint.ids();
        let gone = self.states.iter().filter(|(id, _)| !ids.contains(*id) && id.service != SOURCE_SERVICE);
        let now = core.clock.now();
        let config = core.config();
        let mut all = Evaluated::default();
        for (id, records) in gone {
            match AlertBook::restore(id.clone(), pairs(records)) {
                Ok(book) => all = all.and(withdraw_book(book, id, &config, now)),
                Err(error) => tracing::error!(slo = %id, %error, "the stored state of an SLO that left cannot be read"),
            }
        }
        all
    }

    /// The alerts of the sources, by name.
    #[must_use]
    pub fn source_alerts(&self) -> BTreeMap<String, SourceAlert> {
        let mut alerts = BTreeMap::new();
        for (key, record) in
            self.states.iter().filter(|(id, _)| id.service == SOURCE_SERVICE).flat_map(|(_, records)| records)
        {
            match read(key, record) {
                Ok((id, state)) => drop(alerts.insert(id.slo.name, SourceAlert::resume(state))),
                Err(error) => tracing::error!(%error, "the stored state of a source's alert cannot be read"),
            }
        }
        alerts
    }
}

/// Alert states under another id.
fn rename_states((from, to): (&SloId, &SloId), records: &[(String, String)], commit: &mut Commit) {
    let book = AlertBook::restore(from.clone(), pairs(records));
    match book.and_then(|book| book.renamed(to).drain()) {
        Ok(changes) => {
            commit.states.extend(changes.states);
            commit.forgotten.extend(records.iter().map(|(key, _)| key.clone()));
        }
        Err(error) => tracing::error!(slo = %from, %error, "the state of an SLO that was renamed cannot be read"),
    }
}

fn pairs(records: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    records.iter().map(|(key, record)| (key.as_str(), record.as_str()))
}
