//! What receivers take at most, as a table, and how a text is made to fit.
//!
//! A limit that a receiver enforces loses the message, or the part of it that it cuts: so everything is cut here, below
//! their limits, on a character border, with a mark at the cut. What is cut last is what a person needs first: the first
//! lines of a card, and its last one, which says what to do ([`Limit::cut_card`]).
//!
//! Sources of the numbers: documentation of each receiver, and what its other senders found out (they stand beside the
//! entries where they are not the documented ones).

use sha2::{Digest as _, Sha256};

use crate::policy::several;

/// Stands where something was cut.
pub const MARK: &str = "…";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode scalar values.
    Characters,
    /// What Java and JavaScript call characters: an emoji is two.
    Utf16,
}

/// How long one field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Receiver and field, for people.
    pub field: &'static str,
    /// The largest that is sent, in `unit`.
    pub max: usize,
    /// What is counted.
    pub unit: Unit,
}

const fn limit(field: &'static str, max: usize, unit: Unit) -> Limit {
    Limit { field, max, unit }
}

/// `payload.summary`.
pub const PAGERDUTY_SUMMARY: Limit = limit("pagerduty summary", 1_024, Unit::Characters);
/// `dedup_key`; what is longer is made short by a hash, never cut.
pub const PAGERDUTY_KEY: Limit = limit("pagerduty dedup_key", 255, Unit::Characters);
/// The whole event; 512 KB are taken.
pub const PAGERDUTY_BODY: Limit = limit("pagerduty event", 480_000, Unit::Bytes);
/// The text in `custom_details`: leaves room for the rest of the event, escaped as JSON.
pub const PAGERDUTY_DETAIL: Limit = limit("pagerduty custom_details", 20_000, Unit::Bytes);

/// `message`.
pub const OPSGENIE_MESSAGE: Limit = limit("opsgenie message", 130, Unit::Utf16);
/// `alias`: 512 are documented, 250 in places; what is longer is made short by a hash, never cut.
pub const OPSGENIE_ALIAS: Limit = limit("opsgenie alias", 250, Unit::Utf16);
/// `description`.
pub const OPSGENIE_DESCRIPTION: Limit = limit("opsgenie description", 15_000, Unit::Utf16);
/// One of `tags`, of which there are at most 20.
pub const OPSGENIE_TAG: Limit = limit("opsgenie tag", 50, Unit::Utf16);
/// `entity`.
pub const OPSGENIE_ENTITY: Limit = limit("opsgenie entity", 512, Unit::Utf16);
/// `source`.
pub const OPSGENIE_SOURCE: Limit = limit("opsgenie source", 100, Unit::Utf16);
/// `user`, of an acknowledgement.
pub const OPSGENIE_USER: Limit = limit("opsgenie user", 100, Unit::Utf16);
/// All names and values of `details` together.
pub const OPSGENIE_DETAILS: Limit = limit("opsgenie details", 8_000, Unit::Utf16);
/// `note`.
pub const OPSGENIE_NOTE: Limit = limit("opsgenie note", 25_000, Unit::Utf16);

/// `text`: shown in notifications; 40,000 are taken, 4,000 are advised.
pub const SLACK_TEXT: Limit = limit("slack text", 4_000, Unit::Utf16);
/// Text of a header block.
pub const SLACK_HEADER: Limit = limit("slack header", 150, Unit::Utf16);
/// Text of a section block. About 13,200 are taken over all blocks, which is written nowhere: we send two at most.
pub const SLACK_SECTION: Limit = limit("slack section", 3_000, Unit::Utf16);
/// Text of a button.
pub const SLACK_BUTTON: Limit = limit("slack button", 75, Unit::Utf16);
/// Value of a button.
pub const SLACK_VALUE: Limit = limit("slack button value", 2_000, Unit::Utf16);
/// Address behind a button.
pub const SLACK_URL: Limit = limit("slack button url", 3_000, Unit::Utf16);

/// The whole message; about 28 KB are taken, and a larger one is lost after it was accepted.
pub const TEAMS_BODY: Limit = limit("teams message", 24 * 1_024, Unit::Bytes);
/// One text of a card.
pub const TEAMS_TEXT: Limit = limit("teams text", 6_000, Unit::Bytes);
/// Name or value of a fact, title of a button.
pub const TEAMS_FACT: Limit = limit("teams fact", 400, Unit::Bytes);
/// Address behind a button.
pub const TEAMS_URL: Limit = limit("teams button url", 1_000, Unit::Bytes);

