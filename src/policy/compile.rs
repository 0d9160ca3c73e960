//! An SLO and its policy, in the numbers that the engine works with (SEMANTICS 5).
//!
//! `k = f * W / L` where a tier says a share `f` of the budget; `k * B` is one product of decimals, rounded once.
//! Worked: 2% of 30 d over 1 h at 99.9% is `k = 0.02 * 720 = 14.4` and `k * B = 0.0144`.
//!
//! Pure; the only thing that may go wrong is that a policy does not fit a period.

use std::sync::Arc;

use rust_decimal::Decimal;

use crate::engine::definition::{Definition, GroupDefinition, Kind, Tier};
use crate::spec::meant::{Absent, Alive, Mode, Numerator, Sli, Slo};
use crate::spec::policy::{BurnThreshold, Policy, PolicyLength, PolicyTier, TierKind};
use crate::units::{Length, Objective, Step, decimal_to_f64};

/// Shortest period of a policy whose windows shrink: below it they would be a few slices long (SEMANTICS 5).
const SHORTEST_SCALED: Length = Length::from_hours(6);
/// Least windows after shrinking, long and short (SEMANTICS 5).
const LEAST: (Length, Length) = (Length::from_minutes(5), Length::from_minutes(2));
/// What the window store keeps at least, whatever the period (ARCHITECTURE, *Window store*).
const KEPT: Length = Length::from_days(7);

/// What does not come from the SLO itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `s`.
    pub slice: Step,
    /// `G` of the SLO's source.
    pub gap: Length,
    /// Groups kept apart.
    pub instances_limit: usize,
}

/// A policy that does not fit an SLO.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// The tier, by its index in the policy; `None`: the whole policy.
    pub tier: Option<usize>,
    /// What does not fit.
    pub message: String,
    /// The remedy.
    pub help: String,
}

/// The definition of an SLO.
///
/// # Errors
/// Where its policy does not fit its period.
pub fn definition(slo: &Slo, terms: Terms) -> Result<Definition, Misfit> {
    let (numerator, pushdown) = match &slo.sli {
        Sli::Exact { numerator, .. } => (*numerator, None),
        Sli::Pushdown { numerator, step, .. } => (*numerator, Some(*step)),
        Sli::Gauge { .. } | Sli::Ratio { .. } => (Numerator::Bad, Some(terms.slice.length())),
    };
    let off = slo.alerting.mode == Mode::Off;
    // Worked out even where no alert is evaluated, so that a policy that does not fit is told in every mode.
    let tiers_at = |objective| tiers(&slo.alerting.policy, objective, slo.window);
    let tiers = tiers_at(slo.objective)?;
    let whole = Definition {
        id: slo.id.clone(),
        budget: slo.objective.budget_ratio(),
        window: slo.window,
        by: slo.by.clone(),
        numerator,
        pushdown,
        time_weighted: matches!(slo.sli, Sli::Gauge { .. } | Sli::Ratio { .. }),
        absent_is_bad: matches!(slo.sli, Sli::Gauge { absent: Absent::Bad, .. }),
        overrides: Vec::new(),
        slice: terms.slice,
        gap: terms.gap,
        alive: slo.alive != Alive::None,
        instances_limit: terms.instances_limit,
        tiers: if off { Vec::new() } else { tiers },
    };
    let mut overrides = Vec::with_capacity(slo.overrides.len());
    for over in &slo.overrides {
        let tiers = tiers_at(over.objective)?;
        let budget = over.objective.budget_ratio();
        let tiers = if off { Vec::new() } else { tiers };
        let definition = Arc::new(Definition { budget, tiers, ..whole.clone() });
        overrides.push(GroupDefinition { matches: over.matches.clone(), definition });
    }
    Ok(Definition { overrides, ..whole })
}

/// The tiers of a policy for an objective and a period, in the policy's order.
///
/// # Errors
/// Where the policy does not fit the period.
pub fn tiers(policy: &Policy, objective: Objective, window: Length) -> Result<Vec<Tier>, Misfit> {
    if policy.scale_below.is_some() && window < SHORTEST_SCALED {
        return Err(Misfit {
            tier: None,
            message: format!("the policy `{}` does not fit a period of {window}, below {SHORTEST_SCALED}", policy.name),
            help: "choose a longer `window`, or a policy with windows of its own".to_owned(),
        });
    }
    let Some((_, tiers)) = policy.tiers_for(window) else { return Err(refused(policy, window)) };
    let compile = |(index, tier)| Compiling { policy, index, objective, window }.tier(tier);
    tiers.iter().enumerate().map(compile).collect()
}

