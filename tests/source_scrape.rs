//! The `scrape` source beside a real Prometheus that scrapes the same pages: the same series, the same values. And a whole
//! service whose only target dies: what fires stays, the source says that it is down, and both end with its return.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "answers of our own server, on loopback, are read whole")]

mod kit;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::collections::BTreeMap;
use std::sync::Arc;

use slo::clock::Clock;
use slo::config::meant::{SourceConfig, SourceKind};
use slo::secret::Secrets;
use slo::source::SourceErrorKind::{self, Malformed, Rejected, Unreachable};
use slo::source::{Source, build};
use slo::spec::policy::AlertSeverity;
use slo::spec::selector::Selector;
use slo::telemetry::Telemetry;
use slo::units::{Labels, Length, Timestamp};

use kit::fault::{Fault, Reply, answer};
use kit::node_exporter::NodeExporter;
use kit::prometheus::{Options, Prometheus};
use kit::wait_for;
use service::{Exporter, Receiver, Slo, eventually};
use shop::Traffic;

const MINUTE: Length = Length::from_minutes(1);

fn scraper(name: &str, targets: &[String], labels: &[(&str, &str)]) -> Arc<dyn Source> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let config = SourceConfig {
        kind: SourceKind::Scrape { targets: targets.to_vec(), labels },
        delay: Length::from_seconds(1),
        timeout: Length::from_seconds(5),
        concurrency: 4,
        interval: Length::from_seconds(15),
        gap: Length::from_minutes(5),
        lateness: Length::from_minutes(5),
        headers: BTreeMap::new(),
        auth: None,
        alert_after: Length::from_minutes(5),
        alert_severity: AlertSeverity::Page,
    };
    build(name, &config, &Arc::new(Secrets::new(|_| None)), &Telemetry::default()).unwrap()
}

fn selector(metric: &str) -> Selector {
    Selector { metric: metric.to_owned(), matchers: Vec::new(), bucket: None }
}

fn now() -> Timestamp {
    Clock::system().now()
}

/// Labels with the newest value, and its time where the page says one.
type Series = BTreeMap<Labels, (f64, i64)>;

/// What the real server stored of a job, without what only it adds.
async fn stored(server: &Prometheus, job: &str) -> Series {
    let at = now();
    let answer = server.query(&format!("{{job=\"{job}\"}}[1m]"), at).await;
    let mut series = Series::new();
    for one in answer["data"]["result"].as_array().unwrap() {
        let labels: Labels = serde_json::from_value(one["metric"].clone()).unwrap();
        let newest = one["values"].as_array().unwrap().last().unwrap();
        let value: f64 = newest[1].as_str().unwrap().parse().unwrap();
        let own = labels.get("__name__").is_some_and(|name| name.starts_with("scrape_"));
        if !own && value.is_finite() && value >= 0.0 {
            let time = Timestamp::from_seconds_f64(newest[0].as_f64().unwrap());
            series.insert(labels, (value, time.millis()));
        }
    }
    series
}

/// What our own scrape holds of these metrics.
async fn held(source: &dyn Source, names: impl IntoIterator<Item = String>) -> Series {
    let at = now();
    let mut series = Series::new();
    for name in names {
        for one in source.samples(&selector(&name), at - MINUTE, at).await.unwrap().series {
            let newest = one.samples.last().unwrap();
            series.insert((*one.labels).clone(), (newest.value, newest.at.millis()));
        }
    }
    series
}

fn names(series: &Series) -> Vec<String> {
    let mut names: Vec<String> = series.keys().map(|labels| labels.get("__name__").unwrap().to_owned()).collect();
    names.dedup();
    names
}

/// Times differ, but for samples that carry their own.
fn without_times(series: &Series, own: i64) -> BTreeMap<Labels, (u64, bool)> {
    series.iter().map(|(labels, (value, at))| (labels.clone(), (value.to_bits(), *at == own))).collect()
}

