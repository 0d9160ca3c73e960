//! The alert of a source that does not answer: `source/NAME`, under which `no_data` of its SLOs is held back.
//!
//! It goes by the slice ends that were asked for, answered or not: so the ids are made of data time as all others are,
//! and two copies of the service tell the same. It runs through the same machine as every other alert, so ids,
//! transitions and hold-back rules are the same. Invariant: equal (first slice end without an answer, the newest one,
//! after) give the same state; it fires at `first + after`, whenever that is noticed, and ends with the first answer.

use crate::policy::alert::Alert;
use crate::policy::facts::Facts;
use crate::policy::instance::{InstanceState, Step};
use crate::policy::machine::{Ledger, Setting};
use crate::policy::route::Heard;
use crate::policy::subject::Subject;
use crate::policy::tier::{ActiveTier, Condition, Phase, TierKey, TierOutcome};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, Timestamp};

/// How a source stands at a slice end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It answered.
    Answers,
    /// It has not answered since.
    Fails {
        /// The first slice end that was asked for in vain.
        since: Timestamp,
        /// The newest error, without secrets.
        error: &'a str,
    },
}

/// How a source's alert is made.
#[derive(Clone, Copy, Debug)]
pub struct SourceRule<'a> {
    /// `Subject::source`.
    pub subject: &'a Subject,
    /// `alert.after`.
    pub after: Length,
    /// `alert.severity`.
    pub severity: AlertSeverity,
}

/// The alert of one source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceAlert {
    state: InstanceState,
}

impl SourceAlert {
    /// Goes on from a stored state (`state::read`).
    #[must_use]
    pub const fn resume(state: InstanceState) -> Self {
        Self { state }
    }

    /// What has to be stored; quiet: nothing.
    #[must_use]
    pub const fn state(&self) -> &InstanceState {
        &self.state
    }

    /// The alert, pending or firing.
    #[must_use]
    pub fn alert(&self) -> Option<&Alert> {
        self.state.alerts().first()
    }

    /// The id of the alert while it fires: holds `no_data` back ([`Setting::source_alert`]).
    #[must_use]
    pub fn holds_back(&self) -> Option<&str> {
        self.state
            .tiers
            .iter()
            .any(|tier| tier.phase.fires())
            .then(|| self.alert().map(|alert| alert.id.as_str()))
            .flatten()
    }

    /// Brings the alert to the slice end `now`; called on every tick of the source.
    pub fn step(&mut self, rule: &SourceRule<'_>, standing: Standing<'_>, now: Timestamp) -> Step {
        if standing == Standing::Answers && self.state.is_quiet() {
            return Step::default();
        }
        let key = TierKey { severity: rule.severity, condition: Condition::Source, ordinal: 0 };
        let old = self.state.tiers.first().copied();
        let fired = old.is_some_and(|tier| tier.phase.fires());
        // an edit of the severity ends the old alert as withdrawn, and its place is taken by one that begins where it did
        let since = |since: Timestamp| old.map_or(since, |tier| tier.phase.since());
        let (phase, error, at) = match standing {
            Standing::Answers => (None, "", now),
            Standing::Fails { since: first, error } => {
                let since = since(first);
                let due = since + rule.after;
                let phase = if now >= due || fired {
                    Phase::Firing { since, quiet_since: None, shared: false }
                } else {
                    Phase::Pending { since }
                };
                (Some(phase), error, if fired || now < due { now } else { due })
            }
        };
        let group = Labels::new();
        let setting = Setting { subject: rule.subject, page_can_be_told: Heard::Always, source_alert: None };
        let mut ledger = Ledger::new(&setting, &group);
        let tiers: Vec<ActiveTier> = phase.map(|phase| ActiveTier { key, phase }).into_iter().collect();
        ledger.changed = tiers != self.state.tiers;
        self.state.tiers = tiers;
        let kept = old.is_some_and(|tier| tier.key == key);
        let outcome = TierOutcome {
            key: if phase.is_none() { old.map_or(key, |tier| tier.key) } else { key },
            index: 0,
            phase,
            fired: fired && (kept || phase.is_none()),
            matched: phase.is_some(),
            frozen: false,
            quiet_since: None,
        };
        let facts = Facts::Source { name: &rule.subject.id.name, at, error };
        self.state.settle(ledger, facts, &[outcome])
    }

