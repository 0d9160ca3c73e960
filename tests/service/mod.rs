//! What whole-service tests need: the real binary as a child process, a page of counters that the test moves, and a
//! receiver of webhooks. Everything on free ports of the loopback interface; everything ends with the test.
//!
//! Waiting is for a condition with a deadline ([`eventually`]); what was last seen is in the message when it passes.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::duplicate_mod, reason = "some tests have the kit too, some do not")]

#[path = "../kit/port.rs"]
mod port;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use slo::clock::Clock;
use slo::units::Timestamp;
use tokio::time::Instant;

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    port::free(1)
}

/// An HTTP client for the tests' own questions.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// Asks `probe` until it gives a value; panics with what it saw last when `seconds` have passed.
pub async fn eventually<T, F, Fut>(what: &str, seconds: u64, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    loop {
        tick.tick().await;
        match probe().await {
            Ok(value) => return value,
            Err(seen) => assert!(Instant::now() < deadline, "{what}: not within {seconds} s; last seen: {seen}"),
        }
    }
}

/// The real `slo run` in a folder, killed when dropped.
pub struct Slo {
    pub folder: PathBuf,
    pub address: SocketAddr,
    /// Set for the service beside the test's own environment.
    pub environment: Vec<(String, String)>,
    child: Option<Child>,
    http: reqwest::Client,
}

impl Slo {
    /// A service for `folder`, which holds `slo.yaml` with `listen: 127.0.0.1:{port}`; not started yet.
    pub fn new(folder: &Path, port: u16) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { folder: folder.to_owned(), address, environment: Vec::new(), child: None, http: client() }
    }

    /// Starts it; its log goes to `log.txt` in the folder.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log.txt")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_slo"))
            .args(["run", "--config", "slo.yaml"])
            .current_dir(&self.folder)
            .env("RUST_LOG", std::env::var("SLO_TEST_LOG").unwrap_or_else(|_| "info".into()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// `kill -9`, and waits for the process to be gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGTERM; gives the exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        eventually("a stop", 20, || {
            let gone = child.try_wait().unwrap();
            async move { gone.ok_or_else(|| "still running".to_owned()) }
        })
        .await
        .code()
    }

    /// Whether the process is still there.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log.txt")).unwrap_or_default()
    }

    /// GET, as status and JSON (a string where it is none).
    pub async fn get(&self, path: &str) -> Result<(u16, Value), String> {
        let url = format!("http://{}{path}", self.address);
        let response = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| error.to_string())?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// GET that has to be a 200.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        match self.get(path).await? {
            (200, body) => Ok(body),
            (status, body) => Err(format!("{path}: {status} {body}")),
        }
    }

    /// Waits until it is ready.
    pub async fn ready(&self) {
        eventually("ready", 60, || async {
            match self.get("/-/ready").await {
                Ok((200, _)) => Ok(()),
                Ok((status, body)) => Err(format!("{status} {body}; log: {}", tail(&self.log()))),
                Err(error) => Err(format!("{error}; log: {}", tail(&self.log()))),
            }
        })
        .await;
    }
}

impl Drop for Slo {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a text.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// A `/metrics` page whose counters the test moves; it answers 503 while `down`.
#[derive(Clone, Default)]
pub struct Exporter {
    inner: Arc<Mutex<ExporterState>>,
}

#[derive(Default)]
struct ExporterState {
    counters: BTreeMap<String, u64>,
    down: bool,
}

impl Exporter {
    /// Serves on `port` until the test's runtime ends.
    pub async fn serve(port: u16) -> Self {
        let exporter = Self::default();
        let router = axum::Router::new().route("/metrics", get(page)).with_state(exporter.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        exporter
    }

    /// Adds to a series, which is there from then on.
    pub fn add(&self, series: &str, amount: u64) {
        *self.inner.lock().unwrap().counters.entry(series.to_owned()).or_default() += amount;
    }

    /// The process restarts: every counter that it still has begins at zero.
    pub fn restart(&self) {
        self.inner.lock().unwrap().counters.values_mut().for_each(|value| *value = 0);
    }

    /// Answers 503 from now on, or no longer.
    pub fn set_down(&self, down: bool) {
        self.inner.lock().unwrap().down = down;
    }

    /// What a series stands at.
    pub fn value(&self, series: &str) -> u64 {
        self.inner.lock().unwrap().counters.get(series).copied().unwrap_or_default()
    }
}

async fn page(State(exporter): State<Exporter>) -> (StatusCode, String) {
    let state = exporter.inner.lock().unwrap();
    if state.down {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    let mut text = String::new();
    for (series, value) in &state.counters {
        writeln!(text, "{series} {value}").unwrap();
    }
    (StatusCode::OK, text)
}

/// A webhook that was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// When it came.
    pub at: Timestamp,
    pub body: Value,
    pub headers: BTreeMap<String, String>,
}

/// Receives webhooks and keeps them in order.
#[derive(Clone, Default)]
pub struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    failing: Arc<Mutex<Option<u16>>>,
}

impl Receiver {
    /// Serves `/hook` on `port` until the test's runtime ends.
    pub async fn serve(port: u16) -> Self {
        let receiver = Self::default();
        let router = axum::Router::new().route("/hook", post(hook)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    /// Everything so far.
    pub fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Answers with this status from now on, keeping nothing; `None`: accepts again.
    pub fn fail_with(&self, status: Option<u16>) {
        *self.failing.lock().unwrap() = status;
    }

    /// Waits for a notification that `wanted` accepts.
    pub async fn wait_for(&self, what: &str, seconds: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, seconds, || async {
            let all = self.all();
            let found = all.iter().find(|received| wanted(&received.body)).map(|received| received.body.clone());
            found.ok_or_else(|| {
                let seen: Vec<String> =
                    all.iter().map(|received| format!("{} {}", received.body["id"], received.body["state"])).collect();
                format!("{} notifications: {seen:?}", all.len())
            })
        })
        .await
    }
}

async fn hook(State(receiver): State<Receiver>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
    let at = Clock::system().now();
    if let Some(status) = *receiver.failing.lock().unwrap() {
        return StatusCode::from_u16(status).unwrap();
    }
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    receiver.received.lock().unwrap().push(Received { at, body: serde_json::from_slice(&body).unwrap(), headers });
    StatusCode::OK
}
