//! The arithmetic: samples to slices, slices to windows, windows to verdicts (SEMANTICS 2 to 5).
//!
//! Pure: no clock, no I/O, no logging. Live evaluation, backfill, tests and replays all go through [`state::SloState`]: one
//! call of `advance` per slice end, in order, with the data known at that slice end. What is older than everything
//! loaded comes in by `prepend`. Invariants: counts are exact sums of what the samples say; a window is the difference
//! of two cumulative cells, whatever its length; a replaced slice or a folded gap adds its difference to every later cell.

mod absence;
mod advance;
mod alive;
mod backfill;
mod birth;
mod booking;
mod breakdown;
mod budget;
mod bytes;
pub mod confidence;
mod coverage;
pub mod definition;
mod derive;
pub mod false_pages;
#[cfg(test)]
pub(crate) mod fixture;
pub mod forecast;
mod gamma;
mod history;
mod hours;
pub mod instance;
mod judge;
mod known_false;
pub mod observation;
pub mod pack;
mod pack_series;
#[cfg(test)]
mod passes;
mod plot;
mod pushdown;
mod ring;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "counts are exact")]
mod scenarios;
mod seam;
mod silence;
pub mod state;
mod sums;
mod tracker;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "counts are exact")]
mod vectors;
pub mod verdict;
mod windows;
