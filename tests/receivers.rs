//! Sinks against receivers that keep state and check what they get against the shape that their vendor documents.
//!
//! A receiver that is a file in `tests/receivers/` names the source of each behaviour it copies.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "receivers/kit.rs"]
mod kit;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "receivers/server.rs"]
mod server;
