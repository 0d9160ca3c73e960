//! What a ticket says: the same in every tracker, before it is put into the tracker's own form. Pure.

use std::collections::BTreeMap;

use crate::policy::alert::{AlertKind, AlertState, EndedBy};
use crate::policy::card;
use crate::policy::figure::rough_percent;
use crate::policy::notification::{Mark, Notification};
use crate::sink::escape;
use crate::sink::limits::Limit;
use crate::sink::message::who_took_it_on;
use crate::sink::ticket::Draft;
use crate::sink::ticket::exchange::segment;
use crate::sink::ticket::life::Why;
use crate::spec::policy::AlertSeverity;
use crate::units::Length;

/// Links shown at most: what comes first are the files' own.
const MOST_LINKS: usize = 12;
/// A longer address is left out: cut, it leads nowhere.
const LONGEST_LINK: usize = 1_500;

/// One text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Our own sentences: nothing in them comes from elsewhere.
    pub lead: Vec<String>,
    /// The card; what it holds comes from monitored systems.
    pub card: String,
    /// Names and http addresses.
    pub links: Vec<(String, String)>,
    /// A last line, ours.
    pub foot: Option<String>,
}

impl Words {
    /// The same within a limit, where everything is laid out with `frame` around it and `each` around a link: the card is
    /// cut first, then links are left out. `escape` is what is done to the card.
    #[must_use]
    pub fn within(&self, limit: &Limit, frame: usize, each: usize, escape: impl Fn(&str) -> String) -> Self {
        let measure = |text: &str| limit.unit.measure(text);
        let lead = measure(&self.lead.join(" "));
        let own = frame + lead + self.foot.as_deref().map_or(0, measure);
        for count in (0..=self.links.len()).rev() {
            let links = self.links.get(..count).unwrap_or_default();
            let linked: usize = links.iter().map(|(name, url)| each + measure(name) + measure(url)).sum();
            let room = limit.max.saturating_sub(own + linked);
            if room > limit.max / 4 || count == 0 {
                let card = limit.at_most(room).cut_card(&self.card, escape);
                return Self { card, links: links.to_vec(), ..self.clone() };
            }
        }
        self.clone()
    }
}

/// A new ticket. `base` is the address of the service for people.
#[must_use]
pub fn draft(notification: &Notification, label: &str, base: Option<&str>) -> Draft {
    let mut labels = vec!["slo".to_owned()];
    if notification.mark == Some(Mark::Drill) {
        labels.push("slo-drill".to_owned());
    }
    let foot =
        format!("One ticket for this episode ({label}): comments say what changes, and it is closed at the end.");
    Draft {
        title: escape::line(&card::subject(notification)),
        words: Words {
            lead: mark(notification),
            card: card(notification),
            links: links(notification, base),
            foot: Some(foot),
        },
        label: label.to_owned(),
        labels,
        urgency: match notification.severity {
            AlertSeverity::Page => 1,
            AlertSeverity::Ticket => 2,
            AlertSeverity::Notice => 3,
        },
    }
}

/// A comment.
#[must_use]
pub fn comment(notification: &Notification, why: Why, base: Option<&str>) -> Words {
    let first = match why {
        Why::Over(others) => return over(notification, others),
        Why::Again => "A second alert of this episode fires.",
        Why::Found => "It fires; this ticket of the episode was there before.",
        Why::Changed => "Still firing, and changed.",
        Why::Taken => "Somebody takes care of it.",
    };
    let mut lead = mark(notification);
    lead.push(first.to_owned());
    let links = if why == Why::Again { links(notification, base) } else { Vec::new() };
    let card = who_took_it_on(notification).unwrap_or_else(|| card(notification));
    Words { lead, card, links, foot: None }
}

/// The summary at the end; `others` alerts of the episode fire still.
#[must_use]
pub fn over(notification: &Notification, others: usize) -> Words {
    let ended = notification.resolved_at.unwrap_or(notification.as_of);
    let why = match notification.ended_by {
        Some(EndedBy::KnownFalse) => "the data says so",
        Some(EndedBy::Withdrawn) => "it left the files",
        Some(EndedBy::Closed) => "a person closed it",
        None => "it does not fire any more",
    };
    let mut lead = mark(notification);
    lead.push(format!("Over after {}: {why}.", lasted(ended.since(notification.started_at))));
    if let Some(budget) = &notification.budget {
        lead.push(format!("Of the error budget {} is spent.", rough_percent(budget.spent_ratio)));
    }
    if others > 0 {
        let fire = if others == 1 { "1 other alert fires".to_owned() } else { format!("{others} other alerts fire") };
        lead.push(format!("Of this episode {fire} still: the ticket stays open."));
    }
    Words { lead, card: card(notification), links: Vec::new(), foot: None }
}

