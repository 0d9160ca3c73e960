//! `unreadable`: the page and the examples of a finding that the readers make.

use crate::check::rule::Rule;
use crate::diag::{Severity, codes};

/// File cannot be read.
pub const RULE: Rule = Rule {
    code: codes::UNREADABLE,
    severity: Severity::Error,
    page: "The file or folder is not there, may not be read, or failed while it was read. The message has the operating
system's reason.",
    failing: None,
    passing: None,
    lint: None,
};
