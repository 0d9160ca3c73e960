//! Backfill of a cold start from a real local Prometheus: how long until 30 days of every SLO are there, and what it
//! costs both sides. By remote read and by queries, in the same run, on the same data.
//!
//! The bar: 1,000 SLOs x 10 series x 30 d at 30 s (864 million samples) in 30 s by remote read and 180 s by queries, page
//! tiers judged within two ticks. By default a tenth of it; `SLO_BENCH_SLOS=1000 cargo bench --bench backfill` is all of
//! it, where disk and patience allow. Figures are printed as lines; nothing is asserted but that everything arrived.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time and reads its size from the environment")]
#![expect(clippy::print_stdout, reason = "figures are its output")]

#[path = "../tests/kit/mod.rs"]
mod kit;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::Loaded;

const SERIES_PER_SLO: usize = 10;
const STEP_MS: i64 = 30_000;
const DAY_MS: i64 = 86_400_000;
/// Samples of each series in one write: in order of time, so that the server appends.
const SAMPLES_A_WRITE: i64 = 40;

fn main() {
    // `cargo bench` hands in `--bench`; `cargo test --benches` does not, and then there is nothing to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let number = |name: &str, default: usize| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (slos, days) = (number("SLO_BENCH_SLOS", 100), number("SLO_BENCH_DAYS", 30));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(slos, i64::try_from(days).unwrap()));
}

async fn run(slos: usize, days: i64) {
    let Some(server) =
        Prometheus::start(&Options { compacts: true, ..Options::external(&[("cluster", "bench")]) }).await
    else {
        return;
    };
    let now = i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let newest = now / STEP_MS * STEP_MS;
    let begun = Instant::now();
    load(&server, slos, newest - days * DAY_MS, newest).await;
    let samples = slos * SERIES_PER_SLO * usize::try_from(days * DAY_MS / STEP_MS).unwrap();
    println!("loaded {samples} samples in {:.0} s", begun.elapsed().as_secs_f64());
    for history in ["remote_read", "query"] {
        let folder = tempfile::tempdir().unwrap();
        write_files(folder.path(), &server.url(), slos, history);
        measure(&server, folder.path(), history, slos).await;
        compute_once(folder.path(), history, slos);
    }
}

/// Counters that grow by 1 to 10 a step, a tenth of them errors, all series step by step.
async fn load(server: &Prometheus, slos: usize, from: i64, to: i64) {
    let mut at = from;
    while at < to {
        let end = (at + SAMPLES_A_WRITE * STEP_MS).min(to);
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
                let samples = (at / STEP_MS + 1..=end / STEP_MS)
                    .map(|step| (step * STEP_MS, ((step % 1_000_000) * i64::try_from(series + 1).unwrap()) as f64))
                    .collect();
                batch.push(Loaded::new(&labels, samples));
            }
        }
        server.write(&batch).await;
        at = end;
    }
}

fn write_files(folder: &Path, url: &str, slos: usize, history: &str) {
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
    std::fs::write(folder.join("port"), port.to_string()).unwrap();
    let config = format!(
        "version: config/v1\nfiles: {{slos: [slos/]}}\nsources:\n  prometheus: {{type: prometheus, urls: ['{url}'], \
         history: {history}, timeout: 60s}}\nserver: {{listen: '127.0.0.1:{port}'}}\n"
    );
    std::fs::write(folder.join("slo.yaml"), config).unwrap();
}

/// One cold start: ready, then everything read.
async fn measure(server: &Prometheus, folder: &Path, history: &str, slos: usize) {
    let before = cpu_seconds(server.pid());
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["run", "--config", "slo.yaml", "--log", "warn"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let port = std::fs::read_to_string(folder.join("port")).unwrap();
    let ready = reached(begun, &format!("http://127.0.0.1:{port}/-/ready"), |_| true).await;
    let list = format!("http://127.0.0.1:{port}/api/v1/slos?limit=5000");
    let covered = |text: &str| {
        let list: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items.len() == slos
            && items.iter().all(|item| item["coverage"].as_f64().is_some_and(|coverage| coverage > 0.99))
    };
    let complete = reached(begun, &list, covered).await;
    println!(
        "{history}: judged after {:.1} s, all history after {:.1} s; CPU seconds: slo {:.1}, Prometheus {:.1}; slo peak {:.0} MB",
        ready.as_secs_f64(),
        complete.as_secs_f64(),
        cpu_seconds(child.id()),
        cpu_seconds(server.pid()) - before,
        peak_megabytes(child.id()),
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The same without a service: `slo status` from files, start to end.
fn compute_once(folder: &Path, history: &str, slos: usize) {
    let begun = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["status", "--config", "slo.yaml", "--format", "json"])
        .current_dir(folder)
        .output()
        .unwrap();
    let took = begun.elapsed();
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let covered = |item: &serde_json::Value| item["coverage"].as_f64().is_some_and(|coverage| coverage > 0.99);
    let complete = list["items"].as_array().is_some_and(|items| items.len() == slos && items.iter().all(covered));
    assert!(output.status.success() && complete, "{}", String::from_utf8_lossy(&output.stderr));
    println!("{history}: `slo status` of {slos} SLOs from files after {:.1} s", took.as_secs_f64());
}

/// When `url` first answered 200 with a body that `wanted` accepts.
async fn reached(begun: Instant, url: &str, wanted: impl Fn(&str) -> bool) -> Duration {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tick.tick().await;
        assert!(begun.elapsed() < Duration::from_mins(30), "{url} did not come to it within half an hour");
        if let Some((200, text)) = kit::get(url).await
            && wanted(&text)
        {
            return begun.elapsed();
        }
    }
}

/// User and system time of a process so far (Linux, 100 ticks a second).
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

fn peak_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1_024.0
}
