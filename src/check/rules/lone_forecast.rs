//! `lone_forecast`: a forecast of exhaustion that is the only thing that pages.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::check::tiers::placed;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::{AlertSeverity, PolicyTier, TierKind};

/// A forecast that is the only page.
pub const RULE: Rule = Rule {
    code: codes::LONE_FORECAST,
    severity: Severity::Warning,
    page: "An `exhausts` tier asks how long the budget will last, so it is slow while the budget is full: at 99.9% over 30
days a tier that looks 4 hours ahead pages after 5 minutes of a total outage, and after 3.2 hours at 10% of bad
events. After a bad week it is as hasty as it was slow before.

Keep it beside a page on the burn rate (`burn`, or `sli_below`), never instead of one. The preset `predictive` has both.",
    failing: Some(Failing {
        line: 5,
        column: 28,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   exhausts: {within: 4h, lookback: 30m, min_burn: 6}}
      - {severity: ticket, burn: {factor: 1, over: 3d, confirm: 6h}}
      - {severity: page,   down: {after: 3m}}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   exhausts: {within: 4h, lookback: 30m, min_burn: 6}}
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: ticket, burn: {factor: 1, over: 3d, confirm: 6h}}
",
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for policy in &set.policies {
        let pages = |tier: &PolicyTier| tier.severity == AlertSeverity::Page;
        let lists =
            std::iter::once(&policy.policy.tiers).chain(policy.policy.periods.iter().map(|period| &period.tiers));
        let alone: Vec<bool> = lists
            .map(|tiers| {
                let burns = |tier: &PolicyTier| matches!(tier.kind, TierKind::Burn { .. } | TierKind::SliBelow { .. });
                !tiers.iter().any(|tier| pages(tier) && burns(tier))
            })
            .collect();
        for (place, tier) in placed(policy.policy) {
            let is_alone = alone.get(place.period.map_or(0, |period| period + 1)).copied().unwrap_or_default();
            if is_alone && pages(tier) && matches!(tier.kind, TierKind::Exhausts { .. }) {
                let message = format!("`{}` pages for what is ahead, and not for what burns", policy.policy.name);
                let finding = Diagnostic::warning(codes::LONE_FORECAST, message)
                    .with_help("on a full budget a forecast is slow: add a page of kind `burn` beside it");
                found.push(policy.tier(place).nearest(&["exhausts"]).mark(finding));
            }
        }
    }
}
