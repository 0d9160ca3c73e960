//! The HTML of a letter: the lines of the text, and the budget and the burn drawn as bars. Several alerts, and the SLOs of
//! a review, are a table of their own ([`tables`]). Pure.
//!
//! Readers of mail take out scripts, style sheets and SVG, and load nothing from outside: all styles stand on the
//! elements, and a bar is a table with coloured cells. Everything from outside is escaped; only http and https become
//! links. Readable from 320 px on, in dark mode too, and as plain text where colours are missing.

use crate::policy::alert::AlertState;
use crate::policy::card;
use crate::policy::figure::{rough_percent, significant};
use crate::policy::notification::Notification;
use crate::policy::several;
use crate::sink::email::tables;
use crate::spec::policy::AlertSeverity;

/// Words that begin a line and say what it is about.
const LEADS: &[&str] = &["since", "from", "where", "change", "note", "do"];

pub(super) const INK: &str = "#1f2328";
pub(super) const QUIET: &str = "#59636e";
pub(super) const RULE: &str = "#d1d9e0";
const TRACK: &str = "#e6eaef";
pub(super) const GOOD: &str = "#1a7f37";
pub(super) const BAD: &str = "#cf222e";
const WARNING: &str = "#9a6700";
pub(super) const CALM: &str = "#0969da";
const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// The page; `text` is what the plain part says.
#[must_use]
pub fn render(notification: &Notification, text: &str) -> String {
    let colour = colour(notification);
    let mut lines = text.lines();
    let title = escaped(lines.next().unwrap_or_default());
    let built_in = text == card::render(notification);
    let (rows, plot, width) = match &notification.report {
        Some(report) if built_in => {
            (tables::outline(report).iter().map(|line| row(line)).collect(), tables::slos(report), 760)
        }
        _ if built_in && several::is_several(notification) => {
            let rows = lines.filter(|line| !several::is_item(line)).map(row).collect();
            (rows, tables::members(notification), 600)
        }
        _ => (lines.map(row).collect::<String>(), plot(notification), 600),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light\"><title>{subject}</title></head>\n\
         <body style=\"margin:0;padding:0;background:#ffffff\">\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"max-width:{width}px;\
         border-collapse:collapse;{FONT};font-size:14px;line-height:20px;color:{INK};background:#ffffff\">\n\
         <tr><td style=\"height:6px;line-height:6px;font-size:0;background:{colour}\">&nbsp;</td></tr>\n\
         <tr><td style=\"padding:16px 16px 8px;font-size:17px;line-height:24px;font-weight:600;\
         overflow-wrap:anywhere\">{title}</td></tr>\n\
         <tr><td style=\"padding:0 16px 12px\"><table role=\"presentation\" width=\"100%\" cellpadding=\"0\" \
         cellspacing=\"0\" border=\"0\" style=\"border-collapse:collapse\">{rows}</table></td></tr>\n\
         {plot}\
         <tr><td style=\"padding:12px 16px 16px;font-size:12px;line-height:16px;color:{QUIET};overflow-wrap:anywhere;\
         border-top:1px solid {RULE}\">sent by slo | {id}</td></tr>\n\
         </table>\n</body></html>\n",
        subject = escaped(&super::letter::subject(notification)),
        id = escaped(&notification.id),
    )
}

const fn colour(notification: &Notification) -> &'static str {
    match (notification.state, notification.severity) {
        (AlertState::Resolved, _) => GOOD,
        (_, AlertSeverity::Page) => BAD,
        (_, AlertSeverity::Ticket) => WARNING,
        (_, AlertSeverity::Notice) => CALM,
    }
}

/// A line of the text: the word that it begins with beside its parts, one below the other.
fn row(line: &str) -> String {
    let (lead, rest) = match line.split_once(' ') {
        Some((word, rest)) if LEADS.contains(&word) => (word, rest.trim_start()),
        _ => ("", line),
    };
    let parts: Vec<String> = rest.split(" | ").map(|part| linked(part, lead == "do")).collect();
    format!(
        "\n<tr><td valign=\"top\" width=\"56\" style=\"width:56px;padding:2px 8px 2px 0;color:{QUIET}\">{lead}</td>\
         <td valign=\"top\" style=\"padding:2px 0;overflow-wrap:anywhere\">{}</td></tr>",
        parts.join("<br>")
    )
}

/// Text with its addresses as links; of `name address` the name is the link where `named`, since only our own lines are.
fn linked(part: &str, named: bool) -> String {
    let link = |address: &str, text: &str| {
        let (address, text) = (escaped(address), escaped(text));
        format!("<a href=\"{address}\" style=\"color:{CALM};overflow-wrap:anywhere\">{text}</a>")
    };
    if named
        && let Some((name, address)) = part.rsplit_once(' ')
        && is_link(address)
        && !name.contains("://")
    {
        return link(address, name);
    }
    let words = part.split(' ').map(|word| if is_link(word) { link(word, word) } else { escaped(word) });
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn is_link(word: &str) -> bool {
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty())
}

