//! `/metrics` and `/metrics/slos`: pages for Prometheus.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::http::app::App;
use crate::http::error::{ApiError, ErrorBody};
use crate::http::exposition::Page;
use crate::http::sloth_names::SlothPage;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The service's own health.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics",
    responses(
        (status = 200, description = "Prometheus' text format 0.0.4", body = String, content_type = "text/plain"),
        (status = 500, description = "the page could not be worked out", body = ErrorBody),
    )
)]
pub async fn own(State(app): State<App>) -> Result<Response, ApiError> {
    let page = app.compute(|service| service.own_metrics()).await?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], page).into_response())
}

/// The SLOs: error ratios, burn rates, budgets, alert states; with `compat: sloth` under Sloth's names too.
#[utoipa::path(
    get, path = "/metrics/slos", tag = "metrics",
    responses(
        (status = 200, description = "Prometheus' text format 0.0.4", body = String, content_type = "text/plain"),
        (status = 500, description = "the page could not be worked out", body = ErrorBody),
    )
)]
pub async fn slos(State(app): State<App>) -> Result<Response, ApiError> {
    let families = app
        .compute(|service| {
            let mut page = Page::default();
            let mut sloth = service.has_sloth_names().then(SlothPage::default);
            for summary in service.summaries() {
                if let Some(view) = service.instance(&summary.id) {
                    page.add(&view);
                    if let Some(sloth) = &mut sloth {
                        sloth.add(&view);
                    }
                }
            }
            let mut families = page.families();
            families.extend(sloth.into_iter().flat_map(SlothPage::families));
            families
        })
        .await?;
    // Family by family, so that the page of 100,000 instances is in memory once.
    let body = Body::from_stream(stream::iter(families.into_iter().map(Ok::<_, std::convert::Infallible>)));
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], body).into_response())
}
