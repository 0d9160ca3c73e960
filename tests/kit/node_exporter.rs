//! A real node-exporter: a `/metrics` page that we did not write.

use std::process::Command;

use tempfile::TempDir;

use super::{Process, find, free_port, local, wait_until_ready};

/// A running node-exporter.
pub struct NodeExporter {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl NodeExporter {
    /// Starts it; `None` where it is not installed.
    pub async fn start() -> Option<Self> {
        let binary = find("prometheus-node-exporter")?;
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let mut command = Command::new(binary);
        command.arg(format!("--web.listen-address={}", local(port)));
        let process = Process::start(command, folder.path());
        let server = Self { process, folder, port };
        wait_until_ready(&format!("http://{}/metrics", server.target())).await;
        Some(server)
    }

    /// `host:port`.
    #[must_use]
    pub fn target(&self) -> String {
        local(self.port).to_string()
    }
}
