//! Pushdown through the running service, beside a query that the store refuses: with a real Prometheus.
//!
//! Estimated counts are compared with what the process really counted, with room for what a range loses at its ends;
//! that they only ever grow is exact. The SLO that is refused stands still and says so, and holds nobody else up.
//! What is weighted by time is compared, to the last reading, with figures worked out from what was written to Prometheus:
//! read as history, caught up, and lived through.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "the test reads its own environment and its own server's answers")]

mod kit;
mod service;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::{Bucket, Loaded, STALE};
use service::{Exporter, Slo, eventually, free_port};
use slo::clock::Clock;

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

const WEIGHTED_BY_TIME: &str = r#"
version: slo/v1
service: shop
slos:
  - {name: age, objective: 90%, window: 8h, sli: {gauge: {query: max(export_age_seconds), below: 15m, absent: bad}}}
  - {name: probe, objective: 90%, window: 8h, alive: none, sli: {probe: 'probe_success{job="blackbox"}'}}
  - {name: each, objective: 90%, window: 8h, alive: none, by: [instance], sli: {probe: 'probe_success{job="blackbox"}'}}
  - name: ratio
    objective: 90%
    window: 8h
    sli: {ratio: 'sum(rate(errors_total[$window])) / sum(rate(requests_total[$window]))'}
  - name: native
    objective: 90%
    window: 8h
    sli: {latency: {histogram: latency_seconds, below: 500ms, native: true, step: 5s}}
  - {name: typo, objective: 90%, window: 8h, sli: {events: {bad: 'reqests_total{code="500"}', total: reqests_total}}}
"#;

/// Milliseconds between two samples, which is also the slice.
const STEP: i64 = 5_000;
const HOUR: i64 = 3_600_000;

/// Which five minutes of the hour hold a time.
const fn part(at: i64) -> i64 {
    at / 300_000 % 12
}

/// `export_age_seconds`; `None` where it is gone.
fn age(at: i64) -> Option<f64> {
    (part(at) != 7).then_some(if at / STEP % 97 < 5 { 1_000.0 } else { 900.0 })
}

/// `probe_success` of two targets.
fn probes(at: i64) -> [Option<f64>; 2] {
    let value = |every: i64| if at / STEP % every == 0 { 0.0 } else { 1.0 };
    [Some(value(50)), (part(at) != 3).then(|| value(31))]
}

/// Requests in a step: all, and those that failed.
const fn requests(at: i64) -> (i64, i64) {
    (10, if at / STEP % 10 == 0 { 5 } else { 0 })
}

/// Observations in a step: at most 500 ms, and longer.
const fn observations(at: i64) -> (u64, u64) {
    if part(at) == 5 { (10, 10) } else { (18, 2) }
}

/// Everything that is written for the times `(from, to]`; `sums` are the counters so far.
fn written(from: i64, to: i64, sums: &mut [i64; 4]) -> Vec<Loaded> {
    let mut series = [
        Loaded::new(&[("__name__", "export_age_seconds"), ("job", "export")], Vec::new()),
        Loaded::new(&[("__name__", "probe_success"), ("job", "blackbox"), ("instance", "a")], Vec::new()),
        Loaded::new(&[("__name__", "probe_success"), ("job", "blackbox"), ("instance", "b")], Vec::new()),
        Loaded::new(&[("__name__", "requests_total")], Vec::new()),
        Loaded::new(&[("__name__", "errors_total")], Vec::new()),
        Loaded::new(&[("__name__", "latency_seconds")], Vec::new()),
    ];
    for at in (from + STEP..=to).step_by(usize::try_from(STEP).unwrap()) {
        let values = [age(at), probes(at)[0], probes(at)[1]];
        let before = [age(at - STEP), probes(at - STEP)[0], probes(at - STEP)[1]];
        for ((series, value), before) in series.iter_mut().zip(values).zip(before) {
            if value.is_some() || before.is_some() {
                series.samples.push((at, value.unwrap_or(STALE)));
            }
        }
        let ((all, failed), (quick, slow)) = (requests(at), observations(at));
        let added = [all, failed, i64::try_from(quick).unwrap(), i64::try_from(slow).unwrap()];
        sums.iter_mut().zip(added).for_each(|(sum, added)| *sum += added);
        #[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
        for (place, sum) in [(3, sums[0]), (4, sums[1])] {
            series[place].samples.push((at, sum as f64));
        }
        // (0.25, 0.5] and (1, 2]
        let bucket = |index, sum: i64| Bucket { index, count: u64::try_from(sum).unwrap() };
        series[5].histograms.push((at, vec![bucket(-1, sums[2]), bucket(1, sums[3])]));
    }
    series.to_vec()
}

