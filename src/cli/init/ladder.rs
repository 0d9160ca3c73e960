//! Which objective a service may promise after what it has done. Pure.
//!
//! The ladder is 90, 95, 99, 99.5, 99.9, 99.95, 99.99. Chosen is the highest rung that is met and has a met rung above
//! it: with a step to spare, so that the first worse month does not break the promise. Met is what SEMANTICS calls
//! met: `bad <= B * total`, by whole numbers. Worked: 99.93% meets 99.9 and not 99.95, so 99.5 is chosen.

/// A rung: as it is written, and its bad events in 10,000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// `99.9%`.
    pub written: &'static str,
    /// 10 for 99.9%.
    bad_of_10_000: f64,
}

const fn rung(written: &'static str, bad_of_10_000: f64) -> Rung {
    Rung { written, bad_of_10_000 }
}

/// Lowest first.
const LADDER: [Rung; 7] = [
    rung("90%", 1_000.0),
    rung("95%", 500.0),
    rung("99%", 100.0),
    rung("99.5%", 50.0),
    rung("99.9%", 10.0),
    rung("99.95%", 5.0),
    rung("99.99%", 1.0),
];

/// Thresholds of latencies are chosen for the first of these that any bucket gives: fast for nearly everybody is a
/// better promise than slower for everybody.
const WANTED: [&str; 3] = ["99%", "95%", "90%"];

/// Events of a candidate over the time that was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Bad ones.
    pub bad: f64,
    /// All.
    pub total: f64,
}

impl Counted {
    /// Share of good ones; 1 without events.
    #[must_use]
    pub fn good_ratio(self) -> f64 {
        if self.total > 0.0 { (1.0 - self.bad / self.total).max(0.0) } else { 1.0 }
    }

    fn meets(self, rung: Rung) -> bool {
        // Whole counts below 2^53 / 10,000 make this exact.
        self.bad * 10_000.0 <= rung.bad_of_10_000 * self.total
    }
}

/// The objective to promise; `None` without events, and where no met rung has a met one above it.
#[must_use]
pub fn objective(counted: Counted) -> Option<&'static str> {
    place(counted).and_then(|place| LADDER.get(place)).map(|rung| rung.written)
}

fn place(counted: Counted) -> Option<usize> {
    if counted.total <= 0.0 {
        return None;
    }
    LADDER.iter().rposition(|rung| counted.meets(*rung))?.checked_sub(1)
}

/// Of buckets in ascending order the place of the one to take as the threshold: the smallest that gives 99%, else 95%,
/// else 90%, each with a step to spare. What it gives may be a higher rung.
#[must_use]
pub fn threshold(buckets: &[Counted]) -> Option<usize> {
    WANTED.iter().find_map(|wanted| {
        let wanted = LADDER.iter().position(|rung| rung.written == *wanted)?;
        buckets.iter().position(|bucket| place(*bucket).is_some_and(|place| place >= wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bad: f64, total: f64) -> Counted {
        Counted { bad, total }
    }

    #[test]
    fn the_objective_is_met_with_a_step_to_spare() {
        for (bad, total, expected) in [
            (0.0, 1.0, Some("99.95%")),
            (1.0, 10_000.0, Some("99.95%")),
            (2.0, 10_000.0, Some("99.9%")),
            (5.0, 10_000.0, Some("99.9%")),
            (7.0, 10_000.0, Some("99.5%")),
            (10.0, 10_000.0, Some("99.5%")),
            (11.0, 10_000.0, Some("99%")),
            (50.0, 10_000.0, Some("99%")),
            (51.0, 10_000.0, Some("95%")),
            (100.0, 10_000.0, Some("95%")),
            (101.0, 10_000.0, Some("90%")),
            (500.0, 10_000.0, Some("90%")),
            (501.0, 10_000.0, None),
            (1_000.0, 10_000.0, None),
            (9_000.0, 10_000.0, None),
            (0.0, 0.0, None),
        ] {
            assert_eq!(objective(counted(bad, total)), expected, "{bad} of {total}");
        }
    }

    #[test]
    fn the_threshold_is_the_smallest_bucket_of_the_best_wanted_rung() {
        let buckets = |bad: &[f64]| bad.iter().map(|bad| counted(*bad, 10_000.0)).collect::<Vec<_>>();
        for (bad, expected) in [
            (&[4_000.0, 400.0, 50.0, 10.0, 0.0][..], Some(2)),
            (&[4_000.0, 51.0, 1.0, 0.0], Some(2)),
            (&[4_000.0, 400.0, 90.0, 60.0], Some(2)),
            (&[4_000.0, 400.0, 300.0], Some(1)),
            (&[4_000.0, 600.0], None),
            (&[0.0, 0.0], Some(0)),
            (&[], None),
        ] {
            assert_eq!(threshold(&buckets(bad)), expected, "{bad:?}");
        }
    }
}
