//! What it costs to watch SLOs all day: CPU seconds a minute of `slo`, with what it causes in Prometheus, beside the
//! same SLOs as Sloth-style rules (17 an SLO) in the same Prometheus, in the same run, on the same data.
//!
//! The bar: 1,000 SLOs x 10 series at 30 s, 1/40 of the rules. `SLO_BENCH_SLOS`, `SLO_BENCH_HOURS` (history under the
//! rules' windows, 72) and `SLO_BENCH_MINUTES` (of each phase, 3) set the size. Three phases follow each other, new
//! samples arriving all the time: Prometheus alone, with `slo`, with the rules. Figures are lines; nothing is asserted
//! but that every SLO was judged and every rule evaluated.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time and reads its size from the environment")]
#![expect(clippy::print_stdout, reason = "figures are its output")]

#[path = "../tests/kit/mod.rs"]
mod kit;

use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::Loaded;
use tokio::time::{MissedTickBehavior, interval};

const SERIES_PER_SLO: usize = 10;
const STEP_MS: i64 = 30_000;
const HOUR_MS: i64 = 3_600_000;
/// Samples of each series in one write: in order of time, so that the server appends.
const SAMPLES_A_WRITE: i64 = 20;

fn main() {
    // `cargo bench` hands in `--bench`; `cargo test --benches` does not, and then there is nothing to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let number = |name: &str, default: usize| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (slos, hours) = (number("SLO_BENCH_SLOS", 1_000), number("SLO_BENCH_HOURS", 72));
    let minutes = number("SLO_BENCH_MINUTES", 3);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(slos, i64::try_from(hours).unwrap(), u64::try_from(minutes).unwrap()));
}

async fn run(slos: usize, hours: i64, minutes: u64) {
    let Some(server) = Prometheus::start(&Options { compacts: true, ..Options::default() }).await else { return };
    let server = Arc::new(server);
    let newest = now_ms() / STEP_MS * STEP_MS;
    let begun = Instant::now();
    load(&server, slos, newest - hours * HOUR_MS, newest).await;
    println!("loaded {hours} h of {} series in {:.0} s", slos * SERIES_PER_SLO, begun.elapsed().as_secs_f64());
    let writing = Arc::clone(&server);
    let writer = tokio::spawn(async move { go_on(&writing, slos, newest).await });

    let length = Duration::from_secs(minutes * 60);
    let alone = phase(&server, length).await;
    println!("Prometheus alone: {alone:.2} CPU s/min");

    let folder = tempfile::tempdir().unwrap();
    let port = write_files(folder.path(), &server.url(), slos);
    let mut slo = start_slo(folder.path());
    wait_until_read(port, slos).await;
    let before = cpu_seconds(slo.id());
    let with_slo = phase(&server, length).await;
    let own = per_minute(cpu_seconds(slo.id()) - before, length);
    slo.kill().unwrap();
    slo.wait().unwrap();
    println!("with slo: {own:.2} CPU s/min of slo, {:.2} more of Prometheus", with_slo - alone);

    server.take_rules(&sloth_rules(slos), "30s").await;
    let with_rules = phase(&server, length).await;
    let missed = metric(&server, "prometheus_rule_group_iterations_missed_total").await;
    println!(
        "with {} rules: {:.2} CPU s/min more of Prometheus, {missed} evaluations missed",
        slos * 17,
        with_rules - alone
    );
    let ours = own + (with_slo - alone).max(0.0);
    println!("slo and what it causes: {ours:.2} CPU s/min, 1/{:.0} of the rules", (with_rules - alone) / ours);
    writer.abort();
}

/// CPU seconds a minute of the server while `length` passes.
async fn phase(server: &Prometheus, length: Duration) -> f64 {
    let before = cpu_seconds(server.pid());
    let begun = Instant::now();
    tokio::time::sleep(length).await;
    per_minute(cpu_seconds(server.pid()) - before, begun.elapsed())
}

