//! `slo alerts`: the alerts of a running service.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use crate::cli::Server;
use crate::cli::printer::Printer;

/// List the alerts of a running service, or show one with its transitions and deliveries
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo alerts list --state firing
  slo alerts show 'checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1'")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the alerts.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List alerts, newest first
    #[command(after_help = "Example:
  slo alerts list --state firing --severity page")]
    List(List),
    /// Show one alert: transitions, tiers, deliveries
    #[command(after_help = "Example:
  slo alerts show 'checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1'")]
    Show(Show),
}

/// Options of `slo alerts list`.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Only alerts in this state
    #[arg(long, value_name = "STATE", value_parser = ["pending", "firing", "resolved"])]
    pub state: Option<String>,
    /// Only alerts of this severity
    #[arg(long, value_name = "SEVERITY", value_parser = ["page", "ticket", "notice"])]
    pub severity: Option<String>,
    /// Only alerts of this SLO or instance
    #[arg(long, value_name = "SLO")]
    pub slo: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo alerts show`.
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    /// The alert's id, as `slo alerts list` prints it
    #[arg(value_name = "ID")]
    pub id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How alerts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// As the API answers
    Json,
}

/// Asks the service and prints.
///
/// # Errors
/// Where the service does not answer, or does not know the alert.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo alerts` is not built yet")
}
