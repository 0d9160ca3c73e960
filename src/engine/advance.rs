//! One slice end in the ordinary case: the answer continues what is held.

use crate::engine::observation::Observation;
use crate::engine::state::{Birth, Loaded, SloState};
use crate::units::Timestamp;

impl SloState {
    pub(crate) fn advance_samples(&mut self, observation: &Observation, loaded: Loaded, as_of: Timestamp) {
        let _ = (observation, loaded, as_of);
    }

    /// Births in `observation`, up to `as_of`, that rule (b) of SEMANTICS 2.4 does not decide: their targets' start
    /// times are worth asking for, to be passed as `observation.starts` to `advance`.
    #[must_use]
    pub fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth> {
        let _ = (observation, as_of);
        Vec::new()
    }
}
