//! From verdicts to alerts: tiers, the alert state machine, hold-back, episodes (SEMANTICS 6).
//!
//! Pure. Decides and returns what has to be recorded and told, with ids; it sends nothing. Running it twice on the same
//! verdicts gives the same transitions with the same ids. Invariants: a firing alert never ends by time alone; every
//! transition has a reason in words and numbers; ids are made of names, the episode's begin and counts.

pub mod alert;
pub mod compile;
pub mod notification;
