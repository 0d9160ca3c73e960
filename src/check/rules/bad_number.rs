//! `bad_number`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Bad number.
pub const RULE: Rule = Rule {
    code: codes::BAD_NUMBER,
    severity: Severity::Error,
    page: "Not a number, or none that fits here: a negative count, a factor of 0, a limit of 0.",
    failing: Some(Failing {
        line: 5,
        column: 41,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page, burn: {factor: -1, over: 1h, confirm: 5m}}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 5m}}
",
    ),
    lint: None,
};
