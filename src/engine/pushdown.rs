//! Pushdown mode: the store evaluates the queries, a step at a time (SEMANTICS 2, *Pushdown mode*).

use crate::engine::observation::Observation;
use crate::engine::state::{Loaded, SloState};
use crate::units::Timestamp;

impl SloState {
    pub(crate) fn advance_points(&mut self, observation: &Observation, loaded: Loaded, as_of: Timestamp) {
        let _ = (observation, loaded, as_of);
    }
}
