//! What is known of each source: up or not, since when, how far.
//!
//! A source is down with its first failed tick and up again with the first that succeeds. Times of success and failure
//! are the wall clock's; the watermark is data time. Nothing here decides about alerts: the policy does.

use std::collections::BTreeSet;

use crate::runtime::service::{SourceView, Targets};
use crate::source::SourceError;
use crate::units::{SloId, Timestamp};

/// One source's state, kept by its poller.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceHealth {
    /// Its name.
    pub name: String,
    /// `prometheus`, `scrape` ..
    pub kind: &'static str,
    /// End of the newest slice for which every question was answered.
    pub watermark: Option<Timestamp>,
    /// First failure since the last success.
    pub failing_since: Option<Timestamp>,
    /// The slice end that the tick of that failure asked for: what the source's alert begins at, on every copy alike.
    pub failing_slice: Option<Timestamp>,
    /// The newest slice end that was asked for in vain since.
    pub failing_until: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
    last_error: Option<(Timestamp, String)>,
    requests_failed: u64,
    clock_skew_seconds: f64,
    /// The last answers came from different replicas.
    pub replicas_differ: bool,
    /// When its poller's loop last went on, whatever the source answered (wall clock).
    pub progressed_at: Option<Timestamp>,
    /// Pages of the last scrape and how many of them failed; `None`: a store, or not scraped yet.
    targets: Option<Targets>,
    /// SLOs whose last evaluation failed: a bug of ours, and no reason for the source to be down.
    pub cannot_evaluate: BTreeSet<SloId>,
}

