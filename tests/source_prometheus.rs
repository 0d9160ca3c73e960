//! The `prometheus` source against a real Prometheus: raw samples, evaluations, history three ways.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod kit;

use std::collections::BTreeMap;
use std::sync::Arc;

use slo::clock::Clock;
use slo::config::meant::{Flavour, HistoryMode, SourceConfig, SourceKind};
use slo::engine::definition::Definition;
use slo::engine::observation::{History, Roles, Sample, SeriesHistory, SeriesSamples};
use slo::engine::state::SloState;
use slo::engine::verdict::{HourBucket, WindowFigures};
use slo::secret::Secrets;
use slo::source::{HistoryPath, HistorySink, Newborn, Source, Stretch, build};
use slo::spec::meant::Numerator;
use slo::spec::policy::AlertSeverity;
use slo::spec::selector::{Matcher, Operation, Selector};
use slo::telemetry::Telemetry;
use slo::units::{Labels, Length, SloId, Step, Timestamp};

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::{Loaded, STALE};

const GAP: Length = Length::from_minutes(5);
const HOUR: Length = Length::from_hours(1);

fn config(urls: &[String], history: HistoryMode) -> SourceConfig {
    SourceConfig {
        kind: SourceKind::Prometheus { flavour: Flavour::Prometheus, urls: urls.to_vec(), history },
        delay: Length::from_seconds(15),
        timeout: Length::from_seconds(30),
        concurrency: 1,
        interval: Length::from_seconds(30),
        gap: GAP,
        lateness: GAP,
        headers: BTreeMap::new(),
        auth: None,
        alert_after: GAP,
        alert_severity: AlertSeverity::Page,
    }
}

fn source(server: &Prometheus, history: HistoryMode) -> Arc<dyn Source> {
    let secrets = Arc::new(Secrets::new(|_| None));
    build("prometheus", &config(&[server.url()], history), &secrets, &Telemetry::default()).unwrap()
}

fn selector(metric: &str, matchers: &[(&str, Operation, &str)]) -> Selector {
    let matchers = matchers.iter().map(|(name, op, value)| Matcher::new(name, *op, value).unwrap()).collect();
    Selector { metric: metric.to_owned(), matchers, bucket: None }
}

fn now() -> Timestamp {
    Clock::system().now()
}

type Woven = (Vec<Sample>, Vec<(Timestamp, Timestamp)>);

/// Takes everything that a history gives.
#[derive(Default)]
struct Collected {
    series: BTreeMap<Labels, Woven>,
}

impl HistorySink for Collected {
    fn series(&mut self, labels: Arc<Labels>, samples: Vec<Sample>, continuous: Vec<(Timestamp, Timestamp)>) {
        assert!(samples.is_sorted_by(|a, b| a.at < b.at), "{labels}");
        assert!(self.series.insert((*labels).clone(), (samples, continuous)).is_none(), "{labels} comes twice");
    }
}

/// A counter that grows by a number that differs from sample to sample, from `begin` to `end` (s), with resets.
fn counter(labels: &[(&str, &str)], (begin, end, step): (i64, i64, i64), resets: &[i64]) -> Loaded {
    let mut value = 1_000.0;
    let mut samples = Vec::new();
    let mut at = begin;
    while at <= end {
        if resets.contains(&at) {
            value = 3.0;
        }
        value += ((at / 7) % 11) as f64;
        samples.push((at * 1_000, value));
        at += step;
    }
    Loaded::new(labels, samples)
}

fn without(mut series: Loaded, from: i64, to: i64) -> Loaded {
    series.samples.retain(|(at, _)| *at <= from * 1_000 || *at > to * 1_000);
    series
}

/// What the engine may make of samples: increase by bucket, gaps, first and last time.
#[derive(Debug, PartialEq)]
struct Meaning {
    increases: BTreeMap<Timestamp, f64>,
    gaps: Vec<(Timestamp, Timestamp)>,
    first: Timestamp,
    last: Timestamp,
}

