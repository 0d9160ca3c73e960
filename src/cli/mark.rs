//! `slo mark`: tells a running service what happened.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::cli::Server;
use crate::cli::client::{Client, decoded};
use crate::cli::printer::Printer;
use crate::cli::table::printable;
use crate::http::dto::silence::Marked;
use crate::units::Timestamp;

/// Tell a running service of a deploy: shown in alerts, and policies may hold some back for a while
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  slo mark deploy checkout --version 2026.11.3")]
pub struct Arguments {
    /// What to mark.
    #[command(subcommand)]
    pub action: Action,
}

/// What happened.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Say that a service was deployed
    #[command(after_help = "Examples:
  slo mark deploy checkout --version 2026.11.3
  slo mark deploy checkout --version \"$GIT_SHA\" --at 2026-11-21T03:00:00Z")]
    Deploy(Deploy),
}

/// Options of `slo mark deploy`.
#[derive(Clone, Debug, clap::Args)]
pub struct Deploy {
    /// The service, as in the SLO files
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// What was deployed
    #[arg(long, value_name = "VERSION")]
    pub version: String,
    /// When it was done; now, if left out
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Who deployed, where no token says
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    pub by: Option<String>,
    /// Which service is told.
    #[command(flatten)]
    pub server: Server,
}

/// Tells the service.
///
/// # Errors
/// Where the service does not answer, or does not take it.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let Action::Deploy(deploy) = &arguments.action;
    let client = Client::new(&deploy.server)?;
    let body = json!({"service": deploy.service, "version": deploy.version, "at": deploy.at, "by": deploy.by});
    let answer = Client::block_on(client.post(&["api", "v1", "markers"], &body))?;
    let marked: Marked = decoded(answer)?;
    printer.say(&printable(&marked.message));
    Ok(ExitCode::SUCCESS)
}
