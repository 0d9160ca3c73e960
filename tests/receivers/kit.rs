//! What the tests of all receivers need: a sink made as the service makes it, tasks, golden files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use slo::config::meant::{Compat, SecretRef, Server, SinkConfig};
use slo::config::read::read_config;
use slo::policy::act::Ack;
use slo::policy::alert::AlertState;
use slo::policy::notification::{Notification, Occasion};
use slo::policy::template::Template;
use slo::secret::Secrets;
use slo::sink::{self, Outcome, Parts, Sink, Task};
use slo::spec::policy::AlertSeverity;
use slo::units::Length;
use slo::yaml::{Reader, SourceText, parse};

use crate::sample::{NIGHT, Sample};

/// The value of every secret that is asked for is its name, in lower case, and this: a canary.
pub const CANARY: &str = "-canary-4711";

/// The reference to a secret.
pub fn env(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

/// The value behind [`env`], where no other is given.
pub fn value_of(name: &str) -> String {
    format!("{}{CANARY}", name.to_lowercase())
}

/// Makes a sink; secrets named in `values` have those values.
pub fn sink(config: &SinkConfig, values: &[(&str, &str)]) -> Sink {
    templated_sink(config, values, None)
}

/// The same with a template.
pub fn templated_sink(config: &SinkConfig, values: &[(&str, &str)], template: Option<&Template>) -> Sink {
    let values: Vec<(String, String)> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let secrets = Arc::new(Secrets::new(move |name| {
        let found = values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        Some(found.unwrap_or_else(|| value_of(name)))
    }));
    build_with(config, &secrets, template)
}

fn build_with(config: &SinkConfig, secrets: &Arc<Secrets>, template: Option<&Template>) -> Sink {
    let server = Server {
        listen: ([127, 0, 0, 1], 9777).into(),
        external_url: Some("https://slo.example".to_owned()),
        external_labels: std::collections::BTreeMap::new(),
        compat: Compat::None,
        tokens: None,
    };
    sink::build(config, &Parts { name: "it", server: &server, secrets, template }).unwrap()
}

/// The first page of an instance whose labels are hostile.
pub fn page(state: AlertState) -> Notification {
    let sample = Sample::new("checkout/availability{region=\"<!channel> @all\"}", AlertSeverity::Page, 1);
    sample.notification(state)
}

/// Somebody took the first page on, with words that are hostile.
pub fn taken_on() -> Notification {
    let mut told = page(AlertState::Firing);
    told.id.push_str("/a1");
    told.occasion = Occasion::Acknowledged;
    let note = Some("<!channel> [x](https://evil.example)\n/close @all #1".to_owned());
    told.acked = Some(Ack { by: "kim".to_owned(), at: NIGHT + Length::from_minutes(15), note });
    told
}

/// What a configuration with this sink is read as, and the findings: their codes and messages.
pub fn read(sink: &str) -> (Option<SinkConfig>, Vec<String>) {
    let source = SourceText::named("slo.yaml", format!("version: config/v1\nsinks:\n  it: {sink}\n"));
    let stream = parse(&source);
    let document = &stream.documents[0].0;
    let mut reader = Reader::new(document);
    let config = read_config(&mut reader, document.root(), Path::new("/etc/slo")).unwrap();
    let findings = reader.into_findings();
    let shown = findings.iter().map(|finding| format!("{} {}", finding.code, finding.message)).collect();
    (config.sinks.get("it").cloned(), shown)
}

/// The same where nothing is wrong.
pub fn read_well(sink: &str) -> SinkConfig {
    let (config, findings) = read(sink);
    assert_eq!(findings, Vec::<String>::new(), "{sink}");
    config.unwrap()
}

/// What people are shown before it is sent, made as the command does it: without any secret.
pub fn preview(config: &SinkConfig, notification: Notification) -> String {
    let secrets = Arc::new(Secrets::standing_in());
    let built = build_with(config, &secrets, None);
    let now = NIGHT + Length::from_minutes(15);
    let shown = match built {
        Sink::Event(sink) => sink.preview(&task(notification, None), now),
        Sink::Refresh(sink) => sink.preview(&notification, now),
    };
    secrets.hide(shown.unwrap(), &config.secrets())
}

/// An attempt to tell it.
pub fn task(notification: Notification, handle: Option<&str>) -> Task {
    Task { notification, handle: handle.map(str::to_owned), perhaps_told: false }
}

/// One attempt, a quarter of an hour after [`NIGHT`]. No outcome may hold a secret.
pub async fn deliver(sink: &Sink, task: &Task) -> Outcome {
    let outcome = sink.deliver(task, &[], NIGHT + Length::from_minutes(15)).await;
    let shown = format!("{outcome:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    outcome
}

/// Compares with a file of `tests/golden/sinks/`, which is read by a person before it is committed; what was found instead
/// is left in cargo's folder for files of tests.
pub fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sinks").join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if found.trim_end() != expected.trim_end() {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&left, format!("{}\n", found.trim_end())).unwrap();
        panic!("{} differs from what was found, which is in {}:\n{found}", path.display(), left.display());
    }
}
