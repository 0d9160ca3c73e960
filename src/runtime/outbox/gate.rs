//! The gates in front of sinks: when the next try may go.
//!
//! Two stand in the way of a try, and both have to be open. The destination's, shared by its sinks, since limits and
//! outages are the destination's: it shuts until the time that a receiver told (`Retry-After`), keeps a pace below the
//! receiver's own limit, in which pages overtake tickets, and breaks after [`FAILURES`] failures in a row. And the sink's
//! own, for what is its own fault: its key, which shuts it at once, or its address. A bad key of one chat webhook says
//! nothing of the others at the same host. Behind a broken gate one probe at a time goes, 2 s to 5 min apart (5 to 15 min
//! with a bad key), and all else waits without burning tries; what is eager goes as the probe at once. One success opens.
//! A test that fails counts for neither: it is no page's business. State is in memory only: after a restart all is
//! tried afresh. Pure but for the lock around it.

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
/// A page that was never tried waits no longer behind a bad answer: it may be mended since.
const PAGE_PROBES_AFTER: Length = Length::from_seconds(30);

/// Who wants to go.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The sink.
    pub sink: &'a str,
    /// Whether it is a page.
    pub page: bool,
    /// It was never tried.
    pub fresh: bool,
    /// It goes as the probe, and does not wait for the next one: its last try, a test, or a person wants it now.
    pub eager: bool,
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
    /// It does not go before: the destination said so, or it or the sink's key does not do as it should.
    Shut(Timestamp),
}

/// What a try came to, as far as gates are concerned.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// Of the try.
    pub verdict: DeliveryVerdict,
    /// When this row would be tried next. With [`Self::shuts`] all wait as long.
    pub next: Option<Timestamp>,
    /// It was told to wait, which is so for the whole destination, or its key is not good: for the sink.
    pub shuts: bool,
    /// A test: only its success counts.
    pub test: bool,
    /// Wall clock.
    pub now: Timestamp,
    /// `0..1`.
    pub jitter: f64,
}

/// Counts failures in a row, and breaks.
#[derive(Debug, Default)]
struct Breaker {
    /// In a row.
    failures: u32,
    /// The newest of them.
    failure: Option<LastOutcome>,
    broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug)]
struct Broken {
    /// Probes that failed, and the break itself.
    trips: usize,
    failed_at: Timestamp,
    retry_at: Timestamp,
    probing_since: Option<Timestamp>,
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

impl Breaker {
    /// Until when one that is or is not eager does not go.
    fn shut_until(&self, eager: bool, now: Timestamp) -> Option<Timestamp> {
        let broken = self.broken?;
        broken.probing_until(now).or_else(|| ahead(Some(broken.retry_at), now).filter(|_| !eager))
    }

    /// A try goes; where this is broken, as the probe.
    fn begun(&mut self, now: Timestamp) {
        if let Some(broken) = &mut self.broken {
            broken.probing_since = Some(now);
        }
    }

    /// A try has ended; says whether it was the probe.
    fn probed(&mut self) -> bool {
        self.broken.as_mut().is_some_and(|broken| broken.probing_since.take().is_some())
    }

    /// The next one is the probe.
    fn retry_at(&mut self, at: Timestamp) {
        if let Some(broken) = &mut self.broken {
            broken.retry_at = at;
        }
    }

    /// One more failure, which is `told` to break it until then.
    fn failed(&mut self, probed: bool, told: Option<Timestamp>, end: &End) {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES && told.is_none() {
            return;
        }
        let was_broken = self.broken.is_some();
        let broken =
            self.broken.get_or_insert(Broken { trips: 0, failed_at: end.now, retry_at: end.now, probing_since: None });
        broken.failed_at = end.now;
        // Eight tries that were under way together and fail together are one failure.
        if probed || !was_broken {
            broken.trips += 1;
            broken.retry_at = told.unwrap_or(end.now + wait(broken.trips + 1, None, end.jitter));
        }
    }

    fn view(&self, now: Timestamp) -> GateView {
        match self.broken {
            Some(Broken { probing_since: Some(_), .. }) => GateView::Probing,
            Some(broken) => GateView::Waiting(broken.retry_at.max(now)),
            None => GateView::Open,
        }
    }
}

/// What sinks of one destination share.
#[derive(Debug, Default)]
struct Destination {
    told_until: Option<Timestamp>,
    breaker: Breaker,
    next_free: Option<Timestamp>,
    /// Sinks with a page that waits for its turn, and since when.
    pages: BTreeMap<String, Timestamp>,
}

impl Destination {
    /// Until when one that is or is not eager does not go.
    fn shut_until(&self, eager: bool, now: Timestamp) -> Option<Timestamp> {
        ahead(self.told_until, now).or_else(|| self.breaker.shut_until(eager, now))
    }

