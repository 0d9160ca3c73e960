//! Serving: a function of a service, a listener and a shutdown future.
//!
//! Own accept loop instead of `axum::serve`, because a server that strangers reach needs a bound on connections and on
//! the time that a client may take to say what it wants. HTTP/1.1 only: whoever needs more puts a proxy before it.
//! Ends when the shutdown future does: no new connections, open requests are answered, idle connections are closed.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::http::app::{App, Reach};
use crate::http::router::router;
use crate::runtime::service::Service;
use crate::telemetry::Telemetry;
use crate::telemetry::event::Lifecycle;

/// Most connections at once: far more than dashboards and scrapers need, far fewer than file descriptors.
const CONNECTIONS: usize = 512;

/// A client has this long to send the head of a request; an idle connection is closed after it too.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Open requests have this long to end after the shutdown; just longer than an answer may take would be too long for
/// whoever stops us, so the slowest are cut off.
const DRAIN: Duration = Duration::from_secs(5);

/// Pause after a failed accept: out of file descriptors is not mended by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends, then lets open requests end.
pub async fn serve(
    service: Arc<dyn Service>,
    telemetry: Telemetry,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    telemetry.tell(&Lifecycle::Listening(&address.to_string()));
    let reach = if address.ip().is_loopback() { Reach::Loopback } else { Reach::Network };
    let router = router(App { service, telemetry, reach });
    let (closing, closed) = watch::channel(false);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, place)) => {
                let connection = connection(stream, router.clone(), closed.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    let _ = closing.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        connections.shutdown().await;
    }
    Ok(())
}

/// A place first, then a connection: what cannot be served waits in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// One connection, to its end. That a client goes away in the middle is no event.
async fn connection(stream: TcpStream, router: Router, mut closed: watch::Receiver<bool>) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return,
        _ = closed.wait_for(|closed| *closed) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}
