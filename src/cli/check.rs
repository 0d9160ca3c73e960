//! `slo check`: everything wrong or doubtful in the files, all in one run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::printer::Printer;

/// Find everything wrong or doubtful in the files, all in one run, with positions and codes
///
/// A `config/v1` document among the paths, or `--config`, or `./slo.yaml`, is the configuration; without one, sources,
/// sinks, routes and owners are not resolved. Without paths the configuration and everything below its `files` is
/// checked. Exit code 1: a finding is an error (or a warning, with `--deny warnings`); 2: the check could not be made.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo check
  slo check slos/ --deny warnings
  slo check --format json slos/checkout.yaml | jq '.findings[].code'
  cat checkout.yaml | slo check -")]
pub struct Arguments {
    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Treat these findings as failures too
    #[arg(long, value_name = "WHAT", value_enum)]
    pub deny: Option<Deny>,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// With the lines that they speak about
    Human,
    /// `file:line:column: severity[code]: message`
    Concise,
    /// One object with `findings` and `summary`
    Json,
}

/// Which findings below an error fail the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Warnings
    Warnings,
}

/// Checks and prints.
///
/// # Errors
/// Where the files cannot be read, or hold no SLO file.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo check` is not built yet")
}
