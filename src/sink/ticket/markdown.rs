//! A ticket's text as the Markdown of GitHub and GitLab. Pure.
//!
//! The card stands in a block of code: there nobody is mentioned, nothing is linked or closed, and no quick action runs.
//! Its fence is longer than any run of backticks inside.

use crate::sink::escape;
use crate::sink::limits::Limit;
use crate::sink::ticket::words::Words;

/// The text within its limit: the card is cut first, then links are left out.
#[must_use]
pub fn render(words: &Words, limit: &Limit) -> String {
    for links in (0..=words.links.len()).rev() {
        let links = words.links.get(..links).unwrap_or_default();
        let around = laid_out(words, "", "", links);
        let fence = fence(&words.card);
        let room = limit.max.checked_sub(limit.unit.measure(&around) + 2 * fence.len());
        if let Some(room) = room.filter(|room| *room > 0) {
            let card = limit.at_most(room).cut_card(&words.card, str::to_owned);
            return laid_out(words, &fence, &card, links);
        }
    }
    limit.cut(&words.lead.join(" "))
}

fn laid_out(words: &Words, fence: &str, card: &str, links: &[(String, String)]) -> String {
    let mut parts = Vec::new();
    if !words.lead.is_empty() {
        parts.push(words.lead.join(" "));
    }
    parts.push(format!("{fence}\n{card}\n{fence}"));
    if !links.is_empty() {
        let line = |(name, url): &(String, String)| format!("- {}: <{}>", escape::markdown(name), address(url));
        parts.push(links.iter().map(line).collect::<Vec<_>>().join("\n"));
    }
    parts.extend(words.foot.clone());
    parts.join("\n\n")
}

/// Longer than any run of backticks in the card.
fn fence(card: &str) -> String {
    let (mut longest, mut run) = (0, 0);
    for character in card.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest.max(2) + 1)
}

/// An address between `<` and `>`.
fn address(url: &str) -> String {
    url.replace('<', "%3C").replace('>', "%3E")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::limits::Unit;

    fn words(card: &str) -> Words {
        Words {
            lead: vec!["One.".to_owned(), "Two.".to_owned()],
            card: card.to_owned(),
            links: vec![("run@all".to_owned(), "https://wiki.example/a<b>".to_owned())],
            foot: Some("Foot.".to_owned()),
        }
    }

    const WIDE: Limit = Limit { field: "x", max: 10_000, unit: Unit::Characters };

    #[test]
    fn what_comes_from_elsewhere_stays_in_its_block() {
        assert_eq!(
            render(&words("@all Fixes #1\n/close\n```\n/close"), &WIDE),
            "One. Two.\n\n````\n@all Fixes #1\n/close\n```\n/close\n````\n\n\
             - run@\u{200b}all: <https://wiki.example/a%3Cb%3E>\n\nFoot."
        );
    }

    #[test]
    fn it_is_within_its_limit_whatever_it_is_given() {
        let long = words(&"`x@".repeat(30_000));
        for max in [0, 1, 8, 20, 60, 100, 1_000, 60_000] {
            for unit in [Unit::Bytes, Unit::Utf16] {
                let limit = Limit { field: "x", max, unit };
                assert!(limit.fits(&render(&long, &limit)), "{max}");
            }
        }
        let cut = render(&long, &Limit { max: 200, ..WIDE });
        assert!(cut.starts_with("One. Two.\n\n```\n`x@") && cut.ends_with("\n\nFoot."), "{cut}");
    }
}
