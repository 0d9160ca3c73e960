//! Silences are mirrored to the sinks that keep states (Alertmanager): what fires goes on being posted there, so they have
//! to be quiet themselves.
//!
//! So are exclusions of alerts and holds after a deploy that begin while an alert fires there: as one silence for each
//! alert that they cover, by all its labels. An alert that begins meanwhile is not told, and needs none.
//!
//! A silence is made there when it begins, changed when it changes here, and ended when it is ended here. What each sink
//! calls it is kept as a record, so that a restart goes on. A sink that does not answer is asked again, 5 s to 1 min
//! later, until it is done or the silence is over; one that refuses is told in the log, and not asked again for the same.
//! Every few minutes it is looked whether it is still there: one that lost its data is told again.
//! What people silence goes first, and waits for no more than a turn of the alerts that files keep quiet.
//! Nothing is mirrored while no SLO is told of (shadow).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::Notification;
use crate::policy::quiet::{Quiet, QuietKind, Quiets};
use crate::policy::silence::{LabelMatcher, Silence, SilenceState};
use crate::runtime::blueprint::Blueprint;
use crate::runtime::core::{Core, held};
use crate::runtime::quiet::Stillness;
use crate::sink::alertmanager::mirror::Looked;
use crate::sink::{DeliveryVerdict, Outcome, RefreshSink, Sink};
use crate::spec::meant::Mode;
use crate::store::{Commit, Record, RecordKind, StoreError};
use crate::units::{Length, Timestamp};

/// Version of the records.
const VERSION: u32 = 1;

/// Before the name of the sink and the id of the silence, in the names of the records.
const PREFIX: &str = "silence-at/";

/// Records read at start.
const READ: usize = 100_000;

/// The first wait after a failure, doubled with each ..
const WAIT: Length = Length::from_seconds(5);

/// .. up to this.
const LONGEST_WAIT: Length = Length::from_minutes(1);

/// How often it is looked whether a silence is still there: a sink may have lost what it knew.
const LOOK: Length = Length::from_minutes(5);

/// How many of what files keep quiet are mirrored at least before it is looked what people asked for meanwhile, ..
const TURN: usize = 100;

/// .. and how long it goes on beyond that.
const TURN_LASTS: Length = Length::from_seconds(5);

/// Before the digest in the ids of what files keep quiet.
const OF_FILES: &str = "quiet-";

/// The sinks to mirror to, by name.
type Sinks = BTreeMap<String, Arc<dyn RefreshSink>>;

/// A silence at a sink, as recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mirrored {
    version: u32,
    sink: String,
    /// What the sink calls it.
    handle: String,
    /// As it was told there.
    silence: Silence,
}

/// Mirrors silences while the service runs.
pub struct Mirror {
    core: Arc<Core>,
    stillness: Arc<Stillness>,
    sinks: Arc<Mutex<Sinks>>,
    sides: BTreeMap<String, Side>,
}

/// What is known of one sink.
#[derive(Default)]
struct Side {
    /// What is there, by the silence's id.
    mirrored: BTreeMap<String, Mirrored>,
    /// When it was last seen there, by the silence's id.
    seen: BTreeMap<String, Timestamp>,
    /// Who was asked last: another one after a reload knows nothing, and may take what was refused.
    asked: Option<Arc<dyn RefreshSink>>,
    /// What was refused, as it was told.
    refused: BTreeMap<String, Silence>,
    failures: u32,
    not_before: Option<Timestamp>,
    /// The last turn ended before all was mirrored.
    has_more: bool,
}

/// The sinks that mirroring goes to, to be replaced by a reload.
#[derive(Clone, Default)]
pub struct MirrorSinks(Arc<Mutex<Sinks>>);

impl MirrorSinks {
    /// Those of a blueprint from now on.
    pub fn take(&self, blueprint: &Blueprint) {
        let told = blueprint.slos.iter().any(|plan| plan.slo.alerting.mode == Mode::Live);
        let refreshed = |(name, sink): (&String, &Sink)| match sink {
            Sink::Refresh(sink) if told => Some((name.clone(), Arc::clone(sink))),
            Sink::Refresh(_) | Sink::Event(_) => None,
        };
        *held(&self.0) = blueprint.sinks.iter().filter_map(refreshed).collect();
    }
}