    /// When it is its turn, where that is not now.
    fn paced_until(&mut self, ask: &Ask<'_>) -> Option<Timestamp> {
        let now = ask.now;
        if let Some(free) = self.next_free.filter(|free| *free > now && *free <= now + ask.pace) {
            if ask.page {
                self.pages.entry(ask.sink.to_owned()).or_insert(now);
            }
            return Some(free);
        }
        self.pages.retain(|_, since| *since <= now && now.since(*since) <= PAGE_HOLDS + ask.pace);
        if !ask.page && self.pages.keys().any(|sink| sink != ask.sink) {
            return Some(now + ask.pace.max(Length::from_millis(1)));
        }
        None
    }

    fn begun(&mut self, ask: &Ask<'_>) {
        self.pages.remove(ask.sink);
        self.next_free = Some(ask.now + ask.pace);
        self.breaker.begun(ask.now);
    }

    /// Says whether that changed who may go.
    fn ended(&mut self, end: &End) -> bool {
        let was = (self.breaker.broken.is_some(), self.told_until);
        let probed = self.breaker.probed();
        match end.verdict {
            DeliveryVerdict::Done => self.breaker = Breaker::default(),
            _ if end.test => {}
            DeliveryVerdict::Retry(_) | DeliveryVerdict::Ambiguous => {
                if end.shuts {
                    self.told_until = self.told_until.max(end.next);
                }
                self.breaker.failed(probed, None, end);
            }
            // It answers, and says nothing of others: the next one is the probe.
            DeliveryVerdict::Refused | DeliveryVerdict::Misconfigured | DeliveryVerdict::Unauthorized => {
                self.breaker.retry_at(end.now);
            }
        }
        probed || was != (self.breaker.broken.is_some(), self.told_until)
    }

    fn view(&self, now: Timestamp) -> GateView {
        match self.breaker.view(now) {
            GateView::Probing => GateView::Probing,
            broken => ahead(self.told_until, now).map_or(broken, GateView::Waiting),
        }
    }
}

/// What is a sink's own: its key and its address.
#[derive(Debug, Default)]
struct Own {
    destination: String,
    breaker: Breaker,
    /// What it logs in with may be mended: whatever waits may go at once.
    invited: bool,
    last: Option<LastOutcome>,
}

impl Own {
    /// Until when this one does not go.
    fn shut_until(&self, ask: &Ask<'_>) -> Option<Timestamp> {
        let shut = self.breaker.shut_until(ask.eager, ask.now)?;
        let broken = self.breaker.broken?;
        if ask.page && ask.fresh && broken.probing_until(ask.now).is_none() {
            return ahead(Some(shut.min(broken.failed_at + PAGE_PROBES_AFTER)), ask.now);
        }
        Some(shut)
    }

    /// Says whether that changed who may go.
    fn ended(&mut self, end: &End) -> bool {
        let was = self.breaker.broken.is_some();
        let probed = self.breaker.probed();
        match end.verdict {
            DeliveryVerdict::Done => self.breaker = Breaker::default(),
            _ if end.test => {}
            DeliveryVerdict::Misconfigured | DeliveryVerdict::Unauthorized => {
                self.breaker.failed(probed, end.next.filter(|_| end.shuts), end);
            }
            // It got as far as the receiver, or not even there: nothing new of its key.
            DeliveryVerdict::Refused | DeliveryVerdict::Retry(_) | DeliveryVerdict::Ambiguous => {
                self.breaker.retry_at(end.now);
            }
        }
        probed || was != self.breaker.broken.is_some()
    }

    /// Something may be mended: it is tried at once.
    fn invite(&mut self) {
        self.breaker.retry_at(Timestamp::default());
        self.invited = true;
    }
}

/// How a sink stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkGate {
    /// Its name.
    pub name: String,
    /// Whether tries may go now.
    pub gate: GateView,
    /// Failures in a row, its own or of its destination: not answered, or not as it should.
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
    destinations: BTreeMap<String, Destination>,
    sinks: BTreeMap<String, Own>,
    /// By sink: what a person has to mend.
    alarms: BTreeMap<String, (Timestamp, String)>,
}

