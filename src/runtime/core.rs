//! What all parts of a running service share: the clock, the door to the store, who is told, how the sources are.
//!
//! Effects of the policy become one commit here: alerts, states, and what the desk says is to be told of them. What cannot
//! be written stays in the recorder.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::meant::Config;
use crate::policy::alert::AlertState;
use crate::policy::machine::Effect;
use crate::policy::quiet::Quiets;
use crate::runtime::desk::Counter;
use crate::runtime::entry::SharedEntry;
use crate::runtime::health::SourceHealth;
use crate::runtime::links::Links;
use crate::runtime::quiet::name_deploy;
use crate::runtime::recorder::Recorder;
use crate::runtime::service::SourceView;
use crate::store::{Commit, Store, StoreError, state_name};
use crate::telemetry::Telemetry;
use crate::telemetry::event::{AlertChanged, StoreFailure};
use crate::units::{Length, SloId, Timestamp};

/// Alerts whose last logged transition is remembered; beyond it a line may come twice.
const LOGGED: usize = 100_000;
/// Longest wait of an act for what is being decided.
const LONGEST_DECIDING: Length = Length::from_seconds(5);

/// Shared by pollers, backfills, reload and the service's handle.
pub struct Core {
    /// The service's clock.
    pub clock: Clock,
    /// Its metrics and log.
    pub telemetry: Telemetry,
    /// Everything durable.
    pub store: Arc<dyn Store>,
    /// Wakes the outbox.
    pub wake: Arc<Notify>,
    /// Puts signed links into what is told.
    pub links: Links,
    /// Everything that makes quiet; read by the desk whenever something is to be told.
    pub(super) quiets: RwLock<Arc<Quiets>>,
    /// Decides who hears of an alert, and what wakes it.
    pub(super) counter: Counter,
    recorder: Recorder,
    config: RwLock<Arc<Config>>,
    health: Mutex<BTreeMap<String, SourceHealth>>,
    /// What runs, by id: open alerts have their figures from here (`figures`).
    pub(super) entries: RwLock<Arc<BTreeMap<SloId, SharedEntry>>>,
    /// The last transition that was logged, by alert.
    logged: Mutex<BTreeMap<String, String>>,
    /// Held by source from a decision until it is recorded: what people do to an alert waits for it.
    deciding: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// The lock's content, also after a panic elsewhere: what is in there is replaced whole, never left half done, but for
/// an SLO whose evaluation panicked, which is told (`evaluation`).
pub fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Shares these.
    #[must_use]
    pub fn new(clock: Clock, telemetry: Telemetry, store: Arc<dyn Store>, config: Arc<Config>) -> Self {
        let wake = Arc::new(Notify::new());
        let recorder = Recorder::new(Arc::clone(&store), Arc::clone(&wake));
        let (health, logged) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::new()));
        let (links, deciding) = (Links::default(), Mutex::default());
        let (quiets, config) = (RwLock::default(), RwLock::new(config));
        let counter = Counter::default();
        let entries = RwLock::default();
        Self {
            clock,
            telemetry,
            store,
            wake,
            links,
            quiets,
            counter,
            recorder,
            config,
            health,
            entries,
            logged,
            deciding,
        }
    }

    /// The configuration in use.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes another configuration: routes and sinks apply to whatever is told next.
    pub fn configure(&self, config: Arc<Config>) {
        self.links.consider(&config);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.counter.reconsider();
    }

    /// Looks at, or changes, what is known of a source.
    pub fn health<T>(&self, source: &str, with: impl FnOnce(&mut SourceHealth) -> T) -> T {
        let mut health = held(&self.health);
        let entry = health.entry(source.to_owned()).or_insert_with(|| SourceHealth::new(source.to_owned(), ""));
        with(entry)
    }

    /// Only these sources are known from now on, each with its kind.
    pub fn know_sources(&self, kinds: &BTreeMap<String, &'static str>) {
        let mut health = held(&self.health);
        health.retain(|name, known| kinds.get(name).is_some_and(|kind| *kind == known.kind));
        for (name, kind) in kinds {
            health.entry(name.clone()).or_insert_with(|| SourceHealth::new(name.clone(), kind));
        }
    }

    /// Looks at what is known of a source, where it is one.
    pub(super) fn look_at<T>(&self, source: &str, with: impl FnOnce(&SourceHealth) -> T) -> Option<T> {
        held(&self.health).get(source).map(with)
    }

    /// All sources as shown.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceView> {
        held(&self.health).values().map(SourceHealth::view).collect()
    }

    /// Waits until what was decided of a source's SLOs is recorded; nothing more is decided while the guard is held.
    pub async fn deciding(&self, source: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = Arc::clone(held(&self.deciding).entry(source.to_owned()).or_default());
        lock.lock_owned().await
    }

    /// The same for an act of a person; `None` where nothing is recorded for [`LONGEST_DECIDING`], as while a source is caught
    /// up with: other acts wait for this one.
    pub async fn deciding_soon(&self, source: &str) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        timeout(LONGEST_DECIDING.to_std(), self.deciding(source)).await.ok()
    }

    /// Commits effects and whatever else `commit` holds, and tells the log. What is told of them is for the desk to say;
    /// its tellings and records are in the same commit. A failure is told and kept for later.
    pub async fn record(&self, effects: Vec<Effect>, mut commit: Commit) {
        let mut told = Vec::new();
        let mut ended = Vec::new();
        let quiets = self.quiets();
        for mut effect in effects {
            name_deploy(&quiets, &mut effect);
            let alert = &effect.alert;
            if let Some(transition) = alert.transitions.last().filter(|last| self.is_news(&alert.id, &last.id)) {
                self.telemetry.tell(&AlertChanged {
                    alert: &alert.id,
                    from: state_name(transition.from),
                    to: state_name(transition.to),
                    reason: &transition.reason,
                });
            }
            match effect.notification {
                Some(mut notification) => {
                    self.links.add(&mut notification, self.clock.now());
                    told.push(notification);
                }
                None if alert.state == AlertState::Resolved => ended.push(alert.id.clone()),
                None => {}
            }
            commit.alerts.push(effect.alert);
        }
        self.decide(told, &ended, commit).await;
    }

    /// Commits it; a failure is told, and what was not written is kept for later.
    pub(super) async fn write(&self, commit: Commit) {
        if let Err(error) = self.recorder.record(commit).await {
            self.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
        }
    }

    /// Commits this after all that could not be written before, or not at all: what fails is not kept for later.
    ///
    /// # Errors
    /// Where the store does not take it.
    pub async fn record_now(&self, commit: Commit) -> Result<(), StoreError> {
        self.recorder.record_now(commit).await
    }

    /// Writes something small, with all that could not be written before: whether the store takes it.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn prove_writable(&self, now: Timestamp) -> Result<(), StoreError> {
        // SLOs have a slash in their keys.
        let watermarks = BTreeMap::from([("watchdog".to_owned(), now)]);
        self.recorder.record(Commit { watermarks, ..Commit::default() }).await
    }

    /// Whether a transition has not been logged yet: a record changes more often than the alert turns.
    fn is_news(&self, alert: &str, transition: &str) -> bool {
        let mut logged = held(&self.logged);
        if logged.len() > LOGGED {
            logged.clear();
        }
        logged.insert(alert.to_owned(), transition.to_owned()).is_none_or(|before| before != transition)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn an_act_waits_5_s_for_what_is_being_decided_and_no_longer() {
        let config = Arc::new(Config::empty(Path::new("")));
        let core = Core::new(Clock::system(), Telemetry::new("test"), Arc::new(MemoryStore::default()), config);
        let busy = core.deciding("prometheus").await;
        assert!(core.deciding_soon("other").await.is_some(), "each source by itself");
        let begun = tokio::time::Instant::now();
        assert!(core.deciding_soon("prometheus").await.is_none());
        assert_eq!(begun.elapsed().as_secs(), 5);
        drop(busy);
        assert!(core.deciding_soon("prometheus").await.is_some());
    }
}
