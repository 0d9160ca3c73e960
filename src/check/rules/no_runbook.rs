//! `no_runbook`: a page that does not say what to do.

use std::collections::BTreeMap;

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::{Mode, Origin};
use crate::spec::policy::AlertSeverity;

/// A page that does not say what to do.
pub const RULE: Rule = Rule {
    code: codes::NO_RUNBOOK,
    severity: Severity::Warning,
    page: "Somebody who is woken needs to know what to do first. This SLO can page, and neither its links nor the
document's name a `runbook`.

Write `links: {runbook: https://..}` at the SLO or for the whole document; an annotation `runbook_url` of
its alerts does as well.",
    failing: Some(Failing {
        line: 6,
        column: 5,
        text: r#"version: slo/v1
service: shop
owner: web
links: {dashboard: https://grafana.example/d/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
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
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in set.slos.iter().filter(|slo| slo.slo.alerting.mode == Mode::Live) {
        // One that is written and refused is another finding.
        let written = slo.at.find(&["links", "runbook"]).or_else(|| slo.at.root().find(&["links", "runbook"]));
        let alerting = &slo.slo.alerting;
        let foreign = alerting.foreign.iter().flat_map(|foreign| &foreign.alerts);
        let pages = foreign.filter(|alert| alert.severity == AlertSeverity::Page).map(|alert| &alert.annotations);
        let mut annotations = std::iter::once(&alerting.annotations).chain(pages);
        let is_runbook =
            |of: &BTreeMap<String, String>| ["runbook", "runbook_url"].iter().any(|key| of.contains_key(*key));
        let named = written.is_some() || annotations.any(is_runbook);
        if !named && slo.severities().contains(&AlertSeverity::Page) {
            let message = format!("`{}` can page, and names no runbook", slo.slo.id);
            let finding = Diagnostic::warning(codes::NO_RUNBOOK, message)
                .with_help(match slo.origin() {
                    None => "add `links: {runbook: https://..}` to the SLO or to the document",
                    Some(Origin::Sloth) => "add the annotation `runbook: https://..` to `alerting`",
                    Some(Origin::Pyrra) => "add the annotation `pyrra.dev/runbook: https://..` to `metadata`",
                })
                .of(slo.slo.id.clone());
            found.push(slo.at.mark(finding));
        }
    }
}
