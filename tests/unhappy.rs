//! Bad surroundings: a store, a port or files that cannot be used; sources that misbehave; receivers that refuse, hang
//! or are not there; a full disk. Each a clear message, the right exit code, no panic, and nothing that was decided lost.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking"
)]
#![expect(clippy::disallowed_methods, reason = "a test may look at the time, and reads its own server")]

#[path = "service/disk.rs"]
mod disk;
mod kit;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use disk::TinyDisk;
use kit::fault::{Fault, Reply, answer, json};
use serde_json::Value;
use service::{Receiver, Slo, client, eventually};
use shop::{Ports, Shop, metric, signal, slo, slos, write_folder};

/// `slo run` that has to end by itself.
fn refused(folder: &Path) -> (Option<i32>, String) {
    let began = Instant::now();
    let output: Output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["run", "--config", "slo.yaml"])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("SLO_TEST_SECRET")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "it took {:?} to end", began.elapsed());
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code(), text)
}

/// A folder with one SLO, whose configuration is changed as told.
fn folder(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = change(Ports::free().config("slo.db"));
    write_folder(folder.path(), &config, &slos(&[slo("availability", "90%")]));
    folder
}

#[test]
fn a_store_below_a_file_or_that_is_a_folder_is_named_and_ends_with_two() {
    let below = folder(|config| config.replace("path: slo.db", "path: occupied/slo.db"));
    fs::write(below.path().join("occupied"), "a file").unwrap();
    let (code, text) = refused(below.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("occupied/slo.db") && text.contains("cannot be made"), "{text}");
    assert_eq!(fs::read_to_string(below.path().join("occupied")).unwrap(), "a file");

    let is_folder = folder(|config| config.replace("path: slo.db", "path: data"));
    fs::create_dir(is_folder.path().join("data")).unwrap();
    let (code, text) = refused(is_folder.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("data") && text.contains("this is a folder"), "{text}");
}

#[test]
fn a_store_that_is_rubbish_is_named_and_left_as_it_is() {
    let folder = folder(|config| config);
    let rubbish: Vec<u8> = (0..8192_u32).map(|i| (i * 7 % 251).to_le_bytes()[0]).collect();
    fs::write(folder.path().join("slo.db"), &rubbish).unwrap();
    let (code, text) = refused(folder.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("slo.db") && text.contains("this is not a store, left as it is"), "{text}");
    assert_eq!(fs::read(folder.path().join("slo.db")).unwrap(), rubbish);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "nothing was put beside it: {names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_one_store_ends_at_once_with_two_and_the_first_goes_on() {
    let shop = Shop::open().await;
    let second = Ports::free();
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    let own = format!("listen: '127.0.0.1:{}'", shop.ports.slo);
    fs::write(shop.path("second.yaml"), config.replace(&own, &format!("listen: '127.0.0.1:{}'", second.slo))).unwrap();
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(["run", "--config", "second.yaml"])
        .current_dir(&shop.slo.folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("slo.db") && text.contains("another process uses it"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(15), "at once, not after {:?}", began.elapsed());
    shop.break_until_paged().await;
}

#[test]
fn a_port_that_is_taken_is_named_and_ends_with_two() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut ports = Ports::free();
    ports.slo = taken.local_addr().unwrap().port();
    write_folder(folder.path(), &ports.config("slo.db"), &slos(&[slo("availability", "90%")]));
    let (code, text) = refused(folder.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains(&address) && text.contains("server.listen"), "{text}");
    assert!(!folder.path().join("slo.db").exists(), "nothing half done");
}

