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
                Err(Diagnostic::error(codes::SYNTAX, message).at(builder.place(stretch), ""))
            }
        };
        if let Err(stopped) = outcome {
            return Stream { stopped: Some(stopped), ..builder.finish() };
        }
    }
    builder.finish()
}
