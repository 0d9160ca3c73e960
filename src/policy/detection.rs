//! What a tier does at a constant share of bad events: when it fires, what that costs, how long it lasts (SEMANTICS 5).
//!
//! From a clean start, a full budget and even traffic, in closed form, so that a policy can be read without any data. For
//! a share `e > k*B`: detection `L*k*B/e`, budget spent then `k*L/W`, reset `S * (1 - h*k*B/e)`. Worked: 99.9%, 14.4 over
//! 1h/5m: 10% of bad events fire after 8.64 min with 2% of the budget of 30 d spent, and the tier is known false 4.28 min
//! after their end. On top come at most one scrape interval, one slice and the source's delay. Gates that count events
//! (`min_bad`, `min_total`) depend on traffic and are left out: this is what a busy service sees.

use crate::engine::definition::{Kind, Tier};
use crate::units::{Length, exceeds};

/// The shares of bad events that a policy is explained at.
pub const SHARES: [f64; 8] = [1.0, 0.5, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002];

/// How one tier answers to a constant share of bad events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// From the first bad event until it fires, in seconds.
    pub fires_after: f64,
    /// Share of the period's budget that is spent by then.
    pub spent: f64,
    /// From the last bad event until it ends, in seconds; `None`: not by windows alone.
    pub ends_after: Option<f64>,
}

/// What the budget is: `B` and `W` in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// `B`.
    pub budget: f64,
    /// `W`.
    pub window: Length,
}

/// How `tier` answers to the share `bad`; `None`: never, or it looks at no share.
#[must_use]
pub fn detection(tier: &Tier, terms: Terms, bad: f64) -> Option<Detection> {
    let wait = tier.gates.for_.seconds_f64();
    let period = terms.window.seconds_f64();
    let (matches_after, quiet_after) = match tier.kind {
        Kind::Burn { over, confirm, threshold, .. } => {
            if !exceeds(bad, threshold) {
                return None;
            }
            let (long, short) = (over.seconds_f64(), confirm.unwrap_or(over).seconds_f64());
            (long * threshold / bad, Some(short * (1.0 - tier.gates.hold * threshold / bad)))
        }
        Kind::SliBelow { threshold, over, .. } => {
            if !exceeds(bad, threshold) {
                return None;
            }
            let long = over.seconds_f64();
            (long * threshold / bad, Some(long * (1.0 - threshold / bad)))
        }
        Kind::Exhausts { within, lookback, threshold, .. } => {
            let wanted = Exhaustion { within: within.seconds_f64(), lookback: lookback.seconds_f64(), threshold };
            (wanted.after(bad, terms.budget * period)?, None)
        }
        // Straight lines: the budget `B*W` is spent at `bad` a second.
        Kind::BudgetLeft { below } => ((1.0 - below) * terms.budget * period / bad, None),
        Kind::BudgetDrop { drop, over } => {
            let after = drop * terms.budget * period / bad;
            if after >= over.seconds_f64() {
                return None;
            }
            (after, Some(over.seconds_f64() - after))
        }
        Kind::Down { .. } | Kind::NoData { .. } | Kind::NoTraffic { .. } => return None,
    };
    if matches_after > period {
        return None;
    }
    let fires_after = matches_after + wait;
    // The failures end the moment it fires: the window then holds what made it fire, or `for` longer.
    let ends_after = quiet_after.map(|quiet| quiet + tier.gates.keep_firing_for.seconds_f64());
    Some(Detection { fires_after, spent: bad * fires_after / (terms.budget * period), ends_after })
}

/// When a forecast says for the first time that the budget ends within `within`, on a full budget.
///
/// After `t` the lookback's share is `bad * min(1, t/L)`, and at that burn what is left of the budget, `B*W - bad*t`, lasts
/// `(B*W - bad*t) / share`. Worked: 30 d at 99.9% allows 43.2 min; `within` 4 h at the last 30 m: 100% of bad events match
/// after 4.8 min, 10% after 3.2 h.
#[derive(Clone, Copy, Debug)]
struct Exhaustion {
    within: f64,
    lookback: f64,
    /// `min_burn * B`.
    threshold: f64,
}

