//! Why a tier that looks at the budget, at a target of its own, or at traffic starts and ends, in words and numbers.
//!
//! As in `reason`, which has burn and silence: figures of the slice end that decided, with as many digits as it takes
//! for the sentence to be true. No decision is taken here.

use crate::engine::definition::{Kind, Tier};
use crate::engine::verdict::{TierVerdict, WindowFigures};
use crate::policy::figure::{above, at_or_below, below, count, limit, percent, rough_percent};
use crate::policy::reason::{self, unmeasured};
use crate::units::{Length, exceeds};

/// Why it matches.
#[must_use]
pub fn matched(tier: &Tier, verdict: &TierVerdict, time_weighted: bool) -> String {
    let window = verdict.over.unwrap_or_default();
    let share = verdict.budget_share.unwrap_or_default();
    match tier.kind {
        Kind::Exhausts { min_burn, .. } => {
            let burn = above(window.rate * window.coverage, min_burn);
            let burn = format!("the last {} burn {burn}, above {}", window.length, limit(min_burn));
            let ends = match verdict.exhausts_in {
                None | Some(Length::ZERO) => "the budget is exhausted".to_owned(),
                Some(length) => format!("the budget is gone in {}", in_minutes(length)),
            };
            format!("{ends}: {burn}{}", clean(&window))
        }
        Kind::BudgetLeft { below: bound } => {
            let (left, bound) = (below(share * 100.0, bound * 100.0), limit(bound * 100.0));
            format!("{left}% of the budget is left, less than {bound}%")
        }
        Kind::BudgetDrop { drop, .. } => {
            let (spent, bound) = (above(share * 100.0, drop * 100.0), limit(drop * 100.0));
            format!("{spent}% of the budget was spent within {}, more than {bound}%", window.length)
        }
        Kind::SliBelow { target, threshold, .. } => {
            let failed = above(window.share * window.coverage * 100.0, threshold * 100.0);
            let bound = limit(threshold * 100.0);
            let target = percent(target);
            let what = if time_weighted { "of the time was bad" } else { "of requests failed" };
            format!("{failed}% {what} over {}, above {bound}% (target {target}){}", window.length, clean(&window))
        }
        Kind::NoTraffic { min_total, .. } => {
            let measured = rough_percent(window.coverage);
            let (total, bound) = (count(window.total), count(min_total));
            format!("{total} events in {}, not more than {bound}, with {measured} of it measured", window.length)
        }
        Kind::Burn { .. } | Kind::Down { .. } | Kind::NoData { .. } => String::new(),
    }
}

/// Why it is known false: what follows the words that say so.
#[must_use]
pub fn known_false(tier: &Tier, verdict: &TierVerdict, time_weighted: bool) -> String {
    let Some(window) = verdict.over else { return String::new() };
    let share = verdict.budget_share.unwrap_or_default();
    match tier.kind {
        Kind::Exhausts { min_burn, threshold, .. } if !exceeds(window.share, threshold) => {
            let burn = at_or_below(window.rate, min_burn);
            format!(": the last {} burn {burn}, at or below {}", window.length, limit(min_burn))
        }
        Kind::Exhausts { within, .. } => {
            format!(": the budget lasts longer than {within} at the burn of the last {}", window.length)
        }
        Kind::BudgetLeft { below } => {
            format!(": {} of the budget is left, not less than {}%", rough_percent(share), limit(below * 100.0))
        }
        Kind::BudgetDrop { drop, .. } => {
            let spent = at_or_below(share * 100.0, drop * 100.0);
            format!(
                ": {spent}% of the budget was spent within {}, not more than {}%",
                window.length,
                limit(drop * 100.0)
            )
        }
        Kind::SliBelow { threshold, .. } => {
            let (failed, bound) = (at_or_below(window.share * 100.0, threshold * 100.0), limit(threshold * 100.0));
            if time_weighted {
                return format!(": {failed}% of the time was bad over {}, at or below {bound}%", window.length);
            }
            let requests = reason::failed(&window);
            format!(": {requests} over {}, {failed}% at or below {bound}%", window.length)
        }
        Kind::NoTraffic { min_total, .. } => {
            format!(": {} events in {}, more than {}", count(window.total), window.length, count(min_total))
        }
        Kind::Burn { .. } | Kind::Down { .. } | Kind::NoData { .. } => String::new(),
    }
}

/// That unmeasured time took part, where it did.
fn clean(window: &WindowFigures) -> String {
    unmeasured(&[window]).map_or_else(String::new, |text| format!("; unmeasured time counts as clean: {text}"))
}

