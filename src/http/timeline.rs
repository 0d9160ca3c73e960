//! What happened to one alert, in order: its own changes, who was told, what people did.
//!
//! Changes of state are at slice ends (data time), everything else on the wall clock; among equals the change comes first,
//! since it is why the rest happened.

use crate::http::dashboard::format::moment;
use crate::http::dashboard::layout::words;
use crate::http::dto::alert::Alert;
use crate::http::dto::audit::Audited;
use crate::http::dto::case::Case;
use crate::http::dto::delivery::Delivery;
use crate::store::UNDER_WAY;
use crate::units::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// In a word or two.
    pub what: String,
    /// More about it.
    pub detail: String,
}

/// All of it, oldest first.
#[must_use]
pub fn of(alert: &Alert, case: &Case, audit: &[Audited]) -> Vec<Happened> {
    let happened = |at, what: String, detail: &str| Happened { at, what, detail: detail.to_owned() };
    let mut all: Vec<Happened> = Vec::new();
    for step in &alert.transitions {
        all.push(happened(step.at, words(&step.to).1.to_owned(), &step.reason));
    }
    for delivery in alert.deliveries.iter().rev() {
        // The same answer again and again is one thing that happened.
        for tries in delivery.attempts.chunk_by(|a, b| (&a.outcome, &a.message) == (&b.outcome, &b.message)) {
            let ([attempt, ..], Some(last)) = (tries, tries.last()) else { continue };
            let what = match attempt.outcome.as_str() {
                "done" => format!("{} {}", delivery.sink, what_was_told(delivery)),
                _ if attempt.message == UNDER_WAY => format!("{} is being told", delivery.sink),
                outcome => format!("{} not told: {outcome}", delivery.sink),
            };
            let detail = match tries.len() {
                1 => attempt.message.clone(),
                count => format!("{} ({count} tries, the last {})", attempt.message, moment(last.at)),
            };
            all.push(happened(attempt.at, what, &detail));
        }
    }
    if let Some(at) = case.escalated_at {
        all.push(happened(at, "Escalated".to_owned(), "nobody had acknowledged it"));
    }
    for entry in audit {
        all.push(happened(entry.at, said(entry), &entry.detail));
    }
    // An acknowledgement whose entry in the audit is older than what is kept.
    let is_kept = |by: &str| audit.iter().any(|entry| entry.action == "ack" && entry.actor == by);
    if let Some(acked) = case.acked.as_ref().filter(|acked| !is_kept(&acked.by)) {
        let note = acked.note.as_deref().unwrap_or_default();
        all.push(happened(acked.at, format!("Acknowledged by {}", acked.by), note));
    }
    all.sort_by_key(|happened| happened.at);
    all
}

fn said(entry: &Audited) -> String {
    let what = match entry.action.as_str() {
        "ack" => "Acknowledged",
        "unack" => "No longer acknowledged",
        "close" => "Closed",
        "verdict" => "Judged",
        other => other,
    };
    format!("{what} by {}", entry.who())
}

/// What a sink was told, and why then.
fn what_was_told(delivery: &Delivery) -> String {
    let why = match delivery.occasion.as_str() {
        "acknowledged" => return "told that it is acknowledged".to_owned(),
        "repeat" => "told again",
        "escalation" => "told, escalated",
        "quiet_ended" => "told, no longer quiet",
        "in_place" => "told in place of another",
        _ => "told",
    };
    let what = if delivery.tells == "resolved" { "told of the end" } else { why };
    if delivery.is_digest() { format!("{what} in a digest") } else { what.to_owned() }
}
