//! `slo check` and `slo init` as a user meets them: the built binary, real files, exit codes, both streams.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const GOOD: &str = r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#;

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {replicas: 2}\n";

fn slo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo"));
    command.current_dir(folder).env_remove("NO_COLOR").env_remove("SLO_SERVER").stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    slo(folder).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn last_line(output: &Output) -> String {
    err(output).lines().last().unwrap_or_default().to_owned()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", out(output)))
}

#[test]
fn a_good_file_passes_and_says_what_to_run_next() {
    let folder = folder(&[("shop.yaml", GOOD)]);
    let output = run(folder.path(), &["check", "shop.yaml", "--deny", "warnings"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, ""), "{}", err(&output));
    assert_eq!(last_line(&output), "1 file, 1 SLO: nothing wrong; next: slo run");
}

#[test]
fn a_bad_file_is_code_1_with_the_line_and_the_remedy() {
    let folder = folder(&[("shop.yaml", &GOOD.replace("objective: 99.9%", "objective: 0.999"))]);
    let output = run(folder.path(), &["check", "shop.yaml"]);
    assert_eq!(code(&output), 1);
    let text = out(&output);
    assert!(text.starts_with("error[SLO012]: "), "{text}");
    assert!(text.contains("--> shop.yaml:7:16"), "{text}");
    assert!(text.contains("7 |     objective: 0.999"), "{text}");
    assert!(last_line(&output).contains("1 error; next: slo check"), "{}", err(&output));
}

#[test]
fn concise_is_one_line_a_finding() {
    let folder = folder(&[("shop.yaml", &GOOD.replace("objective: 99.9%", "objective: 0.999"))]);
    let output = run(folder.path(), &["check", "shop.yaml", "--format", "concise"]);
    assert_eq!(code(&output), 1);
    let text = out(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("shop.yaml:7:16: error[SLO012]: "), "{text}");
}