/// Every oddity that the real server takes, in its own format.
fn text_page(stamp: i64) -> String {
    format!(
        r#"# HELP plain_total Plain.
# TYPE plain_total counter
plain_total 12
plain_total{{code="200"}} 1.5e+06
job:requests:rate5m 3
braces{{}} 4
route_total{{route="/u/{{id}}"}} 5
equals_total{{q="a=b,c=d"}} 6
escaped_total{{q="say \"hi\" \\ \n end\\"}} 7
unknown_escape_total{{q="a\d"}} 8
spaced_total {{ a = "1" , b = "2" , }} 9
tabbed_total{{a="1"}}	10
quoted_ends_total{{a="\"x\""}} 11
unicode_total{{a="zähler€"}} 12
empty_total{{a="",b="x"}} 13
blank_total{{a=" x "}} 14
# TYPE hist histogram
hist_bucket{{le="0.5"}} 1
hist_bucket{{le="+Inf"}} 2
hist_sum 1.25
hist_count 2
# TYPE summ summary
summ{{quantile="0.9"}} 4
summ_count 5
infinite +Inf
negative -1
nothing NaN
stamped_total 15 {stamp}
stamped_total{{a="x"}} 16 {stamp}
conflict_total{{job="batch",instance="i",exported_job="old"}} 17
hash_total{{a="x#y"}} 18
# a comment
#another
last_total 19"#
    ) + "\n"
}

/// The same in OpenMetrics.
fn open_page(stamp: i64) -> String {
    format!(
        r#"# HELP plain Plain.
# TYPE plain counter
# UNIT seconds_x x
plain_total{{code="200"}} 12.0
plain_created{{code="200"}} 1795271400.5
route_total{{route="/u/{{id}}",q="a=b,c"}} 5 # {{trace_id="}}ab\"c,="}} 0.67
# TYPE stamped counter
stamped_total 15 {stamp}.123
stamped_total{{a="x"}} 16 {stamp}.123 # {{trace_id="x"}} 1 {stamp}.1
# TYPE job:rate gauge
job:rate 3
# EOF
"#
    )
}

async fn page_server(text: String, content_type: &'static str) -> Fault {
    Fault::start(move |request| {
        if request.starts_with("GET /metrics ") {
            Reply::Bytes(answer("200 OK", &[("content-type", content_type)], text.as_bytes()))
        } else {
            Reply::Bytes(answer("404 Not Found", &[], b"no such page"))
        }
    })
    .await
}

/// Both scrape the page; both hold the same.
async fn compare(text: String, content_type: &'static str, stamp: i64, least: usize) {
    let page = page_server(text, content_type).await;
    let target = page.url().replace("http://", "");
    let options = Options { scrape: vec![("app".to_owned(), target)], ..Options::default() };
    let Some(server) = Prometheus::start(&options).await else { return };
    let theirs = wait_for("a scrape", || async {
        let series = stored(&server, "app").await;
        (series.len() >= least).then_some(series)
    })
    .await;
    let source = scraper("app", &[format!("{}/metrics", page.url())], &[]);
    let report = source.scrape(now()).await;
    assert_eq!((report.bad_lines, report.failed.len()), (0, 0), "{:?}", report.examples);
    let ours = held(source.as_ref(), names(&theirs)).await;
    assert_eq!(without_times(&ours, stamp), without_times(&theirs, stamp));
    assert_eq!(theirs.len(), least, "{:?}", theirs.keys());
    assert_eq!(ours.values().filter(|(_, at)| *at == stamp).count(), 2);
}

#[tokio::test]
async fn a_page_of_oddities_gives_what_prometheus_stores() {
    let stamp = now().millis() - 5_000;
    compare(text_page(stamp), "text/plain; version=0.0.4", stamp, 26).await;
}

#[tokio::test]
async fn an_openmetrics_page_gives_what_prometheus_stores() {
    let stamp = now().millis() / 1_000 - 5;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    compare(open_page(stamp), kind, stamp * 1_000 + 123, 7).await;
}

