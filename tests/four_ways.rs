//! Four ways, one truth: the same counters arrive live, by remote read, by hourly queries and after a restart against a
//! Prometheus that keeps less. All four equal the oracle in every cell, and a path that was not taken fails the test.
//!
//! The counters have resets (one of them on the hour), series born and dead within an hour, gaps over `G` and an outage
//! of 30 minutes. Remote read, queries and the restart go through the real `slo run` and a real Prometheus; live is the
//! engine, fed slice by slice.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail like tests and read whole answers"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "times and counts here are small whole numbers"
)]
#![expect(clippy::string_slice, reason = "a log is cut where it ended before")]

mod kit;
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;
mod service;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use slo::clock::Clock;
use slo::units::{Labels, Length, Timestamp};
use tempfile::TempDir;

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::{Loaded, STALE};
use oracle::exact::{count, same_count};
use oracle::ledger::{Ledger, ledger};
use oracle::window::{sums, window};
use oracle::world::{DAY, HOUR, MINUTE, SECOND, Sample, Series, Setting, World};
use service::{Slo, eventually};

/// Scrape interval of the counters, s.
const EVERY: i64 = 60;
/// How far back they reach, in hours.
const HOURS: i64 = 6 * 24;
const SLICE: i64 = 10 * SECOND;
const GAP: i64 = 5 * MINUTE;
/// The two SLOs, by name.
const SLOS: [&str; 2] = ["codes", "apart"];

/// What the counters say, and when: all of it before `last`.
struct Past {
    /// Begin, on the hour, ms.
    base: i64,
    /// The newest sample is here, ms.
    last: i64,
    loaded: Vec<Loaded>,
}

/// A counter: where it lives and when it counts.
struct Counter {
    name: &'static str,
    instance: &'static str,
    code: &'static str,
    /// Seconds after the minute.
    offset: i64,
    /// First and last time, s.
    life: (i64, i64),
    /// It begins anew at these times, s.
    resets: Vec<i64>,
    /// No samples in `(from, to]`, s.
    gaps: Vec<(i64, i64)>,
}

impl Counter {
    fn new(name: &'static str, instance: &'static str, code: &'static str, offset: i64, life: (i64, i64)) -> Self {
        Self { name, instance, code, offset, life, resets: Vec::new(), gaps: Vec::new() }
    }

    fn loaded(&self) -> Loaded {
        let labels = [("__name__", self.name), ("job", "shop"), ("instance", self.instance), ("code", self.code)];
        let begin = self.life.0.div_euclid(EVERY) * EVERY + self.offset;
        let (mut value, mut samples) = (0, Vec::new());
        for at in (begin..=self.life.1).step_by(EVERY.unsigned_abs() as usize) {
            if self.resets.iter().any(|reset| at - EVERY < *reset && *reset <= at) {
                value = 0;
            }
            // Enough, and different from minute to minute, so that no reset hides and no slip cancels another.
            value += 5 + (at / 7) % 11 + i64::from(self.code.starts_with('5'));
            if !self.gaps.iter().any(|(from, to)| *from < at && at <= *to) {
                samples.push((at * 1_000, value as f64));
            }
        }
        Loaded::new(&labels, samples)
    }
}

/// Everything that may happen to counters, up to `now`.
fn past(now: Timestamp) -> Past {
    let last = now.millis() / 1_000;
    let base = last / 3_600 * 3_600 - HOURS * 3_600;
    let h = |hours: i64| base + hours * 3_600;
    let outage = (h(100) + 1_000, h(100) + 2_800);
    let whole = (base, last);
    let mut a = Counter::new("requests_total", "a:80", "200", 7, whole);
    a.gaps = vec![outage, (h(12) - 200, h(12) + 300), (h(140), h(140) + 700)];
    // Aligned on the hour, with a reset exactly on it, and one in the newest hours.
    let mut b = Counter::new("requests_total", "b:80", "200", 0, whole);
    b.resets = vec![h(9), h(60), h(121) + 600, h(142)];
    b.gaps = vec![outage, (h(40) - 1_900, h(40) + 1_900)];
    // A restart within the outage.
    let mut c = Counter::new("requests_total", "c:80", "200", 13, whole);
    c.resets = vec![h(100) + 1_900];
    c.gaps = vec![outage, (h(33) + 100, h(33) + 700)];
    let within = Counter::new("requests_total", "a:80", "500", 7, (h(20) + 1_000, h(20) + 2_500));
    let within_late = Counter::new("requests_total", "b:80", "500", 0, (h(110) + 700, h(110) + 1_900));
    let across = Counter::new("requests_total", "b:80", "503", 0, (h(50) + 1_000, h(53) + 100));
    let newest = Counter::new("requests_total", "c:80", "500", 13, (h(141) + 900, last));
    let mut failures = Counter::new("failures_total", "a:80", "", 7, (h(30) + 600, last));
    failures.resets = vec![h(70) + 7];
    failures.gaps.clone_from(&a.gaps);
    let mut failures_b = Counter::new("failures_total", "b:80", "", 0, whole);
    failures_b.resets.clone_from(&b.resets);
    failures_b.gaps.clone_from(&b.gaps);
    let counters = [a, b, c, within, within_late, across, newest, failures, failures_b];
    let mut loaded: Vec<Loaded> = counters.iter().map(Counter::loaded).collect();
    // The one that is dead within the hour ends with a stale marker, as a scrape that succeeds without it writes one.
    let died = loaded[3].samples.last().unwrap().0;
    loaded[3].samples.push((died + EVERY * 1_000, STALE));
    Past { base: base * 1_000, last: last * 1_000, loaded }
}

