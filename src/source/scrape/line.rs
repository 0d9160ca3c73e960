//! A line of a `/metrics` page, read without losing or bending anything: both text formats, and names in quotes.
//!
//! Ours, because prometheus-parse drops or bends names with `:`, values with `}` `=` `,` `{`, escapes, quoted names,
//! hex floats and OpenMetrics time stamps (measured). It takes what Prometheus takes and a little more; what it does
//! not take is an error that says where, never a sample that is not on the page.

use crate::units::{Labels, Timestamp};

/// Which text format a page is of; they differ in time stamps and exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own: time stamps are whole milliseconds.
    Text,
    /// OpenMetrics: time stamps are seconds, exemplars may follow, and `# EOF` ends the page.
    OpenMetrics,
}

/// One sample of a page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LineSample {
    /// Name under `__name__`; labels without value are left out.
    pub labels: Labels,
    /// As written, NaN and infinities included.
    pub value: f64,
    /// Where the page says one.
    pub at: Option<Timestamp>,
}

/// Reads a line that is no comment and not empty.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn parse(line: &str, format: Format) -> Result<LineSample, String> {
    let mut reader = Reader { rest: line };
    reader.space();
    let mut labels = Vec::new();
    let mut name = reader.metric_name()?;
    reader.space();
    if reader.takes('{') {
        reader.labels(&mut name, &mut labels)?;
        reader.space();
    }
    let name = name.ok_or("there is no metric name")?;
    let value = float(reader.word("a value")?)?;
    let spaced = reader.space();
    let mut at = None;
    if spaced && !reader.rest.is_empty() && !reader.rest.starts_with('#') {
        at = Some(time_stamp(reader.word("a time stamp")?, format)?);
        reader.space();
    }
    if reader.rest.starts_with('#') && format == Format::OpenMetrics {
        reader.exemplar()?;
    }
    if !reader.rest.is_empty() {
        return Err(format!("`{}` is too much", short(reader.rest)));
    }
    let mut all: Labels = labels.into_iter().filter(|(_, value): &(String, String)| !value.is_empty()).collect();
    all.insert("__name__", name);
    Ok(LineSample { labels: all, value, at })
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    /// Passes blanks; whether there were any.
    fn space(&mut self) -> bool {
        let trimmed = self.rest.trim_start_matches([' ', '\t']);
        let moved = trimmed.len() < self.rest.len();
        self.rest = trimmed;
        moved
    }

    fn takes(&mut self, character: char) -> bool {
        match self.rest.strip_prefix(character) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Up to the next blank.
    fn word(&mut self, what: &str) -> Result<&'a str, String> {
        let end = self.rest.find([' ', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word.is_empty() { Err(format!("there is no {}", what.trim_start_matches("a "))) } else { Ok(word) }
    }

    /// A bare name, with `:` where it is a metric's.
    fn bare(&mut self, colon: bool) -> Option<&'a str> {
        let inner =
            |character: char| character.is_ascii_alphanumeric() || character == '_' || (colon && character == ':');
        let end = self.rest.find(|character: char| !inner(character)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|character: char| character.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    /// The name in front of the braces, if it stands there.
    fn metric_name(&mut self) -> Result<Option<String>, String> {
        if self.rest.starts_with('{') {
            return Ok(None);
        }
        if let Some(name) = self.bare(true) {
            return Ok(Some(name.to_owned()));
        }
        Err(format!("`{}` is no metric name", short(self.rest)))
    }

    /// What stands between the braces, and the closing one.
    fn labels(&mut self, metric: &mut Option<String>, labels: &mut Vec<(String, String)>) -> Result<(), String> {
        loop {
            self.space();
            if self.takes('}') {
                return Ok(());
            }
            let quoted = self.rest.starts_with('"');
            let name = if quoted {
                self.quoted()?
            } else {
                self.bare(false).ok_or_else(|| format!("`{}` is no label name", short(self.rest)))?.to_owned()
            };
            self.space();
            if self.takes('=') {
                self.space();
                if !self.rest.starts_with('"') {
                    return Err(format!("the value of label `{name}` is not in quotes"));
                }
                let value = self.quoted()?;
                if labels.iter().any(|(known, _)| *known == name) || name == "__name__" {
                    return Err(format!("label `{name}` comes twice"));
                }
                labels.push((name, value));
            } else if quoted && metric.is_none() {
                *metric = Some(name);
            } else {
                return Err(format!("label `{name}` has no value"));
            }
            self.space();
            if !self.takes(',') && !self.rest.starts_with('}') {
                return Err(format!("`,` or `}}` is missing before `{}`", short(self.rest)));
            }
        }
    }

    /// A text in quotes. `\\`, `\"` and `\n` are undone; another escape stays as it is, as in Prometheus.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        characters.next();
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = self.rest.get(place + 1..).unwrap_or_default();
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, escaped @ ('\\' | '"'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err("a text in quotes has no end".to_owned())
    }

    /// `# {labels} value [time]`, checked and left out.
    fn exemplar(&mut self) -> Result<(), String> {
        self.takes('#');
        self.space();
        if !self.takes('{') {
            return Err("an exemplar has no labels".to_owned());
        }
        self.labels(&mut Some(String::new()), &mut Vec::new())?;
        self.space();
        float(self.word("a value of the exemplar")?)?;
        if self.space() && !self.rest.is_empty() {
            time_stamp(self.word("a time stamp")?, Format::OpenMetrics)?;
        }
        self.space();
        Ok(())
    }
}

fn time_stamp(text: &str, format: Format) -> Result<Timestamp, String> {
    let wrong = || format!("`{}` is no time stamp", short(text));
    match format {
        Format::Text => text.parse().map(Timestamp::from_millis).map_err(|_| wrong()),
        Format::OpenMetrics => {
            let seconds = float(text).map_err(|_| wrong())?;
            if !seconds.is_finite() || seconds.abs() > 9e12 {
                return Err(wrong());
            }
            // Cut, not rounded, as Prometheus does: the same page has the same time stamps there.
            #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
            let millis = (seconds * 1_000.0) as i64;
            Ok(Timestamp::from_millis(millis))
        }
    }
}

/// A number as Go reads it: `1`, `1e+06`, `NaN`, `+Inf`, `infinity`, `0x1.8p3`.
fn float(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{}` is no number", short(text));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return Err(wrong());
    }
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => hex_float(hex).ok_or_else(wrong)?,
        None => digits.parse().map_err(|_| wrong())?,
    };
    Ok(if negative { -value } else { value })
}

/// `1.8p3`: digits of base 16, and an exponent of base 2 that must be there.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * f64::powi(2.0, shift.clamp(-2_000, 2_000)))
}

/// The beginning of a text, for messages.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn text(line: &str) -> LineSample {
        parse(line, Format::Text).unwrap_or_else(|problem| panic!("{line}: {problem}"))
    }

    #[test]
    fn nothing_on_a_line_is_lost_or_bent() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("job:requests:rate5m 1", &[("__name__", "job:requests:rate5m")]),
            ("a{} 1", &[("__name__", "a")]),
            (r#"a{route="/u/{id}"} 1"#, &[("__name__", "a"), ("route", "/u/{id}")]),
            (r#"a{q="x=1,y=2"} 1"#, &[("__name__", "a"), ("q", "x=1,y=2")]),
            (r#"a{q="say \"hi\"\\\n",} 1"#, &[("__name__", "a"), ("q", "say \"hi\"\\\n")]),
            (r#"a{q="\d"} 1"#, &[("__name__", "a"), ("q", "\\d")]),
            (r#"a { x = "1" , y = "2" } 1"#, &[("__name__", "a"), ("x", "1"), ("y", "2")]),
            (r#"a{empty="",x="ä€"} 1"#, &[("__name__", "a"), ("x", "ä€")]),
            (r#"{"http.status", "a.b"="c"} 1"#, &[("__name__", "http.status"), ("a.b", "c")]),
            ("\ta\t1", &[("__name__", "a")]),
        ];
        for (line, expected) in cases {
            let sample = text(line);
            assert_eq!(sample.labels, labels(expected), "{line}");
            assert!((sample.value - 1.0).abs() < f64::EPSILON && sample.at.is_none(), "{line}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "numbers are read exactly or not at all")]
    fn numbers_are_read_as_go_reads_them() {
        for (line, value) in [
            ("a 1e+06", 1e6),
            ("a -0.5", -0.5),
            ("a .5", 0.5),
            ("a +Inf", f64::INFINITY),
            ("a -inf", f64::NEG_INFINITY),
            ("a 0x1.8p3", 12.0),
            ("a -0X10p-1", -8.0),
        ] {
            assert_eq!(text(line).value, value, "{line}");
        }
        assert!(text("a NaN").value.is_nan());
    }

    #[test]
    fn time_stamps_are_milliseconds_or_seconds_by_the_format() {
        assert_eq!(text("a 1 1795271400007").at, Some(Timestamp::from_millis(1_795_271_400_007)));
        let open = |line: &str| parse(line, Format::OpenMetrics).unwrap();
        assert_eq!(open("a_total 1 1795271400.0079").at, Some(Timestamp::from_millis(1_795_271_400_007)));
        assert_eq!(open(r#"a_total 1 # {trace_id="}x"} 0.5"#).at, None);
        assert_eq!(open(r#"a_total 1 2 # {trace_id="x"} 0.5 3"#).at, Some(Timestamp::from_seconds(2)));
        assert!(parse(r#"a_total 1 # {trace_id="x"} 0.5"#, Format::Text).is_err());
        assert!(parse("a 1 1.5", Format::Text).is_err());
    }

    #[test]
    fn what_is_no_sample_is_refused_with_a_reason() {
        for line in [
            "<html>",
            "1a 1",
            "a",
            "a{",
            "a{x} 1",
            "a{x=1} 1",
            r#"a{x="1} 1"#,
            r#"a{x="1"y="2"} 1"#,
            "a 1 2 3",
            "a x",
            r#"a{x="1",x="2"} 1"#,
            "a +-1",
            "a 0x",
            "a 0x1",
            "a 0xpp",
            "a{,} 1",
            "é 1",
            "{} 1",
            r#"{x="1"} 1"#,
            r#"a{__name__="b"} 1"#,
            r#""a" 1"#,
            "a 1_0",
        ] {
            assert!(parse(line, Format::Text).is_err(), "{line}");
        }
    }
}
