//! Pushdown through the running service, beside a query that the store refuses: with a real Prometheus.
//!
//! Estimated counts are compared with what the process really counted, with room for what a range loses at its ends;
//! that they only ever grow is exact. The SLO that is refused stands still and says so, and holds nobody else up.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "the test reads its own environment and its own server's answers")]

mod kit;
mod service;

use std::fs;
use std::time::Duration;

use kit::prometheus::{Options, Prometheus};
use service::{Exporter, Slo, eventually, free_port};

const SLOS: &str = "\
version: slo/v1
service: shop
slos:
  - name: pushed
    objective: 99%
    alive: none
    sli:
      events:
        bad: 'sum(rate(requests_total{code=\"500\"}[$window])) or vector(0)'
        total: sum(rate(requests_total[$window])) + 0
        step: 5s
  - name: refused
    objective: 99%
    alive: none
    sli:
      events: {bad: 'sum(mad_over_time(requests_total[$window]))', total: 'sum(increase(requests_total[$window]))', unit: count, step: 5s}
  - name: exact
    objective: 99%
    alive: none
    sli: {events: {bad: 'requests_total{code=\"500\"}', total: requests_total}}
  - name: bucketless
    objective: 99%
    alive: none
    sli: {latency: {histogram: wait_seconds, below: 300ms}}
";

/// 100 events a second, a tenth of them failures, until the test ends.
fn count(exporter: &Exporter) {
    let exporter = exporter.clone();
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(Duration::from_millis(100));
        loop {
            beat.tick().await;
            exporter.add(r#"requests_total{code="200"}"#, 9);
            exporter.add(r#"requests_total{code="500"}"#, 1);
        }
    });
}

async fn figures(slo: &Slo, name: &str) -> Result<(String, f64, f64), String> {
    let view = slo.json(&format!("/api/v1/slos/shop/{name}")).await?;
    let number = |key: &str| view["sli"][key].as_f64().ok_or_else(|| view.to_string());
    Ok((view["as_of"].as_str().unwrap_or_default().to_owned(), number("bad")?, number("total")?))
}

#[tokio::test(flavor = "multi_thread")]
async fn pushed_down_counts_add_up_and_a_refused_query_holds_nobody_up() {
    let port = free_port();
    let exporter = Exporter::serve(port).await;
    exporter.add(r#"requests_total{code="200"}"#, 0);
    exporter.add(r#"requests_total{code="500"}"#, 0);
    // A histogram that has no bucket at 300 ms.
    exporter.add(r#"wait_seconds_bucket{le="0.25"}"#, 5);
    exporter.add(r#"wait_seconds_bucket{le="+Inf"}"#, 9);
    exporter.add("wait_seconds_count", 9);
    count(&exporter);
    let scrape = vec![("shop".to_owned(), format!("127.0.0.1:{port}"))];
    let Some(prometheus) = Prometheus::start(&Options { scrape, ..Options::default() }).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port();
    fs::create_dir(folder.path().join("slos")).unwrap();
    fs::write(folder.path().join("slos/shop.yaml"), SLOS).unwrap();
    let url = prometheus.url();
    let config = format!(
        "version: config/v1\nfiles: {{slos: [slos/]}}\nslice: 1s\nsources:\n  prometheus: {{type: prometheus, urls: ['{url}'], \
         interval: 1s, delay: 2s, gap: 10s, lateness: 10s}}\nserver: {{listen: '127.0.0.1:{listen}'}}\n"
    );
    fs::write(folder.path().join("slo.yaml"), config).unwrap();
    let mut slo = Slo::new(folder.path(), listen);
    slo.start();

    // Half a minute of counts: many re-reads of the last 10 s lie within, none of which may take anything away.
    let mut highest = 0.0_f64;
    let (bad, total) = eventually("3,000 events", 120, || async {
        let (_, bad, total) = figures(&slo, "pushed").await?;
        if total >= 3_000.0 { Ok((bad, total)) } else { Err(format!("{bad} of {total}")) }
    })
    .await;
    for _ in 0..20 {
        let (_, _, total) = figures(&slo, "pushed").await.unwrap();
        assert!(total >= highest, "counts fell from {highest} to {total}");
        highest = total;
        tokio::task::yield_now().await;
    }
    assert!((bad / total - 0.1).abs() < 0.03, "{bad} of {total} is not a tenth");
    let counted = exporter.value(r#"requests_total{code="200"}"#) + exporter.value(r#"requests_total{code="500"}"#);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let counted = counted as f64;
    assert!(total <= counted * 1.1, "{total} were estimated, {counted} happened");

    let (as_of, _, exact) = figures(&slo, "exact").await.unwrap();
    assert!(exact > 2_000.0, "the exact SLO goes on beside the refused one: {exact} as of {as_of}");
    let sources = slo.json("/api/v1/sources").await.unwrap();
    let error = sources["items"][0]["last_error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("mad_over_time"), "the refusal is told: {sources}");
    assert_eq!(sources["items"][0]["up"], true, "a store that refuses a question answers: {sources}");
    assert!(figures(&slo, "refused").await.is_ok_and(|(_, _, total)| total < 1.0));
    let alerts = slo.json("/api/v1/alerts").await.unwrap();
    assert!(!alerts.to_string().contains("bucketless"), "a threshold that is no bucket pages nobody: {alerts}");
    assert!(slo.log().contains("a question was refused"), "it is told in the log, too");
}
