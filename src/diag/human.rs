//! Findings as a compiler shows them: the message, the line, a mark under it, the remedy.
//!
//! Only the lines around a finding are handed to the drawing crate: a finding at the end of a file of 10 MiB costs as
//! much as one at its beginning. Secrets are masked before (see `texts`).

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::diag::{Diagnostic, Place, Report, Severity, Texts};

/// Related places further apart than this get an excerpt of their own.
const FAR: u32 = 60;
/// A line of more bytes is not shown: nobody reads it, and it would be drawn again for every finding.
const WIDE: usize = 10_000;
/// A place that spans more lines than this is shown by its first line.
const LONG: u32 = 6;

/// All findings, a blank line after each. No excerpt shows what stands at the places in `masked`.
#[must_use]
pub fn render(report: &Report, texts: &Texts, masked: &[Place], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in report.findings() {
        text.push_str(&one(finding, texts, masked, &renderer));
        text.push_str("\n\n");
    }
    text
}

fn one(finding: &Diagnostic, texts: &Texts, masked: &[Place], renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let mut group = Group::with_title(level.primary_title(finding.message.as_str()).id(finding.code));
    for element in excerpts(finding, texts, masked) {
        group = group.element(element);
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// A mark: where, what it says, whether it is the finding's own place.
struct Mark<'a> {
    place: Place,
    label: &'a str,
    primary: bool,
}

fn excerpts<'a>(finding: &'a Diagnostic, texts: &Texts, masked: &[Place]) -> Vec<Element<'a>> {
    let Some(place) = &finding.place else { return Vec::new() };
    let mut groups: Vec<Vec<Mark<'a>>> = vec![vec![Mark { place: trimmed(place, texts), label: "", primary: true }]];
    for (place, label) in &finding.related {
        let mark = Mark { place: trimmed(place, texts), label, primary: false };
        match groups.iter_mut().find(|group| group.iter().any(|other| near(&other.place, &mark.place))) {
            Some(group) => group.push(mark),
            None => groups.push(vec![mark]),
        }
    }
    groups.iter().map(|marks| excerpt(marks, texts, masked)).collect()
}

fn near(a: &Place, b: &Place) -> bool {
    a.file == b.file && a.line.abs_diff(b.line) <= FAR
}

fn last_line(place: &Place) -> u32 {
    if place.end_line.saturating_sub(place.line) > LONG { place.line } else { place.end_line.max(place.line) }
}

/// The lines around some marks of one file; only the position where the text is not known, not so long, or too wide.
fn excerpt<'a>(marks: &[Mark<'a>], texts: &Texts, masked: &[Place]) -> Element<'a> {
    let first = marks.iter().map(|mark| mark.place.line).min().unwrap_or(1);
    let last = marks.iter().map(|mark| last_line(&mark.place)).max().unwrap_or(first);
    let file = marks.first().map_or("", |mark| &*mark.place.file);
    let lines = texts.excerpt(file, first, last, masked);
    if lines.iter().all(String::is_empty) || lines.iter().any(|line| line.len() > WIDE) {
        let column = marks.first().map_or(1, |mark| mark.place.column);
        return Origin::path(file.to_owned()).line(size(first)).char_column(size(column)).into();
    }
    let mut snippet = Snippet::source(lines.join("\n")).line_start(size(first)).path(file.to_owned());
    for mark in marks {
        let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let label = (!mark.label.is_empty()).then_some(mark.label);
        snippet = snippet.annotation(kind.span(span(&mark.place, &lines, first)).label(label));
    }
    snippet.into()
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A block of text ends where the next key begins; what is shown ends with its last line.
fn trimmed(place: &Place, texts: &Texts) -> Place {
    let mut place = place.clone();
    if place.end_line.saturating_sub(place.line) > LONG + 1 {
        return place;
    }
    while place.end_line > place.line {
        let line = texts.line(&place.file, place.end_line);
        if line.is_some_and(|line| line.chars().take(size(place.end_column.max(1) - 1)).any(|c| !c.is_whitespace())) {
            break;
        }
        place.end_line -= 1;
        place.end_column = u32::MAX;
    }
    place
}

/// Bytes of `place` within the excerpt that begins at line `first`; at least one character wide where there is one.
fn span(place: &Place, lines: &[String], first: u32) -> std::ops::Range<usize> {
    let whole: usize = lines.iter().map(|line| line.len() + 1).sum::<usize>().saturating_sub(1);
    let start = offset(lines, place.line.saturating_sub(first), place.column).min(whole);
    let end = if last_line(place) == place.end_line {
        offset(lines, place.end_line.saturating_sub(first), place.end_column)
    } else {
        offset(lines, place.line.saturating_sub(first), u32::MAX)
    };
    start..end.clamp(start, whole)
}

