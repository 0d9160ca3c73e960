//! Who pages first: Sloth's rules on the real Prometheus through the real Alertmanager, or `slo run` on the same
//! Prometheus, through the same Alertmanager and straight to a webhook. Measured, not asserted:
//! `cargo bench --bench earlier` on a machine that does nothing else.
//!
//! Scaled alike, to a sixth of what is usual: scrapes, rule evaluations, slices and Alertmanager's `group_wait` of 5 s (30 s),
//! our delay 2.5 s (15 s). Each of several services is a target of its own, scraped at its own phase, has six hours of
//! history, and breaks at another moment, so that nobody is lucky.
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "it reads whole answers")]
#![expect(clippy::print_stdout, reason = "figures are its output")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "counts and times are small"
)]
#![expect(clippy::format_collect, reason = "a handful of short texts")]

#[path = "../tests/kit/mod.rs"]
mod kit;
#[path = "../tests/service/mod.rs"]
mod service;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::time::Duration;

use kit::alertmanager::Alertmanager;
use kit::prometheus::{Options, Prometheus};
use kit::remote_write::Loaded;
use service::{Exporter, Receiver, Slo, eventually, free_port};
use slo::clock::Clock;
use slo::units::Timestamp;

/// Services that break, one after the other.
const SERVICES: usize = 8;
/// Between two of them: no multiple of the intervals.
const APART: Duration = Duration::from_millis(3_700);
/// Clean traffic before the first one breaks.
const CLEAN: Duration = Duration::from_mins(1);
/// Events a second of each.
const RATE: u64 = 20;
/// Scrapes, rules, slices.
const EVERY: i64 = 5;
/// History before the start.
const HISTORY: i64 = 6 * 3_600 + 600;

fn name(service: usize) -> String {
    format!("s{service}")
}

fn series(service: usize, code: &str) -> String {
    format!("requests_total{{service=\"{}\",code=\"{code}\"}}", name(service))
}

/// The 17 rules that Sloth makes of one SLO at 99.9% over 30 d, in its three groups (default interval of the server).
fn sloth_rules(service: usize) -> String {
    let name = name(service);
    let labels = format!("{{sloth_id: '{name}-availability', sloth_service: '{name}', sloth_slo: availability");
    let select = format!("sloth_id=\"{name}-availability\", sloth_service=\"{name}\", sloth_slo=\"availability\"");
    let mut text = format!("- name: sloth-slo-sli-recordings-{name}-availability\n  rules:\n");
    for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] {
        let rate = |more: &str| format!("sum(rate(requests_total{{service=\"{name}\"{more}}}[{window}]))");
        let (bad, total) = (rate(",code=~\"5..\""), rate(""));
        writeln!(text, "  - {{record: 'slo:sli_error:ratio_rate{window}', expr: '{bad} / {total}', labels: {labels}, sloth_window: {window}}}}}").unwrap();
    }
    let of = |window: &str| format!("slo:sli_error:ratio_rate{window}{{{select}}}");
    writeln!(text, "  - {{record: 'slo:sli_error:ratio_rate30d', expr: 'sum_over_time({m}[30d]) / ignoring (sloth_window) count_over_time({m}[30d])', labels: {labels}, sloth_window: 30d}}}}", m = of("5m")).unwrap();
    writeln!(text, "- name: sloth-slo-meta-recordings-{name}-availability\n  rules:").unwrap();
    let burn = |window: &str| {
        format!("{} / on(sloth_id, sloth_slo, sloth_service) group_left slo:error_budget:ratio{{{select}}}", of(window))
    };
    for (record, expression) in [
        ("slo:objective:ratio", "vector(0.9990000000000001)".to_owned()),
        ("slo:error_budget:ratio", "vector(1-0.9990000000000001)".to_owned()),
        ("slo:time_period:days", "vector(30)".to_owned()),
        ("slo:current_burn_rate:ratio", burn("5m")),
        ("slo:period_burn_rate:ratio", burn("30d")),
        ("slo:period_error_budget_remaining:ratio", format!("1 - slo:period_burn_rate:ratio{{{select}}}")),
        ("sloth_slo_info", "vector(1)".to_owned()),
    ] {
        writeln!(text, "  - {{record: '{record}', expr: '{expression}', labels: {labels}}}}}").unwrap();
    }
    writeln!(text, "- name: sloth-slo-alerts-{name}-availability\n  rules:").unwrap();
    let over = |short: &str, long: &str, factor: &str| {
        let above =
            |window: &str| format!("max({} > ({factor} * 0.0009999999999999432)) without (sloth_window)", of(window));
        format!("({} and {})", above(short), above(long))
    };
    for (severity, quick, slow) in [
        ("page", over("5m", "1h", "14.4"), over("30m", "6h", "6")),
        ("ticket", over("2h", "1d", "3"), over("6h", "3d", "1")),
    ] {
        writeln!(text, "  - {{alert: Rules, expr: '{quick} or {slow}', labels: {{sloth_severity: {severity}}}}}")
            .unwrap();
    }
    text
}

