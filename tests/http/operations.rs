//! `/-/`, metrics pages, who may write, faults, the end.

use std::process::{Command, Stdio};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fake::{Fake, finding};
use crate::server::Server;

#[tokio::test]
async fn health_and_readiness_are_told_apart() {
    let server = Server::start().await;
    assert_eq!(server.get("/-/healthy").await.json(), json!({"status": "healthy"}));
    assert_eq!(server.get("/-/ready").await.json(), json!({"status": "ready"}));
    *server.fake.missing.lock().unwrap() = Some("page tiers of 3 SLOs were not judged yet".into());
    let answer = server.get("/-/ready").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert!(answer.text.contains("page tiers of 3 SLOs"));
    assert_eq!(server.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_reload_is_taken_or_refused_with_the_findings() {
    let server = Server::start().await;
    let taken = server.post("/-/reload", &[], vec![]).await;
    assert_eq!((taken.status, &taken.json()["reload_ok"]), (200, &json!(true)));
    *server.fake.findings.lock().unwrap() = vec![finding()];
    let refused = server.post("/-/reload", &[], vec![]).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_files"));
    assert_eq!(
        refused.json()["error"]["detail"],
        json!({"findings": [{
            "code": "SLO001", "severity": "error", "message": "`objectiv` is not a key", "help": "did you mean `objective`?",
            "file": "slos/a.yaml", "line": 7, "column": 5, "end_line": 7, "end_column": 12, "path": "/slos/0", "slo": null,
        }]})
    );
    assert_eq!(server.get("/-/reload").await.status, 405);
}

#[tokio::test]
async fn a_refused_reload_names_its_first_error_before_what_is_only_a_warning() {
    let server = Server::start().await;
    let mut warning = finding();
    (warning.severity, warning.message) = (slo::diag::Severity::Warning, "an owner has no contact".into());
    assert!(!server.get("/").await.text.contains("reload was refused"));
    *server.fake.findings.lock().unwrap() = vec![warning, finding()];
    let refused = server.post("/-/reload", &[], vec![]).await.json();
    let message = "the files do not pass: slos/a.yaml:7:5: error[SLO001]: `objectiv` is not a key and 1 more finding; \
                   the old set stays in use";
    assert_eq!(refused["error"]["message"], message);
    let severity =
        |index: usize| refused["error"]["detail"]["findings"][index]["severity"].as_str().unwrap().to_owned();
    assert_eq!((severity(0), severity(1)), ("error".to_owned(), "warning".to_owned()));
    for page in ["/", "/health"] {
        let shown = server.get(page).await.text;
        assert!(shown.contains("The last reload was refused") && shown.contains("`objectiv` is not a key"), "{page}");
    }
}

#[tokio::test]
async fn bodies_are_bounded() {
    let server = Server::start().await;
    let answer = server.post("/-/reload", &[], vec![b'x'; 100_000]).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "bad_body"));
}

#[tokio::test]
async fn writes_are_open_on_loopback_only() {
    let server = Server::of(Fake::default(), "0.0.0.0:0").await;
    // Before anything else is looked at: whether the address is there, or takes the method.
    for path in ["/-/reload", "/api/v1/slos", "/nothing"] {
        let answer = server.post(path, &[], vec![]).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
    }
    assert_eq!(server.get("/api/v1/slos").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_write() {
    let server = Server::start().await;
    let answer = server.post("/-/reload", &[("sec-fetch-site", "cross-site")], vec![]).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "cross_site"));
    assert_eq!(server.post("/-/reload", &[("sec-fetch-site", "same-origin")], vec![]).await.status, 200);
}