#[tokio::test]
async fn a_page_that_we_did_not_write_gives_the_same_series() {
    let Some(node) = NodeExporter::start().await else { return };
    let options = Options { scrape: vec![("node".to_owned(), node.target())], ..Options::default() };
    let Some(server) = Prometheus::start(&options).await else { return };
    let theirs = wait_for("a scrape", || async {
        let series = stored(&server, "node").await;
        (series.len() > 200).then_some(series)
    })
    .await;
    let source = scraper("node", &[format!("http://{}/metrics", node.target())], &[]);
    let report = source.scrape(now()).await;
    assert_eq!((report.bad_lines, report.failed.len()), (0, 0), "{:?}", report.examples);
    let ours = held(source.as_ref(), names(&theirs)).await;
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
}

#[tokio::test]
async fn targets_that_fail_are_down_and_told() {
    let good = page_server("a_total 1\n".to_owned(), "text/plain").await;
    let cut = page_server("a_total 1\n".to_owned(), "application/openmetrics-text").await;
    let html = page_server("<html>".to_owned(), "text/html").await;
    let rubbish = page_server("\u{1}\u{2}\u{3} \u{4}\n".repeat(3), "application/octet-stream").await;
    let gone = format!("http://127.0.0.1:{}/metrics", kit::free_port());
    let targets = [
        good.url() + "/metrics",
        cut.url() + "/metrics",
        html.url() + "/metrics",
        rubbish.url() + "/metrics",
        gone,
        good.url() + "/wrong",
    ];
    let source = scraper("app", &targets, &[("region", "eu")]);
    let at = now();
    let report = source.scrape(at).await;
    let kinds: Vec<SourceErrorKind> = report.failed.iter().map(|error| error.kind).collect();
    assert_eq!(kinds, [Malformed, Malformed, Malformed, Unreachable, Rejected]);
    let up = source.samples(&selector("up"), at - MINUTE, at).await.unwrap().series;
    // Two targets share an instance here; the first one's `up` stands.
    let shown: BTreeMap<String, f64> =
        up.iter().map(|series| (series.labels.get("instance").unwrap().to_owned(), series.samples[0].value)).collect();
    assert_eq!(shown.len(), 5);
    assert!(
        up.iter().all(|series| series.labels.get("job") == Some("app") && series.labels.get("region") == Some("eu"))
    );
    assert!((shown[good.url().trim_start_matches("http://")] - 1.0).abs() < f64::EPSILON);
    assert!((shown.values().sum::<f64>() - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn looks_tell_what_was_found_and_that_nothing_was() {
    let stamp = now().millis() - 5_000;
    let plain = page_server("a_total 1\n".to_owned(), "text/plain").await;
    let stamped = page_server(format!("b_total 1 {stamp}\nc_total 2\n"), "text/plain").await;
    let gone = format!("http://127.0.0.1:{}/metrics", kit::free_port());
    let targets = [plain.url() + "/metrics", stamped.url() + "/metrics", gone.clone()];
    let source = scraper("app", &targets, &[]);
    assert!(source.looks().is_empty());
    let at = now();
    let report = source.scrape(at).await;
    assert_eq!((report.targets, report.failed.len()), (3, 1));
    let found: BTreeMap<String, Vec<Timestamp>> = source
        .looks()
        .iter()
        .map(|looks| (looks.target.get("instance").unwrap().to_owned(), looks.at.clone()))
        .collect();
    let place = |url: &str| url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    assert_eq!(found[&place(&plain.url())], [at]);
    // What carries its own time is there, though it is older than the scrape.
    assert_eq!(found[&place(&stamped.url())], [Timestamp::from_millis(stamp)]);
    assert_eq!(found[&place(&gone)], [at]);
}

#[tokio::test]
async fn bad_lines_are_counted_and_the_others_kept() {
    let page = "good_total 1\nbad line here\n{\"utf8.name\", \"a.b\"=\"c\"} 2\nhex 0x1p4\ngood_total 1\n1x 2\n";
    let page = page_server(page.to_owned(), "text/plain").await;
    let source = scraper("app", &[page.url() + "/metrics"], &[]);
    let at = now();
    let report = source.scrape(at).await;
    assert_eq!((report.samples, report.bad_lines), (3, 3), "two that are no samples, one that comes twice");
    assert!(report.examples[0].contains("line 2"), "{:?}", report.examples);
    let quoted = source.samples(&selector("utf8.name"), at - MINUTE, at).await.unwrap();
    assert_eq!(quoted.series[0].labels.get("a.b"), Some("c"));
}

#[tokio::test]
async fn scrapes_are_remembered_and_answered_like_a_store() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let page = Fault::start(move |_| {
        let next = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::Bytes(answer("200 OK", &[("content-type", "text/plain")], format!("a_total {next}\n").as_bytes()))
    })
    .await;
    let source = scraper("app", &[page.url()], &[]);
    assert_eq!(source.scrape_every(), Some(Length::from_seconds(15)));
    assert!(!source.has_history());
    let at = |seconds: i64| Timestamp::from_seconds(1_790_000_000 + seconds);
    for step in 0..200 {
        source.scrape(at(step * 15)).await;
    }
    let answer = source.samples(&selector("a_total"), at(2_700), at(2_985)).await.unwrap();
    let held: Vec<f64> = answer.series[0].samples.iter().map(|sample| sample.value).collect();
    assert_eq!(held, (181..200).map(f64::from).collect::<Vec<_>>());
    let oldest = source.oldest(&selector("a_total"), at(-1), at(3_000)).await.unwrap();
    assert_eq!(oldest, Some(at(2_985 - 25 * 60 + 15)), "twice G, lateness and 10 min are kept");
    let error = source.evaluate("1", at(0), at(0), MINUTE).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unsupported);
}

/// A process that can be killed: its page is served by a runtime of its own, and its counters begin at zero.
struct Process {
    runtime: Option<tokio::runtime::Runtime>,
    traffic: Traffic,
}

impl Process {
    /// Half of its requests fail from the start.
    fn start(port: u16) -> Self {
        let serve = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let exporter = runtime.block_on(Exporter::serve(port));
            (runtime, exporter)
        };
        let (runtime, exporter) = std::thread::spawn(serve).join().unwrap();
        let traffic = Traffic::start(exporter);
        traffic.set_broken(true);
        Self { runtime: Some(runtime), traffic }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(tokio::runtime::Runtime::shutdown_background);
    }
}

