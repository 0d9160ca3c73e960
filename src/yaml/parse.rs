//! From a file's bytes to its documents.
//!
//! Findings of two sorts. What stops the reading of a file (no UTF-8, syntax, bounds) is [`Stream::stopped`]: the
//! documents before it are kept. What is wrong within one document (duplicate keys, keys that are no text, tags) comes
//! with the document, because a document of a foreign kind is none of our business.

use saphyr_parser::{Parser, Span};

use crate::diag::{Diagnostic, codes};
use crate::yaml::build::Builder;
use crate::yaml::document::{Document, Stretch};
use crate::yaml::text::SourceText;

/// Largest file: 10 MiB (FORMATS).
pub const MAX_BYTES: usize = 10 * 1024 * 1024;

/// Deepest nesting (FORMATS).
pub const MAX_DEPTH: usize = 64;

/// Nodes that aliases may bring into one document: 2,000 SLOs of a hundred nodes each.
pub const MAX_COPIES: usize = 200_000;

/// Bytes of text that aliases may bring into one document: as much as a file may hold.
pub const MAX_COPIED_TEXT: usize = MAX_BYTES;

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Its documents, each with what is wrong within it; documents without any content are left out.
    pub documents: Vec<(Document, Vec<Diagnostic>)>,
    /// Why the reading ended before the end of the file, if it did.
    pub stopped: Option<Diagnostic>,
}

/// Reads a file's documents. Never fails: what is wrong is in the answer.
#[must_use]
pub fn parse(source: &SourceText) -> Stream {
    let file = &source.file;
    let stop = |finding: Diagnostic, stretch: Stretch| Stream {
        documents: Vec::new(),
        stopped: Some(finding.at(stretch.in_file(file), "")),
    };
    if source.bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than 10 MiB", source.bytes.len());
        return stop(Diagnostic::error(codes::LIMIT, message).with_help("split it into several files"), Stretch::START);
    }
    match std::str::from_utf8(&source.bytes) {
        Ok(text) => events(Builder::new(file), text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let message = "the file is not UTF-8 text";
            stop(Diagnostic::error(codes::SYNTAX, message), position_of(&source.bytes, error.valid_up_to()))
        }
    }
}

