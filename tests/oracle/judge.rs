//! SEMANTICS 3 and 5: what the data is, which tiers match, and which are known to be false.

use slo::units::Labels;

use super::exact::{Rational, count, exceeds, fixed, ratio, whole};
use super::forecast;
use super::ledger::{Alive, Ledger, ledger, slice_of};
use super::window::{Budget, Window, begin_of, budget, divide, sums, window, window_from};
use super::world::{DAY, HOUR, Kind, MINUTE, Setting, Tier, World};

/// What the newest slice says about the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Measured, with events.
    Measured,
    /// Measured, no increase.
    NoTraffic,
    /// Unmeasured; `alive` above 0, not asked, or not seen for 7 d.
    Idle,
    /// Unmeasured; `alive` 0, or gone but above 0 within 7 d.
    Down,
}

/// Which way a burn tier goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// Over in neither window.
    Ok,
    /// In the confirm window alone.
    Rising,
    /// In both.
    Burning,
    /// In the long window alone.
    Recovering,
}

/// What one tier's condition gives.
#[derive(Clone, Debug)]
pub struct Judged {
    /// It matches.
    pub matches: bool,
    /// `min_bad` and `min_total` hold.
    pub gates: bool,
    /// Known to be false.
    pub known_false: bool,
    /// `L`.
    pub over: Option<Window>,
    /// `S`.
    pub confirm: Option<Window>,
    /// `X`.
    pub resolve: Option<Window>,
    /// Burn tiers.
    pub trend: Trend,
    /// `exhausts` that match: how soon, in ms.
    pub exhausts_in: Option<Rational>,
    /// `budget_left`: left; `budget_drop`: spent.
    pub budget_share: Option<Rational>,
}

/// Everything about one group at one watermark.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The watermark.
    pub w: i64,
    /// What the data is.
    pub condition: Condition,
    /// Of `W`.
    pub budget: Budget,
    /// One for each tier.
    pub tiers: Vec<Judged>,
}

/// Judges `group` at `w` from everything known then.
pub fn judge(world: &World, setting: &Setting, group: &Labels, w: i64) -> Verdict {
    let book = ledger(&world.known_at(w), setting, group, w);
    judge_ledger(&book, setting)
}

/// Judges a ledger.
pub fn judge_ledger(book: &Ledger, setting: &Setting) -> Verdict {
    let condition = condition(book, setting);
    let budget = budget(book, setting);
    let tiers = setting.tiers.iter().map(|tier| judge_tier(book, setting, tier, (condition, &budget))).collect();
    Verdict { w: book.w, condition, tiers, budget }
}

/// The four silences (blind is not here: then there is no watermark).
///
/// Reading: "no increase" is said of the newest sample, so of the slice that holds it and those since: where samples
/// come less often than slices end, a slice without one says nothing.
pub fn condition(book: &Ledger, setting: &Setting) -> Condition {
    let measured = book.cells.get(&book.w).is_some_and(|cell| cell.own);
    let told = slice_of(book.newest.unwrap_or(book.w), setting.slice) - setting.slice;
    match (measured, sums(book, told, book.w).1 > 0) {
        (true, true) => Condition::Measured,
        (true, false) => Condition::NoTraffic,
        (false, _) => match book.alive {
            Alive::Zero => Condition::Down,
            Alive::Gone if book.alive_lately => Condition::Down,
            Alive::None | Alive::Up | Alive::Gone => Condition::Idle,
        },
    }
}

fn judge_tier(book: &Ledger, setting: &Setting, tier: &Tier, (condition, budget): (Condition, &Budget)) -> Judged {
    let plain = |matches, known_false| Judged {
        matches,
        gates: true,
        known_false,
        over: None,
        confirm: None,
        resolve: None,
        trend: Trend::Ok,
        exhausts_in: None,
        budget_share: None,
    };
    // Kinds other than burn are known false when their window is covered, and the condition is without the coverage.
    let told = |long: Window, matches: bool, really: bool| Judged {
        matches,
        gates: long.bad >= whole(tier.min_bad) && long.total >= whole(tier.min_total),
        known_false: long.coverage >= ratio(9, 10) && !really,
        over: Some(long),
        ..plain(false, false)
    };
    let measured = matches!(condition, Condition::Measured | Condition::NoTraffic);
    match &tier.kind {
        Kind::Burn { over, confirm, factor } => {
            judge_burn(book, setting, tier, (*over, *confirm), &(factor * &setting.budget))
        }
        Kind::SliBelow { target, over } => {
            let (long, bound) = (window(book, setting, *over), whole(1) - target);
            let matches = exceeds(&(&long.share * &long.coverage), &bound);
            let really = exceeds(&long.share, &bound);
            told(long, matches, really)
        }
        Kind::BudgetLeft { below } => {
            let remaining = budget.remaining.clone();
            let matches = exceeds(below, &remaining);
            Judged { budget_share: Some(remaining), ..told(window(book, setting, HOUR), matches, matches) }
        }
        Kind::BudgetDrop { drop, over } => {
            let (long, allowed) = (window(book, setting, *over), &budget.allowed);
            let matches = exceeds(&long.bad, &(drop * allowed));
            Judged { budget_share: Some(divide(&long.bad, allowed)), ..told(long, matches, matches) }
        }
        Kind::NoTraffic { over, min_total } => {
            let long = window(book, setting, *over);
            let few = !exceeds(&long.total, &whole(*min_total));
            let matches = few && long.coverage >= ratio(9, 10);
            told(long, matches, few)
        }
        Kind::Exhausts { within, lookback, min_burn } => {
            let long = window(book, setting, *lookback);
            let soon =
                |coverage: &Rational| ends_soon(book, (setting, budget), (*within, *lookback), min_burn, coverage);
            let found = soon(&long.coverage);
            let really = found.is_some() || (long.coverage < whole(1) && soon(&whole(1)).is_some());
            Judged { exhausts_in: found.clone(), ..told(long, found.is_some(), really) }
        }
        Kind::Down { .. } => plain(condition == Condition::Down, measured || book.alive == Alive::Up),
        Kind::NoData { .. } => plain(condition == Condition::Idle && usual_hour(book), measured),
    }
}

