//! `slo run`: the service.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::printer::Printer;

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
}

/// Runs the service until it is stopped.
///
/// # Errors
/// Where the port, the store or the files cannot be used.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo run` is not built yet")
}
