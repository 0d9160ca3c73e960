//! One source's loop: when a slice is complete, ask every question once, evaluate, record.
//!
//! The watermark is data time: it never moves back and never passes a slice whose question failed, so an SLO whose
//! question failed is simply asked for a longer stretch the next time. Nothing is retried within a tick. A cold start
//! reads the newest 6 h in stretches that fit into memory and evaluates them slice by slice, so that an alert that
//! fires at start has its true beginning; what is older comes by `backfill`, beside the ticks.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::meant::{Config, SourceConfig};
use crate::engine::observation::Observation;
use crate::plan::Plan;
use crate::policy::catch_up::thin_out;
use crate::policy::source::{SourceAlert, SourceRule, Standing};
use crate::policy::state::write;
use crate::policy::subject::{SOURCE_SERVICE, Subject};
use crate::runtime::asker::{Asked, Asker, next_stretch};
use crate::runtime::backfill::Backfill;
use crate::runtime::core::Core;
use crate::runtime::entry::{Entry, SharedEntry};
use crate::runtime::evaluation::{Evaluated, Evaluation};
use crate::runtime::scraping::Scraping;
use crate::source::{Source, SourceError, SourceErrorKind};
use crate::store::Commit;
use crate::telemetry::event;
use crate::units::{InstanceId, Length, SloId, Step, Timestamp};

/// How far back missed slice ends are evaluated (SEMANTICS 2, *Evaluation*).
pub const CATCH_UP: Length = Length::from_hours(6);
/// Samples of one answer while catching up: a million are about 40 MB of JSON.
const SAMPLES_AN_ANSWER: i64 = 1_000_000;
/// The first stretch of a cold start, before it is known how many series there are.
const FIRST_STRETCH: Length = Length::from_minutes(10);

/// How long a poller goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Tick after tick until it is stopped; the past is read beside the ticks and leaves room for them.
    Service,
    /// One tick, then the past with all that the source allows, each question once: for verbs that compute once.
    Once,
}

/// Polls one source for its SLOs.
pub struct Poller {
    /// The source's name.
    pub name: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// Its configuration.
    pub config: SourceConfig,
    /// The slice.
    pub slice: Step,
    /// Its SLOs, in the places of the plan.
    pub entries: Vec<SharedEntry>,
    /// The source's own alert, as it was stored.
    pub alert: SourceAlert,
    /// What all pollers share.
    pub core: Arc<Core>,
    /// How long it goes on.
    pub pace: Pace,
    /// The backfill that runs beside the ticks; `None` at first.
    pub backfill: Option<Task>,
}

/// A task with what stops it.
type Task = (CancellationToken, tokio::task::JoinHandle<()>);

impl Poller {
    /// Polls until `stop` is cancelled; gives the state of the source's alert back, for the next poller.
    pub async fn run(mut self, plan: Plan, stop: CancellationToken) -> (String, SourceAlert) {
        // What an earlier set could not evaluate may not be there any more.
        self.core.health(&self.name, |health| health.cannot_evaluate.clear());
        let clock = self.core.clock.clone();
        let mut asker = Asker::new(Arc::clone(&self.source), self.config.clone(), plan, self.entries.clone(), clock);
        match self.pace {
            Pace::Service => self.keep_polling(&mut asker, &stop).await,
            Pace::Once => self.poll_once(&mut asker, &stop).await,
        }
        (self.name, self.alert)
    }

    /// One tick and the past, nothing beside each other: what a verb prints is of one moment.
    async fn poll_once(&mut self, asker: &mut Asker<Entry>, stop: &CancellationToken) {
        let newest = self.watermark();
        if asker.behind(newest).next().is_none() {
            return;
        }
        self.tick(asker, newest, stop).await;
        if asker.has_answers() {
            self.backfill().run(newest, stop).await;
            let again = self.entries.iter().map(|entry| entry.judge_again()).fold(Evaluated::default(), Evaluated::and);
            self.core.record(again.effects, again.commit).await;
        }
    }

    async fn keep_polling(&mut self, asker: &mut Asker<Entry>, stop: &CancellationToken) {
        let scraping = self.start_scraping(&stop).await;
        while !stop.is_cancelled() {
            self.progressed();
            let newest = self.watermark();
            if asker.behind(newest).next().is_some() {
                self.tick(asker, newest, stop).await;
            }
            if self.backfill.is_none() && asker.has_answers() {
                self.backfill = Some(self.start_backfill(newest, stop));
            }
            // The next slice is complete `delay` after its end, on the clock that the watermark goes by.
            let now = self.core.clock.now();
            let behind = now.since(self.core.health(&self.name, |health| health.data_clock(now)));
            let next = self.watermark() + self.slice.length() + self.config.delay + behind;
            tokio::select! {
                () = self.core.clock.sleep_until(next) => {}
                () = stop.cancelled() => {}
            }
        }
        self.stop_backfill().await;
        if let Some(task) = scraping {
            // It watches the same token; a panic in it was logged by the runtime.
            let _ = task.await;
        }
    }

