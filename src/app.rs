//! Composition root: to be filled in.
