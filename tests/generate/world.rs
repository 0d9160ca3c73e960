//! A month of counters that are scraped regularly, and stores that hold it.
//!
//! Counters begin far from zero, have no reset and no gap: there Prometheus' `increase` and the engine count the same.
//! (Where they differ: a first value of a new series, which Prometheus does not count; samples that jitter, which it
//! stretches by guess; gaps, which it does not see.)

use std::collections::BTreeMap;
use std::process::Command;

use slo::clock::Clock;
use slo::units::{Labels, Length, Timestamp};
use tempfile::TempDir;

use crate::kit::remote_write::{Loaded, write_request};
use crate::kit::{Process, body, find, free_port, http, local, wait_until_ready};

/// Distance of the samples, s.
pub const EVERY: i64 = 60;
/// They come so many seconds after the minute: between slice ends, so that Prometheus 2, whose ranges are closed at both
/// ends, counts none of them twice.
const OFFSET: i64 = 7;
/// How long they are there, s.
const REACH: i64 = 30 * 86_400 + 3 * 3_600;

/// The SLO files.
pub const SLOS: &str = r#"
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: plain
    objective: 99.9%
    alive: none
    sli: {events: {bad: 'requests_total{job="shop",code=~"5.."}', total: 'requests_total{job="shop"}'}}
  - name: day
    objective: 99.5%
    window: 1d
    alive: none
    sli: {events: {bad: 'requests_total{job="shop",code=~"5.."}', total: 'requests_total{job="shop"}'}}
  - name: grouped
    objective: 99.9%
    by: [region]
    overrides: [{match: {region: us}, objective: 95%}, {match: {region: ap}, objective: 90%}]
    alive: none
    sli: {events: {bad: 'searches_total{outcome="failed"}', total: searches_total}}
    alerting: {policy: every}
  - name: latency
    objective: 99%
    window: 28d
    alive: none
    sli: {latency: {histogram: 'wait_seconds{job="shop"}', below: 250ms, good: 'code!~"5.."'}}
  - name: pushed
    objective: 99%
    alive: none
    sli:
      events:
        bad: sum(rate(settle_errors_total[$window])) - sum(rate(settle_retried_total[$window]))
        total: sum(rate(settle_calls_total[$window]))   # all of them
  - name: counted
    objective: 99%
    window: 7d
    alive: none
    sli:
      events:
        bad: sum(increase(settle_errors_total[$window]))
        total: sum(increase(settle_calls_total[$window]))
---
version: policy/v1
policies:
  - name: every
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 5m}, min_bad: 3}
      - {severity: page, sli_below: {target: 99.8%, over: 2h}, min_total: 10}
      - {severity: ticket, burn: {factor: 1, over: 3d}}
      - {severity: ticket, budget_left: {below: 99.9%}, min_bad: 2}
      - {severity: notice, budget_drop: {drop: 0.1%, over: 1d}, min_total: 20}
      - {severity: notice, no_traffic: {over: 1h}}
"#;