fn per_minute(seconds: f64, length: Duration) -> f64 {
    seconds * 60.0 / length.as_secs_f64()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Counters that grow by 1 to 10 a step, a tenth of them errors, all series step by step.
async fn load(server: &Prometheus, slos: usize, from: i64, to: i64) {
    let mut at = from;
    while at < to {
        let end = (at + SAMPLES_A_WRITE * STEP_MS).min(to);
        server.write(&batch(slos, at, end)).await;
        at = end;
    }
}

/// All series in `(from, to]`.
fn batch(slos: usize, from: i64, to: i64) -> Vec<Loaded> {
    let mut batch = Vec::with_capacity(slos * SERIES_PER_SLO);
    for slo in 0..slos {
        for series in 0..SERIES_PER_SLO {
            let code = if series == 0 { "500".to_owned() } else { format!("20{}", series % 5) };
            let (slo, pod) = (format!("s{slo:04}"), format!("p{series}"));
            let labels = [
                ("__name__", "bench_requests_total"),
                ("job", slo.as_str()),
                ("instance", "one"),
                ("pod", pod.as_str()),
                ("code", code.as_str()),
            ];
            let value = |step: i64| ((step % 1_000_000) * i64::try_from(series + 1).unwrap()) as f64;
            let samples = (from / STEP_MS + 1..=to / STEP_MS).map(|step| (step * STEP_MS, value(step))).collect();
            batch.push(Loaded::new(&labels, samples));
        }
    }
    batch
}

/// One more sample of every series each 30 s, as scrapes would bring it.
async fn go_on(server: &Prometheus, slos: usize, mut written: i64) {
    let mut beat = interval(Duration::from_secs(1));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let newest = now_ms() / STEP_MS * STEP_MS;
        if newest > written {
            server.write(&batch(slos, written, newest)).await;
            written = newest;
        }
    }
}

fn write_files(folder: &Path, url: &str, slos: usize) -> u16 {
    let mut text = String::new();
    for slo in 0..slos {
        write!(
            text,
            "version: slo/v1\nservice: s{slo:04}\nslos:\n  - name: availability\n    objective: 99.9%\n    alive: none\n    \
             sli: {{events: {{bad: 'bench_requests_total{{job=\"s{slo:04}\",code=\"500\"}}', \
             total: 'bench_requests_total{{job=\"s{slo:04}\"}}'}}}}\n---\n"
        )
        .unwrap();
    }
    std::fs::create_dir(folder.join("slos")).unwrap();
    std::fs::write(folder.join("slos/all.yaml"), text).unwrap();
    let port = kit::free_port();
    let config = format!(
        "version: config/v1\nfiles: {{slos: [slos/]}}\nalerting: {{mode: shadow}}\nsources:\n  \
         prometheus: {{type: prometheus, urls: ['{url}']}}\nserver: {{listen: '127.0.0.1:{port}'}}\n"
    );
    std::fs::write(folder.join("slo.yaml"), config).unwrap();
    port
}

