//! A replay from the stores: the past is read forward in stretches, each SLO lives through it, and the alerts of the
//! rules in use today are put beside.
//!
//! The questions are those of the running service ([`Asker`], [`Reader`]), so counts are the same. The replay begins 6 h
//! before the time asked for, as a cold start does, so that what fires at the beginning has its true begin where it is
//! not older; the whole period before is read first. Memory is bounded as in the service: a stretch is as long as a million
//! samples, at most 6 h. What does not answer ends the replay: nothing is shown of half a history.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use rayon::prelude::*;

use crate::clock::Clock;
use crate::config::meant::{Config, SourceConfig};
use crate::engine::observation::{History, Observation};
use crate::engine::state::Birth;
use crate::plan::{Plan, overlap};
use crate::policy::compile::{Terms, definition};
use crate::policy::route::{Addressee, ways};
use crate::replay::foreign::{ForeignAlert, Steps, alerts, only_pending, slo_of};
use crate::replay::matching::pair;
use crate::replay::player::Player;
use crate::replay::told::Told;
use crate::replay::watch::Watch;
use crate::replay::why::{Difference, Histories};
use crate::runtime::asker::{Asker, Asking, next_stretch};
use crate::runtime::backfill::{Reader, begin_of_past};
use crate::runtime::blueprint::{Blueprint, SloPlan};
use crate::runtime::core::held;
use crate::runtime::poller::CATCH_UP;
use crate::runtime::recorded;
use crate::source::{Source, SourceError, SourceErrorKind};
use crate::spec::meant::{Absent, Alive, Sli, Slo};
use crate::spec::policy::{AlertSeverity, Policy};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, SloId, Step, Timestamp};

/// Samples of one answer: a million are about 40 MB of JSON.
const SAMPLES_AN_ANSWER: i64 = 1_000_000;
/// The first stretch, before it is known how many series there are.
const FIRST_STRETCH: Length = Length::from_minutes(10);
/// The longest stretch: what is held of raw samples at once.
const LONGEST_STRETCH: Length = Length::from_hours(6);
/// History is read in whole hours.
const HOUR: Length = Length::from_hours(1);
/// Points by which the history of foreign alerts is looked at, as far as the steps are not longer than they may be.
const LOOKS: i64 = 44_000;
/// Steps of that look.
const STEPS: (Length, Length) = (Length::from_seconds(1), Length::from_seconds(15));

/// What is replayed.
pub struct Request<'a> {
    /// What is loaded; its sinks are not used.
    pub blueprint: &'a Blueprint,
    /// The SLOs of it that are wanted, several with another policy each.
    pub slos: Vec<SloPlan>,
    /// After this ..
    pub from: Timestamp,
    /// .. up to this, or to the newest complete slice where that is older.
    pub to: Timestamp,
    /// Selector of the alerts of the rules in use.
    pub against: Option<Selector>,
}

/// How far a replay is, from 0 to 1.
pub type Progress<'a> = &'a (dyn Fn(f64) + Send + Sync);

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// One for each SLO asked for, in its place.
    pub slos: Vec<SloOutcome>,
    /// Alerts there that are about no SLO of these.
    pub unmatched: Vec<ForeignAlert>,
    /// Alerts there that are about SLOs of the files that are not replayed.
    pub not_replayed: Vec<ForeignAlert>,
}

/// What became of one SLO.
#[derive(Clone, Debug, PartialEq)]
pub struct SloOutcome {
    /// Its id.
    pub id: SloId,
    /// The policy that it was replayed with.
    pub policy: String,
    /// After this ..
    pub from: Timestamp,
    /// .. up to this slice end.
    pub to: Timestamp,
    /// How long after a slice end the service decides.
    pub delay: Length,
    /// What was sent, oldest first.
    pub told: Vec<Told>,
    /// What fired and was held back until it ended.
    pub held_back: Vec<Told>,
    /// Alerts of the rules in use.
    pub against: Vec<ForeignAlert>,
    /// How both compare, where there was anything to compare with.
    pub differences: Vec<Difference>,
}

