//! `literal_secret`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Secret written in a file.
pub const RULE: Rule = Rule {
    code: codes::LITERAL_SECRET,
    severity: Severity::Error,
    page: "A secret stands in the file itself. Files end up in Git, in logs and in excerpts.

Write `{env: NAME}` or `{file: PATH}`, and treat the written secret as known to everybody: replace it. The
excerpt of this finding is masked.",
    failing: Some(Failing {
        line: 3,
        column: 71,
        text: r"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: hunter2}}
routes: [{match: {}, to: [hook]}]
",
    }),
    passing: Some(
        r"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
routes: [{match: {}, to: [hook]}]
",
    ),
    lint: None,
};
