//! Several alerts told as one: what the message is called, and a line for each. Pure.
//!
//! ```text
//! [PAGE] storm: 27 alerts fire, 7 in this message: s20/availability, s21/availability (+5)
//! note   too many pages within a minute, so these come as one | 20 others fire and were told one by one | ..
//! - s20/availability since 22:09 UTC: 50% of requests failed over 5m and ..: burn 50 and 11.4, .. | 97% of budget left
//! - and 6 more
//! ```
//! Worst first, as the desk sorts them. From the second message on each line says whether it is new. A line is bounded,
//! whatever labels hold; what a receiver does not take is left out line by line, and counted ([`with_fewer`]).

use serde::{Deserialize, Serialize};

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::figure::{clock, rough_percent};
use crate::policy::notification::{Member, Notification};
use crate::units::{InstanceId, Labels, Length};

/// Alerts that are listed in text.
pub const LISTED: usize = 10;
/// Alerts that the subject names.
const IN_SUBJECT: usize = 2;
/// Characters of a name, and of a sentence.
const LONGEST: (usize, usize) = (80, 220);
/// How the line of an alert begins.
const ITEM: &str = "- ";
/// How the last line begins and ends, which counts those that are not listed.
const MORE: (&str, &str) = ("- and ", " more");

/// What a message of several alerts says of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Several {
    /// There were too many pages for a message each.
    pub storm: bool,
    /// Of its alerts that fire.
    pub firing: usize,
    /// That have ended since the last message.
    pub ended: usize,
    /// That no earlier message named.
    pub new: usize,
    /// Storms: other pages that fire and that this receiver was told of one by one.
    pub apart: usize,
    /// From this message to the next one at least, where anything changes.
    pub interval: Length,
}

/// What became of an alert since the last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It was not named before.
    New,
    /// It fires on.
    Still,
    /// It has ended.
    Ended,
}

impl News {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Still => "still",
            Self::Ended => "ended",
        }
    }
}

/// Whether more than one alert is told; one alone reads as the alert does that it is.
#[must_use]
pub fn is_several(notification: &Notification) -> bool {
    notification.kind == AlertKind::Digest && (notification.several.is_some() || notification.members.len() > 1)
}

/// `7 alerts of team web: s20/availability, s21/availability (+5)`: what the message is called.
#[must_use]
pub fn title(notification: &Notification) -> String {
    let several = counted(notification);
    let Several { firing, ended, apart, .. } = several;
    let over = notification.state == AlertState::Resolved || firing == 0;
    let names = named(&notification.members, if over { ended } else { firing });
    let whose = whose(&notification.group);
    let gone = if ended > 0 { format!("; {}", have_ended(ended)) } else { String::new() };
    match (over, several.storm) {
        (true, true) => format!("storm is over, all its alerts have ended: {names}"),
        (true, false) => format!("all alerts{whose} have ended: {names}"),
        (false, true) if apart > 0 => {
            format!("storm: {} fire, {firing} in this message: {names}{gone}", alerts(firing + apart))
        }
        (false, true) => format!("storm: {} {}: {names}{gone}", alerts(firing), fire(firing)),
        (false, false) => format!("{}{whose}: {names}{gone}", alerts(firing)),
    }
}

/// A line for each alert, worst first, and how many are not listed.
#[must_use]
pub fn lines(notification: &Notification) -> Vec<String> {
    let several = counted(notification);
    let marked = is_marked(&notification.members);
    let mut lines: Vec<String> =
        notification.members.iter().take(LISTED).map(|member| format!("{ITEM}{}", line(member, marked))).collect();
    let all = (several.firing + several.ended).max(notification.members.len());
    if all > lines.len() {
        lines.push(more(all - lines.len()));
    }
    lines
}

/// Whether the members say what is new: in a first message all are.
#[must_use]
pub fn is_marked(members: &[Member]) -> bool {
    members.iter().any(|member| member.news.is_some_and(|news| news != News::New))
}

