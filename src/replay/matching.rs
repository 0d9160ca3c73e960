//! Which alerts there and here are about the same trouble: those of one severity whose times overlap.
//!
//! Alerts that overlap are joined, across flaps: four short ones there within one long one here are one piece of news.
//! Only what was sent here counts; an alert that was held back all the time is a reason, not an alert.

use crate::policy::alert::AlertKind;
use crate::replay::foreign::ForeignAlert;
use crate::replay::told::Told;
use crate::replay::watch::SLACK;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// Alerts that belong together, by their places; one side may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Places among the alerts there, oldest first.
    pub there: Vec<usize>,
    /// Places among the alerts here, oldest first.
    pub here: Vec<usize>,
}

/// Joins the alerts of one SLO. `by` are the labels of its groups, `end` stands for ends that are not known.
#[must_use]
pub fn pair(there: &[ForeignAlert], here: &[Told], by: &[String], end: Timestamp) -> Vec<Pairing> {
    let mut pairings: Vec<Pairing> = Vec::new();
    for (place, theirs) in there.iter().enumerate() {
        let own = here.iter().enumerate().filter(|(_, told)| told.was_told() && overlap(theirs, told, by, end));
        join(&mut pairings, Pairing { there: vec![place], here: own.map(|(place, _)| place).collect() });
    }
    for (place, _) in here.iter().enumerate().filter(|(_, told)| told.was_told()) {
        if !pairings.iter().any(|pairing| pairing.here.contains(&place)) {
            pairings.push(Pairing { there: Vec::new(), here: vec![place] });
        }
    }
    let begin = |pairing: &Pairing| {
        let there = pairing.there.first().and_then(|place| there.get(*place)).map(|alert| alert.fired_at);
        let here = pairing.here.first().and_then(|place| here.get(*place)).map(|alert| alert.fired_at);
        there.into_iter().chain(here).min()
    };
    pairings.sort_by_key(begin);
    pairings
}

/// Adds a pairing to those that share an alert with it.
fn join(pairings: &mut Vec<Pairing>, mut new: Pairing) {
    pairings.retain_mut(|pairing| {
        let shared = pairing.here.iter().any(|place| new.here.contains(place));
        if shared {
            new.there.append(&mut pairing.there);
            new.here.append(&mut pairing.here);
        }
        !shared
    });
    new.there.sort_unstable();
    new.here.sort_unstable();
    new.here.dedup();
    pairings.push(new);
}

/// Whether two alerts may be about the same: the severity, the group, what sort of trouble, and the time.
#[must_use]
pub fn overlap(theirs: &ForeignAlert, ours: &Told, by: &[String], end: Timestamp) -> bool {
    let severity = same_severity(theirs.severity, ours.severity);
    let silence = matches!(ours.kind, AlertKind::Down | AlertKind::NoData);
    let group = theirs.group(by).iter().all(|(name, value)| ours.group.get(name).is_none_or(|own| own == value));
    let begins = theirs.fired_at <= ours.resolved_at.unwrap_or(end) + SLACK;
    let ends = ours.fired_at <= theirs.resolved_at.unwrap_or(end) + SLACK;
    severity && group && begins && ends && (silence || !theirs.is_absence())
}

