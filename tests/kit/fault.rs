//! A small HTTP server that misbehaves as told: every connection gets one request and one answer, byte for byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::interval;

/// What to do with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes, then silence until the other side goes.
    Hang(Vec<u8>),
    /// These bytes, one after the other, with this pause between.
    Drip(Vec<u8>, Duration),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// These bytes once, then the piece again and again, so many times.
    Repeat(Vec<u8>, Vec<u8>, usize),
}

/// The answer of an orderly server.
#[must_use]
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// The answer of status 200 with JSON.
#[must_use]
pub fn json(body: &str) -> Vec<u8> {
    answer("200 OK", &[("content-type", "application/json")], body.as_bytes())
}

/// An answer of raw samples without any.
pub const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

/// A running server.
pub struct Fault {
    address: SocketAddr,
    task: JoinHandle<()>,
    seen: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Fault {
    /// Answers each request (head and body as text) as `reply` says.
    pub async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, now, most) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let reply = Arc::new(reply);
        let (counted, highest) = (Arc::clone(&seen), Arc::clone(&most));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, seen, now, most) =
                    (Arc::clone(&reply), Arc::clone(&counted), Arc::clone(&now), Arc::clone(&highest));
                tokio::spawn(async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    // A client that goes away is part of the game.
                    let _ = serve(stream, reply.as_ref(), &seen).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, task, seen, most }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// How many connections were open at once, at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    reply: &(dyn Fn(&str) -> Reply + Send + Sync),
    seen: &AtomicUsize,
) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    seen.fetch_add(1, Ordering::SeqCst);
    match reply(&request) {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::Hang(bytes) => {
            stream.write_all(&bytes).await?;
            stream.read_to_end(&mut Vec::new()).await.map(|_| ())
        }
        Reply::Drip(bytes, pause) => {
            let mut beat = interval(pause);
            for byte in bytes {
                beat.tick().await;
                stream.write_all(&[byte]).await?;
            }
            stream.shutdown().await
        }
        Reply::Reset(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            stream.set_zero_linger()
        }
        Reply::Repeat(head, piece, times) => {
            stream.write_all(&head).await?;
            for _ in 0..times {
                stream.write_all(&piece).await?;
            }
            stream.shutdown().await
        }
    }
}

/// Head and body; the body by its length.
async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
            });
            // Lossy text is never shorter than its bytes.
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
