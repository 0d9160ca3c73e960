//! Where the demo's shop and its pager stand: two small servers on the loopback interface.
//!
//! The shop answers `/metrics`; the pager receives what the service's webhook sink sends, so what the terminal shows
//! went through routes, outbox and sink like any page.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cli::demo::shop::Shop;
use crate::clock::Clock;
use crate::policy::notification::Notification;

/// Cards that wait for the screen: far more than the demo sends.
const CARDS: usize = 256;

/// Both servers; they end with the program.
pub struct Street {
    /// Where the shop's `/metrics` is.
    pub shop: SocketAddr,
    /// Where the pager listens.
    pub pager: SocketAddr,
    /// What the pager received.
    pub cards: mpsc::Receiver<Notification>,
}

impl Street {
    /// Opens both on free ports.
    pub async fn open(shop: Shop, clock: Clock) -> anyhow::Result<Self> {
        let (sender, cards) = mpsc::channel(CARDS);
        let metrics = Router::new().route("/metrics", get(page)).with_state((shop, clock));
        let pager = Router::new().route("/page", post(receive)).with_state(sender);
        Ok(Self { shop: serve(metrics).await?, pager: serve(pager).await?, cards })
    }
}

async fn serve(router: Router) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("opening a port for the simulated shop")?;
    let address = listener.local_addr().context("asking for the port of the simulated shop")?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the simulated shop closed");
        }
    });
    Ok(address)
}

async fn page(State((shop, clock)): State<(Shop, Clock)>) -> String {
    shop.page(clock.now())
}

async fn receive(
    State(cards): State<mpsc::Sender<Notification>>,
    axum::Json(notification): axum::Json<Notification>,
) -> StatusCode {
    if cards.send(notification).await.is_ok() { StatusCode::OK } else { StatusCode::GONE }
}
