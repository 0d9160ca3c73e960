//! The gates in front of destinations: when the next try may go.
//!
//! Sinks of one destination share a gate, for the receiver's limits and outages are the destination's. It shuts until the
//! time that a receiver told (`Retry-After`), keeps a pace below the receiver's own limit, in which pages overtake
//! tickets, and breaks after [`FAILURES`] failures in a row that are the destination's fault: then one probe at a time
//! goes, 2 s to 5 min apart, and all else waits without burning tries. One success opens it. State is in memory only:
//! after a restart a destination is tried afresh. Pure but for the lock around it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::runtime::outbox::rule::wait;
use crate::runtime::service::GateView;
use crate::sink::{DeliveryVerdict, Sink};
use crate::store::LONGEST_WAIT;
use crate::units::{Length, Timestamp};

/// Failures in a row after which only probes go.
const FAILURES: u32 = 3;
/// A probe that has not ended by then never will: its worker is gone.
const PROBE_LASTS: Length = Length::from_minutes(2);
/// How long a page that waits for its turn holds tickets of other sinks back, should it never come.
const PAGE_HOLDS: Length = Length::from_seconds(5);

/// Who wants to go.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The sink.
    pub sink: &'a str,
    /// Whether it is a page.
    pub page: bool,
    /// It was tried before, and this is its last try: it goes as the probe, and does not wait for the next one.
    pub last: bool,
    /// Least time between two tries.
    pub pace: Length,
    /// Wall clock.
    pub now: Timestamp,
}

/// Whether a try may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It goes, and counts.
    Go,
    /// It is only not its turn: not before.
    Paced(Timestamp),
    /// Nobody goes before: the destination said so, or does not answer as it should.
    Shut(Timestamp),
}

/// What a try came to, as far as a gate is concerned.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Of the try.
    pub verdict: DeliveryVerdict,
    /// When this row would be tried next. With [`Self::shuts`] the whole destination waits as long.
    pub next: Option<Timestamp>,
    /// It was told to wait, or its key is not good: it is so for all.
    pub shuts: bool,
    /// Wall clock.
    pub now: Timestamp,
    /// `0..1`.
    pub jitter: f64,
}

/// One destination.
#[derive(Debug, Default)]
pub struct Gate {
    told_until: Option<Timestamp>,
    /// In a row.
    failures: u32,
    /// The newest of them.
    failure: Option<LastOutcome>,
    broken: Option<Broken>,
    next_free: Option<Timestamp>,
    /// Sinks with a page that waits for its turn, and since when.
    pages: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Broken {
    /// Probes that failed, and the break itself.
    trips: usize,
    retry_at: Timestamp,
    probing_since: Option<Timestamp>,
    /// Somebody has to mend something: what waits may wait long.
    misconfigured: bool,
}

/// `until`, unless it has passed, or was set by a clock that has been set back since.
fn ahead(until: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    until.filter(|until| *until > now && *until <= now + LONGEST_WAIT)
}

impl Broken {
    /// Until when nobody goes, because a probe is under way.
    fn probing_until(&self, now: Timestamp) -> Option<Timestamp> {
        let probe = self.probing_since.filter(|since| *since <= now).map(|since| since + PROBE_LASTS);
        ahead(probe, now)
    }
}

impl Gate {
    /// Until when nobody goes, whoever asks.
    #[must_use]
    pub fn shut_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.shut_for_all_until(now).or_else(|| ahead(Some(self.broken?.retry_at), now))
    }

    /// The same for one whose last try it is.
    fn shut_for_all_until(&self, now: Timestamp) -> Option<Timestamp> {
        ahead(self.told_until, now).or_else(|| self.broken?.probing_until(now))
    }

    /// Lets a try go, or says when to ask again.
    pub fn admit(&mut self, ask: &Ask<'_>) -> Admission {
        let now = ask.now;
        let shut = if ask.last { self.shut_for_all_until(now) } else { self.shut_until(now) };
        if let Some(until) = shut {
            return Admission::Shut(until);
        }
        if let Some(free) = self.next_free.filter(|free| *free > now && *free <= now + ask.pace) {
            if ask.page {
                self.pages.entry(ask.sink.to_owned()).or_insert(now);
            }
            return Admission::Paced(free);
        }
        self.pages.retain(|_, since| *since <= now && now.since(*since) <= PAGE_HOLDS + ask.pace);
        if !ask.page && self.pages.keys().any(|sink| sink != ask.sink) {
            return Admission::Paced(now + ask.pace.max(Length::from_millis(1)));
        }
        self.pages.remove(ask.sink);
        self.next_free = Some(now + ask.pace);
        if let Some(broken) = &mut self.broken {
            broken.probing_since = Some(now);
        }
        Admission::Go
    }

