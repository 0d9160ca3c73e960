//! `slo generate`: files for other programs, made from SLO files; deterministic, byte for byte.

mod prometheus;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use crate::cli::printer::Printer;

/// Write files for other programs: rules for a ruler
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  slo generate prometheus slos/ --out rules/slo.yaml
  slo generate prometheus --config slo.yaml --ruler mimir
  slo generate prometheus --self --out rules/watch-slo.yaml")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    Prometheus(prometheus::Arguments),
}

/// Writes what is asked for.
///
/// # Errors
/// Where nothing is there to be read, or it cannot be written.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Prometheus(arguments) => prometheus::run(arguments, printer),
    }
}

/// To standard output, or whole into the file: a reader sees the old content or the new, never a part.
fn deliver(text: &str, out: Option<&Path>, printer: &Printer) -> anyhow::Result<()> {
    match out {
        None => printer.data(text),
        Some(path) => replace(path, text).with_context(|| format!("cannot write `{}`", path.display())),
    }
}

/// Written beside it, then renamed over it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;

    let name = path.file_name().ok_or_else(|| std::io::Error::other("it names no file"))?;
    let beside = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // What is left of the attempt; the error that matters is the first.
        let _ = std::fs::remove_file(&beside);
    }
    written
}
