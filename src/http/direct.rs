//! The API without a port: a request goes to the router in this process.
//!
//! For verbs that compute once. The same handlers answer, so what is printed there has the shape of a service's answer
//! by construction.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use crate::http::app::{App, Reach};
use crate::http::router::router;
use crate::runtime::service::Service;
use crate::telemetry::Telemetry;

/// The API of a service in this process.
#[derive(Clone, Debug)]
pub struct Direct {
    router: Router,
}

impl Direct {
    /// Of this service.
    #[must_use]
    pub fn new(service: Arc<dyn Service>, telemetry: Telemetry) -> Self {
        Self { router: router(App { service, telemetry, reach: Reach::Here }) }
    }

    /// GET of a path with its query: status and body. `None` where the path is none, or the body is longer than
    /// `limit` bytes.
    pub async fn get(&self, path: &str, limit: usize) -> Option<(StatusCode, Vec<u8>)> {
        let request = Request::get(path).body(Body::empty()).ok()?;
        // A router cannot fail: its failures are answers.
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.ok()?;
        let status = response.status();
        let body = to_bytes(response.into_body(), limit).await.ok()?;
        Some((status, body.to_vec()))
    }
}
