//! What comes next for a case, as people see it: until when it waits, when it is told again, who else is told then.

use crate::policy::desk::Desk;
use crate::policy::desk::case::{Case, NextEscalation};
use crate::policy::desk::look::Moment;
use crate::policy::route::Ways;
use crate::units::Timestamp;

/// What comes next, unless something changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Until when those wait who are to be told first.
    pub waits_until: Option<Timestamp>,
    /// When it is told again.
    pub repeats_at: Option<Timestamp>,
    /// When others are told, and who.
    pub escalates: Option<NextEscalation>,
}

impl Desk {
    /// When somebody who waits is told: the hours of a route begin, or the wait of a group is over.
    pub(super) fn wait_of(&self, case: &Case, ways: &Ways<'_>, moment: Moment<'_>) -> Option<Timestamp> {
        let hours = case.waits.then(|| ways.opens_at(moment.now)).flatten();
        let places = case.places.values().filter(|place| !place.listed);
        let groups = places.filter_map(|place| self.digests.get(&place.group)?.due());
        groups.chain(hours).min()
    }

    /// Keeps what comes next, and which digests named the alert; written where it changed.
    pub(super) fn foresee(&mut self, case: &mut Case, ahead: Ahead) {
        let Ahead { waits_until, repeats_at, escalates } = ahead;
        let mut changed = self.name_digests(case);
        changed |= std::mem::replace(&mut case.waits_until, waits_until) != waits_until;
        changed |= std::mem::replace(&mut case.repeats_at, repeats_at) != repeats_at;
        if case.escalates != escalates {
            case.escalates = escalates;
            changed = true;
        }
        if changed {
            self.touched.insert(case.alert_id.clone());
        }
    }

    /// Whether a digest has named it that had not before.
    pub(super) fn name_digests(&self, case: &mut Case) -> bool {
        let before = case.digests.len();
        let listed = case.places.values().filter(|place| place.listed);
        for id in listed.filter_map(|place| self.digests.get(&place.group)?.alert_id()) {
            if !case.digests.contains(&id) {
                case.digests.push(id);
            }
        }
        case.digests.len() != before
    }
}