/// Six hours of clean traffic of every service, up to now; gives what the counters stand at.
fn history(now: i64, instances: &[String]) -> (Vec<Loaded>, u64) {
    let count = HISTORY / EVERY;
    let mut loaded = Vec::new();
    for (service, instance) in instances.iter().enumerate() {
        for code in ["200", "500"] {
            let labels = [
                ("__name__", "requests_total"),
                ("job", &name(service)),
                ("instance", instance),
                ("service", &name(service)),
                ("code", code),
            ];
            let per_step = if code == "200" { RATE as i64 * EVERY } else { 0 };
            let samples = (1..=count).map(|n| ((now - (count - n) * EVERY) * 1_000, (n * per_step) as f64));
            loaded.push(Loaded::new(&labels, samples.collect()));
        }
    }
    (loaded, (count * EVERY) as u64 * RATE)
}

/// Everything that `slo run` needs, with this receiver of its own beside the Alertmanager.
fn configure(folder: &std::path::Path, port: u16, prometheus: &str, alertmanager: &str, hook: &str) {
    let slos: String = (0..SERVICES)
        .map(|service| {
            let name = name(service);
            format!(
                "---\nversion: slo/v1\nservice: {name}\nslos:\n- name: availability\n  objective: 99.9%\n  window: 30d\n  alive: none\n  \
                 sli: {{events: {{bad: 'requests_total{{service=\"{name}\",code=~\"5..\"}}', total: 'requests_total{{service=\"{name}\"}}'}}}}\n"
            )
        })
        .collect();
    fs::create_dir(folder.join("slos")).unwrap();
    fs::write(folder.join("slos/all.yaml"), slos).unwrap();
    fs::write(
        folder.join("slo.yaml"),
        format!(
            "version: config/v1\nslice: {EVERY}s\n\
             sources: {{prometheus: {{type: prometheus, urls: ['{prometheus}'], delay: 2500ms, interval: {EVERY}s, gap: 1m}}}}\n\
             sinks: {{am: {{type: alertmanager, urls: ['{alertmanager}']}}, hook: {{type: webhook, url: '{hook}'}}}}\n\
             routes: [{{match: {{}}, to: [am, hook]}}]\nstorage: {{path: slo.db}}\nserver: {{listen: '127.0.0.1:{port}'}}\n"
        ),
    )
    .unwrap();
}

fn main() {
    // `cargo bench` hands in `--bench`; `cargo test --benches` does not, and then there is nothing to measure.
    if std::env::args().any(|argument| argument == "--bench") {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(who_pages_first());
    }
}

