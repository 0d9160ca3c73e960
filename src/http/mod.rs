//! HTTP: the API, the metrics pages and the dashboard of a running service (INTERFACES 3 and 4).
//!
//! Everything is read from one `runtime::service::Service`; nothing is decided or kept here. `server::serve` is a
//! function of a service, a listener and a shutdown future, so tests run the real thing.
//! Invariants: every error has one shape; writes on an address that is not loopback are refused before anything else
//! is looked at; every route stands in the OpenAPI document, which is generated from the handlers.

pub mod api;
pub mod app;
pub mod caller;
pub mod dashboard;
pub mod direct;
pub mod dto;
pub mod error;
pub mod exposition;
pub mod guard;
pub mod listing;
pub mod markdown;
pub mod needs;
pub mod openapi;
pub mod query;
pub mod router;
pub mod server;
pub mod sloth_names;
pub mod timeline;
