//! One tick's questions to one source: each query once, all at the same time, the answers as observations per SLO.
//!
//! It knows how far each SLO has been answered. An SLO moves on only when all of its questions were answered, so its
//! next answer covers what was missed. Ranges overlap by `G`, because late samples replace what was read before.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::config::meant::SourceConfig;
use crate::engine::observation::{Observation, Point, Roles, SeriesSamples, Start};
use crate::plan::{Plan, Query, start_selectors};
use crate::runtime::entry::SharedEntry;
use crate::source::{Answer, Refused, Source, SourceError, SourceErrorKind, Value};
use crate::units::{Labels, Length, Timestamp};

/// Asks one source on behalf of its SLOs.
pub struct Asker {
    source: Arc<dyn Source>,
    config: SourceConfig,
    plan: Plan,
    entries: Vec<SharedEntry>,
    /// How far each SLO was answered.
    answered: Vec<Option<Timestamp>>,
}

/// The answer to a pushdown question; `None` where it was not due.
type Evaluated = Option<Result<Vec<Value>, SourceError>>;

/// What one round of questions gave.
#[derive(Default)]
pub struct Asked {
    /// Place of the SLO and what was said, for those whose questions were all answered.
    pub observations: Vec<(usize, Observation)>,
    /// What failed.
    pub errors: Vec<SourceError>,
    /// The source's clock, if it told.
    pub clock: Option<Timestamp>,
    /// Samples refused.
    pub refused: Refused,
    /// Samples of the largest answer, for the length of the next stretch.
    pub samples: usize,
    /// Another replica answered than before.
    pub replicas_differ: bool,
    /// Births for which no start time was known: they count nothing.
    pub births_uncounted: usize,
}

