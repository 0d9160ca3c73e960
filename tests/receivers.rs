//! Sinks against receivers that keep state and check what they get against the shape that their vendor documents.
//!
//! A receiver that is a file in `tests/receivers/` names the source of each behaviour it copies.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "receivers/exec.rs"]
mod exec;
#[path = "receivers/kit.rs"]
mod kit;
#[path = "outbox_kit/server.rs"]
#[expect(dead_code, reason = "faults that other tests use")]
mod recorder;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "receivers/server.rs"]
mod server;
#[path = "receivers/webhook.rs"]
mod webhook;