/// `s20/availability since 22:09 UTC: 50% of requests failed ..`, after what is new about it where that is said.
fn line(member: &Member, marked: bool) -> String {
    let news = member.news.filter(|_| marked).map_or_else(String::new, |news| format!("{} ", news.name()));
    let mut parts = vec![format!("{news}{} {}: {}", name(&member.slo), since(member), sentence(member))];
    parts.extend(member.remaining_ratio.filter(|_| member.resolved_at.is_none()).map(budget_left));
    parts.extend(member.acked_by.as_ref().map(|by| format!("taken by {}", shortened(by, LONGEST.0))));
    parts.join(" | ")
}

/// Why it fires, or has ended, not longer than a person reads.
#[must_use]
pub fn sentence(member: &Member) -> String {
    shortened(&member.reason, LONGEST.1)
}

/// `since 22:09 UTC`, `ended 22:31 UTC`.
#[must_use]
pub fn since(member: &Member) -> String {
    match member.resolved_at {
        Some(ended) => format!("ended {} UTC", clock(ended, false)),
        None => format!("since {} UTC", clock(member.fired_at, false)),
    }
}

/// `97% of budget left`, `budget overspent by 29%`.
#[must_use]
pub fn budget_left(remaining: f64) -> String {
    if remaining < 0.0 {
        format!("budget overspent by {}", rough_percent(-remaining))
    } else {
        format!("{} of budget left", rough_percent(remaining))
    }
}

/// An instance as people read it: `checkout/availability region=eu`.
#[must_use]
pub fn name(slo: &str) -> String {
    let words = match slo.parse::<InstanceId>() {
        Ok(id) if !id.group.is_empty() => {
            let labels = id.group.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", id.slo, labels.collect::<String>())
        }
        _ => slo.to_owned(),
    };
    shortened(&words, LONGEST.0)
}

/// The first of them by name: `a, b (+5)` of 7.
fn named(members: &[Member], count: usize) -> String {
    let names: Vec<String> = members.iter().take(count.min(IN_SUBJECT)).map(|member| name(&member.slo)).collect();
    let rest = count.saturating_sub(names.len());
    let rest = if rest > 0 { format!(" (+{rest})") } else { String::new() };
    format!("{}{rest}", names.join(", "))
}