    /// Ends it because the source left the files.
    pub fn withdraw(&mut self, rule: &SourceRule<'_>, now: Timestamp) -> Step {
        let setting = Setting { subject: rule.subject, page_can_be_told: Heard::Always, source_alert: None };
        self.state.withdraw(&setting, &Labels::new(), now, None, "the source")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::alert::{AlertState, EndedBy};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn fails() -> Standing<'static> {
        Standing::Fails { since: at(1_000), error: "asking http://127.0.0.1:9090: connection refused" }
    }

    #[test]
    fn a_source_that_fails_pages_after_its_time_and_resolves_with_the_first_answer() {
        let subject = Subject::source("prometheus", &BTreeMap::new());
        let rule = SourceRule { subject: &subject, after: Length::from_minutes(5), severity: AlertSeverity::Page };
        let mut alert = SourceAlert::default();
        assert_eq!(alert.step(&rule, Standing::Answers, at(990)), Step::default());
        let step = alert.step(&rule, fails(), at(1_000));
        assert!(step.effects.is_empty() && step.changed);
        assert_eq!(alert.alert().unwrap().state, AlertState::Pending);
        assert!(!alert.step(&rule, fails(), at(1_299)).changed);
        let step = alert.step(&rule, fails(), at(1_303));
        let page = step.effects[0].notification.as_ref().unwrap();
        assert_eq!(page.id, "source/prometheus/page/source/1970-01-01T00:21:40Z/1");
        assert_eq!(
            (page.slo.as_str(), page.service.as_str(), page.name.as_str()),
            ("source/prometheus", "source", "prometheus")
        );
        assert_eq!((page.started_at, page.fired_at), (at(1_000), at(1_300)));
        assert_eq!(page.labels["alertname"], "SLOSourceDown");
        assert_eq!(
            page.reason,
            "source `prometheus` has not answered since 1970-01-01T00:16:40Z, for 5m: \
             asking http://127.0.0.1:9090: connection refused"
        );
        assert_eq!(alert.holds_back(), Some("source/prometheus/page/source/1970-01-01T00:21:40Z/alert-1"));
        assert!(!alert.step(&rule, fails(), at(1_330)).changed);
        let step = alert.step(&rule, Standing::Answers, at(1_400));
        let resolve = step.effects[0].notification.as_ref().unwrap();
        assert_eq!(resolve.id, "source/prometheus/page/source/1970-01-01T00:21:40Z/2");
        assert_eq!(resolve.ended_by, Some(EndedBy::KnownFalse));
        assert_eq!(resolve.reason, "source `prometheus` answers again, after 6m40s");
        assert_eq!(alert.holds_back(), None);
    }

    #[test]
    fn a_failure_that_ends_in_time_says_nothing() {
        let subject = Subject::source("prometheus", &BTreeMap::new());
        let rule = SourceRule { subject: &subject, after: Length::from_minutes(5), severity: AlertSeverity::Page };
        let mut alert = SourceAlert::default();
        let _ = alert.step(&rule, fails(), at(1_000));
        let step = alert.step(&rule, Standing::Answers, at(1_200));
        assert!(step.effects.is_empty());
        assert!(alert.state().is_quiet());
    }

    #[test]
    fn another_severity_withdraws_the_old_alert_and_goes_on_with_the_new() {
        let subject = Subject::source("prometheus", &BTreeMap::new());
        let mut rule = SourceRule { subject: &subject, after: Length::from_minutes(5), severity: AlertSeverity::Page };
        let mut alert = SourceAlert::default();
        let _ = alert.step(&rule, fails(), at(1_300));
        rule.severity = AlertSeverity::Ticket;
        let step = alert.step(&rule, fails(), at(1_330));
        let told: Vec<(String, AlertState)> = step
            .effects
            .iter()
            .filter_map(|effect| effect.notification.as_ref())
            .map(|n| (n.dedup_key.clone(), n.state))
            .collect();
        assert_eq!(
            told,
            [
                ("source/prometheus/page/source".to_owned(), AlertState::Resolved),
                ("source/prometheus/ticket/source".to_owned(), AlertState::Firing)
            ]
        );
        let step = alert.withdraw(&rule, at(1_400));
        assert_eq!(step.effects[0].alert.ended_by, Some(EndedBy::Withdrawn));
        assert!(step.effects[0].notification.is_some());
    }
}
