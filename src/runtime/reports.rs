//! Reports at set times: `reports: [{schedule: "0 9 * * Mon", zone: Europe/Berlin, to: [mail]}]`.
//!
//! One task for each entry. What it makes goes through the outbox as everything that is told, under an id made of entry and
//! time, so that two restarts, or two copies, do not send it twice. The last time is kept: one that was missed is made up
//! once if it is less than a day old; what was due before the entry was written is not missed. In shadow nothing is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::meant::ReportPlan;
use crate::policy::alert::Alert;
use crate::policy::desk::case::Case;
use crate::policy::heartbeat;
use crate::policy::notification::Notification;
use crate::policy::report::{Fired, Heard, Report, ReportLine, Totals};
use crate::runtime::blueprint::Blueprint;
use crate::runtime::core::Core;
use crate::runtime::entry::SharedEntry;
use crate::runtime::outbox::deliveries_for;
use crate::spec::meant::Mode;
use crate::store::{AlertFilter, Commit, Record, RecordKind, StoreError};
use crate::telemetry::event::StoreFailure;
use crate::units::{Length, SloId, Timestamp};

/// One that is older is not made up.
const LATEST: Length = Length::from_hours(24);
/// Where a schedule has no begin before.
const PERIOD: Length = Length::from_days(7);
/// Longest wait for the past to be read, before figures are shown as they are.
const LONGEST_READING: Length = Length::from_minutes(15);
/// Between two looks whether it is.
const LOOK: Length = Length::from_seconds(1);
/// Pause after the store failed.
const PAUSE: Length = Length::from_minutes(1);
/// Alerts of one report that are looked at.
const ALERTS: usize = 10_000;

/// Starts one task for each entry of `reports`; they end with `stop`.
#[must_use]
pub fn start(
    core: &Arc<Core>,
    blueprint: &Blueprint,
    entries: &BTreeMap<SloId, SharedEntry>,
    stop: &CancellationToken,
) -> Vec<JoinHandle<()>> {
    if blueprint.config.mode == Mode::Shadow {
        return Vec::new();
    }
    let spawn = |plan: &ReportPlan| {
        let reporting = Reporting {
            core: Arc::clone(core),
            plan: plan.clone(),
            external_labels: blueprint.config.server.external_labels.clone(),
            entries: entries.values().map(Arc::clone).collect(),
        };
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = reporting.run() => {}
                () = stop.cancelled() => {}
            }
        })
    };
    blueprint.config.reports.iter().map(spawn).collect()
}

/// Whether people heard of an alert; where the case is gone, what the alert itself knows of that. `None`: a drill.
fn heard(alert: &Alert, case: Option<&Case>) -> Option<Heard> {
    match case {
        Some(case) if case.drill => None,
        _ if !alert.told => Some(Heard::HeldBack),
        Some(case) if case.first_told_at.is_none() => Some(Heard::Quiet),
        _ => Some(Heard::Told),
    }
}

/// One entry at work. Nothing of it is half done when it is cut off: what it makes is one commit.
struct Reporting {
    core: Arc<Core>,
    plan: ReportPlan,
    external_labels: BTreeMap<String, String>,
    entries: Vec<SharedEntry>,
}

