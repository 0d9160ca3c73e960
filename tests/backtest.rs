//! `slo backtest` against a real Prometheus: pages at the oracle's slice ends, and every way in which rules as Sloth
//! makes them differ. Their alerts are what the real PromQL gives at each rule evaluation, written back as `ALERTS`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "times and counts here are small whole numbers"
)]

mod kit;
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::{Loaded, STALE};
use kit::{body, get, http};
use oracle::alert::About;
use oracle::random::Random;
use oracle::scene::{Judge, Phase, Scene, balanced, live, minutes};
use oracle::world::{HOUR, MINUTE, SECOND, Setting, World};
use serde_json::Value;
use slo::clock::Clock;
use slo::spec::policy::AlertSeverity;
use slo::units::Timestamp;
use tempfile::TempDir;
use tokio::process::Command;

/// How often rules are evaluated there, and how long after a slice end.
const RULES: i64 = 30 * SECOND;
const RULES_AFTER: i64 = 17 * SECOND;
/// How often series that are not the scene's are sampled.
const STEP: i64 = 30 * SECOND;
const WHOLE: [&str; 4] = ["outage", "sparse", "burst", "noisy"];

const SLOS: &str = "version: slo/v1
service: shop
defaults: {window: 30d}
slos:
  - name: outage
    objective: 99.9%
    alive: 'up{job=\"shop\"}'
    sli: {events: {bad: 'failures_total{job=\"shop\"}', total: 'requests_total{job=\"shop\"}'}}
  - name: sparse
    objective: 99.9%
    alive: none
    sli: {events: {bad: 'sparse_total{code=\"500\"}', total: sparse_total}}
  - name: burst
    objective: 99.9%
    alive: none
    sli: {events: {bad: 'burst_total{code=\"500\"}', total: burst_total}}
  - name: noisy
    objective: 99.9%
    alive: none
    sli: {events: {bad: 'noisy_total{code=\"500\"}', total: noisy_total}}
";

/// Error and total expressions of each SLO, as a user of Sloth writes them.
fn queries(name: &str) -> (String, String) {
    match name {
        "outage" => ("failures_total{job=\"shop\"}".to_owned(), "requests_total{job=\"shop\"}".to_owned()),
        name => (format!("{name}_total{{code=\"500\"}}"), format!("{name}_total")),
    }
}

/// What happened, with its minute 0 at `zero`; data begins a day before.
struct Past {
    zero: i64,
    world: World,
    loaded: Vec<Loaded>,
}

/// Seven hours: an outage of ten minutes at 0, one of thirty at 10% at 200; one failure at a request a minute; a burst
/// of failures in a series that was not there before; three hours of 2% at a request each 2 s.
fn past(zero: i64) -> Past {
    let day = 1_440.0;
    let phases = [
        (day, Phase::Bad(0)),
        (day + 10.0, Phase::Bad(10_000)),
        (day + 200.0, Phase::Bad(0)),
        (day + 230.0, Phase::Bad(1_000)),
        (day + 420.0, Phase::Bad(0)),
    ];
    let mut world = Scene { up: true, ..Scene::new(0.0, &phases) }.world();
    let begin = zero - minutes(day);
    for sample in world.series.iter_mut().flat_map(|series| &mut series.samples) {
        (sample.at, sample.arrived) = (sample.at + begin, sample.arrived + begin);
    }
    let mut loaded: Vec<Loaded> = world
        .series
        .iter()
        .map(|series| Loaded {
            labels: series.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            samples: series.samples.iter().map(|sample| (sample.at, sample.value)).collect(),
            ..Loaded::default()
        })
        .collect();
    let end = zero + 7 * HOUR;
    let times: Vec<i64> = (begin..=end).step_by(STEP.unsigned_abs() as usize).map(|at| at + 7 * SECOND).collect();
    let minute = |at: i64| (at - zero).div_euclid(MINUTE);
    loaded.extend(pair("sparse", &times, |at| {
        (i64::from(at % MINUTE == 7_000), i64::from(minute(at) == 60 && at % MINUTE == 7_000))
    }));
    let mut random = Random::new(11, 0);
    loaded.extend(pair("noisy", &times, |at| {
        let failing = (100..280).contains(&minute(at));
        (15, if failing { (0..15).filter(|_| random.between(1, 100) <= 2).count() as i64 } else { 0 })
    }));
    // The series of failures is born at minute 90, with all of them in its first sample.
    let mut burst = pair("burst", &times, |at| (300, i64::from(at == zero + 90 * MINUTE + 7 * SECOND) * 900));
    burst[1].samples.retain(|(at, _)| *at > zero + 90 * MINUTE);
    loaded.extend(burst);
    Past { zero, world, loaded }
}

