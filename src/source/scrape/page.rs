//! A `/metrics` page: its lines, each to the reader that is right for it.
//!
//! Plain lines (a bare name, values in quotes without anything odd, a decimal number) go to prometheus-parse; every
//! other line goes to the parser of [`super::line`], because prometheus-parse silently drops or bends it. What neither
//! takes is counted and told, never passed over.

use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use prometheus_parse::{Scrape, Value};
use regex::Regex;

use crate::source::scrape::line::{Format, LineSample, parse};
use crate::units::{Labels, Timestamp};

/// What a page says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    /// In the order of the page.
    pub samples: Vec<LineSample>,
    /// Lines that are neither sample nor comment.
    pub bad_lines: usize,
    /// The first of them: number, and what is wrong.
    pub first_bad: Option<(usize, String)>,
}

/// Lines that prometheus-parse reads right. Time stamps only in the text format: it takes them for milliseconds.
const PLAIN: &str = r#"^[a-zA-Z_][a-zA-Z0-9_]*(?:\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\{}=,]*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="[^"\\{}=,]*")*\})? [0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"#;

fn plain() -> Option<&'static Regex> {
    static PATTERN: OnceLock<Option<Regex>> = OnceLock::new();
    // The pattern is a constant that a test compiles; without it every line goes to our own parser.
    PATTERN.get_or_init(|| Regex::new(PLAIN).ok()).as_ref()
}

/// Reads a page.
///
/// # Errors
/// Where an OpenMetrics page has no `# EOF`: it was cut off, and what is missing must not look like a series that ended.
pub(super) fn read(bytes: &[u8], format: Format) -> Result<Page, String> {
    let mut page = Page::default();
    let mut ended = false;
    for (index, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() || ended {
            continue;
        }
        if bytes.trim_ascii_start().starts_with(b"#") {
            ended = format == Format::OpenMetrics && bytes == b"# EOF";
            continue;
        }
        match std::str::from_utf8(bytes)
            .map_err(|_| "it is not UTF-8".to_owned())
            .and_then(|line| read_line(line, format))
        {
            Ok(sample) => page.samples.push(sample),
            Err(problem) => {
                page.bad_lines += 1;
                page.first_bad.get_or_insert((index + 1, problem));
            }
        }
    }
    if format == Format::OpenMetrics && !ended {
        return Err("the page is cut off: it does not end with `# EOF`".to_owned());
    }
    Ok(page)
}

fn read_line(line: &str, format: Format) -> Result<LineSample, String> {
    if plain().is_some_and(|plain| plain.is_match(line))
        && let Some(sample) = by_crate(line)
    {
        return Ok(sample);
    }
    parse(line, format)
}

/// What prometheus-parse makes of a plain line; `None` where that is not one sample with all its labels.
fn by_crate(line: &str) -> Option<LineSample> {
    let time = DateTime::<Utc>::default();
    // One line, and no type before it: so it is neither regrouped nor dropped for its neighbours.
    let scrape = Scrape::parse_at(std::iter::once(Ok(line.to_owned())), time).ok()?;
    let [sample] = scrape.samples.as_slice() else { return None };
    let Value::Untyped(value) = sample.value else { return None };
    if sample.labels.len() != line.matches('=').count() {
        return None;
    }
    let pairs = sample.labels.iter().filter(|(_, value)| !value.is_empty());
    let mut labels: Labels = pairs.map(|(name, value)| (name.clone(), value.clone())).collect();
    if labels.get("__name__").is_some() {
        return None;
    }
    labels.insert("__name__", sample.metric.as_str());
    let at = (sample.timestamp != time).then(|| Timestamp::from_millis(sample.timestamp.timestamp_millis()));
    Some(LineSample { labels, value, at })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_lines_are_the_same_by_both_readers() {
        for line in [
            "a 1",
            "a 1.5e+06",
            r#"http_requests_total{code="200",method="get"} 1027"#,
            r#"b_bucket{le="+Inf"} 3"#,
            r#"a{x="",y=" spaced ",z="ä:/u;'"} 2"#,
        ] {
            assert!(plain().unwrap().is_match(line), "{line}");
            assert_eq!(by_crate(line), parse(line, Format::Text).ok(), "{line}");
        }
        assert!(!plain().unwrap().is_match(r#"a{x="{"} 1"#) && !plain().unwrap().is_match("a:b 1"));
    }

    #[test]
    fn bad_lines_are_counted_and_told_and_comments_are_not() {
        let page = b"# HELP a b\n# TYPE a counter\n#odd\na 1\n\n<b>\r\nx y z\nb 2 1000\r\n\xff 1\n";
        let page = read(page, Format::Text).unwrap();
        assert_eq!(page.samples.len(), 2);
        assert_eq!(page.samples[1].at, Some(Timestamp::from_seconds(1)));
        assert_eq!(page.bad_lines, 3);
        assert_eq!(page.first_bad.unwrap().0, 6);
    }

    #[test]
    fn an_openmetrics_page_ends_with_eof() {
        assert!(read(b"a_total 1\n", Format::OpenMetrics).is_err());
        let page = read(b"a_total 1 1.5\n# EOF\nrubbish\n", Format::OpenMetrics).unwrap();
        assert_eq!((page.samples.len(), page.bad_lines), (1, 0));
        assert_eq!(page.samples[0].at, Some(Timestamp::from_millis(1_500)));
    }

    proptest! {
        #[test]
        fn any_plain_line_is_the_same_by_both_readers(
            name in "[a-z_][a-z0-9_]{0,8}", labels in prop::collection::btree_map("[a-z_][a-z0-9_]{0,4}", "[ -~ä]{0,6}", 0..4),
            value in 0.0..1e12_f64,
        ) {
            let shown: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            let line = format!("{name}{{{}}} {value}", shown.join(","));
            if plain().unwrap().is_match(&line) {
                prop_assert_eq!(by_crate(&line), parse(&line, Format::Text).ok());
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, Format::Text);
            let _ = read(&bytes, Format::OpenMetrics);
        }

        #[test]
        fn any_line_like_text_is_read_without_a_panic(line in "[a-z:{}\"=,\\\\# 0-9.+-]{0,60}") {
            let _ = read_line(&line, Format::Text);
            let _ = read_line(&line, Format::OpenMetrics);
        }
    }
}
