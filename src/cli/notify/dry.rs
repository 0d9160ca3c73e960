//! What would be sent, without sending it.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::notify::{As, Test};
use crate::cli::printer::Printer;
use crate::cli::table::printable;
use crate::clock::Clock;
use crate::config::meant::Config;
use crate::policy::notification::Notification;
use crate::policy::sample;
use crate::policy::template::Template;
use crate::runtime::files::Request;
use crate::secret::Secrets;
use crate::sink::{self, Parts, Sink, Task};
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// Prints what the sink would send.
pub(super) fn run(test: &Test, printer: &Printer) -> anyhow::Result<ExitCode> {
    let gathered = Request { paths: vec![test.config.clone()], config: None }.gather();
    let shown = test.config.display();
    let config =
        gathered.loaded.config.as_ref().with_context(|| format!("`{shown}` cannot be used; `slo check` says why"))?;
    let Some(wanted) = config.sinks.get(&test.sink) else {
        let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
        bail!("there is no sink `{}` in `{shown}`; configured: {}", test.sink, known.join(", "));
    };
    if !gathered.loaded.is_sound(&format!("/sinks/{}", test.sink)) {
        bail!("the sink `{}` cannot be used; `slo check {shown}` says why", test.sink);
    }
    let template = match config.templates.get(&test.sink) {
        None => None,
        Some(file) => {
            let name = file.path.display().to_string();
            let source = gathered.loaded.templates.get(&file.path);
            Some(Template::parse(&name, source.with_context(|| format!("the template `{name}` cannot be read"))?)?)
        }
    };
    // Whoever looks need not have the keys.
    let secrets = Arc::new(Secrets::standing_in());
    let parts = Parts { name: &test.sink, server: &config.server, secrets: &secrets, template: template.as_ref() };
    let built = sink::build(wanted, &parts)?;
    let now = Clock::system().now();
    let task = Task { notification: notification(test, config, now), handle: None, perhaps_told: false };
    let Some(preview) = preview(&built, &task, now) else {
        bail!("a sink of type `{}` cannot show what it sends; send a test without `--dry-run`", wanted.name());
    };
    // What stands in for a key may stand in the body.
    let hidden = secrets.hide(preview, &wanted.secrets());
    printer.data(&(hidden.trim_end().to_owned() + "\n"))?;
    printer.say(&format!("nothing was sent; `slo notify test {}` sends it", printable(&test.sink)));
    Ok(ExitCode::SUCCESS)
}

fn notification(test: &Test, config: &Config, now: Timestamp) -> Notification {
    let severity = match test.severity {
        As::Page | As::Resolve => AlertSeverity::Page,
        As::Ticket => AlertSeverity::Ticket,
        As::Notice => AlertSeverity::Notice,
    };
    let begun = sample::test(&config.server.external_labels, severity, "you", now);
    if test.severity == As::Resolve { sample::resolved(&begun, now) } else { begun }
}

fn preview(sink: &Sink, task: &Task, now: Timestamp) -> Option<String> {
    match sink {
        Sink::Event(sink) => sink.preview(task, now),
        Sink::Refresh(sink) => sink.preview(&task.notification, now),
    }
}
