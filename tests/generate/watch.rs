//! `slo generate prometheus --self`: each alert fires when it should and is quiet when it should.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use slo::telemetry::metrics::Metric;

use crate::command::{generate, parse};
use crate::kit::find;

const TESTS: &str = include_str!("watch.test.yaml");

/// `promtool test rules` in a folder with `rules.yaml`.
fn passes(folder: &Path) -> Option<Result<(), String>> {
    fs::write(folder.join("watch.test.yaml"), TESTS).unwrap();
    let output =
        Command::new(find("promtool")?).args(["test", "rules", "watch.test.yaml"]).current_dir(folder).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(said) })
}

#[test]
fn every_alert_fires_when_it_should_and_no_sooner() {
    let folder = tempfile::tempdir().unwrap();
    let run = generate(folder.path(), &["--self", "--out", "rules.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let Some(verdict) = passes(folder.path()) else { return };
    verdict.unwrap();
    let rules = fs::read_to_string(folder.path().join("rules.yaml")).unwrap();
    // Each of them is tested: one that never fires fails the test.
    for rule in &parse(&rules).groups[0].rules {
        let name = rule.alert.as_deref().unwrap();
        let dead = rules.replace(&format!("alert: \"{name}\""), &format!("alert: \"{name}Never\""));
        assert_ne!(dead, rules);
        fs::write(folder.path().join("rules.yaml"), dead).unwrap();
        assert!(passes(folder.path()).unwrap().is_err(), "{name} is not tested");
    }
}

#[test]
fn what_is_read_is_on_the_page_of_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let file = parse(&generate(folder.path(), &["--self"]).out);
    let known: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let read: BTreeSet<String> = file.groups[0]
        .rules
        .iter()
        .flat_map(|rule| rule.expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')))
        .filter(|word| word.starts_with("slo_"))
        .map(|word| word.trim_end_matches("_sum").trim_end_matches("_count").to_owned())
        .collect();
    assert!(read.len() >= 9, "{read:?}");
    let unknown: Vec<&String> = read.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_ruler_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = |ruler: &str| generate(folder.path(), &["--self", "--ruler", ruler]).out;
    // Watching has to go on where a part of the answer is missing.
    assert!(text("thanos").contains("partial_response_strategy: warn"));
    assert!(text("mimir").contains("namespace: slo") && parse(&text("mimir")).groups[0].rules.len() <= 20);
    for ruler in ["prometheus", "victoriametrics"] {
        assert!(!text(ruler).contains("partial_response_strategy") && !text(ruler).contains("namespace"));
    }
}