/// SLOs that are weighted by time.
pub const TIMED: &str = r#"
version: slo/v1
service: queue
owner: web
links: {runbook: https://wiki.example/queue}
defaults: {window: 7d}
slos:
  - name: depth
    objective: 99%
    by: [shard]
    alive: none
    sli: {gauge: {query: max by (shard) (queue_depth), below: 40}}
  - name: probe
    objective: 99%
    alive: none
    sli: {probe: 'probe_success{job="blackbox"}'}
  - name: share
    objective: 90%
    alive: none
    sli: {ratio: 'sum(rate(requests_total{job="shop",code=~"5.."}[4m])) / sum(rate(requests_total{job="shop"}[4m]))'}
"#;

/// The configuration.
pub const CONFIG: &str = "version: config/v1\nsources:\n  prometheus: {type: prometheus, interval: 1m}\n";

/// Everything that there is.
pub struct World {
    /// A full hour: the newest.
    pub end: Timestamp,
    /// Its series, with the metric's name among the labels.
    pub series: Vec<(Labels, Vec<(i64, f64)>)>,
}

/// What happens in a minute, which is given by its number before the end.
type PerMinute = fn(i64) -> i64;

const COUNTERS: [(&[(&str, &str)], PerMinute); 17] = [
    (&[("__name__", "requests_total"), ("instance", "a"), ("code", "200")], |m| 40 + m % 7 + m / 60 % 5),
    (&[("__name__", "requests_total"), ("instance", "b"), ("code", "200")], |m| 20 + m % 3),
    (&[("__name__", "requests_total"), ("instance", "a"), ("code", "500")], |m| {
        if m < 70 { 30 } else { i64::from(m % 50 == 0) }
    }),
    (&[("__name__", "requests_total"), ("instance", "b"), ("code", "503")], |m| 2 * i64::from(m % 977 == 0)),
    (&[("__name__", "searches_total"), ("region", "eu"), ("outcome", "ok")], |m| 10 + m % 3),
    (&[("__name__", "searches_total"), ("region", "eu"), ("outcome", "failed")], |m| i64::from(m % 211 == 0)),
    // No traffic of late, and no series of failures at all.
    (&[("__name__", "searches_total"), ("region", "us"), ("outcome", "ok")], |m| if m < 190 { 0 } else { 5 + m % 2 }),
    (&[("__name__", "searches_total"), ("region", "ap"), ("outcome", "ok")], |_| 3),
    (&[("__name__", "searches_total"), ("region", "ap"), ("outcome", "failed")], |m| i64::from(m % 4 == 0)),
    (&[("__name__", "wait_seconds_bucket"), ("code", "200"), ("le", "0.25")], |m| {
        30 + m % 11 - 3 * i64::from(m % 13 == 0)
    }),
    (&[("__name__", "wait_seconds_bucket"), ("code", "200"), ("le", "+Inf")], |m| 30 + m % 11),
    (&[("__name__", "wait_seconds_count"), ("code", "200")], |m| 30 + m % 11),
    (&[("__name__", "wait_seconds_bucket"), ("code", "500"), ("le", "0.25")], |m| i64::from(m % 17 == 0)),
    (&[("__name__", "wait_seconds_count"), ("code", "500")], |m| i64::from(m % 17 == 0)),
    (&[("__name__", "settle_calls_total")], |m| 25 + m % 4),
    (&[("__name__", "settle_errors_total")], |m| if m % 40 == 0 { 4 } else { i64::from(m < 100) }),
    (&[("__name__", "settle_retried_total")], |m| i64::from(m % 80 == 0)),
];

const GAUGES: [(&[(&str, &str)], PerMinute); 4] = [
    (&[("__name__", "queue_depth"), ("shard", "0")], |m| 25 + m % 19),
    (&[("__name__", "queue_depth"), ("shard", "1")], |m| if m < 300 { 41 } else { m % 40 }),
    (&[("__name__", "probe_success"), ("job", "blackbox"), ("instance", "x")], |m| i64::from(m % 31 != 0)),
    (&[("__name__", "probe_success"), ("job", "blackbox"), ("instance", "y")], |m| i64::from(m > 20)),
];

impl World {
    /// Up to a full hour, lately.
    pub fn new() -> Self {
        let hour = Length::from_hours(1);
        let mut end = Clock::system().now().floor_to(hour);
        // VictoriaMetrics does not find what was written for midnight alone when it is asked at midnight: the index of its
        // days ends before. In life the next evaluation does.
        while [end, end - hour].iter().any(|at| at.floor_to(Length::from_days(1)) == *at) {
            end = end - hour;
        }
        let mut series = Vec::new();
        for (labels, per_minute) in COUNTERS {
            let mut value = 1_000_000;
            let samples = times(end).map(|(at, minute)| {
                value += per_minute(minute);
                (at, whole(value))
            });
            series.push((labels_of(labels), samples.collect()));
        }
        for (labels, value) in GAUGES {
            series.push((labels_of(labels), times(end).map(|(at, minute)| (at, whole(value(minute)))).collect()));
        }
        Self { end, series }
    }

    /// As remote write takes it.
    pub fn loaded(&self) -> Vec<Loaded> {
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        self.series
            .iter()
            .map(|(labels, samples)| Loaded {
                labels: labels.iter().map(pair).collect(),
                samples: samples.clone(),
                ..Loaded::default()
            })
            .collect()
    }
}

/// Times of the samples, ms, and their minutes before the end.
fn times(end: Timestamp) -> impl Iterator<Item = (i64, i64)> {
    let end = end.millis() / 1_000;
    (0..REACH / EVERY).map(move |index| {
        let at = end - REACH + index * EVERY + OFFSET;
        (at * 1_000, (end - at) / EVERY)
    })
}

#[expect(clippy::cast_precision_loss, reason = "small")]
fn whole(value: i64) -> f64 {
    value as f64
}

fn labels_of(labels: &[(&str, &str)]) -> Labels {
    let named: BTreeMap<&str, &str> = [("job", "shop")].into_iter().chain(labels.iter().copied()).collect();
    named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A store that answers PromQL.
pub struct Store {
    url: String,
    /// Has to be told to show what was written.
    flushes: bool,
}

/// One series of an answer: labels, and time (s) with value.
pub type Answer = Vec<(Labels, Vec<(Timestamp, f64)>)>;

impl Store {
    /// A Prometheus.
    pub fn prometheus(url: String) -> Self {
        Self { url, flushes: false }
    }

    /// Writes series.
    pub async fn write(&self, series: &[Loaded]) {
        for request in write_request(series) {
            let sent = http()
                .post(format!("{}/api/v1/write", self.url))
                .header("content-type", "application/x-protobuf")
                .header("content-encoding", "snappy")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .body(request);
            let (status, text) = body(sent.send().await.unwrap()).await;
            assert_eq!(status, 204, "{text}");
        }
        if self.flushes {
            let (status, text) =
                body(http().get(format!("{}/internal/force_flush", self.url)).send().await.unwrap()).await;
            assert_eq!(status, 200, "{text}");
        }
    }

    /// Evaluates at multiples of `step` from `from` on, up to `to`.
    pub async fn range(&self, promql: &str, from: Timestamp, to: Timestamp, step: Length) -> Answer {
        let mut answer: BTreeMap<Labels, Vec<(Timestamp, f64)>> = BTreeMap::new();
        let mut from = from;
        while from <= to {
            // Stores give at most 11,000 points at once.
            let until = to.min(from + step * 10_000);
            for (labels, points) in self.ask(promql, from, until, step).await {
                answer.entry(labels).or_default().extend(points);
            }
            from = until + step;
        }
        answer.into_iter().collect()
    }

    /// Evaluates once.
    pub async fn at(&self, promql: &str, at: Timestamp) -> Answer {
        self.ask(promql, at, at, Length::from_seconds(30)).await
    }

    async fn ask(&self, promql: &str, from: Timestamp, to: Timestamp, step: Length) -> Answer {
        let seconds = |at: Timestamp| (at.millis() / 1_000).to_string();
        let form = [
            ("query", promql.to_owned()),
            ("start", seconds(from)),
            ("end", seconds(to)),
            ("step", (step.millis() / 1_000).to_string()),
            ("nocache", "1".to_owned()),
        ];
        let sent = http().post(format!("{}/api/v1/query_range", self.url)).form(&form).send().await.unwrap();
        let (status, text) = body(sent).await;
        assert_eq!(status, 200, "{promql}: {text}");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let series = answer["data"]["result"].as_array().unwrap().iter().map(|series| {
            let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).unwrap();
            let points = series["values"].as_array().unwrap().iter().map(|point| {
                let at = Timestamp::from_seconds_f64(point[0].as_f64().unwrap());
                (at, point[1].as_str().unwrap().parse().unwrap())
            });
            (labels.into_iter().collect(), points.collect())
        });
        series.collect()
    }
}

/// A real VictoriaMetrics.
pub struct VictoriaMetrics {
    _process: Process,
    _folder: TempDir,
    /// To be asked.
    pub store: Store,
}

impl VictoriaMetrics {
    /// Starts it; `None` where it is not installed.
    pub async fn start() -> Option<Self> {
        let binary = find("victoria-metrics")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(binary);
        command.arg("-storageDataPath=data").arg("-retentionPeriod=3").arg(format!("-httpListenAddr={}", local(port)));
        let process = Process::start(command, folder.path());
        let url = format!("http://{}", local(port));
        wait_until_ready(&format!("{url}/health")).await;
        Some(Self { _process: process, _folder: folder, store: Store { url, flushes: true } })
    }
}