/// The budget as a bar, and the burn of each window against its threshold.
fn plot(notification: &Notification) -> String {
    let left =
        notification.budget.iter().filter(|budget| budget.spent_ratio.is_finite()).map(|budget| budget.remaining_ratio);
    let mut bars: Vec<String> = left.filter(|left| left.is_finite()).map(budget_bar).collect();
    for tier in notification.tiers.iter().filter(|tier| tier.kind == "burn") {
        let factor = tier.factor.filter(|factor| factor.is_finite() && *factor > 0.0);
        let Some(factor) = factor else { continue };
        let windows = [&tier.over, &tier.confirm].into_iter().flatten();
        bars.extend(windows.map(|window| burn_bar(&window.length, window.rate, factor)));
    }
    if bars.is_empty() {
        return String::new();
    }
    format!("<tr><td style=\"padding:12px 16px;border-top:1px solid {RULE}\">{}</td></tr>\n", bars.concat())
}

/// Green is left, red is spent; all red where nothing is left.
pub(super) fn budget_bar(left: f64) -> String {
    let words = if left < 0.0 {
        format!("overspent by {}", rough_percent(-left))
    } else {
        format!("{} left", rough_percent(left))
    };
    let share = whole_percent(left);
    bar("error budget", &words, &[(share, GOOD), (100 - share, BAD)])
}

/// Filled up to twice the threshold, which is the middle; red from the threshold on.
pub(super) fn burn_bar(length: &str, rate: f64, factor: f64) -> String {
    let over = rate >= factor;
    let share = whole_percent(rate / (2.0 * factor));
    let name = format!("burn over {length}");
    let words = format!("{}x, mark at {}x", significant(rate, 2), significant(factor, 3));
    let colour = if over { BAD } else { GOOD };
    let mut cells = Vec::new();
    // The tick of the threshold, one percent wide.
    match share {
        0..=49 => cells.extend([(share, colour), (49 - share, TRACK), (1, INK), (50, TRACK)]),
        _ => cells.extend([(49, colour), (1, INK), (share - 50, colour), (100 - share, TRACK)]),
    }
    bar(&name, &words, &cells)
}

/// From 0 to 100.
fn whole_percent(share: f64) -> u32 {
    let percent = (share * 100.0).round().clamp(0.0, 100.0);
    (0..=100).rev().find(|step| f64::from(*step) <= percent).unwrap_or(0)
}

/// A labelled bar of cells whose widths sum up to 100.
fn bar(name: &str, words: &str, cells: &[(u32, &str)]) -> String {
    let cell = |(width, colour): &(u32, &str)| {
        let style = "height:12px;line-height:12px;font-size:0;padding:0";
        format!("<td width=\"{width}%\" height=\"12\" style=\"width:{width}%;{style};background:{colour}\">&nbsp;</td>")
    };
    let cells: Vec<String> = cells.iter().filter(|(width, _)| *width > 0).map(cell).collect();
    let cells = cells.concat();
    format!(
        "\n<div style=\"padding:4px 0 2px;overflow-wrap:anywhere\"><span style=\"color:{QUIET}\">{}</span> {}</div>\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"border-collapse:collapse;table-layout:fixed\"><tr>{cells}</tr></table>\n",
        escaped(name),
        escaped(words)
    )
}

/// Text for HTML, also within attributes; control characters become blanks.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::card;
    use crate::policy::sample::samples;

    #[test]
    fn what_comes_from_outside_cannot_be_more_than_text() {
        let (_, mut page) = samples().remove(0);
        page.group = crate::units::Labels::from([
            ("region", "<script>alert(1)</script>\" onload=\"x"),
            ("z", "javascript:alert(1)"),
        ]);
        let html = render(&page, &card::render(&page));
        assert!(!html.contains("<script") && !html.contains("\" onload"), "{html}");
        assert!(!html.contains("href=\"javascript"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x"), "{html}");
        assert_eq!(
            linked("do http://a/\"><b>", false),
            "do <a href=\"http://a/&quot;&gt;&lt;b&gt;\" style=\"color:#0969da;overflow-wrap:anywhere\">http://a/&quot;&gt;&lt;b&gt;</a>"
        );
    }

    #[test]
    fn nothing_is_loaded_or_run() {
        for (what, sample) in samples() {
            let html = render(&sample, &card::render(&sample));
            for word in ["<script", "<img", "<link", "<style", "<svg", "url(", "@import"] {
                assert!(!html.contains(word), "{what}: {word}");
            }
        }
    }

    #[test]
    fn bars_sum_up_to_the_whole_whatever_the_figures() {
        let widths = |html: &str| -> Vec<u32> {
            html.split("<td width=\"").skip(1).map(|rest| rest.split('%').next().unwrap().parse().unwrap()).collect()
        };
        assert_eq!(widths(&budget_bar(0.41)), [41, 59]);
        assert_eq!(widths(&budget_bar(-3.0)), [100]);
        assert!(budget_bar(-0.29).contains("overspent by 29%"));
        for rate in [0.0, 0.001, 7.2, 14.3, 14.4, 20.0, 28.8, 1e9] {
            let html = burn_bar("1h", rate, 14.4);
            assert_eq!(widths(&html).iter().sum::<u32>(), 100, "{rate}");
            assert_eq!(html.contains(BAD), rate >= 14.4, "{rate}");
        }
    }
}
