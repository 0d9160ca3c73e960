//! `review_overdue`: the day by which an SLO had to be looked at is past.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};

/// The day by which an SLO had to be looked at is past.
pub const RULE: Rule = Rule {
    code: codes::REVIEW_OVERDUE,
    severity: Severity::Warning,
    page: "`review: {by: DATE}` is a promise to look at the objective again: whether users still want it, whether it is met too
easily, whether anybody acts on it. The day is past.

Look at it, and write the next date.",
    failing: Some(Failing {
        line: 9,
        column: 18,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
    review: {by: 2020-03-01}
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
    review: {by: 2127-03-01}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in &set.slos {
        // On the day itself there is still time.
        if let Some(by) = slo.slo.review_by.filter(|by| *by < set.today) {
            let message = format!("`{}` was to be reviewed by {by}", slo.slo.id);
            let finding = Diagnostic::warning(codes::REVIEW_OVERDUE, message)
                .with_help("look whether the objective is still right, and write the next date")
                .of(slo.slo.id.clone());
            found.push(slo.at.nearest(&["review", "by"]).mark(finding));
        }
    }
}
