//! A receiver over HTTP/1.1 that keeps state, and misbehaves on demand: each request is one exchange, and the faults that
//! were programmed are used up one a request.
//!
//! Raw TCP, because a connection that is closed before or after the receiver has acted is a fault too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request that was read in full.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    #[expect(clippy::needless_pass_by_value, reason = "whatever can be text, at hand")]
    pub fn new(status: u16, body: impl ToString) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "whatever can be text, at hand")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers this and does nothing.
    Instead(Answer),
    /// Does what was asked, and answers this.
    After(Answer),
    /// Closed before anything was done.
    LostRequest,
    /// Does what was asked, and closes without an answer.
    LostAnswer,
}

/// What a vendor does with a request.
pub trait Receiver: Send + 'static {
    fn answer(&mut self, request: &Request) -> Answer;
}

#[derive(Debug)]
struct Inner<R> {
    receiver: R,
    faults: VecDeque<Option<Fault>>,
    seen: Vec<Request>,
}

/// The server; ends with the runtime.
#[derive(Debug)]
pub struct Server<R> {
    /// `http://127.0.0.1:PORT`, without a path.
    pub url: String,
    inner: Arc<Mutex<Inner<R>>>,
}

impl<R> Clone for Server<R> {
    fn clone(&self) -> Self {
        Self { url: self.url.clone(), inner: Arc::clone(&self.inner) }
    }
}

impl<R: Receiver> Server<R> {
    pub async fn start(receiver: R) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { receiver, faults: VecDeque::new(), seen: Vec::new() }));
        let server = Self { url, inner };
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(this.clone().serve(stream));
            }
        });
        server
    }

    /// The next request without a fault before it meets this one.
    pub fn fault(&self, fault: Fault) {
        self.inner.lock().unwrap().faults.push_back(Some(fault));
    }

    /// One request goes through before the next fault.
    pub fn pass(&self) {
        self.inner.lock().unwrap().faults.push_back(None);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.inner.lock().unwrap().seen.clone()
    }

    /// Looks at the receiver, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut R) -> T) -> T {
        look(&mut self.inner.lock().unwrap().receiver)
    }

    fn exchange(&self, request: &Request) -> Option<Answer> {
        let mut inner = self.inner.lock().unwrap();
        inner.seen.push(request.clone());
        match inner.faults.pop_front().flatten() {
            None => Some(inner.receiver.answer(request)),
            Some(Fault::Instead(answer)) => Some(answer),
            Some(Fault::After(answer)) => {
                inner.receiver.answer(request);
                Some(answer)
            }
            Some(Fault::LostRequest) => None,
            Some(Fault::LostAnswer) => {
                inner.receiver.answer(request);
                None
            }
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else { return };
        let Some(answer) = self.exchange(&request) else { return };
        let headers =
            answer.headers.iter().fold(String::new(), |all, (name, value)| format!("{all}{name}: {value}\r\n"));
        let head = format!(
            "HTTP/1.1 {} X\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
            answer.status,
            answer.body.len()
        );
        drop(stream.write_all((head + &answer.body).as_bytes()).await);
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ').map(str::to_owned);
            let (method, path) = (first.next()?, first.next()?);
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())))
                .collect();
            let length = headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
                return Some(Request { method, path, headers, body });
            }
        }
        let mut chunk = vec![0; 4_096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}