/// Counters of all and of failed requests: `adds` gives both for each sample.
fn pair(name: &str, times: &[i64], mut adds: impl FnMut(i64) -> (i64, i64)) -> Vec<Loaded> {
    let metric = format!("{name}_total");
    let of = |code| [("__name__", metric.as_str()), ("job", "shop"), ("instance", "a"), ("code", code)];
    let (mut good, mut bad) = (Loaded::new(&of("200"), Vec::new()), Loaded::new(&of("500"), Vec::new()));
    let (mut all, mut failed) = (0, 0);
    for &at in times {
        let (more, failures) = adds(at);
        (all, failed) = (all + more, failed + failures);
        good.samples.push((at, all as f64));
        bad.samples.push((at, failed as f64));
    }
    vec![good, bad]
}

/// The alerting expression that Sloth generates at 99.9% over 30 d, with its recording rules written out.
fn rule(name: &str, severity: &str) -> String {
    let (bad, total) = queries(name);
    let ratio = |window: &str| format!("(sum(rate({bad}[{window}])) / sum(rate({total}[{window}])))");
    let over = |short: &str, long: &str, factor: &str| {
        format!("({} > ({factor} * 0.001) and {} > ({factor} * 0.001))", ratio(short), ratio(long))
    };
    match severity {
        "page" => format!("{} or {}", over("5m", "1h", "14.4"), over("30m", "6h", "6")),
        _ => format!("{} or {}", over("2h", "1d", "3"), over("6h", "3d", "1")),
    }
}

/// The times at which the expression has a value, of rule evaluations in `(from, to]`.
async fn evaluations(server: &Prometheus, promql: &str, from: i64, to: i64) -> Vec<i64> {
    let mut url = reqwest::Url::parse(&format!("{}/api/v1/query_range", server.url())).unwrap();
    let seconds = |millis: i64| format!("{}", millis / 1_000);
    url.query_pairs_mut()
        .append_pair("query", promql)
        .append_pair("start", &seconds(from + RULES_AFTER))
        .append_pair("end", &seconds(to))
        .append_pair("step", &seconds(RULES));
    let (status, text) = body(http().get(url).send().await.unwrap()).await;
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let series = answer["data"]["result"].as_array().unwrap();
    let points = series.first().map(|series| series["values"].as_array().unwrap().clone()).unwrap_or_default();
    points.iter().map(|point| (point[0].as_f64().unwrap() * 1_000.0) as i64).collect()
}

/// First and last evaluation of each alert, from the times at which its rule had a value.
fn spans(times: &[i64]) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for &at in times {
        match spans.last_mut() {
            Some(last) if last.1 + RULES == at => last.1 = at,
            _ => spans.push((at, at)),
        }
    }
    spans
}

/// `ALERTS` as Prometheus would have written it: 1 at each evaluation, a stale marker at the first without.
fn alerts_series(name: &str, severity: &str, times: &[i64]) -> Loaded {
    let labels = [
        ("__name__", "ALERTS"),
        ("alertname", "ShopErrors"),
        ("alertstate", "firing"),
        ("sloth_id", &format!("shop-{name}")),
        ("sloth_service", "shop"),
        ("sloth_slo", name),
        ("sloth_severity", severity),
    ];
    let mut samples: Vec<(i64, f64)> = times.iter().map(|at| (*at, 1.0)).collect();
    samples.extend(spans(times).iter().map(|(_, last)| (last + RULES, STALE)));
    samples.sort_by_key(|(at, _)| *at);
    Loaded::new(&labels, samples)
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn slo(folder: &Path, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_slo")).args(arguments).current_dir(folder).output().await.unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shop.yaml"), SLOS).unwrap();
    folder
}

fn millis(value: &Value) -> i64 {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse::<Timestamp>().unwrap().millis()
}

