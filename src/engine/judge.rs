//! From figures to verdicts (SEMANTICS 3 and 5).

use crate::engine::instance::Instance;
use crate::engine::state::SloState;
use crate::engine::verdict::{TierSet, Verdict};

impl SloState {
    /// What the tiers' conditions give for `instance` at its watermark. `firing` are the tiers that fire, or whose end
    /// has to be known; only for them `known_false` and `resolve` are worked out. `out` is overwritten; its buffer is
    /// reused.
    pub fn judge(&self, instance: &Instance, firing: TierSet, out: &mut Verdict) {
        let _ = firing;
        out.as_of = instance.as_of();
        out.budget = instance.budget();
    }
}
