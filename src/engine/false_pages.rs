//! `max_false_pages`: the least `min_bad` with which a service that just meets its objective hardly ever starts a tier
//! (SEMANTICS 5).
//!
//! Failures are taken as independent: those of a window are Poisson with the mean `l * L`, `l = B * n` an hour. A tier
//! starts when the count passes `m' - 1`, so `l * Poisson(m' - 1; l * L)` times an hour. Worked, at 99.9%, 14.4 over 1 h
//! and 30 events an hour: `720 * 0.03 * e^-0.03 = 20.96` times in 30 d with `m = 1`, 0.0094 times with `m = 3`.
//!
//! Cost: a few hundred hours for each `m` that is tried, once an hour. It looks at no clock: the hours are those that
//! ended before the watermark, each by its rate while it was measured. Until one of them was measured, the running hour
//! stands for them, anew at each slice end: an SLO is guarded from its first slice on.

use crate::engine::definition::{Kind, Tier};
use crate::engine::gamma::ln_gamma;
use crate::engine::instance::Instance;
use crate::engine::windows::HOUR;
use crate::units::{Length, Timestamp};

/// Traffic of this time is looked at.
pub(crate) const TRAFFIC: Length = Length::from_days(28);
/// So many are tried one by one, so that the least is found; larger ones by doubling and halving.
const ONE_BY_ONE: u32 = 64;
/// No tier wants more than that; 2^40 is far beyond what is counted.
const MOST: f64 = 1_099_511_627_776.0;

/// What a bound on false pages came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FalsePagesFigure {
    /// The bad events that are wanted for starting.
    pub min_bad: f64,
    /// How often a service that just meets its objective would start the tier, within the time that the gate names.
    pub expected: f64,
    /// The time that the gate names.
    pub within: Length,
}

/// The bounds of one instance, worked out for an hour.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// Traffic up to this hour's end was looked at.
    hour: Timestamp,
    /// None of it was measured.
    is_first: bool,
    /// By tier; `None` where it has no such gate, or nothing was measured.
    figures: Vec<Option<FalsePagesFigure>>,
}

/// A tier whose window and threshold say how likely it starts by chance.
#[derive(Clone, Copy, Debug)]
struct Chance {
    /// `B`.
    budget: f64,
    /// `k * B`.
    threshold: f64,
    /// `L` in hours.
    over: f64,
}

impl Instance {
    /// Works the bounds out anew where an hour has ended since, and in the first hour that is measured.
    pub(crate) fn bound_false_pages(&mut self) {
        if !self.definition.tiers.iter().any(|tier| tier.gates.max_false_pages.is_some()) {
            return;
        }
        let hour = self.as_of().floor_to(HOUR);
        let looked = self.bounds.as_ref().filter(|bounds| bounds.hour == hour);
        if looked.is_some_and(|bounds| !bounds.is_first) {
            return;
        }
        let mut traffic = if looked.is_some() { Vec::new() } else { self.traffic(hour) };
        let is_first = traffic.is_empty();
        if is_first {
            traffic.extend(self.rate(hour, self.as_of()));
        }
        let figures = self.definition.tiers.iter().map(|tier| bound(tier, self.definition.budget, &traffic)).collect();
        self.bounds = Some(Box::new(Bounds { hour, is_first, figures }));
    }

    /// What the bound of tier `index` came to, if it has one.
    pub(crate) fn false_pages(&self, index: usize) -> Option<FalsePagesFigure> {
        self.bounds.as_ref()?.figures.get(index).copied().flatten()
    }

    /// The rate of each measured hour of the 28 d that end at `to`.
    fn traffic(&self, to: Timestamp) -> Vec<f64> {
        let hours = TRAFFIC.count_of(HOUR);
        let ends = (0..hours).map(|hour| to - HOUR * hour);
        ends.filter_map(|end| self.rate(end - HOUR, end)).collect()
    }

    /// Events an hour, while they were measured; `None` where nothing was.
    fn rate(&self, from: Timestamp, to: Timestamp) -> Option<f64> {
        let sums = self.between(from, to)?;
        let measured = self.measured(sums);
        (measured > Length::ZERO).then(|| sums.total * (HOUR.seconds_f64() / measured.seconds_f64()))
    }
}

