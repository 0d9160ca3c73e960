//! How a reload replaces what runs.
//!
//! It is the start-up path with a diff: everything new is built beside the old; on any error the old set stays, and
//! nothing of the new one is left behind; then the pollers stop, SLOs that did not change keep their state, those that
//! left end as withdrawn, and pollers of the new set start. One reload at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::diag::{Diagnostic, codes, concise};
use crate::runtime::blueprint::{Blueprint, SloPlan};
use crate::runtime::evaluation::Evaluated;
use crate::runtime::live::parts::{receivers, watchdogs};
use crate::runtime::live::{Live, Loaded};
use crate::runtime::service::Refusal;
use crate::runtime::stored::Stored;
use crate::store::{Commit, StoreError};
use crate::telemetry::event;
use crate::units::SloId;

impl Live {
    /// Reads the files and takes what they say, or tells why not.
    pub(super) async fn read_again(&self) -> Result<(), Refusal> {
        let launch = self.launch.clone();
        let built = tokio::task::spawn_blocking(move || launch.blueprint()).await;
        let taken = match built.unwrap_or_else(|_| Err(Refusal { findings: Vec::new() })) {
            Ok(blueprint) => self.replace(blueprint).await,
            Err(refusal) => Err(refusal.worst_first()),
        };
        self.tell_reload(&taken);
        taken
    }

    /// Takes a new blueprint in place of the loaded one.
    async fn replace(&self, mut blueprint: Blueprint) -> Result<(), Refusal> {
        let mut running = self.running.lock().await;
        let old = self.loaded();
        blueprint.keep_sources(&old.blueprint);
        let blueprint = Arc::new(blueprint);
        // Before anything stops: where it fails everything stays as it is.
        let stored = self.stored(&blueprint, &old).await.map_err(|error| refused(&error))?;
        running.stop.cancel();
        let mut alerts = BTreeMap::new();
        for poller in std::mem::take(&mut running.pollers) {
            if let Ok((name, alert)) = poller.await {
                alerts.insert(name, alert);
            }
        }
        // What people close meanwhile goes to the entries of now, or waits for the new ones.
        let mut deciding = Vec::new();
        for source in old.blueprint.sources.keys() {
            deciding.push(self.core.deciding(source).await);
        }
        self.core.configure(Arc::clone(&blueprint.config));
        self.mirrors.take(&blueprint);
        self.stillness.rewritten(&self.core, blueprint.quiet.clone());
        warn_of_restart(&old.blueprint, &blueprint);
        let now = self.core.clock.now();
        let mut entries = BTreeMap::new();
        let mut gone = Evaluated::default();
        let mut leaving = old.entries.clone();
        for plan in &blueprint.slos {
            let former = || plan.slo.formerly.iter().find_map(|former| old.entries.get(former));
            let entry = match old.entries.get(&plan.slo.id).or_else(former) {
                Some(entry) => {
                    leaving.remove(entry.id());
                    let edited = entry.edited(plan, now);
                    if edited.id() != entry.id() {
                        gone = gone.and(Evaluated { effects: Vec::new(), commit: entry.handed_over(&edited) });
                    }
                    edited
                }
                None => stored.entry(&self.core, &blueprint, plan).await,
            };
            entries.insert(plan.slo.id.clone(), entry);
        }
        for entry in leaving.values() {
            gone = gone.and(entry.withdraw(now));
        }
        self.core.record(gone.effects, gone.commit).await;
        self.core.know_entries(&entries);
        running.outbox.take(receivers(&blueprint));
        running.stop = self.stop.child_token();
        running.pollers = Self::spawn(&self.core, &blueprint, &entries, &mut alerts, (self.pace, &running.stop));
        // The old ones end with the old `stop`.
        running.watchdogs = watchdogs(&self.core, &blueprint, &entries, (self.pace, &running.stop));
        Self::withdraw_sources(&self.core, alerts).await;
        let loaded = Arc::new(Loaded { blueprint, entries, at: now });
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        drop(deciding);
        Ok(())
    }

    /// What is stored of SLOs that are not running, with what former ids have of it under the ids of now. Not looked at
    /// where every SLO goes on from what runs.
    async fn stored(&self, blueprint: &Blueprint, old: &Loaded) -> Result<Stored, StoreError> {
        let runs = |id: &SloId| old.entries.contains_key(id);
        let is_done =
            |former: &SloId, id: &SloId| old.entries.get(id).is_some_and(|entry| entry.slo().formerly.contains(former));
        let needs = |plan: &SloPlan| {
            let (id, formerly) = (&plan.slo.id, &plan.slo.formerly);
            let goes_on = runs(id) || formerly.iter().any(runs);
            !goes_on || formerly.iter().any(|former| !runs(former) && !is_done(former, id))
        };
        if !blueprint.slos.iter().any(needs) {
            return Ok(Stored::default());
        }
        let store = self.core.store.as_ref();
        let told = |error: &StoreError| {
            self.core.telemetry.tell(&event::StoreFailure { doing: &error.doing, problem: &error.problem });
        };
        let stored = Stored::read(store).await.inspect_err(told)?;
        let renames = stored.take_over(blueprint, &runs, &is_done);
        if renames == Commit::default() {
            return Ok(stored);
        }
        self.core.record_now(renames).await.inspect_err(told)?;
        Stored::read(store).await.inspect_err(told)
    }

