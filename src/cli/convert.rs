//! `slo convert`: files of other tools as native ones, with a note for each field.
//!
//! Invariant: all or nothing. Where a file has an error, or one of the results is already there, nothing is written.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use comfy_table::Cell;

use crate::check::convert::{Converted, convert};
use crate::check::report;
use crate::cli::printer::{Paint, Printer};
use crate::cli::{FAILED, FINDINGS, table};
use crate::clock;
use crate::diag::{Severity, concise};
use crate::runtime::files::Request;

/// Write Sloth's and Pyrra's files in the native format, and say what became of each field
///
/// The native documents go to standard output, the notes to standard error. Files that belong together (SLOs and their
/// `AlertWindows`) are converted together. `slo` reads the files of these tools as they are, so there is no need to.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo convert sloth/checkout.yaml > slos/checkout.yaml
  slo convert pyrra/*.yaml --out slos/")]
pub struct Arguments {
    /// Files and folders; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub paths: Vec<PathBuf>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write a file for each that is read, of the same name, into this folder; never over one that is there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Converts. Code 1 where a file has an error.
///
/// # Errors
/// Where there is nothing to convert, or a result cannot be written.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = Request { paths: arguments.paths.clone(), config: arguments.config.clone() };
    let gathered = request.gather();
    let report = report(&gathered.loaded, clock::today());
    let errors = report.findings().iter().filter(|finding| finding.severity == Severity::Error);
    errors.for_each(|finding| printer.say(&concise::line(finding)));
    if report.count(Severity::Error) > 0 {
        printer.say("nothing was converted; next: slo check, when they are mended");
        return Ok(ExitCode::from(if gathered.unreadable { FAILED } else { FINDINGS }));
    }
    let converted = convert(&gathered.loaded);
    if converted.is_empty() {
        bail!("there is no file of Sloth or Pyrra among these; native files need no conversion");
    }
    if let Some(folder) = &arguments.out {
        write_all(folder, &converted, printer)?;
    } else {
        let texts: Vec<String> = converted.iter().filter(|one| !one.text.is_empty()).map(with_origin).collect();
        printer.data(&texts.join("---\n"))?;
    }
    printer.say(&notes(&converted, printer));
    printer.say(&last_line(&converted, printer));
    Ok(ExitCode::SUCCESS)
}

/// The text with a line that says where it comes from.
fn with_origin(converted: &Converted) -> String {
    format!("# from {}\n{}", converted.file.replace(char::is_control, " "), converted.text)
}

fn write_all(folder: &Path, converted: &[Converted], printer: &Printer) -> anyhow::Result<()> {
    let mut targets: BTreeMap<PathBuf, &Converted> = BTreeMap::new();
    for one in converted.iter().filter(|one| !one.text.is_empty()) {
        let stem = Path::new(one.file.as_ref()).file_stem().unwrap_or_default();
        let stem = if one.file.as_ref() == "-" { "stdin".into() } else { stem.to_string_lossy() };
        let path = folder.join(format!("{stem}.yaml"));
        if path.symlink_metadata().is_ok() {
            bail!("`{}` is already there; nothing was written", path.display());
        }
        if let Some(first) = targets.insert(path.clone(), one) {
            bail!("`{}` and `{}` would both be `{}`; convert them one by one", first.file, one.file, path.display());
        }
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    for (path, one) in targets {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        file.write_all(with_origin(one).as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
        printer.line(&format!("wrote {}", path.display()))?;
    }
    Ok(())
}

/// A table for each file.
fn notes(converted: &[Converted], printer: &Printer) -> String {
    let mut text = String::new();
    for one in converted {
        text.extend([table::printable(&one.file), "\n".to_owned()]);
        let mut rows = table::table(printer, &["line", "field", "what became of it"], 2);
        for note in &one.notes {
            let cells = [&note.line.to_string(), &note.field, &note.fate].map(|cell| Cell::new(table::printable(cell)));
            rows.add_row(cells);
        }
        table::keep_whole(&mut rows, 1);
        text += &table::text(&rows);
    }
    text.trim_end().to_owned()
}

fn last_line(converted: &[Converted], printer: &Printer) -> String {
    let fates: Vec<&str> = converted.iter().flat_map(|one| &one.notes).map(|note| note.fate.as_str()).collect();
    let lost = fates.iter().filter(|fate| fate.starts_with("lost")).count();
    let paint = if lost == 0 { Paint::Green } else { Paint::Yellow };
    let lost = printer.err.paint(paint, &format!("{lost} lost"));
    let files = if converted.len() == 1 { "1 file".to_owned() } else { format!("{} files", converted.len()) };
    format!("{files}, {} fields: {lost}; next: slo check", fates.len())
}