/// An SLO on its way, that questions are asked for.
struct Past {
    slo: Arc<Slo>,
    /// How far back its period and tiers look.
    reach: Length,
    player: Mutex<Player>,
}

impl Asking for Past {
    fn as_of(&self) -> Option<Timestamp> {
        held(&self.player).as_of()
    }

    fn differs(&self, observation: &Observation) -> bool {
        held(&self.player).differs(observation)
    }

    fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth> {
        held(&self.player).undecided(observation, as_of)
    }
}

impl Past {
    /// How far back it is known, and how many series it holds, where `until` is older.
    fn back_to(&self, until: Timestamp) -> Option<(Timestamp, usize)> {
        let player = held(&self.player);
        let known = player.known_from().filter(|known| *known > until)?;
        Some((known, player.series_count()))
    }
}

/// The part of a replay that asks one source.
struct Stage<'a> {
    name: &'a str,
    source: &'a Arc<dyn Source>,
    config: &'a SourceConfig,
    slice: Step,
    clock: &'a Clock,
    /// First slice end lived through comes after this.
    begin: Timestamp,
    /// The last one.
    end: Timestamp,
    progress: Progress<'a>,
}

/// Each SLO once for each of these policies, in place of its own.
///
/// # Errors
/// In words, where there is no such policy, or it does not fit an SLO.
pub fn with_policies(
    blueprint: &Blueprint,
    slos: &[SloPlan],
    policies: &BTreeMap<String, Arc<Policy>>,
    names: &[String],
) -> Result<Vec<SloPlan>, String> {
    let config = &blueprint.config;
    let mut plans = Vec::with_capacity(slos.len() * names.len());
    for plan in slos {
        let Some(source) = config.sources.get(&plan.slo.source) else { continue };
        let terms = Terms { slice: config.slice, gap: source.gap, instances_limit: config.limits.instances_per_slo };
        for name in names {
            let policy = policies.get(name).ok_or_else(|| {
                let known: Vec<&str> = policies.keys().map(String::as_str).collect();
                format!("there is no policy `{name}`; there are {}", known.join(", "))
            })?;
            let mut slo = Arc::clone(&plan.slo);
            Arc::make_mut(&mut slo).alerting.policy = Arc::clone(policy);
            let definition = definition(&slo, terms).map_err(|misfit| format!("{}: {misfit}", slo.id))?;
            plans.push(SloPlan { slo, definition: Arc::new(definition), ..plan.clone() });
        }
    }
    Ok(plans)
}

/// Lives through the time asked for.
///
/// # Errors
/// Where a source does not answer, or refuses a question.
pub async fn replay(request: &Request<'_>, clock: &Clock, progress: Progress<'_>) -> Result<Outcome, SourceError> {
    let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, plan) in request.slos.iter().enumerate() {
        by_source.entry(plan.slo.source.as_str()).or_default().push(place);
    }
    let config = &request.blueprint.config;
    let mut found: BTreeMap<usize, SloOutcome> = BTreeMap::new();
    let mut unmatched: Vec<ForeignAlert> = Vec::new();
    let share = 1.0 / by_source.len().max(1) as f64;
    for (turn, (name, places)) in by_source.into_iter().enumerate() {
        let known = request.blueprint.sources.get(name).zip(config.sources.get(name));
        let Some((source, source_config)) = known else { continue };
        let done = turn as f64 * share;
        let forward = move |part: f64| progress(done + part * share);
        let newest = config.slice.floor(clock.now() - source_config.delay);
        let stage = Stage {
            name,
            source,
            config: source_config,
            slice: config.slice,
            clock,
            begin: config.slice.floor(request.from) - CATCH_UP,
            end: config.slice.floor(request.to).min(newest),
            progress: &forward,
        };
        let plans: Vec<&SloPlan> = places.iter().filter_map(|place| request.slos.get(*place)).collect();
        let (outcomes, rest) = stage.run(request, &plans).await?;
        found.extend(places.into_iter().zip(outcomes));
        unmatched.extend(rest);
    }
    unmatched.sort_by(|a, b| (a.fired_at, &a.labels).cmp(&(b.fired_at, &b.labels)));
    unmatched.dedup();
    let ids: Vec<SloId> = request.blueprint.slos.iter().map(|plan| plan.slo.id.clone()).collect();
    let (not_replayed, unmatched) = unmatched.into_iter().partition(|alert| slo_of(&alert.labels, &ids).is_some());
    Ok(Outcome { slos: found.into_values().collect(), unmatched, not_replayed })
}