    /// Takes in what a try came to; says whether that changed who may go.
    pub fn ended(&mut self, end: &End) -> bool {
        let was = (self.broken.is_some(), self.told_until);
        let probed = self.broken.as_mut().is_some_and(|broken| broken.probing_since.take().is_some());
        match end.verdict {
            DeliveryVerdict::Done => {
                self.failures = 0;
                self.failure = None;
                self.broken = None;
            }
            // It answers, and says nothing of others: the next one is the probe.
            DeliveryVerdict::Refused => {
                if let Some(broken) = &mut self.broken {
                    broken.retry_at = end.now;
                }
            }
            DeliveryVerdict::Retry(_)
            | DeliveryVerdict::Ambiguous
            | DeliveryVerdict::Misconfigured
            | DeliveryVerdict::Unauthorized => self.failed(end, probed),
        }
        probed || was != (self.broken.is_some(), self.told_until)
    }

    fn failed(&mut self, end: &End, probed: bool) {
        self.failures = self.failures.saturating_add(1);
        let misconfigured = matches!(end.verdict, DeliveryVerdict::Misconfigured | DeliveryVerdict::Unauthorized);
        if end.shuts && !misconfigured {
            self.told_until = self.told_until.max(end.next);
        }
        if self.failures < FAILURES && !(end.shuts && misconfigured) {
            return;
        }
        let mut broken =
            self.broken.unwrap_or(Broken { trips: 0, retry_at: end.now, probing_since: None, misconfigured });
        // Eight tries that were under way together and fail together are one failure.
        if probed || self.broken.is_none() {
            broken.trips += 1;
            broken.misconfigured = misconfigured;
            let next = if end.shuts { end.next } else { None };
            broken.retry_at = next.unwrap_or(end.now + wait(broken.trips + 1, None, end.jitter));
        }
        self.broken = Some(broken);
    }

    /// Files were read again: what was wrong with an address or a key may be mended, so it is tried at once.
    fn reloaded(&mut self) {
        if let Some(broken) = self.broken.as_mut().filter(|broken| broken.misconfigured) {
            broken.retry_at = Timestamp::default();
        }
    }

    /// Anybody may go.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.broken.is_none() && ahead(self.told_until, now).is_none()
    }

    /// Broken because of something that a person has to mend.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        self.broken.is_some_and(|broken| broken.misconfigured)
    }

    fn view(&self, now: Timestamp) -> GateView {
        if self.broken.is_some_and(|broken| broken.probing_since.is_some()) {
            return GateView::Probing;
        }
        let broken = self.broken.map(|broken| broken.retry_at.max(now));
        ahead(self.told_until, now).or(broken).map_or(GateView::Open, GateView::Waiting)
    }
}

/// How a sink stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkGate {
    /// Its name.
    pub name: String,
    /// Whether tries may go now.
    pub gate: GateView,
    /// Failures of its destination in a row: not answered, or not as it should.
    pub failures: u32,
    /// What its last try came to, since start.
    pub last: Option<LastOutcome>,
    /// The newest of [`Self::failures`], at whichever sink of the destination.
    pub failure: Option<LastOutcome>,
    /// What a person has to mend, as the last try said it, and when (wall clock).
    pub alarm: Option<(Timestamp, String)>,
}

/// What the last try at a sink came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastOutcome {
    /// When it ended (wall clock).
    pub at: Timestamp,
    /// `done`, `retry`, `ambiguous`, `refused`, `misconfigured`.
    pub outcome: String,
    /// What the receiver said, redacted.
    pub message: String,
}

/// All gates, and the last outcome of each sink.
#[derive(Debug, Default)]
pub struct Gates {
    held: Mutex<Held>,
    /// Told when a gate opens, shuts, or its probe has ended.
    pub moved: Notify,
}

#[derive(Debug, Default)]
struct Held {
    gates: BTreeMap<String, Gate>,
    /// By sink: the name of its gate, and its last outcome.
    sinks: BTreeMap<String, (String, Option<LastOutcome>)>,
    /// By sink: what a person has to mend.
    alarms: BTreeMap<String, (Timestamp, String)>,
}

