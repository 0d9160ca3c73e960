//! A receiver over raw TCP that misbehaves on demand: one answer of the script a request, the last one for ever.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What is done with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status line with these headers (each ending in CR LF), and a short body.
    Status(u16, String),
    /// These bytes as they are, then closed.
    Raw(String),
    /// Bytes of a head that never ends, one at a time.
    DripHead,
    /// Reset by the other side (RST) once the request was read.
    Reset,
    /// Closed before the request was read.
    CloseUnread,
    /// Closed after the request was read.
    CloseRead,
    /// The status, then one byte of the body at a time, for ever.
    Drip(u16),
    /// Nothing, for ever.
    Silence,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Status(status, String::new())
    }
}

/// A request that was read in full.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found =
            self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Inner {
    script: Vec<Reply>,
    seen: Vec<Seen>,
}

/// The server; ends with the runtime.
#[derive(Clone, Debug)]
pub struct Server {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Notify>,
}

impl Server {
    pub async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { script, seen: Vec::new() }));
        let server = Self { url, inner, arrived: Arc::new(Notify::new()) };
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().serve(stream));
            }
        });
        server
    }

    /// All requests that were read so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// Waits until `count` requests were read.
    pub async fn wait_for(&self, count: usize) -> Vec<Seen> {
        let arrived = async {
            loop {
                let next = self.arrived.notified();
                let seen = self.seen();
                if seen.len() >= count {
                    return seen;
                }
                next.await;
            }
        };
        let shown = || self.seen().iter().map(|seen| seen.body.clone()).collect::<Vec<_>>();
        tokio::time::timeout(Duration::from_secs(30), arrived)
            .await
            .unwrap_or_else(|_| panic!("{count} requests wanted, seen: {:#?}", shown()))
    }

    fn next(&self) -> Reply {
        let mut inner = self.inner.lock().unwrap();
        if inner.script.len() > 1 { inner.script.remove(0) } else { inner.script[0].clone() }
    }

    async fn serve(self, mut stream: TcpStream) {
        let reply = self.next();
        if matches!(reply, Reply::CloseUnread) {
            return;
        }
        let Some(seen) = read(&mut stream).await else { return };
        self.inner.lock().unwrap().seen.push(seen);
        self.arrived.notify_waiters();
        match reply {
            Reply::Status(status, headers) => {
                let text =
                    format!("HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: 5\r\n\r\nhello");
                drop(stream.write_all(text.as_bytes()).await);
            }
            Reply::Drip(status) => {
                let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 1000000\r\n\r\n");
                let mut alive = stream.write_all(text.as_bytes()).await.is_ok();
                let mut drops = tokio::time::interval(Duration::from_millis(20));
                while alive {
                    drops.tick().await;
                    alive = stream.write_all(b".").await.is_ok();
                }
            }
            Reply::Raw(text) => drop(stream.write_all(text.as_bytes()).await),
            Reply::DripHead => {
                let mut alive = stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await.is_ok();
                let mut drops = tokio::time::interval(Duration::from_millis(20));
                while alive {
                    drops.tick().await;
                    alive = stream.write_all(b".").await.is_ok();
                }
            }
            Reply::Reset => stream.set_zero_linger().unwrap(),
            Reply::Silence => std::future::pending().await,
            Reply::CloseRead | Reply::CloseUnread => {}
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(Seen { head, body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned() });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}
