//! Heartbeats, so that silence itself is noticed: `watchdog: [{to: [sink], every: 1m}]`.
//!
//! A heartbeat says that the service does its work, not that a timer runs: it is sent only while the loop of every source
//! makes progress, every SLO that is answered can be evaluated, and the store can be written (each heartbeat writes). A source that is down is no reason to be silent:
//! it has an alert of its own. Heartbeats are not stored: one that is late is a lie, and what fails is told by the next.
//! Slots are multiples of `every` since 1970, so that two copies of the service send the same ids. In shadow nothing is
//! sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::meant::Watchdog;
use crate::policy::heartbeat::heartbeat;
use crate::runtime::blueprint::Blueprint;
use crate::runtime::core::Core;
use crate::sink::Sink;
use crate::spec::meant::Mode;
use crate::telemetry::event::{Heartbeat, HeartbeatWithheld};
use crate::units::{Length, Timestamp};

/// A state of alerts ends by itself when this many heartbeats are missing (Prometheus sends with a factor of 4).
const MISSING: i64 = 3;

/// A loop stands still when it has not gone on for so many slices ..
const SLICES_STILL: i64 = 4;

/// .. and at least this long: a tick of very many SLOs takes its time.
const LEAST_STILL: Length = Length::from_minutes(2);

/// Starts one task for each entry of `watchdog`; they end with `stop`.
#[must_use]
pub fn start(core: &Arc<Core>, blueprint: &Blueprint, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    if blueprint.config.mode == Mode::Shadow {
        return Vec::new();
    }
    let still_after = (blueprint.config.slice.length() * SLICES_STILL).max(LEAST_STILL);
    let sources: Vec<String> = blueprint.sources.keys().cloned().collect();
    let spawn = |watchdog: &Watchdog| {
        let sinks = watchdog.to.iter().filter_map(|name| Some((name.clone(), blueprint.sinks.get(name)?.clone())));
        let beating = Beating {
            core: Arc::clone(core),
            sinks: sinks.collect(),
            every: watchdog.every,
            external_labels: blueprint.config.server.external_labels.clone(),
            sources: sources.clone(),
            still_after,
            begun: core.clock.now(),
        };
        tokio::spawn(beating.run(stop.clone()))
    };
    blueprint.config.watchdog.iter().map(spawn).collect()
}

/// One entry at work.
struct Beating {
    core: Arc<Core>,
    sinks: Vec<(String, Sink)>,
    every: Length,
    external_labels: BTreeMap<String, String>,
    sources: Vec<String>,
    still_after: Length,
    begun: Timestamp,
}

impl Beating {
    async fn run(self, stop: CancellationToken) {
        let mut silent = false;
        loop {
            let next = self.core.clock.now().floor_to(self.every) + self.every;
            tokio::select! {
                () = self.core.clock.sleep_until(next) => {}
                () = stop.cancelled() => return,
            }
            // A machine that slept tells of now, and of no slot that is over.
            let now = self.core.clock.now();
            let slot = next.max(now.floor_to(self.every));
            match self.alive(now).await {
                Ok(()) => {
                    silent = false;
                    tokio::select! {
                        () = self.send(slot) => {}
                        () = stop.cancelled() => return,
                    }
                }
                Err(reason) => {
                    if !silent {
                        self.core.telemetry.tell(&HeartbeatWithheld { reason: &reason });
                    }
                    silent = true;
                }
            }
        }
    }

    /// `Err` says what stands still.
    async fn alive(&self, now: Timestamp) -> Result<(), String> {
        for source in &self.sources {
            let (progressed, failing) =
                self.core.health(source, |health| (health.progressed_at, health.cannot_evaluate.first().cloned()));
            let progressed = progressed.unwrap_or(self.begun);
            if now.since(progressed) > self.still_after {
                return Err(format!("the loop of source `{source}` has stood still since {progressed}"));
            }
            if let Some(slo) = failing {
                return Err(format!("`{slo}` of source `{source}` cannot be evaluated"));
            }
        }
        self.core.prove_writable(now).await.map_err(|error| error.to_string())
    }

    /// To all sinks at once.
    async fn send(&self, slot: Timestamp) {
        let beat = &heartbeat(&self.external_labels, slot);
        join_all(self.sinks.iter().map(|(name, sink)| async move {
            let outcome = sink.heartbeat(beat, self.every * MISSING, self.core.clock.now()).await;
            let told = Heartbeat { sink: name, outcome: outcome.verdict.name(), message: &outcome.message };
            self.core.telemetry.tell(&told);
        }))
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clock::Clock;
    use crate::config::meant::Config;
    use crate::store::memory::MemoryStore;
    use crate::telemetry::Telemetry;
    use crate::units::SloId;

    fn beating(core: &Arc<Core>, begun: Timestamp) -> Beating {
        Beating {
            core: Arc::clone(core),
            sinks: Vec::new(),
            every: Length::from_minutes(1),
            external_labels: BTreeMap::new(),
            sources: vec!["prometheus".to_owned(), "app".to_owned()],
            still_after: Length::from_minutes(2),
            begun,
        }
    }

    #[tokio::test]
    async fn a_loop_that_stands_still_silences_and_a_source_that_is_down_does_not() {
        let config = Arc::new(Config::empty(Path::new("")));
        let store = Arc::new(MemoryStore::new());
        let core = Arc::new(Core::new(Clock::system(), Telemetry::new("test"), store, config));
        let at = Timestamp::from_seconds;
        let beating = beating(&core, at(1_000));
        assert_eq!(beating.alive(at(1_120)).await, Ok(()), "not begun yet, and not for long");
        let still = beating.alive(at(1_121)).await.unwrap_err();
        assert_eq!(still, "the loop of source `prometheus` has stood still since 1970-01-01T00:16:40Z");
        for source in ["prometheus", "app"] {
            core.health(source, |health| {
                health.progressed_at = Some(at(1_200));
                health.failing_since = Some(at(900));
            });
        }
        assert_eq!(beating.alive(at(1_320)).await, Ok(()), "both are down, and both are asked");
        core.health("app", |health| health.progressed_at = Some(at(1_199)));
        assert!(beating.alive(at(1_320)).await.unwrap_err().contains("`app`"));
        core.health("app", |health| health.progressed_at = Some(at(1_320)));
        let slo = SloId::new("shop", "a");
        assert!(core.health("app", |health| health.evaluated(&slo, false)));
        assert_eq!(beating.alive(at(1_320)).await.unwrap_err(), "`shop/a` of source `app` cannot be evaluated");
        assert!(core.health("app", |health| health.evaluated(&slo, true)));
        assert_eq!(beating.alive(at(1_320)).await, Ok(()));
    }
}
