//! What a check has to say: findings in order, and the counts of its last line.

use crate::diag::{Diagnostic, Severity};

/// What was looked at, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Files read.
    pub files: usize,
    /// SLOs in them.
    pub slos: usize,
    /// Documents of kinds that are not ours.
    pub skipped: usize,
}

/// Further places of a finding that was made several times.
const RELATED: usize = 3;

/// The findings of one run, sorted by file, line, column and code; the same thing twice is said once.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Diagnostic>,
    counts: Counts,
}

impl Report {
    /// Sorts `findings`; those without a place come first.
    #[must_use]
    pub fn new(mut findings: Vec<Diagnostic>, counts: Counts) -> Self {
        findings.sort_by(|a, b| key(a).cmp(&key(b)));
        findings.dedup_by(|next, kept| {
            let same = key(next) == key(kept) && next.severity == kept.severity && next.path == kept.path;
            // What a document says for several SLOs is no one's in particular.
            if same && next.slo != kept.slo {
                kept.slo = None;
            }
            // And of a template for several uses: the first few are named.
            if same && kept.related.len() < RELATED {
                let further = next.related.drain(..).filter(|related| !kept.related.contains(related));
                let further: Vec<_> = further.take(RELATED - kept.related.len()).collect();
                kept.related.extend(further);
            }
            same
        });
        Self { findings, counts }
    }

    /// In order.
    #[must_use]
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// What was looked at.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

type Key<'a> = (Option<(&'a str, u32, u32)>, &'a str, &'a str);

fn key(finding: &Diagnostic) -> Key<'_> {
    let place = finding.place.as_ref().map(|place| (&*place.file, place.line, place.column));
    (place, finding.code, &finding.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;

    fn finding(code: &'static str, file: &str, line: u32, column: u32) -> Diagnostic {
        let place = Place { file: file.into(), line, column, end_line: line, end_column: column + 1 };
        Diagnostic::error(code, "m").at(place, "")
    }

    #[test]
    fn one_place_that_several_slos_share_is_told_once() {
        let of = |name: &str| finding("SLO017", "a.yaml", 1, 1).of(crate::units::SloId::new("shop", name));
        let report = Report::new(vec![of("a"), of("b"), finding("SLO017", "a.yaml", 2, 1)], Counts::default());
        assert_eq!(report.findings(), [finding("SLO017", "a.yaml", 1, 1), finding("SLO017", "a.yaml", 2, 1)]);
    }

    #[test]
    fn findings_are_sorted_by_file_line_column_and_code_and_said_once() {
        let findings = vec![
            finding("SLO002", "b.yaml", 1, 1),
            finding("SLO002", "a.yaml", 10, 1),
            finding("SLO002", "a.yaml", 9, 5),
            finding("SLO001", "a.yaml", 9, 5),
            finding("SLO002", "a.yaml", 10, 1),
            Diagnostic::warning("SLO009", "nowhere"),
        ];
        let report = Report::new(findings, Counts::default());
        let order: Vec<String> = report
            .findings()
            .iter()
            .map(|f| format!("{} {}", f.code, f.place.as_ref().map_or(0, |p| p.line)))
            .collect();
        assert_eq!(order, ["SLO009 0", "SLO001 9", "SLO002 9", "SLO002 10", "SLO002 1"]);
        assert_eq!((report.count(Severity::Error), report.count(Severity::Warning)), (4, 1));
    }
}
