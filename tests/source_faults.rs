//! Servers that misbehave: every failure is a clear error of the right kind, in time, without a secret in it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod kit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use slo::config::meant::{Auth, Flavour, HistoryMode, SecretRef, SourceConfig, SourceKind};
use slo::engine::observation::Sample;
use slo::secret::Secrets;
use slo::source::{Answer, BuildError, HistoryPath, HistorySink, Source, SourceError, SourceErrorKind, Stretch, build};
use slo::spec::policy::AlertSeverity;
use slo::spec::selector::Selector;
use slo::telemetry::Telemetry;
use slo::units::{Labels, Length, Timestamp};
use tokio::time::timeout;

use kit::fault::{EMPTY, Fault, Reply, answer, json};
use kit::free_port;

const TO: Timestamp = Timestamp::from_seconds(1_790_000_000);
const TIMEOUT: Length = Length::from_seconds(2);

fn config(urls: &[String]) -> SourceConfig {
    SourceConfig {
        kind: SourceKind::Prometheus { flavour: Flavour::Prometheus, urls: urls.to_vec(), history: HistoryMode::Auto },
        delay: Length::from_seconds(15),
        timeout: TIMEOUT,
        concurrency: 4,
        interval: Length::from_seconds(30),
        gap: Length::from_minutes(5),
        lateness: Length::from_minutes(5),
        headers: BTreeMap::new(),
        auth: None,
        alert_after: Length::from_minutes(5),
        alert_severity: AlertSeverity::Page,
    }
}

fn try_build(config: &SourceConfig) -> Result<Arc<dyn Source>, BuildError> {
    let secrets = Arc::new(Secrets::new(|name| (name == "TOKEN").then(|| "s3cret".to_owned())));
    build("prometheus", config, &secrets, &Telemetry::default())
}

fn selector() -> Selector {
    Selector { metric: "r_total".to_owned(), matchers: Vec::new(), bucket: None }
}

async fn ask(config: &SourceConfig) -> Result<Answer, SourceError> {
    let source = try_build(config).unwrap();
    let wanted = selector();
    let asked = source.samples(&wanted, TO - Length::from_minutes(5), TO);
    timeout(Duration::from_mins(1), asked).await.expect("an answer or an error in time")
}

/// The error of a server that answers so.
async fn error_of(reply: Reply) -> SourceError {
    let server = Fault::start(move |_| reply.clone()).await;
    let error = ask(&config(&[server.url()])).await.unwrap_err();
    assert_eq!(server.requests(), 1, "one request, no retry: {error}");
    assert!(error.doing.contains(&server.url()) && error.doing.contains("`r_total[5m]`"), "{error}");
    error
}

async fn error_of_status(status: &str, body: &str) -> (SourceErrorKind, String) {
    let error = error_of(Reply::Bytes(answer(status, &[("content-type", "text/plain")], body.as_bytes()))).await;
    (error.kind, error.problem)
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_the_cause() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let error = ask(&config(std::slice::from_ref(&url))).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::Unreachable);
    assert!(error.doing.contains(&url) && error.problem.contains("refused"), "{error}");
}

