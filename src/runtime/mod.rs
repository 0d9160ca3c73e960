//! The running service: scheduler, poller, evaluator, outbox, reload, supervision.
//!
//! The shell around the pure core: it asks the sources when a slice is complete, feeds the engine, commits, and wakes
//! the outbox. `http` and `cli` see it through [`service::Service`] only.

pub mod outbox;
pub mod service;
