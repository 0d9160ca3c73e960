//! `slo status`: budgets, burn and alerts at a glance, worst first.
//!
//! Two ways to the same answer: a running service is asked, or, given files and a store, everything is computed once
//! (`once`) and the API answers in this process. What is printed is made of the API's objects either way.

mod figures;
pub mod names;
mod once;
mod trouble;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::client::{Client, decoded};
use crate::cli::printer::{Paint, Printer};
use crate::cli::{FINDINGS, Server};
use crate::clock::Clock;
use crate::http::dashboard::format;
use crate::http::dashboard::layout::words;
use crate::http::dto::alert::Alert;
use crate::http::dto::instance::Instance;
use crate::http::dto::list::List;
use crate::http::dto::state::{Config, Sink, Source};
use crate::http::listing::STATUSES;

/// Show budgets, burn and alerts, worst first: of a running service, or computed once from files and a Prometheus
///
/// An argument that is there as a file or folder, or ends in `.yaml` or `.yml`, is a path; anything else names SLOs. With
/// a path, `--prometheus` or `--config`, everything is computed once, without a service: nothing is written or sent.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo status
  slo status checkout '*/latency'
  slo status 'checkout/availability{region=\"eu\"}' --format json
  slo status slos/ --prometheus http://127.0.0.1:9090")]
pub struct Arguments {
    /// Only these: an SLO (`checkout/availability`), one of its groups, a service, or a pattern (`*/latency`);
    /// or SLO files and folders to compute once
    #[arg(value_name = "SLO|PATH")]
    pub what: Vec<String>,
    /// Compute once from this Prometheus, in place of the configured sources
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Compute once with this configuration [default: ./slo.yaml, where paths are given and there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How the status is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// The object of `GET /api/v1/slos`
    Json,
}

/// Asks the service, or computes, and prints. Code 0 whatever the budgets; 1 where nothing is as asked for, or the
/// files do not pass.
///
/// # Errors
/// Where the service or the store does not answer.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let (paths, patterns): (Vec<String>, Vec<String>) =
        arguments.what.iter().cloned().partition(|argument| is_path(argument, Path::new(argument).exists()));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    if !paths.is_empty() || arguments.prometheus.is_some() || arguments.config.is_some() {
        return once::run(arguments, paths, &patterns, printer);
    }
    let client = Client::new(&arguments.server)?;
    let said = Client::block_on(Said::ask(&client, arguments.format))?;
    show(said, &patterns, arguments.format, printer)
}

/// Whether an argument is a path, rather than the name of an SLO.
#[must_use]
pub fn is_path(argument: &str, exists: bool) -> bool {
    let extension = Path::new(argument).extension().and_then(|extension| extension.to_str());
    exists || matches!(extension, Some("yaml" | "yml"))
}

/// What a service said.
struct Said {
    slos: Value,
    /// Open ones; for a table only, as what follows.
    alerts: Value,
    trouble: Vec<String>,
    /// What to run to learn more of an alert.
    next: &'static str,
}

impl Said {
    /// Asks for everything that is shown.
    async fn ask(client: &Client, format: Format) -> anyhow::Result<Self> {
        let next = "`slo alerts list --state firing` says why";
        let slos = client.list(&["api", "v1", "slos"], &[]).await?;
        if format == Format::Json {
            return Ok(Self { slos, alerts: json!(null), trouble: Vec::new(), next });
        }
        let firing = [("state", "firing,pending")];
        let alerts = client.list(&["api", "v1", "alerts"], &firing).await?;
        let config: Config = decoded(client.get(&["api", "v1", "config"], &[]).await?)?;
        let sources: List<Source> = decoded(client.get(&["api", "v1", "sources"], &[]).await?)?;
        let mut trouble: Vec<String> = trouble::of_files(&config).into_iter().collect();
        trouble.extend(trouble::of_sources(&sources.items));
        let sinks: List<Sink> = decoded(client.get(&["api", "v1", "sinks"], &[]).await?)?;
        trouble.extend(trouble::of_sinks(&sinks.items, Clock::system().now()));
        Ok(Self { slos, alerts, trouble, next })
    }
}

/// Prints what the patterns take of it.
fn show(mut said: Said, patterns: &[String], format: Format, printer: &Printer) -> anyhow::Result<ExitCode> {
    names::keep(&mut said.slos, patterns);
    let unmatched = names::unmatched(&said.slos, patterns);
    match format {
        Format::Json => printer.data(&(serde_json::to_string_pretty(&said.slos)? + "\n"))?,
        Format::Table => {
            let slos: List<Instance> = decoded(said.slos)?;
            let mut alerts: List<Alert> = decoded(said.alerts)?;
            if !patterns.is_empty() {
                alerts.items.retain(|alert| patterns.iter().any(|pattern| names::takes(pattern, &alert.slo)));
            }
            if !slos.items.is_empty() {
                printer.data(&figures::rendered(printer, &slos.items, &alerts.items))?;
            }
            if unmatched.len() < patterns.len().max(1) {
                for line in said.trouble.iter().chain(&trouble::of_slos(&slos.items)) {
                    printer.say(&format!("{} {line}", printer.err.paint(Paint::Yellow, "!")));
                }
                printer.say(&closing(printer, &slos, &alerts.items, said.next));
            }
        }
    }
    for pattern in &unmatched {
        printer.say(&format!("no SLO is `{pattern}`; `slo status` lists all"));
    }
    Ok(if unmatched.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Counts what was shown, explains its marks, and says what to run next.
fn closing(printer: &Printer, slos: &List<Instance>, alerts: &[Alert], next: &str) -> String {
    if slos.items.is_empty() {
        return "no SLO is loaded there; `slo init` writes a first set".to_owned();
    }
    let counts: Vec<String> = STATUSES
        .iter()
        .filter_map(|status| {
            let count = slos.items.iter().filter(|slo| slo.status == **status).count();
            (count > 0).then(|| format!("{count} {}", words(status).1.to_lowercase()))
        })
        .collect();
    let mut lines = format!("{} SLOs as of {}: {}", slos.items.len(), format::moment(slos.as_of), counts.join(", "));
    if slos.items.iter().any(|slo| slo.frozen) {
        lines += "\nfrozen: what fires stays as it is, because the data can neither confirm nor end it";
    }
    let firing = alerts.iter().filter(|alert| alert.state == "firing").count();
    let last = if firing > 0 { format!("{firing} firing; {next}") } else { "nothing is firing".to_owned() };
    format!("{}\n{last}", printer.err.paint(Paint::Dim, &lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_what_is_there_and_what_looks_like_a_file() {
        for (argument, exists, path) in [
            ("slos/", true, true),
            ("checkout", true, true),
            ("missing.yaml", false, true),
            ("missing.yml", false, true),
            ("checkout", false, false),
            ("checkout/availability", false, false),
            ("*/latency", false, false),
            (r#"checkout/availability{file="a.yaml"}"#, false, false),
        ] {
            assert_eq!(is_path(argument, exists), path, "{argument}");
        }
    }
}
