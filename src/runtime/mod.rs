//! The running service: scheduler, poller, evaluator, outbox, reload, supervision.
//!
//! The shell around the pure core: it asks the sources when a slice is complete, feeds the engine, commits, and wakes
//! the outbox. `http` and `cli` see it through [`service::Service`] only.

pub mod access;
pub mod asker;
pub mod backfill;
pub mod backtest;
pub mod blueprint;
pub mod closing;
pub mod core;
mod desk;
pub mod entry;
pub mod evaluation;
mod figures;
pub mod files;
pub mod health;
pub mod hooks;
pub mod links;
pub mod live;
pub mod mirror;
pub mod once;
pub mod outbox;
pub mod poller;
pub mod presence;
pub mod quiet;
pub mod recorded;
pub mod recorder;
pub mod reports;
pub mod scraping;
pub mod service;
pub mod stored;
pub mod view;
pub mod watch;
pub mod watchdog;
