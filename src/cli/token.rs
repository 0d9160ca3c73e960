//! `slo token`: a new token for whoever asks a service that is not open to everybody.
//!
//! The secret is shown once and kept nowhere; what the service needs is the line of the file, which holds a hash.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;

use crate::cli::printer::Printer;
use crate::config::access::{Role, read_tokens};
use crate::runtime::access::mint;
use crate::units::is_name;

/// Make a token: prints it once, and the line for the file that `server.auth.tokens` names
///
/// Standard output has the token and nothing else. A running service takes the file over by itself.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo token anna --role admin --file /etc/slo/tokens
  SLO_TOKEN=$(slo token deploy-bot --role operate --file tokens) slo mark deploy checkout --version v42")]
pub struct Arguments {
    /// Whom it is for; the audit names them so
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it may do
    #[arg(long, value_enum, default_value_t = RoleArgument::Read)]
    pub role: RoleArgument,
    /// Append the line to this file, in place of a line of that name
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

/// A role on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// Look
    Read,
    /// Acknowledge, silence, mark, judge, drill, test, resend
    Operate,
    /// Reload and close too
    Admin,
}

impl From<RoleArgument> for Role {
    fn from(role: RoleArgument) -> Self {
        match role {
            RoleArgument::Read => Self::Read,
            RoleArgument::Operate => Self::Operate,
            RoleArgument::Admin => Self::Admin,
        }
    }
}

/// Makes one.
///
/// # Errors
/// Where the name is none, or the file cannot be written.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let Arguments { name, role, file } = arguments;
    if !is_name(name) {
        bail!("`{name}` is no name: letters, digits, `-`, `_` and `.`, a letter or digit first");
    }
    let minted = mint(name, (*role).into()).map_err(anyhow::Error::msg)?;
    if let Some(path) = file {
        append(path, name, &minted.line)?;
        printer.say(&format!("its line is in {}; the token, which is shown this once:", path.display()));
    } else {
        printer.say("a line for the file that `server: {auth: {tokens: {file: PATH}}}` names:");
        printer.say(&minted.line);
        printer.say("the token, which is shown this once; next: export SLO_TOKEN=..");
    }
    printer.data(&format!("{}\n", minted.token))?;
    Ok(ExitCode::SUCCESS)
}

/// Adds the line, replacing the file whole, so that a service that reads it meanwhile sees the old or the new one.
fn append(path: &Path, name: &str, line: &str) -> anyhow::Result<()> {
    let doing = || format!("writing `{}`", path.display());
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(doing),
    };
    let is_of_name = |line: &&str| !read_tokens(line).0.iter().any(|token| token.name == *name);
    let kept: Vec<&str> = old.lines().filter(is_of_name).collect();
    let mut text = kept.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
    // Beside it, because a rename does not go over file systems; a link is followed to what it names.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside = target.clone().into_os_string();
    beside.push(".new");
    let mode = fs::metadata(&target).map_or(0o600, |about| std::os::unix::fs::MetadataExt::mode(&about) & 0o777);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside).with_context(doing)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(doing)?;
    fs::rename(&beside, &target).with_context(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_the_one_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        append(&path, "anna", "anna read $argon2id$1").unwrap();
        append(&path, "bot", "bot operate $argon2id$2").unwrap();
        fs::write(&path, format!("# ours\n{}", fs::read_to_string(&path).unwrap())).unwrap();
        append(&path, "anna", "anna admin $argon2id$3").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "# ours\nbot operate $argon2id$2\nanna admin $argon2id$3\n");
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o077, 0, "nobody else reads it");
    }
}
