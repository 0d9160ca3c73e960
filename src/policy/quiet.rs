//! When nobody is told although something fires: silences, exclusions of alerts, holds after a deploy.
//!
//! Pure. Quiet stops tellings of firings only, never a change of state and never an end; it is looked at when something is
//! about to be told, and ends by itself. Times are of the wall clock; every begin is in it, and no end is.
//! Expressions are compiled when this is made, and a deploy is found by its service, so that a flood of alerts costs little.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::policy::evidence::Deploy;
use crate::policy::notification::Notification;
use crate::policy::silence::{Matchers, Silence};
use crate::policy::subject::SOURCE_SERVICE;
use crate::spec::exclusion::Exclusion;
use crate::spec::policy::{AlertSeverity, OnDeploy};
use crate::units::{Length, SloId, Timestamp};

/// How old a deploy may be to be named beside an alert: one of yesterday's has been through a day of traffic.
pub const DEPLOY_IS_NEWS: Length = Length::from_hours(24);

/// Why nobody is told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// `silence`, `exclusion`, `deploy`.
    pub kind: QuietKind,
    /// Id of the silence, name of the exclusion, version of the deploy.
    pub name: String,
    /// In words: the comment, the reason.
    pub reason: String,
    /// When it ends, as known now.
    pub until: Timestamp,
}

/// What makes it quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuietKind {
    /// A silence.
    Silence,
    /// An exclusion with `alerts_only`.
    Exclusion,
    /// `on_deploy` of a policy.
    Deploy,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The labels of the alert, before a sink's map.
    pub labels: &'a BTreeMap<String, String>,
    /// The instance id, or `source/NAME`.
    pub slo: &'a str,
    /// The service.
    pub service: &'a str,
    /// Who would be told.
    pub severity: AlertSeverity,
}

impl<'a> From<&'a Notification> for About<'a> {
    fn from(notification: &'a Notification) -> Self {
        let Notification { labels, slo, service, severity, .. } = notification;
        Self { labels, slo, service, severity: *severity }
    }
}

/// What the files say about quiet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Exclusions of alerts.
    pub exclusions: Vec<Arc<Exclusion>>,
    /// `on_deploy` of the SLOs whose policy has it.
    pub on_deploy: BTreeMap<SloId, OnDeploy>,
}

/// Everything that makes quiet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quiets {
    silences: Vec<(Silence, Matchers)>,
    exclusions: Vec<Arc<Exclusion>>,
    /// By the SLO's id as text.
    on_deploy: BTreeMap<String, OnDeploy>,
    /// By service, oldest first.
    deploys: BTreeMap<String, Vec<Deploy>>,
}

impl Quiets {
    /// Of these. A silence whose expressions do not compile is left out: none is taken that does not.
    #[must_use]
    pub fn new(
        silences: impl IntoIterator<Item = Silence>,
        written: &Written,
        deploys: impl IntoIterator<Item = Deploy>,
    ) -> Self {
        let compiled = |silence: Silence| {
            let matchers = Matchers::new(&silence.matchers).ok()?;
            Some((silence, matchers))
        };
        let mut by_service: BTreeMap<String, Vec<Deploy>> = BTreeMap::new();
        for deploy in deploys {
            by_service.entry(deploy.service.clone()).or_default().push(deploy);
        }
        for deploys in by_service.values_mut() {
            deploys.sort_by_key(|deploy| deploy.at);
        }
        Self {
            silences: silences.into_iter().filter_map(compiled).collect(),
            exclusions: written.exclusions.clone(),
            on_deploy: written.on_deploy.iter().map(|(slo, on)| (slo.to_string(), on.clone())).collect(),
            deploys: by_service,
        }
    }

    /// What keeps this from being told at `now`: of several the one that lasts longest. `None`: it is told.
    #[must_use]
    pub fn over(&self, about: About<'_>, now: Timestamp) -> Option<Quiet> {
        let all = self.silence(about, now).into_iter().chain(self.of_files(about, now));
        all.max_by_key(|quiet| quiet.until)
    }

    /// The same without silences: an exclusion or a hold.
    #[must_use]
    pub fn of_files(&self, about: About<'_>, now: Timestamp) -> Option<Quiet> {
        let all = self.exclusion(about, now).into_iter().chain(self.hold(about, now));
        all.max_by_key(|quiet| quiet.until)
    }

