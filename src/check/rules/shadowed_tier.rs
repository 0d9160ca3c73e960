//! `shadowed_tier`: a burn tier that adds nothing to another one.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::check::tiers::{self, BurnTier, shown};
use crate::diag::{Diagnostic, Severity, codes};

/// A burn tier that adds nothing to another one.
pub const RULE: Rule = Rule {
    code: codes::SHADOWED_TIER,
    severity: Severity::Warning,
    page: "One tier fires whenever the other would, and earlier: its window is no longer, its factor no higher, its
gates no stricter, its severity at least as grave. The second tier never tells anybody anything.

Within a severity, longer windows want lower factors: 14.4 over 1h, 6 over 6h.",
    failing: Some(Failing {
        line: 6,
        column: 9,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 20,   over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
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
        for later in &judged.tiers {
            let by = judged.tiers.iter().find(|other| other.place != later.place && shadows(other, later));
            if let Some(by) = by {
                let message = format!(
                    "{} never tells anything new: tier {} ({}, {} over {}) fires first",
                    later.named(judged.policy),
                    by.place.index + 1,
                    by.severity.name(),
                    shown(by.factor),
                    by.over
                );
                let finding = Diagnostic::warning(codes::SHADOWED_TIER, message)
                    .with_help("longer windows want lower factors; remove the tier, or lower its factor");
                found.push(judged.mark(finding, later.place, Some((by.place, "fires first"))));
            }
        }
    }
}

/// Whether `a` fires whenever `b` would. Of two equal ones the first shadows the second.
fn shadows(a: &BurnTier, b: &BurnTier) -> bool {
    let no_stricter = a.gates.min_bad <= b.gates.min_bad
        && a.gates.min_total <= b.gates.min_total
        && a.gates.for_ <= b.gates.for_
        && a.shortest() <= b.shortest()
        && (a.gates.active.is_none() || a.gates.active == b.gates.active)
        && (a.gates.max_false_pages.is_none() || a.gates.max_false_pages == b.gates.max_false_pages);
    let covers = a.severity <= b.severity && a.over <= b.over && a.factor <= b.factor && no_stricter;
    let covered = b.severity <= a.severity && b.over <= a.over && b.factor <= a.factor;
    covers && (!covered || a.place.index < b.place.index)
}
