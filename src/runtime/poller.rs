//! One source's loop: when a slice is complete, ask every question once, evaluate, record.
//!
//! The watermark is data time: it never moves back and never passes a slice whose question failed, so an SLO whose
//! question failed simply is asked for a longer stretch the next time. Nothing is retried within a tick. A cold start
//! reads the newest 6 h in stretches that fit into memory and evaluates them slice by slice, so that an alert that
//! fires at start has its true beginning; what is older comes by `backfill`, beside the ticks.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::meant::SourceConfig;
use crate::runtime::asker::{Asker, Stretch};
use crate::runtime::backfill::Backfill;
use crate::runtime::core::Core;
use crate::runtime::entry::SharedEntry;
use crate::source::{Source, SourceError};
use crate::telemetry::event::{EvaluationLag, Tick};
use crate::units::{Length, Step, Timestamp};

/// How far back missed slice ends are evaluated (SEMANTICS 2, *Evaluation*).
pub const CATCH_UP: Length = Length::from_hours(6);
/// Samples of one answer while catching up: a million are about 40 MB of JSON.
const SAMPLES_AN_ANSWER: i64 = 1_000_000;
/// The first stretch of a cold start, before it is known how many series there are.
const FIRST_STRETCH: Length = Length::from_minutes(10);

/// Polls one source for its SLOs.
pub struct Poller {
    /// The source's name.
    pub name: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Its configuration.
    pub config: SourceConfig,
    /// The slice.
    pub slice: Step,
    /// Its SLOs.
    pub entries: Vec<SharedEntry>,
    /// What all pollers share.
    pub core: Arc<Core>,
}

impl Poller {
    /// Polls until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut asker = Asker::new(Arc::clone(&self.source), self.config.clone(), self.slice, self.entries.clone());
        let mut backfill = None;
        while !stop.is_cancelled() {
            let now = self.core.clock.now();
            let newest = self.watermark(now);
            let due = asker.oldest_watermark().is_none_or(|held| held < newest);
            if due {
                self.tick(&mut asker, newest, &stop).await;
                if backfill.is_none() && asker.is_warm() && self.source.has_history() {
                    backfill = Some(self.backfill(newest, stop.clone()));
                }
            }
            // The next slice is complete `delay` after its end.
            let next = self.watermark(self.core.clock.now()) + self.slice.length() + self.config.delay;
            tokio::select! {
                () = self.core.clock.sleep_until(next) => {}
                () = stop.cancelled() => {}
            }
        }
        if let Some(task) = backfill {
            // It watches the same token.
            let _ = task.await;
        }
    }

    /// `w`: the newest slice end that is complete (SEMANTICS 1).
    fn watermark(&self, now: Timestamp) -> Timestamp {
        let clock = self.core.health(&self.name, |health| health.data_clock(now));
        self.slice.floor(clock - self.config.delay)
    }

    fn backfill(&self, now: Timestamp, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
        let backfill = Backfill {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            config: self.config.clone(),
            entries: self.entries.clone(),
            core: Arc::clone(&self.core),
        };
        tokio::spawn(async move { backfill.run(now, &stop).await })
    }

    /// Asks and evaluates up to `newest`; in several stretches where much was missed.
    async fn tick(&self, asker: &mut Asker, newest: Timestamp, stop: &CancellationToken) {
        let mut errors = Vec::new();
        let held = asker.oldest_watermark().unwrap_or(newest - CATCH_UP).max(newest - CATCH_UP);
        let mut stretch = FIRST_STRETCH;
        let mut from = held;
        while from < newest && errors.is_empty() && !stop.is_cancelled() {
            let to = newest.min(self.slice.floor(from + stretch));
            let asked = asker.ask(Stretch { to, oldest: newest - CATCH_UP }).await;
            self.told(&asked.clock, &asked.refused);
            stretch = next_stretch(stretch, asked.samples, to.since(from));
            errors = asked.errors;
            self.evaluate(asked.observations, to).await;
            from = to;
        }
        self.finished(newest, &errors).await;
    }
}
