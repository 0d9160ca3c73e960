//! `unreadable`: the page and the examples of a finding that the readers make.

use crate::check::rule::Rule;
use crate::diag::{Severity, codes};

/// File cannot be read.
pub const RULE: Rule = Rule {
    code: codes::UNREADABLE,
    severity: Severity::Error,
    page:
        "The file or folder is not there, may not be read, or failed while it was read. The message has the operating
system's reason. A reload says the same of the store, where what is stored of new or renamed SLOs cannot be taken over.",
    failing: None,
    passing: None,
    lint: None,
};
