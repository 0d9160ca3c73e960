//! The engine beside the oracle at one slice end.

use slo::engine::state::SloState;
use slo::units::Labels;

use super::adapter::{Differences, engine_verdict, length};
use super::judge::judge_ledger;
use super::ledger::ledger;
use super::window::window;
use super::world::{DAY, HOUR, MINUTE, Setting, World};

/// The windows of the bars.
pub const LENGTHS: [i64; 5] = [5 * MINUTE, HOUR, 6 * HOUR, 3 * DAY, 30 * DAY];

/// Forecasts are compared at one of so many slice ends.
const FORECASTS: i64 = 10;

/// Compares everything that is known of every group at `w`: `LENGTHS` and `more` windows, the budget and the tiers.
/// `seen` is what the engine has been told.
pub fn compare(state: &SloState, seen: &World, setting: &Setting, w: i64, more: &[i64]) -> Result<(), String> {
    for group in seen.groups(setting) {
        compare_group(state, seen, setting, &group, w, more)?;
    }
    let (engine, oracle) = (state.instances().count(), seen.groups(setting).len());
    if engine == oracle { Ok(()) } else { Err(format!("at {w}: engine has {engine} instances, oracle {oracle}")) }
}

fn compare_group(
    state: &SloState,
    seen: &World,
    setting: &Setting,
    group: &Labels,
    w: i64,
    more: &[i64],
) -> Result<(), String> {
    let context = format!("group {{{group}}} at {w}");
    let Some(verdict) = engine_verdict(state, group) else { return Err(format!("{context}: no instance")) };
    let book = ledger(seen, setting, group, w);
    let mut differences = Differences::default();
    for &asked in LENGTHS.iter().chain(more) {
        let engine = state.instance(group).unwrap().window(length(asked));
        let what = format!("window {}", length(asked));
        differences.window(&what, &engine, &window(&book, setting, asked), &setting.budget);
    }
    // A month of hours in exact numbers takes its time: now and then is enough.
    if (w / setting.slice) % FORECASTS == 0 {
        differences.forecast(&state.instance(group).unwrap().forecast(), &book, setting);
    }
    differences.verdict(&verdict, &judge_ledger(&book, setting), setting);
    differences.result(&context)
}