impl NextEscalation {
    /// The sooner of two; both where they are at the same time.
    pub(super) fn sooner(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.at < self.at => other,
            Some(mut other) if other.at == self.at => {
                other.to.extend(self.to);
                let mut seen = std::collections::BTreeSet::new();
                other.to.retain(|sink| seen.insert(sink.clone()));
                other
            }
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::meant::Route;
    use crate::policy::current::Figures;
    use crate::policy::desk::Desk;
    use crate::policy::desk::kit::{Life, after, at, by, seconds, to};
    use crate::policy::notification::Occasion;
    use crate::policy::quiet::QuietKind;
    use crate::units::{Length, Schedule};

    const HOUR: i64 = 3_600;

    /// Figures of 60 % at a second.
    fn worse(second: i64) -> Figures {
        let reason = Some("60% of requests failed".to_owned());
        Figures { as_of: at(second), reason, coverage: Some(0.5), ..Figures::default() }
    }

    #[test]
    fn what_is_told_again_has_the_figures_of_then() {
        let escalate = vec![after(600, &["c"])];
        let mut life = Life::new(vec![Route { repeat: Some(seconds(900)), escalate, ..to(&["a"]) }]);
        life.fire("x", 0);
        life.figures.insert("x".to_owned(), Some(worse(570)));
        life.quiet("x", QuietKind::Silence, 1_000, 1_200);
        life.until(2_000);
        let told = |place: usize| {
            let told = &life.told[place].notification;
            (told.id.as_str(), told.occasion, told.reason.as_str(), told.as_of, told.coverage, told.notes.len())
        };
        assert_eq!(told(0), ("x/1", Occasion::Change, "it fails", at(0), 0.0, 0));
        let escalated = "60% of requests failed; nobody acknowledged within 10m";
        assert_eq!(told(1), ("x/1", Occasion::Escalation, escalated, at(570), 0.5, 1));
        let again = "60% of requests failed; still firing, told again after 15m";
        assert_eq!(told(2), ("x/1/r1", Occasion::Repeat, again, at(570), 0.5, 1));
        let ended = "60% of requests failed; silence ended";
        assert_eq!(told(3), ("x/1/s1", Occasion::QuietEnded, ended, at(570), 0.5, 1));
        // Told to those who waited for their hours, hours after it fired: it is no other occasion.
        let hours = Schedule::new("0 13 * * Mon-Fri", Length::from_hours(9), "UTC").unwrap();
        let mut life = Life::new(vec![Route { active: Some(hours), ..to(&["a"]) }]);
        life.fire("x", 0);
        life.figures.insert("x".to_owned(), Some(worse(3_570)));
        life.until(2 * HOUR);
        let told = &life.told[0].notification;
        assert_eq!(
            (told.occasion, told.as_of, told.reason.as_str()),
            (Occasion::Change, at(3_570), "60% of requests failed")
        );
    }

    #[test]
    fn what_cannot_be_judged_now_says_of_when_its_figures_are() {
        let mut life = Life::new(vec![Route { repeat: Some(seconds(2 * HOUR)), ..to(&["a"]) }]);
        life.fire("x", 0);
        life.figures.insert("x".to_owned(), None);
        life.until(3 * HOUR);
        let told = &life.told[1].notification;
        assert_eq!(told.as_of, at(0));
        assert_eq!(told.notes[0], "figures of 12:00 UTC, 2h ago: nothing newer is known");
        // The source does not answer: its last figures stand.
        life.figures
            .insert("x".to_owned(), Some(Figures { still: Some("the source does not answer"), ..worse(3_600) }));
        life.until(5 * HOUR);
        let told = &life.told[2].notification;
        assert_eq!(told.as_of, at(3_600));
        let reason = "60% of requests failed; figures of 13:00 UTC, 3h ago: the source does not answer; still firing, told again \
                      after 2h";
        assert_eq!(told.reason, reason);
        // Older ones than it was told with are none.
        life.figures.insert("x".to_owned(), Some(worse(-30)));
        life.until(7 * HOUR);
        assert_eq!(
            (life.told[3].notification.as_of, life.told[3].notification.reason.starts_with("it fails; ")),
            (at(0), true)
        );
    }

    #[test]
    fn one_that_somebody_took_on_is_not_told_again_when_a_quiet_ends_and_says_who_where_it_is_news() {
        let mut life = Life::new(vec![to(&["a"])]);
        life.fire("x", 0);
        life.ack("x", 20);
        life.quiet("*", QuietKind::Silence, 100, 200);
        life.with(100, Desk::reconsider);
        assert_eq!(life.news_until(400), "a:x/1");
        // One that was quiet from its begin is news to everybody.
        life.quiet("*", QuietKind::Silence, 500, 700);
        life.fire("y", 510);
        life.ack("y", 520);
        life.until(800);
        assert_eq!(
            life.told[0].notification.acked.as_ref().map(|ack| (ack.by.as_str(), ack.at)),
            Some(("mara", at(520)))
        );
        assert_eq!(life.news(), "a:y/1/s1");
        life.end("x", 900);
        assert!(life.told[0].notification.acked.is_some(), "its end says so too");
    }

    #[test]
    fn a_case_says_what_comes_next_and_is_not_written_while_that_stays() {
        let hours = Schedule::new("0 13 * * Mon-Fri", Length::from_hours(9), "UTC").unwrap();
        let waits = Route { active: Some(hours), continue_: true, ..to(&["b"]) };
        let grouped = Route { grouping: by(&[], 300, 60), continue_: true, ..to(&["d"]) };
        let escalate = vec![after(1_200, &["c"])];
        let tells = Route { repeat: Some(seconds(1_800)), escalate, ..to(&["a"]) };
        let mut life = Life::new(vec![waits, grouped, tells]);
        life.fire("x", 0);
        let next = |life: &Life| {
            let case = life.case("x");
            let text = |name: &str| case[name].as_str().unwrap_or("-").to_owned();
            (text("waits_until"), text("repeats_at"), case["escalates"].to_string(), case["digests"].to_string())
        };
        let none = ("-".to_owned(), "-".to_owned(), "null".to_owned(), "null".to_owned());
        let escalation = format!(r#"{{"at":"{}","to":["c"]}}"#, at(1_200));
        assert_eq!(next(&life), (at(300).to_string(), at(1_800).to_string(), escalation.clone(), "null".to_owned()));
        life.until(301);
        let digest = format!(r#"["group{{}}/page/digest/{}/alert-1"]"#, at(0));
        assert_eq!(next(&life), (at(HOUR).to_string(), at(1_800).to_string(), escalation, digest.clone()));
        // Sweeps without a change write nothing.
        life.kept.clear();
        life.until(1_100);
        assert!(life.kept.is_empty(), "{:?}", life.kept);
        life.until(1_300);
        assert_eq!(next(&life).2, "null", "it was escalated");
        life.quiet("x", QuietKind::Silence, 1_300, 1_500);
        life.with(1_310, Desk::reconsider);
        assert_eq!(
            next(&life),
            (none.0.clone(), none.1.clone(), none.2.clone(), digest.clone()),
            "who waits, waits for that"
        );
        life.until(1_600);
        assert_eq!(next(&life).0, at(HOUR).to_string());
        assert_ne!(next(&life).1, "-");
        life.ack("x", 1_700);
        assert_eq!(
            next(&life),
            (at(HOUR).to_string(), none.1.clone(), none.2.clone(), digest.clone()),
            "b still waits"
        );
        life.end("x", 1_800);
        assert_eq!(next(&life), (none.0, none.1, none.2, digest));
    }
}
