//! The arithmetic: samples to slices, slices to windows, windows to verdicts (SEMANTICS 2 to 5).
//!
//! Pure: no clock, no I/O, no logging. Live evaluation, backfill, tests and replays all go through [`SloState`]: one
//! call of `advance` per slice end, in order, with the data known at that slice end. What is older than everything
//! loaded comes in by `prepend`. Invariants: counts are exact sums of what the samples say; a window is the difference
//! of two cumulative cells, whatever its length; a replaced slice or a folded gap adds its difference to every later cell.

pub mod confidence;
pub mod definition;
pub mod observation;
pub mod verdict;
