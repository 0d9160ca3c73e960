//! The command line: one file a verb.
//!
//! Standard output carries data, standard error carries talk ([`printer`]). Exit codes: 0 fine, 1 findings or a
//! condition that does not hold, 2 the tool failed (usage, I/O, network). A verb returns its code; an error that it
//! returns is printed here, once, and is code 2. A reader that closed the pipe is success.

pub mod alerts;
pub mod audit;
pub mod backtest;
pub mod check;
pub mod client;
pub mod convert;
pub mod deliveries;
pub mod demo;
pub mod drill;
pub mod explain;
pub mod generate;
pub mod init;
pub mod mark;
pub mod notify;
pub mod once;
pub mod printer;
pub mod progress;
pub mod run;
pub mod silence;
pub mod status;
pub mod table;
pub mod token;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use printer::{Paint, Printer, ReaderGone};

/// Exit code of findings, and of a condition that does not hold.
pub const FINDINGS: u8 = 1;
/// Exit code of a tool that failed: usage, I/O, network.
pub const FAILED: u8 = 2;

/// Declarative SLO files in, exact error budgets, pages and tickets out.
#[derive(Debug, Parser)]
#[command(name = "slo", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  slo demo                      watch a service burn its budget and a page go out
  slo init reliability          write a working repository of SLOs
  slo check                     find everything wrong or doubtful in the files
  slo run --prometheus http://127.0.0.1:9090 slos/")]
struct Line {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Arguments),
    Init(init::Arguments),
    Check(check::Arguments),
    Convert(convert::Arguments),
    Run(run::Arguments),
    Status(status::Arguments),
    Alerts(alerts::Arguments),
    Drill(drill::Arguments),
    Notify(notify::Arguments),
    Deliveries(deliveries::Arguments),
    Silence(silence::Arguments),
    Mark(mark::Arguments),
    Audit(audit::Arguments),
    Backtest(backtest::Arguments),
    Generate(generate::Arguments),
    Explain(explain::Arguments),
    Token(token::Arguments),
}

/// Which running service a verb asks.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Address of the running service
    #[arg(long = "server", value_name = "URL", env = "SLO_SERVER", default_value = "http://127.0.0.1:9777")]
    pub url: String,
    /// What is sent to be let in: a token as `slo token` printed it. Not on the command line, where others see it.
    #[arg(long = "token", env = "SLO_TOKEN", hide = true, hide_env_values = true)]
    pub token: Option<Token>,
}

/// A token, not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::str::FromStr for Token {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// A variable that is set to nothing.
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The header that lets in; `None`: it cannot stand in one.
    fn header(&self) -> Option<reqwest::header::HeaderValue> {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Runs the verb that the arguments name; the first argument is the program.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let printer = Printer::of_process();
    let line = match Line::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) => return usage(&error),
    };
    let result = match &line.verb {
        Verb::Demo(arguments) => demo::run(arguments, &printer),
        Verb::Init(arguments) => init::run(arguments, &printer),
        Verb::Check(arguments) => check::run(arguments, &printer),
        Verb::Convert(arguments) => convert::run(arguments, &printer),
        Verb::Run(arguments) => run::run(arguments, &printer),
        Verb::Status(arguments) => status::run(arguments, &printer),
        Verb::Alerts(arguments) => alerts::run(arguments, &printer),
        Verb::Drill(arguments) => drill::run(arguments, &printer),
        Verb::Notify(arguments) => notify::run(arguments, &printer),
        Verb::Deliveries(arguments) => deliveries::run(arguments, &printer),
        Verb::Silence(arguments) => silence::run(arguments, &printer),
        Verb::Mark(arguments) => mark::run(arguments, &printer),
        Verb::Audit(arguments) => audit::run(arguments, &printer),
        Verb::Backtest(arguments) => backtest::run(arguments, &printer),
        Verb::Generate(arguments) => generate::run(arguments, &printer),
        Verb::Explain(arguments) => explain::run(arguments, &printer),
        Verb::Token(arguments) => token::run(arguments, &printer),
    };
    result.unwrap_or_else(|error| failure(&error, &printer))
}

/// Help and version go to standard output and are fine; anything else is a usage error.
fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe while help is printed is as fine here as anywhere else.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

/// Prints what went wrong and why, the outermost first, on one line each.
fn failure(error: &anyhow::Error, printer: &Printer) -> ExitCode {
    if error.is::<ReaderGone>() {
        return ExitCode::SUCCESS;
    }
    printer.say(&format!("{}: {error}", printer.err.paint(Paint::Red, "error")));
    for cause in error.chain().skip(1) {
        printer.say(&format!("  because {cause}"));
    }
    ExitCode::from(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        for verb in Line::command().get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "`slo {}` has no example", verb.get_name());
        }
    }
}