/// A policy that has tiers for other periods only.
fn refused(policy: &Policy, window: Length) -> Misfit {
    let mut periods: Vec<Length> = policy.windows().collect();
    periods.sort_unstable();
    let periods = periods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Misfit {
        tier: None,
        message: format!("the policy `{}` has no tiers for a period of {window}", policy.name),
        help: format!("it has them for {periods}; choose such a `window`, or another policy"),
    }
}

/// What a tier is worked out with.
#[derive(Clone, Copy)]
struct Compiling<'a> {
    policy: &'a Policy,
    index: usize,
    objective: Objective,
    window: Length,
}

impl Compiling<'_> {
    fn tier(self, tier: &PolicyTier) -> Result<Tier, Misfit> {
        let kind = match tier.kind {
            TierKind::Down { after } => Kind::Down { after },
            TierKind::NoData { after } => Kind::NoData { after },
            TierKind::Burn { threshold, over, confirm } => {
                let over = self.long(over)?;
                let confirm = confirm.map(|confirm| self.length(confirm, LEAST.1)).transpose()?;
                let (factor, threshold) = self.threshold(threshold, over)?;
                Kind::Burn { over, confirm, factor, threshold }
            }
            TierKind::Exhausts { within, lookback, min_burn } => {
                let within = scaled(self.policy, within, self.window, LEAST.0);
                let lookback = self.long(lookback)?;
                let (min_burn, threshold) = self.threshold(BurnThreshold::Factor(min_burn), lookback)?;
                Kind::Exhausts { within, lookback, min_burn, threshold }
            }
            TierKind::BudgetLeft { below } => Kind::BudgetLeft { below: decimal_to_f64(below) },
            TierKind::BudgetDrop { drop, over } => {
                let over = self.long(over)?;
                if over > self.window {
                    let (name, window) = (&self.policy.name, self.window);
                    let message = format!("a tier of `{name}` compares {over} with the budget of {window}");
                    return Err(self.misfit(message, "choose a longer `window`, or a policy with shorter windows"));
                }
                Kind::BudgetDrop { drop: decimal_to_f64(drop), over }
            }
            TierKind::SliBelow { target, over } => Kind::SliBelow {
                target: decimal_to_f64(Decimal::ONE - target.budget()),
                threshold: target.budget_ratio(),
                over: self.long(over)?,
            },
            TierKind::NoTraffic { over, min_total } => Kind::NoTraffic { over: self.long(over)?, min_total },
        };
        let mut gates = tier.gates.clone();
        if let Some(part) = tier.for_part {
            gates.for_ = self.length(PolicyLength::Part(part), Length::ZERO)?;
        }
        Ok(Tier { severity: tier.severity, kind, gates })
    }

    /// A long window, which may not be longer than what is kept.
    fn long(self, length: PolicyLength) -> Result<Length, Misfit> {
        let over = self.length(length, LEAST.0)?;
        if over > self.window.max(KEPT) {
            let (name, window) = (&self.policy.name, self.window);
            let message = format!("a tier of `{name}` looks back {over}, longer than the period of {window}");
            return Err(self.misfit(message, "choose a longer `window`, or a policy with shorter windows"));
        }
        Ok(over)
    }

    /// A length for this period: a part of it, or a fixed one, shrunk where the policy says so.
    fn length(self, length: PolicyLength, least: Length) -> Result<Length, Misfit> {
        match length {
            PolicyLength::Fixed(fixed) => Ok(scaled(self.policy, fixed, self.window, least)),
            PolicyLength::Part(_) => length.of(self.window).ok_or_else(|| {
                let (name, window) = (&self.policy.name, self.window);
                let message = format!("`{length}` of `{name}` is less than half a minute at a period of {window}");
                self.misfit(message, "choose a longer `window`, or a policy with windows of its own")
            }),
        }
    }

    fn threshold(self, threshold: BurnThreshold, over: Length) -> Result<(f64, f64), Misfit> {
        factor_and_threshold(threshold, over, self.objective, self.window).ok_or_else(|| {
            let message = format!("a tier of `{}` has a factor out of all bounds", self.policy.name);
            self.misfit(message, "lower it")
        })
    }

    fn misfit(self, message: String, help: &str) -> Misfit {
        Misfit { tier: Some(self.index), message, help: help.to_owned() }
    }
}

