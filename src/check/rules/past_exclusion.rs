//! `past_exclusion`: an exclusion is over, and will not come back.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::exclusion::ExclusionWindow;
use crate::units::Day;

/// An exclusion is over, and will not come back.
pub const RULE: Rule = Rule {
    code: codes::PAST_EXCLUSION,
    severity: Severity::Warning,
    page: "The window of the exclusion was once, and it is past: it does nothing any more. Was the year meant to be another?

Take it out, or write when it is to be.",
    failing: Some(Failing {
        line: 15,
        column: 21,
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
    reason: the batch of the night takes all disks
    slos: [shop/*]
    window: {start: 2020-03-01T22:00:00Z, for: 2h}
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
    window: {start: 2127-03-01T22:00:00Z, for: 2h}
    alerts_only: true
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for (exclusion, at) in &set.exclusions {
        // On the day itself it may still be on.
        if let ExclusionWindow::Once { end, .. } = exclusion.window
            && Day::of(end) < set.today
        {
            let message = format!("the exclusion `{}` was over at {end}", exclusion.name);
            let finding = Diagnostic::warning(codes::PAST_EXCLUSION, message);
            let help = "take it out, or write when it is to be";
            found.push(at.nearest(&["window", "start"]).mark(finding.with_help(help)));
        }
    }
}