/// How soon the budget is gone at the burn of the lookback times `coverage`, where that is soon enough and the burn above
/// `min_burn`; zero where it is gone.
fn ends_soon(
    book: &Ledger,
    (setting, budget): (&Setting, &Budget),
    (within, lookback): (i64, i64),
    min_burn: &Rational,
    coverage: &Rational,
) -> Option<Rational> {
    let long = window(book, setting, lookback);
    let rates = forecast::rates(book, setting, lookback)?;
    if !exceeds(&(&long.share * coverage), &(min_burn * &setting.budget)) {
        return None;
    }
    if forecast::is_exhausted(budget) {
        return Some(whole(0));
    }
    let rates = forecast::Rates { bad: rates.bad * coverage, ..rates };
    forecast::exhaustion(book, setting, &rates, within).filter(|time| exceeds(&whole(within), time))
}

fn judge_burn(
    book: &Ledger,
    setting: &Setting,
    tier: &Tier,
    lengths: (i64, Option<i64>),
    threshold: &Rational,
) -> Judged {
    let long = window(book, setting, lengths.0);
    let short = lengths.1.map(|length| window(book, setting, length));
    let is_over = |window: &Window| exceeds(&(&window.share * &window.coverage), threshold);
    let over = is_over(&long);
    let confirmed = short.as_ref().map(is_over);
    let trend = match (over, confirmed.unwrap_or(over)) {
        (true, true) => Trend::Burning,
        (true, false) => Trend::Recovering,
        (false, true) => Trend::Rising,
        (false, false) => Trend::Ok,
    };
    let resolve = resolve_window(book, setting, lengths, &long, threshold);
    let held = &tier.hold * threshold;
    let quiet = |window: &Window| window.coverage >= ratio(9, 10) && !exceeds(&window.share, &held);
    let known_false = quiet(&long) || (quiet(&resolve) && resolve.total > whole(0));
    Judged {
        matches: over && confirmed.unwrap_or(true),
        gates: long.bad >= whole(tier.min_bad) && long.total >= whole(tier.min_total),
        known_false,
        over: Some(long),
        confirm: short,
        resolve: Some(resolve),
        trend,
        exhausts_in: None,
        budget_share: None,
    }
}

/// `X`: the shortest window, at least `S` and at most `L`, that holds `5 / max(share(L), k*B)` events; else `L`.
///
/// Reading: a window is one of those that exist, so `X` begins on a slice end, a multiple of 5 min or an hour as its
/// length says. Without a confirm window `X` is `L`. "Holds" is "not fewer, in the sense of `exceeds`".
fn resolve_window(
    book: &Ledger,
    setting: &Setting,
    lengths: (i64, Option<i64>),
    long: &Window,
    threshold: &Rational,
) -> Window {
    let (over, Some(confirm)) = lengths else { return long.clone() };
    if setting.time_weighted {
        return window(book, setting, confirm);
    }
    let needed = divide(&whole(5), &long.share.clone().max(threshold.clone()));
    let (mut events, mut newer) = (fixed(0.0), book.w);
    for from in begins(book.w, confirm, over, setting.slice) {
        events += sums(book, from, newer).1;
        newer = from;
        if !exceeds(&needed, &count(events)) {
            return window_from(book, setting, from);
        }
    }
    long.clone()
}

/// Every begin of a window at least `short` and at most `long`, newest first.
fn begins(w: i64, short: i64, long: i64, slice: i64) -> Vec<i64> {
    let (first, last) = (begin_of(w, short, slice), begin_of(w, long, slice));
    let mut begins = Vec::new();
    let mut from = first;
    while from >= last {
        let length = w - from;
        let grain = if length <= 6 * HOUR {
            slice
        } else if length <= 4 * DAY {
            5 * MINUTE
        } else {
            HOUR
        };
        if from.rem_euclid(grain) == 0 || from == first {
            begins.push(from);
        }
        from -= slice;
    }
    begins
}

/// Whether the hour of the day that holds slice `w` usually has events.
///
/// Reading: a day is the 24 h that end with that hour of the day; it has data where a slice of it is measured.
/// History counts from the oldest sample of `total`.
pub fn usual_hour(book: &Ledger) -> bool {
    let Some(begin) = book.begin else { return false };
    if book.w - begin < DAY {
        return false;
    }
    let end = -((-book.w).div_euclid(HOUR)) * HOUR;
    let (mut with_data, mut with_events) = (0, 0);
    for day in 1..=7 {
        let hour_end = end - day * DAY;
        let (_, total, _) = sums(book, hour_end - HOUR, hour_end);
        let (_, _, measured) = sums(book, hour_end - DAY, hour_end);
        with_data += i32::from(measured > 0);
        with_events += i32::from(total > 0);
    }
    with_events > 0 && with_events >= 3.min(with_data)
}