    /// Says what became of the files.
    pub(super) fn tell_reload(&self, taken: &Result<(), Refusal>) {
        let loaded = self.loaded();
        let error = taken.as_ref().err().map(Refusal::headline);
        *self.reload_error.write().unwrap_or_else(PoisonError::into_inner) = error;
        let findings = taken.as_ref().err().map(|refusal| refusal.findings.as_slice()).unwrap_or_default();
        let words: Vec<String> = findings.iter().map(concise::line).collect();
        self.core.telemetry.tell(&event::Reload {
            taken: taken.is_ok(),
            revision: loaded.blueprint.revision.as_deref().unwrap_or_default(),
            digest: &loaded.blueprint.digest,
            slos: loaded.entries.len(),
            findings: &words.join("\n"),
        });
    }
}

/// SLOs would start without their firing state, as if nothing had been stored: a start refuses that too.
fn refused(error: &StoreError) -> Refusal {
    let message = format!("what is stored of new or renamed SLOs cannot be taken over: {error}");
    let help = "see to the store (is its disk full?), then reload again";
    Refusal { findings: vec![Diagnostic::error(codes::UNREADABLE, message).with_help(help)] }
}

/// What a reload cannot change.
fn warn_of_restart(old: &Blueprint, new: &Blueprint) {
    let (old, new) = (&old.config, &new.config);
    let listens = (old.server.listen, &old.server.external_url) == (new.server.listen, &new.server.external_url);
    for (what, same) in [("server.listen` or `server.external_url", listens), ("storage", old.storage == new.storage)] {
        if !same {
            tracing::warn!("`{what}` changed in the files; it takes effect with the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::runtime::blueprint::{Launch, Overrides};
    use crate::runtime::files::Request;
    use crate::runtime::poller::Pace;
    use crate::runtime::stored::decided_key;
    use crate::secret::Secrets;
    use crate::store::Store;
    use crate::store::memory::MemoryStore;
    use crate::telemetry::Telemetry;

    const CONFIG: &str = "version: config/v1\nfiles: {slos: [slos.yaml]}\n\
                          sources: {prometheus: {type: prometheus, urls: ['http://127.0.0.1:1']}}\n";

    fn slo(name: &str, more: &str) -> String {
        format!("  - {{name: {name}, objective: 99%, sli: {{events: {{bad: b_total, total: t_total}}}}{more}}}\n")
    }

    fn write(folder: &Path, slos: &[String]) {
        let text = format!("version: slo/v1\nservice: shop\nslos:\n{}", slos.concat());
        std::fs::write(folder.join("slos.yaml"), text).unwrap();
    }

    /// Whose watermarks are stored.
    async fn keys(store: &MemoryStore) -> Vec<String> {
        let keys = store.snapshot().await.unwrap().watermarks.into_keys();
        keys.filter(|key| key.starts_with("slo/")).collect()
    }

    #[tokio::test]
    async fn a_rename_that_cannot_be_written_refuses_the_reload_and_is_not_written_later() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("slo.yaml"), CONFIG).unwrap();
        write(folder.path(), &[slo("other", "")]);
        let launch = Launch {
            request: Request { paths: Vec::new(), config: Some(folder.path().join("slo.yaml")) },
            overrides: Overrides::default(),
            secrets: Arc::new(Secrets::of_process()),
            telemetry: Telemetry::new("test"),
        };
        let blueprint = launch.blueprint().unwrap();
        let generation = blueprint.slos[0].generation.clone();
        let key = |name: &str| decided_key(&SloId::new("shop", name), &generation);
        let (store, clock) = (Arc::new(MemoryStore::new()), Clock::system());
        let (kept, telemetry, now) = (Arc::clone(&store), launch.telemetry.clone(), clock.now());
        let live = Live::start(launch, blueprint, kept, clock, telemetry, String::new(), Pace::Service).await.unwrap();
        let watermarks = BTreeMap::from([(key("old"), now)]);
        store.commit(Commit { watermarks, ..Commit::default() }).await.unwrap();
        let before = live.loaded().at;

        let renamed = [slo("other", ""), slo("new", ", formerly: [shop/old]")];
        write(folder.path(), &renamed);
        store.set_full(true);
        let refusal = live.read_again().await.unwrap_err();
        assert!(refusal.findings[0].message.contains("no space left"), "{refusal:?}");
        assert_eq!((live.loaded().at, live.entries().len()), (before, 1), "the old set stays");
        assert!(live.reload_error.read().unwrap().as_ref().unwrap().contains("no space left"));

        write(folder.path(), &[slo("other", ", description: edited")]);
        assert_eq!(live.read_again().await, Ok(()), "what goes on from what runs needs no store");

        store.set_full(false);
        live.core.prove_writable(now).await.unwrap();
        assert_eq!(keys(&store).await, [key("old")]);
        write(folder.path(), &renamed);
        assert_eq!(live.read_again().await, Ok(()));
        assert!(keys(&store).await.contains(&key("new")), "taken over");
        assert_eq!(live.entries().len(), 2);
        live.stop().await;
    }
}
