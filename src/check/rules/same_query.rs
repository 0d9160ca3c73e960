//! `same_query`: the two sides of an SLI are one query.

use crate::check::queries;
use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::{Numerator, Origin, Sli};
use crate::spec::selector::Selector;

/// Bad (or good) and total ask the same.
pub const RULE: Rule = Rule {
    code: codes::SAME_QUERY,
    severity: Severity::Error,
    page: "Bad and total ask for the same series, so every event is a bad one and the budget is gone at once; with good
and total the same, nothing is ever bad and no failure is seen.

Let `bad` select the failures only, for instance with `code=~\"5..\"`.",
    failing: Some(Failing {
        line: 10,
        column: 14,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop"}
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
    for slo in &set.slos {
        let (same, numerator) = match &slo.slo.sli {
            Sli::Exact { numerator, events, total } => (same_selector(events, total), *numerator),
            Sli::Pushdown { numerator, events, total, .. } => (same_text(&events.text, &total.text), *numerator),
            Sli::Gauge { .. } | Sli::Ratio { .. } => continue,
        };
        if !same {
            continue;
        }
        let (side, effect) = match numerator {
            Numerator::Bad => ("bad", "every event would be bad"),
            Numerator::Good => ("good", "nothing would ever be bad"),
        };
        let message = format!("`{side}` and `total` of `{}` ask for the same, so {effect}", slo.slo.id);
        let help = format!("let `{side}` select a part of the total, for instance by a matcher on the status code");
        // Pyrra takes it with a warning.
        let make = if slo.origin() == Some(Origin::Pyrra) { Diagnostic::warning } else { Diagnostic::error };
        let mut finding = make(codes::SAME_QUERY, message).with_help(help).of(slo.slo.id.clone());
        finding.related.push((slo.total_place().place(), "the total".to_owned()));
        found.push(slo.events_place().mark(finding));
    }
}

/// The order of matchers means nothing.
fn same_selector(a: &Selector, b: &Selector) -> bool {
    let within = |a: &Selector, b: &Selector| a.matchers.iter().all(|matcher| b.matchers.contains(matcher));
    a.metric == b.metric && a.bucket == b.bucket && within(a, b) && within(b, a)
}

/// Blanks and the order of clauses mean nothing: the parsed forms are compared.
fn same_text(a: &str, b: &str) -> bool {
    a == b || queries::parse(a).zip(queries::parse(b)).is_some_and(|(a, b)| a.to_string() == b.to_string())
}
