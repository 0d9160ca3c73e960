//! `idle_gate`: a gate on a tier of a kind for which it does nothing.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::check::tiers::placed;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::{Gates, TierKind};

/// A gate that does nothing for the tier it stands on.
pub const RULE: Rule = Rule {
    code: codes::IDLE_GATE,
    severity: Severity::Warning,
    page: "Gates may stand on any tier, and some mean nothing to some kinds:

- `hold` lowers the burn rate at which a `burn` tier ends; other kinds end when their condition is false.
- `min_bad` and `min_total` count events in the tier's window; `down` and `no_data` have none.
- `max_false_pages` reckons with a threshold over a window: `burn`, `sli_below` and `exhausts` have one.

Take the gate out, or put it on the tier that was meant.",
    failing: Some(Failing {
        line: 6,
        column: 54,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 5m}, hold: 50%, max_false_pages: 0.1/30d}
      - {severity: page, down: {after: 3m}, min_bad: 3}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page, burn: {factor: 14.4, over: 1h, confirm: 5m}, min_bad: 3, hold: 50%, max_false_pages: 0.1/30d}
      - {severity: page, down: {after: 3m}, for: 5m, keep_firing_for: 5m}
",
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for policy in &set.policies {
        for (place, tier) in placed(policy.policy) {
            for gate in idle(tier.kind, &tier.gates) {
                let message = format!("`{gate}` does nothing for a tier of kind `{}`", name(tier.kind));
                let finding = Diagnostic::warning(codes::IDLE_GATE, message).with_help(format!("take `{gate}` out"));
                found.push(policy.tier(place).nearest(&[gate]).mark(finding));
            }
        }
    }
}

/// The gates that are set, and do nothing for this kind.
fn idle(kind: TierKind, gates: &Gates) -> Vec<&'static str> {
    let burns = matches!(kind, TierKind::Burn { .. });
    let silent = matches!(kind, TierKind::Down { .. } | TierKind::NoData { .. });
    let by_chance = burns || matches!(kind, TierKind::SliBelow { .. } | TierKind::Exhausts { .. });
    let set = [
        ("min_bad", silent && gates.min_bad > 0.0),
        ("min_total", silent && gates.min_total > 0.0),
        ("hold", !burns && gates.hold < 1.0),
        ("max_false_pages", !by_chance && gates.max_false_pages.is_some()),
    ];
    set.into_iter().filter_map(|(gate, idle)| idle.then_some(gate)).collect()
}

const fn name(kind: TierKind) -> &'static str {
    match kind {
        TierKind::Burn { .. } => "burn",
        TierKind::Exhausts { .. } => "exhausts",
        TierKind::BudgetLeft { .. } => "budget_left",
        TierKind::BudgetDrop { .. } => "budget_drop",
        TierKind::SliBelow { .. } => "sli_below",
        TierKind::NoTraffic { .. } => "no_traffic",
        TierKind::Down { .. } => "down",
        TierKind::NoData { .. } => "no_data",
    }
}
