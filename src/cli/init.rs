//! `slo init`: a working GitOps repository of SLOs.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::printer::Printer;

/// Write a working repository: SLOs, rules, configuration and CI, which passes `slo check` at once
///
/// A file that is already there is never overwritten.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  slo init reliability && cd reliability && slo check")]
pub struct Arguments {
    /// Where; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
}

/// Writes the files.
///
/// # Errors
/// Where a file or folder cannot be written.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo init` is not built yet")
}
