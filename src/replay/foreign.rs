//! Alerts of the rules in use today, from their `ALERTS` series, and whose of our SLOs they are about.
//!
//! What is looked at is the result of `timestamp(ALERTS{..})` in steps: a series is there while its alert is in that
//! state, and its value is the time of its newest sample. So a stale marker (the rule no longer matches) ends an alert
//! within one step, and its begin is known to the sample. Where samples just stop (the ruler was down), the store goes on
//! with the last one for 5 min: then the alert ended with that sample.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::replay::watch::Watch;
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, SloId, Timestamp};

/// How long a store goes on with the last sample of a series that just stops.
const LOOKBACK: Length = Length::from_minutes(5);

/// One alert there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForeignAlert {
    /// Its labels, without `__name__` and `alertstate`.
    pub labels: Labels,
    /// As its labels say; `None` where they do not.
    pub severity: Option<AlertSeverity>,
    /// First sample that fires.
    pub fired_at: Timestamp,
    /// First step without; `None` where it still fires at the end of what was looked at.
    pub resolved_at: Option<Timestamp>,
    /// Since when it was pending, where its rule has a `for`.
    pub pending_since: Option<Timestamp>,
    /// It fired already where the look begins: when it began is not known.
    pub cut: bool,
}

/// A time in which a series was there: its first sample, and the end where it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// First sample.
    pub from: Timestamp,
    /// First step without; `None` at the end of what was looked at.
    pub to: Option<Timestamp>,
    /// It was there at the first step of all.
    pub cut: bool,
}

/// What was looked at: `from`, `from + step` .. up to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The first.
    pub from: Timestamp,
    /// The last, or a little after it.
    pub to: Timestamp,
    /// Their distance.
    pub step: Length,
}

/// The intervals of one series. `points`: the step, and the time of the newest sample then; ascending.
#[must_use]
pub fn intervals(points: &[(Timestamp, Timestamp)], steps: Steps) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    let mut last: Option<(Timestamp, Timestamp)> = None;
    for &(at, sample) in points {
        let goes_on =
            last.is_some_and(|(before, newest)| at <= before + steps.step && sample.since(newest) <= LOOKBACK);
        if !goes_on {
            close(&mut intervals, last, steps);
            intervals.push(Interval { from: sample.min(at), to: None, cut: at == steps.from });
        }
        last = Some((at, sample));
    }
    if last.is_some_and(|(at, _)| at + steps.step <= steps.to) {
        close(&mut intervals, last, steps);
    }
    intervals
}

/// Ends the newest interval after its last step.
fn close(intervals: &mut [Interval], last: Option<(Timestamp, Timestamp)>, steps: Steps) {
    if let (Some(interval), Some((at, newest))) = (intervals.last_mut(), last) {
        let next = at + steps.step;
        interval.to = Some(if next.since(newest) >= LOOKBACK { newest } else { next });
    }
}

/// The alerts of several series of `ALERTS`, oldest first.
#[must_use]
pub fn alerts(series: &[(Labels, Vec<(Timestamp, Timestamp)>)], steps: Steps) -> Vec<ForeignAlert> {
    let mut pending: BTreeMap<Labels, Vec<Interval>> = BTreeMap::new();
    let mut firing: BTreeMap<Labels, Vec<Interval>> = BTreeMap::new();
    for (labels, points) in series {
        let mut bare = labels.clone();
        bare.remove("__name__");
        let state = bare.remove("alertstate");
        let states = if state.as_deref() == Some("pending") { &mut pending } else { &mut firing };
        states.insert(bare, intervals(points, steps));
    }
    let mut alerts = Vec::new();
    for (labels, intervals) in &firing {
        let waits = pending.get(labels).map(Vec::as_slice).unwrap_or_default();
        alerts.extend(intervals.iter().map(|interval| {
            // `pending` ends where `firing` begins, to a step.
            let waited = |wait: &&Interval| {
                wait.from < interval.from && wait.to.is_some_and(|end| end + steps.step >= interval.from)
            };
            ForeignAlert {
                labels: labels.clone(),
                severity: severity(labels),
                fired_at: interval.from,
                resolved_at: interval.to,
                pending_since: waits.iter().rev().find(waited).map(|wait| wait.from),
                cut: interval.cut,
            }
        }));
    }
    alerts.sort_by(|a, b| (a.fired_at, &a.labels).cmp(&(b.fired_at, &b.labels)));
    alerts
}

