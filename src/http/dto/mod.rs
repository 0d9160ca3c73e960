//! What goes over the wire: the objects of INTERFACES 3, each made from a view of the service by a pure function.
//!
//! Types of their own, so that a change inside never changes a key outside unseen. They can be read back too, which is
//! how `slo status` and `slo alerts` use them. Invariants: every key of the contract is there, `null` where there is
//! nothing to say; figures are not rounded; ratios run from 0 to 1; nothing non-finite is written.

pub mod alert;
pub mod audit;
pub mod bundle;
pub mod case;
pub mod delivery;
pub mod figure;
pub mod instance;
pub mod list;
pub mod plot;
pub mod silence;
pub mod state;
pub mod telling;
