//! The demo's folder: the files that a user would write, with the addresses of the simulated shop put in.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

const SLOS: &str = "\
version: slo/v1
service: checkout
owner: payments
labels: {tier: \"1\"}
links: {runbook: https://wiki.example/checkout}
slos:
  - name: availability
    description: Checkouts succeed.
    objective: 99.9%
    sli:
      events:
        bad: http_requests_total{service=\"checkout\",code=~\"5..\"}
        total: http_requests_total{service=\"checkout\"}
---
version: slo/v1
service: search
owner: discovery
links: {runbook: https://wiki.example/search}
slos:
  - name: latency
    description: Searches answer within 300 ms.
    objective: 99%
    sli:
      latency: {histogram: search_duration_seconds, below: 300ms}
";

/// Writes `slo.yaml` and `slos/`.
pub fn write(folder: &Path, shop: SocketAddr, pager: SocketAddr) -> anyhow::Result<()> {
    let config = format!(
        "version: config/v1
files: {{slos: [slos/]}}
sources:
  shop: {{type: scrape, targets: [\"http://{shop}/metrics\"], interval: 15s, labels: {{job: shop}}}}
sinks:
  pager: {{type: webhook, url: \"http://{pager}/page\"}}
routes:
  - {{match: {{}}, to: [pager]}}
owners:
  payments: {{contact: \"#payments\"}}
  discovery: {{contact: \"#discovery\"}}
storage: {{path: slo.db}}
"
    );
    let slos = folder.join("slos");
    fs::create_dir(&slos)
        .and_then(|()| fs::write(slos.join("shop.yaml"), SLOS))
        .and_then(|()| fs::write(folder.join("slo.yaml"), config))
        .with_context(|| format!("writing the demo's files to `{}`", folder.display()))
}