    /// Where the source has pages they are fetched once before the first tick: without one nothing is known of them, and an
    /// alert of an earlier run would seem to be over.
    async fn start_scraping(&self, stop: &CancellationToken) -> Option<tokio::task::JoinHandle<()>> {
        let mut scraping = Scraping::new(&self.name, &self.source, &self.core)?;
        tokio::select! {
            () = self.waiting_for(scraping.once()) => {}
            () = stop.cancelled() => {}
        }
        Some(tokio::spawn(scraping.run(stop.clone())))
    }

    /// `w`: the end of the newest complete slice (SEMANTICS 1).
    fn watermark(&self) -> Timestamp {
        let now = self.core.clock.now();
        self.slice.floor(self.core.health(&self.name, |health| health.data_clock(now)) - self.config.delay)
    }

    fn backfill(&self) -> Backfill {
        Backfill::new(&self.name, &self.source, &self.config, &self.entries, &self.core, self.pace)
    }

    fn start_backfill(&self, now: Timestamp, stop: &CancellationToken) -> Task {
        let backfill = self.backfill();
        let stop = stop.child_token();
        let token = stop.clone();
        (stop, tokio::spawn(async move { backfill.run(now, &token).await }))
    }

    async fn stop_backfill(&mut self) {
        if let Some((stop, task)) = self.backfill.take() {
            stop.cancel();
            // A panic in it was logged by the runtime.
            let _ = task.await;
        }
    }

    /// Asks and evaluates up to `newest`, in several stretches where much was missed. All effects are thinned out and
    /// committed together at the end: what began and ended in missed time is not told, and a crash repeats all of it.
    async fn tick(&mut self, asker: &mut Asker<Entry>, newest: Timestamp, stop: &CancellationToken) {
        let started = tokio::time::Instant::now();
        let oldest = newest - CATCH_UP;
        let mut stretch = FIRST_STRETCH;
        let mut errors = Vec::new();
        let mut evaluated = Evaluated::default();
        let mut deciding = None;
        asker.begin_tick();
        while let Some(from) = asker.next_begin(newest, oldest).filter(|_| !stop.is_cancelled()) {
            let to = newest.min(self.slice.floor(from + stretch)).max(from + self.slice.length());
            let answers = self.waiting_for(asker.ask(to, oldest)).await;
            self.tell(&answers);
            stretch = next_stretch(stretch, answers.samples, SAMPLES_AN_ANSWER, FIRST_STRETCH);
            errors.extend(answers.errors);
            if deciding.is_none() {
                deciding = Some(self.core.deciding(&self.name).await);
            }
            self.begin_anew(&answers.observations, oldest).await;
            evaluated = evaluated.and(self.evaluate(answers.observations, to).await);
        }
        self.core.record(thin_out(evaluated.effects), evaluated.commit).await;
        drop(deciding);
        self.finish(newest, &errors, asker).await;
        let instances = self.entries.iter().map(|entry| entry.with(|inner| inner.state.instances().count())).sum();
        self.core.telemetry.tell(&event::Tick { as_of: newest, instances, took: started.elapsed() });
    }

    /// The loop goes on: what the heartbeat (`watchdog`) looks at.
    fn progressed(&self) {
        let now = self.core.clock.now();
        self.core.health(&self.name, |health| health.progressed_at = Some(now));
    }

    /// Waiting for a source is no standstill: its requests end by their `timeout`, and that it is down has its own alert.
    async fn waiting_for<T>(&self, answers: impl Future<Output = T>) -> T {
        let mut answers = std::pin::pin!(answers);
        loop {
            self.progressed();
            tokio::select! {
                answers = &mut answers => return answers,
                () = self.core.clock.sleep(self.slice.length()) => {}
            }
        }
    }

    /// SLOs that are answered again after more was missed than is evaluated: their windows are read anew from history.
    /// Until then everything stood still (SEMANTICS 3, *blind*).
    async fn begin_anew(&mut self, answers: &[(usize, Observation)], oldest: Timestamp) {
        if !self.source.has_history() {
            return;
        }
        let entries = answers.iter().filter_map(|(place, _)| self.entries.get(*place));
        let late = |entry: &&SharedEntry| entry.as_of().is_some_and(|held| held + self.config.gap < oldest);
        let late: Vec<SharedEntry> = entries.filter(late).cloned().collect();
        if !late.is_empty() {
            self.stop_backfill().await;
            for entry in late {
                entry.begin_anew(oldest);
            }
        }
    }

