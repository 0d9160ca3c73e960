//! What the outbox does with a row, and what follows from a try: pure.
//!
//! Worked: a firing that was refused a connection is superseded once its alert is over, and so is the resolve behind it:
//! nobody was told. Had a try ended in a timeout, the firing would be superseded and the resolve sent, saying so.

use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::sink::{DeliveryVerdict, Outcome};
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

/// Decides about a row. `others` are the rows of the same alert to the same sink, in any order and with any state;
/// `over` says that the alert has ended.
#[must_use]
pub fn decide(head: &Delivery, others: &[Delivery], over: bool) -> Decision {
    let send = || Decision::Send(Box::new(head.notification.clone()));
    match head.notification.state {
        // Somebody wants the end told, whether or not the begin was.
        AlertState::Resolved if head.resent_at.is_some() => send(),
        AlertState::Resolved => {
            let mut firings = others.iter().filter(|other| tells(other, AlertState::Firing));
            if firings.clone().any(|firing| firing.state == DeliveryState::Done) {
                send()
            } else if firings.any(perhaps_told) {
                let mut notification = head.notification.clone();
                notification.reason = format!("{}; {UNSURE}", notification.reason);
                Decision::Send(Box::new(notification))
            } else {
                Decision::Supersede
            }
        }
        AlertState::Firing if over || others.iter().any(|other| tells(other, AlertState::Resolved)) => {
            Decision::Supersede
        }
        _ => send(),
    }
}

fn tells(delivery: &Delivery, state: AlertState) -> bool {
    delivery.notification.state == state
}

/// Whether a try may have got through, although none was answered with yes.
pub fn perhaps_told(delivery: &Delivery) -> bool {
    delivery.attempts.iter().any(|attempt| matches!(attempt.outcome.as_str(), "ambiguous" | "done"))
}

/// What follows from a try that ended at `now`. `jitter` is in `0..1`. A sink that is refreshed has no horizon: it is told
/// what is the case, for as long as it is the case.
#[must_use]
pub fn follow(head: &Delivery, outcome: Outcome, refreshed: bool, now: Timestamp, jitter: f64) -> Written {
    let name = outcome.verdict.name();
    let told = if let DeliveryVerdict::Retry(told) = outcome.verdict { told } else { None };
    let last = head.resent_at.unwrap_or_default().max(head.created_at) + HORIZON;
    let state = match outcome.verdict {
        DeliveryVerdict::Done => DeliveryState::Done,
        DeliveryVerdict::Refused | DeliveryVerdict::Misconfigured => DeliveryState::Failed,
        _ if !refreshed && now >= last => DeliveryState::Expired,
        _ => DeliveryState::Pending,
    };
    let wait = wait(head.attempts.len(), told, jitter);
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

/// 1 s after the first try, then twice as long each time up to 5 min, of which up to half is left to chance, so that rows
/// that failed together do not come back together. Never shorter than what the receiver said, up to 1 h.
fn wait(tries_before: usize, told: Option<Length>, jitter: f64) -> Length {
    let doublings = u32::try_from(tries_before).unwrap_or(u32::MAX).min(16);
    let full = (FIRST_WAIT * (1_i64 << doublings)).min(SLOWEST_WAIT);
    #[expect(clippy::cast_possible_truncation, reason = "at most 300,000 ms")]
    let own = Length::from_millis((full.seconds_f64() * 1_000.0 * (0.5 + 0.5 * jitter)) as i64).max(FIRST_WAIT);
    own.max(told.unwrap_or_default()).min(LONGEST_TOLD_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_the_receiver_says_is_a_least_wait_of_at_most_an_hour() {
        assert_eq!(wait(0, Some(Length::from_seconds(90)), 1.0), Length::from_seconds(90));
        assert_eq!(wait(20, Some(Length::from_seconds(2)), 1.0), SLOWEST_WAIT);
        assert_eq!(wait(0, Some(Length::from_hours(5)), 1.0), Length::from_hours(1));
    }
}
