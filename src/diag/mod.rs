//! Findings: what is wrong or doubtful in a file, as data. One value, many renderers.
//!
//! Invariant: a finding names the nearest place that is there; lines and columns count from 1, columns in characters.
//! This module prints nothing by itself and reads no file: renderers get the text of the files handed in.

pub mod codes;
pub mod concise;
pub mod human;
pub mod json;
mod place;
mod report;
mod texts;

pub use place::Place;
pub use report::{Counts, Report};
pub use texts::Texts;

use crate::units::SloId;

/// How bad a finding is. Only errors stop a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The files cannot be used.
    Error,
    /// Works, and is probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// As printed: `error`, `warning`, `info`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// One thing wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code such as `SLO012`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: lower case, no full stop, identifiers in backticks.
    pub message: String,
    /// The remedy.
    pub help: Option<String>,
    /// Where it is, if a file is involved.
    pub place: Option<Place>,
    /// Further places, with what each has to do with it.
    pub related: Vec<(Place, String)>,
    /// Path within the document, such as `/slos/0/objective`; empty for the document itself.
    pub path: String,
    /// The SLO that it concerns, if one.
    pub slo: Option<SloId>,
}

impl Diagnostic {
    /// A finding of severity `error` without place, help or SLO; add them with struct update or the `with_` methods.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            place: None,
            related: Vec::new(),
            path: String::new(),
            slo: None,
        }
    }

    /// The same, as a thing worth knowing.
    #[must_use]
    pub fn info(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, ..Self::error(code, message) }
    }

    /// The same, as a warning.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds the remedy.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place, path: impl Into<String>) -> Self {
        self.place = Some(place);
        self.path = path.into();
        self
    }

    /// Says where the template is used that it stands in, if it does.
    #[must_use]
    pub fn used(mut self, at: Option<&Place>) -> Self {
        self.related.extend(at.map(|place| (place.clone(), "used here".to_owned())));
        self
    }

    /// Says which SLO.
    #[must_use]
    pub fn of(mut self, slo: SloId) -> Self {
        self.slo = Some(slo);
        self
    }
}
