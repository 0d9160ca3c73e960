//! Everything about one alert as Markdown: for a review, a ticket, a chat.
//!
//! Names, labels and notes come from outside: what Markdown or HTML would read as more than text is escaped, and a line
//! stays one line.

use crate::http::dashboard::format::{self, moment};
use crate::http::dashboard::layout::words;
use crate::http::dto::alert::{Alert, TierWindow};
use crate::http::dto::bundle::Bundle;
use crate::http::dto::instance::Instance;
use crate::http::timeline;
use crate::units::{Length, Timestamp};

/// Characters that mean something in Markdown or HTML.
const SPECIAL: &str = "\\`*_{}[]()<>#+!|~&@";

/// The whole of it.
#[must_use]
pub fn bundle(bundle: &Bundle) -> String {
    let alert = &bundle.alert;
    let drill = if alert.drill { "drill, " } else { "" };
    let mut lines = vec![
        format!("# {}: {}", words(&alert.severity).1, plain(&alert.slo)),
        String::new(),
        plain(&alert.reason),
        String::new(),
        format!("- state: {drill}{}{}", alert.state, if alert.frozen { ", frozen" } else { "" }),
    ];
    let mut facts = facts(bundle);
    let told = if alert.fired_at.is_some() {
        alert.telling.lines(alert.state == "firing", bundle.made_at)
    } else {
        Vec::new()
    };
    facts.extend(told.into_iter().map(|(name, line)| (name.to_owned(), line)));
    facts.extend(bundle.around());
    facts.push(("id".to_owned(), alert.id.clone()));
    lines.extend(facts.into_iter().map(|(name, value)| format!("- {}: {}", plain(&name), plain(&value))));
    section(&mut lines, "What happened");
    for happened in timeline::of(alert, &bundle.case, &bundle.audit) {
        let detail = plain(&happened.detail);
        let joint = if detail.is_empty() { "" } else { ": " };
        lines.push(format!("- {} **{}**{joint}{detail}", moment(happened.at), plain(&happened.what)));
    }
    tiers(&mut lines, alert);
    deliveries(&mut lines, alert);
    if let Some(instance) = &bundle.instance {
        figures(&mut lines, instance);
    }
    lines.push(String::new());
    lines.push(format!("Put together at {}; times are UTC.", moment(bundle.made_at)));
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), format!("## {title}"), String::new()]);
}

fn facts(bundle: &Bundle) -> Vec<(String, String)> {
    let (alert, case) = (&bundle.alert, &bundle.case);
    let mut facts = vec![("matched".to_owned(), moment(alert.started_at))];
    let mut add = |name: &str, value: Option<String>| facts.extend(value.map(|value| (name.to_owned(), value)));
    add("fired", alert.fired_at.map(moment));
    let ended = |at: Timestamp| {
        let by = alert.ended_by.as_deref().unwrap_or_default().replace('_', " ");
        format!("{} ({by})", moment(at))
    };
    add("ended", alert.resolved_at.map(ended));
    add("lasted", alert.time_to_resolve_seconds.map(|seconds| lasting(seconds.0)));
    add("acknowledged", case.acked.as_ref().map(|acked| format!("{} by {}", moment(acked.at), acked.by)));
    add("acknowledged after", alert.time_to_ack_seconds.map(|seconds| lasting(seconds.0)));
    let by = case.verdict_by.as_ref().map_or_else(String::new, |by| format!(", says {by}"));
    add("verdict", case.verdict.as_ref().map(|verdict| format!("{verdict}{by}")));
    add("quiet", case.quiet.as_ref().map(|quiet| format!("{} {}: {}", quiet.kind, quiet.name, quiet.reason)));
    add("held back by", alert.held_back_by.clone());
    add("figures as of", alert.as_of.map(moment));
    facts
}

fn lasting(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "lengths of alerts are far below the bounds of i64")]
    let length = Length::from_millis((seconds * 1_000.0) as i64);
    format::roughly(length)
}

fn tiers(lines: &mut Vec<String>, alert: &Alert) {
    if alert.tiers.is_empty() {
        return;
    }
    section(lines, "Tiers");
    lines.extend(["| severity | kind | fires over | long | short |", "|---|---|---|---|---|"].map(str::to_owned));
    for tier in &alert.tiers {
        let window = |window: &Option<TierWindow>| window.as_ref().map_or_else(|| "–".to_owned(), window_words);
        let factor = tier.factor.map_or_else(|| "–".to_owned(), |factor| format::burn(factor.0));
        let (over, confirm) = (window(&tier.over), window(&tier.confirm));
        lines.push(format!("| {} | {} | {factor} | {over} | {confirm} |", tier.severity, tier.kind.replace('_', " ")));
    }
}

fn window_words(window: &TierWindow) -> String {
    let (bad, total) = (format::count(window.bad.0), format::count(window.total.0));
    format!("{} {} ({bad} of {total})", window.length, format::burn(window.rate.0))
}

fn deliveries(lines: &mut Vec<String>, alert: &Alert) {
    if alert.deliveries.is_empty() {
        return;
    }
    section(lines, "Deliveries");
    lines.extend(["| sink | told | state | tries | last answer |", "|---|---|---|---|---|"].map(str::to_owned));
    for delivery in &alert.deliveries {
        let last = delivery.attempts.last().map_or_else(
            || "not tried yet".to_owned(),
            |attempt| format!("{} {}", moment(attempt.at), plain(&attempt.message)),
        );
        lines.push(format!(
            "| {} | {}{} | {} | {} | {last} |",
            plain(&delivery.sink),
            if delivery.occasion == "acknowledged" { "acknowledged" } else { &delivery.tells },
            if delivery.is_digest() { ", in a digest" } else { "" },
            delivery.state,
            delivery.attempts.len()
        ));
    }
}

fn figures(lines: &mut Vec<String>, instance: &Instance) {
    section(lines, "The SLO now");
    let burn: Vec<String> =
        instance.burn.iter().map(|burn| format!("{} over {}", format::burn(burn.rate.0), burn.over)).collect();
    let left = instance.budget.remaining_ratio.map_or_else(|| "–".to_owned(), |left| format::percent(left.0));
    let owner = instance.owner.as_deref().map_or_else(|| "nobody".to_owned(), plain);
    lines.extend([
        format!("- status: {}, as of {}", instance.status.replace('_', " "), moment(instance.as_of)),
        format!("- objective: {} over {}", format::objective(instance.objective.0), instance.window),
        format!("- budget left: {left}"),
        format!("- burn: {}", if burn.is_empty() { "–".to_owned() } else { burn.join(", ") }),
        format!("- owner: {owner}"),
    ]);
}

/// As text and nothing else, on one line.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        if c.is_control() {
            plain.push(' ');
        } else {
            if SPECIAL.contains(c) {
                plain.push('\\');
            }
            plain.push(c);
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text_and_one_line() {
        assert_eq!(plain("a\n# b <i> [x](y) `c` | @all"), "a \\# b \\<i\\> \\[x\\]\\(y\\) \\`c\\` \\| \\@all");
    }
}