fn bound(tier: &Tier, budget: f64, traffic: &[f64]) -> Option<FalsePagesFigure> {
    let gate = tier.gates.max_false_pages?;
    let (over, threshold) = match tier.kind {
        Kind::Burn { over, threshold, .. }
        | Kind::SliBelow { over, threshold, .. }
        | Kind::Exhausts { lookback: over, threshold, .. } => (over, threshold),
        Kind::BudgetLeft { .. }
        | Kind::BudgetDrop { .. }
        | Kind::NoTraffic { .. }
        | Kind::Down { .. }
        | Kind::NoData { .. } => return None,
    };
    if traffic.is_empty() {
        return None;
    }
    let hours = |length: Length| length.seconds_f64() / 3_600.0;
    let chance = Chance { budget, threshold, over: hours(over) };
    let starts = |least: f64| hours(gate.within) * chance.an_hour(least, traffic);
    let min_bad = least(gate.most, &starts).max(tier.gates.min_bad);
    Some(FalsePagesFigure { min_bad, expected: starts(min_bad), within: gate.within })
}

/// The least `m` for which `starts(m)` is at most `most`.
fn least(most: f64, starts: &impl Fn(f64) -> f64) -> f64 {
    let few = (1..=ONE_BY_ONE).map(f64::from).find(|least| starts(*least) <= most);
    few.unwrap_or_else(|| {
        let (mut low, mut high) = (f64::from(ONE_BY_ONE), 2.0 * f64::from(ONE_BY_ONE));
        while starts(high) > most && high < MOST {
            (low, high) = (high, 2.0 * high);
        }
        while high - low > 1.0 {
            let middle = f64::midpoint(low, high).floor();
            if starts(middle) > most { low = middle } else { high = middle }
        }
        high
    })
}

impl Chance {
    /// How often an hour the tier starts by chance, with `least` bad events wanted: the mean over hours of traffic.
    fn an_hour(self, least: f64, traffic: &[f64]) -> f64 {
        let one = |events: &f64| {
            let bad = self.budget * events;
            let over = self.threshold * events * self.over;
            // Equality is no match: a product that rounding put just below a whole number is that number.
            let count = least.max((over * (1.0 + 1e-9)).floor() + 1.0);
            bad * poisson(count - 1.0, bad * self.over)
        };
        traffic.iter().map(one).sum::<f64>() / traffic.len() as f64
    }
}

/// The probability of `count` where `mean` are expected.
fn poisson(count: f64, mean: f64) -> f64 {
    if mean > 0.0 { (count * mean.ln() - mean - ln_gamma(count + 1.0)).exp() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEMANTICS 5: at 99.9%, 14.4 over 1 h, even traffic.
    const PAGE: Chance = Chance { budget: 0.001, threshold: 0.0144, over: 1.0 };

    #[test]
    fn a_month_has_as_many_false_pages_as_semantics_says() {
        for (events, expected) in
            [(30.0, ["20.96", "0.629", "0.0094", "0.0001"]), (100.0, ["6.51", "6.51", "0.326", "0.0109"])]
        {
            let found = [1.0, 2.0, 3.0, 4.0].map(|least| 720.0 * PAGE.an_hour(least, &[events]));
            for (found, expected) in found.iter().zip(expected) {
                let digits = expected.len() - 1 - expected.find('.').unwrap();
                assert_eq!(format!("{found:.digits$}"), expected, "{events} events an hour");
            }
        }
        assert_eq!(format!("{:.3}", 720.0 * PAGE.an_hour(1.0, &[300.0])), "0.054");
        assert!(PAGE.an_hour(5.0, &[300.0]) - PAGE.an_hour(1.0, &[300.0]) == 0.0, "m' is 5");
    }

    #[test]
    fn a_tenth_of_a_page_a_month_chooses_what_semantics_says() {
        let chosen = [30.0, 100.0, 300.0].map(|events| least(0.1, &|m| 720.0 * PAGE.an_hour(m, &[events])));
        assert_eq!(chosen.map(|m| format!("{m}")), ["3", "4", "1"]);
    }

    #[test]
    fn traffic_that_changes_is_taken_by_the_hour() {
        let (quiet, busy) = (PAGE.an_hour(3.0, &[30.0]), PAGE.an_hour(3.0, &[100.0]));
        let mixed = PAGE.an_hour(3.0, &[30.0, 100.0]);
        assert!((mixed - f64::midpoint(quiet, busy)).abs() < 1e-15);
        assert!(PAGE.an_hour(1.0, &[0.0]).abs() <= 0.0, "no traffic, no false page");
    }

    #[test]
    fn large_bounds_are_found_by_halving() {
        // Factor 1 over 3 d at a million events an hour: the threshold itself is 72,000 bad.
        let slow = Chance { budget: 0.001, threshold: 0.001, over: 72.0 };
        let starts = |least: f64| 720.0 * slow.an_hour(least, &[1e6]);
        let found = least(0.1, &starts);
        assert!(starts(found) <= 0.1 && starts(found - 1.0) > 0.1, "{found}");
        assert!(found > 72_000.0 && found < 74_000.0, "{found}");
    }
}
