//! Reads Pyrra's `ServiceLevelObjective`.

use crate::spec::meant::Slo;
use crate::spec::slos::Surroundings;
use crate::yaml::{NodeId, Reader};

/// The SLO of a document; what is wrong is noted.
pub fn read_pyrra(_reader: &mut Reader<'_>, _root: NodeId, _around: &Surroundings<'_>) -> Vec<(Slo, NodeId)> {
    Vec::new()
}