fn of<'a>(said: &'a Value, name: &str) -> &'a Value {
    let id = format!("shop/{name}");
    said["slos"].as_array().unwrap().iter().find(|slo| slo["id"] == id.as_str()).unwrap()
}

/// Kind and reason of each difference of a severity.
fn differences<'a>(slo: &'a Value, severity: &str) -> Vec<(&'a str, &'a str, Option<f64>)> {
    let all = slo["differences"].as_array().unwrap().iter().filter(|one| one["severity"] == severity);
    all.map(|one| (one["kind"].as_str().unwrap(), one["why"].as_str().unwrap(), one["lead_seconds"].as_f64())).collect()
}

/// Requests for samples that the server has answered so far.
async fn requests(server: &Prometheus) -> u64 {
    let (_, page) = get(&format!("{}/metrics", server.url())).await.unwrap();
    let asks = |line: &&str| ["/api/v1/query", "/api/v1/read"].iter().any(|path| line.contains(path));
    let lines = page.lines().filter(|line| line.starts_with("prometheus_http_requests_total{")).filter(asks);
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// The time asked for: from an hour before minute 0 to its end.
fn range(past: &Past) -> [String; 2] {
    let at = |millis: i64| Timestamp::from_millis(millis).to_string();
    [at(past.zero - HOUR), at(past.zero + 7 * HOUR)]
}

#[tokio::test]
async fn both_histories_stand_beside_each_other_and_every_difference_says_why() {
    let Some(server) = Prometheus::start(&Options::default()).await else { return };
    let zero = Clock::system().now().millis() / HOUR * HOUR - 8 * HOUR;
    let past = past(zero);
    server.write(&past.loaded).await;
    let mut theirs = Vec::new();
    let mut there = BTreeSet::new();
    for name in WHOLE {
        for severity in ["page", "ticket"] {
            let times = evaluations(&server, &rule(name, severity), zero - 2 * HOUR, zero + 7 * HOUR).await;
            there.extend(spans(&times).into_iter().map(|(first, last)| (name, severity, first, last + RULES)));
            theirs.push(alerts_series(name, severity, &times));
        }
    }
    theirs.retain(|series| !series.samples.is_empty());
    let other = [("__name__", "ALERTS"), ("alertname", "DiskFull"), ("alertstate", "firing"), ("severity", "warning")];
    theirs.push(Loaded::new(&other, (0..10).map(|n| (zero + HOUR + n * MINUTE, 1.0)).collect()));
    server.write(&theirs).await;
    let folder = folder();
    let [from, to] = range(&past);
    let url = server.url();
    let asked = ["backtest", "shop.yaml", "--prometheus", &url, "--from", &from, "--to", &to];
    let matchers = "{alertname=~\"ShopErrors|DiskFull\"}";
    let json = slo(folder.path(), &[&asked[..], &["--against-alerts", matchers, "--format", "json"]].concat()).await;
    assert_eq!(json.code, 0, "{}", json.err);
    let said: Value = serde_json::from_str(&json.out).unwrap();
    println!("{}\n{}", json.out, json.err);

    // Their alerts are those that the rules gave, to the evaluation.
    let mut seen = BTreeSet::new();
    for name in WHOLE {
        for alert in of(&said, name)["against"].as_array().unwrap() {
            let severity = alert["labels"]["sloth_severity"].as_str().unwrap();
            seen.insert((name, if severity == "page" { "page" } else { "ticket" }, millis(&alert["fired_at"])));
            let fired = millis(&alert["fired_at"]);
            let ended = there.iter().find(|(n, s, first, _)| (*n, *s, *first) == (name, severity, fired)).unwrap().3;
            let said = alert["resolved_at"].as_str().map(|_| millis(&alert["resolved_at"]));
            if ended < zero + 7 * HOUR {
                let late = said.unwrap() - ended;
                assert!((0..15_000).contains(&late), "{name} {severity}: ended {late} ms after");
            } else {
                assert_eq!(said, None, "{name} {severity} fires at the end");
            }
        }
    }
    assert_eq!(seen, there.iter().map(|(name, severity, first, _)| (*name, *severity, *first)).collect());

    the_outage_is_paged_at_the_oracles_slice_ends(&said, &past);
    the_differences_say_why(&said);
    let unmatched = said["unmatched"].as_array().unwrap();
    assert_eq!(unmatched.len(), 1, "{unmatched:?}");
    assert_eq!(
        (&unmatched[0]["labels"]["alertname"], &unmatched[0]["severity"]),
        (&"DiskFull".into(), &"ticket".into())
    );
    let (fired, ended) = (millis(&unmatched[0]["fired_at"]), millis(&unmatched[0]["resolved_at"]));
    assert_eq!((fired, ended), (zero + HOUR, zero + HOUR + 9 * MINUTE), "its samples just stop");

    let policies = ["--slo", "shop/sparse", "--policy", "balanced", "--policy", "workbook", "--format", "json"];
    let before = requests(&server).await;
    let one = slo(folder.path(), &[&asked[..], &policies[..4], &policies[6..]].concat()).await;
    assert_eq!(one.code, 0, "{}", one.err);
    let between = requests(&server).await;
    let both = slo(folder.path(), &[&asked[..], &policies].concat()).await;
    assert_eq!(both.code, 0, "{}", both.err);
    let after = requests(&server).await;
    assert!(before < between);
    assert_eq!(after - between, between - before, "one history, whatever the number of policies");
    let said: Value = serde_json::from_str(&both.out).unwrap();
    let pages: Vec<_> = said["slos"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slo| {
            (slo["id"].as_str().unwrap(), slo["policy"].as_str().unwrap(), slo["pages"].as_array().unwrap().len())
        })
        .collect();
    assert_eq!(pages, [("shop/sparse", "balanced", 0), ("shop/sparse", "workbook", 1)]);

    let table = slo(folder.path(), &[&asked[..], &["--against-alerts", matchers]].concat()).await;
    assert_eq!(table.code, 0);
    for part in ["shop/outage", "here", "there", "ShopErrors", "only there, page", "`min_bad` 3: 1 bad event in 1h"] {
        assert!(table.out.contains(part), "`{part}` is not in:\n{}", table.out);
    }
    println!("{}{}", table.out, table.err);
    assert!(table.err.contains("next: "), "{}", table.err);
}

fn the_outage_is_paged_at_the_oracles_slice_ends(said: &Value, past: &Past) {
    let setting = Setting { alive: true, tiers: balanced(), ..Setting::plain() };
    let oracle = live(Judge::Oracle, &past.world, &setting, past.zero - 10 * MINUTE, past.zero + 7 * HOUR);
    let outage = of(said, "outage");
    for (list, severity) in [("pages", AlertSeverity::Page), ("tickets", AlertSeverity::Ticket)] {
        let told: Vec<_> = outage[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| {
                (millis(&alert["fired_at"]), alert["resolved_at"].as_str().map(|_| millis(&alert["resolved_at"])))
            })
            .collect();
        let truth: Vec<_> = oracle
            .of(severity, About::Burn)
            .into_iter()
            .filter(|alert| alert.told.is_some())
            .map(|alert| (alert.fired, alert.resolved))
            .collect();
        assert_eq!(told, truth, "{list}");
        assert!(!truth.is_empty(), "no {list}");
    }
    let page = &outage["pages"][0];
    assert_eq!(millis(&page["fired_at"]), past.zero + MINUTE, "a total outage pages at the second slice end");
    assert!(page["reason"].as_str().unwrap().contains("both above 14.4"), "{page}");
    assert!(page["peak_burn"].as_f64().unwrap() > 100.0, "{page}");
}

fn the_differences_say_why(said: &Value) {
    let pages = differences(of(said, "outage"), "page");
    assert_eq!(pages.iter().map(|(kind, ..)| *kind).collect::<Vec<_>>(), ["both", "both"], "{pages:?}");
    for (_, why, lead) in &pages {
        let lead = lead.unwrap();
        assert!(lead.abs() < 120.0, "{lead}: {why}");
        assert!(why.contains(if lead > 0.0 { "earlier here by" } else { "later here by" }), "{lead}: {why}");
    }

    let pages = differences(of(said, "sparse"), "page");
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0].0, "only_there");
    assert!(pages[0].1.contains("`min_bad` 3: 1 bad event in 1h"), "{}", pages[0].1);
    assert_eq!(of(said, "sparse")["pages"], Value::Array(Vec::new()));

    let pages = differences(of(said, "burst"), "page");
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0].0, "only_here");
    assert!(pages[0].1.contains("no alert there overlaps it"), "{}", pages[0].1);

    let noisy = of(said, "noisy");
    let there = noisy["against"].as_array().unwrap().iter().filter(|alert| alert["severity"] == "page").count();
    let here = noisy["pages"].as_array().unwrap().len();
    assert!(there > 2 * here && here > 0, "{there} there, {here} here");
    let flaps = differences(noisy, "page");
    assert!(flaps.iter().any(|(kind, why, _)| *kind == "both" && why.contains("alerts there, 1 here")), "{flaps:?}");
}