impl Reporting {
    async fn run(self) {
        loop {
            let outcome = self.next().await;
            match outcome {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.core.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
                    self.core.clock.sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits for the next time and makes its report; false where there is none to come.
    async fn next(&self) -> Result<bool, StoreError> {
        let begun = self.core.clock.now();
        let done = self.done_until(begun).await?;
        let missed = self.plan.schedule.last_begin(begun).filter(|slot| *slot > done && begun.since(*slot) < LATEST);
        let Some(slot) = missed.or_else(|| self.plan.schedule.next_begin(begun)) else { return Ok(false) };
        self.core.clock.sleep_until(slot).await;
        self.past_is_read().await;
        self.make(slot).await?;
        Ok(true)
    }

    /// The last time that was dealt with; for an entry that is new that is now, and is kept.
    async fn done_until(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        if let Some(record) = self.core.store.record(RecordKind::Setting, &self.key()).await? {
            Ok(record.at)
        } else {
            self.core.record_now(Commit { records: vec![self.mark(now)], ..Commit::default() }).await?;
            Ok(now)
        }
    }

    async fn past_is_read(&self) {
        let latest = self.core.clock.now() + LONGEST_READING;
        let ready = |entry: &SharedEntry| entry.is_judged() && entry.backfilled() >= 1.0;
        while !self.entries.iter().all(ready) && self.core.clock.now() < latest {
            self.core.clock.sleep(LOOK).await;
        }
    }

    async fn make(&self, slot: Timestamp) -> Result<(), StoreError> {
        let plan = &self.plan;
        let since_last =
            || plan.schedule.last_begin(slot - Length::from_millis(1)).map_or(PERIOD, |last| slot.since(last));
        let period = plan.period.unwrap_or_else(since_last);
        let to = self.entries.iter().filter_map(|entry| entry.as_of()).max().unwrap_or(slot);
        let report = Report::of((to - period, to), self.lines(period), &self.fired(to - period, to).await?);
        let notification = self.notification(report, slot);
        let config = self.core.config();
        let takes = |sink: &&String| {
            config.sinks.get(*sink).is_some_and(super::super::config::meant::SinkConfig::takes_reports)
        };
        let sinks: Vec<String> = plan.to.iter().filter(takes).cloned().collect();
        let deliveries = deliveries_for(&notification, &sinks, self.core.clock.now());
        self.core.record_now(Commit { deliveries, records: vec![self.mark(slot)], ..Commit::default() }).await
    }

    /// Figures of every instance, without its alerts.
    fn lines(&self, period: Length) -> Vec<ReportLine> {
        let of = |entry: &SharedEntry| {
            let slo = entry.slo();
            entry.with(|inner| {
                let line = |instance: &crate::engine::instance::Instance| {
                    let (window, budget) = (instance.window(period), instance.budget());
                    let is_known = budget.window.is_measured();
                    ReportLine {
                        slo: inner.subject.instance(instance.labels()),
                        owner: slo.owner.clone(),
                        objective: slo.objective_of(instance.labels()).good_ratio(),
                        attained: window.is_measured().then_some(1.0 - window.share),
                        coverage: window.coverage,
                        window: slo.window.to_string(),
                        spent_ratio: is_known.then_some(budget.spent),
                        remaining_ratio: is_known.then_some(budget.remaining),
                        totals: Totals::default(),
                    }
                };
                inner.state.instances().map(|(_, instance)| line(instance)).collect::<Vec<_>>()
            })
        };
        self.entries.iter().flat_map(of).collect()
    }

    /// Alerts that fired in this time, without drills, and whether somebody heard of them.
    async fn fired(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Fired>, StoreError> {
        let shadow: Vec<SloId> = self
            .entries
            .iter()
            .map(|entry| entry.slo())
            .filter(|slo| slo.alerting.mode != Mode::Live)
            .map(|slo| slo.id.clone())
            .collect();
        let mut fired = Vec::new();
        for alert in self.core.store.alerts(&AlertFilter::default(), ALERTS).await? {
            let Some(at) = alert.fired_at.filter(|at| from < *at && *at <= to) else { continue };
            if shadow.iter().any(|slo| crate::store::slo_of(&alert.slo) == slo.to_string()) {
                continue;
            }
            let record = self.core.store.record(RecordKind::Case, &alert.id).await?;
            let case = record.and_then(|record| serde_json::from_str::<Case>(&record.text?).ok());
            let Some(heard) = heard(&alert, case.as_ref()) else { continue };
            let told = case.as_ref().and_then(|case| case.first_told_at).unwrap_or(at);
            let acked = case.as_ref().and_then(|case| case.acked.as_ref());
            fired.push(Fired {
                heard,
                slo: alert.slo,
                severity: alert.severity,
                episode: alert.episode.unwrap_or(at),
                verdict: case.as_ref().and_then(|case| case.verdict),
                acked_after: acked.map(|ack| ack.at.since(told)),
            });
        }
        Ok(fired)
    }

    fn notification(&self, report: Report, slot: Timestamp) -> Notification {
        let period = self.plan.period.map_or_else(String::new, |period| format!(" {period}"));
        heartbeat::report(&self.external_labels, &format!("{}{period}", self.plan.schedule.name()), report, slot)
    }

    fn key(&self) -> String {
        let period = self.plan.period.map_or_else(String::new, |period| format!(" {period}"));
        format!("report/{}{period} to {}", self.plan.schedule.name(), self.plan.to.join(" "))
    }

    /// That everything up to `at` is dealt with.
    fn mark(&self, at: Timestamp) -> Record {
        let text = Some("{\"version\":1}".to_owned());
        Record { kind: RecordKind::Setting, id: self.key(), at, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::alert::{AlertKind, AlertState};
    use crate::spec::policy::AlertSeverity;

    fn alert(told: bool) -> Alert {
        Alert {
            id: "a/1".to_owned(),
            dedup_key: "a".to_owned(),
            episode: None,
            slo: "shop/availability".to_owned(),
            severity: AlertSeverity::Page,
            kind: AlertKind::Burn,
            state: AlertState::Firing,
            frozen: false,
            origin: "native".to_owned(),
            started_at: Timestamp::default(),
            fired_at: Some(Timestamp::default()),
            resolved_at: None,
            ended_by: None,
            reason: String::new(),
            tiers: Vec::new(),
            as_of: None,
            held_back_by: None,
            told,
            evidence: None,
            transitions: Vec::new(),
        }
    }

    #[test]
    fn it_is_known_who_heard_of_an_alert() {
        let case = |first_told_at, drill| Case { first_told_at, drill, ..Case::new("a/1") };
        let told = case(Some(Timestamp::default()), false);
        assert_eq!(heard(&alert(true), Some(&told)), Some(Heard::Told));
        assert_eq!(heard(&alert(true), None), Some(Heard::Told), "the record of its case is gone");
        assert_eq!(heard(&alert(true), Some(&case(None, false))), Some(Heard::Quiet), "silenced to its end");
        assert_eq!(heard(&alert(false), None), Some(Heard::HeldBack));
        assert_eq!(heard(&alert(true), Some(&case(Some(Timestamp::default()), true))), None, "a drill");
    }
}