fn meaning((samples, continuous): &Woven, fine_after: Timestamp) -> Meaning {
    let bucket = |at: Timestamp| {
        let hour = at.ceil_to(HOUR);
        if hour <= fine_after.floor_to(HOUR) { hour } else { at.ceil_to(Length::from_minutes(5)) }
    };
    let mut meaning = Meaning {
        increases: BTreeMap::new(),
        gaps: Vec::new(),
        first: samples[0].at,
        last: samples[samples.len() - 1].at,
    };
    for pair in samples.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let increase = if b.value < a.value { b.value } else { b.value - a.value };
        *meaning.increases.entry(bucket(b.at)).or_default() += increase;
        let inside = continuous.iter().any(|(from, to)| a.at >= *from && b.at <= *to);
        assert!(!inside || b.value >= a.value, "a reset within a continuous stretch at {}", b.at);
        if !inside && b.at.since(a.at) > GAP {
            meaning.gaps.push((a.at, b.at));
        }
    }
    meaning.increases.retain(|_, increase| *increase > 0.0);
    meaning
}

#[tokio::test]
async fn raw_samples_have_no_external_labels_and_a_range_open_on_the_left() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "eu1")])).await else { return };
    let base = now().floor_to(Length::from_minutes(1)) - Length::from_minutes(10);
    let at = |seconds: i64| base.millis() + seconds * 1_000;
    let samples = vec![(at(0), 1.0), (at(30), 2.0), (at(60), -1.0), (at(90), f64::INFINITY), (at(120), 4.0)];
    server.write(&[Loaded::new(&[("__name__", "r_total"), ("job", "a"), ("q", "x\"y\\z")], samples)]).await;
    let source = source(&server, HistoryMode::Auto);
    let wanted = selector("r_total", &[("q", Operation::Equal, "x\"y\\z")]);
    let (from, to) = (Timestamp::from_millis(at(0)), Timestamp::from_millis(at(120)));
    let answer = source.samples(&wanted, from, to).await.unwrap();
    assert_eq!(answer.series.len(), 1);
    assert_eq!(*answer.series[0].labels, Labels::from([("__name__", "r_total"), ("job", "a"), ("q", "x\"y\\z")]));
    let held: Vec<(i64, f64)> = answer.series[0].samples.iter().map(|s| (s.at.millis(), s.value)).collect();
    assert_eq!(held, [(at(30), 2.0), (at(120), 4.0)]);
    assert_eq!((answer.refused.negative, answer.refused.infinite, answer.refused.nan), (1, 1, 0));
    let skew = answer.clock.unwrap().since(now()).max(now().since(answer.clock.unwrap()));
    assert!(skew <= Length::from_seconds(2), "{skew}");
    assert_eq!(answer.replica.as_deref(), Some(format!("{}/", server.url()).as_str()));
}

#[tokio::test]
async fn evaluations_are_chunked_and_errors_carry_the_servers_words() {
    let Some(server) = Prometheus::start(&Options::default()).await else { return };
    let source = source(&server, HistoryMode::Auto);
    let to = Timestamp::from_seconds(1_790_000_000);
    let step = Length::from_seconds(30);
    let values = source.evaluate("vector(7)", to - step * 25_000, to, step).await.unwrap();
    assert_eq!(values.len(), 1);
    assert_eq!(values[0].points.len(), 25_001);
    assert!(values[0].points.windows(2).all(|pair| pair[1].0.since(pair[0].0) == step));
    let instant = source.evaluate("vector(0) / vector(0)", to, to, step).await.unwrap();
    assert!(instant[0].points[0].1.is_nan());
    assert_eq!(source.evaluate("1 + 1", to, to, step).await.unwrap()[0].points, [(to, 2.0)]);
    let error = source.evaluate("sum(x", to, to, step).await.unwrap_err();
    assert_eq!(error.kind, slo::source::SourceErrorKind::Rejected);
    assert!(error.problem.contains("unclosed left parenthesis"), "{error}");
    assert!(error.doing.contains(&server.url()) && error.doing.contains("`sum(x`"), "{error}");
}

