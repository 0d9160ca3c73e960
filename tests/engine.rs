//! Property tests: random traffic through the engine, slice by slice, against the oracle.

#[cfg(test)]
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;

#[cfg(test)]
mod properties {
    mod history;
    mod live;
    mod policy;
    mod pushdown;
    mod replica;
    mod restart;
    mod summaries;
    mod truth;
}
