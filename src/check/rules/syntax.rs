//! `syntax`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// The file is not YAML.
pub const RULE: Rule = Rule {
    code: codes::SYNTAX,
    severity: Severity::Error,
    page: "The text could not be read as YAML 1.2, or is not UTF-8. Nothing below the place could be read, so further
findings may show up once it is mended.

The usual causes: a tab in the indentation, a list item indented less than its list, a colon followed by a
space inside an unquoted value, a quote that is never closed. PromQL is best put in single quotes.",
    failing: Some(Failing {
        line: 4,
        column: 1,
        text: r"version: slo/v1
service: shop
slos: [
",
    }),
    passing: Some(
        r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: None,
};
