//! Judging files: loading them, and lints on what they mean.

pub mod load;
