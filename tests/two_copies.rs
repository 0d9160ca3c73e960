//! Two copies of the service, each with its own store, sharing nothing: the same alerts under the same keys, one page at
//! Alertmanager and one id at a webhook, whichever of them is dead.
//!
//! Real Prometheus, real Alertmanager, the real binary twice. The copies are killed in turn (`kill -9`) while a page is
//! out, at its end, and while the next one begins; Prometheus is stopped under both.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test may look at the environment and read whole answers")]

mod kit;
mod service;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kit::alertmanager::Alertmanager;
use kit::prometheus::{Options, Prometheus};
use serde_json::Value;
use service::{Exporter, Receiver, Slo, eventually, free_port};
use tempfile::TempDir;

const GOOD: &str = r#"requests_total{code="200"}"#;
const BAD: &str = r#"requests_total{code="500"}"#;

/// What both copies sign their links with.
const LINK_SECRET: &str = "a secret of both copies";

/// Both copies over one Prometheus, with the receivers.
struct Pair {
    copies: [Slo; 2],
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    /// What Alertmanager told.
    told: Receiver,
    /// What the copies told by themselves.
    hook: Receiver,
    broken: Arc<AtomicBool>,
    _folders: [TempDir; 2],
}

fn write_files(folder: &Path, port: u16, prometheus: &str, alertmanager: &str, hook: u16) {
    let config = format!(
        "version: config/v1
slice: 1s
sources:
  prometheus: {{type: prometheus, urls: ['{prometheus}'], delay: 2s, interval: 1s, gap: 10s, lateness: 10s, alert: {{after: 5s}}}}
sinks:
  am: {{type: alertmanager, urls: ['{alertmanager}']}}
  hook: {{type: webhook, url: 'http://127.0.0.1:{hook}/hook'}}
routes: [{{match: {{}}, to: [am, hook]}}]
storage: {{path: slo.db}}
server: {{listen: '127.0.0.1:{port}', external_url: 'https://slo.example', link_secret: {{file: links}}, external_labels: {{cluster: eu1}}}}
"
    );
    let rules = "version: policy/v1
policies:
  - {name: brisk, tiers: [{severity: page, burn: {factor: 14.4, over: 20s, confirm: 5s}, min_bad: 3}]}
";
    let slos = "version: slo/v1
service: checkout
owner: payments
links: {runbook: https://wiki.example/checkout}
defaults: {window: 1d, policy: brisk}
slos:
  - name: availability
    objective: 99%
    sli: {events: {bad: 'requests_total{job=\"checkout\",code=~\"5..\"}', total: 'requests_total{job=\"checkout\"}'}}
";
    for (name, text) in [
        ("slo.yaml", config.as_str()),
        ("rules/brisk.yaml", rules),
        ("slos/checkout.yaml", slos),
        ("links", LINK_SECRET),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Pair {
    /// Everything runs and both copies have judged; `None` where Prometheus or Alertmanager is not installed.
    async fn start() -> Option<Self> {
        let exporter_port = free_port();
        let exporter = Exporter::serve(exporter_port).await;
        let broken = Arc::new(AtomicBool::new(false));
        exporter.add(GOOD, 0);
        exporter.add(BAD, 0);
        let is_broken = Arc::clone(&broken);
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            loop {
                beat.tick().await;
                exporter.add(if is_broken.load(Ordering::Relaxed) { BAD } else { GOOD }, 1);
            }
        });
        let scrape = vec![("checkout".to_owned(), format!("127.0.0.1:{exporter_port}"))];
        let prometheus = Prometheus::start(&Options { scrape, ..Options::default() }).await?;
        let (told_port, hook_port) = (free_port(), free_port());
        let (told, hook) = (Receiver::serve(told_port).await, Receiver::serve(hook_port).await);
        let to = Alertmanager::to_webhook(&format!("http://127.0.0.1:{told_port}/hook"));
        let alertmanager = Alertmanager::start(&to).await?;
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut copies = [0, 1].map(|index: usize| {
            let port = free_port();
            write_files(folders[index].path(), port, &prometheus.url(), &alertmanager.url(), hook_port);
            Slo::new(folders[index].path(), port)
        });
        for copy in &mut copies {
            copy.start();
        }
        for copy in &copies {
            copy.ready().await;
        }
        Some(Self { copies, prometheus, alertmanager, told, hook, broken, _folders: folders })
    }

    fn breaks(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    /// Waits until the webhook has had `count` notifications in this state, and gives their ids.
    async fn heard(&self, what: &str, state: &str, kind: &str, count: usize) -> Vec<(String, String)> {
        eventually(what, 90, || async {
            let heard = self.of(state, kind);
            if heard.len() >= count { Ok(heard) } else { Err(format!("{heard:?}; {}", self.logs())) }
        })
        .await
    }

    /// Ids of notifications and alerts of this state and kind, as the webhook had them.
    fn of(&self, state: &str, kind: &str) -> Vec<(String, String)> {
        let all = self.hook.all();
        let wanted = all.iter().filter(|received| received.body["state"] == state && received.body["kind"] == kind);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        wanted.map(|received| (text(&received.body["id"]), text(&received.body["alert_id"]))).collect()
    }

    /// Every link to take a page on, whichever copy made it, is good at either copy.
    async fn links_are_good_at_both(&self) {
        let all = self.hook.all();
        let pages = all.iter().filter(|received| received.body["state"] == "firing");
        let paths: Vec<String> =
            pages.map(|page| page.body["links"]["ack"].as_str().unwrap().replace("https://slo.example", "")).collect();
        assert!(paths.len() >= 2, "one of each copy: {paths:?}");
        for path in &paths {
            for copy in &self.copies {
                let (status, shown) = copy.get(path).await.unwrap();
                assert!(status == 200 && shown.as_str().unwrap().contains("<button"), "{status} {shown}");
            }
        }
        for (copy, path) in self.copies.iter().zip(paths.iter().rev()) {
            let request = service::client().post(format!("http://{}{path}", copy.address)).body("by=anna");
            let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            let alerts = copy.json("/api/v1/alerts?state=firing").await.unwrap();
            assert_eq!(alerts["items"][0]["acked"]["by"], "anna", "{alerts}");
        }
    }

    /// How often Alertmanager told of the SLO in this state.
    fn told(&self, status: &str) -> usize {
        let of_slo = |body: &Value| {
            body["status"] == status
                && body["alerts"].as_array().unwrap().iter().any(|a| a["labels"]["alertname"] == "SLOBurn")
        };
        self.told.all().iter().filter(|received| of_slo(&received.body)).count()
    }

    async fn until_told(&self, what: &str, status: &str, count: usize) {
        eventually(what, 90, || async {
            let told = self.told(status);
            if told >= count { Ok(()) } else { Err(format!("told {told} times; {}", self.logs())) }
        })
        .await;
    }

    fn logs(&self) -> String {
        self.copies.iter().map(|copy| service::tail(&copy.log())).collect::<Vec<_>>().join("\n--\n")
    }

    /// Ids and begins of all alerts of one copy.
    async fn alerts(&self, copy: usize) -> BTreeSet<(String, String)> {
        let list = self.copies[copy].json("/api/v1/alerts?limit=1000").await.unwrap();
        let alerts = list["items"].as_array().unwrap().iter();
        alerts.map(|alert| (alert["id"].to_string(), alert["fired_at"].to_string())).collect()
    }
}

/// All ids are one.
fn one(ids: &[(String, String)]) -> (String, String) {
    let distinct: BTreeSet<&(String, String)> = ids.iter().collect();
    assert_eq!(distinct.len(), 1, "{distinct:?}");
    ids[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_tell_one_page_whichever_of_them_is_dead() {
    let Some(mut pair) = Pair::start().await else { return };

    // Both tell, and it is one page.
    pair.breaks(true);
    let fired = one(&pair.heard("both page", "firing", "burn", 2).await);
    pair.until_told("Alertmanager pages", "firing", 1).await;
    pair.links_are_good_at_both().await;

    // One dies while the page is out, and comes back: nothing is told again, nothing ends.
    pair.copies[0].kill();
    pair.copies[0].start();
    pair.copies[0].ready().await;
    let active = pair.alertmanager.alerts().await;
    assert_eq!(active.len(), 1, "{active:?}");
    assert_eq!(pair.told("resolved"), 0);

    // The other dies; the first one ends the page alone. The other tells the same end when it is back.
    pair.copies[1].kill();
    pair.breaks(false);
    let ended = pair.heard("the end by one", "resolved", "burn", 1).await[0].clone();
    assert_eq!(ended.1, fired.1, "the end of the same alert");
    pair.until_told("Alertmanager ends", "resolved", 1).await;
    pair.copies[1].start();
    pair.copies[1].ready().await;
    one(&pair.heard("the end by both", "resolved", "burn", 2).await);

    // The next page begins while the first is dead; back again it tells the same.
    pair.copies[0].kill();
    pair.breaks(true);
    let next = pair.heard("the next page", "firing", "burn", 3).await[2].clone();
    assert_ne!(next.0, fired.0);
    pair.until_told("Alertmanager pages again", "firing", 2).await;
    pair.copies[0].start();
    pair.copies[0].ready().await;
    one(&pair.heard("the next page by both", "firing", "burn", 4).await[2..]);
    pair.breaks(false);
    let ends = pair.heard("both ends", "resolved", "burn", 4).await;
    one(&ends[2..]);
    pair.until_told("Alertmanager ends again", "resolved", 2).await;

    // In all: every alert under one id with one begin in both stores, told once each way by Alertmanager.
    assert_eq!(pair.alerts(0).await, pair.alerts(1).await);
    assert_eq!((pair.told("firing"), pair.told("resolved")), (2, 2));

    // The store of samples is gone: both tell it under one id.
    pair.prometheus.stop();
    one(&pair.heard("both miss their source", "firing", "source", 2).await);
    pair.prometheus.resume().await;
    one(&pair.heard("both have it back", "resolved", "source", 2).await);
}