    /// When the next silence, exclusion or hold begins or ends after `now`.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let silences = self.silences.iter().flat_map(|(silence, _)| [silence.starts_at, silence.ends_at]);
        let exclusions = self.exclusions.iter().filter_map(|exclusion| exclusion.window.next_change(now));
        silences.chain(exclusions).chain(self.holds()).filter(|change| *change > now).min()
    }

    /// The newest deploy of a service at or before `before`, and not more than [`DEPLOY_IS_NEWS`] older.
    #[must_use]
    pub fn last_deploy(&self, service: &str, before: Timestamp) -> Option<Deploy> {
        let deploys = self.deploys.get(service)?;
        let newest = deploys.get(..deploys.partition_point(|deploy| deploy.at <= before))?.last()?;
        (before.since(newest.at) <= DEPLOY_IS_NEWS).then(|| newest.clone())
    }

    /// Begins and ends of the holds.
    fn holds(&self) -> impl Iterator<Item = Timestamp> {
        self.on_deploy.iter().flat_map(|(slo, on)| {
            let service = slo.split_once('/').map_or(slo.as_str(), |(service, _)| service);
            let deploys = self.deploys.get(service).map_or(&[][..], Vec::as_slice);
            deploys.iter().flat_map(|deploy| [deploy.at, deploy.at + on.hold])
        })
    }

    fn silence(&self, about: About<'_>, now: Timestamp) -> Option<Quiet> {
        let holds = |(silence, matchers): &&(Silence, Matchers)| {
            silence.starts_at <= now && now < silence.ends_at && matchers.hold(about.labels)
        };
        let (silence, _) = self.silences.iter().filter(holds).max_by_key(|(silence, _)| silence.ends_at)?;
        Some(Quiet {
            kind: QuietKind::Silence,
            name: silence.id.clone(),
            reason: format!("{} ({})", silence.comment, silence.created_by),
            until: silence.ends_at,
        })
    }

    fn exclusion(&self, about: About<'_>, now: Timestamp) -> Option<Quiet> {
        // That a source is down says that we are blind, whatever is planned.
        if about.service == SOURCE_SERVICE {
            return None;
        }
        let (service, name) = slo_of(about.slo).split_once('/')?;
        let holds = |exclusion: &&Arc<Exclusion>| {
            let meant = exclusion.slos.iter().any(|pattern| pattern.matches_parts(service, name));
            Some((exclusion.window.on_until(now).filter(|_| meant)?, Arc::clone(exclusion)))
        };
        let (until, exclusion) =
            self.exclusions.iter().filter_map(|exclusion| holds(&exclusion)).max_by_key(|(until, _)| *until)?;
        let (name, reason) = (exclusion.name.clone(), exclusion.reason.clone());
        Some(Quiet { kind: QuietKind::Exclusion, name, reason, until })
    }

    fn hold(&self, about: About<'_>, now: Timestamp) -> Option<Quiet> {
        let on = self.on_deploy.get(slo_of(about.slo)).filter(|on| on.severities.contains(&about.severity))?;
        let deploys = self.deploys.get(about.service)?;
        let newest = deploys.get(..deploys.partition_point(|deploy| deploy.at <= now))?.last()?;
        let until = newest.at + on.hold;
        (now < until).then(|| Quiet {
            kind: QuietKind::Deploy,
            name: newest.version.clone(),
            reason: format!("deploy of {} {} at {}", newest.service, newest.version, newest.at),
            until,
        })
    }
}

