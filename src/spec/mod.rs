//! SLO and policy files: as written (typed decode with positions), then as meant.
//!
//! Why two types: what was written keeps every key and position for findings; what is meant has defaults applied,
//! names resolved and queries parsed, and is all that the layers above see. Validation is pure and its result is kept.

pub mod events;
pub mod exclusion;
pub mod foreign;
pub mod gauge;
pub mod kind;
pub mod latency;
pub mod meant;
pub mod native;
pub mod overrides;
pub mod policy;
pub mod preset;
pub mod query;
pub mod ratio;
pub mod rules;
mod scan;
pub mod selector;
pub mod slos;
pub mod template;
pub mod tiers;
pub mod unsaid;
pub mod upkeep;
pub mod value;
mod written;