/// ` of team web, region eu`: what they share.
fn whose(labels: &Labels) -> String {
    let words = labels.iter().filter(|(name, _)| *name != "severity").map(|(name, value)| {
        let name = match name {
            "owner" => "team",
            "slo" => "SLO",
            other => other,
        };
        if value.is_empty() { format!("no {name}") } else { format!("{name} {}", shortened(value, LONGEST.0)) }
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { String::new() } else { format!(" of {}", words.join(", ")) }
}

/// What is said of all of them; of a message that an older version made, what its members say.
fn counted(notification: &Notification) -> Several {
    notification.several.clone().unwrap_or_else(|| {
        let members = &notification.members;
        let ended = members.iter().filter(|member| member.resolved_at.is_some()).count();
        let firing = members.len() - ended;
        let storm = notification.name == "storm";
        Several { storm, firing, ended, new: firing, apart: 0, interval: Length::ZERO }
    })
}

fn alerts(count: usize) -> String {
    if count == 1 { "1 alert".to_owned() } else { format!("{count} alerts") }
}

const fn fire(count: usize) -> &'static str {
    if count == 1 { "fires" } else { "fire" }
}

fn have_ended(count: usize) -> String {
    if count == 1 { "1 has ended".to_owned() } else { format!("{count} have ended") }
}

fn more(count: usize) -> String {
    format!("{}{count}{}", MORE.0, MORE.1)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Whether a line of a card is one of the list.
#[must_use]
pub fn is_item(line: &str) -> bool {
    line.starts_with(ITEM)
}

/// A text with one alert less in its list, and one more counted as not listed; `None`: at most one is listed.
#[must_use]
pub fn with_fewer(text: &str) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let hidden = |line: &str| line.strip_prefix(MORE.0)?.strip_suffix(MORE.1)?.parse::<usize>().ok();
    let listed = |line: &&String| line.starts_with(ITEM) && hidden(line).is_none();
    if lines.iter().filter(listed).count() < 2 {
        return None;
    }
    let last = lines.iter().rposition(|line| listed(&line))?;
    lines.remove(last);
    match lines.get(last).and_then(|line| hidden(line)) {
        Some(count) => {
            if let Some(line) = lines.get_mut(last) {
                *line = more(count + 1);
            }
        }
        None => lines.insert(last, more(1)),
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::card;
    use crate::policy::sample::digest;

    fn of(several: Several, group: &[(&str, &str)]) -> Notification {
        let mut told = digest(3);
        told.several = Some(several);
        told.group = group.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        told
    }

    fn counts(storm: bool, firing: usize, ended: usize, apart: usize) -> Several {
        Several { storm, firing, ended, new: firing, apart, interval: Length::from_minutes(1) }
    }

    #[test]
    fn it_is_called_by_what_its_alerts_share_and_by_the_worst_of_them() {
        let titled = |several, group: &[(&str, &str)]| title(&of(several, group));
        assert_eq!(
            titled(counts(false, 7, 0, 0), &[("owner", "web")]),
            "7 alerts of team web: shop/cart, shop/search (+5)"
        );
        assert_eq!(
            titled(counts(false, 1, 2, 0), &[("region", "eu"), ("service", "shop")]),
            "1 alert of region eu, service shop: shop/cart; 2 have ended"
        );
        assert_eq!(
            titled(counts(false, 2, 1, 0), &[("owner", "")]),
            "2 alerts of no team: shop/cart, shop/search; 1 has ended"
        );
        assert_eq!(titled(counts(false, 0, 3, 0), &[]), "all alerts have ended: shop/cart, shop/search (+1)");
        let storm = [("sink", "mail")];
        assert_eq!(
            title(&Notification { group: Labels::new(), ..of(counts(true, 7, 0, 20), &storm) }),
            "storm: 27 alerts fire, 7 in this message: shop/cart, shop/search (+5)"
        );
        assert_eq!(titled(counts(true, 1, 0, 0), &storm), "storm: 1 alert fires: shop/cart");
        assert_eq!(
            titled(counts(true, 0, 2, 4), &storm),
            "storm is over, all its alerts have ended: shop/cart, shop/search"
        );
        assert_eq!(
            title(&Notification { several: None, ..of(counts(false, 3, 0, 0), &[]) }),
            "3 alerts: shop/cart, shop/search (+1)",
            "of an older version"
        );
    }

    #[test]
    fn a_line_says_what_is_new_and_is_bounded() {
        let mut told = of(counts(false, 12, 1, 0), &[]);
        assert_eq!(lines(&told)[3], "- and 10 more");
        assert_eq!(
            lines(&told)[0],
            "- shop/cart since 02:54 UTC: burns 31 times the budget over 1h and 31 times over 5m | 41% of budget left"
        );
        told.members[0].news = Some(News::Still);
        told.members[0].slo = r#"shop/cart{region="eu",zone="a b"}"#.to_owned();
        told.members[0].acked_by = Some("kim".to_owned());
        told.members[0].remaining_ratio = Some(-0.29);
        assert_eq!(
            lines(&told)[0],
            "- still shop/cart region=eu zone=a b since 02:54 UTC: burns 31 times the budget over 1h and 31 times over 5m \
             | budget overspent by 29% | taken by kim"
        );
        assert!(lines(&told)[1].starts_with("- new shop/search since"), "{:?}", lines(&told));
        told.members[0].reason = "x".repeat(5_000);
        told.members[0].slo = "y".repeat(5_000);
        assert!(lines(&told)[0].chars().count() < 400);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let card = card::render(&of(counts(false, 3, 0, 0), &[]));
        let fewer = with_fewer(&card).unwrap();
        assert!(fewer.contains("\n- shop/search") && fewer.contains("\n- and 1 more\n"), "{fewer}");
        let fewest = with_fewer(&fewer).unwrap();
        assert!(!fewest.contains("- shop/search") && fewest.contains("\n- and 2 more\n"), "{fewest}");
        assert_eq!(with_fewer(&fewest), None);
        assert_eq!(with_fewer("a\nb"), None);
    }
}
