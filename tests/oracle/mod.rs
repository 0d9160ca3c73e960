//! An independent oracle: a slow, obvious model of SEMANTICS 1 to 7, written apart from the engine.
//!
//! It keeps nothing between two slice ends. For each watermark it reads all raw samples again, books every increase on
//! its slice, marks every slice measured or not, and sums whole windows slice by slice. Counts are fixed-point integers,
//! ratios are exact rationals. It shares no code with `slo::engine`: only label sets come from `units`. Times are plain
//! milliseconds. Where the oracle and the engine differ, SEMANTICS decides.
//!
//! Where SEMANTICS leaves a choice, the function that makes it says so under "reading".

pub mod adapter;
pub mod alert;
pub mod compare;
pub mod drive;
pub mod exact;
pub mod forecast;
pub mod judge;
pub mod ledger;
pub mod policy;
pub mod random;
pub mod scene;
pub mod time_weighted;
pub mod traffic;
pub mod window;
pub mod world;
