//! The rule files by themselves: stable bytes, and accepted by the tools and rulers that they are for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use slo::clock::Clock;
use slo::units::Length;
use tempfile::TempDir;

use crate::command::{File, Rule, generate, parse};
use crate::kit::prometheus::{Options, Prometheus};
use crate::kit::remote_write::Loaded;
use crate::kit::{find, get, wait_for};
use crate::world::{SLOS, TIMED};

const RULERS: [&str; 4] = ["prometheus", "thanos", "mimir", "victoriametrics"];

/// The repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every set of SLO files that the repository shows, and those of the tests.
fn sets(folder: &Path) -> Vec<PathBuf> {
    let ours = folder.join("ours.yaml");
    fs::write(&ours, format!("{SLOS}---{TIMED}")).unwrap();
    let shown = ["slos", "examples/minimal.yaml", "examples/grouped.yaml", "examples/prometheus-alertmanager"];
    shown.iter().map(|path| root().join(path)).chain([ours]).collect()
}

/// The text for a ruler, and `folder/NAME.yaml` with it.
fn written(folder: &Path, set: &Path, ruler: &str) -> (String, PathBuf) {
    let file = folder.join(format!("{ruler}.yaml"));
    let run = generate(folder, &[set.to_str().unwrap(), "--ruler", ruler, "--out", file.to_str().unwrap()]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{}: {}", set.display(), run.err);
    (fs::read_to_string(&file).unwrap(), file)
}

/// Whether a program accepts; its words where it does not.
fn accepts(command: &mut Command) -> Result<(), String> {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}

fn promtool(arguments: &[&str], file: &Path) -> Result<(), String> {
    let Some(promtool) = find("promtool") else { return Ok(()) };
    accepts(Command::new(promtool).args(arguments).arg(file))
}

#[test]
fn promtool_accepts_every_file_in_every_form_that_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    for set in sets(folder.path()) {
        for ruler in RULERS {
            let (text, file) = written(folder.path(), &set, ruler);
            // What Prometheus does not know: the two lines that make the forms of Thanos and Mimir.
            let own = ["namespace: slo", "    partial_response_strategy: abort"];
            let plain: Vec<&str> = text.lines().filter(|line| !own.contains(line)).collect();
            fs::write(&file, plain.join("\n")).unwrap();
            promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &file).unwrap();
        }
    }
}

/// Files of other tools that pass the check, whatever is in their labels and annotations.
#[test]
fn promtool_accepts_what_files_of_other_tools_give() {
    if find("promtool").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = 0;
    for tool in ["sloth", "pyrra"] {
        for entry in fs::read_dir(root().join("tests/foreign").join(tool)).unwrap() {
            let path = entry.unwrap().path();
            let run = generate(folder.path(), &[path.to_str().unwrap(), "--out", "rules.yaml"]);
            if run.code == 0 {
                let verdict = promtool(&["check", "rules"], &folder.path().join("rules.yaml"));
                assert_eq!(verdict, Ok(()), "{}", path.display());
                accepted += 1;
            }
        }
    }
    assert!(accepted > 60, "{accepted}");
}

#[test]
fn vmalert_accepts_its_form() {
    let Some(vmalert) = find("vmalert") else { return };
    let folder = tempfile::tempdir().unwrap();
    for set in sets(folder.path()) {
        let (_, file) = written(folder.path(), &set, "victoriametrics");
        accepts(Command::new(&vmalert).arg("-dryRun").arg(format!("-rule={}", file.display()))).unwrap();
    }
}