/// The card without what to do: links have a place of their own, once, and signed ones none where many may read.
fn card(notification: &Notification) -> String {
    card::render(&Notification { links: BTreeMap::new(), ..notification.clone() })
}

/// What a comment would tell that is worth reading: the states of the tiers, and the budget to a tenth. Two notifications
/// with the same gist need no second comment.
#[must_use]
pub fn gist(notification: &Notification) -> String {
    let tiers = notification.tiers.iter().map(|tier| {
        let firing = if tier.state == AlertState::Firing { "firing" } else { "not" };
        format!("{}/{}/{firing}", tier.severity.name(), tier.kind)
    });
    let budget = notification.budget.as_ref().map(|budget| format!("left {:.0}", budget.remaining_ratio * 10.0));
    let members = notification.members.iter().filter(|member| member.state == AlertState::Firing).count();
    let mut parts: Vec<String> = tiers.chain(budget).collect();
    if members > 0 {
        parts.push(format!("members {members}"));
    }
    if let Some(deploy) = notification.evidence.as_ref().and_then(|evidence| evidence.deploy.as_ref()) {
        parts.push(format!("deploy {}", deploy.at));
    }
    parts.join(" ")
}

fn mark(notification: &Notification) -> Vec<String> {
    let sentence = match notification.mark {
        Some(Mark::Drill) => "This is a drill: nothing is broken.",
        Some(Mark::Test) => "This is a test of the receiver: nothing is broken.",
        None => return Vec::new(),
    };
    vec![sentence.to_owned()]
}

/// The files' links, the service's own pages, bad traces; none that acts for whoever follows it.
fn links(notification: &Notification, base: Option<&str>) -> Vec<(String, String)> {
    let written = notification.open_links().into_iter();
    // `why` leads to the SLO.
    let of_slo = base.filter(|_| !notification.links.contains_key("why"));
    let of_slo = of_slo.map(|base| ("slo".to_owned(), page(base, notification)));
    let of_alert = base.and_then(|base| Some(("alert".to_owned(), page_of_alert(base, notification)?)));
    let own = of_slo.into_iter().chain(of_alert);
    let traces = notification.evidence.iter().flat_map(|evidence| &evidence.traces);
    let traces = traces.filter_map(|trace| Some((format!("trace {}", trace.trace_id), trace.link.clone()?)));
    let is_link = |(_, url): &(String, String)| {
        let http = url.starts_with("https://") || url.starts_with("http://");
        http && url.len() <= LONGEST_LINK && !url.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let all = written.chain(own).chain(traces).filter(is_link).take(MOST_LINKS);
    all.map(|(name, url)| (escape::line(&name).chars().take(60).collect(), url)).collect()
}

/// The alert's page, where people who are allowed to take it on; a test has none, and of a digest the list is.
fn page_of_alert(base: &str, notification: &Notification) -> Option<String> {
    if notification.mark == Some(Mark::Test) {
        return None;
    }
    let id = if notification.kind == AlertKind::Digest { "" } else { notification.alert_id.as_str() };
    let parts = id.split('/').filter(|part| !part.is_empty()).map(|part| format!("/{}", segment(part)));
    Some(format!("{base}/alerts{}", parts.collect::<String>()))
}

/// The SLO's page.
fn page(base: &str, notification: &Notification) -> String {
    let path = format!("{base}/slo/{}/{}", notification.service, notification.name);
    let Ok(mut url) = reqwest::Url::parse(&path) else { return String::new() };
    if !notification.group.is_empty() {
        url.query_pairs_mut().append_pair("group", &notification.group.to_string());
    }
    url.into()
}

/// `40 s`, `45 min`, `3h20m`, `2d4h`.
fn lasted(length: Length) -> String {
    let (minute, hour, day) = (Length::from_minutes(1), Length::from_hours(1), Length::from_days(1));
    if length < minute {
        return format!("{} s", length.count_of(Length::from_seconds(1)));
    }
    if length < hour {
        return format!("{} min", length.count_of(minute));
    }
    let unit = if length < day { minute } else { hour };
    (unit * length.count_of(unit)).to_string()
}
