//! Log set-up: text for people or one JSON object a line, to standard error.
//!
//! Standard output carries data, so the log never goes there. What is logged is chosen by directives as in `RUST_LOG`
//! (`info`, `slo=debug,slo::source=trace`); the caller reads the environment and hands them in.

use std::fmt;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt as subscriber;

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The directives do not parse.
    #[error("`{directives}` does not say what to log; use for example `info` or `slo=debug`")]
    Directives {
        /// As given.
        directives: String,
        /// What the parser said.
        source: ParseError,
    },
    /// Somebody did it before.
    #[error("the log was already set up")]
    AlreadySet,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Sets up the log of the whole process, once. `directives` are `RUST_LOG`'s; `info` where there are none. `colour`
/// allows it (the caller honours `NO_COLOR`); it is used on a terminal only.
pub fn init(format: LogFormat, directives: Option<&str>, colour: bool) -> Result<(), LogError> {
    let written = directives.filter(|text| !text.trim().is_empty()).unwrap_or("info");
    let filter = EnvFilter::try_new(written)
        .map_err(|source| LogError::Directives { directives: written.to_owned(), source })?;
    let builder = subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match format {
        LogFormat::Text => builder.with_target(false).with_ansi(colour && std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    set.map_err(|_| LogError::AlreadySet)
}
