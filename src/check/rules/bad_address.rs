//! `bad_address`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Bad address.
pub const RULE: Rule = Rule {
    code: codes::BAD_ADDRESS,
    severity: Severity::Error,
    page: "The address of a source, a sink or the server cannot be used: not a URL, no host, a scheme that is not http
or https, a port that is none.",
    failing: Some(Failing {
        line: 2,
        column: 49,
        text: r"version: config/v1
sources: {prometheus: {type: prometheus, urls: [prometheus:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
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
