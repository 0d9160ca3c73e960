//! One finding a line, for editors and `grep`: `file:line:column: severity[code]: message`.

use std::fmt::Write;

use crate::diag::{Diagnostic, Report};

/// All findings, each on a line of its own. A finding without a place has none in front.
#[must_use]
pub fn render(report: &Report) -> String {
    report.findings().iter().fold(String::new(), |mut text, finding| {
        text.push_str(&line(finding));
        text.push('\n');
        text
    })
}

/// One finding, without a line end.
#[must_use]
pub fn line(finding: &Diagnostic) -> String {
    let place = finding
        .place
        .as_ref()
        .map_or_else(String::new, |place| format!("{}:{}:{}: ", printable(&place.file), place.line, place.column));
    format!("{place}{}[{}]: {}", finding.severity.name(), finding.code, printable(&finding.message))
}

/// `text` with control characters spelled out: a file cannot move the cursor or break a line.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || c == '\t' {
            out.push(' ');
        } else if c.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Counts, Place};

    #[test]
    fn one_finding_a_line() {
        let place = Place { file: "slos/a.yaml".into(), line: 12, column: 5, end_line: 12, end_column: 9 };
        let first = Diagnostic::error("SLO007", "unknown key `nmae`").at(place, "/slos/0/nmae");
        let second = Diagnostic::warning("SLO090", "a\nb\u{1b}[2J");
        let report = Report::new(vec![first, second], Counts::default());
        assert_eq!(
            render(&report),
            "warning[SLO090]: a b\\u{1b}[2J\nslos/a.yaml:12:5: error[SLO007]: unknown key `nmae`\n"
        );
    }
}
