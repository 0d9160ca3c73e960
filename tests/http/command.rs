//! `slo status` and `slo alerts` against the real server over the fake service.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::fake::{INSTANCES, PAGE};
use crate::fake_people::DIGEST;
use crate::server::Server;

/// What a verb said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs a verb against a server.
pub async fn slo(server: &str, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(arguments)
        .env("SLO_SERVER", format!("http://{server}"))
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn the_status_lists_worst_first_without_escapes_in_a_pipe() {
    let server = Server::start().await;
    let said = slo(&server.address, &["status"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), INSTANCES + 1);
    assert!(lines[0].starts_with("STATUS"));
    assert!(
        lines[1].starts_with("▲ Page") && lines[1].contains(r#"checkout/availability{region="eu"}"#),
        "{}",
        lines[1]
    );
    for words in ["99.9% 30d", "-29%", "1h 31.2", "page, ticket held back"] {
        assert!(lines[1].contains(words), "{words}: {}", lines[1]);
    }
    assert!(lines[2].contains("checkout/latency (frozen, estimated)"));
    assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'));
    assert!(said.err.contains("200 SLOs as of 2026-11-21 03:00:00 UTC: 1 page, 1 ticket"), "{}", said.err);
    assert!(said.err.trim_end().ends_with("4 firing; `slo alerts list --state firing` says why"), "{}", said.err);
}

#[tokio::test]
async fn the_status_as_json_is_the_object_of_the_api() {
    let server = Server::start().await;
    let said = slo(&server.address, &["status", "--format", "json"]).await;
    assert_eq!(said.code, 0);
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown, server.get("/api/v1/slos").await.json());
}

#[tokio::test]
async fn the_status_is_narrowed_by_id_service_and_pattern() {
    let server = Server::start().await;
    let said = slo(&server.address, &["status", "search", "*/latency", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    let ids: Vec<&str> = shown["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["checkout/latency", "search/freshness", "search/availability"]);
    assert_eq!(shown["total"], json!(3));
    let nothing = slo(&server.address, &["status", "nope"]).await;
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
    assert_eq!(nothing.err, "no SLO is `nope`; `slo status` lists all\n");
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_code_2_and_says_what_to_do() {
    for arguments in [&["status"][..], &["alerts", "list"], &["alerts", "show", "x"]] {
        let said = slo("127.0.0.1:1", arguments).await;
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}");
        assert!(said.err.contains("is `slo run` running there?") && said.err.contains("--server"), "{}", said.err);
    }
    // Something else listens there.
    let server = Server::start().await;
    let said = slo(&format!("{}/alerts?x=", server.address), &["status"]).await;
    assert_eq!(said.code, 2, "{}", said.err);
    let said = slo("", &["status"]).await;
    assert!(said.code == 2 && said.err.contains("is not an"), "{}", said.err);
}

#[tokio::test]
async fn alerts_are_listed_and_shown() {
    let server = Server::start().await;
    let said = slo(&server.address, &["alerts", "list", "--state", "firing", "--severity", "page"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.lines().count(), 3);
    assert!(said.out.contains("pages above 14.4") && said.out.contains("source/backup"));
    let json: Value =
        serde_json::from_str(&slo(&server.address, &["alerts", "list", "--format", "json"]).await.out).unwrap();
    assert_eq!(json, server.get("/api/v1/alerts").await.json());

    let shown = slo(&server.address, &["alerts", "show", PAGE]).await;
    assert_eq!(shown.code, 0, "{}", shown.err);
    for words in [
        "Page firing: checkout/availability",
        "fired        2026-11-21 02:55:00 UTC",
        "1h 31.2 (450 of 14,400)",
        "Transitions",
        "oncall",
        "503: come back later",
    ] {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    let nothing = slo(&server.address, &["alerts", "show", "nope"]).await;
    assert_eq!((nothing.code, nothing.out.as_str()), (1, ""));
    assert!(nothing.err.contains("there is no alert `nope`"));
    let digest = slo(&server.address, &["alerts", "show", DIGEST]).await;
    assert!(digest.code == 1 && digest.err.contains("is a digest") && digest.err.contains(PAGE), "{}", digest.err);
    let taken = slo(&server.address, &["alerts", "ack", DIGEST, "nope"]).await;
    assert_eq!(taken.code, 1, "{}", taken.err);
    for words in [&format!("{DIGEST}: done"), "nope: there is no alert `nope`", "1 of 2 done"] {
        assert!(taken.err.contains(words), "{words}: {}", taken.err);
    }
}

#[tokio::test]
async fn what_the_service_says_is_told_on() {
    let server = Server::start().await;
    *server.fake.store_broken.lock().unwrap() = true;
    let said = slo(&server.address, &["alerts", "list"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("disk I/O error"), "{}", said.err);
}

#[tokio::test]
async fn explain_lists_the_groups_to_choose_from() {
    let server = Server::start().await;
    let said = slo(&server.address, &["explain", "checkout/availability"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    assert_eq!(
        said.err,
        "`checkout/availability` has 2 groups; say which:
  slo explain 'checkout/availability{region=\"eu\"}'
  slo explain 'checkout/availability{region=\"us\"}'
"
    );
}
