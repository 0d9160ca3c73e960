//! Whether a ruler will take a text as a template: one that it refuses makes it refuse the whole file.
//!
//! Only texts of other tools' files are templates. No template is rendered here: actions are closed, blocks are ended,
//! and every word and variable is one that Prometheus has. What is doubtful is taken as unsound, and written as text.

/// Keywords and functions of Go's templates, and what Prometheus 2.42 adds.
const WORDS: [&str; 58] = [
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    "break",
    "continue",
    "nil",
    "true",
    "false",
    "and",
    "call",
    "html",
    "index",
    "slice",
    "js",
    "len",
    "not",
    "or",
    "print",
    "printf",
    "println",
    "urlquery",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "query",
    "first",
    "label",
    "value",
    "strvalue",
    "args",
    "reReplaceAll",
    "safeHtml",
    "match",
    "title",
    "toUpper",
    "toLower",
    "graphLink",
    "tableLink",
    "sortByLabel",
    "stripPort",
    "stripDomain",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "pathPrefix",
    "externalURL",
    "parseDuration",
    "tmpl",
];
/// Variables that Prometheus defines.
const VARIABLES: [&str; 5] = ["", "labels", "externalLabels", "externalURL", "value"];
/// Keywords that want an `end`.
const OPENING: [&str; 5] = ["if", "range", "with", "define", "block"];

/// Whether every action of the text is one that Prometheus understands, as far as that can be seen.
pub(super) fn is_sound(text: &str) -> bool {
    let mut rest = text;
    let mut open = 0_i32;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((inside, tail)) = after.split_once("}}") else { return false };
        let inside = inside.trim_start_matches("- ").trim_end_matches(" -").trim();
        let is_comment = inside.starts_with("/*") && inside.ends_with("*/");
        if !is_comment {
            let Some(words) = words(inside) else { return false };
            if words.is_empty() || !words.iter().all(|word| is_known(word, text)) {
                return false;
            }
            match words.first().map(String::as_str) {
                Some("end") => open -= 1,
                Some(first) if OPENING.contains(&first) => open += 1,
                _ => {}
            }
            if open < 0 {
                return false;
            }
        }
        rest = tail;
    }
    open == 0
}

/// A variable may be declared in the text itself.
fn is_known(word: &str, text: &str) -> bool {
    match (word.chars().next(), word.strip_prefix('$')) {
        (_, Some(variable)) => VARIABLES.contains(&variable) || text.contains(&format!("${variable} :=")),
        (Some(first), None) if first.is_ascii_alphabetic() || first == '_' => WORDS.contains(&word),
        _ => true,
    }
}

/// Words, variables (with `$`), and one `"` for each string or number; fields are left out. `None`: a string is not
/// closed.
fn words(action: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = action.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '`' => {
                loop {
                    match rest.next()? {
                        '\\' if c == '"' => drop(rest.next()),
                        end if end == c => break,
                        _ => {}
                    }
                }
                words.push("\"".to_owned());
            }
            '.' | '$' | '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => {
                let mut word = String::from(c);
                while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                // A field of what stands before it, or of the data itself.
                words.push(if c == '.' || c.is_ascii_digit() { "\"".to_owned() } else { word });
            }
            _ => {}
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_would_refuse_is_unsound() {
        for sound in [
            "plain",
            "{{ $labels.sloth_service }} is {{ $value | humanizePercentage }}",
            "{{.Labels.job}} {{- $value -}} {{ printf \"%.2f\" $value }}",
            "{{ with query \"up{job='x'}\" }}{{ . | first | value }}{{ else }}none{{ end }}",
            "{{ $runbook := \"https://x\" }}{{ $runbook }}",
            "{{/* none */}}",
        ] {
            assert!(is_sound(sound), "{sound}");
        }
        for unsound in [
            "{{ open",
            "{{ open }}",
            "{{ }}",
            "{{ $lables.job }}",
            "{{ \"open }}",
            "{{ if $value }}x",
            "{{ end }}",
            "{{ $value | humanise }}",
        ] {
            assert!(!is_sound(unsound), "{unsound}");
        }
    }
}
