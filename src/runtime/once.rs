//! Computing once, without a service: the parts of a running one, a store in memory, and an end.
//!
//! Why this way: a figure that is printed here has to be the one that a service would show, so the same pollers ask, the
//! same backfill reads and the same engine counts. One tick, then the whole past, then nothing more. Nothing is
//! written, nobody listens, nothing is sent: the blueprint is to have no sinks.

use std::sync::Arc;

use crate::clock::Clock;
use crate::runtime::blueprint::{Blueprint, Launch};
use crate::runtime::entry::SharedEntry;
use crate::runtime::live::Live;
use crate::runtime::poller::Pace;
use crate::runtime::service::Service;
use crate::store::StoreError;
use crate::store::memory::MemoryStore;
use crate::units::{Length, SloId};

/// How often the progress is told.
const BEAT: Length = Length::from_millis(100);

/// A computation under way, or done.
pub struct Once {
    live: Arc<Live>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// SLOs in all.
    pub slos: usize,
    /// Those whose newest hours are judged.
    pub judged: usize,
    /// How much of all periods has been read: 0 to 1.
    pub read: f64,
}

/// What could not be computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// SLOs without any figure, because their source did not answer their questions.
    pub unjudged: Vec<SloId>,
    /// SLOs whose past could not be read to its beginning, so that their budgets cover a part of it.
    pub partial: Vec<SloId>,
}

impl Missing {
    /// Whether every SLO has all of its figures. One without data has them: its source said that there is none.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.count() == 0
    }

    /// How many SLOs lack anything.
    #[must_use]
    pub fn count(&self) -> usize {
        self.unjudged.len() + self.partial.len()
    }
}

impl Once {
    /// Begins to ask.
    ///
    /// # Errors
    /// None in practice: the store is in memory.
    pub async fn start(launch: Launch, blueprint: Blueprint, clock: Clock) -> Result<Self, StoreError> {
        let (store, telemetry) = (Arc::new(MemoryStore::new()), launch.telemetry.clone());
        let live = Live::start(launch, blueprint, store, clock, telemetry, String::new(), Pace::Once).await?;
        Ok(Self { live })
    }

    /// Waits until everything is computed, or cannot be; `watch` hears how far it is, now and then.
    pub async fn finish(&self, mut watch: impl FnMut(Progress)) -> Missing {
        let entries = self.live.entries();
        let mut beat = tokio::time::interval(BEAT.to_std());
        let ended = self.live.pollers_ended();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                () = &mut ended => break,
                _ = beat.tick() => watch(progress(&entries)),
            }
        }
        watch(progress(&entries));
        let ids = |lacks: fn(&SharedEntry) -> bool| {
            entries.iter().filter(|entry| lacks(entry)).map(|entry| entry.id().clone()).collect()
        };
        Missing {
            unjudged: ids(|entry| !entry.is_judged()),
            partial: ids(|entry| entry.is_judged() && !entry.is_complete()),
        }
    }

    /// What was computed, as a service shows it.
    #[must_use]
    pub fn service(&self) -> Arc<dyn Service> {
        Arc::clone(&self.live) as Arc<dyn Service>
    }
}

fn progress(entries: &[SharedEntry]) -> Progress {
    let judged = entries.iter().filter(|entry| entry.is_judged()).count();
    let read = entries.iter().map(|entry| entry.backfilled()).sum::<f64>() / entries.len().max(1) as f64;
    Progress { slos: entries.len(), judged, read }
}
