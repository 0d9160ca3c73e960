//! A notification as text: the lines that every sink of text says, in the order of INTERFACES 5.
//!
//! ```text
//! [PAGE] checkout/availability region=eu: 3.1% of requests fail (objective 99.9%)
//! since 02:54 UTC, 6 min | 1204 of 38830 in 5m | 41% of budget left | data complete
//! held back: checkout/availability/ticket/burn | owner payments #payments
//! do     runbook https://wiki.example/checkout
//! ```
//! Pure. What is not known is left out, with its separator; nothing is made up. Up to the first colon that is followed
//! by a space, the first line is the subject of an e-mail. Control characters of names and links are taken out, so that
//! a card is as many lines as it says.

use crate::policy::alert::{AlertKind, AlertState, EndedBy, TierView, WindowView};
use crate::policy::figure::{count, percent, rough_percent, significant};
use crate::policy::notification::Notification;
use crate::units::{Length, Timestamp};

/// From this coverage on data is called complete.
const COMPLETE: f64 = 0.999;

/// The link that comes first.
const RUNBOOK: &str = "runbook";

/// The card, without a newline at its end. `contact` is where the owner is found (`owners` in the configuration).
#[must_use]
pub fn render(notification: &Notification, contact: Option<&str>) -> String {
    let lines = [
        Some(headline(notification)),
        Some(figures(notification)),
        around(notification, contact),
        links(notification),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().map(|line| line.replace(char::is_control, " ")).collect();
    lines.join("\n")
}

/// `[PAGE] checkout/availability region=eu`: what an e-mail's subject is.
#[must_use]
pub fn subject(notification: &Notification) -> String {
    let word = match notification.state {
        AlertState::Resolved => "RESOLVED".to_owned(),
        _ => notification.severity.name().to_uppercase(),
    };
    let group: String = notification.group.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("[{word}] {}/{}{group}", notification.service, notification.name)
}

fn headline(notification: &Notification) -> String {
    let objective = objective(notification).map_or_else(String::new, |text| format!(" (objective {text})"));
    let what = match (notification.ended_by, notification.kind) {
        (Some(EndedBy::Withdrawn), _) => "withdrawn, it left the files".to_owned(),
        (Some(EndedBy::Closed), _) => "closed by a person".to_owned(),
        (ended, AlertKind::Down) => if ended.is_some() { "up again" } else { "down" }.to_owned(),
        (ended, AlertKind::NoData) => if ended.is_some() { "data is back" } else { "no data" }.to_owned(),
        (ended, AlertKind::Source) => if ended.is_some() { "answers again" } else { "does not answer" }.to_owned(),
        (_, AlertKind::Burn | AlertKind::Budget) => {
            let share = window(notification).map_or(0.0, |window| window.ratio);
            format!("{} of requests fail", percent_to_two(share))
        }
    };
    format!("{}: {what}{objective}", subject(notification))
}

fn figures(notification: &Notification) -> String {
    let mut parts = vec![span(notification)];
    if let Some(window) = window(notification) {
        parts.push(format!("{} of {} in {}", count(window.bad), count(window.total), window.length));
    }
    if let Some(budget) = &notification.budget {
        parts.push(format!("{} of budget left", rough_percent(budget.remaining_ratio)));
    }
    if notification.kind != AlertKind::Source {
        let coverage = notification.coverage;
        let complete = coverage >= COMPLETE;
        parts.push(if complete { "data complete".to_owned() } else { format!("data {} complete", rough_percent(coverage)) });
    }
    parts.join(" | ")
}

/// Alerts held back under this one, and who answers for it.
fn around(notification: &Notification, contact: Option<&str>) -> Option<String> {
    let mut parts = Vec::new();
    if !notification.context.is_empty() {
        let held: Vec<&str> = notification.context.iter().map(|id| without_episode(id)).collect();
        parts.push(format!("held back: {}", held.join(", ")));
    }
    if let Some(owner) = &notification.owner {
        let contact = contact.map_or_else(String::new, |contact| format!(" {contact}"));
        parts.push(format!("owner {owner}{contact}"));
    }
    (!parts.is_empty()).then(|| parts.join(" | "))
}

fn links(notification: &Notification) -> Option<String> {
    let (first, others): (Vec<_>, Vec<_>) = notification.links.iter().partition(|(name, _)| *name == RUNBOOK);
    let links: Vec<String> = first.iter().chain(&others).map(|(name, address)| format!("{name} {address}")).collect();
    (!links.is_empty()).then(|| format!("do     {}", links.join(" | ")))
}

/// `since 02:54 UTC, 6 min`; `from 02:54 to 03:00 UTC, 6 min` once it has ended. The date stands beside the time where
/// a day or more lies between.
fn span(notification: &Notification) -> String {
    let (from, ended) = (notification.started_at, notification.resolved_at);
    let to = ended.unwrap_or(notification.as_of);
    let length = to.since(from);
    let long = length >= Length::from_days(1);
    match ended {
        Some(ended) => format!("from {} to {} UTC, {}", clock(from, long), clock(ended, long), minutes(length)),
        None => format!("since {} UTC, {}", clock(from, long), minutes(length)),
    }
}

/// `02:54`, or `2026-11-21 02:54`.
fn clock(time: Timestamp, dated: bool) -> String {
    let text = time.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let hour: String = rest.chars().take(5).collect();
    if dated { format!("{date} {hour}") } else { hour }
}

/// `30 s`, `6 min`, `9h30m`, `2d4h`: whole seconds below a minute, minutes below a day, hours above.
fn minutes(length: Length) -> String {
    let (minute, hour, day) = (Length::from_minutes(1), Length::from_hours(1), Length::from_days(1));
    if length < minute {
        format!("{} s", length.count_of(Length::from_seconds(1)))
    } else if length < hour {
        format!("{} min", length.count_of(minute))
    } else {
        let unit = if length < day { minute } else { hour };
        (unit * length.count_of(unit)).to_string()
    }
}

/// The window that the headline speaks of: the confirm window of the first tier, or its long one.
fn window(notification: &Notification) -> Option<&WindowView> {
    notification.tiers.iter().find_map(|tier| tier.confirm.as_ref().or(tier.over.as_ref()))
}

/// The objective, from a tier's threshold: `k*B` over `k`. The digits that a float cannot know are cut.
fn objective(notification: &Notification) -> Option<String> {
    let bound = |tier: &TierView| Some((tier.factor.filter(|factor| *factor > 0.0)?, tier.threshold_ratio?));
    let (factor, threshold) = notification.tiers.iter().find_map(bound)?;
    Some(format!("{}%", significant((1.0 - threshold / factor) * 100.0, 12)))
}

/// Two digits are enough at first sight, unless they would say that all fail.
fn percent_to_two(share: f64) -> String {
    let short = significant(share * 100.0, 2);
    if short == "100" { percent(share) } else { format!("{short}%") }
}

/// An alert's id without episode and count: what a person calls it.
fn without_episode(id: &str) -> &str {
    let cut = |text| str::rsplit_once(text, '/').map_or(text, |(rest, _)| rest);
    if id.contains("/alert-") { cut(cut(id)) } else { id }
}
