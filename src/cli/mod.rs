//! The command line: one file a verb.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the verb that the arguments name.
pub fn main(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