/// A severity that their labels do not say is like any of ours.
fn same_severity(theirs: Option<AlertSeverity>, ours: AlertSeverity) -> bool {
    theirs.is_none_or(|theirs| theirs == ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Labels, Length};

    const fn at(minute: i64) -> Timestamp {
        Timestamp::from_seconds(60 * minute)
    }

    fn theirs(severity: &str, from: i64, to: i64) -> ForeignAlert {
        let labels = Labels::from([("alertname", "X"), ("severity", severity), ("region", "eu")]);
        let severity = match severity {
            "page" => Some(AlertSeverity::Page),
            "ticket" => Some(AlertSeverity::Ticket),
            _ => None,
        };
        let resolved_at = Some(at(to));
        ForeignAlert { labels, severity, fired_at: at(from), resolved_at, pending_since: None, cut: false }
    }

    fn ours(severity: AlertSeverity, from: i64, to: Option<i64>) -> Told {
        Told {
            id: format!("{}-{from}", severity.name()),
            group: Labels::new(),
            severity,
            kind: AlertKind::Burn,
            started_at: at(from),
            fired_at: at(from),
            told_at: Some(at(from)),
            resolved_at: to.map(at),
            ended_by: None,
            reason: String::new(),
            end_reason: None,
            peak_burn: None,
            held_back_by: None,
            windows: Vec::new(),
        }
    }

    fn paired(there: &[ForeignAlert], here: &[Told]) -> Vec<(Vec<usize>, Vec<usize>)> {
        pair(there, here, &[], at(10_000)).into_iter().map(|pairing| (pairing.there, pairing.here)).collect()
    }

    #[test]
    fn what_overlaps_is_one_piece_of_news_and_flaps_join() {
        let there = [theirs("page", 10, 12), theirs("page", 20, 22), theirs("page", 30, 32), theirs("page", 90, 95)];
        let here = [ours(AlertSeverity::Page, 11, Some(40)), ours(AlertSeverity::Page, 200, None)];
        assert_eq!(paired(&there, &here), [(vec![0, 1, 2], vec![0]), (vec![3], vec![]), (vec![], vec![1])]);
        let one = [theirs("page", 10, 60)];
        let two = [ours(AlertSeverity::Page, 11, Some(20)), ours(AlertSeverity::Page, 30, Some(40))];
        assert_eq!(paired(&one, &two), [(vec![0], vec![0, 1])]);
        // The second alert there overlaps both here, and so joins what the first has.
        let chain = [theirs("page", 10, 12), theirs("page", 18, 32)];
        assert_eq!(paired(&chain, &two), [(vec![0, 1], vec![0, 1])]);
    }

    #[test]
    fn severities_are_apart_unless_the_labels_say_none() {
        let here = [ours(AlertSeverity::Page, 10, Some(20)), ours(AlertSeverity::Ticket, 10, Some(20))];
        assert_eq!(paired(&[theirs("ticket", 10, 12)], &here), [(vec![0], vec![1]), (vec![], vec![0])]);
        assert_eq!(paired(&[theirs("", 10, 12)], &here), [(vec![0], vec![0, 1])]);
    }

    #[test]
    fn a_few_minutes_apart_are_the_same_trouble_and_more_are_not() {
        let here = [ours(AlertSeverity::Page, 15, Some(20))];
        assert_eq!(paired(&[theirs("page", 8, 10)], &here), [(vec![0], vec![0])]);
        assert_eq!(paired(&[theirs("page", 8, 9)], &here).len(), 2);
        assert_eq!(paired(&[theirs("page", 25, 26)], &here), [(vec![0], vec![0])]);
        assert_eq!(Length::from_minutes(5), SLACK);
    }

    #[test]
    fn groups_and_what_was_never_sent_are_apart() {
        let mut other = ours(AlertSeverity::Page, 10, Some(20));
        other.group = Labels::from([("region", "us")]);
        let by = ["region".to_owned()];
        assert_eq!(pair(&[theirs("page", 10, 12)], &[other.clone()], &by, at(100)).len(), 2);
        other.group = Labels::from([("region", "eu")]);
        assert_eq!(pair(&[theirs("page", 10, 12)], &[other.clone()], &by, at(100)).len(), 1);
        other.told_at = None;
        assert_eq!(
            pair(&[theirs("page", 10, 12)], &[other], &by, at(100)),
            [Pairing { there: vec![0], here: Vec::new() }]
        );
    }

    #[test]
    fn missing_data_there_is_missing_data_here() {
        let mut absent = theirs("page", 10, 20);
        absent.labels.insert("alertname", "SLOMetricAbsent");
        let mut down = ours(AlertSeverity::Page, 12, Some(20));
        assert_eq!(paired(&[absent.clone()], &[down.clone()]).len(), 2);
        down.kind = AlertKind::Down;
        assert_eq!(paired(&[absent], &[down]).len(), 1);
    }
}
