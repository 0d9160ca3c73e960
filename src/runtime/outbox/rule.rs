//! What the outbox does with a row, and what follows from a try: pure.
//!
//! Worked: a firing that was refused a connection is superseded once its alert is over, and so is the resolve behind it:
//! nobody was told. Had a try ended in a timeout, the firing would be superseded and the resolve sent, saying so.

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::{Mark, Notification};
use crate::sink::verdict::status_of;
use crate::sink::{DeliveryVerdict, Outcome};
use crate::spec::policy::AlertSeverity;
use crate::store::{Attempt, Delivery, DeliveryState};
use crate::units::{Length, Timestamp};

/// First wait after a try (INTERFACES 5).
const FIRST_WAIT: Length = Length::from_seconds(1);
/// Longest wait of our own (INTERFACES 5).
const SLOWEST_WAIT: Length = Length::from_minutes(5);
/// Longest wait that a receiver may impose (INTERFACES 5).
const LONGEST_TOLD_WAIT: Length = Length::from_hours(1);
/// How long a row is tried (INTERFACES 5).
pub const HORIZON: Length = Length::from_hours(24);

/// A page that is sent later than this says so.
const STALE: Length = Length::from_minutes(15);

/// Said in a resolve whose firing may have been lost.
const UNSURE: &str =
    "whether the firing arrived is not known: its delivery was not confirmed before the alert was over";

/// What to do with a row whose turn it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Try it, with this text.
    Send(Box<Notification>),
    /// End it without a try.
    Supersede,
}

/// What follows from a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The row.
    pub delivery: String,
    /// The try.
    pub attempt: Attempt,
    /// Where the row stands now.
    pub state: DeliveryState,
    /// When it is tried next, while pending.
    pub next_attempt_at: Option<Timestamp>,
    /// What the receiver calls what it opened.
    pub handle: Option<String>,
}

/// Decides about a row at `now`. `others` are the rows of the same alert to the same sink, in any order and with any
/// state; `over` says that the alert has ended.
#[must_use]
pub fn decide(head: &Delivery, others: &[Delivery], over: bool, now: Timestamp) -> Decision {
    let notification = &head.notification;
    if is_apart(notification) {
        return Decision::Send(Box::new(notification.clone()));
    }
    match notification.state {
        // Somebody wants the end told, whether or not the begin was.
        AlertState::Resolved if head.resent_at.is_some() => Decision::Send(Box::new(notification.clone())),
        AlertState::Resolved => end(head, others),
        AlertState::Firing if notification.tells_ack() => acknowledgement(head, others, over),
        AlertState::Firing if over || others.iter().any(|other| is_later_end(other, head)) => Decision::Supersede,
        // Of several things that were not told about one alert, only the newest is worth telling.
        AlertState::Firing if is_outdated(head, others) => Decision::Supersede,
        _ => Decision::Send(Box::new(late(head, now))),
    }
}

/// An end goes where the begin went, or may have gone.
fn end(head: &Delivery, others: &[Delivery]) -> Decision {
    let mut notification = head.notification.clone();
    let mut firings = others.iter().filter(|other| tells_firing(other));
    if firings.clone().any(|firing| firing.state == DeliveryState::Done) {
        Decision::Send(Box::new(notification))
    } else if firings.any(perhaps_told) {
        notification.reason = format!("{}; {UNSURE}", notification.reason);
        notification.notes.push(UNSURE.to_owned());
        Decision::Send(Box::new(notification))
    } else {
        Decision::Supersede
    }
}

/// That somebody took it on is news to those who know of it, while it fires: PagerDuty drops an acknowledge of what it was
/// not told. It stands behind the firing, so by now that went out or never will.
fn acknowledgement(head: &Delivery, others: &[Delivery], over: bool) -> Decision {
    let mut before = others.iter().filter(|other| other.sequence < head.sequence && tells_firing(other));
    let knows = before.any(|firing| firing.state == DeliveryState::Done || perhaps_told(firing));
    if over || !knows || others.iter().any(|other| is_later_end(other, head)) {
        return Decision::Supersede;
    }
    Decision::Send(Box::new(head.notification.clone()))
}

/// Heartbeats, reports and tests: each stands for itself.
fn is_apart(notification: &Notification) -> bool {
    matches!(notification.kind, AlertKind::Watchdog | AlertKind::Report) || is_test(notification)
}

/// Sent by a person, to see whether it arrives.
#[must_use]
pub fn is_test(notification: &Notification) -> bool {
    notification.mark == Some(Mark::Test)
}

/// A person waits for it: a test, and what was sent again by hand and not tried since.
#[must_use]
pub fn is_wanted_now(row: &Delivery) -> bool {
    let untried = |since| row.attempts.last().is_none_or(|last| last.at < since);
    is_test(&row.notification) || row.resent_at.is_some_and(untried)
}

/// Later: a digest that ended may begin anew under its id.
fn is_later_end(other: &Delivery, head: &Delivery) -> bool {
    other.sequence > head.sequence && tells(other, AlertState::Resolved)
}