/// The times in which a rule there was pending and never fired, as if they were alerts.
#[must_use]
pub fn only_pending(series: &[(Labels, Vec<(Timestamp, Timestamp)>)], steps: Steps) -> Vec<ForeignAlert> {
    let fired = alerts(series, steps);
    let mut waits = Vec::new();
    for (labels, points) in series.iter().filter(|(labels, _)| labels.get("alertstate") == Some("pending")) {
        let mut bare = labels.clone();
        bare.remove("__name__");
        bare.remove("alertstate");
        for interval in intervals(points, steps) {
            if !fired.iter().any(|alert| alert.labels == bare && alert.pending_since == Some(interval.from)) {
                waits.push(ForeignAlert {
                    severity: severity(&bare),
                    labels: bare.clone(),
                    fired_at: interval.from,
                    resolved_at: interval.to,
                    pending_since: Some(interval.from),
                    cut: interval.cut,
                });
            }
        }
    }
    waits
}

/// The severity that the labels say: Sloth's, ours, or the usual one.
fn severity(labels: &Labels) -> Option<AlertSeverity> {
    let named = ["sloth_severity", "slo_severity", "severity"].into_iter().find_map(|name| labels.get(name))?;
    match named.to_ascii_lowercase().as_str() {
        "page" | "critical" => Some(AlertSeverity::Page),
        "ticket" | "warning" => Some(AlertSeverity::Ticket),
        "notice" | "info" => Some(AlertSeverity::Notice),
        _ => None,
    }
}

/// Which of `slos` an alert with these labels is about: by Sloth's labels, ours, or Pyrra's; one that names none is
/// about the only SLO, where there is only one.
#[must_use]
pub fn slo_of<'a>(labels: &Labels, slos: &'a [SloId]) -> Option<&'a SloId> {
    let named = |service: &str, name: &str| Some((labels.get(service)?, labels.get(name)?));
    if let Some((service, name)) = named("sloth_service", "sloth_slo").or_else(|| named("slo_service", "slo_name")) {
        return slos.iter().find(|id| id.service == service && id.name == name);
    }
    if let Some(text) = labels.get("sloth_id").or_else(|| labels.get("slo")) {
        let spelled = |id: &&SloId| text == format!("{}-{}", id.service, id.name) || text == id.to_string();
        return slos.iter().find(spelled).or_else(|| only(slos, |id| id.name == text || id.service == text));
    }
    only(slos, |_| true)
}

