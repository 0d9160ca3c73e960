//! `no_reason`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// An exclusion says no reason.
pub const RULE: Rule = Rule {
    code: codes::NO_REASON,
    severity: Severity::Error,
    page: "An exclusion keeps people from being told. Whoever wonders about it at night, or looks at it a year later,
needs to know why it is there, and whether it still has to be.

Say it in `reason`: the work that is planned, the number of the change.",
    failing: Some(Failing {
        line: 12,
        column: 5,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
---
version: exclusion/v1
exclusions:
  - name: nightly
    slos: [shop/*]
    window: {cron: 0 2 * * *, for: 30m, zone: Europe/Berlin}
    alerts_only: true
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
---
version: exclusion/v1
exclusions:
  - name: nightly
    reason: the batch of the night takes all disks
    slos: [shop/*]
    window: {cron: 0 2 * * *, for: 30m, zone: Europe/Berlin}
    alerts_only: true
"#,
    ),
    lint: None,
};