/// Whether a newer update waits behind it. What stands behind an acknowledgement is none: taken on would be what was not
/// told before.
fn is_outdated(head: &Delivery, others: &[Delivery]) -> bool {
    let waiting =
        || others.iter().filter(|other| other.sequence > head.sequence && other.state == DeliveryState::Pending);
    let ack = waiting().filter(|other| other.notification.tells_ack()).map(|other| other.sequence).min();
    waiting().any(|other| tells_firing(other) && ack.is_none_or(|ack| other.sequence < ack))
}

fn tells_firing(delivery: &Delivery) -> bool {
    tells(delivery, AlertState::Firing) && !delivery.notification.tells_ack()
}

fn tells(delivery: &Delivery, state: AlertState) -> bool {
    delivery.notification.state == state
}

/// A page that goes out long after it was decided says so first.
fn late(head: &Delivery, now: Timestamp) -> Notification {
    let mut notification = head.notification.clone();
    let age = now.since(head.created_at);
    if notification.severity == AlertSeverity::Page && age > STALE {
        let minutes = age.count_of(Length::from_minutes(1));
        let age = if minutes < 60 { format!("{minutes}m") } else { format!("{}h{}m", minutes / 60, minutes % 60) };
        notification.reason = format!("[delayed {age}] {}", notification.reason);
        notification.notes.push(format!("delayed {age}"));
    }
    notification
}

/// Whether a try may have got through, although none was answered with yes.
pub fn perhaps_told(delivery: &Delivery) -> bool {
    delivery.attempts.iter().any(|attempt| matches!(attempt.outcome.as_str(), "ambiguous" | "done"))
}

/// A key that is not good, or no longer, or cannot be had: rows wait until somebody has mended it, for tokens are rotated.
#[must_use]
pub fn is_held(outcome: &Outcome) -> bool {
    let refused = || matches!(status_of(&outcome.message), Some(401 | 402 | 403 | 407));
    match outcome.verdict {
        DeliveryVerdict::Unauthorized => true,
        DeliveryVerdict::Misconfigured => refused(),
        _ => false,
    }
}

/// What follows from a try that ended at `now`. `jitter` is in `0..1`. A sink that is refreshed has no horizon: it is told
/// what is the case, for as long as it is the case.
#[must_use]
pub fn follow(head: &Delivery, outcome: Outcome, refreshed: bool, now: Timestamp, jitter: f64) -> Written {
    let name = outcome.verdict.name();
    let told = if let DeliveryVerdict::Retry(told) = outcome.verdict { told } else { None };
    let bad_key = is_held(&outcome);
    let last = last_try(head);
    let state = match outcome.verdict {
        DeliveryVerdict::Done => DeliveryState::Done,
        DeliveryVerdict::Refused => DeliveryState::Failed,
        DeliveryVerdict::Misconfigured if !bad_key => DeliveryState::Failed,
        // Whoever tests is told now, and tests again once it is mended.
        DeliveryVerdict::Misconfigured | DeliveryVerdict::Unauthorized if is_test(&head.notification) => {
            DeliveryState::Failed
        }
        _ if !refreshed && now >= last => DeliveryState::Expired,
        _ => DeliveryState::Pending,
    };
    let wait = if bad_key { held_wait(jitter) } else { wait(head.attempts.len(), told, jitter) };
    let next = if refreshed { now + wait } else { (now + wait).min(last) };
    // A receiver's own wait is never cut short, not even by the horizon.
    let next = next.max(now + told.unwrap_or_default().min(LONGEST_TOLD_WAIT));
    Written {
        delivery: head.id.clone(),
        attempt: Attempt { at: now, outcome: name.to_owned(), message: outcome.message },
        state,
        next_attempt_at: (state == DeliveryState::Pending).then_some(next),
        handle: outcome.handle,
    }
}

/// Until when a row is tried; sent again by a person, it has all of it once more.
#[must_use]
pub fn last_try(row: &Delivery) -> Timestamp {
    row.resent_at.unwrap_or_default().max(row.created_at) + HORIZON
}

/// 5 to 15 min.
fn held_wait(jitter: f64) -> Length {
    #[expect(clippy::cast_possible_truncation, reason = "at most 600,000 ms")]
    let chance = Length::from_millis((600_000.0 * jitter) as i64);
    Length::from_minutes(5) + chance
}