/// Line and column of the byte at `offset`; everything before it is UTF-8.
fn position_of(bytes: &[u8], offset: usize) -> Stretch {
    let before = String::from_utf8_lossy(bytes.get(..offset).unwrap_or_default());
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    Stretch { line: count(line), column: count(column), end_line: count(line), end_column: count(column + 1) }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn stretch_of(span: Span) -> Stretch {
    Stretch {
        line: count(span.start.line().max(1)),
        column: count(span.start.col() + 1),
        end_line: count(span.end.line().max(1)),
        end_column: count(span.end.col() + 1),
    }
}

/// Feeds the parser's events to the builder.
fn events(mut builder: Builder, text: &str) -> Stream {
    let mut parser = Parser::new_from_str(text);
    // Every event but a handful stands for a character; more of them would be a parser that does not advance.
    for _ in 0..text.len().saturating_mul(4).saturating_add(64) {
        let outcome = match parser.next_event() {
            None => break,
            Some(Ok((event, span))) => builder.event(event, stretch_of(span)),
            Some(Err(error)) => {
                let stretch = stretch_of(Span::empty(*error.marker()));
                let message = format!("the file is not YAML: {}", error.info());
                Err(Box::new(Diagnostic::error(codes::SYNTAX, message).at(builder.place(stretch), "")))
            }
        };
        if let Err(stopped) = outcome {
            return Stream { stopped: Some(*stopped), ..builder.finish() };
        }
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::yaml::{NodeId, Shape};

    fn read(text: &str) -> Stream {
        parse(&SourceText::named("a.yaml", text))
    }

    fn one(text: &str) -> Document {
        let mut stream = read(text);
        assert_eq!(stream.stopped, None);
        let (document, findings) = stream.documents.remove(0);
        assert_eq!(findings, []);
        document
    }

    fn span(document: &Document, node: NodeId) -> (u32, u32, u32, u32) {
        let place = document.place(node);
        (place.line, place.column, place.end_line, place.end_column)
    }

    fn at(document: &Document, path: &str) -> (u32, u32, u32, u32) {
        span(document, document.find(path).unwrap_or_else(|| panic!("no {path}")))
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let document =
            one("a: 1\nü: {b: 'x y', c: [q, \"w\\n\"]}\nd:\n  - e: f # comment\n    g: |\n      block\n  - h\n");
        assert_eq!(at(&document, "/a"), (1, 4, 1, 5));
        assert_eq!(at(&document, "/ü/b"), (2, 8, 2, 13));
        assert_eq!(at(&document, "/ü/c"), (2, 18, 2, 28));
        assert_eq!(at(&document, "/ü/c/1"), (2, 22, 2, 27));
        assert_eq!(at(&document, "/d/0/e"), (4, 8, 4, 9));
        assert_eq!(at(&document, "/d/1"), (7, 5, 7, 6));
        let key = document.key_place(document.find("/d/0/g").unwrap());
        assert_eq!((key.line, key.column, key.end_column), (5, 5, 6));
        let item = document.place(document.find("/d/0").unwrap());
        assert_eq!((item.line, item.column, item.end_line, item.end_column), (4, 5, 4, 6), "its first line only");
        assert_eq!(document.path(document.find("/d/0/g").unwrap()), "/d/0/g");
    }

    #[test]
    fn scalars_keep_what_was_written() {
        let document = one("a: 99.950\nb: 1_0\nc: no\nd: ~\ne:\nf: '~'\ng: 99.9%\nh: !!str null\ni: 0x10\n");
        let text = |path: &str| document.find(path).and_then(|node| document.text(node)).map(str::to_owned);
        assert_eq!(text("/a").as_deref(), Some("99.950"));
        assert_eq!(text("/b").as_deref(), Some("1_0"));
        assert_eq!(text("/c").as_deref(), Some("no"));
        assert_eq!((text("/d"), text("/e")), (None, None));
        assert_eq!(text("/f").as_deref(), Some("~"));
        assert_eq!(text("/g").as_deref(), Some("99.9%"));
        assert_eq!(text("/h").as_deref(), Some("null"));
        assert_eq!(text("/i").as_deref(), Some("0x10"));
        assert_eq!(at(&document, "/e"), (5, 1, 5, 2), "nothing at all stands at its key");
    }

    #[test]
    fn keys_with_slashes_have_escaped_paths() {
        let document = one("a/b: {c~d: 1}\n");
        let node = document.find("/a~1b/c~0d").unwrap();
        assert_eq!(document.path(node), "/a~1b/c~0d");
        assert_eq!(document.path(document.nearest("/a~1b/x/y")), "/a~1b");
    }

    #[test]
    fn a_stretch_within_a_scalar_can_be_pointed_at() {
        let document = one("a: 'sum(x)'\nb: sum(x)\nc: \"a\\tb\"\n");
        let within = |path: &str| {
            let place = document.place_within(document.find(path).unwrap(), 4, 5);
            (place.column, place.end_column)
        };
        assert_eq!(within("/a"), (9, 10));
        assert_eq!(within("/b"), (8, 9));
        assert_eq!(within("/c"), (4, 10), "escapes move characters, so the whole value");
    }

    #[test]
    fn duplicate_keys_are_found_with_both_places() {
        let mut stream = read("a: 1\nb: {c: 1, d: 2, c: 3}\na: 2\n");
        let (document, findings) = stream.documents.remove(0);
        let seen: Vec<_> = findings
            .iter()
            .map(|finding| {
                let (second, first) = (finding.place.clone().unwrap(), finding.related[0].0.clone());
                (finding.code, second.line, second.column, first.line, first.column, finding.path.as_str())
            })
            .collect();
        assert_eq!(seen, [(codes::DUPLICATE_KEY, 2, 17, 2, 5, "/b/c"), (codes::DUPLICATE_KEY, 3, 1, 1, 1, "/a")]);
        assert_eq!(document.text(document.find("/a").unwrap()), Some("1"));
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let document = one("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, y: 3}\nd: {<<: [{z: 1}, *a], x: 9}\n\"<<\": q\n");
        let text = |path: &str| document.find(path).and_then(|node| document.text(node));
        assert_eq!((text("/b/x"), text("/b/y")), (Some("1"), Some("2")));
        assert_eq!((text("/c/x"), text("/c/y")), (Some("1"), Some("3")));
        assert_eq!((text("/d/x"), text("/d/y"), text("/d/z")), (Some("9"), Some("2"), Some("1")));
        assert_eq!(text("/<<"), Some("q"));
        assert_eq!(at(&document, "/b"), (2, 4, 2, 6), "the alias itself");
        assert_eq!(at(&document, "/b/x"), (1, 11, 1, 12), "what it means");
        assert_eq!(document.path(document.find("/c/x").unwrap()), "/c/x");
    }

    #[test]
    fn alias_bombs_and_deep_nesting_are_errors_with_a_place() {
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let uses = vec![format!("*a{}", level - 1); 10].join(",");
            writeln!(bomb, "a{level}: &a{level} [{uses}]").unwrap();
        }
        let stopped = read(&bomb).stopped.unwrap();
        assert_eq!((stopped.code, stopped.place.map(|place| place.line)), (codes::LIMIT, Some(6)));

        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(20));
        assert_eq!(read(&long).stopped.map(|stopped| stopped.code), Some(codes::LIMIT));

        let deep = |levels: usize| read(&format!("{}{}", "[".repeat(levels), "]".repeat(levels))).stopped;
        assert_eq!(deep(MAX_DEPTH), None);
        let stopped = deep(MAX_DEPTH + 1).unwrap();
        assert_eq!((stopped.code, stopped.place.map(|place| place.column)), (codes::LIMIT, Some(65)));
        assert_eq!(read("a: &a [*a]\n").stopped.map(|stopped| stopped.code), Some(codes::SYNTAX));
    }

    #[test]
    fn a_file_that_breaks_keeps_the_documents_before_it() {
        let stream = read("a: 1\n---\nb: 2\n---\nc: [1,\nd: 2\n");
        assert_eq!(stream.documents.len(), 2);
        assert_eq!(stream.stopped.map(|stopped| stopped.code), Some(codes::SYNTAX));
    }

    #[test]
    fn empty_documents_are_no_documents() {
        assert_eq!(read("---\n---\n# only a comment\n---\n~\n").documents.len(), 0);
        assert_eq!(read("").documents.len(), 0);
    }

    #[test]
    fn rubbish_and_large_files_say_what_they_are() {
        let stopped = parse(&SourceText::named("x", b"a: 1\nb: \xff\n")).stopped.unwrap();
        let place = stopped.place.unwrap();
        assert_eq!((stopped.code, place.line, place.column), (codes::SYNTAX, 2, 4));
        let stopped = parse(&SourceText::named("x", vec![b' '; MAX_BYTES + 1])).stopped.unwrap();
        assert_eq!(stopped.code, codes::LIMIT);
    }

    #[test]
    fn keys_that_are_no_text_and_tags_are_findings() {
        let stream = read("? [a, b]\n: 1\nc: !thing x\n");
        let codes: Vec<_> = stream.documents[0].1.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [codes::SHAPE, codes::SHAPE]);
        assert_eq!(stream.documents[0].0.shape(stream.documents[0].0.root()), Shape::Mapping);
    }
}