fn start_slo(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["run", "--config", "slo.yaml", "--log", "warn"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until all SLOs are judged and their past is read, which is not what is measured here.
async fn wait_until_read(port: u16, slos: usize) {
    let begun = Instant::now();
    let list = format!("http://127.0.0.1:{port}/api/v1/slos?limit=5000");
    let mut beat = interval(Duration::from_secs(1));
    loop {
        beat.tick().await;
        assert!(begun.elapsed() < Duration::from_mins(10), "the past was not read within ten minutes");
        let Some((200, text)) = kit::get(&list).await else { continue };
        let list: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let judged = list["items"].as_array().map_or(0, Vec::len);
        let seen = |item: &serde_json::Value| item["sli"]["total"].as_f64().is_some_and(|total| total > 10_000.0);
        if judged == slos && list["items"].as_array().unwrap().iter().all(seen) {
            break;
        }
    }
    // The last SLO is read last; the list is not asked again, because answering it costs as much as many ticks.
    let newest_slo = format!("http://127.0.0.1:{port}/api/v1/slos/s{:04}/availability", slos - 1);
    loop {
        beat.tick().await;
        assert!(begun.elapsed() < Duration::from_mins(10), "the past was not read within ten minutes");
        let Some((200, text)) = kit::get(&newest_slo).await else { continue };
        let detail: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        if detail["backfilled_ratio"].as_f64() == Some(1.0) {
            return;
        }
    }
}

/// The rules that Sloth makes of the same SLOs: 8 of the SLI, 7 of metadata, 2 alerts.
fn sloth_rules(slos: usize) -> String {
    let mut text = "groups:\n".to_owned();
    for slo in 0..slos {
        let name = format!("s{slo:04}");
        sloth_rules_of(&mut text, &name);
    }
    text
}

fn sloth_rules_of(text: &mut String, name: &str) {
    let id = format!("{name}-availability");
    let labels = format!("{{sloth_id: {id}, sloth_service: {name}, sloth_slo: availability");
    let ids = format!("sloth_id=\"{id}\", sloth_service=\"{name}\", sloth_slo=\"availability\"");
    writeln!(text, "- name: sloth-slo-sli-recordings-{id}\n  rules:").unwrap();
    for window in ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] {
        let rate = |code: &str| format!("sum(rate(bench_requests_total{{job=\"{name}\"{code}}}[{window}]))");
        let (bad, all) = (rate(",code=\"500\""), rate(""));
        writeln!(
            text,
            "  - {{record: 'slo:sli_error:ratio_rate{window}', expr: '({bad}) / ({all})', labels: {labels}, sloth_window: {window}}}}}"
        )
        .unwrap();
    }
    let series = format!("slo:sli_error:ratio_rate5m{{{ids}}}");
    writeln!(
        text,
        "  - {{record: 'slo:sli_error:ratio_rate30d', expr: 'sum_over_time({series}[30d]) / ignoring (sloth_window) \
         count_over_time({series}[30d])', labels: {labels}, sloth_window: 30d}}}}"
    )
    .unwrap();
    writeln!(text, "- name: sloth-slo-meta-recordings-{id}\n  rules:").unwrap();
    let budget = format!("slo:error_budget:ratio{{{ids}}}");
    for (record, expr) in [
        ("slo:objective:ratio", "vector(0.999)".to_owned()),
        ("slo:error_budget:ratio", "vector(1-0.999)".to_owned()),
        ("slo:time_period:days", "vector(30)".to_owned()),
        (
            "slo:current_burn_rate:ratio",
            format!("slo:sli_error:ratio_rate5m{{{ids}}} / on(sloth_id, sloth_slo, sloth_service) group_left {budget}"),
        ),
        (
            "slo:period_burn_rate:ratio",
            format!(
                "slo:sli_error:ratio_rate30d{{{ids}}} / on(sloth_id, sloth_slo, sloth_service) group_left {budget}"
            ),
        ),
        ("slo:period_error_budget_remaining:ratio", format!("1 - slo:period_burn_rate:ratio{{{ids}}}")),
        ("sloth_slo_info", "vector(1)".to_owned()),
    ] {
        writeln!(text, "  - {{record: '{record}', expr: '{expr}', labels: {labels}}}}}").unwrap();
    }
    writeln!(text, "- name: sloth-slo-alerts-{id}\n  rules:").unwrap();
    for (severity, pairs) in
        [("page", [("5m", "1h", 14.4), ("30m", "6h", 6.0)]), ("ticket", [("2h", "1d", 3.0), ("6h", "3d", 1.0)])]
    {
        let over = |window: &str, factor: f64| {
            format!("max(slo:sli_error:ratio_rate{window}{{{ids}}} > ({factor} * 0.001)) without (sloth_window)")
        };
        let pair =
            |(short, long, factor): (&str, &str, f64)| format!("({} and {})", over(short, factor), over(long, factor));
        let expr = format!("{} or {}", pair(pairs[0]), pair(pairs[1]));
        writeln!(text, "  - {{alert: Burn, expr: '{expr}', labels: {{sloth_severity: {severity}}}}}").unwrap();
    }
}

/// The sum of a metric of the server's own page.
async fn metric(server: &Prometheus, name: &str) -> f64 {
    let Some((200, text)) = kit::get(&format!("{}/metrics", server.url())).await else { panic!("no metrics") };
    let values = text.lines().filter(|line| line.starts_with(name));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// User and system time of a process so far (Linux, 100 ticks a second).
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
