//! A compiled tier in words, as `slo explain` and the API show it: what it looks at, then its gates.

use crate::engine::definition::{Kind, Tier};
use crate::policy::figure::{count, limit, percent};
use crate::units::Length;

/// `burn above 14.4 over 1h, confirmed over 5m (ratio above 1.44%)`.
#[must_use]
pub fn condition(tier: &Tier) -> String {
    match &tier.kind {
        Kind::Burn { over, confirm, factor, threshold } => {
            let confirmed = confirm.map_or_else(String::new, |confirm| format!(", confirmed over {confirm}"));
            format!("burn above {} over {over}{confirmed} (ratio above {})", limit(*factor), percent(*threshold))
        }
        Kind::Exhausts { within, lookback, min_burn, .. } => {
            format!(
                "the budget ends within {within} at the burn of the last {lookback}, which is above {}",
                limit(*min_burn)
            )
        }
        Kind::BudgetLeft { below } => format!("less than {} of the budget is left", percent(*below)),
        Kind::BudgetDrop { drop, over } => format!("more than {} of the budget spent in {over}", percent(*drop)),
        Kind::SliBelow { target, over, .. } => format!("less than {} good over {over}", percent(*target)),
        Kind::NoTraffic { over, min_total } => {
            format!("at most {} events in {over}, all of it measured", count(*min_total))
        }
        Kind::Down { after } => format!("down for {after}"),
        Kind::NoData { after } => format!("no data for {after}, in an hour that usually has events"),
    }
}

/// `min_bad 3, hold 50%, keep_firing_for 5m`; empty where no gate is set.
#[must_use]
pub fn gates(tier: &Tier) -> String {
    let gates = &tier.gates;
    let mut parts = Vec::new();
    if gates.min_bad > 0.0 {
        parts.push(format!("min_bad {}", count(gates.min_bad)));
    }
    if gates.min_total > 0.0 {
        parts.push(format!("min_total {}", count(gates.min_total)));
    }
    if gates.for_ > Length::ZERO {
        parts.push(format!("for {}", gates.for_));
    }
    if gates.hold < 1.0 {
        parts.push(format!("hold {}", percent(gates.hold)));
    }
    if gates.keep_firing_for > Length::ZERO {
        parts.push(format!("keep_firing_for {}", gates.keep_firing_for));
    }
    if let Some(active) = &gates.active {
        parts.push(format!("active {active}"));
    }
    if let Some(pages) = &gates.max_false_pages {
        parts.push(format!("max_false_pages {}/{}", count(pages.most), pages.within));
    }
    parts.join(", ")
}

/// Both in one line.
#[must_use]
pub fn tier(tier: &Tier) -> String {
    let gates = gates(tier);
    if gates.is_empty() { condition(tier) } else { format!("{}; {gates}", condition(tier)) }
}

/// Whether a share of bad events can make it fire.
#[must_use]
pub const fn looks_at_share(tier: &Tier) -> bool {
    match tier.kind {
        Kind::Burn { .. }
        | Kind::Exhausts { .. }
        | Kind::BudgetLeft { .. }
        | Kind::BudgetDrop { .. }
        | Kind::SliBelow { .. } => true,
        Kind::Down { .. } | Kind::NoData { .. } | Kind::NoTraffic { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tiers;
    use crate::spec::preset::presets;

    #[test]
    fn a_tier_is_one_line() {
        let tiers = tiers(&presets()["balanced"], "99.9%".parse().unwrap(), "30d".parse().unwrap()).unwrap();
        assert_eq!(
            tier(&tiers[0]),
            "burn above 14.4 over 1h, confirmed over 5m (ratio above 1.44%); min_bad 3, hold 50%, keep_firing_for 5m"
        );
        assert_eq!(tier(&tiers[4]), "down for 3m");
    }
}
