//! One tick's questions to one source: each query once, all at the same time, the answers as observations per SLO.
//!
//! It knows how far each SLO has been answered. An SLO moves on only when all of its questions were answered, so its
//! next answer covers what was missed. Ranges overlap by `G`, because late samples replace what was read before.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::clock::Clock;
use crate::config::meant::SourceConfig;
use crate::engine::observation::{Observation, Point, Roles, SeriesSamples, Start};
use crate::engine::state::Birth;
use crate::plan::Plan;
use crate::source::{Answer, Newborn, Refused, Source, SourceError, SourceErrorKind, Value};
use crate::spec::meant::Sli;
use crate::units::{Length, Timestamp};

/// An SLO that is asked for: it knows how far it is and what it holds. One of the running service, or one of a replay.
pub trait Asking: Send + Sync {
    /// Its watermark.
    fn as_of(&self) -> Option<Timestamp>;

    /// Whether an answer comes from another replica than what is held.
    fn differs(&self, observation: &Observation) -> bool;

    /// Births whose target's start is worth asking for.
    fn undecided(&self, observation: &Observation, as_of: Timestamp) -> Vec<Birth>;
}

/// Asks one source on behalf of its SLOs.
pub struct Asker<E> {
    source: Arc<dyn Source>,
    config: SourceConfig,
    plan: Plan,
    entries: Vec<Arc<E>>,
    /// How far each SLO was answered.
    answered: Vec<Option<Timestamp>>,
    /// SLOs whose questions failed in this tick: they are not asked again before the next one.
    failed: BTreeSet<usize>,
    clock: Clock,
}

/// The answer to a pushdown question; `None` where it was not due.
type Evaluated = Option<Result<Vec<Value>, SourceError>>;

/// The answer to a query and when it was received, with where its range begins; `None` where nobody needed it.
type Ranged = Option<(Timestamp, Result<(Answer, Timestamp), SourceError>)>;

/// What one round of questions gave.
#[derive(Default)]
pub struct Asked {
    /// Place of the SLO and what was said, for those whose questions were all answered.
    pub observations: Vec<(usize, Observation)>,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// The source's clock, if it told, and ours at that moment.
    pub clock: Option<(Timestamp, Timestamp)>,
    /// Samples refused.
    pub refused: Refused,
    /// Samples, or values, of the largest answer, for the length of the next stretch.
    pub samples: usize,
    /// Another replica answered than before.
    pub replicas_differ: bool,
    /// Births for which no start time was known: they count nothing.
    pub births_uncounted: usize,
}