impl Mirror {
    /// With what the store has of it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn read(core: Arc<Core>, stillness: Arc<Stillness>, sinks: MirrorSinks) -> Result<Self, StoreError> {
        let mut sides: BTreeMap<String, Side> = BTreeMap::new();
        for record in core.store.records(RecordKind::Setting, READ).await? {
            if !record.id.starts_with(PREFIX) {
                continue;
            }
            match serde_json::from_str::<Mirrored>(record.text.as_deref().unwrap_or_default()) {
                Ok(mirrored) if mirrored.version == VERSION => {
                    let side = sides.entry(mirrored.sink.clone()).or_default();
                    side.mirrored.insert(mirrored.silence.id.clone(), mirrored);
                }
                _ => tracing::warn!(id = record.id, "what is mirrored of a silence cannot be read; it is left alone"),
            }
        }
        Ok(Self { core, stillness, sinks: sinks.0, sides })
    }

    /// Mirrors until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.round() => next,
                () = stop.cancelled() => return,
            };
            tokio::select! {
                () = self.stillness.changed.notified() => {}
                () = self.core.clock.sleep_until(next) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Brings every sink to what holds now; says when to look again.
    async fn round(&mut self) -> Timestamp {
        let now = self.core.clock.now();
        let sinks = held(&self.sinks).clone();
        let (silences, quiets) = (self.stillness.silences(), self.core.quiets());
        let mut wanted: BTreeMap<String, Vec<Silence>> = BTreeMap::new();
        for name in sinks.keys() {
            self.sides.entry(name.clone()).or_default();
            let standing = match self.core.store.standing(name, now).await {
                Ok(standing) => standing,
                Err(error) => {
                    let (doing, problem) = (error.doing.as_str(), error.problem.as_str());
                    tracing::warn!(doing, problem, "what fires cannot be read; silences are mirrored later");
                    return now + WAIT;
                }
            };
            wanted.insert(name.clone(), of_files(&quiets, &standing, now));
        }
        for name in self.sides.keys() {
            wanted.entry(name.clone()).or_default().extend(silences.iter().cloned());
        }
        let core = &self.core;
        let rounds = self.sides.iter_mut().map(|(name, side)| {
            let wanted = wanted.get(name).map_or(&[][..], Vec::as_slice);
            side.round(core, (name, sinks.get(name)), wanted, now)
        });
        join_all(rounds).await;
        let changes = silences.iter().flat_map(|silence| [silence.starts_at, silence.ends_at]);
        let changes = changes.chain(quiets.next_change(now));
        let again = self.sides.values().filter_map(|side| side.not_before);
        let next = changes.chain(again).filter(|time| *time > now).min();
        if self.sides.values().any(|side| side.has_more) {
            return now;
        }
        // A clock that is set is noticed.
        next.unwrap_or(now + LONGEST_WAIT).min(now + LONGEST_WAIT)
    }
}

/// What the files and deploys keep quiet of what stands at a sink, as silences: one for each alert, by all its labels.
fn of_files(quiets: &Quiets, standing: &[Notification], now: Timestamp) -> Vec<Silence> {
    let fires = |one: &&Notification| one.state == AlertState::Firing && one.kind != AlertKind::Watchdog;
    let silence = |one: &Notification| {
        let Quiet { kind, name, reason, until } = quiets.of_files(one.into(), now)?;
        let labels = one.labels.iter().filter(|(_, value)| !value.is_empty());
        let matcher = |(name, value): (&String, &String)| LabelMatcher {
            name: name.clone(),
            value: value.clone(),
            is_regex: false,
            is_equal: true,
        };
        let what = if kind == QuietKind::Deploy { "hold" } else { "exclusion" };
        Some(Silence {
            id: id_of(&one.dedup_key),
            matchers: labels.map(matcher).collect(),
            created_by: "slo".to_owned(),
            comment: format!("{what} `{name}`: {reason}"),
            starts_at: one.fired_at,
            ends_at: until,
        })
    };
    // Of two of one key, which no sink should have, the later.
    let by_id: BTreeMap<String, Silence> =
        standing.iter().filter(fires).filter_map(silence).map(|silence| (silence.id.clone(), silence)).collect();
    by_id.into_values().collect()
}