/// Six days of series with everything that may happen to a counter, in hours that are read by the hour and in hours
/// that are read by 5 min.
fn eventful(base: i64) -> Vec<Loaded> {
    let end = base + 144 * 3_600;
    let h = |hours: i64| base + hours * 3_600;
    let target = |name: &'static str, instance: &'static str, code: &'static str| {
        [("__name__", name), ("job", "shop"), ("instance", instance), ("code", code)]
    };
    let steady = counter(&target("r_total", "a:80", "200"), (base + 7, end, 30), &[]);
    // Aligned on the hour, with a reset exactly on it.
    let aligned =
        counter(&target("r_total", "b:80", "200"), (base, end, 30), &[h(9), h(20) + 600, h(100), h(110) + 300]);
    let sparse = counter(&target("r_total", "c:80", "200"), (base + 13, end, 60), &[]);
    let mut stale = counter(&target("r_total", "a:80", "500"), (h(5) + 607, h(5) + 1_507, 30), &[]);
    stale.samples.push(((h(5) + 1_537) * 1_000, STALE));
    let all = vec![
        without(
            without(without(steady, h(12) - 200, h(12) + 300), h(30) + 1_000, h(30) + 2_800),
            h(90) + 500,
            h(90) + 2_300,
        ),
        without(without(aligned, h(40) - 1_900, h(40) + 1_900), h(120) - 170, h(120) + 170),
        without(without(sparse, h(33) + 100, h(33) + 700), h(113) - 20, h(113) + 301),
        stale,
        // Born within an hour, died in another, in the newest hours too.
        counter(&target("r_total", "b:80", "503"), (h(14) + 1_000, h(17) + 100, 30), &[]),
        counter(&target("r_total", "a:80", "502"), (h(88) + 1_007, h(97) + 107, 30), &[]),
        counter(&target("r_total", "c:80", "500"), (h(142) + 913, end, 60), &[]),
        counter(&target("failed_total", "a:80", ""), (h(21) + 7, end, 30), &[h(22) + 7]),
        // Its own label has the value of the external one: it is kept.
        counter(
            &[("__name__", "r_total"), ("job", "shop"), ("instance", "e:80"), ("cluster", "eu1")],
            (base + 20, end, 30),
            &[],
        ),
        counter(&[("__name__", "r_total"), ("code", "200")], (base + 20, end, 30), &[h(8)]),
    ];
    // Two outages of Prometheus, one of them across the full hour.
    let outage = |series| without(without(series, h(26) - 900, h(26) + 900), h(105) + 100, h(105) + 1_900);
    all.into_iter().map(outage).collect()
}

/// What the engine makes of a history: every hour, and windows of every resolution.
fn figures(series: &BTreeMap<Labels, Woven>, stretch: &Stretch) -> (Vec<HourBucket>, Vec<WindowFigures>) {
    let definition = Definition {
        id: SloId::new("shop", "availability"),
        budget: 0.001,
        window: Length::from_days(7),
        by: Vec::new(),
        numerator: Numerator::Bad,
        pushdown: None,
        time_weighted: false,
        absent_is_bad: false,
        overrides: Vec::new(),
        slice: Step::DEFAULT,
        gap: GAP,
        alive: false,
        instances_limit: 10,
        tiers: Vec::new(),
    };
    let past = |(labels, (samples, continuous)): (&Labels, &Woven)| {
        let total = labels.get("__name__") == Some("r_total");
        let failed = labels.get("code").is_some_and(|code| code.starts_with('5'));
        SeriesHistory {
            series: SeriesSamples {
                labels: Arc::new(labels.clone()),
                fingerprint: labels.fingerprint(),
                roles: Roles { events: !total || failed, total, alive: false },
                samples: samples.clone().into(),
            },
            continuous: continuous.clone(),
        }
    };
    let series = series.iter().map(past).collect();
    let mut state = SloState::new(Arc::new(definition));
    state.prepend(&History { from: stretch.from, to: stretch.to, series, ..History::default() });
    let hours = state.take_finished_hours().into_iter().map(|(_, hour)| hour).collect();
    let instance = state.instance(&Labels::new()).unwrap();
    let minutes = [5, 30, 60, 180, 360, 720, 1_440, 4_320, 5_760, 7_200];
    (hours, minutes.map(|minutes| instance.window(Length::from_minutes(minutes))).to_vec())
}