impl<E: Asking> Asker<E> {
    /// Asks `source` for the SLOs of `entries`, whose places are those of `plan`.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, config: SourceConfig, plan: Plan, entries: Vec<Arc<E>>, clock: Clock) -> Self {
        let answered = entries.iter().map(|entry| entry.as_of()).collect();
        Self { source, config, plan, entries, answered, failed: BTreeSet::new(), clock }
    }

    /// Whether any SLO was ever answered.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        self.answered.iter().any(Option::is_some)
    }

    /// A tick begins: what failed in the last one is asked again.
    pub fn begin_tick(&mut self) {
        self.failed.clear();
    }

    /// Where the next stretch on the way to `newest` begins; `None` where everything is answered, or failed in this tick.
    #[must_use]
    pub fn next_begin(&self, newest: Timestamp, oldest: Timestamp) -> Option<Timestamp> {
        (0..self.entries.len()).filter(|place| self.needs(*place, newest)).map(|place| self.begin(place, oldest)).min()
    }

    /// Asks everything up to the slice end `to`; what was never answered, or not since `oldest`, from there. An answer
    /// that lacks samples held comes from another replica: then `2G` are asked and used by themselves (SEMANTICS 2).
    pub async fn ask(&mut self, to: Timestamp, oldest: Timestamp) -> Asked {
        let mut asked = self.round(to, oldest, self.config.gap).await;
        let differs = |(place, observation): &(usize, Observation)| {
            self.entries.get(*place).is_some_and(|entry| entry.differs(observation))
        };
        if asked.observations.iter().any(differs) {
            asked = self.round(to, oldest, self.config.gap * 2).await;
            asked.replicas_differ = true;
            asked.observations.iter_mut().for_each(|(_, observation)| observation.other_replica = true);
        }
        self.add_starts(&mut asked, to).await;
        for (place, _) in &asked.observations {
            let to = self.reachable(*place, to);
            if let Some(answered) = self.answered.get_mut(*place) {
                *answered = (*answered).max(Some(to));
            }
        }
        asked
    }

    /// The SLOs that were not answered up to `to`.
    pub fn behind(&self, to: Timestamp) -> impl Iterator<Item = &Arc<E>> {
        let behind = move |(place, entry)| self.is_behind(place, to).then_some(entry);
        self.entries.iter().enumerate().filter_map(behind)
    }

    /// How far an SLO can be answered at `to`: a pushdown SLO up to its newest evaluation.
    fn reachable(&self, place: usize, to: Timestamp) -> Timestamp {
        self.plan.pushdown(place).map_or(to, |pushdown| to.floor_to(pushdown.step))
    }

    fn is_behind(&self, place: usize, to: Timestamp) -> bool {
        let to = self.reachable(place, to);
        self.answered.get(place).is_some_and(|answered| answered.is_none_or(|answered| answered < to))
    }

    /// Whether an SLO has not been answered up to `to` yet, and has not failed in this tick.
    fn needs(&self, place: usize, to: Timestamp) -> bool {
        !self.failed.contains(&place) && self.is_behind(place, to)
    }

    async fn round(&mut self, to: Timestamp, oldest: Timestamp, overlap: Length) -> Asked {
        // Before the samples: what a look found is then among them.
        let looks = self.source.looks();
        let (answers, mut points) = tokio::join!(self.raw(to, oldest, overlap), self.evaluations(to, oldest, overlap));
        let mut asked = Asked::default();
        let mut failed: BTreeSet<usize> = BTreeSet::new();
        let mut from = vec![oldest - overlap; self.entries.len()];
        let mut series = Vec::new();
        for (query, answer) in self.plan.queries().iter().zip(answers) {
            let Some((begin, answer)) = answer else { continue };
            for place in &query.slos {
                if let Some(from) = from.get_mut(*place) {
                    *from = begin.max(*from);
                }
            }
            match answer {
                Ok((answer, received)) => {
                    asked.take(&answer, received);
                    series.extend(answer.series.into_iter().map(SeriesSamples::from));
                }
                Err(error) => {
                    failed.extend(&query.slos);
                    asked.errors.push(error);
                }
            }
        }
        let since = self.source.holds_since().map(|first| first - Length::from_millis(1));
        for (place, mut observation) in self.plan.observe(to, to, series).into_iter().enumerate() {
            if self.plan.pushdown(place).is_some() {
                from.get_mut(place).into_iter().for_each(|from| *from = self.begin(place, oldest) - overlap);
            }
            observation.from = from.get(place).copied().max(since).unwrap_or(to);
            observation.looks = Arc::clone(&looks);
            if let Some(error) = self.no_bucket(place, &observation).filter(|_| self.needs(place, to)) {
                failed.insert(place);
                asked.errors.push(error);
            }
            match self.points(place, &points) {
                Ok(points) => observation.points = points,
                Err(error) => {
                    failed.insert(place);
                    asked.errors.extend(error);
                }
            }
            if self.needs(place, to) && !failed.contains(&place) {
                asked.observations.push((place, observation));
            }
        }
        let sizes = points.iter().flatten().flatten().map(|values| values.iter().map(|value| value.points.len()).sum());
        asked.samples = asked.samples.max(sizes.max().unwrap_or(0));
        asked.errors.extend(points.drain(..).flatten().filter_map(Result::err));
        self.failed.extend(failed);
        asked
    }

    /// A histogram without a bucket at the threshold: counted as it stands, every event would be bad. Where `good` has
    /// matchers of its own, that all events fail them is a possible answer, and nothing is said.
    fn no_bucket(&self, place: usize, observation: &Observation) -> Option<SourceError> {
        let slo = self.plan.slos().get(place)?;
        let Sli::Exact { events, total, .. } = &slo.sli else { return None };
        let bound = events.bucket?;
        let alike = events.matchers.iter().all(|matcher| matcher.name == "le" || total.matchers.contains(matcher));
        let has = |wanted: fn(Roles) -> bool| observation.series.iter().any(|series| wanted(series.roles));
        (alike && has(|roles| roles.total) && !has(|roles| roles.events)).then(|| SourceError {
            doing: format!("counting `{}`", slo.id),
            problem: format!(
                "no series of `{}` has a bucket `le` of {bound}, so nothing is counted; choose a threshold that is a bucket \
                 of the histogram",
                events.metric
            ),
            kind: SourceErrorKind::Rejected,
        })
    }

    /// The points of a pushdown SLO; none for another and where no evaluation is due. An error without a text is one
    /// of a question, which is told once for all SLOs that asked it.
    fn points(&self, place: usize, answers: &[Evaluated]) -> Result<Vec<Point>, Option<SourceError>> {
        let Some(pushdown) = self.plan.pushdown(place) else { return Ok(Vec::new()) };
        let answer = |question: usize| answers.get(question).and_then(Option::as_ref);
        match (answer(pushdown.events), answer(pushdown.total)) {
            (Some(Ok(events)), Some(Ok(total))) => {
                let points = pushdown.points(self.plan.questions(), events, total);
                points.map_err(|error| Some(rejected(&error.to_string())))
            }
            (None, _) | (_, None) => Ok(Vec::new()),
            _ => Err(None),
        }
    }

    /// Where an SLO's questions begin, without the overlap.
    fn begin(&self, place: usize, oldest: Timestamp) -> Timestamp {
        self.answered.get(place).copied().flatten().unwrap_or(oldest).max(oldest)
    }

    /// The answers to all queries that somebody needs, each with where its range begins.
    async fn raw(&self, to: Timestamp, oldest: Timestamp, overlap: Length) -> Vec<Ranged> {
        join_all(self.plan.queries().iter().map(|query| async move {
            let needed = query.slos.iter().filter(|place| self.needs(**place, to));
            let from = needed.map(|place| self.begin(*place, oldest)).min()? - overlap;
            let answer = self.source.samples(&query.selector, from, to).await;
            Some((from, answer.map(|answer| (answer, self.clock.now()))))
        }))
        .await
    }

    /// The answers to the pushdown questions; `None` where nobody needs one. The last `overlap` is evaluated again: late
    /// samples change it.
    async fn evaluations(&self, to: Timestamp, oldest: Timestamp, overlap: Length) -> Vec<Evaluated> {
        join_all(self.plan.questions().iter().enumerate().map(|(index, question)| async move {
            let (first, last, step) = (0..self.entries.len())
                .filter(|place| self.needs(*place, to))
                .filter_map(|place| {
                    let pushdown = self.plan.pushdown(place)?;
                    let asks = pushdown.events == index || pushdown.total == index;
                    let (first, last) = pushdown.due(self.begin(place, oldest) - overlap, to)?;
                    asks.then_some((first, last, pushdown.step))
                })
                .min_by_key(|(first, _, _)| *first)?;
            Some(self.source.evaluate(&question.promql, first, last, step).await)
        }))
        .await
    }

    /// When the targets of undecided births started (SEMANTICS 2.4a). A question that fails leaves them uncounted.
    async fn add_starts(&self, asked: &mut Asked, to: Timestamp) {
        let mut newborns: Vec<Newborn> = Vec::new();
        let mut births: Vec<(usize, Birth)> = Vec::new();
        for (place, observation) in &asked.observations {
            let Some(entry) = self.entries.get(*place) else { continue };
            for birth in entry.undecided(observation, to) {
                let born = observation.series.iter().find(|series| series.fingerprint == birth.fingerprint);
                newborns.extend(born.map(|series| Newborn { labels: Arc::clone(&series.labels), at: birth.at }));
                births.push((*place, birth));
            }
        }
        if newborns.is_empty() {
            return;
        }
        let starts = self.source.starts(&newborns, self.config.gap).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "start times could not be read; births that nothing else decides count nothing");
            Vec::new()
        });
        for (place, birth) in births {
            let decides = |start: &&Start| {
                start.target == birth.target && start.at <= birth.at && start.at > birth.at - self.config.gap
            };
            let known: Vec<Start> = starts.iter().filter(decides).cloned().collect();
            asked.births_uncounted += usize::from(known.is_empty());
            if let Some((_, observation)) = asked.observations.iter_mut().find(|(other, _)| *other == place) {
                observation.starts.extend(known);
            }
        }
    }
}

impl Asked {
    fn take(&mut self, answer: &Answer, received: Timestamp) {
        self.clock = answer.clock.map(|clock| (clock, received)).or(self.clock);
        self.refused.add(answer.refused);
        let samples = answer.series.iter().map(|series| series.samples.len()).sum();
        self.samples = self.samples.max(samples);
    }
}

/// An answer that cannot be used as it is.
#[must_use]
pub fn rejected(problem: &str) -> SourceError {
    SourceError {
        doing: "reading the answer to a pushdown query".to_owned(),
        problem: problem.to_owned(),
        kind: SourceErrorKind::Rejected,
    }
}

/// The length of the next stretch, so that an answer holds about `wanted` samples.
#[must_use]
pub fn next_stretch(stretch: Length, samples: usize, wanted: i64, least: Length) -> Length {
    let samples = i64::try_from(samples).unwrap_or(i64::MAX).max(1);
    let fitting = (stretch.millis().saturating_mul(wanted) / samples).min(stretch.millis().saturating_mul(8));
    Length::from_millis(fitting).max(least)
}
