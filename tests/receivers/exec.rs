//! Programs that are started for each notification: real ones, by `sh`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slo::config::meant::{Compat, Server, SinkConfig};
use slo::config::sinks::exec::Exec;
use slo::policy::alert::AlertState;
use slo::secret::Secrets;
use slo::sink::{DeliveryVerdict, Outcome, Parts, exec};
use slo::units::Length;
use tokio::time::{interval, timeout};

use crate::kit::{deliver, env, page, sink, task, value_of};

fn script(text: &str, timeout: Length) -> SinkConfig {
    SinkConfig::Exec(Exec {
        program: "/bin/sh".into(),
        arguments: vec!["-c".to_owned(), text.to_owned()],
        timeout,
        environment: BTreeMap::from([("TOKEN".to_owned(), env("TOKEN"))]),
    })
}

async fn run(text: &str) -> Outcome {
    let sink = sink(&script(text, Length::from_seconds(15)), &[("PATH", "/usr/bin:/bin")]);
    deliver(&sink, &task(page(AlertState::Firing), None)).await
}

#[tokio::test]
async fn without_its_secret_it_is_held_and_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("started");
    let had = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&had);
    let secrets = Arc::new(Secrets::new(move |_| known.load(Ordering::SeqCst).then(|| "value".to_owned())));
    let SinkConfig::Exec(config) = script(&format!("touch {}", marker.display()), Length::from_seconds(15)) else {
        panic!("a program")
    };
    let server = Server {
        listen: ([127, 0, 0, 1], 9777).into(),
        external_url: None,
        external_labels: BTreeMap::new(),
        compat: Compat::None,
        tokens: None,
        link_secret: None,
    };
    let parts = Parts { name: "it", server: &server, secrets: &secrets, template: None };
    let sink = exec::build(&config, &parts).unwrap();
    had.store(false, Ordering::SeqCst);
    let outcome = deliver(&sink, &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Unauthorized, "{}", outcome.message);
    assert!(outcome.message.contains("{env: TOKEN}") && !marker.exists(), "{}", outcome.message);
}

#[tokio::test]
async fn the_exit_code_is_the_verdict() {
    for (text, verdict, part) in [
        ("cat >/dev/null", DeliveryVerdict::Done, "exit code 0"),
        ("exit 0", DeliveryVerdict::Done, "exit code 0"),
        ("echo busy >&2; exit 75", DeliveryVerdict::Retry(None), "exit code 75: busy"),
        ("echo out; echo bad >&2; exit 1", DeliveryVerdict::Refused, "exit code 1: bad out"),
        ("kill -9 $$", DeliveryVerdict::Ambiguous, "signal 9"),
        ("echo told $TOKEN", DeliveryVerdict::Done, "told ***"),
        ("head -c 10000000 /dev/zero | tr '\\0' x", DeliveryVerdict::Done, "xxx"),
    ] {
        let outcome = run(text).await;
        assert_eq!(outcome.verdict, verdict, "{text}: {}", outcome.message);
        assert!(outcome.message.contains(part) && outcome.message.len() < 400, "{text}: {}", outcome.message);
    }
    let none = SinkConfig::Exec(Exec {
        program: "/nowhere/at-all".into(),
        arguments: Vec::new(),
        timeout: Length::from_seconds(15),
        environment: BTreeMap::new(),
    });
    let outcome = deliver(&sink(&none, &[]), &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Misconfigured, "{}", outcome.message);
}

#[tokio::test]
async fn it_gets_the_body_and_a_small_environment() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let outcome = run(&format!("cat > {}; env > {}", at("body"), at("env"))).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    let body: serde_json::Value = serde_json::from_slice(&fs::read(at("body")).unwrap()).unwrap();
    let notification = page(AlertState::Firing);
    assert_eq!(body["id"], notification.id);
    let variables = fs::read_to_string(at("env")).unwrap();
    for line in [
        format!("SLO_NOTIFICATION_ID={}", notification.id),
        "SLO_STATE=firing".to_owned(),
        "SLO_SEVERITY=page".to_owned(),
        "SLO_PERHAPS_TOLD=0".to_owned(),
        "PATH=/usr/bin:/bin".to_owned(),
        format!("TOKEN={}", value_of("TOKEN")),
    ] {
        assert!(variables.lines().any(|found| found == line), "{line}\n{variables}");
    }
    let known = ["SLO_", "PATH=", "TOKEN=", "PWD=", "SHLVL=", "_="];
    let others: Vec<&str> = variables.lines().filter(|line| !known.iter().any(|name| line.starts_with(name))).collect();
    assert_eq!(others, Vec::<&str>::new());
}

/// Whether a process of this id lives.
fn lives(id: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // One that is dead and was not waited for yet is as good as gone.
    !status.is_empty() && !status.contains(") Z ")
}

#[tokio::test]
async fn when_its_time_is_over_all_that_it_started_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let child = folder.path().join("child");
    let text = format!("sleep 600 & echo $! > {}; wait", child.display());
    let config = script(&text, Length::from_millis(700));
    let outcome = deliver(&sink(&config, &[("PATH", "/usr/bin:/bin")]), &task(page(AlertState::Firing), None)).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Ambiguous, "{}", outcome.message);
    assert!(outcome.message.contains("killed after 0.7 s"), "{}", outcome.message);
    let id = fs::read_to_string(&child).unwrap();
    assert!(Path::new("/proc").exists());
    // The signal was sent; the kernel may take a moment to end it.
    let gone = async {
        let mut beat = interval(Duration::from_millis(20));
        while lives(id.trim()) {
            beat.tick().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn what_it_leaves_running_does_not_hold_us_up() {
    let outcome = run("sleep 20 & exit 0").await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
}
