//! Lives through a recipe's traffic with the engine, as the service does: one answer a tick, some ticks missed.

use slo::engine::state::SloState;

use super::adapter::{answer, definition};
use super::random::Random;
use super::traffic::Traffic;
use super::world::{MINUTE, Setting, World};

/// The slice ends of the traffic, from the first one at which a sample may be there.
pub fn slice_ends(traffic: &Traffic) -> impl Iterator<Item = i64> + use<> {
    let slice = traffic.setting.slice;
    let first = (traffic.begin.div_euclid(slice) + 1) * slice;
    (first..=traffic.end).step_by(usize::try_from(slice).unwrap())
}

/// Ticks: how many slices late each one comes. Mostly none, now and then a few, seldom twenty minutes.
pub fn ticks(traffic: &Traffic, random: &mut Random) -> Vec<Vec<i64>> {
    let ends: Vec<i64> = slice_ends(traffic).collect();
    let mut ticks = Vec::new();
    let mut rest = ends.as_slice();
    while !rest.is_empty() {
        let many = match random.between(1, 60) {
            1 => 20 * MINUTE / traffic.setting.slice,
            2..=6 => random.between(2, 8),
            _ => 1,
        };
        let (now, later) = rest.split_at(usize::try_from(many).unwrap().min(rest.len()));
        ticks.push(now.to_vec());
        rest = later;
    }
    ticks
}

/// One tick: asks for `[G + d]` and advances through every slice end since the last. `at` sees the engine at each, with
/// the slice end and the time of asking: what the engine has been told is `world.seen_at` of the two.
pub fn tick(
    state: &mut SloState,
    world: &World,
    setting: &Setting,
    ends: &[i64],
    mut at: impl FnMut(&mut SloState, i64, i64) -> Result<(), String>,
) -> Result<(), String> {
    let w = *ends.last().unwrap();
    let before = ends[0] - setting.slice;
    let observation = answer(world, before - setting.gap, w, w);
    for &end in ends {
        state.advance(&observation, super::adapter::time(end));
        at(state, end, w)?;
    }
    Ok(())
}

/// A new engine for the traffic.
pub fn engine(setting: &Setting) -> SloState {
    SloState::new(definition(setting))
}