impl Held {
    /// Both gates of a sink. One that a reload took out has its own until what it has under way has ended.
    fn of(&mut self, sink: &str) -> (&mut Own, &mut Destination) {
        let own = self
            .sinks
            .entry(sink.to_owned())
            .or_insert_with(|| Own { destination: format!("sink {sink}"), ..Own::default() });
        let destination = self.destinations.entry(own.destination.clone()).or_default();
        (own, destination)
    }
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

    /// These sinks there are now. What was wrong with an address or a key may be mended, so it is tried at once.
    pub fn know<'a>(&self, sinks: impl Iterator<Item = (&'a String, &'a Sink)>) {
        let mut held = self.held();
        let mut known = BTreeMap::new();
        for (name, sink) in sinks {
            let mut own = held.sinks.remove(name).unwrap_or_default();
            own.destination =
                sink.destination().map_or_else(|| format!("sink {name}"), |of| format!("destination {of}"));
            if own.breaker.broken.is_some() {
                own.invite();
            }
            known.insert(name.clone(), own);
        }
        held.sinks = known;
        let Held { destinations, sinks, alarms } = &mut *held;
        alarms.retain(|name, _| sinks.contains_key(name));
        destinations.retain(|name, _| sinks.values().any(|own| own.destination == *name));
        drop(held);
        self.moved.notify_waiters();
    }

    /// What a sink logs in with has changed: whatever waits for it is tried now, one at a time where it was broken.
    pub fn invite(&self, sink: &str) {
        if let Some(own) = self.held().sinks.get_mut(sink) {
            own.invite();
        }
        self.moved.notify_waiters();
    }

    /// Whether whatever waits may go; said once.
    pub fn take_invitation(&self, sink: &str) -> bool {
        std::mem::take(&mut self.held().of(sink).0.invited)
    }

    /// Until when this one does not go, whatever its turn.
    pub fn shut_until(&self, ask: &Ask<'_>) -> Option<Timestamp> {
        let mut held = self.held();
        let (own, destination) = held.of(ask.sink);
        own.shut_until(ask).max(destination.shut_until(ask.eager, ask.now))
    }

    /// Lets a try go, or says when to ask again.
    pub fn admit(&self, ask: &Ask<'_>) -> Admission {
        let mut held = self.held();
        let (own, destination) = held.of(ask.sink);
        if let Some(until) = own.shut_until(ask).max(destination.shut_until(ask.eager, ask.now)) {
            return Admission::Shut(until);
        }
        if let Some(until) = destination.paced_until(ask) {
            return Admission::Paced(until);
        }
        destination.begun(ask);
        own.breaker.begun(ask.now);
        Admission::Go
    }

    /// A try of a sink has ended.
    pub fn ended(&self, sink: &str, end: &End, message: &str) {
        let last = LastOutcome { at: end.now, outcome: end.verdict.name().to_owned(), message: message.to_owned() };
        let mut held = self.held();
        let (own, destination) = held.of(sink);
        own.last = Some(last.clone());
        let before = (own.breaker.failures, destination.breaker.failures);
        let (one, other) = (own.ended(end), destination.ended(end));
        for (breaker, before) in [(&mut own.breaker, before.0), (&mut destination.breaker, before.1)] {
            if breaker.failures > before {
                breaker.failure = Some(last.clone());
            }
        }
        drop(held);
        if one || other {
            self.moved.notify_waiters();
        }
    }

    /// Both gates of a sink are open.
    #[must_use]
    pub fn is_open(&self, sink: &str, now: Timestamp) -> bool {
        let mut held = self.held();
        let (own, destination) = held.of(sink);
        let is_whole = own.breaker.broken.is_none() && destination.breaker.broken.is_none();
        is_whole && ahead(destination.told_until, now).is_none()
    }

    /// Broken because of something that a person has to mend.
    #[must_use]
    pub fn is_misconfigured(&self, sink: &str) -> bool {
        self.held().of(sink).0.breaker.broken.is_some()
    }

    /// What a person has to mend at a sink, as its last try said it; `None`: nothing any more.
    pub fn alarmed(&self, sink: &str, alarm: Option<(Timestamp, String)>) {
        let mut held = self.held();
        match alarm {
            Some(alarm) => drop(held.alarms.insert(sink.to_owned(), alarm)),
            None => drop(held.alarms.remove(sink)),
        }
    }

    /// How all sinks stand, by name: of the two gates the one that is shut longer.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> Vec<SinkGate> {
        let held = self.held();
        let open = Destination::default();
        let view = |(name, own): (&String, &Own)| {
            let destination = held.destinations.get(&own.destination).unwrap_or(&open);
            let gate = match (own.breaker.view(now), destination.view(now)) {
                (GateView::Waiting(one), GateView::Waiting(other)) => GateView::Waiting(one.max(other)),
                (GateView::Waiting(until), _) | (_, GateView::Waiting(until)) => GateView::Waiting(until),
                (GateView::Open, other) | (other, GateView::Open) => other,
                (GateView::Probing, GateView::Probing) => GateView::Probing,
            };
            let failures = own.breaker.failures.max(destination.breaker.failures);
            let newest = [&own.breaker, &destination.breaker].into_iter().filter_map(|breaker| breaker.failure.clone());
            SinkGate {
                name: name.clone(),
                gate,
                failures,
                last: own.last.clone(),
                failure: newest.max_by_key(|failure| failure.at),
                alarm: held.alarms.get(name).cloned(),
            }
        };
        held.sinks.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::stdout::Stdout;

    const START: Timestamp = Timestamp::from_seconds(1_795_230_000);
    const SHARED: &str = "destination chat";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(START.millis() + seconds * 1_000)
    }

    fn ask(sink: &str, page: bool, every: i64, now: Timestamp) -> Ask<'_> {
        Ask { sink, page, fresh: false, eager: false, pace: Length::from_seconds(every), now }
    }

    /// Two sinks of one destination.
    fn gates() -> Arc<Gates> {
        let gates = Gates::new();
        for sink in ["a", "b"] {
            gates.held().sinks.insert(sink.to_owned(), Own { destination: SHARED.to_owned(), ..Own::default() });
        }
        gates
    }

    fn ending(verdict: DeliveryVerdict, now: Timestamp) -> End {
        End { verdict, next: None, shuts: false, test: false, now, jitter: 1.0 }
    }

    /// A try of `a` ends.
    fn end(gates: &Gates, verdict: DeliveryVerdict, now: Timestamp) {
        gates.ended("a", &ending(verdict, now), "");
    }

    /// A try of `a` ends, and holds until then.
    fn hold(gates: &Gates, verdict: DeliveryVerdict, until: Timestamp, now: Timestamp) {
        gates.ended("a", &End { next: Some(until), shuts: true, ..ending(verdict, now) }, "");
    }

    fn view(gates: &Gates, sink: &str, now: Timestamp) -> GateView {
        gates.view(now).into_iter().find(|view| view.name == sink).unwrap().gate
    }

    fn broken() -> Arc<Gates> {
        let gates = gates();
        for _ in 0..3 {
            assert_eq!(gates.admit(&ask("a", true, 0, at(0))), Admission::Go);
        }
        for _ in 0..3 {
            end(&gates, DeliveryVerdict::Retry(None), at(0));
        }
        gates
    }

    #[test]
    fn three_failures_in_a_row_leave_one_probe_at_a_time_and_one_success_opens() {
        let gates = broken();
        assert_eq!(gates.admit(&ask("a", true, 0, at(1))), Admission::Shut(at(4)));
        assert_eq!(gates.admit(&ask("a", true, 0, at(4))), Admission::Go);
        assert_eq!(view(&gates, "b", at(4)), GateView::Probing);
        assert_eq!(gates.admit(&ask("b", true, 0, at(4))), Admission::Shut(at(124)), "one at a time");
        end(&gates, DeliveryVerdict::Ambiguous, at(5));
        assert_eq!(gates.admit(&ask("b", true, 0, at(5))), Admission::Shut(at(13)), "backs off");
        assert_eq!(gates.admit(&ask("b", true, 0, at(13))), Admission::Go);
        gates.ended("b", &ending(DeliveryVerdict::Done, at(13)), "");
        for _ in 0..20 {
            assert_eq!(gates.admit(&ask("b", false, 0, at(13))), Admission::Go);
        }
        let a = &gates.view(at(13))[0];
        assert_eq!((a.failures, a.gate), (0, GateView::Open));
    }

    #[test]
    fn what_a_destination_failed_with_is_known_of_all_its_sinks_until_it_takes_something() {
        let gates = Gates::default();
        for sink in ["a", "b"] {
            gates
                .held()
                .sinks
                .insert(sink.to_owned(), Own { destination: "destination d".to_owned(), ..Own::default() });
        }
        let ended = |verdict, said: &str| {
            gates.ended("a", &ending(verdict, at(0)), said);
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
        let gates = broken();
        let mut now = at(0);
        for _ in 0..40 {
            let Admission::Shut(until) = gates.admit(&ask("a", true, 0, now)) else { panic!("a probe too early") };
            assert!(until.since(now) <= Length::from_minutes(5), "{until}");
            now = until;
            assert_eq!(gates.admit(&ask("a", true, 0, now)), Admission::Go);
            end(&gates, DeliveryVerdict::Retry(None), now);
        }
        assert_eq!(gates.shut_until(&ask("a", true, 0, now)), Some(now + Length::from_minutes(5)));
    }

    #[test]
    fn what_is_eager_waits_for_no_probe_but_for_one_under_way_and_for_what_the_receiver_told() {
        let gates = broken();
        let eager = |now| Ask { eager: true, ..ask("a", true, 0, now) };
        assert_eq!(gates.admit(&eager(at(1))), Admission::Go);
        assert!(matches!(gates.admit(&eager(at(1))), Admission::Shut(_)));
        let gates = self::gates();
        hold(&gates, DeliveryVerdict::Misconfigured, at(600), at(0));
        assert_eq!(gates.admit(&eager(at(1))), Admission::Go, "a bad key is tried again");
        assert_eq!(gates.admit(&eager(at(1))), Admission::Shut(at(121)));
        hold(&gates, DeliveryVerdict::Retry(Some(Length::from_seconds(89))), at(90), at(1));
        assert_eq!(gates.admit(&eager(at(2))), Admission::Shut(at(90)));
    }

    #[test]
    fn a_refusal_is_no_fault_of_the_destination() {
        let gates = gates();
        for _ in 0..50 {
            assert_eq!(gates.admit(&ask("a", true, 0, at(0))), Admission::Go);
            end(&gates, DeliveryVerdict::Refused, at(0));
        }
        let gates = broken();
        assert_eq!(gates.admit(&ask("a", true, 0, at(4))), Admission::Go);
        end(&gates, DeliveryVerdict::Refused, at(5));
        assert_eq!(gates.admit(&ask("a", true, 0, at(5))), Admission::Go, "the next one is the probe");
        assert!(matches!(gates.admit(&ask("a", true, 0, at(5))), Admission::Shut(_)));
    }

    #[test]
    fn what_a_receiver_told_holds_for_the_destination_and_a_bad_key_for_its_sink() {
        let gates = gates();
        hold(&gates, DeliveryVerdict::Retry(Some(Length::from_seconds(90))), at(90), at(0));
        for sink in ["a", "b"] {
            assert_eq!(view(&gates, sink, at(1)), GateView::Waiting(at(90)));
            assert_eq!(gates.admit(&ask(sink, true, 0, at(89))), Admission::Shut(at(90)));
            assert!(!gates.is_misconfigured(sink));
        }
        assert_eq!(gates.admit(&ask("b", true, 0, at(90))), Admission::Go);
        for verdict in [DeliveryVerdict::Misconfigured, DeliveryVerdict::Unauthorized] {
            let gates = self::gates();
            hold(&gates, verdict, at(600), at(0));
            assert_eq!(
                (view(&gates, "a", at(1)), view(&gates, "b", at(1))),
                (GateView::Waiting(at(600)), GateView::Open)
            );
            assert_eq!((gates.is_misconfigured("a"), gates.is_misconfigured("b")), (true, false));
            assert_eq!(gates.admit(&ask("b", true, 0, at(1))), Admission::Go);
            gates.ended("b", &ending(DeliveryVerdict::Done, at(2)), "");
            assert_eq!(gates.admit(&ask("a", true, 0, at(2))), Admission::Shut(at(600)), "not by a success of another");
            assert_eq!(gates.admit(&ask("a", true, 0, at(600))), Admission::Go);
            end(&gates, DeliveryVerdict::Done, at(601));
            assert!(gates.is_open("a", at(601)));
        }
        // An address that is not found, three times.
        for _ in 0..3 {
            end(&gates, DeliveryVerdict::Misconfigured, at(100));
        }
        assert_eq!((gates.is_open("a", at(100)), gates.is_open("b", at(100))), (false, true));
    }

    #[test]
    fn a_page_that_was_never_tried_probes_half_a_minute_after_a_bad_key() {
        let gates = gates();
        hold(&gates, DeliveryVerdict::Misconfigured, at(600), at(0));
        let fresh = |page, now| Ask { fresh: true, ..ask("a", page, 0, now) };
        assert_eq!(gates.admit(&fresh(true, at(10))), Admission::Shut(at(30)));
        assert_eq!(gates.admit(&fresh(false, at(30))), Admission::Shut(at(600)), "no ticket");
        assert_eq!(gates.admit(&ask("a", true, 0, at(30))), Admission::Shut(at(600)), "once for each page");
        assert_eq!(gates.admit(&fresh(true, at(30))), Admission::Go);
        assert_eq!(gates.admit(&fresh(true, at(31))), Admission::Shut(at(150)), "one at a time");
        hold(&gates, DeliveryVerdict::Misconfigured, at(700), at(32));
        assert_eq!(gates.admit(&fresh(true, at(33))), Admission::Shut(at(62)));
    }

    #[test]
    fn a_test_that_fails_counts_for_no_gate_and_one_that_is_taken_opens_both() {
        let told = DeliveryVerdict::Retry(Some(Length::from_seconds(90)));
        for verdict in [DeliveryVerdict::Misconfigured, DeliveryVerdict::Unauthorized, DeliveryVerdict::Ambiguous, told]
        {
            let gates = gates();
            for _ in 0..5 {
                assert_eq!(gates.admit(&Ask { eager: true, ..ask("a", true, 0, at(0)) }), Admission::Go);
                let end = End { test: true, next: Some(at(90)), shuts: true, ..ending(verdict, at(0)) };
                gates.ended("a", &end, "status 403");
            }
            assert!(gates.is_open("a", at(0)) && gates.is_open("b", at(0)), "{verdict:?}");
            assert_eq!(gates.view(at(0))[0].last.as_ref().unwrap().message, "status 403", "but it is shown");
        }
        let gates = broken();
        hold(&gates, DeliveryVerdict::Misconfigured, at(600), at(0));
        assert_eq!(gates.admit(&Ask { eager: true, ..ask("a", true, 0, at(1)) }), Admission::Go);
        gates.ended("a", &End { test: true, ..ending(DeliveryVerdict::Done, at(2)) }, "");
        assert!(gates.is_open("a", at(2)));
    }

    #[test]
    fn what_may_be_mended_is_tried_at_once_one_at_a_time() {
        let sink = Sink::event(Stdout::of_process());
        let gates = Gates::new();
        let know = || gates.know([(&"a".to_owned(), &sink)].into_iter());
        for invite in [&know as &dyn Fn(), &|| gates.invite("a")] {
            know();
            hold(&gates, DeliveryVerdict::Misconfigured, at(600), at(0));
            assert!(!gates.take_invitation("a"));
            assert_eq!(gates.admit(&ask("a", false, 0, at(1))), Admission::Shut(at(600)));
            invite();
            assert_eq!((gates.take_invitation("a"), gates.take_invitation("a")), (true, false));
            assert_eq!(gates.admit(&ask("a", false, 0, at(1))), Admission::Go);
            assert_eq!(gates.admit(&ask("a", false, 0, at(1))), Admission::Shut(at(121)));
            end(&gates, DeliveryVerdict::Done, at(2));
        }
    }

    #[test]
    fn a_pace_is_kept_and_pages_overtake_tickets() {
        let gates = gates();
        assert_eq!(gates.admit(&ask("a", false, 2, at(0))), Admission::Go);
        assert_eq!(gates.admit(&ask("a", false, 2, at(0))), Admission::Paced(at(2)));
        assert_eq!(gates.admit(&ask("b", true, 2, at(1))), Admission::Paced(at(2)));
        assert_eq!(gates.admit(&ask("a", false, 2, at(2))), Admission::Paced(at(4)), "the page first");
        assert_eq!(gates.admit(&ask("b", true, 2, at(2))), Admission::Go);
        assert_eq!(gates.admit(&ask("a", false, 2, at(4))), Admission::Go);
        // A page that never comes holds nobody for ever.
        assert_eq!(gates.admit(&ask("b", true, 2, at(5))), Admission::Paced(at(6)));
        assert_eq!(gates.admit(&ask("a", false, 2, at(20))), Admission::Go);
    }

    #[test]
    fn a_clock_that_is_set_back_shuts_nobody_out() {
        let hours = 3 * 3_600;
        let gates = broken();
        assert_eq!(gates.admit(&ask("a", true, 60, at(-hours))), Admission::Go);
        end(&gates, DeliveryVerdict::Retry(Some(Length::from_hours(1))), at(0));
        assert_eq!(gates.admit(&ask("a", true, 60, at(-2 * hours))), Admission::Go);
        let shut = gates.shut_until(&ask("a", true, 60, at(-2 * hours)));
        assert!(shut.is_some(), "that was the probe");
    }
}
