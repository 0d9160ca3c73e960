//! A shop on files: a folder with quick rules, an exporter whose counters run, a receiver, and the service over them.
//!
//! The rules are quick (10 s confirmed by 4 s), so that an alert begins some 4 s after the errors do and ends some 5 s
//! after them. Counters run by themselves: 100 requests a second, half of them bad while the shop is broken.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::service::{Exporter, Receiver, Slo, eventually, free_port};

/// Total of the shop's requests.
pub const TOTAL: &str = r#"requests_total{code="200"}"#;
/// Its bad requests.
pub const BAD: &str = r#"requests_total{code="500"}"#;

/// The tier that pages within seconds.
pub const RULES: &str = "\
version: policy/v1
policies:
  - name: quick
    tiers:
      - {severity: page, burn: {factor: 2, over: 10s, confirm: 4s}}
";

/// One SLO over the shop's counters.
pub fn slo(name: &str, objective: &str) -> String {
    format!(
        "  - name: {name}
    objective: {objective}
    sli: {{events: {{bad: 'requests_total{{job=\"shop\",code=~\"5..\"}}', total: 'requests_total{{job=\"shop\"}}'}}}}
"
    )
}

/// A file of SLOs with the quick rules.
pub fn slos(of: &[String]) -> String {
    format!(
        "version: slo/v1
service: checkout
owner: web
links: {{runbook: https://wiki.example/checkout}}
defaults: {{source: app, window: 1d, policy: quick}}
slos:
{}",
        of.concat()
    )
}

/// Running counters.
pub struct Traffic {
    /// Bad ones of ten requests.
    bad: Arc<AtomicU64>,
}

impl Traffic {
    /// From now on, until the test's runtime ends.
    pub fn start(exporter: Exporter) -> Self {
        exporter.add(TOTAL, 0);
        exporter.add(BAD, 0);
        let bad = Arc::new(AtomicU64::new(0));
        let of_ten = Arc::clone(&bad);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(100));
            loop {
                tick.tick().await;
                let bad = of_ten.load(Ordering::Relaxed);
                exporter.add(BAD, bad);
                exporter.add(TOTAL, 10 - bad);
            }
        });
        Self { bad }
    }

    /// Half of the requests fail from now on, or none.
    pub fn set_broken(&self, broken: bool) {
        self.set_bad(if broken { 5 } else { 0 });
    }

    /// So many of ten requests fail from now on.
    pub fn set_bad(&self, of_ten: u64) {
        self.bad.store(of_ten, Ordering::Relaxed);
    }
}

/// Where things listen, and the configuration that says so.
pub struct Ports {
    pub slo: u16,
    pub exporter: u16,
    pub hook: u16,
}

impl Ports {
    pub fn free() -> Self {
        Self { slo: free_port(), exporter: free_port(), hook: free_port() }
    }

    /// The configuration; `store` is its `storage.path`.
    pub fn config(&self, store: &str) -> String {
        format!(
            "version: config/v1
files: {{slos: [slos/], rules: [rules/]}}
slice: 1s
owners: {{web: {{contact: '#web'}}}}
sources:
  app: {{type: scrape, targets: ['http://127.0.0.1:{}/metrics'], interval: 1s, gap: 5s, labels: {{job: shop}}}}
sinks:
  hook: {{type: webhook, url: 'http://127.0.0.1:{}/hook'}}
routes: [{{match: {{}}, to: [hook]}}]
storage: {{path: {store}}}
server: {{listen: '127.0.0.1:{}'}}
",
            self.exporter, self.hook, self.slo
        )
    }
}

/// Writes `slo.yaml`, `rules/` and `slos/`.
pub fn write_folder(folder: &Path, config: &str, slos: &str) {
    for part in ["slos", "rules"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    fs::write(folder.join("rules/quick.yaml"), RULES).unwrap();
    fs::write(folder.join("slos/shop.yaml"), slos).unwrap();
    fs::write(folder.join("slo.yaml"), config).unwrap();
}

/// All of it.
pub struct Shop {
    pub slo: Slo,
    pub exporter: Exporter,
    pub traffic: Traffic,
    pub hook: Receiver,
    pub ports: Ports,
    folder: tempfile::TempDir,
}

impl Shop {
    /// With one SLO, `checkout/availability`; nothing is started but exporter, traffic and receiver.
    pub async fn closed() -> Self {
        let ports = Ports::free();
        let folder = tempfile::tempdir().unwrap();
        write_folder(folder.path(), &ports.config("slo.db"), &slos(&[slo("availability", "90%")]));
        let exporter = Exporter::serve(ports.exporter).await;
        let traffic = Traffic::start(exporter.clone());
        let hook = Receiver::serve(ports.hook).await;
        let slo = Slo::new(folder.path(), ports.slo);
        Self { slo, exporter, traffic, hook, ports, folder }
    }

    /// As [`Shop::closed`], and the service runs and has judged.
    pub async fn open() -> Self {
        let mut shop = Self::closed().await;
        shop.start().await;
        shop
    }

    /// Starts the service and waits until it is ready; one that ends instead fails the test at once.
    pub async fn start(&mut self) {
        self.slo.start();
        let address = self.slo.address;
        while std::net::TcpStream::connect(address).is_err() {
            assert!(self.slo.runs(), "it ended: {}", self.slo.log());
            tokio::task::yield_now().await;
        }
        self.slo.ready().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as editors do: whole.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.path(&format!(".{}.new", name.replace('/', "-")));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Breaks the shop and gives the page that follows.
    pub async fn break_until_paged(&self) -> Value {
        self.traffic.set_broken(true);
        self.hook.wait_for("a page", 60, |body| body["state"] == "firing").await
    }

    /// POST `/-/reload`: status and answer.
    pub async fn reload(&self) -> (u16, Value) {
        let url = format!("http://{}/-/reload", self.slo.address);
        let response = crate::service::client().post(url).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap())
    }

    /// The value of a metric without labels.
    pub async fn metric(&self, name: &str) -> Result<f64, String> {
        metric(&self.slo, name).await
    }

    /// One SLO's object in the API.
    pub async fn of(&self, name: &str) -> Value {
        self.slo.json(&format!("/api/v1/slos/checkout/{name}")).await.unwrap()
    }

    /// The end of this alert at the receiver.
    pub async fn end_of(&self, alert_id: &Value, seconds: u64) -> Value {
        let ends = |body: &Value| body["state"] == "resolved" && body["alert_id"] == *alert_id;
        self.hook.wait_for("the end", seconds, ends).await
    }

    /// How many firings were received.
    pub fn firings(&self) -> usize {
        self.hook.all().iter().filter(|received| received.body["state"] == "firing").count()
    }

    /// Waits until the list holds exactly these SLOs, by name.
    pub async fn has(&self, seconds: u64, names: &[&str]) {
        eventually("the SLOs", seconds, || async {
            let list = self.slo.json("/api/v1/slos").await?;
            let mut seen: Vec<&str> =
                list["items"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect();
            seen.sort_unstable();
            if seen == names { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
}

/// The value of a metric of `/metrics`, named with its labels.
pub async fn metric(slo: &Slo, name: &str) -> Result<f64, String> {
    let (_, page) = slo.get("/metrics").await?;
    let page = page.as_str().unwrap_or_default();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).ok_or_else(|| format!("no `{name}` on the page"))
}

/// Sends a signal to a running service.
pub fn signal(slo: &Slo, name: &str) {
    let pid = slo.pid().unwrap().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
}