#[tokio::test]
async fn a_page_whose_name_was_led_to_loopback_cannot_write() {
    let mut fake = Fake::default();
    fake.external_url = "https://SLO.example/x".into();
    let server = Server::of(fake, "127.0.0.1:0").await;
    for host in ["evil.example:9777", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
        // For the browser it is of one origin.
        let headers = [("host", host), ("sec-fetch-site", "same-origin")];
        let answer = server.post("/-/reload", &headers, vec![]).await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "cross_site"), "{host}");
    }
    for host in ["127.0.0.1:9777", "[::1]:9777", "localhost:9777", "LOCALHOST", "slo.example", "slo.example:8443"] {
        assert_eq!(server.post("/-/reload", &[("host", host)], vec![]).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_fault_is_one_answer_and_the_service_goes_on() {
    let server = Server::start().await;
    *server.fake.panics.lock().unwrap() = true;
    let answer = server.get("/api/v1/slos").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    assert!(!answer.text.contains("told to panic"));
    *server.fake.panics.lock().unwrap() = false;
    assert_eq!(server.get("/api/v1/slos").await.status, 200);
}

#[tokio::test]
async fn the_page_of_slos_reads_back() {
    let server = Server::start().await;
    let answer = server.get("/metrics/slos").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let lines = answer.text.lines().map(|line| Ok(line.to_owned()));
    let page = prometheus_parse::Scrape::parse(lines).unwrap();
    let value = |name: &str, labels: &[(&str, &str)]| {
        let found: Vec<_> = page
            .samples
            .iter()
            .filter(|sample| {
                sample.metric == name && labels.iter().all(|(name, value)| sample.labels.get(name) == Some(*value))
            })
            .collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}");
        match found[0].value {
            prometheus_parse::Value::Gauge(value) | prometheus_parse::Value::Counter(value) => value,
            ref other => panic!("{other:?}"),
        }
    };
    let eu = [("slo_service", "checkout"), ("slo_name", "availability"), ("region", "eu")];
    let with = |more: &[(&'static str, &'static str)]| [eu.as_slice(), more].concat();
    for (name, labels, expected) in [
        ("slo_objective_ratio", with(&[]), 0.999),
        ("slo_error_ratio", with(&[("window", "1h")]), 0.031_25),
        ("slo_error_ratio", with(&[("window", "5m")]), 38.0 / 1_200.0),
        ("slo_error_ratio", with(&[("window", "30d")]), 12_903.0 / 10_002_315.0),
        ("slo_burn_rate", with(&[("window", "1h")]), 31.25),
        ("slo_coverage_ratio", with(&[("window", "3d")]), 1.0),
        ("slo_error_budget_remaining_ratio", with(&[]), 1.0 - 12_903.0 / 10_002.315),
        ("slo_events_total", with(&[("outcome", "bad")]), 450.0),
        ("slo_events_total", with(&[("outcome", "good")]), 13_950.0),
        ("slo_alert_state", with(&[("severity", "page"), ("kind", "burn")]), 2.0),
        ("slo_alert_state", with(&[("severity", "page"), ("kind", "down")]), 0.0),
        ("slo_alert_state", with(&[("severity", "ticket"), ("kind", "no_data")]), 0.0),
    ] {
        let found = value(name, &labels);
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{name} {labels:?}: {found} is not {expected}");
    }
    let pending = [("slo_service", "search"), ("slo_name", "availability"), ("severity", "page"), ("kind", "down")];
    assert!((value("slo_alert_state", &pending) - 1.0).abs() < f64::EPSILON);
    let nasty = r#"slo_objective_ratio{slo_name="markup",slo_service="shop",exported_window="w",path="<script>alert(\"1\")</script>\\\n{é}"} 0.999"#;
    assert!(answer.text.contains(nasty), "{}", answer.text.lines().find(|line| line.contains("markup")).unwrap());
    for name in [
        "slo_objective_ratio",
        "slo_error_ratio",
        "slo_burn_rate",
        "slo_error_budget_remaining_ratio",
        "slo_events_total",
        "slo_alert_state",
        "slo_coverage_ratio",
    ] {
        assert_eq!(answer.text.matches(&format!("# HELP {name} ")).count(), 1);
        assert_eq!(answer.text.matches(&format!("# TYPE {name} ")).count(), 1);
    }
    promtool(&answer.text);
}

#[tokio::test]
async fn what_was_never_measured_has_no_ratio_and_no_budget() {
    let server = Server::of(Fake::default().with_sloth_names(), "127.0.0.1:0").await;
    let text = server.get("/metrics/slos").await.text;
    let names = |label: &str| -> Vec<&str> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(label));
        let mut names: Vec<&str> = lines.map(|line| line.split('{').next().unwrap()).collect();
        names.dedup();
        names
    };
    assert_eq!(
        names("slo_service=\"catalog\""),
        ["slo_objective_ratio", "slo_events_total", "slo_alert_state", "slo_coverage_ratio"]
    );
    assert_eq!(
        names("sloth_service=\"catalog\""),
        ["slo:error_budget:ratio", "slo:objective:ratio", "slo:time_period:days", "sloth_slo_info"]
    );
}

