//! `slo generate prometheus`: the files by themselves, with the tools of their rulers, and every number that they record
//! beside the engine's on the same data.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod kit;

#[path = "generate/command.rs"]
mod command;
#[path = "generate/files.rs"]
mod files;
#[path = "generate/numbers.rs"]
mod numbers;
#[path = "generate/truth.rs"]
mod truth;
#[path = "generate/watch.rs"]
mod watch;
#[path = "generate/world.rs"]
mod world;