impl Asker {
    /// Asks `source` for the SLOs of `entries`, whose places are those of `plan`.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, config: SourceConfig, plan: Plan, entries: Vec<SharedEntry>) -> Self {
        let answered = entries.iter().map(|entry| entry.as_of()).collect();
        Self { source, config, plan, entries, answered }
    }

    /// The oldest time up to which an SLO was answered; `None` where one never was.
    #[must_use]
    pub fn answered_to(&self) -> Option<Timestamp> {
        self.answered.iter().copied().min().flatten()
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
            if let Some(answered) = self.answered.get_mut(*place) {
                *answered = Some(to);
            }
        }
        asked
    }

    async fn round(&mut self, to: Timestamp, oldest: Timestamp, overlap: Length) -> Asked {
        let (answers, mut points) = tokio::join!(self.raw(to, oldest, overlap), self.evaluations(to, oldest));
        let mut asked = Asked::default();
        let mut failed: BTreeSet<usize> = BTreeSet::new();
        let mut from = vec![oldest - overlap; self.entries.len()];
        let mut series = Vec::new();
        for (query, (begin, answer)) in self.plan.queries().iter().zip(answers) {
            for place in &query.slos {
                if let Some(from) = from.get_mut(*place) {
                    *from = begin.max(*from);
                }
            }
            match answer {
                Ok(answer) => {
                    asked.take(&answer);
                    series.extend(answer.series.into_iter().map(unrouted));
                }
                Err(error) => {
                    failed.extend(&query.slos);
                    asked.errors.push(error);
                }
            }
        }
        for (place, mut observation) in self.plan.observe(to, to, series).into_iter().enumerate() {
            observation.from = from.get(place).copied().unwrap_or(to);
            match self.points(place, &points) {
                Ok(points) => observation.points = points,
                Err(error) => {
                    failed.insert(place);
                    asked.errors.extend(error);
                }
            }
            if !failed.contains(&place) {
                asked.observations.push((place, observation));
            }
        }
        asked.errors.extend(points.drain(..).flatten().filter_map(Result::err));
        asked
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

    async fn raw(
        &self,
        to: Timestamp,
        oldest: Timestamp,
        overlap: Length,
    ) -> Vec<(Timestamp, Result<Answer, SourceError>)> {
        join_all(self.plan.queries().iter().map(|query| async move {
            let from = self.query_begin(query, oldest) - overlap;
            (from, self.source.samples(&query.selector, from, to).await)
        }))
        .await
    }

    fn query_begin(&self, query: &Query, oldest: Timestamp) -> Timestamp {
        query.slos.iter().map(|place| self.begin(*place, oldest)).min().unwrap_or(oldest)
    }

    /// The answers to the pushdown questions; `None` where none is due.
    async fn evaluations(&self, to: Timestamp, oldest: Timestamp) -> Vec<Evaluated> {
        join_all(self.plan.questions().iter().enumerate().map(|(index, question)| async move {
            let (first, last, step) = (0..self.entries.len())
                .filter_map(|place| {
                    let pushdown = self.plan.pushdown(place)?;
                    let asks = pushdown.events == index || pushdown.total == index;
                    let (first, last) = pushdown.due(self.begin(place, oldest), to)?;
                    asks.then_some((first, last, pushdown.step))
                })
                .min_by_key(|(first, _, _)| *first)?;
            Some(self.source.evaluate(&question.promql, first, last, step).await)
        }))
        .await
    }

    /// When the targets of undecided births started (SEMANTICS 2.4a). A question that fails leaves them uncounted.
    async fn add_starts(&self, asked: &mut Asked, to: Timestamp) {
        let mut targets: BTreeSet<Labels> = BTreeSet::new();
        let mut births = Vec::new();
        for (place, observation) in &asked.observations {
            let Some(entry) = self.entries.get(*place) else { continue };
            for birth in entry.undecided(observation, to) {
                targets.insert(birth.target.clone());
                births.push((*place, birth));
            }
        }
        if births.is_empty() {
            return;
        }
        let targets: Vec<Labels> = targets.into_iter().collect();
        let starts = starts(self.source.as_ref(), &targets, to - self.config.gap * 2, to).await;
        for (place, birth) in births {
            let known = starts.iter().filter(|start| start.target == birth.target).cloned();
            let before: Vec<Start> = known.filter(|start| start.at <= birth.at).collect();
            let decides = before.iter().any(|start| start.at > birth.at - self.config.gap);
            asked.births_uncounted += usize::from(!decides);
            if let Some((_, observation)) = asked.observations.iter_mut().find(|(other, _)| *other == place) {
                observation.starts.extend(before);
            }
        }
    }
}

impl Asked {
    fn take(&mut self, answer: &Answer) {
        self.clock = answer.clock.or(self.clock);
        self.refused.nan += answer.refused.nan;
        self.refused.infinite += answer.refused.infinite;
        self.refused.negative += answer.refused.negative;
        let samples = answer.series.iter().map(|series| series.samples.len()).sum();
        self.samples = self.samples.max(samples);
    }
}

/// Start times of `targets` that `process_start_time_seconds` says in `(from, to]`.
pub async fn starts(source: &dyn Source, targets: &[Labels], from: Timestamp, to: Timestamp) -> Vec<Start> {
    let mut starts: Vec<Start> = Vec::new();
    for selector in start_selectors(targets) {
        match source.samples(&selector, from, to).await {
            Ok(answer) => {
                for series in answer.series {
                    let target = target_of(&series.labels);
                    let times = series.samples.iter().map(|sample| Timestamp::from_seconds_f64(sample.value));
                    starts.extend(times.map(|at| Start { target: target.clone(), at }));
                }
            }
            Err(error) => tracing::warn!(%error, "start times could not be read; births without siblings count nothing"),
        }
    }
    starts.dedup();
    starts
}

/// The labels that make a target: `job` and `instance`, those that it has.
#[must_use]
pub fn target_of(labels: &Labels) -> Labels {
    ["job", "instance"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), labels.get(name)?.to_owned())))
        .collect()
}

fn unrouted(series: crate::source::Series) -> SeriesSamples {
    let fingerprint = series.labels.fingerprint();
    SeriesSamples { labels: series.labels, fingerprint, roles: Roles::default(), samples: series.samples }
}

fn rejected(problem: &str) -> SourceError {
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
