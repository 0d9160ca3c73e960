//! `slo convert`: what it writes means the same and has no finding that the original had not; the command.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use slo::check::convert::{Converted, convert};
use slo::check::load::Loaded;
use slo::policy::compile;
use slo::spec::meant::{Mode, Slo};

use crate::{cases, folder, loaded, read, report, shown};

fn codes(loaded: &Loaded) -> BTreeSet<&'static str> {
    report(loaded).findings().iter().map(|finding| finding.code).collect()
}

/// Everything but names of alerts, labels and places.
fn meaning(slo: &Slo) -> impl PartialEq + std::fmt::Debug + use<> {
    let tiers = compile::tiers(&slo.alerting.policy, slo.objective, slo.window).unwrap();
    (
        (slo.id.clone(), slo.description.clone(), slo.owner.clone()),
        (slo.objective, slo.window, slo.sli.clone(), slo.by.clone()),
        (slo.alive.clone(), slo.alerting.mode, (slo.alerting.mode != Mode::Off).then_some(tiers)),
    )
}

fn converted(name: &str) -> Converted {
    let loaded = loaded(&read(&folder(name)));
    let mut all = convert(&loaded);
    assert_eq!(all.len(), 1, "{name}: {}", shown(&loaded));
    all.remove(0)
}

fn fate(converted: &Converted, field: &str) -> String {
    let note = converted.notes.iter().find(|note| note.field == field);
    note.unwrap_or_else(|| panic!("no note of {field}: {:#?}", converted.notes)).fate.clone()
}

#[test]
fn what_is_accepted_means_the_same_when_converted_and_has_no_new_finding() {
    let mut slos = 0;
    for case in ["sloth", "pyrra"].into_iter().flat_map(cases) {
        let original = loaded(&case.text);
        if original.has_errors() || codes(&original).contains("SLO030") && case.ours == Some(false) {
            continue;
        }
        let name = case.path.display();
        let text = convert(&original).into_iter().map(|one| one.text).filter(|text| !text.is_empty());
        let text = text.collect::<Vec<_>>().join("---\n");
        if original.slos.is_empty() {
            assert_eq!(text, "", "{name}");
            continue;
        }
        let native = loaded(&text);
        let new: Vec<_> = codes(&native).difference(&codes(&original)).copied().collect();
        assert_eq!(new, Vec::<&str>::new(), "{name}\n{}\n{text}", shown(&native));
        let both = original.slos.iter().zip(&native.slos);
        for (original, native) in both {
            assert_eq!(meaning(native), meaning(original), "{name}\n{text}");
            assert_eq!(native.alerting.foreign, None);
            slos += 1;
        }
        assert_eq!(native.slos.len(), original.slos.len(), "{name}\n{text}");
    }
    assert!(slos > 80, "only {slos} SLOs were compared");
}

#[test]
fn every_scalar_has_a_note() {
    for case in ["sloth", "pyrra"].into_iter().flat_map(cases) {
        let original = loaded(&case.text);
        if original.has_errors() {
            continue;
        }
        for one in convert(&original) {
            assert!(one.notes.len() >= 6, "{}: {:#?}", case.path.display(), one.notes);
            for note in &one.notes {
                let known = note.fate == "same" || note.fate.starts_with("as ") || note.fate.starts_with("lost: ");
                assert!(known, "{}: {note:?}", case.path.display());
                if note.fate.ends_with("by default)") {
                    continue;
                }
                let line = case.text.lines().nth(note.line as usize - 1).unwrap();
                let key = note.field.rsplit('/').find(|part| part.parse::<u32>().is_err()).unwrap();
                let key = key.replace("~1", "/");
                assert!(line.contains(&key) || line.contains('['), "{}: {note:?} on {line}", case.path.display());
            }
        }
    }
}

#[test]
fn notes_say_what_became_of_each_field() {
    let sloth = converted("sloth/alerting-labels-and-annotations.yaml");
    for (field, expected) in [
        ("version", "as `version: slo/v1`"),
        ("service", "same"),
        ("slos/0/objective", "same"),
        ("slos/0/sli/events/error_query", "as `sli.events.bad`, counted exactly"),
        ("slos/0/sli/events/total_query", "as `sli.events.total`"),
        ("slos/0/alerting/labels/team", "same"),
        ("slos/0/alerting/labels/severity", "lost: every native alert carries a label of this name"),
        ("slos/0/alerting/annotations/runbook", "as `alerting.annotations`"),
        ("slos/0/alerting/annotations/summary", "as `alerting.annotations`, its template sent as written"),
        (
            "slos/0/alerting/page_alert/labels/severity",
            "lost: native labels and annotations are those of all alerts of an SLO",
        ),
    ] {
        assert_eq!(fate(&sloth, field), expected, "{field}");
    }
    assert!(fate(&sloth, "slos/0/alerting/name").starts_with("lost: native alerts are `SLOBurn`"));
    let page = converted("sloth/alerting-page-disabled.yaml");
    assert_eq!(fate(&page, "slos/0/alerting/page_alert/disable"), "as `alerting.policy: sloth-ticket`");
    let unknown = converted("sloth/unknown-keys.yaml");
    assert_eq!(fate(&unknown, "slos/0/window"), "lost: Sloth ignores it too");
    let windows = converted("sloth/windows.yaml");
    assert_eq!(fate(&windows, "spec/sloPeriod"), "as the policies named `sloth-windows`");

    let pyrra = converted("pyrra/metadata-passed-on.yaml");
    for (field, expected) in [
        ("metadata/name", "as `name`"),
        ("metadata/namespace", "as `service`"),
        ("metadata/labels/pyrra.dev~1owner", "as `owner`"),
        ("metadata/labels/pyrra.dev~1team", "as `labels`"),
        ("metadata/labels/prometheus", "lost: Pyrra puts it on objects of Kubernetes only"),
        ("metadata/annotations/pyrra.dev~1summary", "as `alerting.annotations`, its template sent as written"),
        ("spec/target", "as `objective`"),
        ("spec/indicator/ratio/errors/metric", "as `sli.events.bad`, counted exactly"),
        ("spec/indicator/ratio/total/metric", "as `sli.events.total`"),
    ] {
        assert_eq!(fate(&pyrra, field), expected, "{field}");
    }
    let name = fate(&pyrra, "spec/alerting/name");
    assert!(name.starts_with("lost: native alerts are") && name.contains("`ErrorBudgetBurn` by default"), "{name}");
    let severities = converted("pyrra/alerting-severities.yaml");
    assert!(fate(&severities, "spec/alerting/severities/absent").starts_with("lost: `severity` comes from"));
    assert_eq!(fate(&converted("pyrra/alerting-nothing.yaml"), "spec/alerting/absent"), "as `alerting.mode: off`");
}

