//! Property tests: random traffic through the engine, slice by slice, against the oracle.
//!
//! Every run draws the same recipes, so that a failure is nobody's luck. `PROPTEST_RNG_SEED=n` draws others and
//! `PROPTEST_CASES=n` more of them; a failure prints its recipe, and a recipe is all that the traffic depends on.

#[cfg(test)]
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;

#[cfg(test)]
mod properties {
    use proptest::test_runner::{Config, RngSeed};

    mod history;
    mod live;
    mod overrides;
    mod policy;
    mod pushdown;
    mod replay;
    mod replica;
    mod restart;
    mod summaries;
    mod time_weighted;
    mod truth;

    /// So many cases, the same in every run.
    fn cases(cases: u32) -> Config {
        Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(3), ..Config::default() }
    }
}