/// A store that was down has no samples of anybody; a target that is gone is missed while others are seen.
#[tokio::test]
async fn a_store_that_was_down_is_no_target_that_is_gone() {
    let Some(server) = Prometheus::start(&Options::default()).await else { return };
    let zero = Clock::system().now().millis() / HOUR * HOUR - 6 * HOUR;
    let times: Vec<i64> =
        (zero - HOUR..zero + 5 * HOUR).step_by(STEP.unsigned_abs() as usize).map(|at| at + 7 * SECOND).collect();
    let minute = |at: i64| (at - zero).div_euclid(MINUTE);
    let store_up = |at: &i64| !(60..80).contains(&minute(*at));
    let shop_up = |at: &i64| store_up(at) && !(200..220).contains(&minute(*at));
    let mut loaded = Vec::new();
    for (metric, per_step) in [("requests_total", 300), ("failures_total", 0)] {
        let labels = [("__name__", metric), ("job", "shop"), ("instance", "a")];
        let samples = times.iter().enumerate().filter(|(_, at)| shop_up(at));
        loaded.push(Loaded::new(&labels, samples.map(|(n, at)| (*at, (n as i64 * per_step) as f64)).collect()));
    }
    for (job, sees) in [("shop", &shop_up as &dyn Fn(&i64) -> bool), ("other", &store_up)] {
        let labels = [("__name__", "up"), ("job", job), ("instance", "a")];
        loaded.push(Loaded::new(&labels, times.iter().filter(|at| sees(at)).map(|at| (*at, 1.0)).collect()));
    }
    server.write(&loaded).await;
    let folder = folder();
    let at = |millis: i64| Timestamp::from_millis(millis).to_string();
    let (from, to, url) = (at(zero), at(zero + 5 * HOUR), server.url());
    let asked = ["backtest", "shop.yaml", "shop/outage", "--prometheus", &url, "--from", &from, "--to", &to];
    let said = slo(folder.path(), &[&asked[..], &["--format", "json"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let said: Value = serde_json::from_str(&said.out).unwrap();
    let pages = of(&said, "outage")["pages"].as_array().unwrap();
    assert_eq!(pages.len(), 1, "{pages:?}");
    assert_eq!(pages[0]["kind"], "down");
    // `G` after the last sample, and 3 min more; over with the first sample.
    let last = zero + 199 * MINUTE + 37 * SECOND;
    let fired = millis(&pages[0]["fired_at"]);
    assert!((last + 8 * MINUTE..last + 9 * MINUTE).contains(&fired), "{}", pages[0]);
    assert_eq!(millis(&pages[0]["resolved_at"]), zero + 220 * MINUTE + 30 * SECOND);
    assert_eq!(said["slos"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() {
    let folder = folder();
    let dead = ["backtest", "shop.yaml", "--prometheus", "http://127.0.0.1:1"];
    let said = slo(folder.path(), &dead).await;
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("127.0.0.1:1"), "{}", said.err);
    for (arguments, part) in [
        (&["shop.yaml", "--from", "now", "--to", "-1d"][..], "is not before"),
        (&["shop.yaml", "shop/other"], "`shop/other`"),
        (&["shop.yaml", "--from", "yesterday"], "yesterday"),
        (&["shop.yaml", "--policy", "none-such"], "there is no policy `none-such`"),
        (&["shop.yaml", "--against-alerts", "rate(x[5m])"], "is not a selector"),
        (&["shop.yaml", "--fail-under", "recall=90%"], "unexpected argument"),
    ] {
        let said = slo(folder.path(), &[&["backtest", "--prometheus", "http://127.0.0.1:1"], arguments].concat()).await;
        assert_eq!((said.code, said.err.contains(part)), (2, true), "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "");
    }
}
