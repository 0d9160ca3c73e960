//! `slo status`: budgets, burn and alerts of a running service at a glance, worst first.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::Server;
use crate::cli::printer::Printer;

/// Show budgets, burn and alerts of a running service, worst first
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo status
  slo status checkout/availability --format json")]
pub struct Arguments {
    /// Only these SLOs, by id (`checkout/availability`); without any, all
    #[arg(value_name = "SLO")]
    pub slos: Vec<String>,
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

/// Asks the service and prints.
///
/// # Errors
/// Where the service does not answer.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo status` is not built yet")
}