/// `L * W / scale_below` in whole minutes, half up, where the policy shrinks below that period.
fn scaled(policy: &Policy, length: Length, window: Length, least: Length) -> Length {
    let Some(full) = policy.scale_below.filter(|full| window < *full) else { return length };
    let minute = i128::from(Length::from_minutes(1).millis());
    let product = i128::from(length.millis()) * i128::from(window.millis());
    let unit = i128::from(full.millis()) * minute;
    let minutes = (2 * product + unit) / (2 * unit);
    Length::from_minutes(i64::try_from(minutes).unwrap_or(i64::MAX / 60_000)).max(least)
}

/// `k` and `k * B`; `None` where the decimals overflow.
fn factor_and_threshold(
    threshold: BurnThreshold,
    over: Length,
    objective: Objective,
    window: Length,
) -> Option<(f64, f64)> {
    let budget = objective.budget();
    let (factor, threshold) = match threshold {
        BurnThreshold::Factor(factor) => (factor, factor.checked_mul(budget)?),
        BurnThreshold::Spend(share) => {
            let spent = share.checked_mul(Decimal::from(window.millis()))?;
            let over = Decimal::from(over.millis());
            (spent.checked_div(over)?, spent.checked_mul(budget)?.checked_div(over)?)
        }
    };
    Some((decimal_to_f64(factor), decimal_to_f64(threshold)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::AlertSeverity;
    use crate::spec::preset::presets;

    fn compiled(preset: &str, objective: &str, window: &str) -> Result<Vec<Tier>, Misfit> {
        tiers(&presets()[preset], objective.parse().unwrap(), window.parse().unwrap())
    }

    fn burns(preset: &str, window: &str) -> Vec<(String, String, f64, f64)> {
        let burn = |tier: Tier| match tier.kind {
            Kind::Burn { over, confirm, factor, threshold } => {
                Some((over.to_string(), confirm.unwrap().to_string(), factor, threshold))
            }
            _ => None,
        };
        compiled(preset, "99.9%", window).unwrap().into_iter().filter_map(burn).collect()
    }

    /// SEMANTICS 5, *workbook at 7d; 28d; 90d*, and section 9 for 30d.
    #[test]
    fn workbook_factors_follow_the_period() {
        let third = 7.0 / 30.0;
        for (window, factors) in [
            ("7d", [3.36, 1.4, 0.7, third]),
            ("28d", [13.44, 5.6, 2.8, 28.0 / 30.0]),
            ("30d", [14.4, 6.0, 3.0, 1.0]),
            ("90d", [43.2, 18.0, 9.0, 3.0]),
        ] {
            let found: Vec<f64> = burns("workbook", window).into_iter().map(|(_, _, factor, _)| factor).collect();
            assert_eq!(found, factors, "{window}");
        }
    }

    /// SEMANTICS 1: `k*B` is one product of decimals, rounded once.
    #[test]
    fn thresholds_are_rounded_once() {
        let thresholds: Vec<f64> = burns("balanced", "30d").into_iter().map(|(_, _, _, threshold)| threshold).collect();
        assert_eq!(thresholds, [0.0144, 0.006, 0.003, 0.001]);
        let thresholds: Vec<f64> = burns("workbook", "7d").into_iter().map(|(_, _, _, threshold)| threshold).collect();
        assert_eq!(thresholds, [0.00336, 0.0014, 0.0007, 0.007 / 30.0]);
    }

    /// SEMANTICS 5, *balanced at 1d: long short*.
    #[test]
    fn balanced_shrinks_below_seven_days() {
        let windows = |window: &str| -> Vec<(String, String)> {
            burns("balanced", window).into_iter().map(|(over, confirm, ..)| (over, confirm)).collect()
        };
        let pairs = |pairs: [(&str, &str); 4]| pairs.map(|(over, confirm)| (over.to_owned(), confirm.to_owned()));
        assert_eq!(windows("1d"), pairs([("9m", "2m"), ("51m", "4m"), ("3h26m", "17m"), ("10h17m", "51m")]));
        assert_eq!(windows("7d"), pairs([("1h", "5m"), ("6h", "30m"), ("1d", "2h"), ("3d", "6h")]));
        assert_eq!(windows("6h"), pairs([("5m", "2m"), ("13m", "2m"), ("51m", "4m"), ("2h34m", "13m")]));
        let factors: Vec<f64> = burns("balanced", "1d").into_iter().map(|(_, _, factor, _)| factor).collect();
        assert_eq!(factors, [14.4, 6.0, 3.0, 1.0]);
    }

    /// SEMANTICS 5, *balanced at 7d, budget spent when it fires*: `k * L / W`.
    #[test]
    fn balanced_at_seven_days_spends_what_the_table_says() {
        let window: Length = "7d".parse().unwrap();
        let spent: Vec<String> = burns("balanced", "7d")
            .into_iter()
            .map(|(over, _, factor, _)| {
                let over: Length = over.parse().unwrap();
                format!("{:.1}", 100.0 * factor * over.seconds_f64() / window.seconds_f64())
            })
            .collect();
        assert_eq!(spent, ["8.6", "21.4", "42.9", "42.9"]);
    }

    #[test]
    fn a_policy_that_does_not_fit_says_why() {
        let misfit = compiled("balanced", "99.9%", "5h").unwrap_err();
        assert_eq!(misfit.message, "the policy `balanced` does not fit a period of 5h, below 6h");
        assert!(compiled("workbook", "99.9%", "1d").is_ok(), "windows up to 7 d are kept whatever the period");
        let mut long = Policy::clone(&presets()["workbook"]);
        for tier in &mut long.tiers {
            if let TierKind::Burn { over, .. } = &mut tier.kind {
                *over = Length::from_days(20).into();
            }
        }
        let objective = "99.9%".parse().unwrap();
        assert_eq!(tiers(&long, objective, Length::from_days(14)).unwrap_err().tier, Some(0));
        assert!(tiers(&long, objective, Length::from_days(20)).is_ok());
    }

    /// SEMANTICS 5, *workbook*, *sloth*, *datadog*: factors by period, others refused.
    #[test]
    fn presets_for_some_periods_have_the_factors_of_the_table_and_refuse_others() {
        for (preset, window, expected) in [
            ("sloth", "30d", vec![14.4, 6.0, 3.0, 1.0]),
            ("sloth", "28d", vec![13.44, 5.6, 2.8, 28.0 / 30.0]),
            ("sloth", "7d", vec![13.44, 3.5, 1.4, 0.98]),
            ("datadog", "7d", vec![16.8, 5.6, 2.8]),
            ("datadog", "30d", vec![14.4, 6.0, 3.0]),
            ("datadog", "90d", vec![21.6, 10.8, 4.5]),
        ] {
            let factors: Vec<f64> = burns(preset, window).into_iter().map(|(_, _, factor, _)| factor).collect();
            assert_eq!(factors, expected, "{preset} at {window}");
        }
        assert_eq!(burns("sloth", "30d"), burns("workbook", "30d"));
        let windows: Vec<(String, String)> = burns("datadog", "90d").into_iter().map(|(l, s, ..)| (l, s)).collect();
        let pair = |long: &str, short: &str| (long.to_owned(), short.to_owned());
        assert_eq!(windows, [pair("1h", "5m"), pair("6h", "30m"), pair("1d", "2h")]);
        let refused = compiled("sloth", "99.9%", "14d").unwrap_err();
        assert_eq!(refused.message, "the policy `sloth` has no tiers for a period of 14d");
        assert_eq!(refused.help, "it has them for 7d, 28d, 30d; choose such a `window`, or another policy");
        assert!(compiled("datadog", "99.9%", "28d").is_err());
    }

    /// SEMANTICS 5, *pyrra at 30d: long short for* and *pyrra at 7d*.
    #[test]
    fn pyrra_is_a_part_of_any_period() {
        let lengths = |window: &str| -> Vec<String> {
            let tiers = compiled("pyrra", "99.9%", window).unwrap();
            let text = |tier: Tier| match tier.kind {
                Kind::Burn { over, confirm, .. } => format!("{over} {} {}", confirm.unwrap(), tier.gates.for_),
                _ => String::new(),
            };
            tiers.into_iter().map(text).collect()
        };
        assert_eq!(lengths("30d"), ["1h4m 5m 2m", "6h26m 32m 16m", "1d1h43m 2h9m 1h4m", "4d6h51m 6h26m 3h13m"]);
        assert_eq!(lengths("7d"), ["15m 1m 1m", "1h30m 8m 4m", "6h 30m 15m", "1d 1h30m 45m"]);
        let factors: Vec<f64> = burns("pyrra", "7d").into_iter().map(|(_, _, factor, _)| factor).collect();
        assert_eq!(factors, [14.0, 7.0, 2.0, 1.0]);
        let severities: Vec<&str> =
            compiled("pyrra", "99.9%", "7d").unwrap().into_iter().map(|tier| tier.severity.name()).collect();
        assert_eq!(severities, ["page", "page", "ticket", "ticket"]);
        // W/8064 of 2 d is 21 s, which rounds to no minute at all.
        let misfit = compiled("pyrra", "99.9%", "2d").unwrap_err();
        assert_eq!(
            (misfit.tier, misfit.message.as_str()),
            (Some(0), "`W/8064` of `pyrra` is less than half a minute at a period of 2d")
        );
    }

    /// SEMANTICS 5, *predictive* and *guidance*.
    #[test]
    fn presets_that_look_ahead_have_the_tiers_of_the_table() {
        let hours = Length::from_hours;
        let minutes = Length::from_minutes;
        let tiers = compiled("predictive", "99.9%", "30d").unwrap();
        assert_eq!(tiers[..6], compiled("balanced", "99.9%", "30d").unwrap());
        let page = Kind::Exhausts { within: hours(4), lookback: minutes(30), min_burn: 6.0, threshold: 0.006 };
        assert_eq!((tiers[6].severity, tiers[6].kind, tiers[6].gates.min_bad), (AlertSeverity::Page, page, 3.0));
        let ticket = Kind::Exhausts { within: hours(72), lookback: hours(6), min_burn: 1.0, threshold: 0.001 };
        assert_eq!((tiers[7].severity, tiers[7].kind), (AlertSeverity::Ticket, ticket));
        assert_eq!((tiers[8].severity, tiers[8].kind), (AlertSeverity::Ticket, Kind::BudgetLeft { below: 0.25 }));
        // Below 7 d everything that is time shrinks, as in `balanced`.
        let small = compiled("predictive", "99.9%", "1d").unwrap();
        assert_eq!(small[..6], compiled("balanced", "99.9%", "1d").unwrap());
        let page = Kind::Exhausts { within: minutes(34), lookback: minutes(5), min_burn: 6.0, threshold: 0.006 };
        assert_eq!(small[6].kind, page);

        let tiers = compiled("guidance", "99.9%", "30d").unwrap();
        let burn = |factor: f64, over| Kind::Burn { over, confirm: None, factor, threshold: factor / 1_000.0 };
        let exhausts = |within, lookback| Kind::Exhausts { within, lookback, min_burn: 1.0, threshold: 0.001 };
        let expected = [
            (AlertSeverity::Page, burn(4.0, minutes(30))),
            (AlertSeverity::Page, exhausts(hours(1), minutes(15))),
            (AlertSeverity::Ticket, burn(2.0, hours(1))),
            (AlertSeverity::Ticket, burn(1.5, hours(24))),
            (AlertSeverity::Ticket, exhausts(hours(24), hours(6))),
            (AlertSeverity::Notice, Kind::BudgetDrop { drop: 0.25, over: hours(7 * 24) }),
        ];
        let found: Vec<(AlertSeverity, Kind)> = tiers.iter().map(|tier| (tier.severity, tier.kind)).collect();
        assert_eq!(found, expected);
        let small = compiled("guidance", "99.9%", "1d").unwrap();
        assert_eq!(small[0].kind, burn(4.0, minutes(5)));
        assert_eq!(small[3].kind, burn(1.5, minutes(206)));
        assert_eq!(small[5].kind, Kind::BudgetDrop { drop: 0.25, over: hours(24) });
        assert!(compiled("guidance", "99.9%", "5h").is_err());
    }
}