/// `title` of an issue.
pub const GITHUB_TITLE: Limit = limit("github title", 250, Unit::Utf16);
/// `body` of an issue or a comment; 65,536 are taken.
pub const GITHUB_BODY: Limit = limit("github body", 60_000, Unit::Utf16);
/// `title` of an issue.
pub const GITLAB_TITLE: Limit = limit("gitlab title", 255, Unit::Utf16);
/// `description` of an issue, `body` of a note; about 1 MB are taken.
pub const GITLAB_BODY: Limit = limit("gitlab body", 250_000, Unit::Bytes);
/// `summary`, in one line.
pub const JIRA_SUMMARY: Limit = limit("jira summary", 255, Unit::Utf16);
/// `description`, and the body of a comment; 32,767 are taken, marks of the format counted.
pub const JIRA_TEXT: Limit = limit("jira text", 30_000, Unit::Utf16);
/// `short_description`.
pub const SERVICENOW_SHORT: Limit = limit("servicenow short_description", 160, Unit::Utf16);
/// `description`, `work_notes`, `close_notes`.
pub const SERVICENOW_TEXT: Limit = limit("servicenow text", 4_000, Unit::Utf16);
/// `correlation_id`; what is longer is made short by a hash, never cut.
pub const SERVICENOW_KEY: Limit = limit("servicenow correlation_id", 100, Unit::Utf16);

/// Every limit of a text.
pub const ALL: &[Limit] = &[
    PAGERDUTY_SUMMARY,
    PAGERDUTY_KEY,
    PAGERDUTY_BODY,
    PAGERDUTY_DETAIL,
    OPSGENIE_MESSAGE,
    OPSGENIE_ALIAS,
    OPSGENIE_DESCRIPTION,
    OPSGENIE_TAG,
    OPSGENIE_ENTITY,
    OPSGENIE_SOURCE,
    OPSGENIE_USER,
    OPSGENIE_DETAILS,
    OPSGENIE_NOTE,
    SLACK_TEXT,
    SLACK_HEADER,
    SLACK_SECTION,
    SLACK_BUTTON,
    SLACK_VALUE,
    SLACK_URL,
    TEAMS_BODY,
    TEAMS_TEXT,
    TEAMS_FACT,
    TEAMS_URL,
    GITHUB_TITLE,
    GITHUB_BODY,
    GITLAB_TITLE,
    GITLAB_BODY,
    JIRA_SUMMARY,
    JIRA_TEXT,
    SERVICENOW_SHORT,
    SERVICENOW_TEXT,
    SERVICENOW_KEY,
];

/// A key whose receiver takes `limit`: as it is where it fits, else its beginning and a hash of the whole. Two keys stay
/// two keys, and one key stays one: the same in every copy of the service.
#[must_use]
pub fn key(limit: &Limit, text: &str) -> String {
    const BYTES_SHOWN: usize = 16;
    if limit.fits(text) {
        return text.to_owned();
    }
    let digest: String = hash(text).chars().take(BYTES_SHOWN * 2).collect();
    let room = Limit { max: limit.max.saturating_sub(digest.len() + 1), ..*limit };
    format!("{}~{digest}", room.beginning(text, str::to_owned))
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn hash(text: &str) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    Sha256::digest(text.as_bytes()).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn measure(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Characters => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
        }
    }
}

impl Limit {
    /// Whether a text is within it.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.unit.measure(text) <= self.max
    }

    /// The same field with less room: where its text shares the room with others.
    #[must_use]
    pub fn at_most(&self, max: usize) -> Self {
        Self { max: self.max.min(max), ..*self }
    }

    /// The text, its end replaced by [`MARK`] where it is too long.
    #[must_use]
    pub fn cut(&self, text: &str) -> String {
        self.cut_escaped(text, str::to_owned)
    }

    /// The escaped text within the limit: what is cut is the text before it is escaped, so that no escape is torn.
    #[must_use]
    pub fn cut_escaped(&self, text: &str, escape: impl Fn(&str) -> String) -> String {
        let whole = escape(text);
        if self.fits(&whole) {
            return whole;
        }
        let room = Self { max: self.max.saturating_sub(self.unit.measure(MARK)), ..*self };
        if room.max == 0 {
            return String::new();
        }
        let kept = room.beginning(text, escape);
        format!("{}{MARK}", kept.trim_end())
    }

    /// A card within the limit: of one that is too long alerts are left out of its list first, and counted; then the first
    /// line, and the last where it says what to do, are kept as long as possible, and what stands between is cut from its
    /// end.
    #[must_use]
    pub fn cut_card(&self, card: &str, escape: impl Fn(&str) -> String) -> String {
        let mut whole = escape(card);
        let mut fewer = None;
        while !self.fits(&whole) {
            let Some(less) = several::with_fewer(fewer.as_deref().unwrap_or(card)) else { break };
            whole = escape(&less);
            fewer = Some(less);
        }
        if self.fits(&whole) {
            return whole;
        }
        let card = fewer.as_deref().unwrap_or(card);
        let last = card.rsplit_once('\n').filter(|(_, line)| line.starts_with(WHAT_TO_DO));
        if let Some((rest, line)) = last {
            let end = format!("\n{}", escape(line));
            let room = self.max.saturating_sub(self.unit.measure(&end));
            let first = card.lines().next().unwrap_or_default();
            if room > self.unit.measure(&escape(first)) + self.unit.measure(MARK) {
                return format!("{}{end}", self.at_most(room).cut_escaped(rest, escape));
            }
        }
        self.cut_escaped(card, escape)
    }

    /// The longest beginning that fits once it is escaped, without a mark. Escaping never makes a longer beginning shorter.
    fn beginning(&self, text: &str, escape: impl Fn(&str) -> String) -> String {
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let part = |border: &usize| escape(text.get(..*border).unwrap_or_default());
        let fitting = borders.partition_point(|border| self.fits(&part(border)));
        fitting.checked_sub(1).and_then(|last| borders.get(last)).map(part).unwrap_or_default()
    }
}

