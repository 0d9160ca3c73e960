//! `two_configurations`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// More than one configuration.
pub const RULE: Rule = Rule {
    code: codes::TWO_CONFIGURATIONS,
    severity: Severity::Error,
    page: "There are two documents `config/v1`. Only one can be meant, and guessing would send pages somewhere else.",
    failing: Some(Failing {
        line: 6,
        column: 10,
        text: r"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}}
routes: [{match: {}, to: [hook]}]
---
version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
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
