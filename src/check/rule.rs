//! A rule: its code, its page, its examples and, where it is a lint, its test.
//!
//! Findings of the readers (`yaml`, `spec`, `config`) have rules too, without a lint: a page and examples belong to
//! every code. Examples are data, run by the test in `rules`: the failing one gives its code, no other, at its place;
//! the passing one gives nothing at all.

use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity};

/// A lint: looks at the whole set and adds what it finds.
pub type Lint = fn(&Set<'_>, &mut Vec<Diagnostic>);

/// A file that must give the rule's code.
#[derive(Clone, Copy, Debug)]
pub struct Failing {
    /// Line of the finding, from 1.
    pub line: u32,
    /// Column of the finding, from 1.
    pub column: u32,
    /// The file: one or more documents.
    pub text: &'static str,
}

/// One rule. Its title stands in the list of codes.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its code, one of `diag::codes`.
    pub code: &'static str,
    /// How bad its findings are; where they differ, the worst.
    pub severity: Severity,
    /// What it means, why it matters and what to do: Markdown, without a heading.
    pub page: &'static str,
    /// A file that fails; `None` where no file can (it was not readable).
    pub failing: Option<Failing>,
    /// A file that passes.
    pub passing: Option<&'static str>,
    /// The test; `None` where the readers make the finding.
    pub lint: Option<Lint>,
}
