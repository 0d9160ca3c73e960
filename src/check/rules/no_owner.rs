//! `no_owner`: a page that does not say whose it is.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::{Mode, Origin};
use crate::spec::policy::AlertSeverity;

/// A page that does not say whose it is.
pub const RULE: Rule = Rule {
    code: codes::NO_OWNER,
    severity: Severity::Warning,
    page: "Somebody will be woken, and nothing says who answers for this SLO: routes cannot match the owner, and the
message names nobody.

Write `owner: NAME` at the SLO or for the whole document.",
    failing: Some(Failing {
        line: 5,
        column: 5,
        text: r#"version: slo/v1
service: shop
links: {runbook: https://wiki.example/shop}
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
        if slo.slo.owner.is_none() && slo.severities().contains(&AlertSeverity::Page) {
            let message = format!("`{}` can page, and has no owner", slo.slo.id);
            let finding = Diagnostic::warning(codes::NO_OWNER, message)
                .with_help(match slo.origin() {
                    None => "add `owner: NAME` to the SLO or to the document",
                    Some(Origin::Sloth) => "add the label `owner: NAME` to the SLO or to the service",
                    Some(Origin::Pyrra) => "add the label `pyrra.dev/owner: NAME` to `metadata`",
                })
                .of(slo.slo.id.clone());
            found.push(slo.at.mark(finding));
        }
    }
}