/// No `job` in the selectors, so that nothing says what is alive; windows far below half of the default `gap`.
fn dying_world(folder: &std::path::Path, page: u16, other: u16, hook: u16, listen: u16) {
    let config = format!(
        "version: config/v1
files: {{slos: [slos/], rules: [rules/]}}
slice: 1s
owners: {{web: {{contact: '#web'}}}}
sources:
  app: {{type: scrape, targets: ['http://127.0.0.1:{page}/metrics'], interval: 1s, alert: {{after: 14s}}}}
  both: {{type: scrape, targets: ['http://127.0.0.1:{page}/metrics', 'http://127.0.0.1:{other}/metrics'], interval: 1s}}
sinks:
  hook: {{type: webhook, url: 'http://127.0.0.1:{hook}/hook'}}
routes: [{{match: {{}}, to: [hook]}}]
storage: {{path: slo.db}}
server: {{listen: '127.0.0.1:{listen}'}}
"
    );
    let slo = |name: &str, objective: &str, source: &str| {
        format!(
            "  - name: {name}
    objective: {objective}
    source: {source}
    sli: {{events: {{bad: 'requests_total{{code=~\"5..\"}}', total: requests_total}}}}
"
        )
    };
    shop::write_folder(folder, &config, &shop::slos(&[slo("availability", "90%", "app"), slo("both", "80%", "both")]));
}

/// The source of this name in the API.
async fn source_of(slo: &Slo, name: &str) -> Result<serde_json::Value, String> {
    let list = slo.json("/api/v1/sources").await?;
    let items = list["items"].as_array().unwrap();
    items.iter().find(|source| source["name"] == name).cloned().ok_or_else(|| format!("no `{name}`: {list}"))
}

/// Fails while the page of `checkout/availability` does not fire, or anything of it was told to be over.
async fn still_fires(slo: &Slo, hook: &Receiver) {
    let list = slo.json("/api/v1/alerts?state=firing").await.unwrap();
    let fires = |alert: &&serde_json::Value| alert["slo"] == "checkout/availability" && alert["severity"] == "page";
    let frozen = list["items"].as_array().unwrap().iter().find(fires).map(|alert| alert["frozen"].clone());
    assert_eq!(frozen, Some(true.into()), "{list}");
    let ends: Vec<String> =
        hook.all().iter().filter(|told| told.body["state"] == "resolved").map(|told| told.body.to_string()).collect();
    assert_eq!(ends, Vec::<String>::new());
}