/// 1 s after the first try, then twice as long each time up to 5 min, of which up to half is left to chance, so that rows
/// that failed together do not come back together. Never shorter than what the receiver said, up to 1 h.
pub fn wait(tries_before: usize, told: Option<Length>, jitter: f64) -> Length {
    let doublings = u32::try_from(tries_before).unwrap_or(u32::MAX).min(16);
    let full = (FIRST_WAIT * (1_i64 << doublings)).min(SLOWEST_WAIT);
    #[expect(clippy::cast_possible_truncation, reason = "at most 300,000 ms")]
    let own = Length::from_millis((full.seconds_f64() * 1_000.0 * (0.5 + 0.5 * jitter)) as i64).max(FIRST_WAIT);
    own.max(told.unwrap_or_default()).min(LONGEST_TOLD_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::notification::Occasion;
    use crate::policy::sample::samples;

    fn row(sequence: i64, id: &str, state: DeliveryState) -> Delivery {
        let (_, mut notification) = samples().remove(0);
        id.clone_into(&mut notification.id);
        Delivery {
            id: format!("{id}@pd"),
            sink: "pd".to_owned(),
            notification,
            state,
            attempts: Vec::new(),
            created_at: Timestamp::from_seconds(0),
            next_attempt_at: None,
            resent_at: None,
            handle: None,
            sequence,
        }
    }

    fn ack(sequence: i64) -> Delivery {
        let mut row = row(sequence, "1/a1", DeliveryState::Pending);
        row.notification.occasion = Occasion::Acknowledged;
        row
    }

    fn end(sequence: i64) -> Delivery {
        let mut row = row(sequence, "9", DeliveryState::Pending);
        row.notification.state = AlertState::Resolved;
        row
    }

    fn sent(head: &Delivery, others: &[Delivery], over: bool) -> bool {
        // A day later: nothing about it is said to be late.
        let now = Timestamp::from_seconds(80_000);
        match decide(head, others, over, now) {
            Decision::Send(told) => {
                assert!(!head.notification.tells_ack() || *told == head.notification, "as it was decided");
                true
            }
            Decision::Supersede => false,
        }
    }

    #[test]
    fn an_acknowledgement_is_sent_to_those_who_know_what_it_is_about_while_it_fires() {
        let of = |state| row(1, "1", state);
        assert!(sent(&ack(2), &[of(DeliveryState::Done), ack(2)], false));
        assert!(!sent(&ack(2), &[of(DeliveryState::Done), ack(2)], true), "it is over");
        assert!(!sent(&ack(2), &[of(DeliveryState::Done), ack(2), end(3)], false), "its end waits behind it");
        assert!(!sent(&ack(2), &[of(DeliveryState::Failed), ack(2)], false), "it was never told");
        assert!(!sent(&ack(2), &[ack(2), row(3, "2", DeliveryState::Done)], false), "what came later tells nothing");
        let mut perhaps = of(DeliveryState::Superseded);
        let outcome = "ambiguous".to_owned();
        perhaps.attempts.push(Attempt { at: Timestamp::from_seconds(1), outcome, message: String::new() });
        assert!(sent(&ack(2), &[perhaps, ack(2)], false));
    }

    #[test]
    fn an_acknowledgement_is_no_update_of_the_firing_it_stands_behind() {
        let waits = |sequence, id| row(sequence, id, DeliveryState::Pending);
        let firing = waits(1, "1");
        assert!(sent(&firing, &[firing.clone(), ack(2)], false));
        assert!(!sent(&firing, &[firing.clone(), waits(2, "2")], false), "an update is");
        assert!(sent(&firing, &[firing.clone(), ack(2), waits(3, "2")], false), "or nothing would be there to take on");
        assert!(!sent(&firing, &[firing.clone(), waits(2, "2"), ack(3)], false));
        // Nor does one that was sent say that the firing arrived.
        let mut told = ack(2);
        told.state = DeliveryState::Done;
        assert!(!sent(&end(3), &[row(1, "1", DeliveryState::Failed), told], false));
    }

    #[test]
    fn waits_double_from_one_second_to_five_minutes() {
        let seconds = |tries, jitter| wait(tries, None, jitter).seconds_f64();
        let full: Vec<f64> = (0..12).map(|tries| seconds(tries, 1.0)).collect();
        assert_eq!(full, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0, 300.0]);
        let least: Vec<f64> = (0..4).map(|tries| seconds(tries, 0.0)).collect();
        assert_eq!(least, [1.0, 1.0, 2.0, 4.0]);
        assert_eq!(wait(usize::MAX, None, 0.0), Length::from_seconds(150));
    }

    #[test]
    fn a_key_that_cannot_be_had_or_is_refused_is_held_and_nothing_else_is() {
        let held = |verdict, message: &str| is_held(&Outcome::new(verdict, message));
        assert!(held(DeliveryVerdict::Unauthorized, "secret `{file: /s}`: is empty"));
        assert!(held(DeliveryVerdict::Misconfigured, "status 403: no"));
        assert!(!held(DeliveryVerdict::Misconfigured, "status 404"));
        assert!(!held(DeliveryVerdict::Retry(None), "status 401"));
    }

    #[test]
    fn what_the_receiver_says_is_a_least_wait_of_at_most_an_hour() {
        assert_eq!(wait(0, Some(Length::from_seconds(90)), 1.0), Length::from_seconds(90));
        assert_eq!(wait(20, Some(Length::from_seconds(2)), 1.0), SLOWEST_WAIT);
        assert_eq!(wait(0, Some(Length::from_hours(5)), 1.0), Length::from_hours(1));
    }
}
