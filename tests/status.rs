//! `slo status PATH --prometheus URL` against a real Prometheus: every figure is exact, nothing is left behind, and what
//! cannot be computed is said. The expected figures are sums over what was loaded, made here.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![expect(clippy::float_cmp, reason = "counts are exact")]

mod kit;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::Loaded;
use serde_json::Value;
use slo::clock::Clock;
use slo::units::Timestamp;
use tokio::process::Command;

const STEP: i64 = 30_000;
const DAY: i64 = 86_400_000;

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn slo(folder: &Path, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(arguments)
        .current_dir(folder)
        .env("SLO_SERVER", "http://127.0.0.1:1")
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A counter with what really happened: time in ms and events since the sample before.
struct Counter {
    loaded: Loaded,
    events: Vec<(i64, f64)>,
}

/// Counts `per_step(n)` in step `n`; starts again from zero at the steps of `resets`. Its first sample is a baseline,
/// unless it is `born` beside siblings of its target: then that counts too.
fn counter(
    labels: &[(&str, &str)],
    times: &[i64],
    born: bool,
    resets: &[usize],
    per_step: impl Fn(usize) -> f64,
) -> Counter {
    let (mut value, mut samples, mut events) = (0.0, Vec::new(), Vec::new());
    for (n, at) in times.iter().enumerate() {
        if resets.contains(&n) {
            value = 0.0;
        }
        value += per_step(n);
        samples.push((*at, value));
        if n > 0 || born {
            events.push((*at, per_step(n)));
        }
    }
    Counter { loaded: Loaded::new(labels, samples), events }
}

fn sum<'a>(counters: impl IntoIterator<Item = &'a Counter>, from: i64, to: i64) -> f64 {
    let within = |counter: &'a Counter| counter.events.iter().filter(move |(at, _)| *at > from && *at <= to);
    counters.into_iter().flat_map(within).map(|(_, events)| events).sum()
}

fn millis(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().millis()
}

/// Two days of a shop: requests in two regions with failures, restarts and an error series born late; latency buckets.
struct Shop {
    good: Vec<Counter>,
    bad: Vec<Counter>,
    fast: Counter,
    all: Counter,
    /// Six days of orders, good and bad: what came before a window's begin is there too.
    orders: [Counter; 2],
}

impl Shop {
    fn new() -> Self {
        // Off the slices by 7 s, so that a sample is never on a boundary; steady, as scrapes are.
        let newest = Clock::system().now().millis() / STEP * STEP - STEP + 7_000;
        let times: Vec<i64> = (0..=2 * DAY / STEP).rev().map(|back| newest - back * STEP).collect();
        let labels = |code, region| {
            [("__name__", "requests_total"), ("job", "shop"), ("instance", "one"), ("region", region), ("code", code)]
        };
        let resets = [1_000, 5_000, 5_400];
        let good = ["eu", "us"]
            .map(|region| counter(&labels("200", region), &times, false, &resets, |n| 900.0 + (n % 7) as f64));
        let old = counter(&labels("500", "eu"), &times, false, &resets, |n| f64::from(u8::from(n % 10 == 0)));
        let late =
            counter(&labels("503", "us"), &times[4_000..], true, &[1_000, 1_001], |n| if n < 60 { 7.0 } else { 0.0 });
        let bucket = |le| [("__name__", "latency_seconds_bucket"), ("job", "shop"), ("instance", "one"), ("le", le)];
        let count = [("__name__", "latency_seconds_count"), ("job", "shop"), ("instance", "one")];
        let minutes: Vec<i64> = (0..=6 * DAY / 60_000).rev().map(|back| newest - back * 60_000).collect();
        let order = |code| [("__name__", "orders_total"), ("job", "shop"), ("instance", "one"), ("code", code)];
        let orders = [("200", 40.0), ("500", 3.0)]
            .map(|(code, least)| counter(&order(code), &minutes, false, &[], |n| least + (n % 5) as f64));
        Self {
            orders,
            good: good.into(),
            bad: vec![old, late],
            fast: counter(&bucket("0.3"), &times, false, &resets, |n| 97.0 + (n % 3) as f64),
            all: counter(&count, &times, false, &resets, |_| 100.0),
        }
    }

    async fn load(&self, server: &Prometheus) {
        let all = self.good.iter().chain(&self.bad).chain([&self.fast, &self.all]).chain(&self.orders);
        let series: Vec<Loaded> = all.map(|counter| counter.loaded.clone()).collect();
        server.write(&series).await;
    }
}

