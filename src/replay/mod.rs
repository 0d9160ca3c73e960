//! The past through the same code: what the service would have told, and how it compares with what others told.
//!
//! [`player::Player`] lives through slice ends with the real engine and the real alert book, one after the other, from
//! answers that may be hours long: the engine takes of an answer only what is not newer than the slice end, so there is
//! no look-ahead. [`foreign`] makes alerts of the rules in use today out of their `ALERTS` series, [`matching`] pairs
//! both, and [`why`] says in words and numbers why they differ, from figures that [`watch`] noted on the way.
//!
//! Pure: samples come in as observations; who asks for them is not known here. Invariant: the same observations give
//! the same alerts, with the same ids, as the running service would have made of them.

pub mod foreign;
pub mod matching;
pub mod player;
pub mod told;
pub mod watch;
pub mod why;
