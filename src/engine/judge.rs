//! From figures to verdicts (SEMANTICS 3 and 5): what each tier's condition gives at a slice end.
//!
//! Unmeasured time is clean when deciding to fire (the share is taken times the coverage) and unknown when deciding to
//! resolve (`known_false` wants covered windows). How long something has to hold is the policy's business.

use smallvec::SmallVec;

use crate::engine::alive::Alive;
use crate::engine::budget::budget_of;
use crate::engine::definition::{Kind, Tier};
use crate::engine::instance::Instance;
use crate::engine::known_false::{resolve_window, shows_false};
use crate::engine::silence::usually_has_events;
use crate::engine::state::SloState;
use crate::engine::sums::Sums;
use crate::engine::verdict::{Condition, TierSet, TierVerdict, Trend, Verdict, WindowFigures};
use crate::engine::windows::Begin;
use crate::units::{Length, Timestamp, exceeds};

impl SloState {
    /// What the tiers' conditions give for `instance` at its watermark. `firing` are the tiers that fire, or whose end
    /// has to be known; only for them `known_false` and `resolve` are worked out. `out` is overwritten; its buffer is
    /// reused.
    pub fn judge(&self, instance: &Instance, firing: TierSet, out: &mut Verdict) {
        // All cells first, figures afterwards: they lie far apart in memory, and this way are waited for together.
        let windows = self.definition.tiers.iter().flat_map(windows_of);
        let found: SmallVec<[Begin<'_>; 13]> =
            windows.chain([self.definition.window]).map(|length| instance.windows.find_begin(length)).collect();
        let begins: SmallVec<[(Timestamp, Sums); 13]> = found.into_iter().map(Begin::read).collect();
        let mut begins = begins.into_iter();
        let (condition, alive) = self.condition(instance);
        out.as_of = instance.as_of();
        out.condition = condition;
        out.tiers.clear();
        for (index, tier) in self.definition.tiers.iter().enumerate() {
            let fires = firing.has(index);
            out.tiers.push(match tier.kind {
                Kind::Burn { over, confirm, threshold, .. } => {
                    let long = instance.window_from(over, begins.next());
                    let short = confirm.map(|confirm| instance.window_from(confirm, begins.next()));
                    judge_burn(instance, tier, (long, short), threshold, fires)
                }
                Kind::BudgetLeft { .. } => TierVerdict::default(),
                Kind::Exhausts { lookback: over, .. }
                | Kind::BudgetDrop { over, .. }
                | Kind::SliBelow { over, .. }
                | Kind::NoTraffic { over, .. } => {
                    TierVerdict { over: Some(instance.window_from(over, begins.next())), ..TierVerdict::default() }
                }
                Kind::Down { .. } => TierVerdict {
                    matches: condition == Condition::Down,
                    gates_hold: true,
                    known_false: fires && (alive == Alive::Up || is_measured(condition)),
                    ..TierVerdict::default()
                },
                Kind::NoData { .. } => TierVerdict {
                    matches: condition == Condition::Idle && usually_has_events(instance),
                    gates_hold: true,
                    known_false: fires && is_measured(condition),
                    ..TierVerdict::default()
                },
            });
        }
        let period = instance.window_from(self.definition.window, begins.next());
        out.budget = budget_of(&self.definition, period);
    }
}

/// The windows that a tier looks at, the long one first.
fn windows_of(tier: &Tier) -> impl Iterator<Item = Length> {
    let (over, confirm) = match tier.kind {
        Kind::Burn { over, confirm, .. } => (Some(over), confirm),
        Kind::BudgetLeft { .. } | Kind::Down { .. } | Kind::NoData { .. } => (None, None),
        Kind::Exhausts { lookback: over, .. }
        | Kind::BudgetDrop { over, .. }
        | Kind::SliBelow { over, .. }
        | Kind::NoTraffic { over, .. } => (Some(over), None),
    };
    over.into_iter().chain(confirm)
}

const fn is_measured(condition: Condition) -> bool {
    matches!(condition, Condition::Measured | Condition::NoTraffic)
}

fn judge_burn(
    instance: &Instance,
    tier: &Tier,
    (long, short): (WindowFigures, Option<WindowFigures>),
    threshold: f64,
    fires: bool,
) -> TierVerdict {
    let burns = |window: &WindowFigures| exceeds(window.share * window.coverage, threshold);
    let long_burns = burns(&long);
    let short_burns = short.as_ref().map_or(long_burns, burns);
    let trend = match (long_burns, short_burns) {
        (true, true) => Trend::Burning,
        (true, false) => Trend::Recovering,
        (false, true) => Trend::Rising,
        (false, false) => Trend::Ok,
    };
    let shortest = short.as_ref().map_or(long.length, |short| short.length);
    let resolve = fires.then(|| resolve_window(instance, &long, shortest, threshold));
    let bound = tier.gates.hold * threshold;
    let resolve_shows = resolve.as_ref().is_some_and(|window| window.total > 0.0 && shows_false(window, bound));
    TierVerdict {
        matches: long_burns && short_burns,
        gates_hold: long.bad >= tier.gates.min_bad && long.total >= tier.gates.min_total,
        known_false: fires && (resolve_shows || shows_false(&long, bound)),
        over: Some(long),
        confirm: short,
        resolve,
        trend,
    }
}