impl Stage<'_> {
    /// All SLOs of the source, and the alerts there that are about none of them.
    async fn run(
        &self,
        request: &Request<'_>,
        plans: &[&SloPlan],
    ) -> Result<(Vec<SloOutcome>, Vec<ForeignAlert>), SourceError> {
        if !self.source.has_history() {
            return Err(SourceError {
                doing: format!("replaying the past of source `{}`", self.name),
                problem: "it keeps no history; only a store can be replayed".to_owned(),
                kind: SourceErrorKind::Unsupported,
            });
        }
        let (all, waits) = match &request.against {
            Some(selector) => self.foreign_alerts(selector).await?,
            None => (Vec::new(), Vec::new()),
        };
        let ids: Vec<SloId> = plans.iter().map(|plan| plan.slo.id.clone()).collect();
        let ((mine, unmatched), (pending, _)) = (sorted(all, &ids), sorted(waits, &ids));
        let of = |plan: &SloPlan| mine.get(&plan.slo.id).map(Vec::as_slice).unwrap_or_default();
        let pasts: Vec<Arc<Past>> = plans
            .iter()
            .map(|plan| {
                let watches = of(plan).iter().map(|alert| alert.watch(&plan.definition.by, self.end));
                Arc::new(self.past(plan, &request.blueprint.config, watches))
            })
            .collect();
        // Several policies of an SLO share its history.
        let mut by_slo: BTreeMap<&SloId, Vec<Arc<Past>>> = BTreeMap::new();
        for past in &pasts {
            by_slo.entry(&past.slo.id).or_default().push(Arc::clone(past));
        }
        stream::iter(by_slo.into_values())
            .map(Ok)
            .try_for_each_concurrent(self.config.concurrency.max(1), async |alike| self.read_back(&alike).await)
            .await?;
        self.live_through(&pasts).await?;
        let mut outcomes = Vec::with_capacity(plans.len());
        for (plan, past) in plans.iter().zip(pasts) {
            let (told, watches) = held(&past.player).finish();
            let pending = pending.get(&plan.slo.id).map(Vec::as_slice).unwrap_or_default();
            outcomes.push(self.outcome(request, plan, (of(plan), pending), told, &watches).await?);
        }
        let unmatched = unmatched.into_iter().filter(|alert| reaches(alert.resolved_at, request.from)).collect();
        Ok((outcomes, unmatched))
    }

    fn past(&self, plan: &SloPlan, config: &Config, watches: impl Iterator<Item = Watch>) -> Past {
        let (service, owner) = (plan.slo.id.service.as_str(), plan.slo.owner.as_deref());
        let (slo, labels) = (plan.slo.id.to_string(), plan.subject.shared_labels(&Labels::new()));
        let addressee = Addressee { severity: AlertSeverity::Page, service, owner, slo: &slo, labels: &labels };
        // Files without any route are tried out before there are sinks: pages are taken as told.
        let told = config.routes.is_empty() || !ways(config, addressee, self.begin).lead_nowhere();
        let mut player = Player::new(&plan.definition, &plan.subject, told, self.begin);
        player.watch(watches);
        Past { slo: Arc::clone(&plan.slo), reach: plan.definition.reach(), player: Mutex::new(player) }
    }

    /// Reads the period before the begin, newest first, of one SLO: once for all that play it.
    async fn read_back(&self, alike: &[Arc<Past>]) -> Result<(), SourceError> {
        let Some(past) = alike.first() else { return Ok(()) };
        let reach = alike.iter().map(|past| past.reach).max().unwrap_or_default();
        let until = begin_of_past(self.begin, reach, self.config.gap);
        let reader = Reader { source: self.source, config: self.config };
        let mut plan = Plan::new(&[Arc::clone(&past.slo)], overlap(self.config), self.slice);
        let mut length = HOUR;
        while let Some((to, series)) = past.back_to(until) {
            // Where nothing is there yet, that may change with every hour further back.
            length = if series == 0 { length * 2 } else { reader.length(series) };
            let from = (to - length).ceil_to(HOUR).min((to - HOUR).ceil_to(HOUR)).max(until);
            let shared = Arc::clone(past);
            let undecided = move |history: &History| held(&shared.player).undecided_in_history(history);
            let (history, _) = reader.stretch(&mut plan, (from, to), self.begin, &undecided).await?;
            let shared = alike.to_vec();
            off_the_tasks(move || shared.iter().for_each(|past| held(&past.player).prepend(&history))).await;
        }
        Ok(())
    }

    /// Asks for one stretch after the other, forward, and evaluates every slice end.
    async fn live_through(&self, pasts: &[Arc<Past>]) -> Result<(), SourceError> {
        let slos: Vec<Arc<Slo>> = pasts.iter().map(|past| Arc::clone(&past.slo)).collect();
        let plan = Plan::new(&slos, overlap(self.config), self.slice);
        let (source, clock) = (Arc::clone(self.source), self.clock.clone());
        let mut asker = Asker::new(source, self.config.clone(), plan, pasts.to_vec(), clock);
        let mut stretch = FIRST_STRETCH;
        let whole = self.end.since(self.begin).seconds_f64();
        while let Some(from) = asker.next_begin(self.end, self.begin) {
            let to = self.end.min(self.slice.floor(from + stretch)).max(from + self.slice.length());
            let answers = asker.ask(to, self.begin).await;
            if let Some(error) = answers.errors.into_iter().next() {
                return Err(error);
            }
            stretch = next_stretch(stretch, answers.samples, SAMPLES_AN_ANSWER, FIRST_STRETCH).min(LONGEST_STRETCH);
            let observations = answers.observations;
            if observations.iter().any(|(place, observation)| self.has_hole(pasts, *place, observation, to)) {
                for (since, until) in self.silences(from, to).await? {
                    for past in pasts {
                        held(&past.player).store_was_silent(since, until);
                    }
                }
            }
            let shared = pasts.to_vec();
            off_the_tasks(move || {
                observations.par_iter().for_each(|(place, observation)| {
                    if let Some(past) = shared.get(*place) {
                        held(&past.player).play(observation, to);
                    }
                });
            })
            .await;
            (self.progress)(to.since(self.begin).seconds_f64() / whole);
        }
        Ok(())
    }

    /// Whether an SLO's answer leaves open if the store itself was down: its targets are not seen for longer than `G`, or
    /// what is missing counts as bad.
    fn has_hole(&self, pasts: &[Arc<Past>], place: usize, observation: &Observation, to: Timestamp) -> bool {
        let Some(past) = pasts.get(place) else { return false };
        let asks = past.slo.alive != Alive::None;
        let mut seen: Vec<Timestamp> = vec![observation.from, to];
        let alive = observation.series.iter().filter(|series| series.roles.alive);
        seen.extend(alive.flat_map(|series| series.samples.iter().map(|sample| sample.at)));
        seen.sort_unstable();
        let hole = seen.windows(2).any(|pair| matches!(pair, [a, b] if b.since(*a) > self.config.gap));
        (asks && hole) || matches!(past.slo.sli, Sli::Gauge { absent: Absent::Bad, .. })
    }

    /// The times within `(from, to]` in which the store has no sample of `up` for longer than `G`: it was down itself.
    async fn silences(&self, from: Timestamp, to: Timestamp) -> Result<Vec<(Timestamp, Timestamp)>, SourceError> {
        let slice = self.slice.length();
        let begin = from - self.config.gap;
        let values = self.source.evaluate("max(timestamp(up))", begin, to.floor_to(slice), slice).await?;
        let newest = values.iter().flat_map(|value| &value.points).map(|(_, at)| Timestamp::from_seconds_f64(*at));
        let mut seen: Vec<Timestamp> = newest.chain([begin, to]).collect();
        seen.sort_unstable();
        let gap = self.config.gap;
        let silent = seen.windows(2).filter_map(|pair| match pair {
            [a, b] if b.since(*a) > gap => Some((*a, *b)),
            _ => None,
        });
        Ok(silent.collect())
    }

    /// The alerts that `selector` selects, and the times in which it selects pending ones that never fired.
    async fn foreign_alerts(&self, selector: &Selector) -> Result<(Vec<ForeignAlert>, Vec<ForeignAlert>), SourceError> {
        let wanted = Length::from_millis(self.end.since(self.begin).millis() / LOOKS);
        let step = Length::from_seconds(wanted.millis() / 1_000 + 1).clamp(STEPS.0, STEPS.1);
        let steps = Steps { from: self.begin.ceil_to(step), to: self.end, step };
        let promql = format!("timestamp({selector})");
        let values = self.source.evaluate(&promql, steps.from, steps.to.floor_to(step), step).await?;
        let series: Vec<(Labels, Vec<(Timestamp, Timestamp)>)> = values
            .into_iter()
            .map(|value| {
                let points = value.points.into_iter().map(|(at, newest)| (at, Timestamp::from_seconds_f64(newest)));
                (value.labels, points.collect())
            })
            .collect();
        Ok((alerts(&series, steps), only_pending(&series, steps)))
    }

    async fn outcome(
        &self,
        request: &Request<'_>,
        plan: &SloPlan,
        (against, pending): (&[ForeignAlert], &[ForeignAlert]),
        told: Vec<Told>,
        watches: &[Watch],
    ) -> Result<SloOutcome, SourceError> {
        let histories =
            Histories { definition: &plan.definition, there: against, watches, pending, here: &told, end: self.end };
        let mut differences = Vec::new();
        if request.against.is_some() {
            for pairing in pair(against, &told, &plan.definition.by, self.end) {
                let there = pairing.there.iter().filter_map(|place| against.get(*place));
                let here = pairing.here.iter().filter_map(|place| told.get(*place));
                let ends = there.map(|alert| alert.resolved_at).chain(here.map(|alert| alert.resolved_at));
                if !ends.into_iter().any(|end| reaches(end, request.from)) {
                    continue;
                }
                let questions = histories.recorded(&pairing);
                let figures = recorded::figures(self.source, &plan.slo.id, &questions, (self.begin, self.end)).await?;
                differences.push(histories.difference(&pairing, &figures));
            }
        }
        let shown = told.into_iter().filter(|told| reaches(told.resolved_at, request.from));
        let (told, held_back) = shown.partition(Told::was_told);
        let against = against.iter().filter(|alert| reaches(alert.resolved_at, request.from)).cloned().collect();
        Ok(SloOutcome {
            id: plan.slo.id.clone(),
            policy: plan.slo.alerting.policy.name.clone(),
            from: request.from,
            to: self.end,
            delay: self.config.delay,
            told,
            held_back,
            against,
            differences,
        })
    }
}

/// Alerts by the SLO that they are about, and those that are about none.
fn sorted(all: Vec<ForeignAlert>, ids: &[SloId]) -> (BTreeMap<SloId, Vec<ForeignAlert>>, Vec<ForeignAlert>) {
    let mut mine: BTreeMap<SloId, Vec<ForeignAlert>> = BTreeMap::new();
    let mut unmatched = Vec::new();
    for alert in all {
        match slo_of(&alert.labels, ids) {
            Some(id) => mine.entry(id.clone()).or_default().push(alert),
            None => unmatched.push(alert),
        }
    }
    (mine, unmatched)
}

/// Whether an alert that ended at `end` is seen after `from`.
fn reaches(end: Option<Timestamp>, from: Timestamp) -> bool {
    end.is_none_or(|end| end > from)
}

/// Runs what takes long beside the tasks that wait for answers.
async fn off_the_tasks(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!(%error, "a replay failed unexpectedly");
    }
}
