//! The vocabulary of every layer: time, lengths, slices, objectives, labels and ids.
//!
//! Why this way: a number without a unit is where budget arithmetic goes wrong, so times are milliseconds inside one
//! type, ratios run from 0 to 1, and decimals keep the digits as written until they are used once (SEMANTICS 1).
//! This module does no I/O, reads no clock and knows no SLO.

mod compare;
mod day;
mod id;
mod label;
mod length;
mod objective;
mod schedule;
mod step;
mod timestamp;

pub use compare::{COUNT_GRID, SHARE_GRID, exceeds, round_to_grid};
pub use day::{Day, DayError};
pub use id::{IdError, InstanceId, SloId, is_name};
pub use label::{Labels, LabelsError, portable_name};
pub use length::{Length, LengthError};
pub use objective::{Objective, ObjectiveError, decimal_to_f64};
pub use schedule::{Schedule, ScheduleError};
pub use step::{Step, StepError};
pub use timestamp::{Timestamp, TimestampError};