/// How the card's last line begins (INTERFACES 5).
const WHAT_TO_DO: &str = "do ";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sink::escape;

    #[test]
    fn a_text_is_cut_on_a_border_of_characters_and_says_so() {
        let two = |unit, max| Limit { field: "x", max, unit };
        assert_eq!(two(Unit::Characters, 4).cut("äöüß"), "äöüß");
        assert_eq!(two(Unit::Characters, 4).cut("äöüßé"), "äöü…");
        // The mark is three bytes; `ö` would be cut in two.
        assert_eq!(two(Unit::Bytes, 6).cut("äöüßé"), "ä…");
        // An emoji is two units; one of them is left, and holds no character.
        assert_eq!(two(Unit::Utf16, 3).cut("🔥🔥🔥"), "🔥…");
        assert_eq!(two(Unit::Utf16, 2).cut("🔥🔥🔥"), "…");
        assert_eq!(two(Unit::Bytes, 2).cut("long"), "");
    }

    #[test]
    fn an_escape_is_not_torn() {
        let limit = Limit { field: "x", max: 9, unit: Unit::Characters };
        assert_eq!(limit.cut_escaped("ab<<<", escape::slack), "ab&lt;…");
    }

    #[test]
    fn of_a_card_the_first_line_and_what_to_do_are_kept() {
        let card = "[PAGE] a/b: 3% fail\nsince 02:54 UTC\nwhere  code=503\ndo     runbook https://wiki.example";
        let limit = |max| Limit { field: "x", max, unit: Unit::Characters };
        let plain = str::to_owned;
        assert_eq!(limit(100).cut_card(card, plain), card);
        assert_eq!(
            limit(70).cut_card(card, plain),
            "[PAGE] a/b: 3% fail\nsince 02:54 U…\ndo     runbook https://wiki.example"
        );
        assert_eq!(limit(30).cut_card(card, plain), "[PAGE] a/b: 3% fail\nsince 02:…");
    }

    #[test]
    fn keys_that_are_too_long_stay_different_and_stay_the_same() {
        let limit = Limit { field: "x", max: 40, unit: Unit::Characters };
        let long = |end: &str| format!("checkout/availability{{region=\"{}\"}}/{end}", "e".repeat(50));
        assert_eq!(key(&limit, "short"), "short");
        assert_eq!(key(&limit, &long("page")), key(&limit, &long("page")));
        assert_ne!(key(&limit, &long("page")), key(&limit, &long("ticket")));
        assert_eq!(key(&limit, &long("page")).chars().count(), 40);
        // The vector of FIPS 180-2.
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_longer_than_its_limit(text in "(\\PC|\n|&|<){0,400}", which in 0..ALL.len(), max in 0_usize..300) {
            let limit = ALL[which].at_most(max);
            prop_assert!(limit.fits(&limit.cut(&text)));
            prop_assert!(limit.fits(&limit.cut_escaped(&text, escape::html)));
            let card = format!("{text}\ndo     runbook https://wiki.example");
            let cut = limit.cut_card(&card, escape::slack);
            prop_assert!(limit.fits(&cut));
            if limit.fits(&escape::slack(&card)) {
                prop_assert_eq!(cut, escape::slack(&card));
            }
            if max > 40 {
                prop_assert!(limit.fits(&key(&limit, &text)));
            }
        }
    }
}