async fn who_pages_first() {
    let clock = Clock::system();
    let (hook, own) = (free_port(), free_port());
    let (mut exporters, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..SERVICES {
        let port = free_port();
        exporters.push(Exporter::serve(port).await);
        targets.push(format!("127.0.0.1:{port}"));
    }
    let receiver = Receiver::serve(hook).await;
    let direct = Receiver::serve(own).await;
    let hook = format!("http://127.0.0.1:{hook}/hook");
    // Its default group_wait of 30 s, to the same scale.
    let configuration = Alertmanager::to_webhook(&hook).replace("group_wait: 1s", &format!("group_wait: {EVERY}s"));
    let Some(alertmanager) = Alertmanager::start(&configuration).await else { return };
    let rules: String = "groups:\n".to_owned() + &(0..SERVICES).map(sloth_rules).collect::<String>();
    let options = Options {
        scrape: targets.iter().enumerate().map(|(service, target)| (name(service), target.clone())).collect(),
        interval: format!("{EVERY}s"),
        alertmanager: Some(alertmanager.url().replace("http://", "")),
        ..Options::default()
    };
    let now = clock.now().millis() / 1_000;
    let (loaded, stands_at) = history(now, &targets);
    for (service, exporter) in exporters.iter().enumerate() {
        exporter.add(&series(service, "200"), stands_at);
        exporter.add(&series(service, "500"), 0);
    }
    let Some(server) = Prometheus::start(&options).await else { return };
    server.write(&loaded).await;
    server.take_rules(&rules, &format!("{EVERY}s")).await;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    configure(folder.path(), port, &server.url(), &alertmanager.url(), &format!("http://127.0.0.1:{own}/hook"));
    let mut slo = Slo::new(folder.path(), port);
    slo.start();
    slo.ready().await;

    // Clean for a minute, then one service after the other fails altogether.
    let start = clock.now();
    let mut broken: BTreeMap<usize, Timestamp> = BTreeMap::new();
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    let mut counted = 0;
    let paged = |service: usize, receiver: &Receiver, alert: &str| {
        receiver
            .all()
            .into_iter()
            .find(|received| is_page(&received.body, &name(service), alert))
            .map(|received| received.at)
    };
    eventually("every page", 300, || {
        let elapsed = clock.now().since(start).to_std();
        let due = (elapsed.as_millis() as u64 * RATE) / 1_000;
        for (service, exporter) in exporters.iter().enumerate() {
            let breaks = CLEAN + APART * service as u32;
            if elapsed >= breaks {
                broken.entry(service).or_insert_with(|| clock.now());
            }
            let code = if elapsed >= breaks { "500" } else { "200" };
            exporter.add(&series(service, code), due - counted);
        }
        counted = due;
        let all = (0..SERVICES).all(|service| {
            paged(service, &receiver, "Rules").is_some()
                && paged(service, &receiver, "SLOBurn").is_some()
                && paged(service, &direct, "SLOBurn").is_some()
        });
        async move { if all { Ok(()) } else { Err("not yet".to_owned()) } }
    })
    .await;
    beat.tick().await;

    println!("seconds from the failure to the page, scrapes, rules and slices every {EVERY} s");
    println!("service  rules+alertmanager  slo+alertmanager  slo+webhook");
    let mut sums = [0.0; 3];
    for (service, began) in &broken {
        let ways = [
            paged(*service, &receiver, "Rules"),
            paged(*service, &receiver, "SLOBurn"),
            paged(*service, &direct, "SLOBurn"),
        ];
        let seconds = ways.map(|at| at.unwrap().since(*began).seconds_f64());
        println!("{:7}  {:18.1}  {:16.1}  {:11.1}", name(*service), seconds[0], seconds[1], seconds[2]);
        sums.iter_mut().zip(seconds).for_each(|(sum, seconds)| *sum += seconds);
    }
    let [rules, through, straight] = sums.map(|sum| sum / SERVICES as f64);
    println!("{:7}  {rules:18.1}  {through:16.1}  {straight:11.1}", "mean");
}

/// Whether a webhook says that a page of this service fires: Alertmanager's body or ours.
fn is_page(body: &serde_json::Value, service: &str, alert: &str) -> bool {
    if body["alerts"].is_array() {
        return body["alerts"].as_array().unwrap().iter().any(|one| {
            let label = |name: &str| one["labels"][name].as_str().unwrap_or_default();
            let of = [label("sloth_service"), label("slo_service")].contains(&service);
            let page = [label("sloth_severity"), label("severity")].contains(&"page");
            one["status"] == "firing" && label("alertname") == alert && of && page
        });
    }
    body["state"] == "firing" && body["severity"] == "page" && body["service"] == service
}