/// Bad, all and measured slices of each instance in `(from, to]`, from what was written alone.
fn expected(from: i64, to: i64) -> BTreeMap<&'static str, [f64; 3]> {
    let mut sums: BTreeMap<&'static str, [f64; 3]> = BTreeMap::new();
    let mut add = |name, bad: f64, total: f64| {
        let sum = sums.entry(name).or_default();
        *sum = [sum[0] + bad, sum[1] + total, sum[2] + f64::from(total > 0.0)];
    };
    let bad = |fails: bool| f64::from(fails);
    for at in (from + STEP..=to).step_by(usize::try_from(STEP).unwrap()) {
        add("age", bad(age(at).is_none_or(|age| age > 900.0)), 1.0);
        let seen: Vec<f64> = probes(at).into_iter().flatten().collect();
        #[expect(clippy::cast_precision_loss, reason = "two")]
        add("probe", seen.iter().map(|value| 1.0 - value).sum(), seen.len() as f64);
        for (name, value) in ["each a", "each b"].into_iter().zip(probes(at)) {
            add(name, value.map_or(0.0, |value| 1.0 - value), bad(value.is_some()));
        }
        // A ratio's range is four scrapes long.
        let range =
            (0..4).map(|back| requests(at - back * STEP)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        #[expect(clippy::cast_precision_loss, reason = "small")]
        add("ratio", range.1 as f64 / range.0 as f64, 1.0);
        // A pushdown's is two steps long: `$window` is the step and the scrape interval.
        let (now, before) = (observations(at), observations(at - STEP));
        #[expect(clippy::cast_precision_loss, reason = "small")]
        add("native", (now.1 + before.1) as f64 / 2.0, (now.0 + now.1) as f64);
    }
    sums
}

/// Compares what the service says of the newest seven hours; gives the slice end that they end at.
async fn compare(slo: &Slo) -> Result<i64, String> {
    let mut newest = i64::MAX;
    for name in ["age", "probe", "each a", "each b", "ratio", "native"] {
        let (path, group) = name.split_once(' ').map_or((name, None), |(path, group)| (path, Some(group)));
        let group = group.map_or_else(String::new, |group| format!("&group=instance%3D%22{group}%22"));
        let window = slo.json(&format!("/api/v1/slos/shop/{path}/window?over=7h{group}")).await?;
        let time = |key: &str| {
            let time: slo::units::Timestamp = window[key].as_str().unwrap_or_default().parse().unwrap();
            time.millis()
        };
        let (from, to) = (time("from"), time("to"));
        newest = newest.min(to);
        let sums = expected(from, to)[name];
        let found =
            [&window["bad"], &window["total"], &window["measured_seconds"]].map(|figure| figure.as_f64().unwrap());
        #[expect(clippy::cast_precision_loss, reason = "5")]
        let found = [found[0], found[1], found[2] / (STEP as f64 / 1_000.0)];
        // Readings are exact; what comes out of a division is rounded to the grid, once a slice.
        let room = if matches!(name, "ratio" | "native") { 1e-3 } else { 0.0 };
        if found.iter().zip(sums).any(|(found, expected)| (found - expected).abs() > room) {
            return Err(format!("{name} in ({from}, {to}]: {found:?}, expected {sums:?}"));
        }
    }
    Ok(newest)
}

