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
        Kind::Down { .. } | Kind::NoData { .. } => return None,
    };
    let fires_after = matches_after + wait;
    // The failures end the moment it fires: the window then holds what made it fire, or `for` longer.
    let ends_after = quiet_after.map(|quiet| quiet + tier.gates.keep_firing_for.seconds_f64());
    Some(Detection { fires_after, spent: bad * fires_after / (terms.budget * period), ends_after })
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