    /// What is worth telling of the answers.
    fn tell(&self, asked: &Asked) {
        let telemetry = &self.core.telemetry;
        self.core.health(&self.name, |health| {
            health.replicas_differ = asked.replicas_differ;
            if let Some((clock, received)) = asked.clock {
                health.clock(clock, received);
            }
        });
        if let Some((clock, received)) = asked.clock {
            let seconds = clock.seconds_f64() - received.seconds_f64();
            telemetry.tell(&event::ClockSkew { source: &self.name, seconds });
        }
        let refused = asked.refused;
        for (reason, count) in [("nan", refused.nan), ("infinite", refused.infinite), ("negative", refused.negative)] {
            telemetry.tell(&event::SamplesRefused { source: &self.name, reason, count });
        }
        let births = asked.births_uncounted as u64;
        telemetry.tell(&event::BirthsUncounted { source: &self.name, count: births });
        telemetry.tell(&event::ReplicasDiffer { source: &self.name, differ: asked.replicas_differ });
    }

    /// Evaluates off the tasks that answer people. What fails is told, and known to the heartbeat (`watchdog`).
    async fn evaluate(&self, observations: Vec<(usize, Observation)>, to: Timestamp) -> Evaluated {
        let ids = observations.iter().filter_map(|(place, _)| self.entries.get(*place)).map(|entry| entry.id().clone());
        let ids: Vec<SloId> = ids.collect();
        let evaluation = Evaluation {
            entries: self.entries.clone(),
            observations,
            to,
            config: self.core.config(),
            quiets: self.core.quiets(),
            now: self.core.clock.now(),
            source_alert: self.alert.holds_back().map(str::to_owned),
            keeps_slices: !self.source.has_history(),
        };
        let outcomes = tokio::task::spawn_blocking(move || evaluation.run()).await;
        let outcomes = outcomes.unwrap_or_else(|error| {
            let error = error.to_string();
            ids.into_iter().map(|id| (id, Err(error.clone()))).collect()
        });
        let mut all = Evaluated::default();
        for (slo, outcome) in outcomes {
            let is_news = self.core.health(&self.name, |health| health.evaluated(&slo, outcome.is_ok()));
            match outcome {
                Ok(evaluated) => {
                    if is_news {
                        tracing::info!(source = self.name, %slo, "the SLO is evaluated again");
                    }
                    all = all.and(evaluated);
                }
                Err(problem) if is_news => {
                    tracing::error!(source = self.name, %slo, problem, "an SLO cannot be evaluated");
                }
                Err(_) => {}
            }
        }
        all
    }

    /// How the source is, and its own alert.
    async fn finish(&mut self, newest: Timestamp, errors: &[SourceError], asker: &Asker<Entry>) {
        let now = self.core.clock.now();
        // A store that refuses a question answers: the SLO that asked it stands still, the source does not fail.
        // Pages that cannot be fetched answer as little as a store that cannot be reached; their SLOs are evaluated, because
        // that they are gone is known (`down`).
        let (before, silent) =
            self.core.health(&self.name, |health| (health.problem().map(str::to_owned), health.all_targets_fail()));
        let answers = !silent && errors.iter().all(|error| error.kind == SourceErrorKind::Rejected);
        self.core.health(&self.name, |health| {
            if !errors.is_empty() {
                health.noted(now, errors);
            }
            if answers {
                health.succeeded(now, newest);
            } else {
                health.unanswered(now, newest);
            }
        });
        if !errors.is_empty() {
            let problem = self.core.health(&self.name, |health| health.problem().map(str::to_owned));
            if answers && problem != before {
                let problem = problem.unwrap_or_default();
                tracing::warn!(
                    source = self.name,
                    problem,
                    "a question was refused; the SLOs that asked it stand still"
                );
            }
            self.freeze(asker.behind(newest)).await;
        }
        let (since, problem) = self
            .core
            .health(&self.name, |health| (health.failing_slice, health.problem().unwrap_or_default().to_owned()));
        let error = (!problem.is_empty()).then_some(problem.as_str());
        self.core.telemetry.tell(&event::SourceHealth { source: &self.name, up: since.is_none(), error });
        let config = self.core.config();
        let subject = source_subject(&self.name, &config);
        let rule =
            SourceRule { subject: &subject, after: self.config.alert_after, severity: self.config.alert_severity };
        let standing = since.map_or(Standing::Answers, |since| Standing::Fails { since, error: &problem });
        // By slice ends and not by the wall clock: two copies of the service tell the same, under the same ids.
        let step = self.alert.step(&rule, standing, newest);
        if step.changed {
            self.core.record(step.effects, self.alert_state()).await;
        }
    }

    fn alert_state(&self) -> Commit {
        alert_state(&self.name, &self.alert)
    }

