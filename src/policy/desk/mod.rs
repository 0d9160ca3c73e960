//! The desk: who hears of an alert, when, and how often.

pub mod case;
