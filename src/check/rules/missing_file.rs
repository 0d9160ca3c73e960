//! `missing_file`: a program, a file of tokens or a secret that is not there. Found where files are read.

use crate::check::rule::Rule;
use crate::diag::{Severity, codes};

/// A program, a file of tokens or a secret that is not there.
pub const RULE: Rule = Rule {
    code: codes::MISSING_FILE,
    severity: Severity::Error,
    page: "The program of an `exec` sink is not there or may not be executed, or the file of tokens is not there: on this
machine, which may be another one than the service's, so it is a warning. `slo run` does not start without its tokens, and
each delivery by a missing program fails.

With `slo check --secrets` every secret is looked for too, in its variable or file, and one that is missing is an error:
run it where the service runs.",
    failing: None,
    passing: None,
    lint: None,
};