#[tokio::test]
async fn statuses_have_their_kind_and_the_servers_words() {
    use SourceErrorKind::{Rejected, Unauthorized, Unavailable};
    for (status, body, kind, words) in [
        ("401 Unauthorized", "who are you", Unauthorized, "who are you; see `auth`"),
        ("403 Forbidden", "", Unauthorized, "access is refused (403 Forbidden); see `auth`"),
        ("404 Not Found", "404 page not found", Rejected, "is the address right?"),
        ("429 Too Many Requests", "slow down", Unavailable, "slow down"),
        ("500 Internal Server Error", "", Unavailable, "the server failed (500 Internal Server Error)"),
        (
            "503 Service Unavailable",
            r#"{"status":"error","error":"query timed out"}"#,
            Unavailable,
            ": query timed out",
        ),
        ("422 Unprocessable Entity", r#"{"error":"cannot parse \"x\""}"#, Rejected, r#": cannot parse "x""#),
        ("502 Bad Gateway", "<html><body>secret page</body></html>", Unavailable, "(502 Bad Gateway)"),
    ] {
        let (was, problem) = error_of_status(status, body).await;
        assert_eq!(was, kind, "{status}: {problem}");
        assert!(problem.contains(words) && !problem.contains("secret page"), "{status}: {problem}");
    }
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let trap = Fault::start(|_| Reply::Bytes(json(EMPTY))).await;
    let location = format!("{}/login?token=abc", trap.url());
    let error = error_of(Reply::Bytes(answer("302 Found", &[("location", &location)], b""))).await;
    assert_eq!(error.kind, SourceErrorKind::Malformed);
    assert!(error.problem.contains(&format!("a redirect to `{}/login`", trap.url())), "{error}");
    assert!(!error.to_string().contains("abc") && trap.requests() == 0, "{error}");
}

#[tokio::test]
async fn what_is_no_answer_of_the_api_is_said_to_be_none() {
    let page =
        answer("200 OK", &[("content-type", "text/html; charset=utf-8")], b"<!doctype html><title>Log in</title>");
    let error = error_of(Reply::Bytes(page)).await;
    assert!(error.kind == SourceErrorKind::Malformed && error.problem.starts_with("an HTML page came"), "{error}");
    for body in [
        "",
        "null",
        "rubbish",
        "{\"status\":",
        "\u{0}\u{1}\u{2}",
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    ] {
        let error = error_of(Reply::Bytes(json(body))).await;
        assert_eq!(error.kind, SourceErrorKind::Malformed, "{body}: {error}");
        assert!(!error.problem.contains('\u{1}'), "{error}");
    }
    let error = error_of(Reply::Bytes(b"\x00\x01 not http at all\r\n\r\n".to_vec())).await;
    assert_eq!(error.kind, SourceErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn silence_and_drips_end_with_the_timeout() {
    for reply in [
        Reply::Hang(Vec::new()),
        Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        Reply::Drip(json(&EMPTY.replace("[]", &format!("[{}]", " ".repeat(5_000)))), Duration::from_millis(50)),
    ] {
        let error = error_of(reply).await;
        assert_eq!(error.kind, SourceErrorKind::Timeout, "{error}");
        assert!(error.problem.contains("within the timeout of 2s"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_unreachable() {
    for reply in [
        Reply::Reset(Vec::new()),
        Reply::Reset(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_vec()),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_vec()),
    ] {
        let error = error_of(reply).await;
        assert_eq!(error.kind, SourceErrorKind::Unreachable, "{error}");
    }
}

#[tokio::test]
async fn an_answer_of_100_megabytes_is_refused() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n".to_vec();
    let mut patient = config(&[]);
    patient.timeout = Length::from_seconds(30);
    let server = Fault::start(move |_| Reply::Repeat(head.clone(), vec![b' '; 1024 * 1024], 100)).await;
    patient.kind = config(&[server.url()]).kind;
    let error = ask(&patient).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::TooLarge);
    assert!(error.problem.contains("larger than 64 MiB"), "{error}");
}

/// CRC-32 of gzip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// gzip without compression: one stored block.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut packed = GZIP_HEAD.to_vec();
    packed.push(1);
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(bytes);
    packed.extend(crc32(bytes).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

/// gzip of a blank, repeated 258 times again and again: 13 bits each.
fn bomb(megabytes: usize) -> Vec<u8> {
    // Fixed codes: last block, type 1, the literal 0x20, then length 258 (code 285) at distance 1.
    let mut bits = vec![true, true, false];
    let code = |bits: &mut Vec<bool>, code: u32, length: u32| {
        bits.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    };
    code(&mut bits, 0x30 + 0x20, 8);
    for _ in 0..megabytes * 1024 * 1024 / 258 {
        code(&mut bits, 0b1100_0101, 8);
        code(&mut bits, 0, 5);
    }
    let bytes = bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |all, (bit, on)| all | u8::from(*on) << bit));
    GZIP_HEAD.into_iter().chain(bytes).collect()
}

#[tokio::test]
async fn gzip_is_read_bounded_and_broken_gzip_is_said() {
    let packed =
        |body: &[u8]| answer("200 OK", &[("content-type", "application/json"), ("content-encoding", "gzip")], body);
    let good = packed(&gzip(EMPTY.as_bytes()));
    let server = Fault::start(move |request| {
        assert!(request.to_ascii_lowercase().contains("accept-encoding: gzip"), "{request}");
        Reply::Bytes(good.clone())
    })
    .await;
    assert!(ask(&config(&[server.url()])).await.unwrap().series.is_empty());
    let large = packed(&bomb(80));
    assert!(large.len() < 1024 * 1024, "{} bytes", large.len());
    let server = Fault::start(move |_| Reply::Bytes(large.clone())).await;
    let mut patient = config(&[server.url()]);
    patient.timeout = Length::from_seconds(30);
    let error = ask(&patient).await.unwrap_err();
    assert_eq!(error.kind, SourceErrorKind::TooLarge, "{error}");
    let error = error_of(Reply::Bytes(packed(b"this is not gzip at all"))).await;
    assert_eq!(error.kind, SourceErrorKind::Malformed, "{error}");
}

#[tokio::test]
async fn a_secret_that_changed_is_tried_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old\n").unwrap();
    let file = path.clone();
    let server = Fault::start(move |request| {
        if request.contains("authorization: Bearer new") {
            return Reply::Bytes(json(EMPTY));
        }
        std::fs::write(&file, "new\n").unwrap();
        Reply::Bytes(answer("401 Unauthorized", &[], b""))
    })
    .await;
    let mut config = config(&[server.url()]);
    config.auth = Some(Auth::Bearer(SecretRef::File(path)));
    assert!(ask(&config).await.is_ok());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn logging_in_and_headers_reach_the_server_and_no_error() {
    let server = Fault::start(|request| {
        let basic = request.contains("authorization: Basic c2xvOnMzY3JldA==");
        let header = request.contains("x-scope-orgid: shop");
        let post = request.starts_with("POST /prom/api/v1/query HTTP/1.1") && request.contains("query=r_total");
        if basic && header && post {
            Reply::Bytes(json(EMPTY))
        } else {
            Reply::Bytes(answer("403 Forbidden", &[], b""))
        }
    })
    .await;
    let mut config = config(&[format!("{}/prom/", server.url())]);
    config.headers.insert("X-Scope-OrgID".to_owned(), "shop".to_owned());
    config.auth = Some(Auth::Basic { user: "slo".to_owned(), password: SecretRef::Env("TOKEN".to_owned()) });
    assert!(ask(&config).await.is_ok());
    config.auth = Some(Auth::Bearer(SecretRef::Env("TOKEN".to_owned())));
    let error = ask(&config).await.unwrap_err();
    assert!(error.kind == SourceErrorKind::Unauthorized && !error.to_string().contains("s3cret"), "{error}");
    config.auth = Some(Auth::Bearer(SecretRef::Env("MISSING".to_owned())));
    let before = server.requests();
    let error = ask(&config).await.unwrap_err();
    assert!(error.kind == SourceErrorKind::Unauthorized && error.problem.contains("MISSING"), "{error}");
    assert_eq!(server.requests(), before, "without its secret nothing is sent");
    let port = free_port();
    config.auth = None;
    config.kind = self::config(&[format!("http://slo:s3cret@127.0.0.1:{port}/")]).kind;
    let error = ask(&config).await.unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_built_says_why() {
    for (url, words) in [
        ("not an address", "is not an address"),
        ("127.0.0.1:9090", "did you mean http://127.0.0.1:9090?"),
        ("localhost:9090/prometheus", "did you mean http://localhost:9090/prometheus?"),
        ("metrics.example", "did you mean http://metrics.example?"),
        ("ftp://h/", "is not an http or https address"),
        ("unix:/run/x", "is not an http or https address"),
    ] {
        let error = try_build(&config(&[url.to_owned()])).err().unwrap();
        assert!(error.to_string().starts_with("source `prometheus`: ") && error.problem.contains(words), "{error}");
    }
    let mut bad = config(&["http://h".to_owned()]);
    bad.headers.insert("X-Key".to_owned(), "s3cret\n".to_owned());
    let error = try_build(&bad).err().unwrap();
    assert_eq!(error.problem, "the value of header `x-key` cannot be sent");
    assert!(try_build(&config(&[])).err().unwrap().problem.contains("`urls` is empty"));
}

#[tokio::test]
async fn a_broken_address_of_a_pair_is_passed_over_and_a_bad_question_is_not_asked_twice() {
    let good = Fault::start(|_| Reply::Bytes(json(EMPTY))).await;
    for reply in [
        Reply::Bytes(answer("503 Service Unavailable", &[], b"")),
        Reply::Bytes(answer("200 OK", &[("content-type", "text/html")], b"<html>")),
        Reply::Reset(Vec::new()),
    ] {
        let bad = Fault::start(move |_| reply.clone()).await;
        let answer = ask(&config(&[bad.url(), good.url()])).await.unwrap();
        assert_eq!(answer.replica, Some(format!("{}/", good.url())));
    }
    let picky = Fault::start(|_| Reply::Bytes(answer("400 Bad Request", &[], br#"{"error":"parse error"}"#))).await;
    let before = good.requests();
    let error = ask(&config(&[picky.url(), good.url()])).await.unwrap_err();
    assert!(error.kind == SourceErrorKind::Rejected && good.requests() == before, "{error}");
    let (one, two) = (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}", free_port()));
    let error = ask(&config(&[one.clone(), two.clone()])).await.unwrap_err().to_string();
    assert!(error.contains(&one) && error.contains(&two), "{error}");
}

#[tokio::test]
async fn no_more_requests_are_out_at_once_than_configured() {
    let server = Fault::start(|_| Reply::Drip(json(EMPTY), Duration::from_millis(1))).await;
    let mut config = config(&[server.url()]);
    config.concurrency = 2;
    config.timeout = Length::from_seconds(30);
    let source = try_build(&config).unwrap();
    let wanted = selector();
    let asked = (0..8).map(|_| source.samples(&wanted, TO - Length::from_minutes(5), TO));
    assert!(join_all(asked).await.iter().all(Result::is_ok));
    assert_eq!((server.requests(), server.most_at_once()), (8, 2));
}

#[derive(Default)]
struct Nothing(usize);

impl HistorySink for Nothing {
    fn series(&mut self, _: Arc<Labels>, _: Vec<Sample>, _: Vec<(Timestamp, Timestamp)>) {
        self.0 += 1;
    }
}

async fn history_of(mode: HistoryMode, read: Reply) -> (Result<HistoryPath, SourceError>, usize) {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let server = Fault::start(move |request| {
        if request.starts_with("POST /api/v1/read ") {
            counted.fetch_add(1, Ordering::SeqCst);
            return read.clone();
        }
        let series = r#"{"status":"success","data":[{"__name__":"r_total"}]}"#;
        Reply::Bytes(json(if request.starts_with("POST /api/v1/series ") { series } else { EMPTY }))
    })
    .await;
    let mut config = config(&[]);
    config.kind = SourceKind::Prometheus { flavour: Flavour::Prometheus, urls: vec![server.url()], history: mode };
    let source = try_build(&config).unwrap();
    let from = TO - Length::from_hours(6);
    let stretch = Stretch { from, to: TO, gap: Length::from_minutes(5), fine_after: from, raw_after: from };
    let mut sink = Nothing::default();
    let wanted = selector();
    let first = source.history(&[&wanted], &stretch, &mut sink).await;
    if mode == HistoryMode::Auto && first.is_ok() {
        source.history(&[&wanted], &stretch, &mut sink).await.unwrap();
    }
    (first, reads.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_store_without_remote_read_is_asked_by_queries_and_not_tried_again() {
    for status in ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"] {
        let (path, reads) = history_of(HistoryMode::Auto, Reply::Bytes(answer(status, &[], b""))).await;
        assert_eq!((path, reads), (Ok(HistoryPath::Queries), 1), "{status}");
        let (error, _) = history_of(HistoryMode::RemoteRead, Reply::Bytes(answer(status, &[], b""))).await;
        assert_eq!(error.unwrap_err().kind, SourceErrorKind::Unsupported);
    }
    let (path, reads) = history_of(HistoryMode::Query, Reply::Hang(Vec::new())).await;
    assert_eq!((path, reads), (Ok(HistoryPath::Queries), 0));
}

#[tokio::test]
async fn a_stream_that_misbehaves_is_an_error_and_hands_nothing_out() {
    let streamed = |body: &[u8]| {
        let kind = ("content-type", "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
        answer("200 OK", &[kind], body)
    };
    let wrong_sum = [3, 0, 0, 0, 0, b'a', b'b', b'c'];
    for (reply, kind) in [
        (Reply::Bytes(streamed(&wrong_sum)), SourceErrorKind::Malformed),
        (Reply::Bytes(streamed(&[200, 1, 0, 0])), SourceErrorKind::Unreachable),
        (Reply::Bytes(streamed(&[0xff; 20])), SourceErrorKind::Malformed),
        (Reply::Bytes(answer("200 OK", &[("content-type", "text/html")], b"<html>")), SourceErrorKind::Malformed),
        (
            Reply::Bytes(answer("200 OK", &[("content-type", "application/x-protobuf")], b"rubbish")),
            SourceErrorKind::Malformed,
        ),
        (
            Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-streamed-protobuf\r\n\r\n".to_vec()),
            SourceErrorKind::Timeout,
        ),
        (Reply::Bytes(answer("503 Service Unavailable", &[], b"busy")), SourceErrorKind::Unavailable),
    ] {
        let (result, reads) = history_of(HistoryMode::RemoteRead, reply).await;
        assert_eq!((result.unwrap_err().kind, reads), (kind, 1));
    }
}

#[test]
fn a_server_that_has_to_be_there_and_is_not_is_a_failure_and_no_skip() {
    let nowhere = std::ffi::OsStr::new("");
    let missing =
        |binary: &'static str, required| std::panic::catch_unwind(move || kit::find_in(nowhere, binary, required));
    for debian in ["prometheus", "promtool", "prometheus-alertmanager", "prometheus-node-exporter"] {
        assert_eq!(missing(debian, false).unwrap(), None);
        assert!(missing(debian, true).is_err(), "{debian}");
    }
    for other in ["victoria-metrics", "vmalert"] {
        assert_eq!(missing(other, true).unwrap(), None, "no package of `.ci/run` brings `{other}`");
    }
}
