//! `slo explain`: the arithmetic of an SLO, the table of a policy, the page of a finding.

pub mod code;
pub mod policy;
pub mod slo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::Server;
use crate::cli::printer::Printer;
use crate::units::{Length, Objective};

/// Explain an SLO from query to decision, a policy by when it fires, or the code of a finding
///
/// An SLO (`checkout/availability`) is asked of a running service, or, with a path, `--prometheus` or `--config`,
/// computed once from the files. A policy is a preset, or one of the files.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo explain checkout/availability
  slo explain checkout/availability slos/ --prometheus http://127.0.0.1:9090
  slo explain balanced --objective 99.5% --window 7d
  slo explain house rules/
  slo explain SLO012")]
pub struct Arguments {
    /// An SLO or one of its groups, a policy, or a code
    #[arg(value_name = "SLO|POLICY|CODE")]
    pub what: String,
    /// Files and folders that hold the SLO or the policy [default: the configuration's `files`]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Compute an SLO once from this Prometheus, in place of the configured sources
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// The objective that a policy is explained for
    #[arg(long, value_name = "PERCENT", default_value = "99.9%")]
    pub objective: Objective,
    /// The period that a policy is explained for
    #[arg(long, value_name = "LENGTH", default_value = "30d")]
    pub window: Length,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One object
    Json,
}

/// Explains. Code 1 where there is no such thing.
///
/// # Errors
/// Where a service has to be asked and does not answer.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let upper = arguments.what.to_ascii_uppercase();
    let is_code =
        upper.strip_prefix("SLO").is_some_and(|rest| rest.len() == 3 && rest.chars().all(|c| c.is_ascii_digit()));
    if is_code {
        return code::run(&upper, arguments.format, printer);
    }
    if arguments.what.contains('/') {
        return slo::run(arguments, printer);
    }
    policy::run(arguments, printer)
}