#[test]
fn each_ruler_has_its_form() {
    let folder = tempfile::tempdir().unwrap();
    let set = sets(folder.path()).pop().unwrap();
    let (prometheus, _) = written(folder.path(), &set, "prometheus");
    let (thanos, _) = written(folder.path(), &set, "thanos");
    let (mimir, _) = written(folder.path(), &set, "mimir");
    let (victoria, _) = written(folder.path(), &set, "victoriametrics");
    let rules = |file: &File| file.groups.iter().map(|group| group.rules.len()).sum::<usize>();
    let whole = parse(&prometheus);
    assert!(whole.groups.iter().any(|group| group.rules.len() > 20), "else the bound is not tested");
    assert_eq!(thanos.matches("partial_response_strategy: abort").count(), whole.groups.len());
    let split = parse(&mimir);
    assert!(mimir.contains("\nnamespace: slo\n") && split.groups.iter().all(|group| group.rules.len() <= 20));
    assert_eq!(rules(&split), rules(&whole));
    let mut names: Vec<&str> = split.groups.iter().map(|group| group.name.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), split.groups.len(), "groups have names of their own");
    assert!(prometheus.contains("[5m30s])) * 300 / 330") && !victoria.contains(" / 330"));
    assert!(victoria.contains("sum (increase(requests_total{job=\"shop\"}[5m]))"));
    assert!(!victoria.contains("keep_firing_for") && prometheus.contains("keep_firing_for"));
}

#[test]
fn equal_slos_give_equal_bytes_in_whatever_order_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let paths = sets(folder.path());
    let [slos, ours] = [paths[0].to_str().unwrap(), paths[4].to_str().unwrap()];
    for ruler in RULERS {
        let one = generate(folder.path(), &[slos, ours, "--ruler", ruler]);
        let again = generate(folder.path(), &[slos, ours, "--ruler", ruler]);
        let turned = generate(folder.path(), &[ours, slos, "--ruler", ruler]);
        assert_eq!((one.code, &one.out), (0, &again.out), "{}", one.err);
        assert_eq!(one.out, turned.out);
        let ids: Vec<String> =
            one.out.lines().filter(|line| line.starts_with("  - name:")).map(str::to_owned).collect();
        assert!(ids.len() >= 14 && (ruler == "mimir" || ids.is_sorted()), "{ids:?}");
    }
    let own = [generate(folder.path(), &["--self"]), generate(folder.path(), &["--self"])];
    assert_eq!(own[0].out, own[1].out);
}

#[test]
fn data_goes_to_standard_output_and_talk_to_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let set = sets(folder.path()).pop().unwrap();
    let run = generate(folder.path(), &[set.to_str().unwrap()]);
    assert_eq!(run.code, 0);
    assert!(run.out.starts_with("# ") && run.out.contains("\ngroups:\n"));
    let last = run.err.lines().last().unwrap();
    assert!(last.starts_with("9 SLOs, ") && last.ends_with("; next: promtool check rules FILE"), "{last}");
    assert!(
        run.err.contains("warning: ") && run.err.contains("shop/plain") && run.err.contains("`hold`"),
        "{}",
        run.err
    );
    // Whole or not at all: nothing else is left beside it.
    let before = fs::read_dir(folder.path()).unwrap().count();
    let (text, _) = written(folder.path(), &set, "prometheus");
    assert_eq!(text, run.out);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before + 1);
    let nowhere = generate(folder.path(), &[set.to_str().unwrap(), "--out", "none/rules.yaml"]);
    assert_eq!((nowhere.code, nowhere.out.as_str()), (2, ""));
    assert!(nowhere.err.contains("cannot write `none/rules.yaml`"), "{}", nowhere.err);
}