impl Past {
    /// The series as the oracle sees them for one of the SLOs.
    fn world(&self, slo: &str) -> World {
        let series = self.loaded.iter().filter_map(|loaded| {
            let labels: Labels = loaded.labels.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
            let failed = labels.get("code").is_some_and(|code| code.starts_with('5'));
            let requests = labels.get("__name__") == Some("requests_total");
            let (events, total) =
                if slo == "codes" { (requests && failed, requests) } else { (!requests, requests && !failed) };
            let held = loaded.samples.iter().filter(|(_, value)| !value.is_nan());
            let samples = held.map(|&(at, value)| Sample { at, value, arrived: at }).collect();
            (events || total).then_some(Series { labels, events, total, alive: false, samples })
        });
        World { series: series.collect(), ..World::default() }
    }

    /// Only what is newer than `cut`.
    fn after(&self, cut: i64) -> Vec<Loaded> {
        let newer = |loaded: &Loaded| Loaded {
            labels: loaded.labels.clone(),
            samples: loaded.samples.iter().filter(|(at, _)| *at > cut).copied().collect(),
            ..Loaded::default()
        };
        self.loaded.iter().map(newer).filter(|loaded| !loaded.samples.is_empty()).collect()
    }
}

fn setting() -> Setting {
    Setting { slice: SLICE, gap: GAP, ..Setting::plain() }
}

/// The figures of a stretch: bad, total, measured ms.
type Cell = (f64, f64, i64);

/// The oracle's ledgers by watermark: each is worked out once.
struct Truth {
    world: World,
    setting: Setting,
    ledgers: BTreeMap<i64, Ledger>,
}

impl Truth {
    fn new(world: World) -> Self {
        Self { world, setting: setting(), ledgers: BTreeMap::new() }
    }

    fn ledger(&mut self, w: i64) -> &Ledger {
        self.ledgers.entry(w).or_insert_with(|| ledger(&self.world.known_at(w), &self.setting, &Labels::new(), w))
    }

    /// What differs in the window of `length` that ends at `to`.
    fn window(&mut self, length: i64, from: i64, to: i64, said: Cell) -> Option<String> {
        let setting = self.setting.clone();
        let true_one = window(self.ledger(to), &setting, length);
        let same = true_one.from == from
            && same_count(said.0, &true_one.bad)
            && same_count(said.1, &true_one.total)
            && said.2 == true_one.measured;
        let length = Length::from_millis(length);
        (!same).then(|| format!("window {length} ({from}, {to}]: service {said:?}, oracle {true_one:?}"))
    }

    /// What differs in the cell `(from, to]`, seen at `w`.
    fn cell(&mut self, from: i64, to: i64, w: i64, said: Cell) -> Option<String> {
        let (bad, total, measured) = sums(self.ledger(w), from, to);
        let same = same_count(said.0, &count(bad)) && same_count(said.1, &count(total)) && said.2 == measured;
        let width = Length::from_millis(to - from);
        let hour = (from - self.world.series.iter().map(|s| s.samples[0].at).min().unwrap_or(0)) / HOUR;
        (!same).then(|| {
            format!(
                "cell of {width} to {} (about hour {hour}): service {said:?}, oracle {:?}",
                Timestamp::from_millis(to),
                (oracle::exact::float(&count(bad)), oracle::exact::float(&count(total)), measured)
            )
        })
    }
}

/// The windows compared: the bars of the product, and some that nobody configures.
const LENGTHS: [i64; 14] = [
    5 * MINUTE,
    37 * MINUTE,
    HOUR,
    6 * HOUR,
    6 * HOUR + 10 * MINUTE,
    20 * HOUR,
    DAY,
    3 * DAY,
    3 * DAY + 7 * HOUR + 20 * MINUTE,
    4 * DAY,
    4 * DAY + HOUR,
    5 * DAY,
    7 * DAY,
    30 * DAY,
];