impl SourceHealth {
    /// A source that has not been asked yet.
    #[must_use]
    pub const fn new(name: String, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            watermark: None,
            failing_since: None,
            failing_slice: None,
            failing_until: None,
            last_success_at: None,
            last_error: None,
            requests_failed: 0,
            clock_skew_seconds: 0.0,
            replicas_differ: false,
            progressed_at: None,
            targets: None,
            cannot_evaluate: BTreeSet::new(),
        }
    }

    /// Every question of a tick was answered. Says whether the source was down before.
    pub fn succeeded(&mut self, now: Timestamp, watermark: Timestamp) -> bool {
        // Of pages held here every question is answered: what counts is when the last of them was fetched.
        if self.targets.is_none() {
            self.last_success_at = Some(now);
        }
        self.watermark = self.watermark.max(Some(watermark));
        (self.failing_slice, self.failing_until) = (None, None);
        self.failing_since.take().is_some()
    }

    /// A tick for slices up to `newest` was not answered.
    pub fn unanswered(&mut self, now: Timestamp, newest: Timestamp) {
        self.failing_since = self.failing_since.or(Some(now));
        self.failing_slice = self.failing_slice.or(Some(newest));
        self.failing_until = Some(newest);
    }

    /// A tick had failures.
    pub fn failed(&mut self, now: Timestamp, errors: &[SourceError]) {
        self.failing_since = self.failing_since.or(Some(now));
        self.requests_failed += errors.len() as u64;
        if let Some(error) = errors.first() {
            let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
            self.last_error = Some((now, format!("{error}{more}")));
        }
    }

    /// Something failed that does not make the source fail: one of its pages.
    pub fn noted(&mut self, now: Timestamp, errors: &[SourceError]) {
        let failing_since = self.failing_since;
        self.failed(now, errors);
        self.failing_since = failing_since;
    }

    /// All pages of a source were fetched, or not: with none of them it is down.
    pub fn scraped(&mut self, now: Timestamp, targets: usize, errors: &[SourceError]) {
        self.targets = Some(Targets { all: targets, failed: errors.len() });
        if errors.is_empty() || errors.len() < targets {
            self.last_success_at = Some(now);
        }
        if self.all_targets_fail() {
            self.failed(now, errors);
        } else if !errors.is_empty() {
            self.noted(now, errors);
        }
    }

    /// Whether no page of the last scrape could be fetched.
    #[must_use]
    pub fn all_targets_fail(&self) -> bool {
        self.targets.is_some_and(|targets| targets.failed > 0 && targets.failed >= targets.all)
    }

    /// An SLO was evaluated, or could not be. Says whether that was otherwise before.
    pub fn evaluated(&mut self, slo: &SloId, went_well: bool) -> bool {
        if went_well { self.cannot_evaluate.remove(slo) } else { self.cannot_evaluate.insert(slo.clone()) }
    }

    /// The source told its clock.
    pub fn clock(&mut self, source: Timestamp, now: Timestamp) {
        self.clock_skew_seconds = source.seconds_f64() - now.seconds_f64();
    }

    /// The clock that the watermark goes by: `now`, or the source's where that is 2 s or more behind (SEMANTICS 1).
    #[must_use]
    pub fn data_clock(&self, now: Timestamp) -> Timestamp {
        if self.clock_skew_seconds > -2.0 {
            return now;
        }
        Timestamp::from_seconds_f64(now.seconds_f64() + self.clock_skew_seconds)
    }

    /// The message of the last failure.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.last_error.as_ref().map(|(_, message)| message.as_str())
    }

    /// As shown.
    #[must_use]
    pub fn view(&self) -> SourceView {
        SourceView {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            up: self.failing_since.is_none() && self.last_success_at.is_some(),
            watermark: self.watermark,
            last_success_at: self.last_success_at,
            last_error: self.last_error.clone(),
            requests_failed: self.requests_failed,
            clock_skew_seconds: self.clock_skew_seconds,
            replicas_differ: self.replicas_differ,
            targets: self.targets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceErrorKind;

    #[test]
    fn down_with_the_first_failed_tick_and_up_with_the_first_good_one() {
        let at = Timestamp::from_seconds;
        let error = SourceError {
            doing: "asking `http://127.0.0.1:9090`".into(),
            problem: "connection refused".into(),
            kind: SourceErrorKind::Unreachable,
        };
        let mut health = SourceHealth::new("prometheus".into(), "prometheus");
        assert!(!health.view().up, "not asked yet");
        health.succeeded(at(30), at(0));
        assert!(health.view().up);
        health.failed(at(60), &[error.clone(), error.clone()]);
        health.failed(at(90), std::slice::from_ref(&error));
        assert_eq!((health.view().up, health.failing_since), (false, Some(at(60))));
        assert_eq!(health.view().requests_failed, 3);
        assert!(health.succeeded(at(120), at(90)));
        assert_eq!((health.view().up, health.view().watermark), (true, Some(at(90))));
    }

    #[test]
    fn a_source_that_is_scraped_is_down_when_every_page_fails() {
        let at = Timestamp::from_seconds;
        let error = SourceError {
            doing: "asking `http://127.0.0.1:8080/metrics`".into(),
            problem: "connection refused".into(),
            kind: SourceErrorKind::Unreachable,
        };
        let mut health = SourceHealth::new("app".into(), "scrape");
        health.scraped(at(30), 2, std::slice::from_ref(&error));
        health.succeeded(at(32), at(30));
        let view = health.view();
        assert_eq!((view.up, view.last_success_at), (true, Some(at(30))), "one of two answers");
        assert_eq!(view.targets, Some(Targets { all: 2, failed: 1 }));
        health.scraped(at(45), 2, &[error.clone(), error.clone()]);
        let view = health.view();
        assert_eq!((view.up, view.last_success_at, health.failing_since), (false, Some(at(30)), Some(at(45))));
        assert!(health.all_targets_fail());
        health.scraped(at(60), 2, &[]);
        assert!(!health.all_targets_fail() && health.succeeded(at(62), at(60)));
        assert_eq!((health.view().up, health.view().last_success_at), (true, Some(at(60))));
    }

    #[test]
    fn the_watermark_goes_by_the_slower_clock_once_they_differ() {
        let at = Timestamp::from_seconds;
        let mut health = SourceHealth::new("prometheus".into(), "prometheus");
        health.clock(at(99), at(100));
        assert_eq!(health.data_clock(at(100)), at(100));
        health.clock(at(40), at(100));
        assert_eq!(health.data_clock(at(130)), at(70));
        health.clock(at(160), at(100));
        assert_eq!(health.data_clock(at(130)), at(130));
    }
}