/// The same for an alert whatever keeps it quiet, so that of an exclusion and a hold one takes the other's place.
fn id_of(dedup_key: &str) -> String {
    let digest = Sha256::digest(dedup_key.as_bytes());
    digest.iter().take(6).fold(OF_FILES.to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

impl Side {
    /// One sink. What it does not answer now waits.
    async fn round(
        &mut self,
        core: &Core,
        (name, sink): (&str, Option<&Arc<dyn RefreshSink>>),
        silences: &[Silence],
        now: Timestamp,
    ) {
        self.has_more = false;
        let active: BTreeMap<&str, &Silence> = silences
            .iter()
            .filter(|silence| silence.state(now) == SilenceState::Active)
            .map(|silence| (silence.id.as_str(), silence))
            .collect();
        self.refused.retain(|id, _| active.contains_key(id.as_str()));
        // What was to end there has ended by itself.
        let over = |mirrored: &Mirrored| mirrored.silence.ends_at <= now && !active.contains_key(&*mirrored.silence.id);
        let ended: Vec<String> =
            self.mirrored.iter().filter(|(_, mirrored)| over(mirrored)).map(|(id, _)| id.clone()).collect();
        for id in ended {
            self.forget(core, name, &id, now).await;
        }
        let Some(sink) = sink else { return };
        if !self.asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, sink)) {
            self.asked = Some(Arc::clone(sink));
            self.seen.clear();
            self.refused.clear();
        }
        if self.not_before.is_some_and(|until| now < until) {
            return;
        }
        let (files, people): (Vec<&Silence>, Vec<&Silence>) =
            active.values().copied().partition(|silence| silence.id.starts_with(OF_FILES));
        let mut looked = Looked::default();
        let is_done = self.make(core, (name, sink), &people, &mut looked, now).await
            && self.end_gone(core, (name, sink), &active, &mut looked, now).await;
        if !is_done {
            return;
        }
        let began = core.clock.now();
        for turn in files.chunks(TURN) {
            self.has_more = core.clock.now() >= began + TURN_LASTS;
            if self.has_more || !self.make(core, (name, sink), turn, &mut looked, now).await {
                return;
            }
        }
    }

    /// Ends there what holds no more. `false`: this sink is to be asked again later.
    async fn end_gone(
        &mut self,
        core: &Core,
        (name, sink): (&str, &Arc<dyn RefreshSink>),
        active: &BTreeMap<&str, &Silence>,
        looked: &mut Looked,
        now: Timestamp,
    ) -> bool {
        let gone: Vec<Mirrored> =
            self.mirrored.values().filter(|known| !active.contains_key(&*known.silence.id)).cloned().collect();
        for known in gone {
            let outcome = sink.unsilence(&known.handle, looked, now).await;
            if !self.judged(name, &known.silence, &outcome, now) {
                return false;
            }
            tracing::info!(sink = name, silence = known.silence.id, "a silence was ended there");
            self.forget(core, name, &known.silence.id, now).await;
        }
        true
    }

    /// Has these there. `false`: this sink is to be asked again later.
    async fn make(
        &mut self,
        core: &Core,
        (name, sink): (&str, &Arc<dyn RefreshSink>),
        silences: &[&Silence],
        looked: &mut Looked,
        now: Timestamp,
    ) -> bool {
        for silence in silences.iter().copied() {
            let known = self.mirrored.get(&silence.id);
            let is_there = known.is_some_and(|known| known.silence == *silence);
            let was_seen = self.seen.get(&silence.id).is_some_and(|seen| (*seen..*seen + LOOK).contains(&now));
            if (is_there && was_seen) || self.refused.get(&silence.id).is_some_and(|refused| refused == silence) {
                continue;
            }
            let outcome = sink.silence(silence, known.map(|known| known.handle.as_str()), looked, now).await;
            if !self.judged(name, silence, &outcome, now) {
                return false;
            }
            match (outcome.verdict, outcome.handle) {
                (DeliveryVerdict::Done, Some(handle)) => {
                    self.seen.insert(silence.id.clone(), now);
                    if !self
                        .mirrored
                        .get(&silence.id)
                        .is_some_and(|one| one.handle == handle && one.silence == *silence)
                    {
                        tracing::info!(sink = name, silence = silence.id, "a silence was mirrored");
                        self.keep(core, name, handle, silence, now).await;
                    }
                }
                _ => drop(self.refused.insert(silence.id.clone(), silence.clone())),
            }
        }
        true
    }

    /// Tells what came of it; `false`: this sink is to be asked again later.
    fn judged(&mut self, sink: &str, silence: &Silence, outcome: &Outcome, now: Timestamp) -> bool {
        let (silence, message) = (silence.id.as_str(), outcome.message.as_str());
        if let Some(alarm) = &outcome.alarm {
            tracing::warn!(sink, silence, alarm, "a silence is not mirrored as it is");
        }
        match outcome.verdict {
            DeliveryVerdict::Done => {}
            DeliveryVerdict::Refused => tracing::warn!(sink, silence, message, "a silence cannot be mirrored"),
            DeliveryVerdict::Retry(_)
            | DeliveryVerdict::Ambiguous
            | DeliveryVerdict::Misconfigured
            | DeliveryVerdict::Unauthorized => {
                let waits = 1_i64.checked_shl(self.failures).unwrap_or(i64::MAX).min(LONGEST_WAIT.count_of(WAIT));
                let told = match outcome.verdict {
                    DeliveryVerdict::Retry(told) => told.unwrap_or(Length::ZERO),
                    _ => Length::ZERO,
                };
                self.not_before = Some(now + (WAIT * waits).max(told));
                if self.failures == 0 {
                    tracing::warn!(sink, silence, message, "a silence is not mirrored yet; it is tried again");
                }
                self.failures = self.failures.saturating_add(1);
                return false;
            }
        }
        (self.failures, self.not_before) = (0, None);
        true
    }

    async fn keep(&mut self, core: &Core, sink: &str, handle: String, silence: &Silence, now: Timestamp) {
        let mirrored = Mirrored { version: VERSION, sink: sink.to_owned(), handle, silence: silence.clone() };
        // Texts, flags and times: it can always be written.
        let text = serde_json::to_string(&mirrored).unwrap_or_default();
        self.write(core, sink, &silence.id, Some(text), now).await;
        self.mirrored.insert(silence.id.clone(), mirrored);
    }

    async fn forget(&mut self, core: &Core, sink: &str, silence: &str, now: Timestamp) {
        self.mirrored.remove(silence);
        self.seen.remove(silence);
        self.write(core, sink, silence, None, now).await;
    }

    /// Kept for later where the store does not take it: a handle that is lost is found again by the silence's id.
    async fn write(&self, core: &Core, sink: &str, silence: &str, text: Option<String>, now: Timestamp) {
        let record = Record { kind: RecordKind::Setting, id: format!("{PREFIX}{sink}/{silence}"), at: now, text };
        core.record(Vec::new(), Commit { records: vec![record], ..Commit::default() }).await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use async_trait::async_trait;

    use super::*;
    use crate::clock::Clock;
    use crate::config::meant::Config;
    use crate::store::Store;
    use crate::store::memory::MemoryStore;
    use crate::telemetry::Telemetry;

    /// Answers as it is told, and keeps what it was asked.
    #[derive(Default)]
    struct Recorder {
        answers: Mutex<Vec<DeliveryVerdict>>,
        asked: Mutex<Vec<String>>,
    }

    impl Recorder {
        fn answer(&self, asked: String) -> Outcome {
            held(&self.asked).push(asked);
            Outcome::new(held(&self.answers).pop().unwrap_or(DeliveryVerdict::Done), "").with_handle("h")
        }

        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut *held(&self.asked))
        }
    }

    #[async_trait]
    impl RefreshSink for Recorder {
        async fn deliver(&self, _: &Notification, _: Timestamp) -> Outcome {
            unreachable!()
        }
        async fn refresh(&self, _: &[Notification], _: Timestamp) -> Outcome {
            unreachable!()
        }
        async fn end(&self, _: &Notification, _: &[Notification], _: Timestamp) -> Outcome {
            unreachable!()
        }
        async fn heartbeat(&self, _: &Notification, _: Length, _: Timestamp) -> Outcome {
            unreachable!()
        }
        async fn silence(&self, silence: &Silence, known: Option<&str>, _: &mut Looked, _: Timestamp) -> Outcome {
            self.answer(format!("{} {} {}", silence.id, known.unwrap_or("-"), silence.comment))
        }
        async fn unsilence(&self, handle: &str, _: &mut Looked, _: Timestamp) -> Outcome {
            self.answer(format!("end {handle}"))
        }
    }

    fn silence(comment: &str, starts: i64, ends: i64) -> Silence {
        Silence {
            id: "s".into(),
            matchers: vec![LabelMatcher { name: "a".into(), value: "b".into(), is_regex: false, is_equal: true }],
            created_by: "ann".into(),
            comment: comment.into(),
            starts_at: Timestamp::from_seconds(starts),
            ends_at: Timestamp::from_seconds(ends),
        }
    }

    #[tokio::test]
    async fn a_sink_is_told_when_a_silence_begins_changes_and_ends_and_is_asked_again_where_it_fails() {
        use DeliveryVerdict::{Misconfigured, Refused, Retry};
        let store = Arc::new(MemoryStore::new());
        let config = Arc::new(Config::empty(Path::new("")));
        let kept: Arc<dyn Store> = Arc::clone(&store) as _;
        let core = Arc::new(Core::new(Clock::system(), Telemetry::new("test"), kept, config));
        let recorder = Arc::new(Recorder::default());
        let sink: Arc<dyn RefreshSink> = Arc::clone(&recorder) as _;
        let mut side = Side::default();
        let (first, second) = (silence("first", 100, 2_000), silence("second", 100, 3_000));
        let nothing: &[Silence] = &[];
        // The time, what there is, what is answered last first, and what is asked.
        for (at, silences, answers, asked) in [
            (99, std::slice::from_ref(&first), vec![], vec![]),
            (100, std::slice::from_ref(&first), vec![Retry(None)], vec!["s - first"]),
            (104, std::slice::from_ref(&first), vec![], vec![]),
            (105, std::slice::from_ref(&first), vec![Misconfigured], vec!["s - first"]),
            (114, std::slice::from_ref(&first), vec![], vec![]),
            (115, std::slice::from_ref(&first), vec![], vec!["s - first"]),
            (116, std::slice::from_ref(&first), vec![], vec![]),
            // Changed, and refused: not asked again for the same.
            (120, std::slice::from_ref(&second), vec![Refused], vec!["s h second"]),
            (121, std::slice::from_ref(&second), vec![], vec![]),
            (122, std::slice::from_ref(&first), vec![], vec![]),
            // It may have lost it.
            (415, std::slice::from_ref(&first), vec![], vec!["s h first"]),
            (416, std::slice::from_ref(&first), vec![], vec![]),
            // Ended here.
            (500, nothing, vec![Retry(None)], vec!["end h"]),
            (505, nothing, vec![], vec!["end h"]),
            (506, nothing, vec![], vec![]),
            // Made again; it ends there by itself.
            (600, std::slice::from_ref(&first), vec![], vec!["s - first"]),
            (2_000, nothing, vec![], vec![]),
        ] {
            *held(&recorder.answers) = answers;
            side.round(&core, ("am", Some(&sink)), silences, Timestamp::from_seconds(at)).await;
            assert_eq!(recorder.asked(), asked, "at {at}");
            let records = store.records(RecordKind::Setting, 10).await.unwrap();
            let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
            let there = (115..505).contains(&at) || at == 600;
            assert_eq!(ids, if there { vec!["silence-at/am/s"] } else { vec![] }, "at {at}");
        }
    }

    #[tokio::test]
    async fn what_people_silence_goes_first() {
        let kept: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let core = Core::new(Clock::system(), Telemetry::new("test"), kept, Arc::new(Config::empty(Path::new(""))));
        let recorder = Arc::new(Recorder::default());
        let sink: Arc<dyn RefreshSink> = Arc::clone(&recorder) as _;
        let mut side = Side::default();
        let of = |id: &str| Silence { id: id.to_owned(), ..silence("", 100, 2_000) };
        let (file, other, person) = (of(&id_of("a")), of(&id_of("b")), of("z"));
        let at = Timestamp::from_seconds(100);
        side.round(&core, ("am", Some(&sink)), std::slice::from_ref(&file), at).await;
        assert_eq!(recorder.asked(), [format!("{} - ", file.id)]);
        // Before what is over and what files add.
        side.round(&core, ("am", Some(&sink)), &[other.clone(), person], at).await;
        assert_eq!(recorder.asked(), ["z - ".to_owned(), "end h".to_owned(), format!("{} - ", other.id)]);
        assert!(!side.has_more);
    }

    #[tokio::test]
    async fn what_is_mirrored_is_known_after_a_restart() {
        let store = Arc::new(MemoryStore::new());
        let kept: Arc<dyn Store> = Arc::clone(&store) as _;
        let config = Arc::new(Config::empty(Path::new("")));
        let core = Arc::new(Core::new(Clock::system(), Telemetry::new("test"), kept, config));
        let sink: Arc<dyn RefreshSink> = Arc::new(Recorder::default());
        let first = silence("first", 100, 2_000);
        let mut side = Side::default();
        side.round(&core, ("am", Some(&sink)), std::slice::from_ref(&first), Timestamp::from_seconds(100)).await;
        let again = Mirror::read(core, Arc::default(), MirrorSinks::default()).await.unwrap();
        let known = &again.sides["am"].mirrored["s"];
        assert_eq!((known.handle.as_str(), &known.silence), ("h", &first));
    }
}