#[test]
fn json_has_the_keys_of_the_interface_in_order_of_place() {
    let text = GOOD.replace("objective: 99.9%", "objective: 0.999").replace("owner: web", "ownr: web");
    let folder = folder(&[("b.yaml", &text), ("a.yaml", DEPLOYMENT)]);
    let output = run(folder.path(), &["check", ".", "--format", "json"]);
    assert_eq!(code(&output), 1);
    let value = json(&output);
    let findings = value["findings"].as_array().unwrap();
    let mut keys: Vec<&str> = findings[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut wanted =
        ["code", "severity", "message", "help", "file", "line", "column", "end_line", "end_column", "path", "slo"];
    wanted.sort_unstable();
    assert_eq!(keys, wanted);
    let lines: Vec<u64> = findings.iter().map(|finding| finding["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted() && lines[0] == 3, "{lines:?}");
    assert_eq!(value["summary"]["files"], 2);
    assert_eq!(value["summary"]["skipped"], 1);
    assert_eq!(value["summary"]["errors"], findings.iter().filter(|f| f["severity"] == "error").count());
    assert_eq!(value["summary"]["warnings"], findings.iter().filter(|f| f["severity"] == "warning").count());
}

#[test]
fn warnings_fail_only_when_denied() {
    let folder = folder(&[("shop.yaml", &GOOD.replace("owner: web\n", ""))]);
    assert_eq!(code(&run(folder.path(), &["check", "shop.yaml"])), 0);
    let denied = run(folder.path(), &["check", "shop.yaml", "--deny", "warnings"]);
    assert_eq!(code(&denied), 1);
    assert!(out(&denied).contains("warning[SLO045]"), "{}", out(&denied));
}

#[test]
fn nothing_to_check_is_code_2() {
    let empty = folder(&[]);
    let none = run(empty.path(), &["check"]);
    assert_eq!(code(&none), 2);
    assert!(err(&none).contains("no SLO files here") && err(&none).contains("slo init"), "{}", err(&none));
    let named = run(empty.path(), &["check", "."]);
    assert_eq!(code(&named), 2);
    assert!(err(&named).contains("no SLO files in `.`"), "{}", err(&named));
}

#[test]
fn a_path_that_is_not_there_is_code_2_and_named() {
    let folder = folder(&[("shop.yaml", GOOD)]);
    let output = run(folder.path(), &["check", "shop.yaml", "missing.yaml"]);
    assert_eq!(code(&output), 2);
    assert!(out(&output).contains("missing.yaml"), "{}", out(&output));
}

#[test]
fn a_folder_of_other_tools_is_skipped_and_counted() {
    let only = folder(&[("a.yaml", DEPLOYMENT), ("b.yaml", DEPLOYMENT)]);
    let output = run(only.path(), &["check", "."]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("2 documents of other kinds were skipped"), "{}", err(&output));
    let mixed = folder(&[("a.yaml", DEPLOYMENT), ("b.yaml", GOOD)]);
    let output = run(mixed.path(), &["check", "."]);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(last_line(&output).contains("1 document skipped"), "{}", err(&output));
}

#[test]
fn binary_rubbish_is_a_finding_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let rubbish: Vec<u8> = (0..4_096_u32).map(|n| u8::try_from(n * 7919 % 251).unwrap()).collect();
    fs::write(folder.path().join("rubbish.yaml"), rubbish).unwrap();
    for format in ["human", "concise", "json"] {
        let output = run(folder.path(), &["check", "rubbish.yaml", "--format", format]);
        assert_eq!(code(&output), 1, "{}", err(&output));
        assert!(out(&output).contains("SLO001"), "{}", out(&output));
        assert!(!out(&output).contains('\u{1b}') && !err(&output).contains("panicked"));
    }
}

#[test]
fn standard_input_is_a_file() {
    let folder = folder(&[]);
    let mut child = slo(folder.path())
        .args(["check", "-", "--format", "concise"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(GOOD.replace("99.9%", "0.999").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(out(&output).starts_with("-:7:16: error[SLO012]"), "{}", out(&output));
}

#[test]
fn a_reader_that_goes_away_is_success() {
    let item =
        |n: u32| format!("  - {{name: a{n}, objective: 0.999, sli: {{events: {{bad: a_total, total: b_total}}}}}}\n");
    let many: Vec<String> = (0..4_000).map(item).collect();
    let text = format!("version: slo/v1\nservice: shop\nslos:\n{}", many.concat());
    let folder = folder(&[("many.yaml", &text)]);
    let mut child =
        slo(folder.path()).args(["check", "many.yaml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0_u8; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

#[test]
fn pipes_get_no_colour() {
    let folder = folder(&[("shop.yaml", &GOOD.replace("99.9%", "0.999"))]);
    let output = slo(folder.path()).args(["check", "shop.yaml"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!out(&output).contains('\u{1b}') && !err(&output).contains('\u{1b}'));
}

#[test]
fn a_literal_secret_is_never_printed() {
    let config =
        "version: config/v1\nsinks:\n  hook: {type: webhook, url: https://hooks.example/slo, secret: hunter2, x: 1}\n";
    let folder = folder(&[("slo.yaml", config), ("slos/shop.yaml", GOOD)]);
    for format in ["human", "concise", "json"] {
        let output = run(folder.path(), &["check", "--format", format]);
        assert_eq!(code(&output), 1);
        assert!(out(&output).contains("SLO020"), "{}", out(&output));
        assert!(!out(&output).contains("hunter2") && !err(&output).contains("hunter2"), "{}", out(&output));
    }
}

#[test]
fn without_a_configuration_names_are_not_resolved_and_with_one_they_are() {
    let config = "version: config/v1\nowners: {mobile: {page: [out]}}\nsinks: {out: {type: stdout}}\nroutes: [{match: {}, to: [out]}]\n";
    let folder = folder(&[("slos/shop.yaml", GOOD), ("other.yaml", config)]);
    assert_eq!(code(&run(folder.path(), &["check", "slos"])), 0);
    let output = run(folder.path(), &["check", "slos", "--config", "other.yaml", "--format", "concise"]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).contains("slos/shop.yaml:3:8: error[SLO042]"), "{}", out(&output));
}

#[test]
fn a_heartbeat_to_a_sink_that_is_not_there_is_found() {
    let config = "version: config/v1\nsinks: {hook: {type: stdout}}\nwatchdog: [{to: [hook, hok]}]\n";
    let folder = folder(&[("slos/shop.yaml", GOOD), ("slo.yaml", config)]);
    let output = run(folder.path(), &["check", "--format", "concise"]);
    assert!(out(&output).contains("slo.yaml:3:24: error[SLO040]: unknown sink `hok`"), "{}", out(&output));
    assert_eq!(out(&output).matches("SLO040").count(), 1, "{}", out(&output));
}

#[test]
fn without_paths_the_configuration_and_its_files_are_checked() {
    let config = "version: config/v1\nfiles: {slos: [promises/]}\n";
    let folder = folder(&[("slo.yaml", config), ("promises/shop.yaml", GOOD), ("slos/bad.yaml", "rubbish: [")]);
    let output = run(folder.path(), &["check"]);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(last_line(&output).starts_with("2 files, 1 SLO"), "{}", err(&output));
}

#[test]
fn a_file_is_checked_with_the_policies_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(folder.path(), &["init"])), 0);
    let output = run(folder.path(), &["check", "slos/shop.yaml", "--deny", "warnings"]);
    assert_eq!(code(&output), 0, "{}", out(&output));
}

#[test]
fn init_passes_check_at_once_and_never_overwrites() {
    let folder = folder(&[("house/README.md", "mine\n")]);
    let first = run(folder.path(), &["init", "house"]);
    assert_eq!(code(&first), 0, "{}", err(&first));
    assert!(out(&first).contains("kept house/README.md"), "{}", out(&first));
    assert!(last_line(&first).contains("1 kept") && last_line(&first).contains("slo check"), "{}", err(&first));
    assert_eq!(fs::read_to_string(folder.path().join("house/README.md")).unwrap(), "mine\n");

    let house = folder.path().join("house");
    let checked = run(&house, &["check", "--deny", "warnings"]);
    assert_eq!((code(&checked), out(&checked).as_str()), (0, ""), "{}", err(&checked));
    assert!(last_line(&checked).contains("2 SLOs"), "{}", err(&checked));
    assert!(house.join(".github/workflows/slo.yaml").is_file() && house.join("rules").is_dir());

    let second = run(folder.path(), &["init", "house"]);
    assert_eq!(code(&second), 0);
    assert!(out(&second).lines().all(|line| line.starts_with("kept ")), "{}", out(&second));
}

#[test]
fn init_into_a_file_is_code_2() {
    let folder = folder(&[("taken", "x")]);
    let output = run(folder.path(), &["init", "taken"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("taken"), "{}", err(&output));
}

#[test]
fn every_example_of_the_repository_passes() {
    for paths in [
        vec!["check", "slos", "--deny", "warnings"],
        vec!["check", "rules", "--deny", "warnings"],
        vec!["check", "examples/minimal.yaml", "--deny", "warnings"],
        vec!["check", "examples/grouped.yaml", "--deny", "warnings"],
        vec!["check", "--config", "examples/prometheus-alertmanager/slo.yaml", "--deny", "warnings"],
    ] {
        let output = run(&repository(), &paths);
        assert_eq!((code(&output), out(&output).as_str()), (0, ""), "{paths:?}: {}", err(&output));
    }
}

#[test]
fn every_verb_explains_itself_with_an_example() {
    let folder = folder(&[]);
    let verbs: [&[&str]; 9] = [
        &[],
        &["demo"],
        &["init"],
        &["check"],
        &["run"],
        &["status"],
        &["alerts"],
        &["alerts", "list"],
        &["alerts", "show"],
    ];
    for verb in verbs {
        let output = slo(folder.path()).args(verb).arg("--help").output().unwrap();
        assert_eq!(code(&output), 0, "{verb:?}");
        assert!(out(&output).contains("Example"), "{verb:?}: {}", out(&output));
        assert_eq!(err(&output), "");
    }
}

#[test]
fn usage_errors_are_code_2() {
    let folder = folder(&[]);
    for arguments in [&["chekc"][..], &["check", "--format", "xml"], &["demo", "--speed", "0"], &[]] {
        let output = run(folder.path(), arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(out(&output), "");
        assert!(!err(&output).is_empty());
    }
}