impl Gates {
    /// None.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // What is in there is changed field by field; half of a change makes a try early or late, no more.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These sinks there are now.
    pub fn know<'a>(&self, sinks: impl Iterator<Item = (&'a String, &'a Sink)>) {
        let mut held = self.held();
        let mut known = BTreeMap::new();
        for (name, sink) in sinks {
            let gate = sink.destination().map_or_else(|| format!("sink {name}"), |of| format!("destination {of}"));
            let last = held.sinks.remove(name).and_then(|(_, last)| last);
            known.insert(name.clone(), (gate, last));
        }
        held.sinks = known;
        let Held { gates, sinks, alarms } = &mut *held;
        alarms.retain(|name, _| sinks.contains_key(name));
        gates.retain(|name, _| sinks.values().any(|(gate, _)| gate == name));
        gates.values_mut().for_each(Gate::reloaded);
        drop(held);
        self.moved.notify_waiters();
    }

    /// Looks at, or changes, the gate of a sink.
    pub fn of<T>(&self, sink: &str, with: impl FnOnce(&mut Gate) -> T) -> T {
        let mut held = self.held();
        let name = held.sinks.get(sink).map_or_else(|| format!("sink {sink}"), |(gate, _)| gate.clone());
        with(held.gates.entry(name).or_default())
    }

    /// A try of a sink has ended.
    pub fn ended(&self, sink: &str, end: &End, message: &str) {
        let last = LastOutcome { at: end.now, outcome: end.verdict.name().to_owned(), message: message.to_owned() };
        if let Some((_, kept)) = self.held().sinks.get_mut(sink) {
            *kept = Some(last.clone());
        }
        let moved = self.of(sink, |gate| {
            let before = gate.failures;
            let moved = gate.ended(end);
            if gate.failures > before {
                gate.failure = Some(last);
            }
            moved
        });
        if moved {
            self.moved.notify_waiters();
        }
    }

    /// What a person has to mend at a sink, as its last try said it; `None`: nothing any more.
    pub fn alarmed(&self, sink: &str, alarm: Option<(Timestamp, String)>) {
        let mut held = self.held();
        match alarm {
            Some(alarm) => drop(held.alarms.insert(sink.to_owned(), alarm)),
            None => drop(held.alarms.remove(sink)),
        }
    }

    /// How all sinks stand, by name.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> Vec<SinkGate> {
        let held = self.held();
        let open = Gate::default();
        let view = |(name, (gate, last)): (&String, &(String, Option<LastOutcome>))| {
            let gate = held.gates.get(gate).unwrap_or(&open);
            SinkGate {
                name: name.clone(),
                gate: gate.view(now),
                failures: gate.failures,
                last: last.clone(),
                failure: gate.failure.clone(),
                alarm: held.alarms.get(name).cloned(),
            }
        };
        held.sinks.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_795_230_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(START.millis() + seconds * 1_000)
    }

    fn ask(sink: &str, page: bool, every: i64, now: Timestamp) -> Ask<'_> {
        Ask { sink, page, last: false, pace: Length::from_seconds(every), now }
    }

    fn end(gate: &mut Gate, verdict: DeliveryVerdict, now: Timestamp) -> bool {
        gate.ended(&End { verdict, next: None, shuts: false, now, jitter: 1.0 })
    }

    fn broken() -> Gate {
        let mut gate = Gate::default();
        for _ in 0..3 {
            assert_eq!(gate.admit(&ask("a", true, 0, at(0))), Admission::Go);
        }
        for _ in 0..3 {
            end(&mut gate, DeliveryVerdict::Retry(None), at(0));
        }
        gate
    }

    #[test]
    fn three_failures_in_a_row_leave_one_probe_at_a_time_and_one_success_opens() {
        let mut gate = broken();
        assert_eq!(gate.admit(&ask("a", true, 0, at(1))), Admission::Shut(at(4)));
        assert_eq!(gate.admit(&ask("a", true, 0, at(4))), Admission::Go);
        assert_eq!(gate.view(at(4)), GateView::Probing);
        assert_eq!(gate.admit(&ask("b", true, 0, at(4))), Admission::Shut(at(124)), "one at a time");
        assert!(end(&mut gate, DeliveryVerdict::Ambiguous, at(5)));
        assert_eq!(gate.admit(&ask("b", true, 0, at(5))), Admission::Shut(at(13)), "backs off");
        assert_eq!(gate.admit(&ask("b", true, 0, at(13))), Admission::Go);
        assert!(end(&mut gate, DeliveryVerdict::Done, at(13)));
        for _ in 0..20 {
            assert_eq!(gate.admit(&ask("b", false, 0, at(13))), Admission::Go);
        }
        assert_eq!((gate.failures, gate.view(at(13))), (0, GateView::Open));
    }

    #[test]
    fn what_a_destination_failed_with_is_known_of_all_its_sinks_until_it_takes_something() {
        let gates = Gates::default();
        for sink in ["a", "b"] {
            gates.held().sinks.insert(sink.to_owned(), ("destination d".to_owned(), None));
        }
        let ended = |verdict, said: &str| {
            gates.ended("a", &End { verdict, next: None, shuts: false, now: at(0), jitter: 1.0 }, said);
        };
        let b = || gates.view(at(0)).into_iter().find(|stands| stands.name == "b").unwrap();
        ended(DeliveryVerdict::Retry(None), "busy");
        let failure = b().failure.map(|failure| (failure.outcome, failure.message));
        assert_eq!((b().failures, b().last), (1, None));
        assert_eq!(failure, Some(("retry".to_owned(), "busy".to_owned())));
        gates.alarmed("b", Some((at(0), "mend me".to_owned())));
        ended(DeliveryVerdict::Done, "ok");
        assert_eq!((b().failures, b().failure), (0, None));
        assert_eq!(b().alarm, Some((at(0), "mend me".to_owned())), "of the sink, not of its destination");
        gates.alarmed("b", None);
        assert_eq!(b().alarm, None);
    }

    #[test]
    fn probes_are_never_more_than_five_minutes_apart() {
        let mut gate = broken();
        let mut now = at(0);
        for _ in 0..40 {
            let Admission::Shut(until) = gate.admit(&ask("a", true, 0, now)) else { panic!("a probe too early") };
            assert!(until.since(now) <= Length::from_minutes(5), "{until}");
            now = until;
            assert_eq!(gate.admit(&ask("a", true, 0, now)), Admission::Go);
            end(&mut gate, DeliveryVerdict::Retry(None), now);
        }
        assert_eq!(gate.shut_until(now), Some(now + Length::from_minutes(5)));
    }

    #[test]
    fn a_last_try_waits_for_no_probe_but_for_one_under_way() {
        let mut gate = broken();
        let last = |now| Ask { last: true, ..ask("a", true, 0, now) };
        assert_eq!(gate.admit(&last(at(1))), Admission::Go);
        assert!(matches!(gate.admit(&last(at(1))), Admission::Shut(_)));
    }

    #[test]
    fn a_refusal_is_no_fault_of_the_destination() {
        let mut gate = Gate::default();
        for _ in 0..50 {
            assert_eq!(gate.admit(&ask("a", true, 0, at(0))), Admission::Go);
            end(&mut gate, DeliveryVerdict::Refused, at(0));
        }
        let mut gate = broken();
        assert_eq!(gate.admit(&ask("a", true, 0, at(4))), Admission::Go);
        end(&mut gate, DeliveryVerdict::Refused, at(5));
        assert_eq!(gate.admit(&ask("a", true, 0, at(5))), Admission::Go, "the next one is the probe");
        assert!(matches!(gate.admit(&ask("a", true, 0, at(5))), Admission::Shut(_)));
    }

    #[test]
    fn what_a_receiver_told_holds_for_all_and_a_key_that_is_not_good_too() {
        for verdict in [DeliveryVerdict::Retry(Some(Length::from_seconds(90))), DeliveryVerdict::Misconfigured] {
            let mut gate = Gate::default();
            let next = Some(at(90));
            gate.ended(&End { verdict, next, shuts: true, now: at(0), jitter: 0.5 });
            assert_eq!(gate.view(at(1)), GateView::Waiting(at(90)));
            assert_eq!(gate.admit(&ask("b", true, 0, at(89))), Admission::Shut(at(90)));
            assert_eq!(gate.admit(&ask("b", true, 0, at(90))), Admission::Go);
        }
    }

    #[test]
    fn a_pace_is_kept_and_pages_overtake_tickets() {
        let mut gate = Gate::default();
        assert_eq!(gate.admit(&ask("a", false, 2, at(0))), Admission::Go);
        assert_eq!(gate.admit(&ask("a", false, 2, at(0))), Admission::Paced(at(2)));
        assert_eq!(gate.admit(&ask("b", true, 2, at(1))), Admission::Paced(at(2)));
        assert_eq!(gate.admit(&ask("a", false, 2, at(2))), Admission::Paced(at(4)), "the page first");
        assert_eq!(gate.admit(&ask("b", true, 2, at(2))), Admission::Go);
        assert_eq!(gate.admit(&ask("a", false, 2, at(4))), Admission::Go);
        // A page that never comes holds nobody for ever.
        assert_eq!(gate.admit(&ask("b", true, 2, at(5))), Admission::Paced(at(6)));
        assert_eq!(gate.admit(&ask("a", false, 2, at(20))), Admission::Go);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let hours = 3 * 3_600;
        let mut gate = broken();
        assert_eq!(gate.admit(&ask("a", true, 60, at(-hours))), Admission::Go);
        end(&mut gate, DeliveryVerdict::Retry(Some(Length::from_hours(1))), at(0));
        assert_eq!(gate.admit(&ask("a", true, 60, at(-2 * hours))), Admission::Go);
        assert!(gate.shut_until(at(-2 * hours)).is_some(), "that was the probe");
    }
}