#[tokio::test]
async fn remote_read_queries_and_raw_json_tell_the_same() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "eu1"), ("replica", "0")])).await else {
        return;
    };
    let end = now().floor_to(HOUR);
    let from = end - Length::from_hours(144);
    let loaded = eventful(from.millis() / 1_000);
    server.write(&loaded).await;
    let total = selector("r_total", &[("code", Operation::NotEqual, "404")]);
    let failed = selector("failed_total", &[]);
    let selectors = [&total, &failed];
    let stretch = Stretch {
        from: from + Length::from_millis(90_000),
        to: end - Length::from_millis(45_000),
        gap: GAP,
        fine_after: end - Length::from_hours(98),
        raw_after: end - Length::from_hours(7),
    };
    let mut by_chunks = Collected::default();
    let path = source(&server, HistoryMode::Auto).history(&selectors, &stretch, &mut by_chunks).await.unwrap();
    assert_eq!(path, HistoryPath::RemoteRead);
    let mut by_queries = Collected::default();
    let path = source(&server, HistoryMode::Query).history(&selectors, &stretch, &mut by_queries).await.unwrap();
    assert_eq!(path, HistoryPath::Queries);
    let mut raw: BTreeMap<Labels, Woven> = BTreeMap::new();
    for selector in selectors {
        let answer = source(&server, HistoryMode::Auto).samples(selector, stretch.from, stretch.to).await.unwrap();
        for series in answer.series {
            raw.insert((*series.labels).clone(), (series.samples.to_vec(), Vec::new()));
        }
    }
    assert_eq!(raw.len(), 10, "{:?}", raw.keys());
    assert_eq!(by_chunks.series, raw, "remote read gives what the query API gives, label for label");
    assert_eq!(by_queries.series.keys().collect::<Vec<_>>(), raw.keys().collect::<Vec<_>>());
    let (mut given, mut true_ones) = (0, 0);
    for (labels, truth) in &raw {
        let woven = &by_queries.series[labels];
        assert_eq!(meaning(woven, stretch.fine_after), meaning(truth, stretch.fine_after), "{labels}");
        given += woven.0.len();
        true_ones += truth.0.len();
    }
    assert!(given * 2 < true_ones, "{given} of {true_ones} samples: the queries saved little");
    let (hours, windows) = figures(&by_queries.series, &stretch);
    let (true_hours, true_windows) = figures(&by_chunks.series, &stretch);
    assert!(true_hours.len() > 140 && true_hours.iter().any(|hour| hour.measured < HOUR));
    for (hour, truth) in hours.iter().zip(&true_hours) {
        assert_eq!(hour, truth, "the hour that ends at {}", truth.end);
    }
    assert_eq!(hours.len(), true_hours.len());
    assert_eq!(windows, true_windows);
}

