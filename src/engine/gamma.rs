//! Quantiles of the Gamma distribution, for the bad rate's posterior (SEMANTICS 7).
//!
//! Why our own: it is the one function of its kind that is needed, and the crates that have it bring a statistics
//! library along. The regularised incomplete gamma function as series and continued fraction (Abramowitz and Stegun
//! 6.5.29 and 6.5.31), inverted from the Wilson-Hilferty approximation by halving. Good to nine digits up to a shape of
//! 10^6; beyond it the approximation itself is as good.

/// From this shape on Wilson and Hilferty are better than a series of that many terms.
const LARGE: f64 = 1e6;
/// Terms of a series or fraction; their number grows with the root of the shape.
const TERMS: usize = 20_000;
/// Halvings: every bit of an f64.
const HALVINGS: usize = 100;

/// The value below which a Gamma variable of this shape and scale 1 lies with probability `p`; 0 < p < 1.
///
/// Worked: shape 1/2 has the median 0.2275 and the 90th percentile 1.3528.
pub(crate) fn quantile(shape: f64, p: f64) -> f64 {
    let guess = wilson_hilferty(shape, p);
    if shape >= LARGE {
        return guess;
    }
    let (mut low, mut high) = (0.0, guess.max(1e-3));
    while cumulative(shape, high) < p {
        low = high;
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if cumulative(shape, middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability that a Gamma variable of this shape and scale 1 is at most `x`.
pub(crate) fn cumulative(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (shape * x.ln() - x - ln_gamma(shape)).exp();
    if x < shape + 1.0 { front * series(shape, x) } else { 1.0 - front * fraction(shape, x) }
}

/// `1/a + x/(a(a+1)) + ..`
fn series(shape: f64, x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0 / shape, 1.0 / shape, shape);
    for _ in 0..TERMS {
        n += 1.0;
        term *= x / n;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// Lentz's way to the continued fraction: `forward` and `backward` are its two running quotients.
fn fraction(shape: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut partial = x + 1.0 - shape;
    let (mut forward, mut backward) = (1.0 / TINY, 1.0 / partial);
    let mut product = backward;
    for number in 1..TERMS {
        let number = number as f64;
        let numerator = -number * (number - shape);
        partial += 2.0;
        backward = 1.0 / not_zero(numerator * backward + partial, TINY);
        forward = not_zero(partial + numerator / forward, TINY);
        product *= backward * forward;
        if (backward * forward - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    product
}

fn not_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// The logarithm of the gamma function of a number above 0: Stirling's series, shifted to where it is exact.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series =
        1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1_260.0 - square * (1.0 / 1_680.0 - square / 1_188.0)));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series / x
}

/// `a (1 - 1/(9a) + z / (3 sqrt a))^3`.
fn wilson_hilferty(shape: f64, p: f64) -> f64 {
    let root = 1.0 - 1.0 / (9.0 * shape) + normal(p) / (3.0 * shape.sqrt());
    if root > 0.0 { shape * root.powi(3) } else { 0.0 }
}

/// The standard normal's quantile, to 4.5e-4 (Abramowitz and Stegun 26.2.23), then two steps of Newton.
fn normal(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let t = (-2.0 * tail.ln()).sqrt();
    let (above, below) =
        (2.515_517 + t * (0.802_853 + t * 0.010_328), 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    let mut z = t - above / below;
    for _ in 0..2 {
        // The normal's tail is half of a Gamma's of shape 1/2.
        let beyond = 0.5 * (1.0 - cumulative(0.5, z * z / 2.0));
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        z += (beyond - tail) / density;
    }
    if p < 0.5 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within * expected.abs(), "{found}, expected {expected}");
    }

    #[test]
    fn logarithms_of_factorials() {
        assert!(ln_gamma(1.0).abs() < 1e-13 && ln_gamma(2.0).abs() < 1e-13);
        assert_close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
        assert_close(ln_gamma(11.0), 3_628_800.0_f64.ln(), 1e-13);
        assert_close(ln_gamma(101.0), 363.739_375_555_563_47, 1e-13);
    }

    /// Half of chi-squared's quantiles with twice the shape as degrees of freedom, as printed in tables.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (shape, p, expected) in [
            (0.5, 0.1, 0.015_790_774_09 / 2.0),
            (0.5, 0.5, 0.454_936_423_1 / 2.0),
            (0.5, 0.9, 2.705_543_454 / 2.0),
            (1.5, 0.5, 2.365_973_884 / 2.0),
            (1.5, 0.9, 6.251_388_631 / 2.0),
            (10.5, 0.1, 13.239_597_98 / 2.0),
            (10.5, 0.5, 20.337_227_56 / 2.0),
            (10.5, 0.9, 29.615_089_44 / 2.0),
            (50.0, 0.1, 82.358_135_81 / 2.0),
            (50.0, 0.9, 118.498_003_8 / 2.0),
        ] {
            assert_close(quantile(shape, p), expected, 1e-8);
        }
        // The exponential distribution has a formula.
        for p in [0.001, 0.1, 0.5, 0.9, 0.999] {
            assert_close(quantile(1.0, p), -(1.0 - p).ln(), 1e-10);
        }
    }

    /// SEMANTICS 7: *without failures the rate's median is 0.2275 and its P90 1.3528 per lookback*.
    #[test]
    fn without_failures_the_rate_is_what_semantics_says() {
        assert_eq!(format!("{:.4} {:.4}", quantile(0.5, 0.5), quantile(0.5, 0.9)), "0.2275 1.3528");
    }

    #[test]
    fn large_shapes_go_over_without_a_step() {
        for p in [0.1, 0.5, 0.9] {
            let (below, above) = (quantile(999_999.0, p), quantile(1_000_001.0, p));
            assert!(above > below && above - below < 3.0, "{p}: {below} {above}");
            assert_close(cumulative(999_999.0, quantile(999_999.0, p)), p, 1e-6);
        }
    }
}
