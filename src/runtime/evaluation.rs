//! One tick's evaluations: all SLOs of a source at once, each by itself.
//!
//! An evaluation that panics is a bug; it costs its own SLO and nobody else: what the others decided is kept and told.
//! The SLO is named in the log, and no heartbeat is sent until it is evaluated again (`watchdog`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::prelude::*;

use crate::config::meant::Config;
use crate::engine::observation::Observation;
use crate::policy::desk::Rules;
use crate::policy::machine::Effect;
use crate::policy::quiet::{About, Quiets};
use crate::policy::route::{Addressee, Heard};
use crate::runtime::entry::{SharedEntry, Surroundings};
use crate::store::Commit;
use crate::units::{SloId, Timestamp};

/// What an evaluation of one SLO leads to.
#[derive(Default)]
pub struct Evaluated {
    /// Alerts that changed, with what is to be told.
    pub effects: Vec<Effect>,
    /// What has to be written with them.
    pub commit: Commit,
}

impl Evaluated {
    /// Puts two together, the later one behind.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.effects.extend(later.effects);
        self.commit.states.extend(later.commit.states);
        self.commit.forgotten.extend(later.commit.forgotten);
        self.commit.hours.extend(later.commit.hours);
        self.commit.slices.extend(later.commit.slices);
        self.commit.watermarks.extend(later.commit.watermarks);
        self.commit.renamed.extend(later.commit.renamed);
        self
    }
}

/// What is to be evaluated.
pub struct Evaluation {
    /// The SLOs of the source, in the places of the plan.
    pub entries: Vec<SharedEntry>,
    /// Answers, by place.
    pub observations: Vec<(usize, Observation)>,
    /// The newest slice end.
    pub to: Timestamp,
    /// The configuration in use.
    pub config: Arc<Config>,
    /// Everything that makes quiet now.
    pub quiets: Arc<Quiets>,
    /// The wall clock, which silences go by.
    pub now: Timestamp,
    /// The alert of the source while it fires.
    pub source_alert: Option<String>,
    /// The source has no history: slices have to be kept.
    pub keeps_slices: bool,
}

/// What came of one SLO; `Err` is the message of a panic.
pub type Outcome = (SloId, Result<Evaluated, String>);

impl Evaluation {
    /// Evaluates in parallel; outcomes in the order of the observations.
    #[must_use]
    pub fn run(&self) -> Vec<Outcome> {
        let of = |(place, observation): &(usize, Observation)| {
            let entry = self.entries.get(*place)?;
            // Its lock is taken all the same the next time (`core::held`): it goes on from where the panic left it.
            let evaluated = catch_unwind(AssertUnwindSafe(|| self.evaluate(entry, observation)));
            Some((entry.id().clone(), evaluated.map_err(|panic| message(panic.as_ref()))))
        };
        self.observations.par_iter().filter_map(of).collect()
    }

    fn evaluate(&self, entry: &SharedEntry, observation: &Observation) -> Evaluated {
        let quiet = |about: About<'_>, now: Timestamp| self.quiets.over(about, now);
        let rules = Rules { config: &self.config, quiet: &quiet, current: &|_, _| None };
        let is_heard = |page: Addressee<'_>| rules.can_be_told(page, self.now);
        let page_can_be_told = Heard::Asked(&is_heard);
        let source_alert = self.source_alert.as_deref();
        let around = Surroundings { page_can_be_told, source_alert, keeps_slices: self.keeps_slices };
        entry.evaluate(observation, self.to, around)
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
