//! Test kit: real servers on free ports in temporary folders, stopped when they go out of scope.
//!
//! Servers are Debian's `prometheus`, `prometheus-alertmanager` and `prometheus-node-exporter`. Where one is not
//! installed, its `start` gives `None` after saying so in one line, and the test ends there; with [`REQUIRE_SERVERS`] set
//! the test fails instead, so that a machine that installs them cannot pass without them. Readiness is waited for on a
//! condition with a deadline.
#![allow(
    dead_code,
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "each test uses its own part of the kit, whose helpers fail by panicking and say when they skip"
)]

pub mod alertmanager;
pub mod fault;
pub mod node_exporter;
mod port;
pub mod prometheus;
pub mod remote_write;
pub mod smtp;

use std::ffi::OsStr;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use tokio::time::{interval, timeout};

/// Longest wait for a server; generous, because machines that test are busy.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Set to `1`: a missing server of [`DEBIAN`] is a failure.
pub const REQUIRE_SERVERS: &str = "SLO_TESTS_REQUIRE_SERVERS";

/// What the Debian packages that `.ci/run` installs bring.
const DEBIAN: [&str; 4] = ["prometheus", "promtool", "prometheus-alertmanager", "prometheus-node-exporter"];

/// A process that ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` in `folder`; its output goes to `folder/output`.
    pub fn start(mut command: Command, folder: &Path) -> Self {
        let output = std::fs::File::options().create(true).append(true).open(folder.join("output")).unwrap();
        let errors = output.try_clone().unwrap();
        let child = command.current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(errors).spawn().unwrap();
        Self { child }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where `binary` is; `None`, said in one line, where it is not installed.
///
/// # Panics
/// Where it is not installed, is one of Debian's, and [`REQUIRE_SERVERS`] is set to `1`.
pub fn find(binary: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let required = std::env::var_os(REQUIRE_SERVERS).is_some_and(|value| value == "1");
    find_in(&path, binary, required)
}

/// As [`find`], with the environment told.
pub fn find_in(path: &OsStr, binary: &str, required: bool) -> Option<PathBuf> {
    let found = std::env::split_paths(path).map(|folder| folder.join(binary)).find(|path| path.is_file());
    if found.is_none() {
        assert!(!required || !DEBIAN.contains(&binary), "`{binary}` is not installed, and {REQUIRE_SERVERS}=1");
        println!("skipped: `{binary}` is not installed");
    }
    found
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    port::free(0)
}

/// Tries `condition` until it gives something.
///
/// # Panics
/// After [`DEADLINE`], naming `what`.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let attempt = async {
        let mut beat = interval(Duration::from_millis(20));
        loop {
            beat.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    timeout(DEADLINE, attempt).await.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
}

/// An HTTP client for tests, on loopback only.
pub fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(DEADLINE).build().unwrap()
}

/// Status and body of an answer.
pub async fn body(mut response: reqwest::Response) -> (u16, String) {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    (response.status().as_u16(), String::from_utf8(bytes).unwrap())
}

/// Status and body of a page; `None` where nobody answers.
pub async fn get(url: &str) -> Option<(u16, String)> {
    let response = http().get(url).send().await.ok()?;
    Some(body(response).await)
}

/// Waits until `url` answers 200.
pub async fn wait_until_ready(url: &str) {
    wait_for(url, || async { get(url).await.filter(|(status, _)| *status == 200) }).await;
}

/// `127.0.0.1` and this port.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
