//! From figures to verdicts (SEMANTICS 3 and 5): what each tier's condition gives at a slice end.
//!
//! Unmeasured time is clean when deciding to fire (the share is taken times the coverage) and unknown when deciding to
//! resolve (`known_false` wants covered windows). How long something has to hold is the policy's business.

use smallvec::SmallVec;

use crate::engine::alive::Alive;
use crate::engine::budget::budget_of;
use crate::engine::definition::{Kind, Tier};
use crate::engine::forecast::{Past, Rates};
use crate::engine::instance::Instance;
use crate::engine::known_false::{COVERED, resolve_window, shows_false};
use crate::engine::silence::usually_has_events;
use crate::engine::state::SloState;
use crate::engine::sums::Sums;
use crate::engine::verdict::{Budget, Condition, TierSet, TierVerdict, Trend, Verdict, WindowFigures};
use crate::engine::windows::Begin;
use crate::units::{Length, Timestamp, exceeds};

/// What a tier is judged by, beside its own windows.
#[derive(Clone, Copy)]
struct Around<'a> {
    instance: &'a Instance,
    budget: &'a Budget,
    condition: Condition,
    alive: Alive,
    /// Whether it has to be known if the tier is false.
    fires: bool,
    /// The period is loaded, as far as there is anything to load.
    loaded: bool,
}

impl SloState {
    /// What the tiers' conditions give for `instance` at its watermark. `firing` are the tiers that fire, or whose end
    /// has to be known; only for them `known_false` and `resolve` are worked out. `out` is overwritten; its buffer is
    /// reused.
    pub fn judge(&self, instance: &Instance, firing: TierSet, out: &mut Verdict) {
        let definition = &instance.definition;
        // All cells first, figures afterwards: they lie far apart in memory, and this way are waited for together.
        let windows =
            definition.tiers.iter().flat_map(|tier| tier.kind.window().into_iter().chain(tier.kind.confirm()));
        let lengths = std::iter::once(definition.window).chain(windows);
        let found: SmallVec<[Begin<'_>; 13]> = lengths.map(|length| instance.windows.find_begin(length)).collect();
        let begins: SmallVec<[(Timestamp, Sums); 13]> = found.into_iter().map(Begin::read).collect();
        let mut begins = begins.into_iter();
        let budget = budget_of(definition, instance.window_from(definition.window, begins.next()));
        let (condition, alive) = self.condition(instance);
        let loaded = !self.awaits_history;
        out.as_of = instance.as_of();
        out.condition = condition;
        out.budget = budget;
        out.forecast = None;
        out.differences = None;
        out.tiers.clear();
        for (index, tier) in definition.tiers.iter().enumerate() {
            let mut window = |length: Option<Length>| length.map(|length| instance.window_from(length, begins.next()));
            let windows = (window(tier.kind.window()), window(tier.kind.confirm()));
            let around = Around { instance, budget: &out.budget, condition, alive, fires: firing.has(index), loaded };
            let mut judged = around.judge(tier, windows);
            bar(tier, index, instance, &mut judged);
            out.tiers.push(judged);
        }
    }
}

/// The gates on events, for starting: those of the long window, where the tier has one.
fn bar(tier: &Tier, index: usize, instance: &Instance, judged: &mut TierVerdict) {
    judged.false_pages = if tier.gates.max_false_pages.is_some() { instance.false_pages(index) } else { None };
    let min_bad = judged.false_pages.map_or(tier.gates.min_bad, |figure| figure.min_bad);
    let long = judged.over.as_ref();
    judged.gates_hold = long.is_none_or(|long| long.bad >= min_bad && long.total >= tier.gates.min_total);
}

const fn is_measured(condition: Condition) -> bool {
    matches!(condition, Condition::Measured | Condition::NoTraffic)
}

impl Around<'_> {
    fn judge(self, tier: &Tier, (long, short): (Option<WindowFigures>, Option<WindowFigures>)) -> TierVerdict {
        match (tier.kind, long) {
            (Kind::Burn { threshold, .. }, Some(long)) => self.burn(tier, (long, short), threshold),
            (Kind::SliBelow { threshold, .. }, Some(long)) => TierVerdict {
                known_false: self.fires && shows_false(&long, threshold),
                ..plain(exceeds(long.share * long.coverage, threshold), long)
            },
            (Kind::Exhausts { within, threshold, .. }, Some(long)) => self.exhausts(long, threshold, within),
            (Kind::BudgetLeft { below }, Some(hour)) => {
                let matches = exceeds(below, self.budget.remaining);
                let judged = self.whole(matches, hour, Some(self.budget.remaining));
                TierVerdict { known_false: judged.known_false && self.loaded, ..judged }
            }
            (Kind::BudgetDrop { drop, .. }, Some(long)) => {
                let allowed = self.budget.allowed;
                let spent = if allowed > 0.0 { long.bad / allowed } else { 0.0 };
                self.whole(exceeds(long.bad, drop * allowed), long, Some(spent))
            }
            (Kind::NoTraffic { min_total, .. }, Some(long)) => {
                let matches = long.coverage >= COVERED && !exceeds(long.total, min_total);
                self.whole(matches, long, None)
            }
            (Kind::Down { .. }, _) => TierVerdict {
                matches: self.condition == Condition::Down,
                known_false: self.fires && (self.alive == Alive::Up || is_measured(self.condition)),
                ..TierVerdict::default()
            },
            (Kind::NoData { .. }, _) => TierVerdict {
                matches: self.condition == Condition::Idle && usually_has_events(self.instance),
                known_false: self.fires && is_measured(self.condition),
                ..TierVerdict::default()
            },
            // Every other kind has a window.
            (_, None) => TierVerdict::default(),
        }
    }