fn millis(value: &Value) -> i64 {
    value.as_str().unwrap().parse::<Timestamp>().unwrap().millis()
}

fn figures(value: &Value) -> Cell {
    let seconds = value["measured_seconds"].as_f64().unwrap();
    (value["bad"].as_f64().unwrap(), value["total"].as_f64().unwrap(), (seconds * 1_000.0).round() as i64)
}

/// Compares what the running service says of an SLO with the oracle. `whole_after`: older than this, only hours are
/// held, so shorter cells and boundaries within an hour are left out.
async fn compare(way: &str, slo: &Slo, name: &str, past: &Past, whole_after: i64) {
    let mut truth = Truth::new(past.world(name));
    let mut differences = Vec::new();
    let mut w = 0;
    let mut windows = 0;
    for length in LENGTHS {
        let over = Length::from_millis(length);
        let said = slo.json(&format!("/api/v1/slos/shop/{name}/window?over={over}")).await.unwrap();
        let (from, to) = (millis(&said["from"]), millis(&said["to"]));
        w = to;
        assert!(length < DAY || figures(&said).0 > 100.0, "{way} {name}: hardly a failure in {over}: {said}");
        if from >= whole_after || from % HOUR == 0 {
            windows += 1;
            differences.extend(truth.window(length, from, to, figures(&said)));
        }
    }
    assert!(windows > LENGTHS.len() / 2, "{way}: {windows} windows compared");
    // The newest minutes are measured provisionally, so they depend on the watermark; windows have them.
    let settled = (past.last - 2 * GAP).div_euclid(HOUR) * HOUR;
    let plots =
        [(past.base, settled, HOUR), (settled - 72 * HOUR, settled, 5 * MINUTE), (settled - 4 * HOUR, settled, SLICE)];
    for (from, to, step) in plots {
        let from = if step == HOUR { from } else { from.max(whole_after) };
        let points = (to - from) / step;
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        let asked = format!("/api/v1/slos/shop/{name}/series?from={from}&to={to}&points={points}");
        let said = slo.json(&asked).await.unwrap();
        assert_eq!(said["step_seconds"].as_f64().unwrap() as i64, step / 1_000, "{way} {name}");
        let cells = said["points"].as_array().unwrap();
        assert_eq!(cells.len() as i64, points, "{way} {name}: cells of {step} ms");
        for cell in cells {
            let at = millis(&cell["at"]);
            differences.extend(truth.cell(at - step, at, w, figures(cell)));
        }
    }
    assert!(differences.is_empty(), "{way}, `{name}`: {} differ:\n{}", differences.len(), first(&differences));
}

fn first(differences: &[String]) -> String {
    differences.iter().take(12).cloned().collect::<Vec<_>>().join("\n")
}

/// A folder in which `slo run` can start.
fn folder(port: u16, url: &str, history: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("slos")).unwrap();
    fs::write(
        folder.path().join("slos/shop.yaml"),
        "version: slo/v1\nservice: shop\ndefaults: {source: prometheus, window: 30d}\nslos:\n\
         - {name: codes, objective: 99%, alive: none, sli: {events: {bad: 'requests_total{job=\"shop\",code=~\"5..\"}', total: 'requests_total{job=\"shop\"}'}}}\n\
         - {name: apart, objective: 99%, alive: none, sli: {events: {bad: 'failures_total{job=\"shop\"}', total: 'requests_total{job=\"shop\",code=\"200\"}'}}}\n",
    )
    .unwrap();
    configure(folder.path(), port, url, history);
    folder
}

fn configure(folder: &Path, port: u16, url: &str, history: &str) {
    fs::write(
        folder.join("slo.yaml"),
        format!(
            "version: config/v1\nslice: 10s\n\
             sources: {{prometheus: {{type: prometheus, urls: ['{url}'], delay: 2s, interval: 60s, gap: 5m, lateness: 5m, history: {history}}}}}\n\
             sinks: {{out: {{type: stdout}}}}\nroutes: [{{match: {{}}, to: [out]}}]\n\
             storage: {{path: slo.db}}\nserver: {{listen: '127.0.0.1:{port}'}}\n"
        ),
    )
    .unwrap();
}

