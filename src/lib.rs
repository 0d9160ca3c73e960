//! `slo`: declarative SLO files in, pages and tickets out.
//!
//! A map for newcomers. A sample lives through these modules, in this order: [`plan`] says which series are due, each
//! once; a [`source`] answers with an observation that carries its own time span; the [`engine`] turns it into slices
//! and verdicts; the [`policy`] turns verdicts into transitions and notifications with ids; one [`store`] transaction
//! writes new state and outbox rows; the outbox in [`runtime`] wakes; a [`sink`] delivers. Everything above the store
//! is pure: no clock, no network, no files; time is an argument and comes from the data.
//!
//! The files that users write come in through [`yaml`] (positions), [`spec`] and [`config`] (as written, then as
//! meant) and are judged by [`check`]; what is wrong is a [`diag`] value. [`http`] and [`cli`] show what `runtime`
//! knows; [`app`] wires all of it. `ARCHITECTURE.md` says who may use whom, and `tests/architecture.rs` holds it.

pub mod app;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diag;
pub mod engine;
pub mod http;
pub mod plan;
pub mod policy;
pub mod replay;
pub mod ruler;
pub mod runtime;
pub mod secret;
pub mod sink;
pub mod source;
pub mod spec;
pub mod store;
pub mod telemetry;
pub mod units;
pub mod yaml;