#[tokio::test]
async fn a_page_does_not_end_because_its_only_target_died() {
    let [page, other, hook_port, listen] = std::array::from_fn(|_| service::free_port());
    let folder = tempfile::tempdir().unwrap();
    dying_world(folder.path(), page, other, hook_port, listen);
    let (process, rest) = (Process::start(page), Process::start(other));
    rest.traffic.set_broken(false);
    let hook = Receiver::serve(hook_port).await;
    let mut slo = Slo::new(folder.path(), listen);
    slo.start();
    slo.ready().await;
    let is_page = |body: &serde_json::Value| body["slo"] == "checkout/availability" && body["severity"] == "page";
    let paged = hook.wait_for("a page", 60, |body| is_page(body) && body["state"] == "firing").await;
    assert_eq!(source_of(&slo, "both").await.unwrap()["targets_failed"], 0);

    drop(process);
    let down = eventually("the source is down", 30, || async {
        let app = source_of(&slo, "app").await?;
        if app["up"] == false { Ok(app) } else { Err(app.to_string()) }
    })
    .await;
    assert_eq!((&down["targets"], &down["targets_failed"]), (&1.into(), &1.into()), "{down}");
    // Longer than its window of 10 s after its death.
    let told = hook.wait_for("the source's alert", 60, |body| body["slo"] == "source/app").await;
    assert_eq!(told["labels"]["alertname"], "SLOSourceDown");
    assert!(told["reason"].as_str().unwrap().contains("has not answered since"), "{told}");
    still_fires(&slo, &hook).await;
    let later = source_of(&slo, "app").await.unwrap();
    assert_eq!((&later["up"], &later["last_success_at"]), (&false.into(), &down["last_success_at"]));
    assert_eq!(shop::metric(&slo, r#"slo_source_up{source="app"}"#).await, Ok(0.0));
    let window = slo.json("/api/v1/slos/checkout/availability/window?over=10s").await.unwrap();
    assert_eq!((window["measured_seconds"].as_f64(), window["good_ratio"].as_f64()), (Some(0.0), None), "{window}");
    // One of two: what is left is measured, and the source is up.
    let both = source_of(&slo, "both").await.unwrap();
    assert_eq!((&both["up"], &both["targets"], &both["targets_failed"]), (&true.into(), &2.into(), &1.into()));
    assert_eq!(shop::metric(&slo, r#"slo_source_targets_failed{source="both"}"#).await, Ok(1.0));
    let (_, health) = slo.get("/health").await.unwrap();
    assert!(health.as_str().unwrap().contains("1 of 2 targets fail"), "{health}");
    assert!(slo.get("/").await.unwrap().1.as_str().unwrap().contains("No data from app"));

    slo.kill();
    slo.start();
    slo.ready().await;
    eventually("evaluated again", 30, || async {
        let app = source_of(&slo, "app").await?;
        let failed = app["requests_failed"].as_u64().unwrap();
        if app["up"] == false && failed > 12 { Ok(()) } else { Err(app.to_string()) }
    })
    .await;
    still_fires(&slo, &hook).await;

    let process = Process::start(page);
    hook.wait_for("the source answers", 30, |body| body["slo"] == "source/app" && body["state"] == "resolved").await;
    let over = |told: &service::Received| is_page(&told.body) && told.body["state"] == "resolved";
    assert!(!hook.all().iter().any(over), "it still fails");
    process.traffic.set_broken(false);
    let end = hook.wait_for("the end", 60, |body| is_page(body) && body["state"] == "resolved").await;
    assert_eq!((&end["alert_id"], &end["ended_by"]), (&paged["alert_id"], &"known_false".into()));
    assert!(end["tiers"][0]["over"]["total"].as_f64().unwrap() > 0.0, "{end}");
    assert_eq!(shop::metric(&slo, r#"slo_source_up{source="app"}"#).await, Ok(1.0));
}
