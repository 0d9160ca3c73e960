//! What Slack's answers mean. Pure.
//!
//! A bot's failures are words in a 200; a webhook's are a status and a plain word. Words that are unknown are refusals:
//! they are about what was sent, as nearly all are.

use serde_json::Value;

use crate::sink::client::{Answer, NoAnswer};
use crate::sink::{DeliveryVerdict, Outcome, verdict};
use crate::units::{Length, Timestamp};

/// What is waited after a limit that does not say how long.
const WAIT: Length = Length::from_seconds(30);
/// The message cannot be changed any more: it is gone, too old, somebody else's, or its channel is closed.
const GONE: &[&str] = &[
    "message_not_found",
    "thread_not_found",
    "cant_update_message",
    "edit_window_closed",
    "channel_not_found",
    "is_archived",
    "not_in_channel",
];
/// The blocks are at fault: without them the same text is taken.
const BLOCKS: &[&str] = &["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"];
/// Slack's own trouble; its documentation says that part of it may have been done.
const AMBIGUOUS: &[&str] =
    &["internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"];
/// Limits.
const LIMITED: &[&str] = &["ratelimited", "rate_limited", "rollup_error"];
/// A person has to mend it.
const MISCONFIGURED: &[&str] = &[
    "access_denied",
    "account_inactive",
    "action_prohibited",
    "as_user_not_supported",
    "channel_is_archived",
    "channel_not_found",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "invalid_auth",
    "invalid_token",
    "is_archived",
    "method_deprecated",
    "missing_scope",
    "no_permission",
    "no_service",
    "no_team",
    "not_allowed_token_type",
    "not_authed",
    "not_in_channel",
    "org_login_required",
    "posting_to_general_channel_denied",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "team_access_not_granted",
    "team_disabled",
    "token_expired",
    "token_revoked",
    "two_factor_setup_required",
    "user_not_found",
];

/// An answer, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// What to do next.
    pub outcome: Outcome,
    /// Channel and message, of one that was posted.
    pub message: Option<(String, String)>,
    /// The message that was to be changed cannot be.
    pub gone: bool,
    /// The same without blocks may be taken.
    pub too_much: bool,
    /// The token is refused: it may have been replaced.
    pub refused: bool,
}

/// An answer to a bot.
#[must_use]
pub fn of_bot(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Read {
    let outcome = verdict::judge(exchange, now);
    let read = |outcome| Read { outcome, message: None, gone: false, too_much: false, refused: false };
    let Ok(answer) = exchange else { return read(outcome) };
    if outcome.verdict != DeliveryVerdict::Done {
        let refused = matches!(answer.status, 401 | 403);
        return Read { refused, ..read(waiting(outcome, answer)) };
    }
    let Ok(body) = serde_json::from_str::<Value>(&answer.body) else {
        // The verdict stands in the body: without one anything may have happened.
        let message = format!("{}, and no verdict in it", outcome.message);
        return read(Outcome::new(DeliveryVerdict::Ambiguous, message));
    };
    if body["ok"] == true {
        let ids = body["channel"].as_str().zip(body["ts"].as_str());
        let message = ids.map(|(channel, ts)| (channel.to_owned(), ts.to_owned()));
        return Read { message, ..read(Outcome::done(format!("status {}: ok", answer.status))) };
    }
    let word = body["error"].as_str().unwrap_or("no error named");
    Read {
        gone: GONE.contains(&word),
        too_much: BLOCKS.contains(&word),
        refused: matches!(word, "invalid_auth" | "not_authed" | "token_expired" | "token_revoked"),
        ..read(by_word(word, answer, now))
    }
}

/// An answer to an incoming webhook.
#[must_use]
pub fn of_webhook(exchange: &Result<Answer, NoAnswer>, now: Timestamp) -> Outcome {
    let outcome = verdict::judge(exchange, now);
    let Ok(answer) = exchange else { return outcome };
    let said = answer.body.trim();
    let body = serde_json::from_str::<Value>(said).unwrap_or_default();
    let word = body["error"].as_str().unwrap_or(said);
    if outcome.verdict != DeliveryVerdict::Done {
        let known = LIMITED.contains(&word) || MISCONFIGURED.contains(&word);
        return if known { by_word(word, answer, now) } else { waiting(outcome, answer) };
    }
    if said == "ok" || said.is_empty() || body["ok"] == true {
        return outcome;
    }
    let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    if is_word {
        return by_word(word, answer, now);
    }
    let message = format!("{}; this is not Slack's answer", outcome.message);
    Outcome::new(DeliveryVerdict::Misconfigured, message)
}

fn by_word(word: &str, answer: &Answer, now: Timestamp) -> Outcome {
    let verdict = if LIMITED.contains(&word) {
        DeliveryVerdict::Retry(verdict::retry_after(answer, now))
    } else if AMBIGUOUS.contains(&word) {
        DeliveryVerdict::Ambiguous
    } else if MISCONFIGURED.contains(&word) {
        DeliveryVerdict::Misconfigured
    } else {
        DeliveryVerdict::Refused
    };
    let word: String = word.chars().filter(|c| !c.is_control()).take(100).collect();
    waiting(Outcome::new(verdict, format!("status {}: {word}", answer.status)), answer)
}

/// A limit that no header tells the length of: the body's `retry_after`, or our own.
fn waiting(mut outcome: Outcome, answer: &Answer) -> Outcome {
    if outcome.verdict == DeliveryVerdict::Retry(None) {
        let body = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
        let told = body["retry_after"].as_i64().map(|seconds| Length::from_seconds(seconds.clamp(1, 3_600)));
        outcome.verdict = DeliveryVerdict::Retry(Some(told.unwrap_or(WAIT)));
    }
    outcome
}