#[test]
fn a_latency_is_written_as_one_and_a_preset_by_its_name() {
    let latency = converted("pyrra/latency.yaml").text;
    for line in ["latency:", "below: 300ms", r#"good: 'code!~"5.."'"#] {
        assert!(latency.contains(line), "{line} in\n{latency}");
    }
    let plain = converted("sloth/events.yaml").text;
    assert!(plain.contains("policy: sloth\n") && !plain.contains("policy/v1"), "{plain}");
    assert!(plain.contains(r#"bad: 'http_requests_total{job="shop",code=~"5.."}'"#), "{plain}");
}

fn slo(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo"));
    command.current_dir(folder).env_remove("NO_COLOR").env_remove("SLO_SERVER").stdin(Stdio::null());
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn with(files: &[&str]) -> tempfile::TempDir {
    let made = tempfile::tempdir().unwrap();
    for name in files {
        fs::write(made.path().join(name.replace('/', "-")), read(&folder(name))).unwrap();
    }
    made
}

#[test]
fn the_command_writes_documents_to_one_stream_and_notes_to_the_other() {
    let home = with(&["sloth/windows.yaml", "pyrra/ratio.yaml"]);
    let output = slo(home.path(), &["convert", "sloth-windows.yaml", "pyrra-ratio.yaml"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{err}");
    let native = loaded(&out);
    assert!(!native.has_errors(), "{}\n{out}", shown(&native));
    assert_eq!(native.slos.len(), 2);
    assert!(out.contains("# from sloth-windows.yaml\n") && out.contains("# from pyrra-ratio.yaml\n"), "{out}");
    for line in ["slos/0/alerting/name", "as `version: slo/v1`", "same", "lost: native alerts are"] {
        assert!(err.contains(line), "{line} in\n{err}");
    }
    let last = err.lines().last().unwrap();
    assert!(last.starts_with("2 files, ") && last.ends_with("next: slo check"), "{last}");
}

#[test]
fn files_are_written_beside_each_other_and_never_over_one_that_is_there() {
    let home = with(&["sloth/alerting-page-disabled.yaml", "pyrra/ratio.yaml"]);
    let latency = read(&folder("pyrra/latency.yaml")).replace("shop-errors", "shop-latency");
    fs::write(home.path().join("latency.yaml"), latency).unwrap();
    let all = ["sloth-alerting-page-disabled.yaml", "pyrra-ratio.yaml", "latency.yaml"];
    let arguments = [&["convert"], &all[..], &["--out", "native"]].concat();
    let first = slo(home.path(), &arguments);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(text(&first.stdout).lines().count(), 3, "{}", text(&first.stdout));
    let checked = slo(home.path(), &["check", "native"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    assert!(text(&checked.stderr).contains("3 files, 3 SLOs"), "{}", text(&checked.stderr));
    fs::remove_file(home.path().join("native/latency.yaml")).unwrap();
    let path = home.path().join("native/pyrra-ratio.yaml");
    fs::write(&path, "mine").unwrap();
    let again = slo(home.path(), &arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("already there; nothing was written"), "{}", text(&again.stderr));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert!(!home.path().join("native/latency.yaml").exists());
}

#[test]
fn nothing_is_written_of_what_has_an_error() {
    let home = with(&["sloth/events.yaml", "sloth/objective-hundred.yaml"]);
    let arguments = ["convert", "sloth-events.yaml", "sloth-objective-hundred.yaml", "--out", "native"];
    let output = slo(home.path(), &arguments);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(text(&output.stderr).contains("error[SLO012]"), "{}", text(&output.stderr));
    assert!(!home.path().join("native").exists());
    fs::write(home.path().join("native.yaml"), converted("sloth/events.yaml").text).unwrap();
    let native = slo(home.path(), &["convert", "native.yaml"]);
    assert_eq!(native.status.code(), Some(2));
    assert!(text(&native.stderr).contains("no file of Sloth or Pyrra"), "{}", text(&native.stderr));
}