async fn read_back(slo: &Slo) {
    eventually("history", 120, || async {
        for name in ["age", "probe", "ratio", "native", "typo"] {
            let view = slo.json(&format!("/api/v1/slos/shop/{name}")).await?;
            if view["backfilled_ratio"] != 1 {
                return Err(format!("{name}: {} is read", view["backfilled_ratio"]));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_weighted_by_time_is_the_same_read_back_and_lived_through() {
    let flags = vec!["--enable-feature=native-histograms".to_owned()];
    let Some(prometheus) = Prometheus::start(&Options { flags, ..Options::default() }).await else { return };
    let now = Clock::system().now().floor_to(slo::units::Length::from_minutes(5)).millis();
    let mut sums = [0; 4];
    // In the order of time: native histograms cannot come late. Up to 15 min into the future, to be lived through.
    for begin in (now - 9 * HOUR..now + HOUR / 4).step_by(usize::try_from(HOUR / 4).unwrap()) {
        prometheus.write(&written(begin, begin + HOUR / 4, &mut sums)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let listen = free_port();
    fs::create_dir(folder.path().join("slos")).unwrap();
    fs::write(folder.path().join("slos/shop.yaml"), WEIGHTED_BY_TIME).unwrap();
    let config = |database: &str| {
        let url = prometheus.url();
        let text = format!(
            "version: config/v1\nfiles: {{slos: [slos/]}}\nslice: 5s\nsources:\n  prometheus: {{type: prometheus, urls: ['{url}'], \
             interval: 5s, delay: 2s, gap: 30s, lateness: 30s}}\nstorage: {{path: {database}}}\nserver: {{listen: '127.0.0.1:{listen}'}}\n"
        );
        fs::write(folder.path().join("slo.yaml"), text).unwrap();
    };
    config("first.db");
    let mut slo = Slo::new(folder.path(), listen);
    slo.start();
    slo.ready().await;
    read_back(&slo).await;
    let first = compare(&slo).await.unwrap();
    let lived = eventually("four slices", 60, || async {
        let newest = compare(&slo).await?;
        if newest >= first + 4 * STEP { Ok(newest) } else { Err(format!("{newest} after {first}")) }
    })
    .await;

    for (name, mode) in [("age", "gauge"), ("probe", "gauge"), ("ratio", "ratio"), ("native", "pushdown")] {
        let view = slo.json(&format!("/api/v1/slos/shop/{name}")).await.unwrap();
        assert_eq!(view["mode"], mode);
        assert_eq!(view["estimated"], mode == "pushdown", "{view}");
        assert_eq!(view["sli"]["low"].is_null(), mode != "pushdown", "{view}");
        assert!(view["problem"].is_null(), "{view}");
    }
    let before = slo.json("/api/v1/slos/shop/age").await.unwrap();
    let series = slo.json("/api/v1/slos/shop/age/series?points=7").await.unwrap();
    assert!(series["to"].as_str() >= before["as_of"].as_str(), "a plot ends at the watermark: {series}");
    assert!(series["points"].as_array().unwrap().iter().all(|point| point["low"].is_null()), "{series}");
    let typo = slo.json("/api/v1/slos/shop/typo").await.unwrap();
    assert_eq!(typo["problem"], "`reqests_total` selects no series; is its name right?", "{typo}");
    assert_eq!(slo.log().matches("selects no series").count(), 1, "it is told once");
    let status = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["status", "--server", &format!("http://{}", slo.address)])
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&status.stdout), String::from_utf8_lossy(&status.stderr));
    assert!(said.contains("shop/typo has nothing to count: `reqests_total` selects no series"), "{said}");
    assert!(said.contains("shop/age (by time)"), "{said}");

    // Without what it lived through: the same figures, all of them read back.
    slo.kill();
    config("second.db");
    slo.start();
    slo.ready().await;
    read_back(&slo).await;
    let again = compare(&slo).await.unwrap();
    assert!(again >= lived, "{again} after {lived}");
}
