//! `preset_taken`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Policy takes the name of a preset.
pub const RULE: Rule = Rule {
    code: codes::PRESET_TAKEN,
    severity: Severity::Error,
    page: "A policy has the name of a built-in one and differs from it. Somebody who reads `balanced` in an SLO file
should get what the documentation calls so.

Rename it, or say `replaces: preset` where it is meant.",
    failing: Some(Failing {
        line: 3,
        column: 11,
        text: r"version: policy/v1
policies:
  - name: balanced
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 5m}}
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
