//! `slo check`: everything wrong or doubtful in the files, all in one run.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::check;
use crate::cli::printer::{Paint, Printer};
use crate::cli::{FAILED, FINDINGS};
use crate::clock;
use crate::diag::{Counts, Report, Severity, concise, human, json};
use crate::runtime::files::Request;
use crate::runtime::presence::look_for_secrets;
use crate::secret::Secrets;

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
    /// Look for every secret too, in its variable or file: for where the service runs
    #[arg(long)]
    pub secrets: bool,
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
/// Where no SLO file is there, or the findings cannot be written.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = Request { paths: arguments.paths.clone(), config: arguments.config.clone() };
    let mut gathered = request.gather();
    if arguments.secrets {
        look_for_secrets(&mut gathered.loaded, &Secrets::of_process());
    }
    let report = check::report(&gathered.loaded, clock::today());
    // Without a document of ours there was nothing to check; a broken file that might have been one is a finding.
    let nothing = gathered.loaded.documents.is_empty() && report.count(Severity::Error) == 0;
    if !nothing || !report.findings().is_empty() {
        printer.data(&match arguments.format {
            Format::Human => human::render(&report, &gathered.texts, &gathered.loaded.masked, printer.out.has_colour()),
            Format::Concise => concise::render(&report),
            Format::Json => json::render(&report),
        })?;
    }
    if nothing {
        return Err(nothing_there(arguments, report.counts()));
    }
    printer.say(&last_line(&report, printer));
    let denied = arguments.deny == Some(Deny::Warnings) && report.count(Severity::Warning) > 0;
    Ok(if gathered.unreadable {
        ExitCode::from(FAILED)
    } else if denied || report.count(Severity::Error) > 0 {
        ExitCode::from(FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn nothing_there(arguments: &Arguments, counts: Counts) -> anyhow::Error {
    let place = match arguments.paths.as_slice() {
        [] => "here".to_owned(),
        [path] => format!("in `{}`", path.display()),
        _ => "in any of these paths".to_owned(),
    };
    let skipped = match counts.skipped {
        0 => String::new(),
        1 => "; one document of another kind was skipped".to_owned(),
        more => format!("; {more} documents of other kinds were skipped"),
    };
    let next = if arguments.paths.is_empty() {
        "name files or folders, or run `slo init`"
    } else {
        "run `slo init` to get some"
    };
    anyhow::anyhow!("no SLO files {place}{skipped}; {next}")
}

/// Counts the result and says what to run next.
fn last_line(report: &Report, printer: &Printer) -> String {
    let counts = report.counts();
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let mut line = format!("{}, {}", counted(counts.files, "file"), counted(counts.slos, "SLO"));
    if counts.skipped > 0 {
        let _ = write!(line, ", {} skipped", counted(counts.skipped, "document"));
    }
    let (paint, verdict, next) = match (errors, warnings) {
        (0, 0) => (Paint::Green, "nothing wrong".to_owned(), "slo run"),
        (0, warnings) => (Paint::Yellow, counted(warnings, "warning"), "slo run"),
        (errors, 0) => (Paint::Red, counted(errors, "error"), "slo check, when they are mended"),
        (errors, warnings) => {
            let both = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
            (Paint::Red, both, "slo check, when they are mended")
        }
    };
    format!("{line}: {}; next: {next}", printer.err.paint(paint, &verdict))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
