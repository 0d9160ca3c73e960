//! `inverted_tiers`: a graver tier that is slower than a lesser one.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::check::tiers::{self, BurnTier, shown};
use crate::diag::{Diagnostic, Severity, codes};

/// A graver tier that is slower than a lesser one.
pub const RULE: Rule = Rule {
    code: codes::INVERTED_TIERS,
    severity: Severity::Warning,
    page: "A page waits for a slow burn over a long window while a ticket already covers a quicker one: somebody is
woken for what can wait, and the fire goes into the queue.

Give the quicker tiers the graver severity: page on 14.4 over 1h and 6 over 6h, ticket on 3 over 1d and 1
over 3d.",
    failing: Some(Failing {
        line: 7,
        column: 9,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: ticket, burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: page,   burn: {factor: 1,    over: 3d, confirm: 6h}}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
",
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for judged in tiers::comparable(set) {
        for slow in &judged.tiers {
            let Some(quick) = judged.tiers.iter().find(|quick| inverted(slow, quick)) else { continue };
            let message = format!(
                "{} is graver and slower than tier {} ({}, {} over {})",
                slow.named(judged.policy),
                quick.place.index + 1,
                quick.severity.name(),
                shown(quick.factor),
                quick.over
            );
            let finding = Diagnostic::warning(codes::INVERTED_TIERS, message)
                .with_help("give the quicker tier the graver severity");
            found.push(judged.mark(finding, slow.place, Some((quick.place, "quicker, and less grave"))));
        }
    }
}

fn inverted(slow: &BurnTier, quick: &BurnTier) -> bool {
    slow.severity < quick.severity && slow.over > quick.over && slow.factor < quick.factor
}
