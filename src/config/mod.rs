//! Service configuration (`slo.yaml`): as written, then as meant. Closed enums: the configuration is the plugin list.
//!
//! Invariant: a secret is a reference (`{env: NAME}` or `{file: PATH}`), never a value; it is resolved by `app`.

pub mod access;
pub mod meant;
pub mod people;
pub mod read;
mod reports;
mod routes;
pub mod secrets;
pub mod sinks;
mod sources;
mod told;
mod written;

/// The source of an SLO where nothing is configured.
pub const DEFAULT_SOURCE: &str = "prometheus";

/// The sink of an empty configuration.
pub const DEFAULT_SINK: &str = "stdout";
