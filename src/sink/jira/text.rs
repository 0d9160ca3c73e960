//! A ticket's text as Jira takes it: a document of nodes (API 3), or markup (API 2). Pure.
//!
//! In nodes nothing needs escaping. In markup the card stands in `{noformat}`, which nothing inside can end.

use serde_json::{Value, json};

use crate::sink::escape;
use crate::sink::limits::JIRA_TEXT;
use crate::sink::ticket::words::Words;

/// For the marks around everything.
const FRAME: usize = 200;
/// For the marks around a link.
const EACH: usize = 20;

/// The text, within its limit.
#[must_use]
pub fn of(words: &Words, as_nodes: bool) -> Value {
    if as_nodes { nodes(words) } else { Value::String(markup(words)) }
}

/// The Atlassian Document Format.
#[must_use]
pub fn nodes(words: &Words) -> Value {
    let words = words.within(&JIRA_TEXT, FRAME, EACH, str::to_owned);
    let paragraph = |text: &str| json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
    let mut content = Vec::new();
    if !words.lead.is_empty() {
        content.push(paragraph(&words.lead.join(" ")));
    }
    // A text node must not be empty.
    if !words.card.is_empty() {
        content.push(json!({"type": "codeBlock", "content": [{"type": "text", "text": words.card}]}));
    }
    if !words.links.is_empty() {
        let item = |(name, url): &(String, String)| {
            let mark = json!([{"type": "link", "attrs": {"href": url}}]);
            let text = if name.is_empty() { url } else { name };
            let link = json!({"type": "text", "text": text, "marks": mark});
            json!({"type": "listItem", "content": [{"type": "paragraph", "content": [link]}]})
        };
        content.push(json!({"type": "bulletList", "content": words.links.iter().map(item).collect::<Vec<_>>()}));
    }
    content.extend(words.foot.as_deref().map(paragraph));
    json!({"type": "doc", "version": 1, "content": content})
}

/// The markup of Data Center.
#[must_use]
pub fn markup(words: &Words) -> String {
    let words = words.within(&JIRA_TEXT, FRAME, EACH, unformatted);
    let mut parts = Vec::new();
    if !words.lead.is_empty() {
        parts.push(words.lead.join(" "));
    }
    parts.push(format!("{{noformat}}\n{}\n{{noformat}}", words.card));
    if !words.links.is_empty() {
        let line = |(name, url): &(String, String)| format!("* {}: [{}]", escape::jira_wiki(name), address(url));
        parts.push(words.links.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    parts.extend(words.foot.clone());
    parts.join("\n\n")
}

/// What cannot end its block.
fn unformatted(card: &str) -> String {
    card.replace('{', "{\u{200b}")
}

/// An address between brackets.
fn address(url: &str) -> String {
    let mut address = url.to_owned();
    for (mark, code) in [("[", "%5B"), ("]", "%5D"), ("|", "%7C"), ("{", "%7B"), ("}", "%7D")] {
        address = address.replace(mark, code);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(card: &str) -> Words {
        Words {
            lead: vec!["One.".to_owned()],
            card: card.to_owned(),
            links: vec![("[~admin]".to_owned(), "https://wiki.example/a|b]".to_owned())],
            foot: None,
        }
    }

    #[test]
    fn markup_of_others_stays_text() {
        assert_eq!(
            markup(&words("a{noformat}[~admin]")),
            "One.\n\n{noformat}\na{\u{200b}noformat}[~admin]\n{noformat}\n\n\
             * \\[~admin\\]: [https://wiki.example/a%7Cb%5D]"
        );
        let document = nodes(&words("\"}]}[~admin]"));
        assert_eq!(document["content"][1]["content"][0]["text"], "\"}]}[~admin]");
        assert_eq!(document["content"][2]["content"][0]["content"][0]["content"][0]["text"], "[~admin]");
    }

    #[test]
    fn both_are_within_the_limit() {
        let long = words(&"{x🔥".repeat(20_000));
        assert!(JIRA_TEXT.fits(&markup(&long)));
        let text = nodes(&long)["content"][1]["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(JIRA_TEXT.at_most(29_900).fits(&text) && text.encode_utf16().count() > 29_000);
    }
}