#[tokio::test]
async fn a_large_history_comes_in_many_frames() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "eu1")])).await else { return };
    let end = now().floor_to(HOUR);
    let (from, seconds) = (end - Length::from_days(3), end.millis() / 1_000);
    let names: Vec<String> = (0..12).map(|index| format!("h{index}:80")).collect();
    let loaded: Vec<Loaded> = names
        .iter()
        .map(|name| {
            let labels = [("__name__", "many_total"), ("instance", name.as_str())];
            counter(&labels, (seconds - 3 * 86_400, seconds, 15), &[seconds - 40_000])
        })
        .collect();
    server.write(&loaded).await;
    let wanted = selector("many_total", &[]);
    let stretch = Stretch { from, to: end, gap: GAP, fine_after: from, raw_after: from };
    let mut collected = Collected::default();
    let path = source(&server, HistoryMode::RemoteRead).history(&[&wanted], &stretch, &mut collected).await.unwrap();
    assert_eq!(path, HistoryPath::RemoteRead);
    assert_eq!(collected.series.len(), 12);
    for (name, loaded) in names.iter().zip(&loaded) {
        let labels = Labels::from([("__name__", "many_total"), ("instance", name.as_str())]);
        let held: Vec<(i64, f64)> =
            collected.series[&labels].0.iter().map(|sample| (sample.at.millis(), sample.value)).collect();
        assert!(held.len() == 17_280 && held[..] == loaded.samples[1..], "{name}: {} samples", held.len());
    }
}

#[tokio::test]
async fn the_oldest_sample_and_start_times_are_found() {
    let Some(server) = Prometheus::start(&Options::default()).await else { return };
    let end = now().floor_to(HOUR);
    let seconds = end.millis() / 1_000;
    let begin = seconds - 9 * 86_400 + 4_321;
    let born = seconds - 7_200;
    let target = [("job", "shop"), ("instance", "a:80")];
    let with_name = |name: &'static str| [("__name__", name), target[0], target[1]];
    let start =
        (0..100).map(|index| ((born - 1_500 + index * 30) * 1_000, if index < 50 { 5.0 } else { born as f64 - 3.5 }));
    server
        .write(&[
            counter(&with_name("r_total"), (begin, seconds, 60), &[]),
            Loaded::new(&with_name("process_start_time_seconds"), start.collect()),
        ])
        .await;
    let source = source(&server, HistoryMode::Auto);
    let wanted = selector("r_total", &[]);
    let oldest = source.oldest(&wanted, end - Length::from_days(30), end).await.unwrap();
    assert_eq!(oldest, Some(Timestamp::from_seconds(begin)));
    let later = source.oldest(&wanted, end - Length::from_days(1), end).await.unwrap().unwrap();
    assert!(later > end - Length::from_days(1) && later <= end - Length::from_days(1) + Length::from_minutes(1));
    assert_eq!(source.oldest(&selector("none", &[]), end - Length::from_days(30), end).await.unwrap(), None);
    let newborn = Newborn { labels: Arc::new(Labels::from(with_name("err_total"))), at: Timestamp::from_seconds(born) };
    let starts = source.starts(&[newborn], GAP).await.unwrap();
    assert_eq!(starts.len(), 1);
    assert_eq!(
        (starts[0].at, &starts[0].target),
        (Timestamp::from_millis(born * 1_000 - 3_500), &Labels::from(target))
    );
}

#[tokio::test]
async fn of_a_pair_the_one_that_answers_is_asked_and_named() {
    let Some(mut first) = Prometheus::start(&Options::default()).await else { return };
    let Some(second) = Prometheus::start(&Options::default()).await else { return };
    let end = now();
    let sample = vec![(end.millis(), 1.0)];
    let (labels, wanted) = ([("__name__", "r_total")], selector("r_total", &[]));
    first.write(&[Loaded::new(&labels, sample.clone())]).await;
    second.write(&[Loaded::new(&labels, sample)]).await;
    let urls = [first.url(), second.url()];
    let secrets = Arc::new(Secrets::new(|_| None));
    let source = build("pair", &config(&urls, HistoryMode::Auto), &secrets, &Telemetry::default()).unwrap();
    let ask = || async {
        let answer = source.samples(&wanted, end - GAP, end).await.unwrap();
        assert_eq!(answer.series.len(), 1);
        answer.replica.unwrap()
    };
    assert_eq!(ask().await, format!("{}/", first.url()));
    first.stop();
    assert_eq!(ask().await, format!("{}/", second.url()));
    first.resume().await;
    assert_eq!(ask().await, format!("{}/", second.url()), "it stays with the one that answers");
}
