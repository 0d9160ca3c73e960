//! `unknown_document`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Unknown kind of document.
pub const RULE: Rule = Rule {
    code: codes::UNKNOWN_DOCUMENT,
    severity: Severity::Error,
    page: "A document says what it is by `version` (`slo/v1`, `policy/v1`, `config/v1`) or, where it comes from another
tool, by `apiVersion` and `kind`. This one says neither, or a version that does not exist.

Documents of other tools (a Deployment, a kustomization) are skipped and counted; a file that was named, or
that holds a document of ours, has to say what each of its documents is.",
    failing: Some(Failing {
        line: 1,
        column: 10,
        text: r#"version: slo/v9
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
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
