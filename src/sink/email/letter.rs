//! A notification as a letter: headers and both texts, the same bytes for every recipient. Pure.
//!
//! A thread is held together by `References`: its root is made from [`Notification::thread`], so every letter knows it,
//! also after the first one was lost. Where the first letter of the thread is known, `In-Reply-To` names that.
//! Ids of ours hold characters that a `Message-ID` may not; those become `-`, and a hash keeps two ids apart.
//! Nothing from outside can add a header: values are printable ASCII, or encoded by lettre.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart, SinglePart, header};
use sha2::{Digest, Sha256};

use crate::policy::card;
use crate::policy::notification::Notification;
use crate::sink::email::html;
use crate::sink::text::Text;
use crate::units::Timestamp;

/// Readable characters of a `Message-ID` in front of its hash.
const READABLE: usize = 120;

/// Characters of a header of ours; a line of a letter has at most 998.
const LONGEST: usize = 900;

/// Characters of a subject.
const SUBJECT: usize = 200;

/// Who writes to whom.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// The sender.
    pub from: Mailbox,
    /// All recipients.
    pub to: Vec<Mailbox>,
}

/// A letter, and what to mend where a template failed.
#[derive(Clone, Debug)]
pub struct Letter {
    /// `id@host`, without angle brackets.
    pub id: String,
    /// Headers and body.
    pub bytes: Vec<u8>,
    /// A template that failed.
    pub alarm: Option<String>,
}

/// The letter of a notification, written at `now`; `first` is the id of the first letter of its thread, where it is known.
///
/// # Errors
/// Where lettre refuses a header, which it does not.
pub fn render(
    notification: &Notification,
    text: &Text,
    addresses: &Addresses,
    first: Option<&str>,
    now: Timestamp,
) -> Result<Letter, String> {
    let host = addresses.from.email.domain();
    let id = message_id(&notification.id, host);
    let thread = notification.thread();
    let root = message_id(&thread, host);
    let (plain, alarm) = text.render(notification);
    let page = html::render(notification, &plain);
    let seconds = Duration::from_secs(u64::try_from(now.millis().div_euclid(1_000)).unwrap_or_default());
    let references = match first.filter(|first| *first != id && *first != root) {
        Some(first) => format!("<{root}> <{first}>"),
        None => format!("<{root}>"),
    };
    let answered = first.filter(|first| *first != id).unwrap_or(&root);
    let builder = Message::builder()
        .from(addresses.from.clone())
        .mailbox(header::To::from(addresses.to.iter().cloned().collect::<Mailboxes>()))
        .subject(subject(notification))
        .date(SystemTime::UNIX_EPOCH + seconds)
        .message_id(Some(format!("<{id}>")))
        .in_reply_to(format!("<{answered}>"))
        .references(references)
        .raw_header(raw("Auto-Submitted", "auto-generated".to_owned())?)
        .raw_header(raw("List-Id", format!("<slo.{host}>"))?)
        .raw_header(raw("X-Slo-Episode", printable(&thread))?)
        .raw_header(raw("X-Slo-Event", printable(&notification.id))?);
    let parts = MultiPart::alternative().boundary(format!("slo-{}", hashed(&id)));
    let parts = parts.singlepart(SinglePart::plain(crlf(&plain))).singlepart(SinglePart::html(crlf(&page)));
    let message = builder.multipart(parts).map_err(|why| format!("the letter cannot be written: {why}"))?;
    Ok(Letter { id, bytes: message.formatted(), alarm })
}

/// `[PAGE] ID`, in one line of a bounded length.
#[must_use]
pub fn subject(notification: &Notification) -> String {
    let whole = card::subject(notification).replace(char::is_control, " ");
    if whole.chars().count() > SUBJECT { whole.chars().take(SUBJECT - 2).chain("..".chars()).collect() } else { whole }
}

/// `id@host`: the id where a `Message-ID` can hold it, else what of it can be read and a hash.
#[must_use]
pub fn message_id(id: &str, host: &str) -> String {
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let atoms = id.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext));
    if atoms && id.len() <= READABLE {
        return format!("{id}@{host}");
    }
    let readable: String = id.chars().take(READABLE).map(|c| if atext(c) { c } else { '-' }).collect();
    format!("{readable}.{}@{host}", hashed(id))
}

/// 80 bits of SHA-256, in hex.
fn hashed(text: &str) -> String {
    let bytes: Vec<String> =
        Sha256::digest(text.as_bytes()).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// Everything but visible ASCII percent-encoded; a hash where it is too long.
fn printable(text: &str) -> String {
    let visible = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'%';
    let encoded: String = text
        .bytes()
        .map(|byte| if visible(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if encoded.len() > LONGEST { hashed(text) } else { encoded }
}

fn raw(name: &'static str, value: String) -> Result<HeaderValue, String> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| format!("`{name}` is no name of a header"))?;
    // Not folded and not encoded: it is visible ASCII, and shorter than a line may be.
    Ok(HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value))
}

/// Lines as letters end them.
fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_header_cannot_hold_are_hashed_and_stay_apart() {
        assert_eq!(message_id("checkout/availability/1", "example.com"), "checkout/availability/1@example.com");
        let odd = message_id("checkout/a{region=\"eu\"}/page/burn/2026-11-21T02:54:00Z/1", "example.com");
        assert!(odd.starts_with("checkout/a{region=-eu-}/page/burn/2026-11-21T02-54-00Z/1."), "{odd}");
        assert_ne!(odd, message_id("checkout/a{region='eu'}/page/burn/2026-11-21T02:54:00Z/1", "example.com"));
        for id in ["a\r\nBcc: x@example.com", "a>b", "..", "", &"x".repeat(2_000), "ü"] {
            let id = message_id(id, "example.com");
            assert!(id.len() < 200 && id.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'>'), "{id}");
        }
    }

    #[test]
    fn headers_of_ours_are_visible_ascii() {
        assert_eq!(printable("a b\r\n%ü"), "a%20b%0D%0A%25%C3%BC");
        assert_eq!(printable(&"x".repeat(1_000)).len(), 20);
    }
}
