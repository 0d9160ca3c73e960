//! Files of Sloth and Pyrra, read as they are: what each tool accepts and refuses, what the files come to mean, and
//! what `slo convert` makes of them.
//!
//! The files below `tests/foreign` are of our own making. Their first lines say what the tool does with them, what we
//! do where that differs and why, and every finding: severity, code, path. Findings about owners and runbooks, which
//! all of them would have, are left out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "foreign/convert.rs"]
mod convert;
#[path = "foreign/meaning.rs"]
mod meaning;

use std::fs;
use std::path::{Path, PathBuf};

use slo::check;
use slo::check::load::{Loaded, load};
use slo::diag::{Report, Severity, codes, concise};
use slo::units::Day;
use slo::yaml::SourceText;

/// A file with what its head says.
struct Case {
    path: PathBuf,
    text: String,
    /// What the tool does.
    accepts: bool,
    /// What we do, where that differs.
    ours: Option<bool>,
    /// `error SLO012 /slos/0/objective`, sorted.
    finds: Vec<String>,
}

fn folder(tool: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(tool)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A verdict at the beginning of a line.
fn verdict(text: &str) -> bool {
    match text.split([',', ' ']).next() {
        Some("accepts") => true,
        Some("refuses") => false,
        _ => panic!("`{text}` is no verdict"),
    }
}

fn case(tool: &str, path: PathBuf) -> Case {
    let text = read(&path);
    let said = |key: &str| -> Vec<&str> {
        let heads = text.lines().take_while(|line| line.starts_with('#'));
        heads.filter_map(|line| line.strip_prefix(&format!("# {key}: "))).collect()
    };
    let accepts = verdict(said(tool).first().unwrap_or_else(|| panic!("{}: no verdict", path.display())));
    let ours = said("slo").first().map(|line| {
        assert!(line.contains(", because "), "{}: no reason", path.display());
        verdict(line)
    });
    let mut finds: Vec<String> = said("finds").into_iter().map(str::to_owned).collect();
    finds.sort();
    Case { path, text, accepts, ours, finds }
}

fn cases(tool: &str) -> Vec<Case> {
    let paths = fs::read_dir(folder(tool)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    paths.sort();
    assert!(paths.len() > 50, "{} files of {tool}", paths.len());
    paths.into_iter().map(|path| case(tool, path)).collect()
}

fn loaded(text: &str) -> Loaded {
    load(&[SourceText::named("file.yaml", text)])
}

/// Everything that is found; no foreign file says anything about days.
fn report(loaded: &Loaded) -> Report {
    check::report(loaded, Day::default())
}

/// Findings as the heads of the files write them.
fn findings(loaded: &Loaded) -> Vec<String> {
    let all = report(loaded);
    let told = all.findings().iter().filter(|finding| ![codes::NO_OWNER, codes::NO_RUNBOOK].contains(&finding.code));
    let line = |finding: &slo::diag::Diagnostic| {
        format!("{} {} {}", finding.severity.name(), finding.code, finding.path).trim_end().to_owned()
    };
    let mut lines: Vec<String> = told.map(line).collect();
    lines.sort();
    lines
}

fn shown(loaded: &Loaded) -> String {
    report(loaded).findings().iter().map(|finding| concise::line(finding) + "\n").collect()
}

/// Compares one file; `None` where all is as its head says.
fn judge(case: &Case) -> Option<String> {
    let loaded = loaded(&case.text);
    let accepted = report(&loaded).count(Severity::Error) == 0;
    let expected = case.ours.unwrap_or(case.accepts);
    let finds: Vec<String> = case.finds.iter().map(|line| line.trim_end().to_owned()).collect();
    let found = findings(&loaded);
    let right = accepted == expected && found == finds && case.ours != Some(case.accepts);
    let name = case.path.file_name().unwrap().to_string_lossy();
    (!right).then(|| format!("{name}: expected {finds:#?}, found {found:#?}\n{}", shown(&loaded)))
}

fn judge_all(tool: &str) {
    let cases = cases(tool);
    let wrong: Vec<String> = cases.iter().filter_map(judge).collect();
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let refused = cases.iter().filter(|case| !case.accepts).count();
    assert!(refused > 20 && refused + 20 < cases.len(), "{refused} of {} are refused", cases.len());
}

#[test]
fn sloth_files_are_accepted_and_refused_as_sloth_does() {
    judge_all("sloth");
}

#[test]
fn pyrra_files_are_accepted_and_refused_as_pyrra_does() {
    judge_all("pyrra");
}

/// Sloth takes these line ends in its own format, and does not recognise a resource that has them. Both are the same
/// document.
#[test]
fn line_ends_of_windows_change_nothing() {
    for name in ["sloth/events.yaml", "sloth/resource.yaml", "sloth/windows.yaml", "pyrra/ratio.yaml"] {
        let text = read(&folder(name));
        let ends = text.replace('\n', "\r\n");
        assert_ne!(text, ends);
        let (plain, windows) = (loaded(&text), loaded(&ends));
        assert_eq!(findings(&windows), findings(&plain), "{name}");
        assert_eq!(windows.slos, plain.slos, "{name}");
        assert!(!plain.slos.is_empty());
    }
}

/// Every file at once: nothing in one hides what is wrong in another.
#[test]
fn findings_name_their_file() {
    let paths = ["sloth/objective-hundred.yaml", "sloth/sli-plugin.yaml", "pyrra/target-hundred.yaml"];
    let texts: Vec<SourceText> = paths.iter().map(|path| SourceText::named(path, read(&folder(path)))).collect();
    let loaded = load(&texts);
    let files: Vec<&str> =
        loaded.findings.iter().filter_map(|finding| finding.place.as_ref()).map(|place| place.file.as_ref()).collect();
    assert_eq!(files, paths);
}