/// The one that is so; `None` where several are.
fn only(slos: &[SloId], is: impl Fn(&SloId) -> bool) -> Option<&SloId> {
    let mut found = slos.iter().filter(|id| is(id));
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

impl ForeignAlert {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or_default()
    }

    /// What is to be noted of the engine while it fires; it ends with the look, at `end`, where its own is not known.
    #[must_use]
    pub fn watch(&self, by: &[String], end: Timestamp) -> Watch {
        Watch::new(self.severity, self.group(by), self.fired_at, self.resolved_at.unwrap_or(end))
    }

    /// The labels that say which group of an SLO with `by` it is about.
    #[must_use]
    pub fn group(&self, by: &[String]) -> Labels {
        by.iter().filter_map(|name| Some((name.clone(), self.labels.get(name)?.to_owned()))).collect()
    }

    /// Whether it is about missing data: Pyrra's `SLOMetricAbsent` and whatever is called like it.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        self.name().ends_with("Absent")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn steps(to: i64) -> Steps {
        Steps { from: at(0), to: at(to), step: Length::from_seconds(15) }
    }

    /// What `timestamp(x)` gives for samples at `samples`, stale from `stale` on, in steps of 15 s.
    fn points(samples: &[i64], stale: &[i64], to: i64) -> Vec<(Timestamp, Timestamp)> {
        (0..=to / 15)
            .filter_map(|step| {
                let now = step * 15;
                let newest = samples.iter().copied().filter(|sample| *sample <= now && now - *sample < 300).max()?;
                let ended = stale.iter().any(|end| *end > newest && *end <= now);
                (!ended).then_some((at(now), at(newest)))
            })
            .collect()
    }

    #[test]
    fn an_alert_begins_with_its_first_sample_and_ends_with_the_step_after_its_stale_marker() {
        let found = intervals(&points(&[67, 127, 187], &[247], 600), steps(600));
        assert_eq!(found, [Interval { from: at(67), to: Some(at(255)), cut: false }]);
    }

    #[test]
    fn two_alerts_a_minute_apart_are_two() {
        let found = intervals(&points(&[60, 180], &[120, 240], 600), steps(600));
        let ends: Vec<_> = found.iter().map(|interval| (interval.from, interval.to)).collect();
        assert_eq!(ends, [(at(60), Some(at(120))), (at(180), Some(at(240)))]);
    }

    #[test]
    fn one_whose_samples_just_stop_ended_with_the_last_and_a_gap_below_5_min_ends_none() {
        let found = intervals(&points(&[60, 120, 180, 400], &[], 1_200), steps(1_200));
        assert_eq!(found, [Interval { from: at(60), to: Some(at(400)), cut: false }]);
        let found = intervals(&points(&[60, 120, 481], &[], 1_200), steps(1_200));
        let ends: Vec<_> = found.iter().map(|interval| (interval.from, interval.to)).collect();
        assert_eq!(ends, [(at(60), Some(at(120))), (at(481), Some(at(481)))]);
    }

    #[test]
    fn the_edges_of_the_look_say_so() {
        let samples: Vec<i64> = (-4..=10).map(|step| step * 60).collect();
        let found = intervals(&points(&samples, &[], 600), steps(600));
        assert_eq!(found, [Interval { from: at(0), to: None, cut: true }]);
    }

    #[test]
    fn pending_and_firing_are_one_alert() {
        let labels = |state: &str| {
            Labels::from([("__name__", "ALERTS"), ("alertname", "X"), ("alertstate", state), ("severity", "critical")])
        };
        let series = vec![
            (labels("pending"), points(&[60, 120], &[180], 900)),
            (labels("firing"), points(&[180, 240], &[300], 900)),
        ];
        let found = alerts(&series, steps(900));
        assert_eq!(found.len(), 1);
        let alert = &found[0];
        assert_eq!((alert.pending_since, alert.fired_at, alert.resolved_at), (Some(at(60)), at(180), Some(at(300))));
        assert_eq!(alert.severity, Some(AlertSeverity::Page));
        assert_eq!(alert.labels, Labels::from([("alertname", "X"), ("severity", "critical")]));
        assert!(only_pending(&series, steps(900)).is_empty());
        let waits = only_pending(&series[..1], steps(900));
        assert_eq!((waits[0].fired_at, waits[0].resolved_at), (at(60), Some(at(180))));
    }

    #[test]
    fn the_slo_is_the_one_that_the_labels_name() {
        let slos = [SloId::new("checkout", "availability"), SloId::new("checkout", "latency")];
        let of = |labels: &[(&str, &str)]| {
            let labels: Labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            slo_of(&labels, &slos).map(ToString::to_string)
        };
        let latency = Some("checkout/latency".to_owned());
        assert_eq!(of(&[("sloth_service", "checkout"), ("sloth_slo", "latency")]), latency);
        assert_eq!(of(&[("sloth_id", "checkout-latency")]), latency);
        assert_eq!(of(&[("slo_service", "checkout"), ("slo_name", "latency")]), latency);
        assert_eq!(of(&[("slo", "latency")]), latency);
        assert_eq!(of(&[("slo", "checkout")]), None, "two have that service");
        assert_eq!(of(&[("sloth_service", "search"), ("sloth_slo", "latency")]), None);
        assert_eq!(of(&[("alertname", "X")]), None, "there are two");
        assert_eq!(slo_of(&Labels::from([("alertname", "X")]), &slos[..1]), Some(&slos[0]));
        assert_eq!(slo_of(&Labels::from([("sloth_service", "a"), ("sloth_slo", "b")]), &slos[..1]), None);
    }
}
