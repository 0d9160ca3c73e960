//! `slo run`: the service.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::app::{App, told_to_stop};
use crate::cli::FINDINGS;
use crate::cli::printer::Printer;
use crate::clock::Clock;
use crate::diag::{Counts, Report, concise};
use crate::runtime::blueprint::{Blueprint, Launch, Overrides};
use crate::runtime::files::Request;
use crate::runtime::service::Refusal;
use crate::secret::{SecretError, Secrets};
use crate::telemetry::Telemetry;
use crate::telemetry::event::SecretStale;
use crate::telemetry::log::{self, LogFormat};

/// Evaluate the SLOs, alert, and serve API, metrics and page until stopped
///
/// With a Prometheus URL and files no configuration is needed.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo run
  slo run --config /etc/slo/slo.yaml
  slo run slos/ --prometheus http://127.0.0.1:9090 --alertmanager http://127.0.0.1:9093")]
pub struct Arguments {
    /// SLO files and folders, in place of `files` of the configuration
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A Prometheus to ask, in place of the configured sources
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// An Alertmanager that gets every alert, in place of the configured sinks and routes
    #[arg(long, value_name = "URL")]
    pub alertmanager: Option<String>,
    /// Evaluate, record and show; send nothing
    #[arg(long)]
    pub shadow: bool,
    /// What to log, as in `info` or `slo=debug`
    #[arg(long, value_name = "DIRECTIVES", env = "RUST_LOG")]
    pub log: Option<String>,
    /// Log one JSON object a line
    #[arg(long)]
    pub log_json: bool,
}

impl Arguments {
    const fn log_format(&self) -> LogFormat {
        if self.log_json { LogFormat::Json } else { LogFormat::Text }
    }
}

/// Runs the service until it is stopped.
///
/// # Errors
/// Where the port or the store cannot be used.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    if arguments.paths.iter().any(|path| path.as_os_str() == "-") {
        anyhow::bail!(
            "`slo run` reads its files again when they change, which standard input cannot; name files or folders"
        );
    }
    log::init(arguments.log_format(), arguments.log.as_deref(), printer.err.has_colour())?;
    let telemetry = Telemetry::default();
    let heard = telemetry.clone();
    let tell = move |error: &SecretError| heard.tell(&SecretStale { problem: &error.to_string() });
    let launch = Launch {
        request: Request { paths: arguments.paths.clone(), config: arguments.config.clone() },
        overrides: Overrides {
            prometheus: arguments.prometheus.clone(),
            alertmanager: arguments.alertmanager.clone(),
            shadow: arguments.shadow,
            ..Overrides::default()
        },
        secrets: Arc::new(Secrets::of_process().telling(tell)),
        telemetry,
    };
    let blueprint = match launch.blueprint() {
        Ok(blueprint) => blueprint,
        Err(refusal) => return refused(refusal, "not started", printer),
    };
    for finding in &blueprint.warnings {
        printer.say(&concise::line(finding));
    }
    if blueprint.slos.is_empty() {
        printer.say(
            "no SLOs are loaded; write some (`slo init` shows how), the service takes them over when they are there",
        );
    }
    runtime()?.block_on(serve(launch, blueprint, printer))
}

async fn serve(launch: Launch, blueprint: Blueprint, printer: &Printer) -> anyhow::Result<ExitCode> {
    let slos = blueprint.slos.len();
    let store = blueprint.config.storage.path.display().to_string();
    let app = App::start(launch, blueprint, Clock::system()).await?;
    printer.say(&format!("{slos} SLOs, listening on http://{}/, state in {store}; next: slo status", app.address));
    let why = told_to_stop().await;
    app.stop(why).await;
    Ok(ExitCode::SUCCESS)
}

/// The findings, as `slo check` prints them. `what`: what did not happen for them.
///
/// # Errors
/// Where they cannot be written.
pub fn refused(refusal: Refusal, what: &str, printer: &Printer) -> anyhow::Result<ExitCode> {
    let errors = match refusal.findings.len() {
        1 => "1 finding".to_owned(),
        more => format!("{more} findings"),
    };
    let counts = Counts { files: 0, slos: 0, skipped: 0 };
    printer.data(&concise::render(&Report::new(refusal.findings, counts)))?;
    printer.say(&format!("{what}: {errors}; next: slo check"));
    Ok(ExitCode::from(FINDINGS))
}

/// The runtime of a service.
///
/// # Errors
/// Where the system gives no threads.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // TLS of sources and sinks; a second call in one process is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the async runtime")
}