/// The SLO of an instance id.
fn slo_of(instance: &str) -> &str {
    instance.split_once('{').map_or(instance, |(slo, _)| slo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::silence::LabelMatcher;
    use crate::spec::exclusion::{ExclusionWindow, SloPattern};
    use crate::units::Schedule;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn equal(name: &str, value: &str) -> LabelMatcher {
        LabelMatcher { name: name.into(), value: value.into(), is_regex: false, is_equal: true }
    }

    fn silence(id: &str, matchers: Vec<LabelMatcher>, starts: &str, ends: &str) -> Silence {
        let (starts_at, ends_at) = (time(starts), time(ends));
        Silence { id: id.into(), matchers, created_by: "ann".into(), comment: "why".into(), starts_at, ends_at }
    }

    fn exclusion(name: &str, pattern: &str, window: ExclusionWindow) -> Arc<Exclusion> {
        let slos = vec![SloPattern::new(pattern).unwrap()];
        Arc::new(Exclusion { name: name.into(), reason: "batch".into(), approved_by: None, slos, window })
    }

    fn deploy(service: &str, version: &str, at: &str) -> Deploy {
        Deploy { service: service.into(), version: version.into(), at: time(at) }
    }

    fn labels(service: &str, name: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("slo_service".into(), service.into()), ("slo_name".into(), name.into())])
    }

    /// Kind, name and end of what keeps an alert of `slo` quiet at `at`.
    fn over(quiets: &Quiets, slo: &str, severity: AlertSeverity, at: &str) -> Option<String> {
        let (service, name) = slo_of(slo).split_once('/').unwrap();
        let labels = labels(service, name);
        let quiet = quiets.over(About { labels: &labels, slo, service, severity }, time(at))?;
        Some(format!("{:?} {} {}", quiet.kind, quiet.name, quiet.until))
    }

    #[test]
    fn a_silence_holds_from_its_begin_to_before_its_end() {
        let matchers = vec![equal("slo_service", "checkout"), equal("gone", "")];
        let quiets = Quiets::new(
            [silence("s", matchers, "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")],
            &Written::default(),
            [],
        );
        let held = Some("Silence s 2026-11-21T11:00:00Z".to_owned());
        for (slo, at, expected) in [
            ("checkout/a", "2026-11-21T09:59:59.999Z", None),
            ("checkout/a", "2026-11-21T10:00:00Z", held.clone()),
            ("checkout/a{region=\"eu\"}", "2026-11-21T10:59:59.999Z", held.clone()),
            ("checkout/a", "2026-11-21T11:00:00Z", None),
            ("search/a", "2026-11-21T10:00:00Z", None),
        ] {
            assert_eq!(over(&quiets, slo, AlertSeverity::Page, at), expected, "{slo} {at}");
        }
        for (at, next) in [
            ("2026-11-21T09:00:00Z", Some("2026-11-21T10:00:00Z")),
            ("2026-11-21T10:00:00Z", Some("2026-11-21T11:00:00Z")),
            ("2026-11-21T11:00:00Z", None),
        ] {
            assert_eq!(quiets.next_change(time(at)), next.map(time), "{at}");
        }
    }

    #[test]
    fn of_several_the_one_that_lasts_longest_is_told() {
        let all = || vec![equal("slo_service", "checkout")];
        let short = silence("short", all(), "2026-11-21T10:00:00Z", "2026-11-21T10:30:00Z");
        let long = silence("long", all(), "2026-11-21T10:00:00Z", "2026-11-21T11:30:00Z");
        let once = ExclusionWindow::Once { start: time("2026-11-21T10:00:00Z"), end: time("2026-11-21T11:00:00Z") };
        let written = Written { exclusions: vec![exclusion("work", "checkout/*", once)], ..Written::default() };
        let at = |quiets: &Quiets, at: &str| over(quiets, "checkout/a", AlertSeverity::Page, at).unwrap();
        let both = Quiets::new([short.clone(), long], &written, []);
        assert_eq!(at(&both, "2026-11-21T10:10:00Z"), "Silence long 2026-11-21T11:30:00Z");
        let other = Quiets::new([short], &written, []);
        assert_eq!(at(&other, "2026-11-21T10:10:00Z"), "Exclusion work 2026-11-21T11:00:00Z");
    }

    #[test]
    fn an_exclusion_by_cron_keeps_to_local_time_over_the_changes_of_clocks() {
        let nightly = Schedule::new("0 2 * * *", Length::from_minutes(30), "Europe/Berlin").unwrap();
        let nightly = exclusion("nightly", "*/latency", ExclusionWindow::Cron(nightly));
        let quiets = Quiets::new([], &Written { exclusions: vec![nightly], ..Written::default() }, []);
        for (slo, at, until) in [
            ("checkout/latency", "2026-11-21T00:59:59Z", None),
            ("checkout/latency", "2026-11-21T01:00:00Z", Some("2026-11-21T01:30:00Z")),
            ("checkout/latency", "2026-11-21T01:30:00Z", None),
            ("checkout/errors", "2026-11-21T01:00:00Z", None),
            // In summer Berlin is two hours ahead.
            ("checkout/latency", "2026-07-21T00:00:00Z", Some("2026-07-21T00:30:00Z")),
            ("checkout/latency", "2026-07-21T01:00:00Z", None),
            // The day on which 02:00 is not there, and the one on which it is twice.
            ("checkout/latency", "2026-03-29T01:00:00Z", Some("2026-03-29T01:30:00Z")),
            ("checkout/latency", "2026-10-25T00:00:00Z", Some("2026-10-25T00:30:00Z")),
            ("checkout/latency", "2026-10-25T01:00:00Z", None),
            // A source that is down leaves us blind.
            ("source/latency", "2026-11-21T01:00:00Z", None),
        ] {
            let expected = until.map(|until| format!("Exclusion nightly {until}"));
            assert_eq!(over(&quiets, slo, AlertSeverity::Page, at), expected, "{slo} {at}");
        }
        assert_eq!(quiets.next_change(time("2026-11-21T01:00:00Z")), Some(time("2026-11-21T01:30:00Z")));
    }

    #[test]
    fn a_deploy_holds_what_its_policy_says() {
        let on = OnDeploy { hold: Length::from_minutes(10), severities: vec![AlertSeverity::Ticket] };
        let written =
            Written { on_deploy: BTreeMap::from([("checkout/a".parse().unwrap(), on)]), ..Written::default() };
        let deploys = [
            deploy("checkout", "v2", "2026-11-21T10:05:00Z"),
            deploy("checkout", "v1", "2026-11-21T10:00:00Z"),
            deploy("search", "v9", "2026-11-21T11:00:00Z"),
        ];
        let quiets = Quiets::new([], &written, deploys);
        let (page, ticket) = (AlertSeverity::Page, AlertSeverity::Ticket);
        for (slo, severity, at, expected) in [
            ("checkout/a", ticket, "2026-11-21T09:59:59Z", None),
            ("checkout/a", ticket, "2026-11-21T10:00:00Z", Some("v1 2026-11-21T10:10:00Z")),
            ("checkout/a{x=\"1\"}", ticket, "2026-11-21T10:04:59Z", Some("v1 2026-11-21T10:10:00Z")),
            ("checkout/a", ticket, "2026-11-21T10:05:00Z", Some("v2 2026-11-21T10:15:00Z")),
            ("checkout/a", ticket, "2026-11-21T10:15:00Z", None),
            ("checkout/a", page, "2026-11-21T10:05:00Z", None),
            ("checkout/b", ticket, "2026-11-21T10:05:00Z", None),
            ("search/a", ticket, "2026-11-21T11:00:00Z", None),
        ] {
            let expected = expected.map(|expected| format!("Deploy {expected}"));
            assert_eq!(over(&quiets, slo, severity, at), expected, "{slo} {at}");
        }
        assert_eq!(quiets.next_change(time("2026-11-21T10:07:00Z")), Some(time("2026-11-21T10:10:00Z")));
        assert_eq!(quiets.next_change(time("2026-11-21T10:10:00Z")), Some(time("2026-11-21T10:15:00Z")));
    }

    #[test]
    fn the_newest_deploy_before_is_news_for_a_day() {
        let deploys =
            [deploy("checkout", "v1", "2026-11-20T10:00:00Z"), deploy("checkout", "v2", "2026-11-21T10:00:00Z")];
        let quiets = Quiets::new([], &Written::default(), deploys);
        for (service, before, version) in [
            ("checkout", "2026-11-20T09:59:59Z", None),
            ("checkout", "2026-11-20T10:00:00Z", Some("v1")),
            ("checkout", "2026-11-21T09:59:59Z", Some("v1")),
            ("checkout", "2026-11-21T10:00:00Z", Some("v2")),
            ("checkout", "2026-11-22T10:00:00Z", Some("v2")),
            ("checkout", "2026-11-22T10:00:01Z", None),
            ("search", "2026-11-21T10:00:00Z", None),
        ] {
            let found = quiets.last_deploy(service, time(before)).map(|deploy| deploy.version);
            assert_eq!(found.as_deref(), version, "{service} {before}");
        }
    }

    /// Not a measurement: that a flood of alerts under many silences is no matter of minutes.
    #[test]
    fn ten_thousand_alerts_are_looked_at_under_a_hundred_silences() {
        let expression = |n: usize| LabelMatcher {
            name: "slo_name".into(),
            value: format!("never-{n}|name-{n}"),
            is_regex: true,
            is_equal: true,
        };
        let silences = (0..100).map(|n| {
            let matchers = vec![expression(n), equal("slo_service", "checkout")];
            silence(&format!("s{n}"), matchers, "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")
        });
        let quiets = Quiets::new(silences, &Written::default(), []);
        let now = "2026-11-21T10:30:00Z";
        let quiet =
            (0..10_000).filter(|n| over(&quiets, &format!("checkout/name-{n}"), AlertSeverity::Page, now).is_some());
        assert_eq!(quiet.count(), 100);
    }
}
