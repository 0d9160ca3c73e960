//! Composition root: from a blueprint to a service that listens, and to its end.
//!
//! Order: the port, then the store, then the pollers, so that what cannot work fails before anything is done. Reloads
//! come from three sides (files, SIGHUP, `POST /-/reload`) and take one way. At the end everything gets a deadline.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::meant::Config;
use crate::http::server::serve;
use crate::policy::act::{Act, Actor};
use crate::runtime::blueprint::{Blueprint, Launch};
use crate::runtime::live::Live;
use crate::runtime::poller::Pace;
use crate::runtime::service::Service;
use crate::store::sqlite::SqliteStore;
use crate::store::{Keep, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::event::{Lifecycle, StoreFailure};
use crate::units::Length;

/// How often old records are dropped.
const PRUNE_EVERY: Length = Length::from_hours(6);
/// Hours are kept at least this long, whatever the periods of the SLOs.
const LEAST_HOURS: Length = Length::from_days(8);

/// Why a service cannot start although its files are fine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or not ours to take.
    #[error("cannot listen on `{address}`; {}", listen_help(source))]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What to do where the system does not let us listen; it says itself why.
fn listen_help(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => "end what listens there, or set `server.listen` to another port",
        io::ErrorKind::AddrNotAvailable => "set `server.listen` to an address of this machine",
        io::ErrorKind::PermissionDenied => "set `server.listen` to a port above 1023",
        _ => "set `server.listen` to another address",
    }
}

/// A service that listens.
pub struct App {
    /// Its handle.
    pub service: Arc<dyn Service>,
    /// Where it listens.
    pub address: SocketAddr,
    live: Arc<Live>,
    telemetry: Telemetry,
    closing: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts everything.
    ///
    /// # Errors
    /// Where the port or the store cannot be used.
    pub async fn start(launch: Launch, blueprint: Blueprint, clock: Clock) -> Result<Self, StartError> {
        let telemetry = launch.telemetry.clone();
        let configured = blueprint.config.server.listen;
        let listener =
            TcpListener::bind(configured).await.map_err(|source| StartError::Listen { address: configured, source })?;
        let address = listener.local_addr().unwrap_or(configured);
        warn_of(address, &blueprint.config);
        let external_url = blueprint.config.server.external_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let config = Arc::clone(&blueprint.config);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config.storage.path).await?);
        let (kept, time, told) = (Arc::clone(&store), clock.clone(), telemetry.clone());
        let live = Live::start(launch, blueprint, kept, time, told, external_url, Pace::Service).await?;
        let service: Arc<dyn Service> = Arc::clone(&live) as Arc<dyn Service>;
        let closing = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(listen(Arc::clone(&service), telemetry.clone(), listener, closing.clone())),
            tokio::spawn(follow(Arc::clone(&live))),
            tokio::spawn(end_drills(Arc::clone(&live))),
            tokio::spawn(reload_on_hangup(Arc::clone(&service), closing.clone())),
            tokio::spawn(prune(Arc::clone(&live), store, clock, config.storage.history, closing.clone())),
        ];
        Ok(Self { service, address, live, telemetry, closing, tasks })
    }

    /// Stops: no new work, what is under way gets its deadline. Says whether nothing was cut off.
    pub async fn stop(self, why: &str) -> bool {
        self.telemetry.tell(&Lifecycle::Stopping(why));
        self.closing.cancel();
        let clean = self.live.stop().await;
        for task in self.tasks {
            // A panic in a task was logged when it happened.
            let _ = task.await;
        }
        self.telemetry.tell(&Lifecycle::Stopped { clean });
        clean
    }
}

/// What `slo check` says too, for whoever reads the log alone.
fn warn_of(address: SocketAddr, config: &Config) {
    if !address.ip().is_loopback() && config.server.tokens.is_none() {
        tracing::warn!(%address, "this address is not loopback and `server.auth` is not set: every write is refused");
    }
    if config.server.external_url.is_none() && config.no_way_to(address.ip()).is_some() {
        tracing::warn!(%address, "messages have no links: who reads them cannot open this address; set `server.external_url`");
    }
}

/// SIGTERM or Ctrl-C; says which.
pub async fn told_to_stop() -> &'static str {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without signals there is nothing to wait for but Ctrl-C.
        let _ = tokio::signal::ctrl_c().await;
        return "interrupted";
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = tokio::signal::ctrl_c() => "interrupted",
    }
}

async fn listen(service: Arc<dyn Service>, telemetry: Telemetry, listener: TcpListener, closing: CancellationToken) {
    if let Err(error) = serve(service, telemetry, listener, closing.cancelled_owned()).await {
        tracing::error!(%error, "the HTTP server ended");
    }
}

async fn follow(live: Arc<Live>) {
    live.follow_files().await;
}

async fn end_drills(live: Arc<Live>) {
    live.end_drills().await;
}

async fn reload_on_hangup(service: Arc<dyn Service>, closing: CancellationToken) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                // What is wrong was told by the reload itself.
                let by = Actor { name: "files".to_owned(), via: "signal".to_owned() };
                let _ = service.act(Act::Reload, &by).await;
            }
            () = closing.cancelled() => return,
        }
    }
}

/// Drops old records.
async fn prune(live: Arc<Live>, store: Arc<dyn Store>, clock: Clock, history: Length, closing: CancellationToken) {
    loop {
        let hours = live.longest_period().max(LEAST_HOURS) + Length::from_days(1);
        let pruned = store.prune(clock.now(), Keep { hours, history }).await;
        if let Err(error) = pruned {
            live.telemetry().tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
        }
        tokio::select! {
            () = clock.sleep(PRUNE_EVERY) => {}
            () = closing.cancelled() => return,
        }
    }
}