const SLOS: &str = "version: slo/v1
service: shop
slos:
  - name: availability
    objective: 99.9%
    window: 1d
    sli: {events: {bad: 'requests_total{job=\"shop\",code=~\"5..\"}', total: 'requests_total{job=\"shop\"}'}}
  - name: month
    objective: 99.9%
    window: 30d
    sli: {events: {bad: 'requests_total{job=\"shop\",code=~\"5..\"}', total: 'requests_total{job=\"shop\"}'}}
  - name: regional
    objective: 99%
    window: 1d
    by: [region]
    sli: {events: {bad: 'requests_total{job=\"shop\",code=~\"5..\"}', total: 'requests_total{job=\"shop\"}'}}
  - name: latency
    objective: 99%
    window: 1d
    sli: {latency: {histogram: 'latency_seconds{job=\"shop\"}', below: 300ms}}
  - name: spent
    objective: 99.985%
    window: 1d
    policy: predictive
    sli: {events: {bad: 'requests_total{job=\"shop\",code=~\"5..\"}', total: 'requests_total{job=\"shop\"}'}}
  - name: five-days
    objective: 99%
    window: 5d
    sli: {events: {bad: 'orders_total{job=\"shop\",code=\"500\"}', total: 'orders_total{job=\"shop\"}'}}
  - name: never-seen
    objective: 99%
    sli: {events: {bad: 'jobs_failed_total{job=\"batch\"}', total: 'jobs_total{job=\"batch\"}'}}
