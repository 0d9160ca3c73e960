//! `slo init`: a working GitOps repository of SLOs.
//!
//! The files are data beside this module, so that tests check exactly what users get. Invariant: a file that is already
//! there is never touched, not even through a dangling link; what is new is written, what is kept is named.

mod candidates;
mod choose;
mod from;
mod ladder;
mod look;
mod words;
mod write;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::printer::{Paint, Printer};

/// Write a working repository: SLOs, rules, configuration and CI, which passes `slo check` at once
///
/// A file that is already there is never overwritten. With `--from` the SLOs are those of the jobs of a Prometheus: for
/// requests, latencies and probes that it has, the highest objective (90, 95, 99, 99.5, 99.9, 99.95%) that the last 30 d
/// would have met with the next one met too. A latency's threshold is the smallest bucket that gives 99%, else 95%, else 90%.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo init reliability && cd reliability && slo check
  slo init reliability --from http://127.0.0.1:9090")]
pub struct Arguments {
    /// Where; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// A Prometheus to look at: SLOs for what it has, in place of an example
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
}

/// Path within the repository, and content.
const FILES: [(&str, &str); 7] = [
    ("slo.yaml", include_str!("init/slo.yaml")),
    ("slos/shop.yaml", include_str!("init/slos/shop.yaml")),
    ("rules/house.yaml", include_str!("init/rules/house.yaml")),
    ("README.md", include_str!("init/README.md")),
    (".github/workflows/slo.yaml", include_str!("init/ci/github.yaml")),
    (".gitlab-ci.yml", include_str!("init/ci/gitlab.yaml")),
    (".gitignore", include_str!("init/gitignore")),
];

/// Writes the files; prints a line for each.
///
/// # Errors
/// Where a file or folder cannot be written.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let root = &arguments.directory;
    if let Some(address) = &arguments.from {
        return from::run(root, address, printer);
    }
    let (mut written, mut kept) = (0, 0);
    for (name, content) in FILES {
        let path = root.join(name);
        if write_new(&path, content)? {
            written += 1;
            printer.line(&format!("wrote {}", path.display()))?;
        } else {
            kept += 1;
            printer.line(&format!("kept {}, which was already there", path.display()))?;
        }
    }
    let next =
        if root == Path::new(".") { "slo check".to_owned() } else { format!("cd {} && slo check", root.display()) };
    let next = printer.err.paint(Paint::Cyan, &next);
    printer.say(&format!("{written} files written, {kept} kept; next: {next}"));
    Ok(ExitCode::SUCCESS)
}

/// Writes `content` where nothing is yet; says whether it did.
fn write_new(path: &Path, content: &str) -> anyhow::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(content.as_bytes()).with_context(|| format!("cannot write `{}`", path.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(anyhow::Error::new(error).context(format!("cannot write `{}`", path.display()))),
    }
}
