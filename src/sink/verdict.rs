//! From what a receiver answered to what to do next: pure, the same for every HTTP sink.
//!
//! | answer | verdict |
//! |---|---|
//! | 2xx | done |
//! | nothing was sent (refused, no such host, no TLS) | retry |
//! | nothing was sent for want of a secret | unauthorized: held until somebody has mended it |
//! | sent, and no whole answer (timeout, reset) | ambiguous |
//! | 408, 425, and 5xx without `Retry-After` | ambiguous: something behind the one that answered may have acted |
//! | 429, and 5xx with `Retry-After` | retry, not before |
//! | 3xx, 401, 402, 403, 404, 407, 410 | misconfigured: somebody has to mend the address or the key |
//! | other 4xx | refused |

use chrono::DateTime;

use crate::sink::client::{Answer, NoAnswer};
use crate::sink::{DeliveryVerdict, Outcome};
use crate::units::{Length, Timestamp};

/// The longest wait that a receiver may ask for (INTERFACES 5).
const LONGEST_RETRY_AFTER: Length = Length::from_hours(1);

/// Characters of a body that are shown.
const EXCERPT: usize = 200;

/// The verdict on an exchange. `now` is needed for a `Retry-After` that is a date of a server without a `Date`.
#[must_use]
pub fn judge(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Outcome {
    match exchange {
        Ok(answer) => Outcome::new(by_status(answer, now), shown(answer)),
        Err(none) => {
            let verdict = match none {
                NoAnswer { keyless: true, .. } => DeliveryVerdict::Unauthorized,
                NoAnswer { unusable: true, .. } => DeliveryVerdict::Misconfigured,
                NoAnswer { perhaps_read: true, .. } => DeliveryVerdict::Ambiguous,
                NoAnswer { .. } => DeliveryVerdict::Retry(None),
            };
            let outcome = Outcome::new(verdict, none.message.clone());
            // It may heal by itself, and mostly needs a person: both.
            if none.message.contains("certificate") {
                outcome.with_alarm(format!("no safe connection: {}", none.message))
            } else {
                outcome
            }
        }
    }
}

fn by_status(answer: &Answer, now: Timestamp) -> DeliveryVerdict {
    let told = retry_after(answer, now);
    match answer.status {
        200..=299 => DeliveryVerdict::Done,
        429 => DeliveryVerdict::Retry(told),
        500..=599 if told.is_some() => DeliveryVerdict::Retry(told),
        408 | 425 | 500..=599 => DeliveryVerdict::Ambiguous,
        300..=399 | 401..=404 | 407 | 410 => DeliveryVerdict::Misconfigured,
        _ => DeliveryVerdict::Refused,
    }
}

/// What `Retry-After` asks for, at most an hour.
#[must_use]
pub fn retry_after(answer: &Answer, now: Timestamp) -> Option<Length> {
    answer.retry_after.as_deref().and_then(|text| wait(text, answer.date.as_deref(), now))
}

/// The wait until a time that a limit is lifted, at most an hour; by the server's own clock where it shows one.
#[must_use]
pub fn until(at: Timestamp, answer: &Answer, now: Timestamp) -> Length {
    let theirs = answer.date.as_deref().and_then(http_date).unwrap_or(now);
    at.since(theirs).clamp(Length::ZERO, LONGEST_RETRY_AFTER)
}

/// `Retry-After` in seconds or as a date; a date is measured by the server's own clock where it shows one.
fn wait(text: &str, date: Option<&str>, now: Timestamp) -> Option<Length> {
    let text = text.trim();
    let asked = if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are more than the longest wait.
        Length::from_seconds(text.parse::<i64>().unwrap_or(i64::MAX).min(LONGEST_RETRY_AFTER.millis()))
    } else {
        let theirs = date.and_then(http_date).unwrap_or(now);
        http_date(text)?.since(theirs)
    };
    Some(asked.min(LONGEST_RETRY_AFTER))
}

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| Timestamp::from_seconds(date.timestamp()))
}

