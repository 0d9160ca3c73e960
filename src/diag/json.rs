//! Findings as JSON: `{"findings": [..], "summary": {..}}` with the keys of INTERFACES 2, and no others.

use serde::Serialize;

use crate::diag::{Diagnostic, Report, Severity};

/// One finding as the API and `--format json` show it; what is not known is `null`.
#[derive(Debug, Serialize)]
pub struct Finding<'a> {
    code: &'a str,
    severity: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
    path: &'a str,
    slo: Option<String>,
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(finding: &'a Diagnostic) -> Self {
        let place = finding.place.as_ref();
        Self {
            code: finding.code,
            severity: finding.severity.name(),
            message: &finding.message,
            help: finding.help.as_deref(),
            file: place.map(|place| &*place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            end_line: place.map(|place| place.end_line),
            end_column: place.map(|place| place.end_column),
            path: &finding.path,
            slo: finding.slo.as_ref().map(ToString::to_string),
        }
    }
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    slos: usize,
    skipped: usize,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct Whole<'a> {
    findings: Vec<Finding<'a>>,
    summary: Summary,
}

/// The whole report, indented, with a line end.
#[must_use]
pub fn render(report: &Report) -> String {
    let counts = report.counts();
    let whole = Whole {
        findings: report.findings().iter().map(Finding::from).collect(),
        summary: Summary {
            files: counts.files,
            slos: counts.slos,
            skipped: counts.skipped,
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
        },
    };
    // Strings and numbers with fixed keys always serialize; the empty text would show a bug, not hide a failure.
    serde_json::to_string_pretty(&whole).map(|text| text + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Counts, Place};
    use serde_json::json;

    #[test]
    fn keys_are_those_of_the_interface() {
        let place = Place { file: "a.yaml".into(), line: 2, column: 3, end_line: 2, end_column: 8 };
        let placed = Diagnostic::warning("SLO031", "m")
            .with_help("h")
            .at(place, "/slos/0")
            .of(crate::units::SloId::new("checkout", "availability"));
        let report =
            Report::new(vec![placed, Diagnostic::error("SLO001", "n")], Counts { files: 1, slos: 2, skipped: 3 });
        let value: serde_json::Value = serde_json::from_str(&render(&report)).unwrap();
        assert_eq!(
            value,
            json!({
                "findings": [
                    {"code": "SLO001", "severity": "error", "message": "n", "help": null, "file": null, "line": null,
                     "column": null, "end_line": null, "end_column": null, "path": "", "slo": null},
                    {"code": "SLO031", "severity": "warning", "message": "m", "help": "h", "file": "a.yaml", "line": 2,
                     "column": 3, "end_line": 2, "end_column": 8, "path": "/slos/0", "slo": "checkout/availability"},
                ],
                "summary": {"files": 1, "slos": 2, "skipped": 3, "errors": 1, "warnings": 1},
            })
        );
    }
}
