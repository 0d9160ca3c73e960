//! `bad_tier`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Contradicting tier.
pub const RULE: Rule = Rule {
    code: codes::BAD_TIER,
    severity: Severity::Error,
    page: "The parts of a tier contradict each other: two conditions at once, a confirm window longer than its long
window, a gate that its kind does not have.",
    failing: Some(Failing {
        line: 5,
        column: 66,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 2h}}
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
