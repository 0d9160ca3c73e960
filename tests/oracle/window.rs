//! SEMANTICS 1 and 4: windows as plain sums over slices, and the budget.

use num_traits::Zero;

use super::exact::{Fixed, Rational, count, whole, zero};
use super::ledger::Ledger;
use super::world::{DAY, HOUR, MINUTE, Setting};

/// The figures of `(from, to]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Exclusive.
    pub from: i64,
    /// Inclusive.
    pub to: i64,
    /// Bad events.
    pub bad: Rational,
    /// All events.
    pub total: Rational,
    /// Measured time, ms.
    pub measured: i64,
    /// `measured / (to - from)`.
    pub coverage: Rational,
    /// `min(1, bad/total)`.
    pub share: Rational,
}

/// The budget over `W`.
#[derive(Clone, Debug)]
pub struct Budget {
    /// The window itself.
    pub window: Window,
    /// `N(W)`.
    pub expected: Rational,
    /// `B * N(W)`.
    pub allowed: Rational,
    /// `bad / allowed`.
    pub spent: Rational,
    /// `1 - spent`.
    pub remaining: Rational,
    /// `allowed - bad`.
    pub remaining_events: Rational,
    /// `bad / (B * total)`.
    pub spent_so_far: Rational,
    /// `N(W)` is not `total`, or the counts are.
    pub estimated: bool,
}

/// Where the window of length `length` that ends at `w` begins: slice ends up to 6 h, 5 min up to 4 d, hours beyond.
pub const fn begin_of(w: i64, length: i64, slice: i64) -> i64 {
    let grain = if length <= 6 * HOUR {
        slice
    } else if length <= 4 * DAY {
        5 * MINUTE
    } else {
        HOUR
    };
    (w - length).div_euclid(grain) * grain
}

/// `x / y`, 0 where `y` is 0.
pub fn divide(x: &Rational, y: &Rational) -> Rational {
    if y.is_zero() { zero() } else { x / y }
}

/// Sums of `(from, to]`: numerator, total, measured.
pub fn sums(ledger: &Ledger, from: i64, to: i64) -> (Fixed, Fixed, i64) {
    ledger.cells.range(from + 1..=to).fold((0, 0, 0), |(events, total, measured), (_, cell)| {
        (events + cell.events, total + cell.total, measured + cell.measured)
    })
}

/// The figures of `(from, w]`.
pub fn window_from(ledger: &Ledger, setting: &Setting, from: i64) -> Window {
    let to = ledger.w;
    let (events, total, measured) = sums(ledger, from, to);
    let bad = if setting.good { (total - events).max(0) } else { events };
    let (bad, total) = (count(bad), count(total));
    let coverage = divide(&whole(measured), &whole(to - from));
    let share = divide(&bad, &total).min(whole(1));
    Window { from, to, bad, total, measured, coverage, share }
}

/// The figures of the window of length `length`.
pub fn window(ledger: &Ledger, setting: &Setting, length: i64) -> Window {
    window_from(ledger, setting, begin_of(ledger.w, length, setting.slice))
}

/// SEMANTICS 4 for a rolling period.
pub fn budget(ledger: &Ledger, setting: &Setting) -> Budget {
    let window = window(ledger, setting, setting.window);
    let rate = divide(&window.total, &whole(window.measured));
    let expected = &window.total + rate * whole(window.to - window.from - window.measured);
    let allowed = &setting.budget * &expected;
    let spent = divide(&window.bad, &allowed);
    let estimated = setting.step.is_some() || expected != window.total;
    Budget {
        remaining: whole(1) - &spent,
        remaining_events: &allowed - &window.bad,
        spent_so_far: divide(&window.bad, &(&setting.budget * &window.total)),
        window,
        expected,
        allowed,
        spent,
        estimated,
    }
}