#[test]
fn files_of_binary_rubbish_and_missing_secrets_are_findings_and_end_with_one() {
    let binary = folder(|config| config);
    let rubbish: Vec<u8> = (0..4096_u32).map(|i| (i * i).to_le_bytes()[0]).collect();
    fs::write(binary.path().join("slos/rubbish.yaml"), rubbish).unwrap();
    let (code, text) = refused(binary.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("slos/rubbish.yaml") && text.contains("error["), "{text}");
    assert!(text.len() < 20_000, "{} characters about one file", text.len());

    let missing = folder(|config| config.replace("/hook'}", "/hook', secret: {env: SLO_TEST_SECRET}}"));
    let (code, text) = refused(missing.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("SLO_TEST_SECRET") && text.contains("is not set"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_slos_it_runs_says_what_to_do_and_takes_the_first_ones_over() {
    let mut shop = Shop::closed().await;
    fs::remove_file(shop.path("slos/shop.yaml")).unwrap();
    shop.start().await;
    assert!(shop.slo.log().contains("no SLOs are loaded"), "{}", shop.slo.log());
    shop.has(1, &[]).await;
    shop.write("slos/shop.yaml", &slos(&[slo("availability", "90%")]));
    shop.has(15, &["availability"]).await;
}

/// One SLO that asks `source`.
fn asking(source: &str) -> String {
    slo(source, "90%") + &format!("    source: {source}\n    alive: none\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_that_misbehave_are_shown_and_paged_for_and_everything_else_goes_on() {
    let html =
        Fault::start(|_| Reply::Bytes(answer("200 OK", &[("content-type", "text/html")], b"<html>hi</html>"))).await;
    let closed = Fault::start(|_| Reply::Bytes(answer("401 Unauthorized", &[], b"who are you"))).await;
    let moved = Fault::start(|_| Reply::Bytes(answer("302 Found", &[("location", "http://else.example/")], b""))).await;
    let huge = Fault::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{\"status\":\"success\",\"data\":";
        Reply::Repeat(head.to_vec(), vec![b' '; 1_000_000], 100)
    })
    .await;
    let drip = Fault::start(|_| {
        let body = " ".repeat(5_000);
        Reply::Drip(json(&body), Duration::from_millis(50))
    })
    .await;
    let gone = format!("http://127.0.0.1:{}", service::free_port());
    let kinds = [
        ("gone", gone, "refused"),
        ("closed", closed.url(), "access is refused (401"),
        ("html", html.url(), "HTML"),
        ("moved", moved.url(), "a redirect to `http://else.example/`, which is not followed"),
        ("huge", huge.url(), "MiB"),
        ("drip", drip.url(), "timeout of 2s"),
    ];
    let mut shop = Shop::closed().await;
    let more: Vec<String> = kinds.iter().map(|(name, url, _)| {
        format!("  {name}: {{type: prometheus, urls: ['{url}'], timeout: 2s, delay: 1s, interval: 1s, gap: 5s, alert: {{after: 3s, severity: page}}}}\n")
    }).collect();
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("sinks:\n", &format!("{}sinks:\n", more.concat())));
    let all: Vec<String> =
        std::iter::once(slo("availability", "90%")).chain(kinds.iter().map(|(name, ..)| asking(name))).collect();
    shop.write("slos/shop.yaml", &slos(&all));
    shop.start().await;
    for (name, _, words) in &kinds {
        let shown = eventually(name, 60, || async {
            let list = shop.slo.json("/api/v1/sources").await?;
            let items = list["items"].as_array().ok_or_else(|| list.to_string())?;
            let source = items.iter().find(|source| source["name"] == *name).cloned().ok_or("not listed")?;
            let message = source["last_error"]["message"].as_str().unwrap_or_default();
            if message.contains(words) { Ok(source) } else { Err(source.to_string()) }
        })
        .await;
        assert_eq!(shown["up"], false, "{shown}");
        assert!(shown["requests_failed"].as_f64().unwrap() > 0.0, "{shown}");
        assert_eq!(metric(&shop.slo, &format!("slo_source_up{{source=\"{name}\"}}")).await, Ok(0.0));
        let source = format!("source/{name}");
        let page =
            shop.hook.wait_for(&source, 60, |body| body["slo"] == source.as_str() && body["state"] == "firing").await;
        assert_eq!((&page["kind"], &page["severity"]), (&"source".into(), &"page".into()), "{page}");
        assert!(page["reason"].as_str().unwrap().contains(words), "{page}");
    }
    let up = metric(&shop.slo, "slo_source_up{source=\"app\"}").await;
    assert_eq!(up, Ok(1.0));
    shop.traffic.set_broken(true);
    let own = |body: &Value| body["slo"] == "checkout/availability" && body["state"] == "firing";
    shop.hook.wait_for("the page of the healthy source", 60, own).await;
    let status = fs::read_to_string(format!("/proc/{}/status", shop.slo.pid().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    let peak: u64 = peak.parse().unwrap();
    assert!(peak < 500_000, "{peak} KiB at the peak, with answers of 100 MB");
    assert!(shop.slo.runs());
    assert!(!shop.slo.log().contains("panicked"), "{}", shop.slo.log());
    assert_eq!(shop.slo.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_refuses_for_good_is_failed_visibly_and_not_tried_again() {
    let shop = Shop::open().await;
    shop.hook.fail_with(Some(400));
    shop.traffic.set_broken(true);
    let failed = eventually("a failed delivery", 60, || async {
        let list = shop.slo.json("/api/v1/deliveries?state=failed").await?;
        list["items"].as_array().and_then(|items| items.first()).cloned().ok_or_else(|| list.to_string())
    })
    .await;
    assert_eq!(failed["next_attempt_at"], Value::Null, "{failed}");
    let attempts = failed["attempts"].as_array().unwrap();
    let last = attempts.last().unwrap();
    assert_eq!((attempts.len(), &last["outcome"]), (1, &"refused".into()), "{failed}");
    assert!(last["message"].as_str().unwrap().contains("400"), "{failed}");
    let alert = shop.slo.json("/api/v1/alerts?state=firing").await.unwrap();
    assert_eq!(alert["items"][0]["deliveries"][0]["state"], "failed", "{alert}");
    let refused = metric(&shop.slo, "slo_deliveries_total{sink=\"hook\",outcome=\"refused\"}").await;
    let failed = metric(&shop.slo, "slo_deliveries_total{sink=\"hook\",outcome=\"failed\"}").await;
    assert!(refused == Ok(1.0) || failed == Ok(1.0), "{refused:?} {failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_that_was_away_has_missed_arrives_once_when_it_is_back() {
    let ports = Ports::free();
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), &ports.config("slo.db"), &slos(&[slo("availability", "90%")]));
    let exporter = service::Exporter::serve(ports.exporter).await;
    let traffic = shop::Traffic::start(exporter);
    let mut service = Slo::new(folder.path(), ports.slo);
    service.start();
    traffic.set_broken(true);
    eventually("three tries", 60, || async {
        let list = service.json("/api/v1/deliveries?state=pending").await?;
        let tries = list["items"][0]["attempts"].as_array().map_or(0, Vec::len);
        if tries >= 3 { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    assert_eq!(metric(&service, "slo_outbox_pending{sink=\"hook\"}").await, Ok(1.0));
    let hook = Receiver::serve(ports.hook).await;
    hook.wait_for("the page", 60, |body| body["state"] == "firing").await;
    traffic.set_broken(false);
    hook.wait_for("the end", 60, |body| body["state"] == "resolved").await;
    let states: Vec<String> = hook.all().iter().map(|received| received.body["state"].to_string()).collect();
    assert_eq!(states, ["\"firing\"", "\"resolved\""]);
}

async fn a_stop_while_the_receiver_hangs(by: &str) {
    let ports = Ports::free();
    let folder = tempfile::tempdir().unwrap();
    write_folder(folder.path(), &ports.config("slo.db"), &slos(&[slo("availability", "90%")]));
    let exporter = service::Exporter::serve(ports.exporter).await;
    let traffic = shop::Traffic::start(exporter);
    // Takes connections and never answers.
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", ports.hook)).await.unwrap();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let hanging = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            open.push(stream);
            let _ = told.send(());
        }
    });
    let mut service = Slo::new(folder.path(), ports.slo);
    service.start();
    traffic.set_broken(true);
    tokio::time::timeout(Duration::from_mins(1), heard.recv()).await.expect("a try").unwrap();
    let began = Instant::now();
    signal(&service, by);
    assert_eq!(service.stop().await, Some(0), "{}", service.log());
    assert!(began.elapsed() < Duration::from_secs(12), "it took {:?}", began.elapsed());
    let why = if by == "INT" { "stopping why=\"interrupted\"" } else { "stopping why=\"SIGTERM\"" };
    assert!(service.log().contains(why), "{}", service.log());
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    let hook = Receiver::serve(ports.hook).await;
    service.start();
    let page = hook.wait_for("the page after the restart", 90, |body| body["state"] == "firing").await;
    traffic.set_broken(false);
    let end = hook.wait_for("its end", 90, |body| body["state"] == "resolved").await;
    assert_eq!(end["alert_id"], page["alert_id"]);
    let states: Vec<Value> = hook.all().iter().map(|received| received.body["transition"].clone()).collect();
    assert_eq!(states, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_while_the_receiver_hangs_ends_within_the_deadline_and_the_page_goes_out_after_the_restart() {
    a_stop_while_the_receiver_hangs("TERM").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_while_the_receiver_hangs_ends_within_the_deadline_and_the_page_goes_out_after_the_restart() {
    a_stop_while_the_receiver_hangs("INT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_decided_while_the_disk_is_full_goes_out_when_there_is_room_again() {
    let Some(disk) = TinyDisk::mount() else { return };
    let mut shop = Shop::closed().await;
    let store = disk.path().join("slo.db");
    shop.write("slo.yaml", &shop.ports.config(store.to_str().unwrap()));
    shop.start().await;
    disk.fill();
    shop.traffic.set_broken(true);
    eventually("the page on the status page", 60, || async {
        let status = shop.of("availability").await["status"].clone();
        if status == "page" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    eventually("errors of the store", 60, || async {
        let errors = metric(&shop.slo, "slo_store_errors_total").await?;
        if errors > 0.0 { Ok(()) } else { Err(format!("{errors}")) }
    })
    .await;
    assert!(shop.slo.log().contains("the disk is full"), "{}", shop.slo.log());
    assert_eq!(shop.firings(), 0, "nothing is sent that is not written");
    assert_eq!(client().get(format!("http://{}/-/healthy", shop.slo.address)).send().await.unwrap().status(), 200);
    disk.make_room();
    let page = shop.hook.wait_for("the page", 60, |body| body["state"] == "firing").await;
    shop.traffic.set_broken(false);
    shop.end_of(&page["alert_id"], 60).await;
    assert_eq!(shop.firings(), 1);
    assert_eq!(shop.slo.stop().await, Some(0));
}
