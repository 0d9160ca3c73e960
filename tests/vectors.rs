//! The tables of SEMANTICS 1 to 7 and 9, as far as they are built: input on the left, answer on the right, first
//! through the oracle (is the model right?), then through the engine (does it do the same?).

#[cfg(test)]
#[expect(dead_code, reason = "the oracle is shared; each test uses its part")]
mod oracle;

#[cfg(test)]
mod tables {
    mod ahead;
    mod alerts;
    mod budgets;
    mod silences;
    mod slices;
}
