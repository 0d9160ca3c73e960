//! `slo init --from` against a real Prometheus: what it writes is what two days of several jobs would have met with a
//! step to spare, passes `slo check`, and leaves what is there alone.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod kit;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use kit::prometheus::{Options, Prometheus};
use kit::remote_write::Loaded;
use slo::clock::Clock;
use tokio::process::Command;

const STEP: i64 = 30_000;
const STEPS: i64 = 2 * 2_880;

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

/// A series of two days, with the value of each step. It ends in a slice that is complete, so that every step counts.
fn series(labels: &[(&str, &str)], value: impl Fn(i64) -> f64) -> Loaded {
    static NEWEST: LazyLock<i64> = LazyLock::new(|| Clock::system().now().millis() / STEP * STEP - 2 * STEP + 7_000);
    let newest = *NEWEST;
    Loaded::new(labels, (0..=STEPS).map(|step| (newest - (STEPS - step) * STEP, value(step))).collect())
}

/// A counter that grows by so much a step, with one restart half way.
fn counter(name: &str, job: &str, label: (&str, &str), per_step: f64) -> Loaded {
    let labels = [("__name__", name), ("job", job), ("instance", "one"), label];
    series(&labels, |step| per_step * if step < STEPS / 2 { step as f64 } else { (step - STEPS / 2 + 1) as f64 })
}

/// Jobs good and poor, with traffic and without, and one with a name that has to be escaped.
fn jobs() -> Vec<Loaded> {
    let mut all = Vec::new();
    let mut http = |job: &str, codes: &[(&str, f64)]| {
        all.extend(codes.iter().map(|(code, per_step)| counter("http_requests_total", job, ("code", code), *per_step)));
    };
    // 99.93% good: meets 99.9%, and 99.5% with a step to spare. A client's mistakes are not the server's.
    http("checkout", &[("200", 9_893.0), ("404", 100.0), ("503", 7.0)]);
    http("poor", &[("200", 93.0), ("500", 7.0)]);
    http("quiet", &[("200", 0.0)]);
    http("it's \"odd\"/team", &[("200", 10.0)]);
    for (code, per_step) in [("OK", 897.0), ("NotFound", 100.0), ("Internal", 3.0)] {
        all.push(counter("grpc_server_handled_total", "ledger", ("grpc_code", code), per_step));
    }
    for (le, per_step) in [("0.05", 8_000.0), ("0.1", 9_700.0), ("0.25", 9_960.0), ("1", 10_000.0), ("+Inf", 10_000.0)]
    {
        all.push(counter("http_request_duration_seconds_bucket", "checkout", ("le", le), per_step));
    }
    all.push(counter("http_request_duration_seconds_count", "checkout", ("path", "/"), 10_000.0));
    let probe = [("__name__", "probe_success"), ("job", "blackbox"), ("instance", "https://shop.example")];
    all.push(series(&probe, |step| f64::from(u8::from(step % 50 != 0))));
    all.push(counter("process_cpu_seconds_total", "idle", ("mode", "user"), 1.0));
    // Not requests to the job.
    all.push(counter("promhttp_metric_handler_requests_total", "idle", ("code", "200"), 1.0));
    all
}

/// Objective, and the text of each SLO, by service and name, as the written files say.
fn written(folder: &Path) -> BTreeMap<String, (String, String)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder.join("slos")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let after = |text: &str, key: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
            line.split_once(": ").unwrap().1.trim_matches('\'').to_owned()
        };
        let service = after(&text, "service:");
        for item in text.split("  - name: '").skip(1) {
            let name = item.split_once('\'').unwrap().0;
            all.insert(format!("{service}/{name}"), (after(item, "objective:"), item.to_owned()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_what_was_met_with_a_step_to_spare() {
    let Some(server) = Prometheus::start(&Options::external(&[("cluster", "test")])).await else { return };
    server.write(&jobs()).await;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("promises");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("README.md"), "mine\n").unwrap();

    let said = slo(folder.path(), &["init", "promises", "--from", &server.url()]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let slos = written(&home);
    let told: Vec<(&str, &str)> = slos.iter().map(|(id, (objective, _))| (id.as_str(), objective.as_str())).collect();
    assert_eq!(
        told,
        [
            ("blackbox/probe-shop.example", "90%"),
            ("checkout/availability", "99.5%"),
            ("checkout/latency", "99%"),
            ("it-s--odd--team/availability", "99.95%"),
            ("ledger/availability", "99%"),
        ],
        "{}{}",
        said.out,
        said.err
    );
    let text = |id: &str| slos[id].1.as_str();
    assert!(text("checkout/availability").contains(r#"bad: 'http_requests_total{job="checkout",code=~"5.."}'"#));
    assert!(text("checkout/latency").contains("below: 250ms"), "{}", text("checkout/latency"));
    let faults = r#"grpc_code=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss""#;
    assert!(text("ledger/availability").contains(faults));

    // Every event of every step but the first sample, which is where counting begins.
    let row = said.out.lines().find(|line| line.starts_with("checkout/availability")).unwrap();
    assert!(row.contains("99.930%") && row.contains("57,600,000"), "{row}");
    for line in [
        "no SLO: `http_requests_total` of job `poor` had 93.00% good",
        "no SLO: `http_requests_total` of job `quiet` counted nothing",
        "no SLO: no request counter, latency histogram or probe of job `idle`",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    assert!(said.err.contains("5 SLOs of 4 services; next: cd promises && slo check"), "{}", said.err);

    assert_eq!(fs::read_to_string(home.join("README.md")).unwrap(), "mine\n");
    let check = slo(&home, &["check"]).await;
    assert_eq!(check.code, 0, "{}{}", check.out, check.err);
    assert!(fs::read_to_string(home.join("slo.yaml")).unwrap().contains(&server.url()));
    let status = slo(&home, &["status", "--config", "slo.yaml"]).await;
    assert_eq!((status.code, status.out.lines().count()), (0, 6), "{}{}", status.out, status.err);

    let again = slo(folder.path(), &["init", "promises", "--from", &server.url()]).await;
    let files: Vec<&str> = again.out.lines().take_while(|line| !line.is_empty()).collect();
    assert!(again.code == 0 && files.iter().all(|line| line.starts_with("kept ")), "{files:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_had_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}", kit::free_port());
    let down = slo(folder.path(), &["init", "promises", "--from", &nobody]).await;
    assert_eq!((down.code, down.out.as_str()), (2, ""), "{}", down.err);
    assert!(down.err.contains(&nobody), "{}", down.err);
    let secret = slo(folder.path(), &["init", "promises", "--from", "http://me:hunter2@127.0.0.1:1"]).await;
    assert!(secret.code == 2 && !secret.err.contains("hunter2"), "{}", secret.err);
    let rubbish = slo(folder.path(), &["init", "promises", "--from", "prometheus"]).await;
    assert_eq!(rubbish.code, 2, "{}", rubbish.err);

    if let Some(server) = Prometheus::start(&Options::default()).await {
        server.write(&[counter("process_cpu_seconds_total", "idle", ("mode", "user"), 1.0)]).await;
        let empty = slo(folder.path(), &["init", "promises", "--from", &server.url()]).await;
        assert_eq!(empty.code, 1, "{}{}", empty.out, empty.err);
        assert!(empty.out.contains("job `idle`") && empty.err.contains("nothing was written"), "{}", empty.err);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