    /// A condition in which coverage has no part: known false where it is false and its window is covered.
    fn whole(self, matches: bool, window: WindowFigures, budget_share: Option<f64>) -> TierVerdict {
        let known_false = self.fires && window.coverage >= COVERED && !matches;
        TierVerdict { known_false, budget_share, ..plain(matches, window) }
    }

    /// At the burn of the lookback, for matching taken times its coverage.
    fn exhausts(self, long: WindowFigures, threshold: f64, within: Length) -> TierVerdict {
        let past = Past::of(self.instance, self.budget);
        let soon = |coverage: f64| {
            // The burn first: it is at hand, and mostly decides.
            let rates = Rates::of(&long).filter(|_| exceeds(long.share * coverage, threshold))?;
            let millis = past.exhaustion(Rates { bad: rates.bad * coverage, ..rates }, within)?;
            let is_soon = millis <= 0.0 || exceeds(within.millis() as f64, millis);
            is_soon.then_some(millis)
        };
        let found = soon(long.coverage);
        TierVerdict {
            known_false: self.fires
                && self.loaded
                && long.coverage >= COVERED
                && found.is_none()
                && soon(1.0).is_none(),
            exhausts_in: found.map(crate::engine::forecast::rounded),
            ..plain(found.is_some(), long)
        }
    }

    fn burn(self, tier: &Tier, (long, short): (WindowFigures, Option<WindowFigures>), threshold: f64) -> TierVerdict {
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
        let resolve = self.fires.then(|| resolve_window(self.instance, &long, shortest, threshold));
        let bound = tier.gates.hold * threshold;
        let resolve_shows = resolve.as_ref().is_some_and(|window| window.total > 0.0 && shows_false(window, bound));
        TierVerdict {
            known_false: self.fires && (resolve_shows || shows_false(&long, bound)),
            confirm: short,
            resolve,
            trend,
            ..plain(long_burns && short_burns, long)
        }
    }
}

/// What all kinds with a window have.
fn plain(matches: bool, over: WindowFigures) -> TierVerdict {
    TierVerdict { matches, over: Some(over), ..TierVerdict::default() }
}