/// A time ahead as a person wants it: whole minutes, whole hours beyond two days.
#[must_use]
pub fn in_minutes(length: Length) -> String {
    let unit = if length < Length::from_days(2) { Length::from_minutes(1) } else { Length::from_hours(1) };
    if length < unit { format!("less than {unit}") } else { (unit * length.count_of(unit)).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::{AlertSeverity, Gates};

    fn tier(kind: Kind) -> Tier {
        Tier { severity: AlertSeverity::Ticket, kind, gates: Gates::default() }
    }

    fn verdict(length: &str, bad: f64, total: f64, coverage: f64) -> TierVerdict {
        let share = if total > 0.0 { bad / total } else { 0.0 };
        let length = length.parse().unwrap();
        let over =
            WindowFigures { length, bad, total, coverage, share, rate: share * 1_000.0, ..WindowFigures::default() };
        TierVerdict { over: Some(over), ..TierVerdict::default() }
    }

    #[test]
    fn every_kind_says_what_it_saw_and_what_it_wanted() {
        let within = Length::from_hours(4);
        let exhausts =
            tier(Kind::Exhausts { within, lookback: Length::from_minutes(30), min_burn: 6.0, threshold: 0.006 });
        let mut burning = verdict("30m", 30.0, 1_000.0, 1.0);
        burning.exhausts_in = Some(Length::from_seconds(9_045));
        assert_eq!(matched(&exhausts, &burning, false), "the budget is gone in 2h30m: the last 30m burn 30, above 6");
        burning.exhausts_in = Some(Length::ZERO);
        assert_eq!(matched(&exhausts, &burning, false), "the budget is exhausted: the last 30m burn 30, above 6");
        burning = verdict("30m", 30.0, 1_000.0, 0.5);
        burning.exhausts_in = Some(Length::from_days(3) + Length::from_minutes(20));
        assert_eq!(
            matched(&exhausts, &burning, false),
            "the budget is gone in 3d: the last 30m burn 15, above 6; unmeasured time counts as clean: 50% of 30m measured"
        );
        let over = known_false(&exhausts, &verdict("30m", 1.0, 1_000.0, 1.0), false);
        assert_eq!(over, ": the last 30m burn 1, at or below 6");
        let lasts = known_false(&exhausts, &verdict("30m", 30.0, 1_000.0, 1.0), false);
        assert_eq!(lasts, ": the budget lasts longer than 4h at the burn of the last 30m");

        let left = tier(Kind::BudgetLeft { below: 0.25 });
        let hour = |share| TierVerdict { budget_share: Some(share), ..verdict("1h", 0.0, 100.0, 1.0) };
        assert_eq!(matched(&left, &hour(0.249_98), false), "24.998% of the budget is left, less than 25%");
        assert_eq!(matched(&left, &hour(-0.29), false), "-29% of the budget is left, less than 25%");
        assert_eq!(known_false(&left, &hour(0.5), false), ": 50% of the budget is left, not less than 25%");

        let drop = tier(Kind::BudgetDrop { drop: 0.25, over: Length::from_days(7) });
        let week = |share| TierVerdict { budget_share: Some(share), ..verdict("7d", 0.0, 100.0, 1.0) };
        assert_eq!(matched(&drop, &week(0.271), false), "27.1% of the budget was spent within 7d, more than 25%");
        assert_eq!(
            known_false(&drop, &week(0.25), false),
            ": 25% of the budget was spent within 7d, not more than 25%"
        );

        let below = tier(Kind::SliBelow { target: 0.9995, threshold: 0.0005, over: Length::from_minutes(30) });
        assert_eq!(
            matched(&below, &verdict("30m", 3.0, 1_000.0, 1.0), false),
            "0.3% of requests failed over 30m, above 0.05% (target 99.95%)"
        );
        assert_eq!(
            known_false(&below, &verdict("30m", 0.0, 1_000.0, 1.0), false),
            ": 0 of 1000 requests failed over 30m, 0% at or below 0.05%"
        );

        let quiet = tier(Kind::NoTraffic { over: Length::from_minutes(30), min_total: 1.0 });
        assert_eq!(
            matched(&quiet, &verdict("30m", 0.0, 1.0, 0.95), false),
            "1 events in 30m, not more than 1, with 95% of it measured"
        );
        assert_eq!(known_false(&quiet, &verdict("30m", 0.0, 12.0, 1.0), false), ": 12 events in 30m, more than 1");
    }
}
