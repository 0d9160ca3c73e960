//! `slo convert`.