#[test]
fn what_does_not_pass_the_check_gives_no_rules() {
    let folder = tempfile::tempdir().unwrap();
    let bad = SLOS.replace("objective: 99.9%", "objective: 999%");
    fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    fs::write(folder.path().join("rules.yaml"), "as it was").unwrap();
    let run = generate(folder.path(), &["bad.yaml", "--out", "rules.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("bad.yaml:") && run.err.contains("error[SLO"), "{}", run.err);
    assert_eq!(fs::read_to_string(folder.path().join("rules.yaml")).unwrap(), "as it was");
    assert_eq!(generate(folder.path(), &["absent.yaml"]).code, 1, "a finding, as for `slo check`");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(generate(empty.path(), &[]).code, 2);
    assert_eq!(generate(folder.path(), &["--self", "bad.yaml"]).code, 2);
    assert_eq!(generate(folder.path(), &["bad.yaml", "--ruler", "cortex"]).code, 2);
    for what in ["grafana", "openslo", "schema", "completions", "man"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slo"));
        assert_eq!(command.args(["generate", what]).output().unwrap().status.code(), Some(2), "{what} is not built");
    }
}

#[test]
fn what_rules_cannot_say_is_told_with_the_slo_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let odd = "\
version: slo/v1
service: shop
slos:
  - {name: quiet, objective: 99%, alive: none, alerting: {mode: shadow}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: off, objective: 99%, alive: none, alerting: {mode: 'off'}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: panes, objective: 99%, alive: none, by: [window], alerting: {policy: odd}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: forecast, objective: 99%, alive: none, alerting: {policy: odd}, sli: {events: {bad: 'e_total', total: t_total}}}
---
version: policy/v1
policies:
  - name: odd
    tiers:
      - {severity: page, exhausts: {within: 4h, lookback: 30m}}
      - {severity: ticket, burn: {factor: 2, over: 1h}}
";
    fs::write(folder.path().join("odd.yaml"), odd).unwrap();
    let run = generate(folder.path(), &["odd.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for sentence in [
        "warning: shop/quiet: no alert rules are written: its alerts are in shadow mode",
        "warning: shop/panes: no rules are written: the label `window` of `by` is the rules' own",
        "warning: shop/forecast: `exhausts` of its page is not expressed: a rule makes no forecast",
    ] {
        assert!(run.err.contains(sentence), "{sentence}: {}", run.err);
    }
    let file = parse(&run.out);
    let alerts = file.groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.alert.is_some());
    assert_eq!(alerts.map(|rule| rule.labels["slo_name"].as_str()).collect::<Vec<_>>(), ["forecast"]);
    assert_eq!(file.groups.len(), 3, "off has records, panes has none");
}

/// Every kind that has a window has the gates of SEMANTICS 5 on it, a budget that of an hour.
#[test]
fn gates_on_events_are_asked_of_every_kind_with_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let set = "\
version: slo/v1
service: shop
slos:
  - {name: gated, objective: 99%, alive: none, alerting: {policy: gated}, sli: {events: {bad: 'e_total', total: t_total}}}
---
version: policy/v1
policies:
  - name: gated
    tiers:
      - {severity: page, burn: {factor: 2, over: 2h}, min_bad: 3}
      - {severity: page, budget_left: {below: 25%}, min_bad: 4}
      - {severity: ticket, budget_drop: {drop: 10%, over: 1d}, min_bad: 5, min_total: 6}
      - {severity: notice, no_traffic: {over: 6h, min_total: 9}, min_bad: 7}
";
    fs::write(folder.path().join("gated.yaml"), set).unwrap();
    for ruler in ["prometheus", "victoriametrics"] {
        let run = generate(folder.path(), &["gated.yaml", "--ruler", ruler]);
        assert_eq!(run.code, 0, "{}", run.err);
        let file = parse(&run.out);
        let of = "{slo_service=\"shop\",slo_name=\"gated\"}";
        for (name, severity, gates) in [
            ("SLOBurn", "page", &["bad_events:increase2h >= 3"][..]),
            ("SLOBudget", "page", &["bad_events:increase1h >= 4"]),
            ("SLOBudget", "ticket", &["bad_events:increase1d >= 5", "total_events:increase1d >= 6"]),
            ("SLONoData", "notice", &["bad_events:increase6h >= 7"]),
        ] {
            let is_it = |rule: &&Rule| rule.alert.as_deref() == Some(name) && rule.labels["slo_severity"] == severity;
            let rule = file.groups.iter().flat_map(|group| &group.rules).find(is_it).unwrap();
            assert_eq!(
                rule.expr.matches(" >= ").count() - usize::from(name == "SLONoData"),
                gates.len(),
                "{}",
                rule.expr
            );
            for gate in gates {
                let (record, least) = gate.split_once(' ').unwrap();
                assert!(rule.expr.contains(&format!("slo:{record}{of} {least}")), "{gate}: {}", rule.expr);
                let recorded = |rule: &Rule| rule.record.as_deref() == Some(&format!("slo:{record}"));
                assert!(file.groups.iter().flat_map(|group| &group.rules).any(recorded), "{record} is not recorded");
            }
        }
    }
}

/// What an alert says has to be true of the tier that fires it.
#[test]
fn annotations_say_what_the_tier_looks_at() {
    let folder = tempfile::tempdir().unwrap();
    let set = "\
version: slo/v1
service: shop
slos:
  - {name: left, objective: 99%, alive: none, alerting: {policy: left}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: drop, objective: 99%, alive: none, alerting: {policy: drop}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: both, objective: 99%, alive: none, alerting: {policy: both}, sli: {events: {bad: 'e_total', total: t_total}}}
  - {name: quiet, objective: 99%, alive: none, alerting: {policy: quiet}, sli: {events: {bad: 'e_total', total: t_total}}}
---
version: policy/v1
policies:
  - {name: left, tiers: [{severity: ticket, budget_left: {below: 25%}}]}
  - {name: drop, tiers: [{severity: ticket, budget_drop: {drop: 10%, over: 1d}}]}
  - {name: both, tiers: [{severity: ticket, budget_left: {below: 25%}}, {severity: ticket, budget_drop: {drop: 10%, over: 1d}}]}
  - {name: quiet, tiers: [{severity: ticket, no_data: {after: 10m}}, {severity: notice, no_traffic: {over: 6h, min_total: 9}}]}
";
    fs::write(folder.path().join("set.yaml"), set).unwrap();
    let run = generate(folder.path(), &["set.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let file = parse(&run.out);
    let said = |name: &str, severity: &str| -> (String, String) {
        let is_it = |rule: &&Rule| {
            rule.alert.is_some() && rule.labels["slo_name"] == name && rule.labels["slo_severity"] == severity
        };
        let rule = file.groups.iter().flat_map(|group| &group.rules).find(is_it).unwrap();
        (rule.annotations["summary"].clone(), rule.annotations["reason"].clone())
    };
    let left = "less than 25% of its error budget over 30d is left";
    let drop = "more than 10% of its error budget over 30d was spent within 1d";
    for (name, severity, summary, reason) in [
        ("left", "ticket", "is running out of its error budget", left),
        ("drop", "ticket", "has spent much of its error budget", drop),
        (
            "both",
            "ticket",
            "is running out of its error budget, or has spent much of its error budget",
            &format!("{left}, or {drop}"),
        ),
        (
            "quiet",
            "ticket",
            "has no data where there usually is some",
            "nothing is measured, and at this time of the day there were events",
        ),
        ("quiet", "notice", "has too little traffic", "it is measured, and has had at most 9 events within 6h"),
    ] {
        assert_eq!(said(name, severity), (format!("shop/{name} {summary}"), reason.to_owned()), "{name}");
    }
}

#[test]
fn alerts_of_another_tools_file_keep_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let sloth = "\
version: prometheus/v1
service: myservice
labels: {owner: myteam}
slos:
  - name: requests-availability
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(http_request_duration_seconds_count{job=\"myservice\",code=~\"(5..|429)\"}[{{.window}}]))
        total_query: sum(rate(http_request_duration_seconds_count{job=\"myservice\"}[{{.window}}]))
    alerting:
      name: MyServiceHighErrorRate
      labels: {category: availability}
      annotations: {summary: \"High error rate on '{{ $labels.sloth_service }}' responses\"}
      page_alert: {labels: {severity: pageteam}}
      ticket_alert: {labels: {severity: slack}}
";
    fs::write(folder.path().join("sloth.yaml"), sloth).unwrap();
    let (text, file) = written(folder.path(), &folder.path().join("sloth.yaml"), "prometheus");
    promtool(&["check", "rules"], &file).unwrap();
    let file = parse(&text);
    let alerts: Vec<_> = file.groups[0].rules.iter().filter(|rule| rule.alert.is_some()).collect();
    assert_eq!(
        alerts.iter().map(|rule| rule.alert.as_deref().unwrap()).collect::<Vec<_>>(),
        ["MyServiceHighErrorRate"; 2]
    );
    assert_eq!(alerts.iter().map(|rule| rule.labels["severity"].as_str()).collect::<Vec<_>>(), ["pageteam", "slack"]);
    for alert in alerts {
        assert_eq!(alert.labels["category"], "availability");
        assert_eq!(alert.annotations["summary"], "High error rate on '{{ $labels.sloth_service }}' responses");
        assert!(!alert.labels.keys().any(|label| label.starts_with("slo_")), "{:?}", alert.labels);
        assert!(alert.expr.starts_with("max without (window, slo_service, slo_name)"), "{}", alert.expr);
    }
}

/// `promtool test rules` on what SLOs give: alerts begin, and end, when their tiers say so.
#[test]
fn tiers_wait_and_go_on_as_they_say() {
    let folder = tempfile::tempdir().unwrap();
    for (name, slos, tests) in [
        ("waits", include_str!("waits.yaml"), include_str!("waits.test.yaml")),
        ("silence", include_str!("silence.yaml"), include_str!("silence.test.yaml")),
    ] {
        let (slos_file, tests_file) = (format!("{name}.yaml"), format!("{name}.test.yaml"));
        fs::write(folder.path().join(&slos_file), slos).unwrap();
        fs::write(folder.path().join(&tests_file), tests).unwrap();
        for ruler in ["prometheus", "victoriametrics"] {
            let run = generate(folder.path(), &[&slos_file, "--ruler", ruler, "--out", "rules.yaml"]);
            assert_eq!(run.code, 0, "{}", run.err);
            promtool(&["test", "rules"], &folder.path().join(&tests_file)).unwrap();
        }
    }
}

/// Every rule is evaluated by a real Prometheus on data that moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_evaluates_every_rule() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let files = format!("{SLOS}---{TIMED}").replace("    alive: none\n", "");
    fs::write(folder.path().join("slos.yaml"), files).unwrap();
    // A short slice, so that the first evaluation comes soon.
    let config = "version: config/v1\nslice: 5s\nsources:\n  prometheus: {type: prometheus, interval: 30s}\n";
    fs::write(folder.path().join("slo.yaml"), config).unwrap();
    let run = generate(folder.path(), &[]);
    assert_eq!(run.code, 0, "{}", run.err);
    let wanted: usize = parse(&run.out).groups.iter().map(|group| group.rules.len()).sum();
    let own = generate(folder.path(), &["--self"]).out;
    let watching = parse(&own).groups[0].rules.len();
    let options = Options { rules: vec![run.out, own], ..Options::default() };
    let Some(prometheus) = Prometheus::start(&options).await else { return };
    prometheus.write(&recent()).await;
    let url = format!("{}/api/v1/rules", prometheus.url());
    let rules = wait_for("the evaluation of every rule", || async {
        let answer: serde_json::Value = serde_json::from_str(&get(&url).await?.1).unwrap();
        let groups = answer["data"]["groups"].as_array()?.clone();
        let rules: Vec<serde_json::Value> =
            groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect();
        let judged = |rule: &serde_json::Value| rule["health"] != "unknown";
        (rules.len() == wanted + watching && rules.iter().all(judged)).then_some(rules)
    })
    .await;
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{}: {}", rule["name"], rule["lastError"]);
    }
    let ratio = wait_for("a recorded ratio", || async {
        let query = "slo_burn_rate{slo_name=\"plain\",window=\"5m\"}";
        let answer = prometheus.query(query, Clock::system().now()).await;
        answer["data"]["result"][0]["value"][1].as_str().map(|value| value.parse::<f64>().unwrap())
    })
    .await;
    assert!((ratio - 100.0).abs() < 1.0, "a tenth fails, at 99.9%: {ratio}");
}

/// The last half hour, and a minute to come: one of ten requests fails.
fn recent() -> Vec<Loaded> {
    let now = Clock::system().now();
    let times = |step: i64| {
        let begin = now - Length::from_minutes(30);
        (0..62_u32).map(move |index| {
            ((begin + Length::from_seconds(30) * i64::from(index)).millis(), 1e6 + f64::from(index) * (step as f64))
        })
    };
    let counter = |labels: &[(&str, &str)], step: i64| Loaded::new(labels, times(step).collect());
    vec![
        counter(&[("__name__", "requests_total"), ("job", "shop"), ("code", "200")], 9),
        counter(&[("__name__", "requests_total"), ("job", "shop"), ("code", "500")], 1),
        counter(&[("__name__", "searches_total"), ("region", "eu"), ("outcome", "ok")], 5),
        counter(&[("__name__", "searches_total"), ("region", "us"), ("outcome", "failed")], 5),
        counter(&[("__name__", "settle_calls_total")], 5),
        counter(&[("__name__", "queue_depth"), ("shard", "0")], 0),
        counter(&[("__name__", "up"), ("job", "shop")], 0),
    ]
}
