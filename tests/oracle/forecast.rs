//! SEMANTICS 7: when the budget is gone and when it is back, hour by hour in exact numbers.
//!
//! Reading: the past leaves from the true begin of the period on; unmeasured past time is filled evenly, at the rate of
//! the period's measured time; "never gone" where nothing failed. `>=` and `<` are those of *Everywhere*.

use num_traits::Zero;

use super::exact::{Rational, count, exceeds, whole};
use super::ledger::Ledger;
use super::window::{Budget, begin_of, divide, sums, window};
use super::world::{DAY, HOUR, Setting};

/// Events per millisecond of measured time.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Bad ones.
    pub bad: Rational,
    /// All.
    pub total: Rational,
}

/// A stretch of the future in which nothing leaves: `[begin, end)` in ms from now, and what the past still holds.
struct Stretch {
    begin: i64,
    end: i64,
    bad: Rational,
    total: Rational,
}

/// The rates of the window of length `lookback`; `None` where nothing of it is measured.
pub fn rates(book: &Ledger, setting: &Setting, lookback: i64) -> Option<Rates> {
    let window = window(book, setting, lookback);
    let measured = whole(window.measured);
    (window.measured > 0).then(|| Rates { bad: &window.bad / &measured, total: &window.total / &measured })
}

/// The lookback of the forecast that is shown.
pub fn lookback(setting: &Setting) -> i64 {
    if setting.window < 30 * DAY { (setting.window / 120).min(6 * HOUR) } else { 6 * HOUR }
}

/// Whether `bad >= B * N(W)` now.
pub fn is_exhausted(budget: &Budget) -> bool {
    is_gone(&budget.window.bad, &budget.allowed)
}

fn is_gone(bad: &Rational, allowed: &Rational) -> bool {
    !bad.is_zero() && !exceeds(allowed, bad)
}

/// The least time from now, in ms and at most `until`, at which the budget is gone.
pub fn exhaustion(book: &Ledger, setting: &Setting, rates: &Rates, until: i64) -> Option<Rational> {
    least(book, setting, rates, (true, until.min(setting.window)))
}

/// The least time from now, in ms and at most `W`, at which it is not.
pub fn recovery(book: &Ledger, setting: &Setting, rates: &Rates) -> Option<Rational> {
    least(book, setting, rates, (false, setting.window))
}

fn least(book: &Ledger, setting: &Setting, rates: &Rates, (gone, until): (bool, i64)) -> Option<Rational> {
    let slope = &rates.bad - &setting.budget * &rates.total;
    let may_cross = if gone { slope > whole(0) } else { slope < whole(0) };
    for stretch in stretches(book, setting, until) {
        let begin = whole(stretch.begin);
        let bad = &stretch.bad + &rates.bad * &begin;
        let allowed = &setting.budget * (&stretch.total + &rates.total * &begin);
        if is_gone(&bad, &allowed) == gone {
            return Some(begin);
        }
        if may_cross {
            // `bad + b t = B (total + r t)`, from below where it is to be gone, from above where it is to be back.
            let crossing = (&setting.budget * &stretch.total - &stretch.bad) / &slope;
            if crossing >= begin && crossing < whole(stretch.end) && crossing <= whole(until) {
                return Some(crossing);
            }
        }
    }
    None
}

/// From now on, as far as `until`.
fn stretches(book: &Ledger, setting: &Setting, until: i64) -> impl Iterator<Item = Stretch> {
    let (w, period, good) = (book.w, setting.window, setting.good);
    let whole_window = window(book, setting, period);
    let fill = divide(&whole_window.total, &whole(whole_window.measured));
    let mut from = begin_of(w, period, setting.slice);
    let (mut events, mut total, mut measured) = sums(book, from, w);
    let mut begin = 0;
    std::iter::from_fn(move || {
        if begin > until {
            return None;
        }
        let leaves = from.div_euclid(HOUR) * HOUR + HOUR;
        let bad = if good { (total - events).max(0) } else { events };
        let unmeasured = ((w - from).max(0) - measured).max(0);
        let end = leaves + period - w;
        let stretch = Stretch { begin, end, bad: count(bad), total: count(total) + &fill * whole(unmeasured) };
        let gone = if from < w { sums(book, from, leaves.min(w)) } else { (0, 0, 0) };
        (events, total, measured) = (events - gone.0, total - gone.1, measured - gone.2);
        (from, begin) = (leaves, end);
        Some(stretch)
    })
}
