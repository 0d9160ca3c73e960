//! A real Prometheus: 60 days of retention, remote write receiver on, late samples taken.

use std::fmt::Write;
use std::process::Command;

use slo::units::Timestamp;
use tempfile::TempDir;

use super::remote_write::{Loaded, write_request};
use super::{Process, body, find, free_port, get, http, local, wait_until_ready};

/// How it is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `external_labels`.
    pub external_labels: Vec<(String, String)>,
    /// Job and `host:port`; scraped at `/metrics`.
    pub scrape: Vec<(String, String)>,
    /// `host:port` of services of ours whose `/metrics/slos` is scraped, as job `slos`.
    pub pages_of_slos: Vec<String>,
    /// `scrape_interval`, empty for `1s`.
    pub interval: String,
    /// Rule files, as text.
    pub rules: Vec<String>,
    /// `host:port` of an Alertmanager that gets the alerts of the rules.
    pub alertmanager: Option<String>,
    /// Whether its head is cut into blocks, as it is in life. Where days are loaded within a second, that would happen
    /// while tests ask, and a question then fails with "cannot populate chunk" (prometheus/prometheus#8221).
    pub compacts: bool,
    /// Further command line flags.
    pub flags: Vec<String>,
}

impl Options {
    /// With these external labels.
    #[must_use]
    pub fn external(labels: &[(&str, &str)]) -> Self {
        let external_labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { external_labels, ..Self::default() }
    }

    fn yaml(&self) -> String {
        let interval = if self.interval.is_empty() { "1s" } else { &self.interval };
        let mut text = format!("global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n");
        if !self.external_labels.is_empty() {
            text.push_str("  external_labels:\n");
            for (name, value) in &self.external_labels {
                writeln!(text, "    {name}: '{value}'").unwrap();
            }
        }
        if !self.rules.is_empty() {
            text.push_str("rule_files: ['rules*.yml']\n");
        }
        if let Some(alertmanager) = &self.alertmanager {
            writeln!(text, "alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}")
                .unwrap();
        }
        text.push_str("storage:\n  tsdb:\n    out_of_order_time_window: 40d\nscrape_configs:\n");
        for (job, target) in &self.scrape {
            writeln!(text, "- job_name: '{job}'\n  static_configs: [{{targets: ['{target}']}}]").unwrap();
        }
        for target in &self.pages_of_slos {
            let job = "- job_name: 'slos'\n  metrics_path: /metrics/slos\n";
            writeln!(text, "{job}  static_configs: [{{targets: ['{target}']}}]").unwrap();
        }
        if self.scrape.is_empty() && self.pages_of_slos.is_empty() {
            text.truncate(text.len() - "scrape_configs:\n".len());
        }
        text
    }
}

/// A running Prometheus.
pub struct Prometheus {
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    flags: Vec<String>,
}

impl Prometheus {
    /// Starts it; `None` where it is not installed.
    pub async fn start(options: &Options) -> Option<Self> {
        find("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("prometheus.yml"), options.yaml()).unwrap();
        for (index, rules) in options.rules.iter().enumerate() {
            std::fs::write(folder.path().join(format!("rules{index}.yml")), rules).unwrap();
        }
        let mut flags = options.flags.clone();
        if !options.compacts {
            flags.extend(["min", "max"].map(|end| format!("--storage.tsdb.{end}-block-duration=60d")));
        }
        let mut server = Self { process: None, folder, port: free_port(), flags };
        server.resume().await;
        Some(server)
    }

    /// Starts it again after [`Self::stop`], on the same data and port.
    pub async fn resume(&mut self) {
        let mut command = Command::new(find("prometheus").unwrap());
        command
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg("--storage.tsdb.retention.time=60d")
            .arg("--web.enable-remote-write-receiver")
            .arg(format!("--web.listen-address={}", local(self.port)))
            .args(&self.flags);
        self.process = Some(Process::start(command, self.folder.path()));
        wait_until_ready(&format!("{}/-/ready", self.url())).await;
    }

    /// Ends it at once, as a crash would; its data stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Its process id; 0 while it is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", local(self.port))
    }

    /// Loads rules from now on, evaluated every `interval`, as a reload of the running server.
    pub async fn take_rules(&self, rules: &str, interval: &str) {
        let config = self.folder.path().join("prometheus.yml");
        let text = std::fs::read_to_string(&config).unwrap();
        let rest = text.strip_prefix("global:\n").unwrap();
        let text = format!("rule_files: [rules.yml]\nglobal:\n  evaluation_interval: {interval}\n{rest}");
        std::fs::write(self.folder.path().join("rules.yml"), rules).unwrap();
        std::fs::write(&config, text).unwrap();
        assert!(Command::new("kill").args(["-HUP", &self.pid().to_string()]).status().unwrap().success());
        let groups = rules.matches("- name: ").count();
        super::wait_for("the rules", || async {
            let (_, text) = get(&format!("{}/api/v1/rules", self.url())).await?;
            (text.matches("\"evaluationTime\"").count() >= groups).then_some(())
        })
        .await;
    }

    /// Writes samples, of any age up to 40 days, in requests of bounded size.
    pub async fn write(&self, series: &[Loaded]) {
        for request in write_request(series) {
            let sent = http()
                .post(format!("{}/api/v1/write", self.url()))
                .header("content-type", "application/x-protobuf")
                .header("content-encoding", "snappy")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .body(request)
                .send()
                .await
                .unwrap();
            let (status, text) = body(sent).await;
            assert_eq!(status, 204, "{text}");
        }
    }

    /// The answer of the query API, as JSON.
    pub async fn query(&self, promql: &str, at: Timestamp) -> serde_json::Value {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/query", self.url())).unwrap();
        url.query_pairs_mut().append_pair("query", promql).append_pair("time", &at.seconds_f64().to_string());
        let (status, text) = get(url.as_str()).await.unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}