";

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Bad and total of an instance are these, and its budget follows from them.
fn assert_budget(list: &Value, id: &str, budget: f64, expected: impl Fn(i64, i64) -> (f64, f64)) {
    let item = list["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap();
    let (bad, total) = expected(millis(&item["window_from"]), millis(&item["as_of"]));
    assert!(bad > 0.0, "{id}: a test without failures says nothing");
    assert_eq!(item["sli"]["bad"].as_f64().unwrap(), bad, "{id}: {item}");
    assert_eq!(item["sli"]["total"].as_f64().unwrap(), total, "{id}: {item}");
    let spent = item["budget"]["measured"]["spent_ratio"].as_f64().unwrap();
    assert!((spent - bad / (budget * total)).abs() < 1e-9, "{id}: {spent}, {bad} of {total}");
    if item["coverage"].as_f64().unwrap() >= 1.0 {
        let remaining = item["budget"]["remaining_ratio"].as_f64().unwrap();
        assert!((remaining - (1.0 - bad / (budget * total))).abs() < 1e-9, "{id}: {remaining}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_are_exact_and_nothing_is_left_behind() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "test")])).await else { return };
    let shop = Shop::new();
    shop.load(&server).await;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slos")).unwrap();
    fs::write(folder.path().join("slos/shop.yaml"), SLOS).unwrap();

    let url = server.url();
    let json = slo(folder.path(), &["status", "slos", "--prometheus", &url, "--format", "json"]).await;
    assert_eq!(json.code, 0, "{}", json.err);
    assert_eq!(json.err, "", "no progress bar outside a terminal");
    let list: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(list["total"], 8);
    let (good, bad) = (&shop.good, &shop.bad);
    let both = |from, to| (sum(bad, from, to), sum(good, from, to) + sum(bad, from, to));
    assert_budget(&list, "shop/availability", 0.001, both);
    assert_budget(&list, "shop/month", 0.001, both);
    for (place, region) in [(0, "eu"), (1, "us")] {
        let id = format!("shop/regional{{region=\"{region}\"}}");
        assert_budget(&list, &id, 0.01, |from, to| {
            let bad = sum([&bad[place]], from, to);
            (bad, bad + sum([&good[place]], from, to))
        });
    }
    assert_budget(&list, "shop/latency", 0.01, |from, to| {
        let total = sum([&shop.all], from, to);
        (total - sum([&shop.fast], from, to), total)
    });
    // A window that begins on the hour, as each does that is longer than 4 d: its first increase has its base before it.
    let [filled, failed] = &shop.orders;
    assert_budget(&list, "shop/five-days", 0.01, |from, to| (sum([failed], from, to), sum([filled, failed], from, to)));
    let whole = list["items"].as_array().unwrap().iter().find(|item| item["id"] == "shop/availability").unwrap();
    assert!(whole["coverage"].as_f64() == Some(1.0) && whole["estimated"] == false, "{whole}");

    // Most of the budget went 15 h ago, which only the whole past says: burn is low since.
    assert_budget(&list, "shop/spent", 0.000_15, both);
    let spent = list["items"].as_array().unwrap().iter().find(|item| item["id"] == "shop/spent").unwrap();
    assert_eq!(spent["status"], "ticket", "{spent}");

    let table = slo(folder.path(), &["status", "slos/shop.yaml", "--prometheus", &url]).await;
    assert_eq!(table.code, 0, "{}", table.err);
    let lines: Vec<&str> = table.out.lines().collect();
    assert!(lines[0].starts_with("STATUS") && lines.len() == 9, "{}", table.out);
    let unseen = lines.iter().find(|line| line.contains("shop/never-seen")).unwrap();
    assert!(unseen.contains("No data"), "{unseen}");
    assert!(table.err.contains("8 SLOs as of "), "{}", table.err);

    let one = slo(folder.path(), &["status", "slos", "*/latency", "--prometheus", &url]).await;
    assert_eq!((one.code, one.out.lines().count()), (0, 2), "{}{}", one.out, one.err);
    assert_eq!(names(folder.path()), BTreeSet::from(["slos".to_owned()]), "nothing is written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_refused_spoils_its_own_slo_alone() {
    let Some(server) = Prometheus::start(&Options::default()).await else { return };
    let shop = Shop::new();
    shop.load(&server).await;
    let folder = tempfile::tempdir().unwrap();
    // Many series on both sides of a division: the store says so only when it is asked.
    let rate = "rate(requests_total{job=\"shop\"}[$window])";
    let refused = format!(
        "{SLOS}  - {{name: refused, objective: 99%, sli: {{events: {{bad: 'sum({rate} * on (job) {rate})', total: 'sum({rate})'}}}}}}\n"
    );
    fs::write(folder.path().join("slos.yaml"), refused).unwrap();
    let said = slo(folder.path(), &["status", "slos.yaml", "--prometheus", &server.url()]).await;
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.out.contains("shop/availability") && said.out.contains("99.9% 1d"), "{}", said.out);
    assert!(said.err.contains("not computed, because questions failed: `shop/refused`"), "{}", said.err);
    assert!(said.err.contains("duplicate series"), "{}", said.err);
}

#[tokio::test]
async fn what_cannot_be_computed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}", kit::free_port());
    fs::write(folder.path().join("slos.yaml"), SLOS).unwrap();
    fs::write(folder.path().join("broken.yaml"), SLOS.replace("objective: 99%", "objective: 0.99")).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();

    for format in ["table", "json"] {
        let said = slo(folder.path(), &["status", "slos.yaml", "--prometheus", &nobody, "--format", format]).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
        assert!(said.err.contains(&nobody) && said.err.contains("source `prometheus` does not answer"), "{}", said.err);
    }
    let broken = slo(folder.path(), &["status", "broken.yaml", "--prometheus", &nobody]).await;
    assert_eq!(broken.code, 1, "{}", broken.err);
    assert!(broken.out.contains("broken.yaml:") && broken.out.contains("did you mean"), "{}", broken.out);
    let empty = slo(folder.path(), &["status", "empty", "--prometheus", &nobody]).await;
    assert_eq!((empty.code, empty.out.as_str()), (2, ""));
    assert!(empty.err.contains("no SLOs in `empty`"), "{}", empty.err);
    let missing = slo(folder.path(), &["status", "missing.yaml", "--prometheus", &nobody]).await;
    assert_eq!(missing.code, 2, "{}", missing.err);
    for (arguments, words) in [
        (&["status", "nowhere"][..], "`nowhere` is no file or folder; name SLO files"),
        (&["status"], "name SLO files or folders"),
        (&["explain", "shop/availability"], "name SLO files or folders"),
        (&["backtest", "nowhere"], "`nowhere` is no file or folder; name SLO files"),
        (&["backtest"], "name SLO files or folders"),
    ] {
        let said = slo(folder.path(), &[arguments, &["--prometheus", &nobody]].concat()).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(words), "{arguments:?}: {}", said.err);
    }
    let config = format!(
        "version: config/v1\nfiles: {{slos: [slos.yaml]}}\nsources: {{prometheus: {{type: prometheus, urls: ['{nobody}']}}}}\n"
    );
    fs::write(folder.path().join("config.yaml"), config).unwrap();
    for files in [&["--config", "config.yaml"][..], &["slos.yaml", "config.yaml"]] {
        let said = slo(folder.path(), &[&["explain", "shop/availability"], files].concat()).await;
        assert_eq!(said.code, 2, "{files:?}: {}{}", said.out, said.err);
        assert!(said.err.contains("not everything could be computed") && said.err.contains(&nobody), "{}", said.err);
    }
    let address = slo(folder.path(), &["status", "slos.yaml", "--prometheus", "localhost"]).await;
    assert_eq!(address.code, 1, "{}{}", address.out, address.err);
}