/// The status that a message of ours begins with: `status 401: no such token`. A sink that is not told by its status
/// (mail, a chat that answers 200 with an error) may begin its message so, to have it handled alike.
#[must_use]
pub fn status_of(message: &str) -> Option<u16> {
    message.strip_prefix("status ")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The status, and the beginning of the body in one line.
#[must_use]
pub fn shown(answer: &Answer) -> String {
    let plain: String = answer.body.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let status = format!("status {}", answer.status);
    if words.is_empty() { status } else { format!("{status}: {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn status(status: u16) -> DeliveryVerdict {
        judge(&Ok(Answer { status, ..Answer::default() }), NOW).verdict
    }

    fn told(status: u16, retry_after: &str, date: Option<&str>) -> DeliveryVerdict {
        let answer =
            Answer { status, retry_after: Some(retry_after.into()), date: date.map(Into::into), ..Answer::default() };
        judge(&Ok(answer), NOW).verdict
    }

    #[test]
    fn every_status_has_its_verdict() {
        for code in [200, 201, 202, 204] {
            assert_eq!(status(code), DeliveryVerdict::Done, "{code}");
        }
        for code in [408, 425, 500, 502, 503, 504, 599] {
            assert_eq!(status(code), DeliveryVerdict::Ambiguous, "{code}");
        }
        assert_eq!(status(429), DeliveryVerdict::Retry(None));
        for code in [301, 302, 303, 307, 308, 401, 402, 403, 404, 407, 410] {
            assert_eq!(status(code), DeliveryVerdict::Misconfigured, "{code}");
        }
        for code in [400, 405, 409, 413, 415, 422, 451] {
            assert_eq!(status(code), DeliveryVerdict::Refused, "{code}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_capped() {
        let seconds = |n| DeliveryVerdict::Retry(Some(Length::from_seconds(n)));
        assert_eq!(told(429, "120", None), seconds(120));
        assert_eq!(told(503, " 7 ", None), seconds(7));
        assert_eq!(told(429, "86400", None), seconds(3_600));
        assert_eq!(told(429, "99999999999999999999999", None), seconds(3_600));
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(told(429, "Sun, 06 Nov 1994 08:50:07 GMT", date), seconds(30), "by the server's own clock");
        assert_eq!(told(503, "Sun, 06 Nov 1994 08:49:07 GMT", date), seconds(0), "in the past is at once");
        let later = (NOW + Length::from_seconds(90)).to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(told(429, &later, None), seconds(90), "by our clock where the server shows none");
        assert_eq!(told(429, "soon", None), DeliveryVerdict::Retry(None));
        assert_eq!(told(503, "-5", None), DeliveryVerdict::Ambiguous);
    }

    #[test]
    fn without_an_answer_it_counts_whether_anything_was_sent() {
        let none =
            |perhaps_read, unusable| Err(NoAnswer { perhaps_read, unusable, keyless: false, message: "reset".into() });
        assert_eq!(judge(&none(false, false), NOW).verdict, DeliveryVerdict::Retry(None));
        assert_eq!(judge(&none(true, false), NOW).verdict, DeliveryVerdict::Ambiguous);
        assert_eq!(judge(&none(false, true), NOW).verdict, DeliveryVerdict::Misconfigured);
        let keyless = Err(NoAnswer::keyless("no secret".into()));
        assert_eq!(judge(&keyless, NOW).verdict, DeliveryVerdict::Unauthorized);
    }

    #[test]
    fn a_bad_certificate_is_tried_again_and_needs_a_person() {
        let message = "error sending request: invalid peer certificate: Expired".to_owned();
        let outcome = judge(&Err(NoAnswer { perhaps_read: false, unusable: false, keyless: false, message }), NOW);
        assert_eq!(outcome.verdict, DeliveryVerdict::Retry(None));
        assert!(outcome.alarm.unwrap().contains("Expired"));
    }

    #[test]
    fn a_message_says_its_status_first() {
        for (message, status) in
            [("status 401", Some(401)), ("status 404: gone", Some(404)), ("status", None), ("no status 401", None)]
        {
            assert_eq!(status_of(message), status, "{message}");
        }
    }

    #[test]
    fn messages_are_one_short_line() {
        let answer = Answer {
            status: 503,
            body: "<p>busy\r\n\u{1b}[31m</p>".to_owned() + &"x".repeat(900),
            ..Answer::default()
        };
        let message = judge(&Ok(answer), NOW).message;
        assert!(message.starts_with("status 503: <p>busy [31m</p>xxx"), "{message}");
        assert!(message.chars().count() <= 220 && !message.chars().any(char::is_control));
    }
}