#[tokio::test]
async fn sloths_names_stand_there_when_asked_for() {
    assert!(!Server::start().await.get("/metrics/slos").await.text.contains("sloth"));
    let server = Server::of(Fake::default().with_sloth_names(), "127.0.0.1:0").await;
    let text = server.get("/metrics/slos").await.text;
    // What Sloth's rules record: name, `sloth_window`, value; 5m to 3d are the windows of the tiers, 30d is the period.
    let windowed = [
        ("slo:sli_error:ratio_rate5m", "5m", 38.0 / 1_200.0),
        ("slo:sli_error:ratio_rate30m", "30m", 224.0 / 7_200.0),
        ("slo:sli_error:ratio_rate1h", "1h", 450.0 / 14_400.0),
        ("slo:sli_error:ratio_rate2h", "2h", 520.0 / 28_800.0),
        ("slo:sli_error:ratio_rate6h", "6h", 640.0 / 86_400.0),
        ("slo:sli_error:ratio_rate1d", "1d", 898.0 / 345_600.0),
        ("slo:sli_error:ratio_rate3d", "3d", 1_555.0 / 1_036_800.0),
        ("slo:sli_error:ratio_rate30d", "30d", 12_903.0 / 10_002_315.0),
        ("slo:current_burn_rate:ratio", "5m", 38.0 / 1.2),
        ("slo:period_burn_rate:ratio", "30d", 12_903.0 / 10_002.315),
        ("slo:period_error_budget_remaining:ratio", "30d", 1.0 - 12_903.0 / 10_002.315),
    ];
    let ids = r#"region="eu",sloth_id="checkout-availability",sloth_service="checkout",sloth_slo="availability""#;
    let value = |series: &str| -> f64 {
        let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).collect();
        assert_eq!(found.len(), 1, "{series}");
        found[0].parse().unwrap()
    };
    for (name, window, expected) in windowed {
        let found = value(&format!(r#"{name}{{{ids},sloth_window="{window}",tier="1"}}"#));
        assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{name}: {found} is not {expected}");
        assert_eq!(text.matches(&format!("# TYPE {name} gauge\n")).count(), 1);
    }
    for (name, expected) in
        [("slo:objective:ratio", 0.999), ("slo:error_budget:ratio", 0.001), ("slo:time_period:days", 30.0)]
    {
        let found = value(&format!(r#"{name}{{{ids},tier="1"}}"#));
        assert_eq!(found.to_bits(), f64::to_bits(expected), "{name}");
    }
    let info = text.lines().find(|line| line.starts_with("sloth_slo_info{region=\"eu\"")).unwrap();
    assert!(info.contains(r#"sloth_objective="99.9""#) && info.ends_with("} 1"), "{info}");
    let nasty = r#"slo:objective:ratio{_i_="'quoted'",path="<script>alert(\"1\")</script>\\\n{é}","#;
    assert!(text.contains(nasty), "{text}");
}

#[tokio::test]
async fn sloths_windows_stay_where_its_alerts_are_disabled() {
    let series = async |fake: Fake| -> Vec<String> {
        let text = Server::of(fake, "127.0.0.1:0").await.get("/metrics/slos").await.text;
        let windowed = text.lines().filter(|line| line.contains("sloth_window=") && !line.starts_with('#'));
        windowed.map(str::to_owned).collect()
    };
    let all = series(Fake::default().with_sloth_names()).await;
    assert!(all.iter().any(|line| line.starts_with("slo:current_burn_rate:ratio") && line.contains("\"5m\"")));
    assert_eq!(series(Fake::default().with_sloth_names().with_pages_disabled()).await, all);
}

#[tokio::test]
async fn the_page_of_our_own_health_reads_back() {
    let server = Server::start().await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.contains("slo_source_up{source=\"prometheus\"} 1\n"), "{}", answer.text);
    let lines = answer.text.lines().map(|line| Ok(line.to_owned()));
    assert!(prometheus_parse::Scrape::parse(lines).unwrap().samples.len() > 5);
    promtool(&answer.text);
}

/// Prometheus' own opinion, where its tool is installed; with `SLO_TESTS_REQUIRE_SERVERS=1` it has to be.
#[expect(clippy::print_stdout, reason = "says that it skips")]
fn promtool(page: &str) {
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        let required = std::env::var_os("SLO_TESTS_REQUIRE_SERVERS").is_some_and(|value| value == "1");
        assert!(!required, "`promtool` is not installed, and SLO_TESTS_REQUIRE_SERVERS=1");
        println!("skipped: `promtool` is not installed");
        return;
    };
    let mut input = child.stdin.take().unwrap();
    let page = page.to_owned();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, page.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[tokio::test]
async fn it_ends_when_told_and_answers_what_was_asked_before() {
    let server = Server::start().await;
    // A connection that is idle between requests, and one whose request has only begun.
    let mut idle = TcpStream::connect(&server.address).await.unwrap();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let address = server.address.clone();
    server.stop().await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(&address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn rubbish_is_400_and_harms_nobody() {
    let server = Server::start().await;
    for rubbish in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(rubbish).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A reset is as good an answer as 400.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4") || answer.starts_with(b"HTTP/1.1 5"));
    }
    assert_eq!(server.get("/-/healthy").await.status, 200);
}
