//! A real Alertmanager, alone or as one of two peers.

use std::process::Command;

use tempfile::TempDir;

use super::{Process, find, free_port, get, local, wait_until_ready};

/// A running Alertmanager.
pub struct Alertmanager {
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    /// Its own port among peers, and that of the other.
    cluster: Option<(u16, u16)>,
}

impl Alertmanager {
    /// Starts it with this configuration (YAML); `None` where it is not installed.
    pub async fn start(configuration: &str) -> Option<Self> {
        Self::start_in(configuration, None).await
    }

    /// Starts two that know each other.
    pub async fn start_peers(configuration: &str) -> Option<(Self, Self)> {
        let (one, other) = (free_port(), free_port());
        let first = Self::start_in(configuration, Some((one, other))).await?;
        Some((first, Self::start_in(configuration, Some((other, one))).await?))
    }

    async fn start_in(configuration: &str, cluster: Option<(u16, u16)>) -> Option<Self> {
        find("prometheus-alertmanager")?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("alertmanager.yml"), configuration).unwrap();
        let mut server = Self { process: None, folder, port: free_port(), cluster };
        server.resume().await;
        Some(server)
    }

    /// A configuration that sends everything to a webhook at once.
    #[must_use]
    pub fn to_webhook(url: &str) -> String {
        format!(
            "route:\n  receiver: hook\n  group_wait: 1s\n  group_interval: 1s\n  repeat_interval: 1h\n  group_by: ['...']\n\
             receivers:\n- name: hook\n  webhook_configs:\n  - {{url: '{url}', send_resolved: true}}\n"
        )
    }

    /// Starts it again after [`Self::stop`], on the same data and port.
    pub async fn resume(&mut self) {
        let mut command = Command::new(find("prometheus-alertmanager").unwrap());
        command
            .arg("--config.file=alertmanager.yml")
            .arg("--storage.path=data")
            .args(self.cluster_arguments())
            .arg(format!("--web.listen-address={}", local(self.port)));
        self.process = Some(Process::start(command, self.folder.path()));
        wait_until_ready(&format!("{}/-/ready", self.url())).await;
    }

    fn cluster_arguments(&self) -> Vec<String> {
        let Some((own, other)) = self.cluster else { return vec!["--cluster.listen-address=".to_owned()] };
        vec![
            format!("--cluster.listen-address={}", local(own)),
            format!("--cluster.peer={}", local(other)),
            "--cluster.pushpull-interval=1s".to_owned(),
            "--cluster.reconnect-interval=1s".to_owned(),
        ]
    }

    /// Ends it at once, as a crash would; its data stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", local(self.port))
    }

    /// The silences that it knows and that are not over, as its API v2 gives them.
    pub async fn silences(&self) -> Vec<serde_json::Value> {
        let (status, text) = get(&format!("{}/api/v2/silences", self.url())).await.unwrap();
        assert_eq!(status, 200, "{text}");
        let mut all: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        all.retain(|silence| silence["status"]["state"] != "expired");
        all
    }

    /// The alerts that it holds, as its API v2 gives them.
    pub async fn alerts(&self) -> Vec<serde_json::Value> {
        let (status, text) = get(&format!("{}/api/v2/alerts", self.url())).await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}