/// Byte offset of a column (from 1, in characters) of the excerpt's line `index` (from 0).
fn offset(lines: &[String], index: u32, column: u32) -> usize {
    let before: usize = lines.iter().take(size(index)).map(|line| line.len() + 1).sum();
    let characters = size(column.max(1) - 1);
    let within: usize =
        lines.get(size(index)).map_or(0, |line| line.chars().take(characters).map(char::len_utf8).sum());
    before + within
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Counts;

    fn place(line: u32, column: u32, end_line: u32, end_column: u32) -> Place {
        Place { file: "slos/a.yaml".into(), line, column, end_line, end_column }
    }

    fn shown(finding: Diagnostic, text: &str) -> String {
        let texts: Texts = [("slos/a.yaml", text)].into_iter().collect();
        render(&Report::new(vec![finding], Counts::default()), &texts, &[], false)
    }

    #[test]
    fn looks_like_a_compiler() {
        let finding = Diagnostic::error("SLO007", "unknown key `nmae`")
            .with_help("did you mean `name`?")
            .at(place(3, 5, 3, 9), "/slos/0/nmae");
        let text = "version: slo/v1\nslos:\n  - nmae: x\n    objective: 99.9%\n";
        let expected = "\
error[SLO007]: unknown key `nmae`
 --> slos/a.yaml:3:5
  |
3 |   - nmae: x
  |     ^^^^
  |
  = help: did you mean `name`?

";
        assert_eq!(shown(finding, text), expected);
    }

    #[test]
    fn a_second_position_is_shown_with_its_label() {
        let mut finding = Diagnostic::warning("SLO050", "this tier can never fire").at(place(1, 12, 1, 15), "");
        finding.related.push((place(3, 1, 3, 5), "tier 1 of `house`".into()));
        let text = "objective: 90%\nb: 1\ntier: x\n";
        let shown = shown(finding, text);
        assert!(shown.contains("1 | objective: 90%"), "{shown}");
        assert!(shown.contains("3 | tier: x"), "{shown}");
        assert!(shown.contains("---- tier 1 of `house`"), "{shown}");
    }

    #[test]
    fn columns_are_characters_also_behind_wide_ones() {
        let finding = Diagnostic::error("SLO007", "m").at(place(1, 4, 1, 6), "");
        assert!(shown(finding, "äöüxyz").contains("1 | äöüxyz\n  |    ^^"));
    }

    #[test]
    fn a_block_of_text_ends_with_its_last_line() {
        let finding = Diagnostic::error("SLO007", "m").at(place(2, 3, 4, 3), "");
        let shown = shown(finding, "bad: |\n  ab\n  cd\n  total: x\n");
        assert!(shown.contains("3 | |   cd") && !shown.contains("total"), "{shown}");
    }

    #[test]
    fn places_that_are_not_there_do_not_panic() {
        for place in [
            place(900, 1, 900, 2),
            place(1, 900, 1, 901),
            place(2, 1, 1, 1),
            place(0, 0, 0, 0),
            place(1, 1, u32::MAX, 1),
        ] {
            let finding = Diagnostic::error("SLO007", "m").at(place, "");
            assert!(shown(finding.clone(), "a\r\nb\n").contains("slos/a.yaml"));
            assert!(shown(finding, "").contains("slos/a.yaml"));
        }
    }

    #[test]
    fn a_secret_is_masked_in_every_excerpt() {
        let hidden = place(1, 8, 1, 15);
        let secret = Diagnostic::error("SLO020", "a secret").at(hidden.clone(), "");
        let other = Diagnostic::error("SLO007", "unknown key").at(place(1, 17, 1, 18), "");
        let texts: Texts = [("slos/a.yaml", "{keyx: hunter2, b: 1}")].into_iter().collect();
        let text = render(&Report::new(vec![secret, other], Counts::default()), &texts, &[hidden], false);
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("{keyx: *******, b: 1}").count(), 2, "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let finding = Diagnostic::error("SLO007", "unknown key `\u{1b}[2J`").at(place(1, 1, 1, 2), "");
        assert!(!shown(finding, "a\u{1b}[31mb").contains('\u{1b}'));
    }
}
