//! Text of others made harmless, by receiver.
//!
//! Labels, names and reasons come from monitored systems: whoever chooses a label's value must not be able to call a whole
//! company, close an issue, or put a link of his own into a message. Where a receiver takes nodes instead of text (Jira's
//! documents, Slack's plain text), nodes are used and nothing needs escaping. None of these makes a text shorter, and a
//! longer text never gives a shorter one: [`crate::sink::limits`] counts on it.

/// Breaks words that would mean something, and is not seen.
const BREAK: char = '\u{200b}';

/// Each character through `one`.
fn each(text: &str, one: impl Fn(char, &mut String)) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        one(character, &mut escaped);
    }
    escaped
}

/// Slack's `mrkdwn`: `<!channel>` and `<https://..|innocent>` are plain text.
#[must_use]
pub fn slack(text: &str) -> String {
    each(text, |character, escaped| match character {
        '&' => escaped.push_str("&amp;"),
        '<' => escaped.push_str("&lt;"),
        '>' => escaped.push_str("&gt;"),
        other => escaped.push(other),
    })
}

/// HTML, in text and in quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    each(text, |character, escaped| match character {
        '&' => escaped.push_str("&amp;"),
        '<' => escaped.push_str("&lt;"),
        '>' => escaped.push_str("&gt;"),
        '"' => escaped.push_str("&quot;"),
        '\'' => escaped.push_str("&#39;"),
        other => escaped.push(other),
    })
}

/// The Markdown of an adaptive card's facts and texts: no link, no image, no emphasis. A break, not a backslash: clients
/// differ in whether they take those.
#[must_use]
pub fn teams(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut last = ' ';
    for character in text.chars() {
        if character == '(' && last == ']' {
            escaped.push(BREAK);
        }
        escaped.push(character);
        if matches!(character, '*' | '_' | '`') {
            escaped.push(BREAK);
        }
        last = character;
    }
    escaped
}

/// The Markdown of GitHub and GitLab, outside of code: nobody is mentioned, no issue is linked or closed, no quick action
/// runs, no HTML, link or image is made.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut begins = true;
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // At the start of a line: quick actions of GitLab, quotes, headings, lists, tables.
            '/' if begins => escaped.extend([BREAK, character]),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' => escaped.extend(['\\', character]),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // GitLab knows `&12` (epics), `!12`, `~label`, `%milestone`, `$12` beside `@name` and `#12`.
            '&' => {
                escaped.push_str("&amp;");
                escaped.push(BREAK);
            }
            '@' | '#' | '!' | '~' | '%' | '$' => escaped.extend([character, BREAK]),
            other => escaped.push(other),
        }
        begins = character == '\n' || (begins && character.is_whitespace());
    }
    escaped
}

/// Markup of Jira Data Center: no macro, no link, no mention (`[~name]`), no image, no table.
#[must_use]
pub fn jira_wiki(text: &str) -> String {
    each(text, |character, escaped| {
        if matches!(character, '\\' | '{' | '}' | '[' | ']' | '!' | '|' | '*' | '_' | '@') {
            escaped.push('\\');
        }
        escaped.push(character);
    })
}

/// Inside a quoted word of JQL.
#[must_use]
pub fn jql(text: &str) -> String {
    each(text, |character, escaped| {
        if matches!(character, '\\' | '"') {
            escaped.push('\\');
        }
        escaped.push(if character.is_control() { ' ' } else { character });
    })
}

/// A value in an encoded query of `ServiceNow`: `^` would begin another condition, and cannot be escaped.
#[must_use]
pub fn servicenow_query(text: &str) -> String {
    each(text, |character, escaped| {
        escaped.push(if character == '^' || character.is_control() { ' ' } else { character });
    })
}

/// One line: a header of a mail, a title.
#[must_use]
pub fn line(text: &str) -> String {
    each(text, |character, escaped| escaped.push(if character.is_control() { ' ' } else { character }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nobody_is_called_and_nothing_is_linked() {
        assert_eq!(slack("<!channel> a&b"), "&lt;!channel&gt; a&amp;b");
        assert_eq!(html(r#"<a href="x">'&"#), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
        assert_eq!(teams("[PAGE] [x](https://evil.example)"), "[PAGE] [x]\u{200b}(https://evil.example)");
        assert_eq!(
            markdown("Fixes #1 @all\n /close\n![x](y)"),
            "Fixes #\u{200b}1 @\u{200b}all\n \u{200b}/close\n!\u{200b}\\[x\\](y)"
        );
        assert_eq!(markdown("code=503 3.1/100"), "code=503 3.1/100");
        assert_eq!(jira_wiki("[~admin] {html}"), "\\[~admin\\] \\{html\\}");
        assert_eq!(jql("a\" OR project = \"b"), "a\\\" OR project = \\\"b");
        assert_eq!(servicenow_query("1^ORactive=true"), "1 ORactive=true");
        assert_eq!(line("a\r\nBcc: b"), "a  Bcc: b");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// What cutting counts on.
        #[test]
        fn a_longer_text_is_never_shorter_once_escaped(text in "(\\PC|\n|/|@|<|\\*){0,40}", more in "\\PC|\n|/|@") {
            for escape in [slack, html, teams, markdown, jira_wiki, jql, servicenow_query, line] {
                let (short, long) = (escape(&text), escape(&format!("{text}{more}")));
                prop_assert!(short.chars().count() >= text.chars().count());
                prop_assert!(long.starts_with(&short));
            }
        }
    }
}