/// Waits until the whole period of every SLO is there; gives the watermark then.
async fn filled(slo: &Slo) -> i64 {
    slo.ready().await;
    eventually("the whole period", 180, || async {
        let mut as_of = 0;
        for name in SLOS {
            let detail = slo.json(&format!("/api/v1/slos/shop/{name}")).await?;
            if detail["backfilled_ratio"].as_f64() != Some(1.0) {
                return Err(format!("{name}: {}; {}", detail["backfilled_ratio"], service::tail(&slo.log())));
            }
            as_of = millis(&detail["as_of"]);
        }
        Ok(as_of)
    })
    .await
}

/// Which paths the log names, each once.
fn paths(log: &str) -> Vec<&'static str> {
    let read: Vec<&str> = log.lines().filter(|line| line.contains("history read")).collect();
    ["remote_read", "queries"].into_iter().filter(|path| read.iter().any(|line| line.contains(path))).collect()
}

#[tokio::test]
async fn remote_read_queries_and_a_restart_equal_the_oracle_in_every_cell() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "eu1"), ("replica", "0")])).await else {
        return;
    };
    let past = past(Clock::system().now());
    server.write(&past.loaded).await;

    let port = service::free_port();
    let read = folder(port, &server.url(), "remote_read");
    let mut by_chunks = Slo::new(read.path(), port);
    by_chunks.start();
    let complete = filled(&by_chunks).await;
    assert_eq!(paths(&by_chunks.log()), ["remote_read"]);
    for name in SLOS {
        compare("remote read", &by_chunks, name, &past, past.base).await;
    }

    let other = service::free_port();
    let queried = folder(other, &server.url(), "query");
    let mut by_queries = Slo::new(queried.path(), other);
    by_queries.start();
    filled(&by_queries).await;
    assert_eq!(paths(&by_queries.log()), ["queries"]);
    for name in SLOS {
        compare("queries", &by_queries, name, &past, past.base).await;
    }
    assert_eq!(by_queries.stop().await, Some(0));

    // The hours of the period are written with the ticks that follow.
    eventually("two more slices", 60, || async {
        let as_of = millis(&by_chunks.json("/api/v1/slos/shop/codes").await?["as_of"]);
        if as_of >= complete + 2 * SLICE { Ok(()) } else { Err(format!("at {as_of}")) }
    })
    .await;
    assert_eq!(by_chunks.stop().await, Some(0));
    drop(server);

    // What the other Prometheus keeps begins within an hour of yesterday; the first hour that it has whole is its own.
    let kept = past.last.div_euclid(HOUR) * HOUR - 26 * HOUR;
    let cut = kept - 37 * MINUTE;
    let Some(short) = Prometheus::start(&Options::external(&[("cluster", "eu2")])).await else { return };
    short.write(&past.after(cut)).await;
    configure(read.path(), port, &short.url(), "remote_read");
    let before = by_chunks.log().len();
    let mut restarted = by_chunks;
    restarted.start();
    filled(&restarted).await;
    assert_eq!(paths(&restarted.log()[before..]), ["remote_read"]);
    for name in SLOS {
        compare("a restart on the store", &restarted, name, &past, kept).await;
    }
    assert_eq!(restarted.stop().await, Some(0));
}

#[test]
fn living_through_it_slice_by_slice_equals_the_oracle_in_every_cell() {
    let past = past(Clock::system().now());
    let setting = setting();
    for name in SLOS {
        let world = past.world(name);
        let mut truth = Truth::new(world.clone());
        let mut state = oracle::drive::engine(&setting);
        let w = past.last.div_euclid(SLICE) * SLICE + SLICE;
        for end in ((past.base + SLICE)..=w).step_by(SLICE.unsigned_abs() as usize) {
            oracle::drive::tick(&mut state, &world, &setting, &[end], |_, _, _| Ok(())).unwrap();
        }
        oracle::compare::compare(&state, &world.known_at(w), &setting, w, &LENGTHS).unwrap();
        let instance = state.instance(&Labels::new()).unwrap();
        let settled = (past.last - 2 * GAP).div_euclid(HOUR) * HOUR;
        let plots = [(past.base, HOUR), (settled - 72 * HOUR, 5 * MINUTE), (settled - 4 * HOUR, SLICE)];
        let mut differences = Vec::new();
        for (from, step) in plots {
            let points = usize::try_from((settled - from) / step).unwrap();
            let cells = instance.points(Timestamp::from_millis(from), Timestamp::from_millis(settled), points);
            assert_eq!(cells.len(), points, "cells of {step} ms");
            for cell in cells {
                let at = cell.at.millis();
                let said = (cell.bad, cell.total, cell.measured.millis());
                differences.extend(truth.cell(at - step, at, w, said));
            }
        }
        assert!(differences.is_empty(), "live, `{name}`: {} differ:\n{}", differences.len(), first(&differences));
    }
}
