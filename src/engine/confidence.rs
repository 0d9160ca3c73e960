//! How sure a good share is: the 95% interval of SEMANTICS 8 for counted events.
//!
//! Wilson's score interval, because it stays within 0 to 1 and is honest for few events and for none that failed. It
//! is not for shares weighted by time (neighbouring slices are not independent) and not for sampled spans.

/// The 97.5% quantile of the normal distribution, as SEMANTICS 8 writes it.
const Z: f64 = 1.959_964;

/// Low and high end of the 95% interval of the good share, `bad` of `total` events counted; `None` without events.
///
/// Wilson: `(p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`, `p` the good share, `n` the events.
/// Worked: 3 bad of 1,000 gives 0.991217 to 0.998979.
#[must_use]
pub fn wilson(bad: f64, total: f64) -> Option<(f64, f64)> {
    if !(total > 0.0 && total.is_finite() && bad.is_finite()) {
        return None;
    }
    let bad = bad.clamp(0.0, total);
    let good = (total - bad) / total;
    let z_squared = Z * Z;
    let scale = 1.0 + z_squared / total;
    let centre = good + z_squared / (2.0 * total);
    let half_width = Z * (good * (bad / total) / total + z_squared / (4.0 * total * total)).sqrt();
    // At the ends one bound is exact; rounding must not take it past them.
    let low = if bad >= total { 0.0 } else { ((centre - half_width) / scale).max(0.0) };
    let high = if bad <= 0.0 { 1.0 } else { ((centre + half_width) / scale).min(1.0) };
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_semantics_8() {
        for (bad, total, low, high) in
            [(3.0, 1_000.0, 0.991_217, 0.998_979), (0.0, 100.0, 0.963_007, 1.0), (1.0, 1.0, 0.0, 0.793_451)]
        {
            let (found_low, found_high) = wilson(bad, total).unwrap();
            assert!((found_low - low).abs() < 5e-7, "{found_low}");
            assert!((found_high - high).abs() < 5e-7, "{found_high}");
        }
    }

    #[test]
    fn no_events_no_interval() {
        assert_eq!(wilson(0.0, 0.0), None);
        assert_eq!(wilson(0.0, f64::NAN), None);
        assert_eq!(wilson(f64::INFINITY, 1.0), None);
    }

    #[test]
    fn the_share_lies_within_and_the_ends_are_kept() {
        for total in [1.0, 2.0, 0.5, 1e6, 9e15] {
            for share in [0.0, 1e-9, 0.3, 0.5, 1.0, 1.2] {
                let bad = total * share;
                let (low, high) = wilson(bad, total).unwrap();
                let good = 1.0 - f64::min(share, 1.0);
                assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
                assert!(low <= good + 1e-9 && good <= high + 1e-9, "{bad} of {total}: {low} to {high}");
            }
        }
    }
}