impl Exhaustion {
    /// Seconds until it matches; `allowed` is `B*W`.
    fn after(self, bad: f64, allowed: f64) -> Option<f64> {
        if !exceeds(bad, self.threshold) {
            return None;
        }
        let burns = self.lookback * self.threshold / bad;
        // Within the first lookback: (B*W - bad*t) * L / (bad*t) = within; later: (B*W - bad*t) / bad = within.
        let early = allowed * self.lookback / (bad * (self.within + self.lookback));
        let ends = if early <= self.lookback { early } else { (allowed / bad - self.within).max(self.lookback) };
        Some(ends.max(burns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::tiers;
    use crate::spec::preset::presets;
    use crate::units::Objective;

    fn of(preset: &str, objective: &str, window: &str) -> (Vec<Tier>, Terms) {
        let (objective, window): (Objective, Length) = (objective.parse().unwrap(), window.parse().unwrap());
        let terms = Terms { budget: objective.budget_ratio(), window };
        (tiers(&presets()[preset], objective, window).unwrap(), terms)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-6 * b.abs()
    }

    #[test]
    fn the_worked_example_of_the_contract() {
        let (tiers, terms) = of("workbook", "99.9%", "30d");
        for (bad, minutes) in [(1.0, 0.864), (0.1, 8.64), (0.02, 43.2)] {
            let found = detection(&tiers[0], terms, bad).unwrap();
            assert!(near(found.fires_after, minutes * 60.0), "{bad}: {found:?}");
            assert!(near(found.spent, 0.02), "{bad}: {found:?}");
            assert!(near(found.ends_after.unwrap(), 300.0 * (1.0 - 0.0144 / bad)), "{bad}: {found:?}");
        }
        assert_eq!(detection(&tiers[0], terms, 0.0144), None, "equality never matches");
        assert_eq!(detection(&tiers[0], terms, 0.01), None);
    }

    #[test]
    fn an_exhaustion_is_seen_coming() {
        let kind = Kind::Exhausts {
            within: Length::from_hours(4),
            lookback: Length::from_minutes(30),
            min_burn: 6.0,
            threshold: 0.006,
        };
        let (tiers, terms) = of("workbook", "99.9%", "30d");
        let tier = Tier { kind, ..tiers[0].clone() };
        for (bad, minutes) in [(1.0, 4.8), (0.1, 192.0)] {
            assert!(near(detection(&tier, terms, bad).unwrap().fires_after, minutes * 60.0), "{bad}");
        }
        assert_eq!(detection(&tier, terms, 0.006), None);
    }

    #[test]
    fn a_share_of_the_budget_is_gone_after_a_straight_line() {
        let (tiers, terms) = of("workbook", "99.9%", "30d");
        let left = Tier { kind: Kind::BudgetLeft { below: 0.25 }, ..tiers[0].clone() };
        assert!(near(detection(&left, terms, 1.0).unwrap().fires_after, 0.75 * 2_592.0));
        assert_eq!(detection(&left, terms, 0.0007), None, "not within the period");
        let drop = Tier { kind: Kind::BudgetDrop { drop: 0.25, over: Length::from_days(7) }, ..tiers[0].clone() };
        let found = detection(&drop, terms, 0.01).unwrap();
        assert!(near(found.fires_after, 64_800.0) && near(found.spent, 0.25), "{found:?}");
        assert_eq!(detection(&drop, terms, 0.001), None, "a quarter in 7.5 days");
    }

    #[test]
    fn balanced_ends_a_total_outage_in_ten_minutes() {
        let (tiers, terms) = of("balanced", "99.9%", "30d");
        let ends = detection(&tiers[0], terms, 1.0).unwrap().ends_after.unwrap();
        assert!((ends / 60.0 - 10.0).abs() < 0.1, "{ends}");
        let (tiers, terms) = of("balanced", "99.9%", "7d");
        let spent: Vec<f64> = tiers.iter().filter_map(|tier| Some(detection(tier, terms, 1.0)?.spent)).collect();
        for (spent, expected) in spent.iter().zip([0.086, 0.214, 0.429, 0.429]) {
            assert!((spent - expected).abs() < 0.0005, "{spent} {expected}");
        }
    }
}
