//! Judging files: loading them, and lints on what they mean.
//!
//! [`load`] turns texts into everything that they say, with findings of its own; [`judge`] adds those of the lints,
//! one file each under [`rules`]. Every code, the readers' too, has a page and two examples there.
//! Invariant: a lint never speaks about what could not be understood; the readers have said so already.

pub mod load;
mod queries;
pub mod rule;
pub mod rules;
pub mod set;
mod suggestion;
mod tiers;

use crate::check::load::Loaded;
use crate::check::set::Set;
use crate::diag::{Counts, Diagnostic, Report};

/// Everything that the lints find, in no particular order; the findings of [`load::load`] are not repeated.
#[must_use]
pub fn judge(loaded: &Loaded) -> Vec<Diagnostic> {
    let set = Set::of(loaded);
    let mut found = Vec::new();
    for lint in rules::ALL.iter().filter_map(|rule| rule.lint) {
        lint(&set, &mut found);
    }
    found
}

/// What a load and the lints found together, in order, with the counts of the last line.
#[must_use]
pub fn report(loaded: &Loaded) -> Report {
    let mut findings = judge(loaded);
    findings.extend_from_slice(&loaded.findings);
    let counts = Counts { files: loaded.files, slos: loaded.slos.len(), skipped: loaded.skipped };
    Report::new(findings, counts)
}
