//! The alerts on silence, in the form that rules can express.
//!
//! Down: `alive` is 0, or gone and was above 0 in the last 7 d, and no series of the total is there. No data: not down,
//! no series of the total is there, and at this time of the day, yesterday or a week ago, there were events (the
//! service looks at seven days). No traffic: hardly any event in a window nine tenths of which had series of the total.

use crate::ruler::Item;
use crate::ruler::record::{ALIVE, PRESENCE, total};
use crate::ruler::scope::series;
use crate::ruler::window::{HOUR, short_of};
use crate::spec::meant::Alive;
use crate::units::Length;

/// `None` where `alive` is not asked: then nothing is ever down.
pub(super) fn down(item: &Item<'_>) -> Option<String> {
    let down = is_down(item)?;
    Some(format!("(\n{down}\n)\nunless {}", series(&item.slo.id, PRESENCE, &[])))
}

/// What `alive` says.
fn is_down(item: &Item<'_>) -> Option<String> {
    if item.slo.alive == Alive::None {
        return None;
    }
    let alive = series(&item.slo.id, ALIVE, &[]);
    Some(format!("  {alive} == 0\n  or\n  (max_over_time({alive}[7d:5m]) > 0 unless {alive})"))
}

/// The least coverage of a window that counts as measured (SEMANTICS 5).
const COVERED: f64 = 0.9;

/// `coverage(L) >= 0.9` and `total(L) <= min_total`.
pub(super) fn no_traffic(item: &Item<'_>, over: Length, min_total: f64) -> String {
    let (all, there) = (series(&item.slo.id, &total(over), &[]), series(&item.slo.id, PRESENCE, &[]));
    let slices = over.count_of(item.definition.slice.length());
    format!("{all} <= {min_total}\nand\ncount_over_time({there}[{}]) >= {COVERED} * {slices}", short_of(over))
}

/// Nothing where there usually is something.
pub(super) fn no_data(item: &Item<'_>) -> String {
    let hour = series(&item.slo.id, &total(HOUR), &[]);
    let not_down = is_down(item).map(|down| format!("\nunless (\n{down}\n)")).unwrap_or_default();
    format!(
        "(\n  {hour} offset 1d > 0\n  or\n  {hour} offset 7d > 0\n)\nunless {}{not_down}",
        series(&item.slo.id, PRESENCE, &[])
    )
}