    /// The SLOs that stand still say so.
    async fn freeze(&self, behind: impl Iterator<Item = &SharedEntry>) {
        let _deciding = self.core.deciding(&self.name).await;
        let still = behind.map(|entry| entry.mark_blind()).fold(Evaluated::default(), Evaluated::and);
        if !still.effects.is_empty() || still.commit != Commit::default() {
            self.core.record(still.effects, still.commit).await;
        }
    }
}

/// Whom a source's alert is about; in shadow where the whole service is.
#[must_use]
pub fn source_subject(name: &str, config: &Config) -> Subject {
    let mut subject = Subject::source(name, &config.server.external_labels);
    subject.mode = config.mode;
    subject
}

/// The state of a source's alert, to be written.
#[must_use]
pub fn alert_state(name: &str, alert: &SourceAlert) -> Commit {
    let id = InstanceId::ungrouped(SloId::new(SOURCE_SERVICE, name));
    let mut commit = Commit::default();
    if alert.state().is_quiet() {
        commit.forgotten.push(id.to_string());
        return commit;
    }
    match write(&id, alert.state()) {
        Ok(record) => commit.states.push((id.to_string(), record)),
        Err(error) => tracing::error!(source = name, %error, "the state of a source's alert cannot be written"),
    }
    commit
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::check::load::load;
    use crate::clock::Clock;
    use crate::policy::book::AlertBook;
    use crate::policy::compile::{Terms, definition};
    use crate::runtime::blueprint::SloPlan;
    use crate::source::memory::Memory;
    use crate::store::memory::MemoryStore;
    use crate::telemetry::Telemetry;
    use crate::yaml::SourceText;

    fn entries() -> Vec<SharedEntry> {
        let slo = |name: &str| {
            format!("  - {{name: {name}, objective: 99%, window: 1d, sli: {{events: {{bad: b, total: t}}}}}}\n")
        };
        let text = format!("version: slo/v1\nservice: shop\nslos:\n{}{}{}", slo("a"), slo("b"), slo("c"));
        let terms = Terms { slice: Step::DEFAULT, gap: Length::from_minutes(5), instances_limit: 10 };
        let entry = |slo: &Arc<crate::spec::meant::Slo>| {
            let plan = SloPlan {
                definition: Arc::new(definition(slo, terms).unwrap()),
                generation: slo.generation(),
                subject: Subject::of(slo, &BTreeMap::new()),
                slo: Arc::clone(slo),
            };
            Entry::new(&plan, AlertBook::new(slo.id.clone()), None, Timestamp::from_seconds(0))
        };
        load(&[SourceText::named("a.yaml", text)]).slos.iter().map(entry).collect()
    }

    /// An evaluation divides by this step of pushdown: none is never read from files.
    fn break_or_mend(entry: &Entry, step: Option<Length>) {
        entry.with(|inner| {
            let mut definition = (**inner.state.definition()).clone();
            definition.pushdown = step;
            inner.state.redefine(&Arc::new(definition));
        });
    }

    #[tokio::test]
    async fn an_evaluation_that_panics_costs_its_own_slo_only_and_is_known_until_it_is_over() {
        let mut config = Config::empty(Path::new(""));
        let source_config = config.sources.remove("prometheus").unwrap();
        let store = Arc::new(MemoryStore::new());
        let core = Arc::new(Core::new(Clock::system(), Telemetry::new("test"), store, Arc::new(config)));
        let poller = Poller {
            name: "prometheus".to_owned(),
            source: Arc::new(Memory::default()),
            config: source_config,
            slice: Step::DEFAULT,
            entries: entries(),
            alert: SourceAlert::default(),
            core: Arc::clone(&core),
            pace: Pace::Service,
            backfill: None,
        };
        let tick = async |from: i64, to: i64| {
            let (from, to) = (Timestamp::from_seconds(from), Timestamp::from_seconds(to));
            let answer = |place| (place, Observation { from, to, ..Observation::default() });
            let evaluated = poller.evaluate((0..3).map(answer).collect(), to).await;
            let written: Vec<String> = evaluated.commit.watermarks.into_keys().collect();
            let failing =
                core.health("prometheus", |health| health.cannot_evaluate.iter().map(SloId::to_string).collect());
            let failing: Vec<String> = failing;
            (written.iter().map(|key| key.split('@').next().unwrap().to_owned()).collect::<Vec<_>>(), failing)
        };
        break_or_mend(&poller.entries[1], Some(Length::ZERO));
        let (written, failing) = tick(0, 60).await;
        assert_eq!(written, ["slo/shop/a", "slo/shop/c"], "what the others decided is kept");
        assert_eq!(failing, ["shop/b"]);
        break_or_mend(&poller.entries[1], None);
        let (written, failing) = tick(0, 90).await;
        assert_eq!(written, ["slo/shop/a", "slo/shop/b", "slo/shop/c"]);
        assert!(failing.is_empty(), "{failing:?}");
    }
}
